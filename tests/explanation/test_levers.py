"""The values that a lever takes: sensible ones, within bounds, the smallest change first."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.support.consorcio import CATALOGUE, EXAMPLE_APPLICATION
from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.fields import Lever
from credit_scoring.errors import RequestError
from credit_scoring.explanation.levers import Path, Way, chosen, grid, paths

LETTER, TERM = CATALOGUE.fields["credit_letter_value"], CATALOGUE.fields["term_months"]
INCOME, DEBT = CATALOGUE.fields["monthly_income"], CATALOGUE.fields["outstanding_debt"]


def levers() -> st.SearchStrategy[Lever]:
    """Levers of money and of whole numbers."""
    whole = st.integers(0, 10**7)
    steps = st.sampled_from([0.01, 0.5, 1, 7, 100, 250])
    return st.builds(
        lambda low, width, step: Lever(at_least=low, at_most=low + width, step=step),
        whole,
        st.integers(1, 10**8),
        steps,
    )


@given(levers())
def test_a_grid_ascends_from_bound_to_bound_in_multiples_of_the_step(lever: Lever) -> None:
    values = grid(lever, False)
    assert (values[0], values[-1]) == (lever.at_least, lever.at_most)
    assert list(values) == sorted({*values})
    assert all(Decimal(str(value)) % Decimal(str(lever.step)) == 0 for value in values[1:-1])


@given(levers())
def test_neighbours_on_a_grid_are_one_step_or_less_than_three_per_cent_apart(lever: Lever) -> None:
    values = grid(lever, False)
    for lower, higher in pairwise(values):
        assert higher - lower <= max(lever.step, 0.03 * higher) + 1e-9


def test_the_grid_of_a_letter_is_in_hundreds_then_coarser() -> None:
    values = grid(Lever(at_least=1000, at_most=1_000_000, step=100), False)
    assert values[:3] == (1000.0, 1100.0, 1200.0)
    assert [value for value in values if 9_900 <= value <= 10_400] == [9_900.0, 10_000.0, 10_200.0, 10_400.0]
    assert values[-3:] == (980_000.0, 990_000.0, 1_000_000.0)


def test_whole_numbers_stay_whole() -> None:
    assert {type(value) for value in grid(Lever(at_least=6, at_most=240, step=1), True)} == {int}


def test_an_income_is_raised_and_debts_are_lowered_the_smallest_change_first() -> None:
    assert Path.of(INCOME, Way.BETTER, 3620.0).values[:2] == (3700.0, 3800.0)
    assert Path.of(DEBT, Way.BETTER, 350.5).values == (300.0, 200.0, 100.0, 0.0)
    assert Path.of(DEBT, Way.BETTER, 0.0).values == ()


def test_a_missing_value_is_told_from_the_worst_on() -> None:
    assert Path.of(INCOME, Way.BETTER, None).values[:2] == (0.0, 100.0)
    assert Path.of(DEBT, Way.BETTER, None).values[:2] == (1_000_000.0, 990_000.0)
    assert Path.of(TERM, Way.EITHER, None).values[:2] == (6, 7)


def test_without_a_direction_the_nearest_values_come_first() -> None:
    assert Path.of(TERM, Way.EITHER, 48).values[:4] == (47, 49, 46, 50)


def test_the_letter_begins_at_its_lowest_value_and_passes_the_one_asked_for() -> None:
    values = Path.of(LETTER, Way.LETTER, 1234.56).values
    assert values[:4] == (1000.0, 1100.0, 1200.0, 1234.56)


@given(st.integers(1, 60), st.none() | st.integers(1, 420))
def test_a_thinned_lever_keeps_its_order_and_its_last_value(most: int, before: int | None) -> None:
    path = Path.of(TERM, Way.EITHER, before)
    thinned = path.thinned(most).values
    assert len(thinned) == most
    assert thinned[-1] == path.values[-1]
    assert [value for value in path.values if value in thinned] == [*thinned]


def test_an_effort_is_the_share_of_the_larger_value_or_of_the_grid_where_a_value_is_missing() -> None:
    assert Path.of(INCOME, Way.BETTER, 4000.0).effort(5000.0) == 0.2
    assert Path.of(DEBT, Way.BETTER, 5000.0).effort(4000.0) == 0.2
    missing = Path.of(TERM, Way.EITHER, None)
    assert missing.effort(240) == 1
    assert 0 < missing.effort(6) < 0.01


def test_a_lever_is_moved_by_its_direction_unless_a_rule_depends_on_it_in_another() -> None:
    found = paths(EXAMPLE_APPLICATION, CATALOGUE, ["credit_letter_value", "term_months", "monthly_income"], ())
    assert [path.way for path in found] == [Way.LETTER, Way.EITHER, Way.BETTER]
    (income,) = paths(EXAMPLE_APPLICATION, CATALOGUE, ["monthly_income"], ["monthly_income"])
    assert income.way is Way.EITHER


def test_levers_come_in_the_order_of_the_catalogue() -> None:
    assert chosen(CATALOGUE, None) == [*CATALOGUE.levers]
    assert chosen(CATALOGUE, ["monthly_income", "term_months"]) == ["term_months", "monthly_income"]


LISTED = "credit_letter_value, good_value, term_months, monthly_income, outstanding_debt"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["age"], f"levers: 'age' is no lever; expected some of {LISTED}."),
        (["term_month"], "levers: 'term_month' is no lever; did you mean term_months?"),
        (["term_months", "x" * 99], f"levers: '{'x' * 40}' is no lever; expected some of {LISTED}."),
        ([], f"levers: none is named; expected some of {LISTED}, or leave levers out."),
    ],
)
def test_what_is_no_lever_is_named_with_those_that_are(names: list[str], said: str) -> None:
    with pytest.raises(RequestError) as caught:
        chosen(CATALOGUE, names)
    assert (str(caught.value), caught.value.status) == (said, 400)


def test_a_catalogue_without_levers_is_named() -> None:
    least = Catalogue.model_validate({"name": "own", "fields": {"a": {"title": "A", "kind": "number"}}})
    with pytest.raises(RequestError, match="The field catalogue own of this model has no levers"):
        chosen(least, None)
