"""Promote a stored model to champion, or roll back; only a model that proves its scores can become champion."""

import getpass
import os
from datetime import UTC, datetime
from pathlib import Path

from credit_scoring.errors import ConfigurationError, ModelNotFoundError, ModelRejectedError
from credit_scoring.model import store
from credit_scoring.model.promotions import Entries, Promotion, Promotions, previous
from credit_scoring.model.scorer import Scorer

LONGEST = 500
FIRST = "first model of this store"
SERVED_SO_FAR = "newest model when promotions began, served until then"


def promote(tag: str, by: str, reason: str) -> Promotion | None:
    """Make a stored model the champion; None where it is already.

    Raises ModelNotFoundError or ModelRejectedError, and changes nothing, when the model is missing, incomplete or does
    not prove its scores.
    """
    by, reason = _text("--by", by), _text("--reason", reason)
    proven = _proven(tag)

    def decide(entries: Entries) -> Promotion | None:
        champion = entries[-1].tag if entries else None
        return None if proven == champion else _entry(proven, by, reason, champion)

    return Promotions.of_store().change(decide)


def rollback(by: str, reason: str) -> Promotion:
    """Make the champion before this one champion again; raises ConfigurationError where there is none."""
    by, reason = _text("--by", by), _text("--reason", reason)

    def decide(entries: Entries) -> Promotion:
        before = previous(entries)
        if before is None:
            raise ConfigurationError(_nothing_before(entries))
        return _entry(_proven(before), by, reason, entries[-1].tag, rollback=True)

    return Promotions.of_store().change(decide)


def begin(trained: str, served: str | None, by: str) -> Promotion | None:
    """Where no model is champion yet, make it the one that was served so far, or else the one just trained."""

    def decide(entries: Entries) -> Promotion | None:
        if entries:
            return None
        if served and _is_proven(served):
            return _entry(served, by, SERVED_SO_FAR, None)
        return _entry(_proven(trained), by, FIRST, None)

    return Promotions.of_store().change(decide)


def operating_user() -> str:
    """The name of the user who runs this process, or its number where it has no name, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _entry(tag: str, by: str, reason: str, replaced: str | None, rollback: bool = False) -> Promotion:
    now = datetime.now(UTC).replace(microsecond=0)
    return Promotion(tag=tag, at=now, by=by, reason=reason, replaced=replaced, rollback=rollback)


def _proven(tag: str) -> str:
    model = store.find(tag)
    Scorer.load(Path(model.path))
    return str(model.tag)


def _is_proven(tag: str) -> bool:
    try:
        _proven(tag)
    except (ModelNotFoundError, ModelRejectedError):
        return False
    return True


def _nothing_before(entries: Entries) -> str:
    if not entries:
        return "No model has been promoted yet: there is nothing to roll back. See `credit-scoring models list`."
    return (
        f"{entries[-1].tag} is the first champion on record: there is none before it to go back to. "
        "Promote another model: `credit-scoring models promote TAG --reason …`."
    )


def _text(option: str, given: str) -> str:
    """The text on one line; raises ConfigurationError when it is empty, too long or not printable."""
    line = " ".join(given.split())
    if not line:
        raise ConfigurationError(f"{option}: is empty. It goes on record; write a few words.")
    if len(line) > LONGEST:
        raise ConfigurationError(f"{option}: has {len(line):,} characters, at most {LONGEST} go on record.")
    if not line.isprintable():
        raise ConfigurationError(f"{option}: contains control characters, expected plain text.")
    return line
