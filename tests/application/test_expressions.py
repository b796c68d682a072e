"""Expressions of derived fields: what they compute, to the last bit, and what is no expression."""

import math
import pickle
import pickletools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.support.consorcio import CATALOGUE, FEATURES, FIELDS
from credit_scoring.application.arrays import Floats
from credit_scoring.application.expressions import MAX_DEPTH, MAX_LENGTH, Expression
from credit_scoring.application.fields import derive

amounts = st.floats(0, 1e150)
positive_amounts = st.floats(1e-150, 1e150)
anything = st.floats(0, 1e300) | st.just(math.nan)


def value(text: str, **names: float) -> float:
    columns = {name: np.array([each]) for name, each in names.items()}
    return float(Expression(text).evaluate(columns)[0])


def _ratio(numerator: float, denominator: float) -> float:
    return value("a / b", a=numerator, b=denominator)


class TestRatio:
    @given(amounts, amounts, positive_amounts)
    def test_it_rises_with_the_numerator(self, one: float, other: float, denominator: float) -> None:
        low, high = sorted((one, other))
        assert _ratio(low, denominator) <= _ratio(high, denominator)

    @given(positive_amounts, amounts, amounts)
    def test_it_falls_with_the_denominator_down_to_zero(self, numerator: float, one: float, other: float) -> None:
        low, high = sorted((one, other))
        assert _ratio(numerator, low) >= _ratio(numerator, high)

    @given(amounts, amounts)
    def test_at_a_zero_denominator_it_still_rises_with_the_numerator(self, one: float, other: float) -> None:
        low, high = sorted((one, other))
        assert _ratio(low, 0) <= _ratio(high, 0)

    @given(positive_amounts)
    def test_something_over_nothing_is_infinite(self, numerator: float) -> None:
        assert _ratio(numerator, 0) == math.inf

    def test_nothing_over_nothing_is_zero(self) -> None:
        assert _ratio(0, 0) == 0

    @given(anything)
    def test_minus_zero_divides_as_zero_does(self, numerator: float) -> None:
        np.testing.assert_equal(_ratio(numerator, -0.0), _ratio(numerator, 0.0))

    @given(st.one_of(st.just(math.nan), amounts))
    def test_a_missing_side_makes_it_missing(self, other: float) -> None:
        assert math.isnan(_ratio(math.nan, other))
        assert math.isnan(_ratio(other, math.nan))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b * 2", 13.0),
        ("(a + b) * 2", 16.0),
        ("-a - b", -8.0),
        ("a - b - 1", -3.0),
        ("b / a / 2", 5 / 6),
        ("min(a, b)", 3.0),
        ("max(a, b, 7)", 7.0),
        (" a\t*b ", 15.0),
        ("1e3 + a", 1003.0),
    ],
)
def test_an_expression_computes_what_a_pocket_calculator_does(text: str, expected: float) -> None:
    assert value(text, a=3, b=5) == expected


def test_the_names_are_told_once_each_in_their_order() -> None:
    assert Expression("b / (a + b) - max(c, a)").names == ("b", "a", "c")


def test_a_missing_value_makes_the_result_missing() -> None:
    for text in ("a + b", "a - b", "a * b", "a / b", "min(a, b)", "max(a, b)"):
        assert math.isnan(value(text, a=math.nan, b=1))


@given(st.lists(st.tuples(anything, anything), min_size=1, max_size=20))
def test_a_column_gives_what_its_rows_give_one_by_one(rows: list[tuple[float, float]]) -> None:
    expression = Expression("(a - b) / max(a, b) * 3")
    a, b = (np.array(column) for column in zip(*rows, strict=True))
    one_by_one = [expression.evaluate({"a": np.array([x]), "b": np.array([y])})[0] for x, y in rows]
    np.testing.assert_array_equal(expression.evaluate({"a": a, "b": b}), one_by_one)


def test_only_the_text_is_pickled() -> None:
    pickled = pickle.dumps(Expression("a / b"))
    found = {argument for _, argument, _ in pickletools.genops(pickled) if isinstance(argument, str)}
    assert found == {"credit_scoring.application.expressions", "Expression", "a / b"}
    assert pickle.loads(pickled) == Expression("a / b")  # noqa: S301 - our own


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("__import__('os')", "not allowed"),
        ("a if b else a", "not allowed"),
        ("a.b", "not allowed"),
        ("a[0]", "not allowed"),
        ("a ** b", "not allowed"),
        ("a // b", "not allowed"),
        ("a > b", "not allowed"),
        ("lambda: a", "not allowed"),
        ("True + a", "not allowed"),
        ("'a'", "not allowed"),
        ("sum(a, b)", "not allowed"),
        ("min(a)", "not allowed"),
        ("min(a, b, key=a)", "not allowed"),
        ("min(*a)", "not allowed"),
        ("a b", "cannot be read"),
        ("", "cannot be read"),
        ("a; b", "cannot be read"),
        ("a = b", "cannot be read"),
        ("(" * 300, "cannot be read"),
        ("1 + 2", "names no field"),
        ("a" * (MAX_LENGTH + 1), "characters long"),
        ("-" * (MAX_DEPTH + 2) + "a", "deep"),
        ("a\x00b", "cannot be read"),
    ],
)
def test_what_is_no_expression_is_refused_with_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Expression(text)


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    with np.errstate(all="ignore"):
        return np.where((numerator == 0) & (denominator == 0), 0.0, numerator / denominator)


def by_hand(c: dict[str, Floats]) -> dict[str, Floats]:
    """The derived fields of a consórcio as they were functions, before they were text."""
    instalment = ratio(c["credit_letter_value"], c["term_months"])
    savings = c["monthly_income"] - c["monthly_expenses"]
    return {
        "instalment": instalment,
        "instalment_over_income": ratio(instalment, c["monthly_income"]),
        "disposable_income": savings - instalment,
        "letter_over_good_value": ratio(c["credit_letter_value"], c["good_value"]),
        "letter_over_income": ratio(c["credit_letter_value"], c["monthly_income"]),
        "debt_over_assets": ratio(c["outstanding_debt"], c["assets_value"]),
        "expenses_over_income": ratio(c["monthly_expenses"], c["monthly_income"]),
        "savings_over_instalment": ratio(savings, instalment),
        "own_share": c["good_value"] - c["credit_letter_value"],
        "net_assets": c["assets_value"] - c["outstanding_debt"],
        "good_value_over_income": ratio(c["good_value"], c["monthly_income"]),
        "tenure_over_term": ratio(c["job_tenure_years"], c["term_months"]),
    }


NUMBERS = [name for name in FEATURES if FIELDS[name].is_number]


@given(st.lists(st.tuples(*[anything] * len(NUMBERS)), min_size=1, max_size=5))
def test_the_shipped_derived_fields_are_to_the_last_bit_what_functions_gave(rows: list[tuple[float, ...]]) -> None:
    columns = dict(zip(NUMBERS, np.array(rows).T, strict=True))
    found = derive(CATALOGUE.derived_from(FEATURES), columns)
    with np.errstate(all="ignore"):
        expected = by_hand(columns)
    assert set(found) == {*columns, *expected}
    for name, values in expected.items():
        assert found[name].tobytes() == values.tobytes() or np.array_equal(found[name], values, equal_nan=True)
