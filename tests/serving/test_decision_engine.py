"""The desk that turns applications into decisions."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.support.consorcio import EXAMPLE_APPLICATION, ConsorcioApplication
from credit_scoring.application.schemas import Answer, Application
from credit_scoring.model.scorer import Scorer
from credit_scoring.serving.decision_engine import DecisionDesk

TAG = "credit_scoring:test"


@pytest.fixture(scope="session")
def desk(scorer: Scorer) -> DecisionDesk:
    return DecisionDesk(scorer, TAG)


def with_income(monthly_income: float | None) -> Application:
    return ConsorcioApplication.model_validate({**EXAMPLE_APPLICATION, "monthly_income": monthly_income})


def risks(desk: DecisionDesk, applications: Sequence[Application]) -> list[float]:
    return [decision.risk_probability for decision in desk.decide(applications)]


def test_no_applications_give_no_decisions(desk: DecisionDesk) -> None:
    assert desk.decide([]) == []


def test_a_decision_names_the_model_and_the_policy_that_made_it(desk: DecisionDesk) -> None:
    (decision,) = desk.decide([with_income(3600.0)])
    assert decision.model == TAG
    assert decision.policy_version == desk.scorer.policy.version
    assert decision.threshold == desk.scorer.policy.threshold


def test_each_decision_of_a_batch_has_its_own_id(desk: DecisionDesk) -> None:
    decisions = desk.decide([with_income(3600.0)] * 50)
    assert len({decision.decision_id for decision in decisions}) == 50


@settings(max_examples=25, deadline=None)
@given(incomes=st.lists(st.none() | st.floats(0, 1e6), min_size=1, max_size=8))
def test_denied_means_that_the_risk_reaches_the_threshold(desk: DecisionDesk, incomes: list[float | None]) -> None:
    for decision in desk.decide([with_income(income) for income in incomes]):
        reached = decision.risk_probability >= decision.threshold
        assert decision.decision is (Answer.DENIED if reached else Answer.APPROVED)
        assert 0 <= decision.risk_probability <= 1


@settings(max_examples=25, deadline=None)
@given(incomes=st.lists(st.none() | st.floats(0, 1e6), min_size=1, max_size=8))
def test_a_risk_does_not_depend_on_the_company_in_the_batch(desk: DecisionDesk, incomes: list[float | None]) -> None:
    applications = [with_income(income) for income in incomes]
    together = risks(desk, applications)
    assert together == [risks(desk, [application])[0] for application in applications]
    assert together == risks(desk, applications[::-1])[::-1]


def test_age_and_marital_status_do_not_move_the_risk(desk: DecisionDesk) -> None:
    changes: list[dict[str, Any]] = [
        {"age": 18},
        {"age": 120},
        {"marital_status": None},
        {"marital_status": "DIVORCED"},
    ]
    applications = [ConsorcioApplication.model_validate({**EXAMPLE_APPLICATION, **change}) for change in changes]
    assert set(risks(desk, applications)) == set(risks(desk, [with_income(3600.0)]))
