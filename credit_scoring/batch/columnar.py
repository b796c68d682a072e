"""Applications by the column: checked as the API checks them and decided, without a loop over the good rows.

Each column is compared with the catalogue as a whole. A row in which something is not plainly right is given to
the class that checks applications, which accepts it or names its faults: what is refused here is what the API
refuses, in its words.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.compute
from pydantic import ValidationError
from pydantic_core import to_json

from credit_scoring.application.arrays import Flags, Floats
from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.fields import MAX_TEXT, TEXT_PATTERN, ApplicationField
from credit_scoring.application.schemas import Fault, faults
from credit_scoring.batch.arrow import ID, Source, flags_of
from credit_scoring.explanation.explanation import Given, explained
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.evaluator import Ruling

REASONS = "reasons"
NAMES = pyarrow.list_(pyarrow.string())
FAULTS = pyarrow.list_(pyarrow.struct([(name, pyarrow.string()) for name in Fault.model_fields]))


def doubtful(field: ApplicationField, values: Any) -> Flags:
    """Where the values of a column are not plainly within what the catalogue allows."""
    present = flags_of(values.is_valid())
    wrong = present & ~_within(field, values)
    return wrong | ~present if field.required else wrong


def _within(field: ApplicationField, values: Any) -> Flags:
    if field.is_number:
        return _number_within(field, values.to_numpy(zero_copy_only=False))
    if field.kind == "category":
        return flags_of(pyarrow.compute.is_in(values, pyarrow.array(field.categories)))
    return _text_within(values) if field.kind == "text" else np.ones(len(values), dtype=np.bool_)


def _number_within(field: ApplicationField, numbers: Floats) -> Flags:
    within: Flags = np.isfinite(numbers)
    if field.above is not None:
        within &= numbers > field.above
    if field.at_least is not None:
        within &= numbers >= field.at_least
    if field.at_most is not None:
        within &= numbers <= field.at_most
    return within & (numbers == np.floor(numbers)) if field.kind == "integer" else within


def _text_within(texts: Any) -> Flags:
    length = pyarrow.compute.utf8_length(texts)
    right = pyarrow.compute.and_(pyarrow.compute.greater_equal(length, 1), pyarrow.compute.less_equal(length, MAX_TEXT))
    allowed = pyarrow.compute.match_substring_regex(texts, TEXT_PATTERN)
    return flags_of(pyarrow.compute.and_(right, allowed).fill_null(False))


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


def examine(batch: Any, source: Source, catalogue: Catalogue, wanted: tuple[str, ...]) -> Examined:
    """Check every row as the API would; of `wanted` fields, those that the file lacks are missing in each row."""
    broken, fields = source.broken(batch), catalogue.all_fields
    columns = {name: _empty(fields[name], batch.num_rows) for name in (ID, *wanted)}
    unsure = np.zeros(batch.num_rows, dtype=np.bool_)
    for name in source.fields:
        values, unclear = source.column(batch, name)
        unsure |= unclear | doubtful(fields[name], values)
        if name in columns:
            columns[name] = _writable(fields[name], values)
    found = dict(broken)
    for row in set(np.flatnonzero(unsure).tolist()) - set(broken):
        try:
            application = catalogue.application.model_validate(source.record(batch, row))
        except ValidationError as error:
            found[row] = faults(error, fields)
        else:
            for name, column in columns.items():
                column[row] = getattr(application, name)
    return Examined(columns, found)


def _empty(field: ApplicationField, rows: int) -> Any:
    return np.full(rows, np.nan if field.is_numeric else None)


def _writable(field: ApplicationField, values: Any) -> Any:
    if field.is_numeric:
        return np.array(values.cast(pyarrow.float64()).to_numpy(zero_copy_only=False))
    return np.array(values.to_numpy(zero_copy_only=False), dtype=object)


def decide(batch: Any, source: Source, scorer: Scorer, *, with_reasons: bool = False) -> Any:
    """The rows of a batch in their order: a decision and its risk probability, or the faults of the row.

    Reasons, where they are wanted, are a further column, the last one but for the faults.
    """
    examined = examine(batch, source, scorer.catalogue, scorer.fields)
    good = examined.good
    risk, decision = np.full(len(good), np.nan), np.full(len(good), None)
    rules: list[Sequence[str] | None] = [None] * len(good)
    missing, outside = rules.copy(), rules.copy()
    reasons: list[str | None] = [None] * len(good)
    if good.any():
        records = list(_records(examined, scorer.fields))
        risk[good], rulings = scorer.decide(records)
        beside = zip(
            rulings, _missing(examined, scorer.card.features), scorer.unknowns.outside_training(records), strict=True
        )
        for row, (ruling, absent, beyond) in zip(np.flatnonzero(good).tolist(), beside, strict=True):
            decision[row], rules[row], missing[row], outside[row] = *ruling, absent, beyond
        if with_reasons:
            texts = _reasons(records, risk[good], rulings, scorer)
            for row, text in zip(np.flatnonzero(good).tolist(), texts, strict=True):
                reasons[row] = text
    refused: list[list[dict[str, Any]] | None] = [None] * len(good)
    for row, found in examined.faults.items():
        refused[row] = [fault.model_dump() for fault in found]
    arrays = {
        ID: pyarrow.array(examined.columns[ID], pyarrow.string()),
        "decision": pyarrow.array(decision, pyarrow.string()),
        "risk_probability": pyarrow.array(risk, mask=~good),
        "rules": pyarrow.array(rules, NAMES),
        "missing": pyarrow.array(missing, NAMES),
        "outside_training": pyarrow.array(outside, NAMES),
        **({REASONS: pyarrow.array(reasons, pyarrow.string())} if with_reasons else {}),
        "faults": pyarrow.array(refused, FAULTS),
    }
    return pyarrow.RecordBatch.from_pydict(arrays)


def _reasons(
    records: Sequence[Mapping[str, Any]], risks: Floats, rulings: Sequence[Ruling], scorer: Scorer
) -> Iterator[str]:
    """Of each decision what the API answers as its reasons, but for the `decision_id`, which a batch gives to none."""
    decided = zip(records, rulings, risks.tolist(), strict=True)
    given = [Given(record, "", ruling.answer, risk, ruling.rules) for record, ruling, risk in decided]
    return (to_json(each, exclude={"decision_id"}).decode() for each in explained(scorer, given))


def _missing(examined: Examined, features: Sequence[str]) -> Iterator[list[str]]:
    """Of each good row the features that it does not have."""
    absent = np.column_stack([pd.isna(examined.columns[name][examined.good]) for name in features])
    names = np.array(features, dtype=object)
    return (names[row].tolist() if row.any() else [] for row in absent)


def _records(examined: Examined, features: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    values = [examined.columns[name][examined.good].tolist() for name in features]
    return (dict(zip(features, row, strict=True)) for row in zip(*values, strict=True))
