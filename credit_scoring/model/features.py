"""From raw fields to the matrix that an estimator sees: derived fields, clipping, imputing, encoding."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from credit_scoring.application.arrays import Floats
from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.fields import DerivedField, RiskMoves, derive

LOWER_QUANTILE, UPPER_QUANTILE = 0.005, 0.995

Stand = Literal["low", "median", "high"]


def application_frame(records: Sequence[Mapping[str, Any]], catalogue: Catalogue, names: Sequence[str]) -> pd.DataFrame:
    """These fields of records as a frame: numbers and flags as float64 with NaN, categories as text with None."""
    dtypes = {name: np.float64 if catalogue.fields[name].is_numeric else object for name in names}
    return pd.DataFrame({name: np.array([each.get(name) for each in records], dtype=dtypes[name]) for name in names})


class DerivedFields(TransformerMixin, BaseEstimator):
    """Append every one of these derived fields whose inputs the training frame has."""

    def __init__(self, fields: Sequence[DerivedField] = ()) -> None:
        self.fields = fields

    def fit(self, frame: pd.DataFrame, y: Any = None) -> Self:
        """Learn which derived fields this frame allows."""
        self.feature_names_in_ = np.array(frame.columns, dtype=object)
        self.derived_ = [field for field in self.fields if set(field.inputs) <= set(frame.columns)]
        return self

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame's own columns followed by the derived ones."""
        check_is_fitted(self)
        frame = frame[list(self.feature_names_in_)]
        inputs = {name: frame[name].to_numpy() for field in self.derived_ for name in field.inputs}
        found = derive(self.derived_, inputs)
        return frame.assign(**{field.name: found[field.name] for field in self.derived_})


class OutlierClipper(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Clip each column to quantiles of its finite training values, and put a value where one is missing.

    `missing` says for each column which: the lower bound, the upper one or the median. Where it is empty, what is
    missing stays missing.
    """

    def __init__(
        self, lower: float = LOWER_QUANTILE, upper: float = UPPER_QUANTILE, missing: Sequence[Stand] = ()
    ) -> None:
        self.lower = lower
        self.upper = upper
        self.missing = missing

    def fit(self, matrix: Any, y: Any = None) -> Self:
        """Learn the bounds, one pair per column, and what stands for a missing value."""
        values = validate_data(self, matrix, dtype=np.float64, ensure_all_finite=False)
        finite = np.where(np.isfinite(values), values, np.nan)
        empty = np.isnan(finite).all(axis=0)
        finite[:, empty] = 0.0
        low, median, high = np.nanquantile(finite, [self.lower, 0.5, self.upper], axis=0)
        self.lower_bounds_, self.upper_bounds_ = low, high
        stands = {"low": low, "median": median, "high": high}
        chosen = [stands[stand][column] for column, stand in enumerate(self.missing)]
        self.stands_ = np.array(chosen) if chosen else np.full(values.shape[1], np.nan)
        return self

    def transform(self, matrix: Any) -> Floats:
        """Values inside the bounds learned in `fit`."""
        check_is_fitted(self)
        values = validate_data(self, matrix, dtype=np.float64, ensure_all_finite=False, reset=False)
        clipped = np.clip(values, self.lower_bounds_, self.upper_bounds_)
        filled: Floats = np.where(np.isnan(clipped), self.stands_, clipped)
        return filled

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class CategoryImputer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Put a value where a category is missing: the commonest of those whose rows default no less than all rows do."""

    def fit(self, frame: pd.DataFrame, y: Any = None) -> Self:
        """Learn the value of each column, None where training has no value of it; without `y` the commonest."""
        self.feature_names_in_ = np.array(frame.columns, dtype=object)
        self.n_features_in_ = len(frame.columns)
        defaulted = np.zeros(len(frame)) if y is None else np.asarray(y, dtype=np.float64)
        self.stands_ = [_commonest_of_the_worse(frame[name], defaulted) for name in frame]
        return self

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame without missing values, as far as training had any."""
        check_is_fitted(self)
        stands = dict(zip(self.feature_names_in_, self.stands_, strict=True))
        return frame.fillna({name: stand for name, stand in stands.items() if stand is not None})


def _commonest_of_the_worse(column: "pd.Series[Any]", defaulted: Floats) -> str | None:
    groups = pd.DataFrame({"value": column.to_numpy(), "defaulted": defaulted}).groupby("value", sort=True)["defaulted"]
    rates = groups.mean()
    worse = groups.size()[
        rates >= min(defaulted.mean(), rates.max())
    ]  # even where all are better than those without one
    return str(worse.idxmax()) if len(worse) else None


@dataclass(frozen=True)
class Columns:
    """The columns that a model is built on: how each is treated and which way it may move the risk.

    `numbers` are the raw ones, `categories` names the values of each category, `derived` are computed from raw numbers,
    `risk_moves` holds the direction of those raw columns that have one. A missing value counts as the worst one of a
    column that has a direction, unless it is among the `lenient`; else as the median or the commonest value, or worse.
    """

    numbers: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]
    derived: tuple[DerivedField, ...] = ()
    risk_moves: Mapping[str, RiskMoves] = dataclasses.field(default_factory=dict)
    lenient: frozenset[str] = frozenset()
    constrained: bool = True

    @classmethod
    def of(cls, catalogue: Catalogue, features: Sequence[str]) -> Self:
        """The columns of these features of an application, with every derived field that they allow."""
        fields = {name: catalogue.fields[name] for name in features}
        return cls(
            numbers=tuple(name for name, field in fields.items() if field.is_numeric),
            categories={name: field.categories for name, field in fields.items() if not field.is_numeric},
            derived=catalogue.derived_from(features),
            risk_moves={name: field.risk_moves for name, field in fields.items() if field.risk_moves},
            lenient=catalogue.lenient,
        )

    @property
    def raw(self) -> tuple[str, ...]:
        """The columns that a frame has to have."""
        return (*self.numbers, *self.categories)

    @property
    def all_numbers(self) -> tuple[str, ...]:
        """The raw numbers, then the derived ones."""
        return (*self.numbers, *(field.name for field in self.derived))

    @property
    def moves(self) -> dict[str, RiskMoves | None]:
        """The direction of every number, raw or derived."""
        derived = {field.name: field.risk_moves for field in self.derived}
        return {name: self.risk_moves.get(name) for name in self.numbers} | derived

    @property
    def stands(self) -> list[Stand]:
        """What stands for a missing value of each number."""
        worst: dict[RiskMoves | None, Stand] = {"up": "high", "down": "low", None: "median"}
        return ["median" if name in self.lenient else worst[way] for name, way in self.moves.items()]

    @property
    def indicated(self) -> list[str]:
        """The columns with an indicator that they are missing, which may raise the risk but not lower it."""
        medians = [name for name, stand in zip(self.all_numbers, self.stands, strict=True) if stand == "median"]
        return [*medians, *self.categories]

    @property
    def risk_directions(self) -> list[int]:
        """Monotone constraint of each output column: 1 where risk may only rise, -1 only fall, 0 free."""
        moves = [_DIRECTIONS[way] for way in self.moves.values()]
        one_hot = [0] * sum(len(values) for values in self.categories.values())
        return moves + [int(self.constrained)] * len(self.indicated) + one_hot

    def unconstrained(self) -> Self:
        """The same columns, free to move the risk either way."""
        free = tuple(replace(field, risk_moves=None) for field in self.derived)
        return replace(self, derived=free, risk_moves={}, constrained=False)


_DIRECTIONS: dict[RiskMoves | None, int] = {"up": 1, "down": -1, None: 0}


def preprocessor(columns: Columns, *, scale: bool) -> Pipeline:
    """Frame of features in, float matrix out: numbers, indicators of what is missing, one-hot columns.

    Nothing is missing in the matrix. What stands for a missing value keeps it from ever being better than the worst
    value, or than the median or commonest one, of its column: docs/adr/0014 has the measurements. Categories come from
    the catalogue, so the width is known before `fit`; an unseen one is all zeros.
    """
    clipper = OutlierClipper(missing=columns.stands)
    numbers = make_pipeline(clipper, StandardScaler()) if scale else clipper
    missing = FunctionTransformer(pd.isna, feature_names_out="one-to-one")
    transformers = [("numbers", numbers, list(columns.all_numbers)), ("missing", missing, columns.indicated)]
    if columns.categories:
        transformers.append(("categories", _encoder(columns.categories), list(columns.categories)))
    return Pipeline([("derived", DerivedFields(columns.derived)), ("columns", ColumnTransformer(transformers))])


def _encoder(categories: Mapping[str, Sequence[str]]) -> Pipeline:
    known = [list(values) for values in categories.values()]
    encoder = OneHotEncoder(categories=known, handle_unknown="ignore", sparse_output=False)
    return make_pipeline(CategoryImputer(), encoder)
