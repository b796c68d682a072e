"""From raw fields to the matrix that an estimator sees: derived fields, clipping, imputing, encoding."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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

from credit_scoring.application.arrays import Floats
from credit_scoring.application.schemas import FEATURES, FIELDS, RiskMoves

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


def _savings_over_instalment(income: Floats, expenses: Floats, letter: Floats, term: Floats) -> Floats:
    return ratio(_difference(income, expenses), ratio(letter, term))


def _difference(minuend: Floats, subtrahend: Floats) -> Floats:
    with np.errstate(over="ignore"):
        return minuend - subtrahend


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
    DerivedField(
        "savings_over_instalment",
        ("monthly_income", "monthly_expenses", "credit_letter_value", "term_months"),
        _savings_over_instalment,
        "down",
    ),
    DerivedField("own_share", ("good_value", "credit_letter_value"), _difference, "down"),
    DerivedField("net_assets", ("assets_value", "outstanding_debt"), _difference, "down"),
    DerivedField("good_value_over_income", ("good_value", "monthly_income"), ratio, "up"),
    DerivedField("tenure_over_term", ("job_tenure_years", "term_months"), ratio, "down"),
)


def application_frame(records: Sequence[Mapping[str, Any]], names: Sequence[str] = FEATURES) -> pd.DataFrame:
    """Records of application fields as a frame: numbers and flags as float64 with NaN, categories as text with None."""
    return pd.DataFrame({name: _values(name, [record.get(name) for record in records]) for name in names})


def _values(name: str, values: list[Any]) -> npt.NDArray[Any]:
    dtype = object if FIELDS[name].kind in ("category", "text") else np.float64
    return np.array(values, dtype=dtype)


class DerivedFields(TransformerMixin, BaseEstimator):
    """Append every one of these derived fields whose inputs the training frame has."""

    def __init__(self, fields: Sequence[DerivedField] = DERIVED_FIELDS) -> None:
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
    """The columns that a model is built on: how each is treated and which way it may move the risk.

    `numbers` are the raw ones, `categories` names the values of each category, `derived` are computed from raw numbers,
    `risk_moves` holds the direction of those raw columns that have one.
    """

    numbers: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]
    derived: tuple[DerivedField, ...] = ()
    risk_moves: Mapping[str, RiskMoves] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, features: Sequence[str]) -> Self:
        """The columns of these features of an application, with every derived field that they allow."""
        categories = {name: FIELDS[name].categories for name in features if FIELDS[name].kind == "category"}
        moves = {name: FIELDS[name].column.risk_moves for name in features}
        return cls(
            numbers=tuple(name for name in features if name not in categories),
            categories=categories,
            derived=tuple(field for field in DERIVED_FIELDS if set(field.inputs) <= set(features)),
            risk_moves={name: direction for name, direction in moves.items() if direction},
        )

    @property
    def raw(self) -> tuple[str, ...]:
        """The columns that a frame has to have."""
        return (*self.numbers, *self.categories)

    @property
    def all_numbers(self) -> tuple[str, ...]:
        """The raw numbers, then the derived ones."""
        return (*self.numbers, *(field.name for field in self.derived))

    def risk_directions(self, with_indicators: bool) -> list[int]:
        """Monotone constraint of each output column: 1 where risk may only rise, -1 only fall, 0 free."""
        moves = [self.risk_moves.get(name) for name in self.numbers] + [field.risk_moves for field in self.derived]
        indicators = [0] * len(moves) if with_indicators else []
        one_hot = [0] * sum(len(values) for values in self.categories.values())
        return [_DIRECTIONS[move] for move in moves] + indicators + one_hot

    def unconstrained(self) -> Self:
        """The same columns, free to move the risk either way."""
        free = tuple(replace(field, risk_moves=None) for field in self.derived)
        return replace(self, derived=free, risk_moves={})


_DIRECTIONS: dict[RiskMoves | None, int] = {"up": 1, "down": -1, None: 0}


def preprocessor(columns: Columns, *, impute: bool, scale: bool) -> Pipeline:
    """Frame of features in, float matrix out: numbers, then (when imputing) missing indicators, then one-hot columns.

    Categories come from the schema, so the width is known before `fit`; a missing or unseen one is all zeros.
    """
    numbers = list(columns.all_numbers)
    transformers: list[tuple[str, Any, list[str]]] = [("numbers", _number_steps(impute, scale), numbers)]
    if columns.categories:
        known = [list(values) for values in columns.categories.values()]
        encoder = OneHotEncoder(categories=known, handle_unknown="ignore", sparse_output=False)
        transformers.append(("categories", encoder, list(columns.categories)))
    return Pipeline([("derived", DerivedFields(columns.derived)), ("columns", ColumnTransformer(transformers))])


def _number_steps(impute: bool, scale: bool) -> Any:
    if not impute:
        return OutlierClipper()
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    values = make_pipeline(imputer, StandardScaler()) if scale else imputer
    return make_pipeline(
        OutlierClipper(), FeatureUnion([("values", values), ("missing", MissingIndicator(features="all"))])
    )
