"""The decision log: what a worker has decided, stored block by block, each chained to the one before."""

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json
from sqlalchemy import Connection, RowMapping, select

from credit_scoring.application.schemas import Answer, Decision, RepeatedDecision
from credit_scoring.decisions import claims, schema_version
from credit_scoring.decisions.chain import Row
from credit_scoring.decisions.claims import Found, Name, name_of
from credit_scoring.decisions.database import Database
from credit_scoring.decisions.effective import effective, steps_of
from credit_scoring.decisions.entries import Entry, Settled
from credit_scoring.decisions.replacements import replaced_name
from credit_scoring.decisions.tables import decisions, writers
from credit_scoring.decisions.unknowns import missing_of, names_in
from credit_scoring.decisions.writer import Origin, Writer
from credit_scoring.errors import (
    DecisionLogError,
    DuplicateError,
    RepeatError,
    RequestError,
    UnknownReplacedError,
    UnreadableError,
)

logger = logging.getLogger(__name__)

CLAIMING_ATTEMPTS = 3
REPEATED = "This application_id was decided before, for other content. Send a new one, or the same content."
UNKNOWN_REPLACED = (
    "`replaces` names no earlier application of yours that was decided. Check it, or leave it out; nothing was decided."
)
UNREADABLE = (
    "This application_id was decided before, but the decision on record cannot be read. Send a new one, and tell "
    "whoever runs the service."
)
SEE = "`credit-scoring decisions verify` says what else is wrong."

_ANSWER = (
    *(decisions.c[name] for name in ("id", "received", "seen", "risk_probability", "decision")),
    *(decisions.c[name] for name in ("rules", "outside_training")),
    *(writers.c[name] for name in ("model", "policy_version", "threshold", "features")),
)


class DecisionLog:
    """One worker's part of the log: an application id that was decided before gets the answer given then.

    `is_whole`: an application that is not in it was never decided, so none can replace it.
    """

    def __init__(self, database: Database, origin: Origin, *, is_whole: bool = True) -> None:
        self.writer = Writer(database, origin)
        self._database = database
        self._is_whole = is_whole

    @property
    def seconds(self) -> float:
        """How long the last block took to be stored, measured where that was done."""
        return self.writer.seconds

    def beside(self, database: Database) -> "DecisionLog":
        """A log of the same worker in another database, which holds only what was decided lately."""
        return DecisionLog(database, self.writer.origin, is_whole=False)

    def check(self) -> None:
        """Raises DecisionLogError where it is plain, without asking the database, that nothing can be stored."""
        self._database.check()

    def store_at_once(self, entries: Sequence[Entry]) -> list[Settled] | None:
        """Store these decisions before this returns; None where that might take long, or fails: then `store` them."""
        rows = [entry.row for entry in entries]
        is_stored = not self._has_to_look_back(rows) and self.writer.append_at_once(rows)
        return [entry.decision for entry in entries] if is_stored else None

    async def store(self, entries: Sequence[Entry]) -> list[Settled]:
        """Store these decisions in one transaction; for each the answer to give, in order.

        That is the decision itself, or the one that was given before under the same application id of the same owner,
        RepeatError where that was for other content, UnreadableError where it cannot be read; UnknownReplacedError for
        a new application that replaces one which is not on record. No entries make an empty block, which proves that
        the log can be written.
        Raises DecisionLogError when nothing was stored, or when it cannot be known. Cancelled, it stores nothing unless
        its commit is under way.
        """
        decided_at, rows = datetime.now(UTC), [entry.row for entry in entries]
        if self._has_to_look_back(rows):
            return await self._store_what_is_new(entries, decided_at)
        try:
            await self.writer.append(rows, decided_at)
        except DuplicateError:
            return await self._store_what_is_new(entries, decided_at)
        return [entry.decision for entry in entries]

    async def store_given(self, rows: Sequence[Row], decided_at: datetime) -> None:
        """Store decisions that were answered already; those that are stored stay once, application ids are first come.

        Raises DecisionLogError when nothing was stored, or when it cannot be known.
        """
        stored, found = await self._database.run(partial(_known_of, rows))
        new = [row for row in rows if row.id not in stored]
        first = {name: row.id for row in reversed(new) if (name := name_of(row))}
        unclaimed = {name: decision for name, decision in first.items() if name not in found.by_name}
        await self.writer.append(new, decided_at, *claims.divide(unclaimed, found.taken))

    async def close(self) -> None:
        """Wait for what is being stored, then close the database."""
        await self.writer.close()
        await self._database.close()

    async def _store_what_is_new(self, entries: Sequence[Entry], decided_at: datetime) -> list[Settled]:
        """Store entries whose application id nobody has claimed; the others get what was answered before."""
        names = {name for entry in entries if (name := name_of(entry.row))}
        replaced = [name for entry in entries if (name := replaced_name(entry.row))]
        for _ in range(CLAIMING_ATTEMPTS):
            found, steps = await self._database.run(partial(_claims_of, {*names, *replaced}), reading=True)
            known = {name: _known(claim, steps) for name, claim in found.by_name.items() if name in names}
            first, refused = _sorted_out(entries, found, self._is_whole)
            new = [entry.row for entry in entries if _is_new(entry, first) and entry.row.id not in refused]
            claimed = {name: row.id for row in new if (name := name_of(row))}
            try:
                if new:
                    await self.writer.append(new, decided_at, *claims.divide(claimed, found.taken))
            except DuplicateError:  # another worker has claimed one meanwhile
                continue
            return [_settled(entry, first, known, refused) for entry in entries]
        raise DecisionLogError("Other workers claim the same application ids again and again.")

    def _has_to_look_back(self, rows: Sequence[Row]) -> bool:
        """Whether some replace applications that have to be on record."""
        return self._is_whole and any(row.replaces is not None for row in rows)


def _sorted_out(entries: Sequence[Entry], found: Found, is_whole: bool) -> tuple[dict[Name, Entry], Collection[str]]:
    """Of names without a claim the entry that gets it, and ids of entries that are refused.

    Those replace what is neither on record nor among the entries before them, and leave their name to a later one.
    """
    there = {name for name, claim in found.by_name.items() if claim}
    first: dict[Name, Entry] = {}
    refused: set[str] = set()
    for entry in entries:
        name, replaced = name_of(entry.row), replaced_name(entry.row)
        if name in found.by_name or name in first:
            continue
        if is_whole and replaced and replaced not in there:
            refused.add(entry.row.id)
        elif name:
            first[name] = entry
            there.add(name)
    return first, refused


def _known_of(rows: Sequence[Row], connection: Connection) -> tuple[set[str], Found]:
    """Which of these rows are stored, by id, and which of their application ids are claimed."""
    schema_version.ensure(connection)
    ids = select(decisions.c.id).where(decisions.c.id.in_([row.id for row in rows]))
    names = [name for row in rows if (name := name_of(row))]
    return set(connection.execute(ids).scalars()), claims.find(names, connection)


Steps = Mapping[str, list[str]]


def _claims_of(names: Collection[Name], connection: Connection) -> tuple[Found, Steps]:
    """What was answered under these application ids before, and the steps that people have taken since."""
    found = claims.find(names, connection, *_ANSWER)
    return found, steps_of([claim["claimed"] for claim in found.by_name.values() if claim], connection)


Content = dict[str, Any]


class _Known(NamedTuple):
    """An answer that was given, and the content that it was given to."""

    answer: Settled
    content: Content


def _known(claim: RowMapping | None, steps: Steps) -> _Known:
    """What a claim stands for. The row may be of another version of this code, or damaged, so nothing is validated."""
    if claim is None:
        logger.error("The decision that an application id is claimed for is missing, or another one's. %s", SEE)
        return _Known(UnreadableError(UNREADABLE), {})
    try:
        return _Known(_decision(claim, steps.get(claim["id"], ())), _content(claim["received"]))
    except (ValidationError, ValueError, TypeError, AttributeError):
        logger.error("Decision %s is on record, but cannot be read. %s", claim["claimed"], SEE)
        return _Known(UnreadableError(UNREADABLE), {})


def _decision(claim: RowMapping, steps: Sequence[str]) -> Decision:
    """The answer as it was given, and what counts now where people have decided otherwise."""
    given = _as_given(claim)
    now = effective(given.decision, steps)
    if now == given.decision:
        return given
    return RepeatedDecision.model_validate({**given.model_dump(), "effective_decision": now})


def _as_given(claim: RowMapping) -> Decision:
    return Decision(
        decision=Answer(claim["decision"]),
        risk_probability=claim["risk_probability"],
        threshold=claim["threshold"],
        decision_id=claim["id"],
        model=claim["model"],
        policy_version=claim["policy_version"],
        rules=names_in(claim["rules"]),
        missing=missing_of(claim),
        outside_training=names_in(claim["outside_training"]),
    )


def _content(received: str) -> Content:
    """What an application says, however it is written: 48 is 48.0, and an absent field is null."""
    return {name: value for name, value in from_json(received).items() if value is not None}


def _is_new(entry: Entry, first: Mapping[Name, Entry]) -> bool:
    name = name_of(entry.row)
    return name is None or first.get(name) is entry


def _settled(
    entry: Entry, first: Mapping[Name, Entry], known: Mapping[Name, _Known], refused: Collection[str]
) -> Settled:
    name = name_of(entry.row)
    if entry.row.id in refused:
        return UnknownReplacedError(UNKNOWN_REPLACED)
    if name is None or _is_new(entry, first):
        return entry.decision
    before = known.get(name) or _Known(first[name].decision, _content(first[name].row.received))
    if isinstance(before.answer, RequestError) or before.content == _content(entry.row.received):
        return before.answer
    return RepeatError(REPEATED)
