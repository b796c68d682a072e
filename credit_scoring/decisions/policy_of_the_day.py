"""Stored decisions decided again under the policies that gave them: the proof that a log can be learned from.

They are decided from the risks on record; `replay` scores again.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydantic import ValidationError
from pydantic_core import from_json, to_json
from sqlalchemy import Connection, select

from credit_scoring.application.arrays import Floats
from credit_scoring.decisions.queries import Record
from credit_scoring.decisions.tables import writers
from credit_scoring.decisions.writer import Origin
from credit_scoring.errors import DecisionLogError, ModelNotFoundError
from credit_scoring.model.scorer import Scorer
from credit_scoring.model.stored_policy import StoredPolicy
from credit_scoring.policy.evaluator import Evaluator, Ruling
from credit_scoring.policy.policy import Policy

DIFFERENCES_KEPT = 10
WRITERS_AT_ONCE = 100
VERIFY = "Look for what was altered with `credit-scoring decisions verify`."


@dataclass(frozen=True)
class Difference:
    """A decision on record that its policy would not give; nothing of its application."""

    decision_id: str
    recorded: str
    found: str


@dataclass
class History:
    """What deciding again came to: how many by which policy and model, and the first differences."""

    policies: Counter[tuple[str, str]] = field(default_factory=Counter)
    differing: int = 0
    differences: list[Difference] = field(default_factory=list)

    def add(self, origin: Origin, count: int, found: Sequence[Difference]) -> None:
        """Count these of one origin."""
        self.policies[origin.policy_version, origin.model] += count
        self.differing += len(found)
        self.differences += found[: DIFFERENCES_KEPT - len(self.differences)]


class PoliciesOfTheDay:
    """Decides again as on the day. `find` gives what the store has of a tag, or raises ModelNotFoundError."""

    def __init__(self, scorer: Scorer, find: Callable[[str], StoredPolicy]) -> None:
        self.history = History()
        self._scorer, self._find = scorer, find
        self._stored: dict[str, StoredPolicy | None] = {}
        self._evaluators: dict[Origin, Evaluator | str] = {}
        self._blank = dict.fromkeys([*scorer.catalogue.fields, *scorer.fields])

    def check(self, origin: Origin, records: Sequence[Record]) -> list[Record]:
        """Add these decisions of one origin to the history; their applications, with every field of the scorer."""
        if origin not in self._evaluators:
            self._evaluators[origin] = self._evaluator(origin)
        evaluator = self._evaluators[origin]
        if isinstance(evaluator, str):
            self.history.add(origin, len(records), [Difference(r["id"], _recorded(r), evaluator) for r in records])
            return []
        decided = self._decided(evaluator, origin, records)
        pairs = [(record, ruling) for record, (_, ruling) in zip(records, decided, strict=True)]
        found = [Difference(r["id"], _recorded(r), _text(ruling)) for r, ruling in pairs if not _agree(r, ruling)]
        self.history.add(origin, len(records), found)
        return [application for application, _ in decided]

    def stored(self, tag: str) -> StoredPolicy | None:
        """What the store has of this model; None where it has nothing."""
        if tag not in self._stored:
            try:
                self._stored[tag] = self._find(tag)
            except ModelNotFoundError:
                self._stored[tag] = None
        return self._stored[tag]

    def _evaluator(self, origin: Origin) -> Evaluator | str:
        """What decides as on the day, or why nothing can."""
        own = self.stored(origin.model)
        try:
            policy = self._policy(origin, own)
        except ValidationError:
            return "its policy on record cannot be read"
        if origin.policy and policy.version != origin.policy_version:
            return f"its policy on record is {policy.version}, but it names {origin.policy_version}"
        catalogue = own.catalogue if own else self._scorer.catalogue
        if policy.rules and own is None and origin.catalogue != catalogue.digest:
            return f"its rules need the fields of {origin.model}, which is not in the store"
        return Evaluator(policy, catalogue)

    def _policy(self, origin: Origin, own: StoredPolicy | None) -> Policy:
        """The policy on record, else the stored model's, else the threshold: earlier versions had no rules."""
        if origin.policy:
            return Policy.model_validate_json(origin.policy)
        if own and own.policy.version == origin.policy_version:
            return own.policy
        return Policy(threshold=origin.threshold, costs=self._scorer.policy.costs)

    def _decided(
        self, evaluator: Evaluator, origin: Origin, records: Sequence[Record]
    ) -> list[tuple[Record, Ruling | None]]:
        """Each application and its ruling; None where it cannot be read, and not why: that may hold its values."""
        try:
            blank = {**self._blank, **dict.fromkeys(evaluator.fields)}
            applications = [_application(blank, origin, record) for record in records]
            return list(zip(applications, evaluator.rulings(applications, risks_of(records)), strict=True))
        except (TypeError, ValueError):
            if len(records) == 1:
                return [({}, None)]
            middle = len(records) // 2
            parts = (records[:middle], records[middle:])
            return [each for part in parts for each in self._decided(evaluator, origin, part)]


def origins(connection: Connection) -> Mapping[str, Origin]:
    """What the decisions of each worker have in common; equal ones are one object, however many workers there were."""
    names = ("model", "policy_version", "threshold", "features", "policy", "catalogue")
    query = select(writers.c.id, *(writers.c[name] for name in names))
    found: dict[str, Origin] = {}
    known: dict[Origin, Origin] = {}
    for id, *values in connection.execute(query.execution_options(yield_per=WRITERS_AT_ONCE)):
        origin = _origin(id, dict(zip(names, values, strict=True)))
        found[id] = known.setdefault(origin, origin)
    return found


def risks_of(records: Sequence[Record]) -> Floats:
    """The risks on record, shape (records,)."""
    return np.array([record["risk_probability"] for record in records], dtype=np.float64)


def _origin(id: str, content: dict[str, Any]) -> Origin:
    try:
        return Origin(**content | {"features": tuple(from_json(content["features"])), "service_version": ""})
    except ValueError:
        raise DecisionLogError(f"Worker {id}: the names of its features cannot be read. {VERIFY}") from None


def _application(blank: Record, origin: Origin, record: Record) -> Record:
    """What the model saw; a field that it does not use as it was received."""
    seen = zip(origin.features, from_json(record["seen"]), strict=True)
    return {**blank, **from_json(record["received"]), **dict(seen)}


def _agree(record: Record, ruling: Ruling | None) -> bool:
    if ruling is None or record["decision"] != ruling.answer:
        return False
    return bool(record["rules"] == (to_json(ruling.rules).decode() if ruling.rules else None))


def _recorded(record: Record) -> str:
    return f"{record['decision']} by {record['rules']}" if record["rules"] else str(record["decision"])


def _text(ruling: Ruling | None) -> str:
    if ruling is None:
        return "its application cannot be read"
    return f"{ruling.answer} by {to_json(ruling.rules).decode()}" if ruling.rules else ruling.answer.value
