"""Stored decisions scored again: by the model that gave them, or by another one."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from pydantic import ValidationError
from pydantic_core import from_json

from credit_scoring.decisions.erased import is_erased
from credit_scoring.decisions.queries import Record
from credit_scoring.errors import ModelNotFoundError
from credit_scoring.model.scorer import SCORE_TOLERANCE, Scorer


class Finding(StrEnum):
    """What a second look at a decision found."""

    SAME = "same"
    MODEL = "model changed"
    POLICY = "policy changed"
    ENVIRONMENT = "environment changed"
    NO_MODEL = "model not in the store"
    ERASED = "erased"
    REJECTED = "rejected by the model's catalogue"


class Replayed(NamedTuple):
    """One decision, looked at again; None where there was no model to do it with, or no data that it allows."""

    decision_id: str
    finding: Finding
    decision: str
    risk_probability: float
    new_decision: str | None
    new_risk_probability: float | None


class Scorers(Protocol):
    """Gives a scorer for a tag; raises ModelNotFoundError."""

    def __call__(self, tag: str) -> Scorer:
        """The scorer."""


@dataclass
class Summary:
    """How many of each finding, and how many of them would be decided otherwise now."""

    findings: Counter[Finding] = field(default_factory=Counter)
    reversed: Counter[Finding] = field(default_factory=Counter)

    def add(self, replayed: Iterable[Replayed]) -> None:
        """Count these."""
        for each in replayed:
            self.findings[each.finding] += 1
            self.reversed[each.finding] += each.new_decision not in (None, each.decision)


def replay(chunk: Sequence[Record], scorers: Scorers, tag: str | None = None) -> Iterator[Replayed]:
    """Score these decisions again by the model with this tag; None: each by the model that gave it.

    "environment changed" is a risk that differs though the model is the same: libraries or the machine.
    """
    yield from (_not_again(record, Finding.ERASED) for record in chunk if is_erased(record["received"]))
    held = [record for record in chunk if not is_erased(record["received"])]
    for model in sorted({record["model"] for record in held}):
        records = [record for record in held if record["model"] == model]
        try:
            scorer = scorers(tag or model)
        except ModelNotFoundError:
            yield from (_not_again(record, Finding.NO_MODEL) for record in records)
            continue
        yield from _again(records, scorer, is_same_model=tag in (None, model))


def _again(records: Sequence[Record], scorer: Scorer, *, is_same_model: bool) -> Iterator[Replayed]:
    read = _seen if is_same_model else _valid
    seen = [(record, read(record, scorer)) for record in records]
    yield from (_not_again(record, Finding.REJECTED) for record, found in seen if found is None)
    allowed = [(record, found) for record, found in seen if found is not None]
    if not allowed:
        return
    risks, rulings = scorer.decide([found for _, found in allowed])
    for (record, _), risk, ruling in zip(allowed, risks.tolist(), rulings, strict=True):
        finding = _finding(record, risk, scorer, is_same_model=is_same_model)
        before = record["decision"], record["risk_probability"]
        yield Replayed(record["id"], finding, *before, ruling.answer.value, risk)


def _seen(record: Record, scorer: Scorer) -> Record:
    """What the model saw; a field that only rules use is taken as it was received."""
    known = _known(record)
    return {name: known.get(name) for name in scorer.fields}


def _valid(record: Record, scorer: Scorer) -> Record | None:
    """The same for another model; None where its catalogue does not allow it."""
    fields = scorer.catalogue.fields
    known = {name: value for name, value in _known(record).items() if name in fields}
    try:
        return scorer.catalogue.application.model_validate(known).__dict__
    except ValidationError:
        return None


def _known(record: Record) -> Record:
    """What was received, and in place of it what the model saw."""
    seen = zip(from_json(record["features"]), from_json(record["seen"]), strict=True)
    return {**from_json(record["received"]), **dict(seen)}


def _finding(record: Mapping[str, Any], risk: float, scorer: Scorer, *, is_same_model: bool) -> Finding:
    if abs(risk - record["risk_probability"]) > SCORE_TOLERANCE:
        return Finding.ENVIRONMENT if is_same_model else Finding.MODEL
    return Finding.SAME if scorer.policy.version == record["policy_version"] else Finding.POLICY


def _not_again(record: Mapping[str, Any], why: Finding) -> Replayed:
    return Replayed(record["id"], why, record["decision"], record["risk_probability"], None, None)
