"""Searches find what trying every value would find, in few questions that many of them share."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.application.arrays import Flags
from credit_scoring.explanation.levers import Path, Way
from credit_scoring.explanation.searches import (
    CHUNK,
    Approved,
    Budget,
    Evaluator,
    OutOfBudgetError,
    Record,
    run,
    search,
)

INCOME = Path.of(CATALOGUE.fields["monthly_income"], Way.BETTER, 1000.0)
TERM = Path.of(CATALOGUE.fields["term_months"], Way.EITHER, 48)
LETTER = Path.of(CATALOGUE.fields["credit_letter_value"], Way.LETTER, 24_000.0)
BASE = {"monthly_income": 1000.0, "term_months": 48, "credit_letter_value": 24_000.0}


class Policy:
    """Approves what a function does, and remembers how many it was asked at a time."""

    def __init__(self, passes: Approved) -> None:
        self._passes = passes
        self.asked: list[int] = []

    def __call__(self, records: Sequence[Record]) -> Flags:
        self.asked.append(len(records))
        return self._passes(records)


def approving(field: str, values: Sequence[float]) -> Policy:
    """Approves these values of a field."""
    return Policy(lambda records: np.array([record[field] in values for record in records]))


def evaluator(policy: Policy, budget: Budget = Budget()) -> Evaluator:  # noqa: B008 - frozen
    return Evaluator(policy, budget)


@given(st.integers(0, len(INCOME.values)))
def test_bisection_finds_the_first_value_that_passes(first: int) -> None:
    policy = approving("monthly_income", INCOME.values[first:])
    (found,) = run([search(BASE, INCOME)], evaluator(policy))
    assert found == next(iter(INCOME.values[first:]), None)
    assert sum(policy.asked) <= 1 + 3 * 16
    assert len(policy.asked) <= 4


@given(st.sets(st.sampled_from(TERM.values)))
def test_without_a_direction_the_nearest_value_that_passes_is_found(passing: set[int]) -> None:
    (found,) = run([search(BASE, TERM)], evaluator(approving("term_months", [*passing])))
    assert found == next((value for value in TERM.values if value in passing), None)


@given(st.sets(st.integers(0, 60)))
def test_of_a_letter_every_lower_value_passes_too(refused: set[int]) -> None:
    passing = [value for place, value in enumerate(LETTER.values) if place not in refused]
    (found,) = run([search(BASE, LETTER)], evaluator(approving("credit_letter_value", passing)))
    first = min(refused, default=len(LETTER.values))
    assert found == (LETTER.values[first - 1] if first else None)


def test_many_searches_share_their_questions() -> None:
    policy = approving("monthly_income", INCOME.values[100:])
    found = run([search({**BASE, "term_months": term}, INCOME) for term in range(10)], evaluator(policy))
    assert found == [INCOME.values[100]] * 10
    assert len(policy.asked) <= 4


def test_a_long_question_is_asked_in_parts() -> None:
    policy = approving("monthly_income", [])
    assert evaluator(policy).ask([BASE] * (2 * CHUNK + 1)) == [False] * (2 * CHUNK + 1)
    assert policy.asked == [CHUNK, CHUNK, 1]


def test_a_search_that_the_budget_cuts_off_finds_nothing_and_is_told_from_one_that_came_to_its_end() -> None:
    policy = approving("monthly_income", INCOME.values[100:])
    asking = evaluator(policy, Budget(evaluations=20))
    nowhere = Path.of(CATALOGUE.fields["outstanding_debt"], Way.BETTER, 0.0)
    assert run([search(BASE, INCOME), search(BASE, nowhere)], asking) == [None, None]
    assert asking.exhausted
    assert asking.evaluations == sum(policy.asked) <= 20


def test_seconds_are_a_budget_too_and_the_first_question_is_always_answered() -> None:
    seconds = iter([0.0, 5.0, 9.0, 10.0])
    asking = Evaluator(approving("monthly_income", [1000.0]), Budget(seconds=9.5), lambda: next(seconds))
    assert asking.ask([BASE]) == [True]
    assert asking.ask([BASE]) == [True]
    assert not asking.exhausted
    with pytest.raises(OutOfBudgetError):
        asking.ask([BASE])
    assert asking.exhausted
    assert Evaluator(approving("monthly_income", [1000.0]), Budget(seconds=0, evaluations=0)).ask([BASE]) == [True]
