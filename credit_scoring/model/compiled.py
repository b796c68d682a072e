"""The compiled form of a fitted pipeline: the same scores without pandas and ColumnTransformer.

Everything is read off the fitted pipeline, which stays the source of truth; docs/adr/0004 has the measurements.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from credit_scoring.application.arrays import Floats
from credit_scoring.application.records import getter
from credit_scoring.model.calibration import CalibratedClassifier
from credit_scoring.model.estimators import LogOddsEnsemble, weighted_mean
from credit_scoring.model.features import OutlierClipper

Record = Mapping[str, Any]
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
        return self._calibrate(weighted_mean([member.log_odds(records) for member in self._members], self._weights))


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
        (_, number_steps, numbers), *encoders = columns.transformers_[: len(columns.transformers)]
        raw = [name for name in numbers if name in derived.feature_names_in_]
        self._raw_values = getter(raw)
        self._derived = [(field.compute, [raw.index(name) for name in field.inputs]) for field in derived.derived_]
        self._raw_count, self._number_count = len(raw), len(numbers)
        self._read_number_steps(number_steps)
        self._read_encoders(encoders)

    def _read_number_steps(self, number_steps: Any) -> None:
        clipper, imputer, scaler = _number_parts(number_steps)
        self._lower, self._upper = clipper.lower_bounds_, clipper.upper_bounds_
        self._fill: Floats | None = imputer.statistics_ if imputer else None
        self._scaling: tuple[Floats, Floats] | None = (scaler.mean_, scaler.scale_) if scaler else None

    def _read_encoders(self, encoders: Sequence[Any]) -> None:
        width = self._number_count * (1 if self._fill is None else 2)
        self._codes: list[tuple[str, dict[Any, int]]] = []
        for _, encoder, names in encoders:
            for name, categories in zip(names, encoder.categories_, strict=True):
                self._codes.append((name, {category: width + i for i, category in enumerate(categories)}))
                width += len(categories)
        self._width = width

    def build(self, records: Sequence[Record]) -> Floats:
        """The matrix that the estimator sees, shape (records, width)."""
        matrix = np.zeros((len(records), self._width))
        numbers = matrix[:, : self._number_count]
        numbers[:, : self._raw_count] = [self._raw_values(record) for record in records]
        for place, (compute, inputs) in enumerate(self._derived, start=self._raw_count):
            numbers[:, place] = compute(*(numbers[:, each] for each in inputs))
        np.clip(numbers, self._lower, self._upper, out=numbers)
        if self._fill is not None:
            missing = np.isnan(numbers)
            matrix[:, self._number_count : 2 * self._number_count] = missing
            np.copyto(numbers, self._fill, where=missing)
        if self._scaling is not None:
            mean, scale = self._scaling
            numbers -= mean
            numbers /= scale
        self._encode(records, matrix)
        return matrix

    def _encode(self, records: Sequence[Record], matrix: Floats) -> None:
        for name, codes in self._codes:
            for row, record in enumerate(records):
                column = codes.get(record[name])
                if column is not None:
                    matrix[row, column] = 1.0


def _number_parts(steps: Any) -> tuple[OutlierClipper, Any, Any]:
    """Clipper, imputer and scaler of the numeric columns; the last two may be None."""
    if isinstance(steps, OutlierClipper):
        return steps, None, None
    clipper, union = (step for _, step in steps.steps)
    values = dict(union.transformer_list)["values"]
    if isinstance(values, Pipeline):
        imputer, scaler = (step for _, step in values.steps)
        return clipper, imputer, scaler
    return clipper, values, None
