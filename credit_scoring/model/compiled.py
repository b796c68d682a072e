"""The compiled form of a fitted pipeline: the same scores without pandas and ColumnTransformer.

Everything is read off the fitted pipeline, which stays the source of truth; docs/adr/0004 has the measurements.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from credit_scoring.application.arrays import Floats
from credit_scoring.application.records import Record, Records
from credit_scoring.model.calibration import CalibratedClassifier
from credit_scoring.model.estimators import LogOddsEnsemble, weighted_mean
from credit_scoring.model.features import OutlierClipper

LogOdds = Callable[[Floats], Floats]


class CompiledPipeline:
    """Scores records of application fields as the fitted pipeline does; every feature must be a key of each record."""

    def __init__(self, pipeline: Pipeline) -> None:
        calibrated: CalibratedClassifier = pipeline.named_steps["classifier"]
        model = calibrated.estimator_
        if isinstance(model, LogOddsEnsemble):
            self._members, self._weights = [_Member(member, member[-1]) for member in model.members_], model.weights
        else:
            self._members, self._weights = [_Member(pipeline, model)], [1.0]
        self._calibrate = calibrated.calibrator_.predict

    def score(self, records: Sequence[Record]) -> Floats:
        """Risk probability of each record, shape (records,)."""
        return self._calibrate(self.log_odds(records))

    def log_odds(self, records: Sequence[Record]) -> Floats:
        """Log-odds of each record before calibration, shape (records,)."""
        return weighted_mean([member.log_odds(records) for member in self._members], self._weights)


class _Member:
    """One model with its own preprocessing."""

    def __init__(self, preprocessing: Pipeline, model: Any) -> None:
        self._matrix = _MatrixBuilder(preprocessing)
        self._decide: LogOdds = model.log_odds

    def log_odds(self, records: Sequence[Record]) -> Floats:
        """Log-odds of each record."""
        return self._decide(self._matrix.build(records))


class _MatrixBuilder:
    """What the preprocessing steps have learned, as arrays."""

    def __init__(self, pipeline: Pipeline) -> None:
        derived, columns = pipeline.named_steps["derived"], pipeline.named_steps["columns"]
        numbers, indicated, *categories = [
            (steps, list(names)) for _, steps, names in columns.transformers_[: len(columns.transformers)]
        ]
        self._raw = tuple(name for name in numbers[1] if name in derived.feature_names_in_)
        self._derived = tuple(derived.derived_)
        self._inputs = tuple(dict.fromkeys(name for field in self._derived for name in field.inputs))
        self._number_count = len(numbers[1])
        self._read_number_steps(numbers[0])
        self._read_indicators(numbers[1], indicated[1])
        self._read_encoders(categories)

    def _read_number_steps(self, steps: Any) -> None:
        clipper, scaler = (steps, None) if isinstance(steps, OutlierClipper) else [step for _, step in steps.steps]
        self._lower, self._upper, self._stands = clipper.lower_bounds_, clipper.upper_bounds_, clipper.stands_
        self._scaling: tuple[Floats, Floats] | None = (scaler.mean_, scaler.scale_) if scaler else None

    def _read_indicators(self, numbers: Sequence[str], indicated: Sequence[str]) -> None:
        self._indicated = [numbers.index(name) for name in indicated if name in numbers]
        self._indicators = slice(self._number_count, self._number_count + len(self._indicated))
        self._categories_from = self._number_count + len(indicated)
        self._missing = {name: self._number_count + place for place, name in enumerate(indicated)}

    def _read_encoders(self, categories: Sequence[tuple[Any, Sequence[str]]]) -> None:
        width = self._categories_from
        self._codes: list[tuple[str, int, int | None, dict[Any, int]]] = []
        for steps, names in categories:
            imputer, encoder = (step for _, step in steps.steps)
            for name, stand, values in zip(names, imputer.stands_, encoder.categories_, strict=True):
                codes = {value: width + place for place, value in enumerate(values)}
                self._codes.append((name, self._missing[name], codes.get(stand), codes))
                width += len(values)
        self._width = width

    def build(self, records: Sequence[Record]) -> Floats:
        """The matrix that the estimator sees, shape (records, width)."""
        records = Records.of(records)
        matrix = np.zeros((len(records), self._width))
        numbers = matrix[:, : self._number_count]
        numbers[:, : len(self._raw)] = records.table(self._raw)
        columns = records.columns(self._inputs, self._derived)
        for place, field in enumerate(self._derived, start=len(self._raw)):
            numbers[:, place] = columns[field.name]
        np.clip(numbers, self._lower, self._upper, out=numbers)
        missing = np.isnan(numbers)
        if missing.any():
            matrix[:, self._indicators] = missing[:, self._indicated]
            np.copyto(numbers, self._stands, where=missing)
        if self._scaling is not None:
            mean, scale = self._scaling
            numbers -= mean
            numbers /= scale
        self._encode(records, matrix)
        return matrix

    def _encode(self, records: Sequence[Record], matrix: Floats) -> None:
        for name, indicator, stand, codes in self._codes:
            for row, record in enumerate(records):
                value = record[name]
                column = codes.get(value)
                if value is None:
                    matrix[row, indicator] = 1.0
                    column = stand
                if column is not None:
                    matrix[row, column] = 1.0
