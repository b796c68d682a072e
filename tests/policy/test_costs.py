"""Thresholds: what they decide, what they cost, and how they are named."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from credit_scoring.errors import ConfigurationError
from credit_scoring.policy.costs import THRESHOLDS, CostMatrix, Limits, choose_threshold
from credit_scoring.policy.policy import Policy

shares = st.floats(0.001, 1)
thresholds = st.floats(0, 1, exclude_min=True, exclude_max=True)
portfolios = st.lists(
    st.tuples(st.booleans(), st.floats(0, 1), st.integers(1, 10**6).map(float)), min_size=1, max_size=20
)


def _arrays(
    portfolio: list[tuple[bool, float, float]],
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    defaulted, risk, letter_value = zip(*portfolio, strict=True)
    return np.array(defaulted, dtype=np.bool_), np.array(risk), np.array(letter_value)


def _cost_by_hand(portfolio: list[tuple[bool, float, float]], threshold: float, costs: CostMatrix) -> float:
    lost = sum(value for defaulted, risk, value in portfolio if defaulted and risk < threshold)
    missed = sum(value for defaulted, risk, value in portfolio if not defaulted and risk >= threshold)
    return lost * costs.loss_given_default + missed * costs.margin


class TestPolicy:
    @given(thresholds, shares, shares, thresholds, shares, shares)
    def test_the_version_changes_with_the_content_and_only_then(
        self, threshold: float, loss: float, margin: float, other_threshold: float, other_loss: float, other: float
    ) -> None:
        policy = Policy(threshold=threshold, costs=CostMatrix(loss_given_default=loss, margin=margin))
        same = Policy(threshold=threshold, costs=CostMatrix(loss_given_default=loss, margin=margin))
        assert policy.version == same.version
        assume((threshold, loss, margin) != (other_threshold, other_loss, other))
        differing = Policy(threshold=other_threshold, costs=CostMatrix(loss_given_default=other_loss, margin=other))
        assert policy.version != differing.version

    @given(thresholds, shares, shares)
    def test_a_saved_policy_is_read_back_with_the_same_version(
        self, threshold: float, loss: float, margin: float
    ) -> None:
        policy = Policy(threshold=threshold, costs=CostMatrix(loss_given_default=loss, margin=margin))
        assert Policy.model_validate_json(policy.model_dump_json()) == policy
        assert policy.version in policy.model_dump_json()

    @pytest.mark.parametrize("threshold", [0, 1, -0.1, 1.1, float("nan")])
    def test_a_threshold_lies_strictly_between_zero_and_one(self, threshold: float) -> None:
        with pytest.raises(ValidationError):
            Policy(threshold=threshold, costs=CostMatrix())


class TestCostMatrix:
    def test_the_break_even_of_the_default_costs_is_20_over_65(self) -> None:
        assert CostMatrix().break_even == pytest.approx(0.20 / 0.65)

    @given(shares, shares, st.floats(1, 1e6))
    def test_at_the_break_even_probability_both_answers_cost_the_same(
        self, loss: float, margin: float, value: float
    ) -> None:
        costs = CostMatrix(loss_given_default=loss, margin=margin)
        probability = costs.break_even
        assert probability * loss * value == pytest.approx((1 - probability) * margin * value)

    def test_only_the_two_wrong_answers_cost_something(self) -> None:
        costs = CostMatrix(loss_given_default=0.5, margin=0.1)
        defaulted = np.array([True, True, False, False])
        denied = np.array([True, False, True, False])
        assert costs.cost(defaulted, denied, np.array([1.0, 10.0, 100.0, 1000.0])) == pytest.approx(
            0.5 * 10 + 0.1 * 100
        )

    @given(portfolios, st.sampled_from(THRESHOLDS.tolist()), shares, shares)
    def test_the_cost_is_the_sum_over_the_clients(
        self, portfolio: list[tuple[bool, float, float]], threshold: float, loss: float, margin: float
    ) -> None:
        costs = CostMatrix(loss_given_default=loss, margin=margin)
        defaulted, risk, value = _arrays(portfolio)
        found = costs.cost(defaulted, risk >= threshold, value)
        assert found == pytest.approx(_cost_by_hand(portfolio, threshold, costs))

    @pytest.mark.parametrize("share", [0, -0.1, 1.1])
    def test_a_cost_is_a_positive_share_of_the_letter(self, share: float) -> None:
        with pytest.raises(ValidationError):
            CostMatrix(loss_given_default=share)
        with pytest.raises(ValidationError):
            CostMatrix(margin=share)


class TestChooseThreshold:
    @given(portfolios, shares, shares)
    def test_no_threshold_in_whole_per_cent_would_have_cost_less(
        self, portfolio: list[tuple[bool, float, float]], loss: float, margin: float
    ) -> None:
        costs = CostMatrix(loss_given_default=loss, margin=margin)
        chosen = choose_threshold(*_arrays(portfolio), costs)
        least = min(_cost_by_hand(portfolio, percent / 100, costs) for percent in range(1, 100))
        assert _cost_by_hand(portfolio, chosen, costs) == pytest.approx(least)

    @given(portfolios)
    def test_the_threshold_is_a_whole_per_cent(self, portfolio: list[tuple[bool, float, float]]) -> None:
        chosen = choose_threshold(*_arrays(portfolio), CostMatrix())
        assert chosen in {percent / 100 for percent in range(1, 100)}

    def test_where_nothing_tells_the_thresholds_apart_the_break_even_is_kept(self) -> None:
        chosen = choose_threshold(np.array([False, True]), np.array([0.0, 1.0]), np.array([1.0, 1.0]), CostMatrix())
        assert chosen == 0.31

    @given(portfolios, st.floats(0, 1), st.floats(0, 1))
    def test_a_threshold_keeps_to_its_limits_or_there_is_none(
        self, portfolio: list[tuple[bool, float, float]], recall: float, approval_rate: float
    ) -> None:
        defaulted, risk, value = _arrays(portfolio)
        limits = Limits(min_recall=recall, max_approval_rate=approval_rate)
        kept = [each for each in THRESHOLDS if limits.hold(defaulted, risk >= each)]
        if not kept:
            with pytest.raises(ConfigurationError, match="No threshold keeps to"):
                choose_threshold(defaulted, risk, value, CostMatrix(), limits)
            return
        chosen = choose_threshold(defaulted, risk, value, CostMatrix(), limits)
        least = min(_cost_by_hand(portfolio, each, CostMatrix()) for each in kept)
        assert chosen in kept
        assert _cost_by_hand(portfolio, chosen, CostMatrix()) == pytest.approx(least)

    def test_limits_are_part_of_the_policy_s_version_and_no_limits_are_not(self) -> None:
        free = Policy(threshold=0.3, costs=CostMatrix())
        assert Policy(threshold=0.3, costs=CostMatrix(), limits=Limits(min_recall=0.8)).version != free.version
        assert Policy(threshold=0.3, costs=CostMatrix(), limits=Limits()).version == free.version

    def test_a_dearer_default_lowers_the_threshold(self) -> None:
        generator = np.random.default_rng(0)
        risk = generator.uniform(size=2000)
        defaulted, value = generator.uniform(size=2000) < risk, np.ones(2000)
        strict = choose_threshold(defaulted, risk, value, CostMatrix(loss_given_default=0.9, margin=0.1))
        lax = choose_threshold(defaulted, risk, value, CostMatrix(loss_given_default=0.1, margin=0.9))
        assert strict < 0.3
        assert lax > 0.7
