"""From raw fields to the matrix that an estimator sees: derived fields, clipping, imputing, encoding."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from credit_scoring.schemas import FEATURES, FIELDS, RiskMoves

Floats = npt.NDArray[np.float64]

LOWER_QUANTILE, UPPER_QUANTILE = 0.005, 0.995


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Quotient that stays monotone at a zero denominator: x/0 is infinite, 0/0 is zero."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        quotient = numerator / denominator
    return np.where((numerator == 0) & (denominator == 0), 0.0, quotient)


def _disposable_income(income: Floats, expenses: Floats, letter: Floats, term: Floats) -> Floats:
    with np.errstate(over="ignore"):
        return income - expenses - ratio(letter, term)


def _instalment_over_income(letter: Floats, term: Floats, income: Floats) -> Floats:
    return ratio(ratio(letter, term), income)


@dataclass(frozen=True)
class DerivedField:
    """A field computed from others, row by row; `compute` takes one float array per input."""

    name: str
    inputs: tuple[str, ...]
    compute: Callable[..., Floats]
    risk_moves: RiskMoves | None = None


DERIVED_FIELDS = (
    DerivedField("instalment", ("credit_letter_value", "term_months"), ratio),
    DerivedField(
        "instalment_over_income",
        ("credit_letter_value", "term_months", "monthly_income"),
        _instalment_over_income,
        "up",
    ),
    DerivedField(
        "disposable_income",
        ("monthly_income", "monthly_expenses", "credit_letter_value", "term_months"),
        _disposable_income,
        "down",
    ),
    DerivedField("letter_over_good_value", ("credit_letter_value", "good_value"), ratio, "up"),
    DerivedField("letter_over_income", ("credit_letter_value", "monthly_income"), ratio, "up"),
    DerivedField("debt_over_assets", ("outstanding_debt", "assets_value"), ratio, "up"),
    DerivedField("expenses_over_income", ("monthly_expenses", "monthly_income"), ratio, "up"),
)


def application_frame(records: Sequence[Mapping[str, Any]], names: Sequence[str] = FEATURES) -> pd.DataFrame:
    """Records of application fields as a frame: numbers and flags as float64 with NaN, categories as text with None."""
    return pd.DataFrame({name: _values(name, [record.get(name) for record in records]) for name in names})


def _values(name: str, values: list[Any]) -> npt.NDArray[Any]:
    dtype = object if FIELDS[name].kind in ("category", "text") else np.float64
    return np.array(values, dtype=dtype)


class DerivedFields(TransformerMixin, BaseEstimator):
    """Append every derived field whose inputs the training frame has."""

    def fit(self, frame: pd.DataFrame, y: Any = None) -> Self:
        """Learn which derived fields this frame allows."""
        self.feature_names_in_ = np.array(frame.columns, dtype=object)
        self.derived_ = [field for field in DERIVED_FIELDS if set(field.inputs) <= set(frame.columns)]
        return self

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame's own columns followed by the derived ones."""
        check_is_fitted(self)
        frame = frame[list(self.feature_names_in_)]
        return frame.assign(
            **{field.name: field.compute(*(frame[name].to_numpy() for name in field.inputs)) for field in self.derived_}
        )


class OutlierClipper(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Clip each column to quantiles of its finite training values; missing values stay missing."""

    def __init__(self, lower: float = LOWER_QUANTILE, upper: float = UPPER_QUANTILE) -> None:
        self.lower = lower
        self.upper = upper

    def fit(self, matrix: Any, y: Any = None) -> Self:
        """Learn the bounds, one pair per column."""
        values = validate_data(self, matrix, dtype=np.float64, ensure_all_finite=False)
        finite = np.where(np.isfinite(values), values, np.nan)
        empty = np.isnan(finite).all(axis=0)
        finite[:, empty] = 0.0
        self.lower_bounds_, self.upper_bounds_ = np.nanquantile(finite, [self.lower, self.upper], axis=0)
        return self

    def transform(self, matrix: Any) -> Floats:
        """Values inside the bounds learned in `fit`."""
        check_is_fitted(self)
        values = validate_data(self, matrix, dtype=np.float64, ensure_all_finite=False, reset=False)
        clipped: Floats = np.clip(values, self.lower_bounds_, self.upper_bounds_)
        return clipped

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


@dataclass(frozen=True)
class Columns:
    """The columns that a model is built on, by how they are treated."""

    numbers: tuple[str, ...]
    categories: tuple[str, ...]

    @classmethod
    def of(cls, features: Sequence[str]) -> Self:
        """Split features by kind and add the derived fields that they allow."""
        categories = tuple(name for name in features if FIELDS[name].kind == "category")
        numbers = tuple(name for name in features if name not in categories)
        derived = tuple(field.name for field in DERIVED_FIELDS if set(field.inputs) <= set(features))
        return cls(numbers + derived, categories)

    def risk_directions(self, with_indicators: bool) -> list[int]:
        """Monotone constraint of each output column: 1 where risk may only rise, -1 only fall, 0 free."""
        indicators = [0] * len(self.numbers) if with_indicators else []
        one_hot = [0] * sum(len(FIELDS[name].categories) for name in self.categories)
        return [_DIRECTIONS[_risk_moves(name)] for name in self.numbers] + indicators + one_hot


_DIRECTIONS: dict[RiskMoves | None, int] = {"up": 1, "down": -1, None: 0}
_DERIVED_BY_NAME = {field.name: field for field in DERIVED_FIELDS}


def _risk_moves(name: str) -> RiskMoves | None:
    derived = _DERIVED_BY_NAME.get(name)
    return derived.risk_moves if derived else FIELDS[name].column.risk_moves


def preprocessor(columns: Columns, *, impute: bool, scale: bool) -> Pipeline:
    """Frame of features in, float matrix out: numbers, then (when imputing) missing indicators, then one-hot columns.

    Categories come from the schema, so the width is known before `fit`; a missing or unseen one is all zeros.
    """
    numbers = list(columns.numbers)
    transformers: list[tuple[str, Any, list[str]]] = [("numbers", _number_steps(impute, scale), numbers)]
    if columns.categories:
        known = [list(FIELDS[name].categories) for name in columns.categories]
        encoder = OneHotEncoder(categories=known, handle_unknown="ignore", sparse_output=False)
        transformers.append(("categories", encoder, list(columns.categories)))
    return Pipeline([("derived", DerivedFields()), ("columns", ColumnTransformer(transformers))])


def _number_steps(impute: bool, scale: bool) -> Any:
    if not impute:
        return OutlierClipper()
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    values = make_pipeline(imputer, StandardScaler()) if scale else imputer
    return make_pipeline(
        OutlierClipper(), FeatureUnion([("values", values), ("missing", MissingIndicator(features="all"))])
    )
