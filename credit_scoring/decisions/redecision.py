"""Stored decisions decided again: under the policies of the day, to prove the record, then under another policy.

Where the other policy's model has the pipeline that gave a risk, that risk counts; applications of other models are
scored again, as they were received.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError
from pydantic_core import from_json
from sqlalchemy import select

from credit_scoring.application.arrays import Floats
from credit_scoring.decisions.erased import is_erased
from credit_scoring.decisions.outcomes import Outcome
from credit_scoring.decisions.policy_of_the_day import VERIFY, PoliciesOfTheDay, risks_of
from credit_scoring.decisions.queries import Record
from credit_scoring.decisions.tables import decisions
from credit_scoring.decisions.writer import Origin
from credit_scoring.errors import DecisionLogError
from credit_scoring.model.scorer import Scorer
from credit_scoring.model.stored_policy import StoredPolicy
from credit_scoring.policy.evaluator import ANSWERS, Codes

WHAT_DECIDES = select(
    *(decisions.c[name] for name in ("id", "writer", "received", "seen", "risk_probability", "decision", "rules"))
)
_OUTCOMES = {Outcome.PAID.value: 0.0, Outcome.DEFAULTED.value: 1.0, None: float("nan")}
_CODES = {answer.value: code for code, answer in enumerate(ANSWERS)}

Values = npt.NDArray[Any]


@dataclass(frozen=True)
class Redecided:
    """Decisions under the new policy, as arrays of equal length.

    `was` is the answer on record, `severities` what the risk and each rule of the new policy say, shape (rows,
    1 + rules). `defaulted` is 1, 0, or NaN where no outcome is known. `audit` has a column for each audit field.
    """

    was: Codes
    severities: Codes
    risk: Floats
    defaulted: Floats
    exposure: Floats
    audit: Mapping[str, Values]


class Redecision:
    """Decides chunks of `WHAT_DECIDES` again; under the scorer's policy only as long as history does not differ.

    `pipeline` is the sha256 of the scorer's, `read_origins` asks for the workers on record, `find` gives what the store
    has of a tag, or raises ModelNotFoundError. Of the decisions of other pipelines, `rescored` were scored again, and
    `rejected` left out: the scorer's catalogue does not allow their applications. `erased` ones are passed over.
    """

    def __init__(
        self,
        scorer: Scorer,
        pipeline: str,
        read_origins: Callable[[], Mapping[str, Origin]],
        find: Callable[[str], StoredPolicy],
    ) -> None:
        self.rescored = 0
        self.rejected = 0
        self.erased = 0
        self._scorer, self._pipeline, self._read_origins = scorer, pipeline, read_origins
        self._origins: Mapping[str, Origin] = {}
        self._past = PoliciesOfTheDay(scorer, find)
        self.history = self._past.history

    def __call__(self, chunk: Sequence[Record]) -> Iterator[Redecided]:
        """These decisions under the new policy, in parts; raises DecisionLogError."""
        held = [record for record in chunk if not is_erased(record["received"])]
        self.erased += len(chunk) - len(held)
        for origin, records in self._by_origin(held):
            applications = self._past.check(origin, records)
            if self.history.differing:
                continue
            try:
                yield from self._redecided(origin, records, applications)
            except (TypeError, ValueError):  # its message may hold an applicant's value
                raise DecisionLogError(
                    f"One of the decisions from {records[0]['id']} to {records[-1]['id']} has an application that "
                    f"cannot be read. {VERIFY}"
                ) from None

    def _by_origin(self, chunk: Sequence[Record]) -> Iterator[tuple[Origin, list[Record]]]:
        parts: dict[Origin, list[Record]] = {}
        if any(record["writer"] not in self._origins for record in chunk):
            self._origins = self._read_origins()
        for record in chunk:
            origin = self._origins.get(record["writer"])
            if origin is None:
                raise DecisionLogError(f"Decision {record['id']}: the worker that gave it is not on record. {VERIFY}")
            parts.setdefault(origin, []).append(record)
        yield from parts.items()

    def _redecided(
        self, origin: Origin, records: Sequence[Record], applications: Sequence[Record]
    ) -> Iterator[Redecided]:
        own = self._past.stored(origin.model)
        if own and own.pipeline == self._pipeline:
            yield self._under_the_policy(records, applications, risks_of(records))
            return
        valid = [(record, found) for record in records if (found := self._valid(record)) is not None]
        self.rescored += len(valid)
        self.rejected += len(records) - len(valid)
        if valid:
            accepted, applications = [record for record, _ in valid], [found for _, found in valid]
            yield self._under_the_policy(accepted, applications, self._scorer.score_records(applications))

    def _under_the_policy(self, records: Sequence[Record], applications: Sequence[Record], risk: Floats) -> Redecided:
        catalogue = self._scorer.catalogue
        return Redecided(
            was=np.array([_CODES[record["decision"]] for record in records], dtype=np.int8),
            severities=self._scorer.evaluator.severities(applications, risk),
            risk=risk,
            defaulted=np.array([_OUTCOMES[record["outcome"]] for record in records]),
            exposure=_numbers(catalogue.exposure, applications) if catalogue.exposure else np.ones(len(records)),
            audit={name: self._values(name, applications) for name in catalogue.audit_fields},
        )

    def _valid(self, record: Record) -> Record | None:
        """The application as received, with the fields of the scorer's catalogue; None where that does not allow it."""
        catalogue = self._scorer.catalogue
        received = {name: value for name, value in from_json(record["received"]).items() if name in catalogue.fields}
        try:
            return catalogue.application.model_validate(received).__dict__
        except ValidationError:
            return None

    def _values(self, name: str, applications: Sequence[Record]) -> Values:
        """A column: numbers with NaN, or the texts that the catalogue knows and None."""
        field = self._scorer.catalogue.fields[name]
        if field.is_number:
            return _numbers(name, applications)
        known = (False, True) if field.kind == "flag" else field.categories
        values = [application[name] for application in applications]
        return np.array([str(value) if value in known else None for value in values], dtype=object)


def _numbers(name: str, applications: Sequence[Record]) -> Floats:
    return np.array([application[name] for application in applications], dtype=np.float64)
