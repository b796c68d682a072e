"""Applications by the column: checked as the API checks them and decided, without a loop over the good rows.

Each column is compared with the schema as a whole. A row in which something is not plainly right is given to
`Application` itself, which accepts it or names its faults: what is refused here is what the API refuses, in its words.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

import numpy as np
import pyarrow
import pyarrow.compute
from pydantic import ValidationError

from credit_scoring.application.arrays import Flags, Floats
from credit_scoring.application.schemas import FIELDS, Application, Fault, faults
from credit_scoring.batch.arrow import ID, Source, flags_of
from credit_scoring.data.mapping import MAPPABLE
from credit_scoring.model.scorer import Scorer

_FAULT = pyarrow.struct([(name, pyarrow.string()) for name in Fault.model_fields])
_COMPARISONS = {"gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le}


@dataclass(frozen=True)
class Rule:
    """What the schema asks of a field, as comparisons over a whole column."""

    name: str

    def doubtful(self, values: Any) -> Flags:
        """Where the values are not plainly within the schema."""
        present = flags_of(values.is_valid())
        wrong = present & ~self._within(values)
        return wrong | ~present if FIELDS[self.name].required else wrong

    def _within(self, values: Any) -> Flags:
        field = FIELDS[self.name]
        if field.kind == "number":
            return self._number_within(values.to_numpy(zero_copy_only=False))
        if field.kind == "category":
            return flags_of(pyarrow.compute.is_in(values, pyarrow.array(field.categories)))
        return self._text_within(values) if field.kind == "text" else np.ones(len(values), dtype=np.bool_)

    def _number_within(self, numbers: Floats) -> Flags:
        within: Flags = np.isfinite(numbers)
        for compare, bound in self._bounds:
            within &= compare(numbers, bound)
        return within & (numbers == np.floor(numbers)) if self._whole else within

    def _text_within(self, texts: Any) -> Flags:
        (shortest,), (longest,), (pattern,) = map(self._limits, ("min_length", "max_length", "pattern"))
        length = pyarrow.compute.utf8_length(texts)
        right = pyarrow.compute.and_(
            pyarrow.compute.greater_equal(length, shortest), pyarrow.compute.less_equal(length, longest)
        )
        allowed = pyarrow.compute.match_substring_regex(texts, pattern)
        return flags_of(pyarrow.compute.and_(right, allowed).fill_null(False))

    @cached_property
    def _bounds(self) -> list[tuple[Callable[[Any, Any], Any], float]]:
        return [(compare, bound) for name, compare in _COMPARISONS.items() for bound in self._limits(name)]

    def _limits(self, name: str) -> list[Any]:
        metadata = Application.model_fields[self.name].metadata
        return [getattr(each, name) for each in metadata if hasattr(each, name)]

    @cached_property
    def _whole(self) -> bool:
        annotation = Application.model_fields[self.name].annotation
        return int in (annotation, *get_args(annotation))


RULES = {name: Rule(name) for name in (ID, *MAPPABLE)}


@dataclass(frozen=True)
class Examined:
    """A batch after the check: the fields wanted, one array each, and the faults of refused rows by row number."""

    columns: Mapping[str, Any]
    faults: Mapping[int, list[Fault]]

    @property
    def good(self) -> Flags:
        """Which rows are applications."""
        good = np.ones(len(self.columns[ID]), dtype=np.bool_)
        good[list(self.faults)] = False
        return good


def examine(batch: Any, source: Source, wanted: tuple[str, ...]) -> Examined:
    """Check every row as the API would; of `wanted` fields, those that the file lacks are missing in each row."""
    broken = source.broken(batch)
    columns = {name: _empty(name, batch.num_rows) for name in (ID, *wanted)}
    doubtful = np.zeros(batch.num_rows, dtype=np.bool_)
    for name in source.fields:
        values, unclear = source.column(batch, name)
        doubtful |= unclear | RULES[name].doubtful(values)
        if name in columns:
            columns[name] = _writable(name, values)
    found = dict(broken)
    for row in set(np.flatnonzero(doubtful).tolist()) - set(broken):
        try:
            application = Application.model_validate(source.record(batch, row))
        except ValidationError as error:
            found[row] = faults(error)
        else:
            for name, column in columns.items():
                column[row] = getattr(application, name)
    return Examined(columns, found)


def _is_text(name: str) -> bool:
    return FIELDS[name].kind in ("category", "text")


def _empty(name: str, rows: int) -> Any:
    return np.full(rows, None) if _is_text(name) else np.full(rows, np.nan)


def _writable(name: str, values: Any) -> Any:
    if _is_text(name):
        return np.array(values.to_numpy(zero_copy_only=False), dtype=object)
    return np.array(values.cast(pyarrow.float64()).to_numpy(zero_copy_only=False))


def decide(batch: Any, source: Source, scorer: Scorer) -> Any:
    """The rows of a batch in their order: a decision and its risk probability, or the faults of the row."""
    features = scorer.card.features
    examined = examine(batch, source, features)
    good = examined.good
    risk, decision = np.full(len(good), np.nan), np.full(len(good), None)
    if good.any():
        risk[good] = scorer.score_records(list(_records(examined, features)))
    decision[good] = scorer.policy.answers(risk[good])
    reasons: list[list[dict[str, Any]] | None] = [None] * len(good)
    for row, found in examined.faults.items():
        reasons[row] = [fault.model_dump() for fault in found]
    arrays = {
        ID: pyarrow.array(examined.columns[ID], pyarrow.string()),
        "decision": pyarrow.array(decision, pyarrow.string()),
        "risk_probability": pyarrow.array(risk, mask=~good),
        "faults": pyarrow.array(reasons, pyarrow.list_(_FAULT)),
    }
    return pyarrow.RecordBatch.from_pydict(arrays)


def _records(examined: Examined, features: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    values = [examined.columns[name][examined.good].tolist() for name in features]
    return (dict(zip(features, row, strict=True)) for row in zip(*values, strict=True))
