"""A field counts as directed only where no derived field can move the risk against it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from credit_scoring.application.catalogue import SHIPPED, Catalogue, shipped
from credit_scoring.application.expressions import Expression


def catalogue(expression: str, way: str = "down", derived_way: str = "down", **other: Any) -> Catalogue:
    """`a`, at least 0, with a direction; `b` of any sign or as told; `d` derived of them."""
    fields = {
        "a": {"title": "A", "kind": "number", "at_least": 0, "risk_moves": way},
        "b": {"title": "B", "kind": "number", **other},
    }
    derived = {"d": {"title": "D", "expression": expression, "risk_moves": derived_way}}
    return Catalogue.model_validate({"name": "own", "fields": fields, "derived": derived})


@pytest.mark.parametrize(
    ("expression", "derived_way", "other"),
    [
        ("a + b", "down", {}),
        ("b - a", "up", {}),
        ("-a", "up", {}),
        ("a * b", "down", {"at_least": 0}),
        ("a * -2", "up", {}),
        ("b / a", "up", {"above": 0}),
        ("a / b", "down", {"above": 0}),
        ("(a - b) / max(b, 1)", "down", {}),
        ("min(a, b)", "down", {}),
        ("a + 2 * a", "down", {}),
        ("b * 2", "up", {}),
    ],
)
def test_a_derived_field_that_moves_with_its_field_leaves_it_directed(
    expression: str, derived_way: str, other: dict[str, Any]
) -> None:
    assert catalogue(expression, "down", derived_way, **other).directed == {"a"}


@pytest.mark.parametrize(
    ("expression", "derived_way", "other"),
    [
        ("a + b", "up", {}),
        ("b - a", "down", {}),
        ("a * b", "down", {}),
        ("b / a", "up", {}),
        ("a / b", "down", {}),
        ("a / (b + 1)", "down", {"at_least": -1}),
        ("a - a * b", "down", {"at_least": 0}),
        ("a * a - a", "down", {}),
    ],
)
def test_one_that_contradicts_or_may_contradict_does_not(
    expression: str, derived_way: str, other: dict[str, Any]
) -> None:
    assert catalogue(expression, "down", derived_way, **other).directed == frozenset()


def test_a_derived_field_of_derived_fields_is_followed_to_its_fields() -> None:
    content = catalogue("b / a", "down", "up", above=0).model_dump()
    content["derived"]["e"] = {"title": "E", "expression": "1 / d", "risk_moves": "down"}
    assert Catalogue.model_validate(content).directed == {"a"}
    content["derived"]["e"]["risk_moves"] = "up"
    assert Catalogue.model_validate(content).directed == frozenset()


@pytest.mark.parametrize("name", SHIPPED)
def test_every_direction_of_a_shipped_catalogue_is_kept_by_its_derived_fields(name: str) -> None:
    found = shipped(name)
    assert found.directed == {each for each, field in found.fields.items() if field.risk_moves}


EXPRESSIONS = st.recursive(
    st.sampled_from(["a", "b", "2", "0.5"]),
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), inner)
    | st.builds("{}({}, {})".format, st.sampled_from(["min", "max"]), inner, inner)
    | st.builds("(-{})".format, inner),
    max_leaves=6,
)
VALUES = st.floats(0, 1e3) | st.sampled_from([0.0, 1.0])


@given(EXPRESSIONS, st.sampled_from(["up", "down"]), st.tuples(VALUES, VALUES), VALUES | st.floats(-1e3, 0))
def test_where_a_field_counts_as_directed_no_value_of_a_derived_field_contradicts(
    expression: str, derived_way: str, values: tuple[float, float], b: float
) -> None:
    assume("a" in expression.replace("max", ""))
    if catalogue(expression, "down", derived_way).directed:
        columns = {"a": np.array(sorted(values)), "b": np.array([b, b])}
        lower, higher = Expression(expression).evaluate(columns) + np.zeros(2)
        if not np.isnan([lower, higher]).any():
            assert higher >= lower if derived_way == "down" else higher <= lower
