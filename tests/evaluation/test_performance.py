"""Metrics: small cases by hand, and intervals that hold the value."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score, roc_curve

from credit_scoring.evaluation import performance
from credit_scoring.evaluation.performance import METRICS, auc_difference, bootstrap, measure
from credit_scoring.model.card import Interval

DEFAULTED = np.array([True, True, False, False, False])
RISK = np.array([0.9, 0.4, 0.6, 0.2, 0.1])


def test_the_metrics_of_five_clients_are_those_found_by_hand() -> None:
    pairs_ranked_right = 5 / 6
    squares = (0.1**2 + 0.6**2 + 0.6**2 + 0.2**2 + 0.1**2) / 5
    assert measure(DEFAULTED, RISK, 0.5) == pytest.approx(
        {
            "auc": pairs_ranked_right,
            "ks": 2 / 3,
            "brier": squares,
            "calibration_error": (0.1 + 0.6 + 0.6 + 0.2 + 0.1) / 5,  # five bins of one client each
            "recall": 1 / 2,
            "precision": 1 / 2,
            "approval_rate": 3 / 5,
        }
    )


@given(st.data())
def test_auc_ks_and_brier_are_those_of_scikit_learn(data: st.DataObject) -> None:
    defaulted, exact = _portfolio(data.draw(st.integers(0, 100)), size=60)
    risk = exact.round(data.draw(st.integers(0, 8)))
    false_alarms, hits, _ = roc_curve(defaulted, risk, drop_intermediate=False)
    expected = {
        "auc": roc_auc_score(defaulted, risk),
        "ks": np.abs(hits - false_alarms).max(),
        "brier": brier_score_loss(defaulted, risk),
    }
    found = measure(defaulted, risk, 0.5)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)


def test_a_perfect_ranking_has_auc_and_ks_one() -> None:
    found = measure(DEFAULTED, DEFAULTED.astype(np.float64), 0.5)
    assert [found[name] for name in ("auc", "ks", "brier", "recall", "precision")] == [1, 1, 0, 1, 1]


def test_the_same_risk_for_all_ranks_nobody() -> None:
    found = measure(DEFAULTED, np.full(5, 0.4), 0.5)
    assert (found["auc"], found["ks"]) == (0.5, 0.0)


def test_a_risk_at_the_threshold_counts_as_denied() -> None:
    found = measure(DEFAULTED, RISK, 0.4)
    assert found["recall"] == 1
    assert found["approval_rate"] == pytest.approx(2 / 5)


def test_when_nobody_is_denied_precision_is_zero() -> None:
    found = measure(DEFAULTED, RISK, 0.99)
    assert (found["precision"], found["recall"], found["approval_rate"]) == (0.0, 0.0, 1.0)


@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=2, max_size=30).filter(
        lambda clients: len({defaulted for defaulted, _ in clients}) == 2
    ),
    st.floats(0, 1),
)
def test_every_metric_lies_between_zero_and_one(clients: list[tuple[bool, float]], threshold: float) -> None:
    defaulted, risk = zip(*clients, strict=True)
    found = measure(np.array(defaulted), np.array(risk), threshold)
    assert set(found) == set(METRICS)
    assert all(0 <= value <= 1 for value in found.values())


def _portfolio(seed: int, size: int = 300) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    risk = generator.uniform(size=size)
    return generator.uniform(size=size) < risk, risk


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 100), st.integers(1, 4))
def test_every_bootstrap_interval_holds_its_value(seed: int, decimals: int) -> None:
    """The calibration error's did not: a resample repeats clients, and its ties were ordered by outcome."""
    defaulted, exact = _portfolio(seed)
    risk = exact.round(decimals)
    found = bootstrap(defaulted, risk, 0.5, seed=seed, repeats=60)
    assert {name: interval.value for name, interval in found.items()} == measure(defaulted, risk, 0.5)
    assert all(0 <= each.low <= each.value <= each.high <= 1 for each in found.values())


@given(st.data())
def test_no_metric_depends_on_the_order_of_clients(data: st.DataObject) -> None:
    """Also not where many have the same risk, as a file that lists all defaulters first would have it."""
    defaulted, exact = _portfolio(data.draw(st.integers(0, 100)), size=60)
    risk = exact.round(data.draw(st.integers(0, 2)))
    order = np.array(data.draw(st.permutations(range(60))))
    for some in (order, np.argsort(~defaulted, kind="stable")):
        assert measure(defaulted[some], risk[some], 0.5) == pytest.approx(measure(defaulted, risk, 0.5), abs=1e-12)


def test_clients_with_the_same_risk_are_calibrated_if_as_many_default_as_it_says() -> None:
    defaulted = np.array([True] * 30 + [False] * 70)
    assert measure(defaulted, np.full(100, 0.3), 0.5)["calibration_error"] == pytest.approx(0, abs=1e-12)


def test_the_same_seed_gives_the_same_intervals_and_another_otherwise() -> None:
    defaulted, risk = _portfolio(0)
    first, again, other = (bootstrap(defaulted, risk, 0.5, seed=seed, repeats=40) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_more_clients_make_the_interval_narrower() -> None:
    small = bootstrap(*_portfolio(0, 100), 0.5, seed=0, repeats=60)["auc"]
    large = bootstrap(*_portfolio(0, 2500), 0.5, seed=0, repeats=60)["auc"]
    assert large.high - large.low < small.high - small.low


def test_resamples_keep_both_outcomes_even_when_one_is_rare() -> None:
    defaulted = np.array([True] + [False] * 60)
    found = bootstrap(defaulted, np.linspace(1, 0, 61), 0.5, seed=0, repeats=60)
    assert found["auc"].low == pytest.approx(1)
    assert found["recall"].low == 1


def test_an_interval_is_printed_with_three_decimals() -> None:
    assert str(Interval(value=0.85, low=0.8234, high=0.8766)) == "0.850 [0.823, 0.877]"


def test_the_difference_of_a_model_to_itself_is_nothing_without_doubt() -> None:
    defaulted, risk = _portfolio(1, size=200)
    assert auc_difference(defaulted, risk, risk, seed=0) == Interval(value=0, low=0, high=0)


@given(seed=st.integers(0, 1000))
@settings(max_examples=10)
def test_the_difference_in_auc_has_the_sign_of_who_ranks_better_and_lies_in_its_interval(seed: int) -> None:
    defaulted, risk = _portfolio(seed, size=200)
    worse = np.random.default_rng(seed).permutation(risk)
    found = auc_difference(defaulted, risk, worse, seed=seed, repeats=100)
    turned = auc_difference(defaulted, worse, risk, seed=seed, repeats=100)
    expected = roc_auc_score(defaulted, risk) - roc_auc_score(defaulted, worse)
    assert found.value == pytest.approx(expected)
    assert found.low <= found.value <= found.high
    assert [turned.value, turned.low, turned.high] == pytest.approx([-found.value, -found.high, -found.low])


def test_paired_the_interval_of_two_models_that_agree_is_narrower_than_that_of_either_alone() -> None:
    defaulted, risk = _portfolio(3, size=500)
    close = risk + np.random.default_rng(0).normal(0, 0.01, risk.size)
    paired = auc_difference(defaulted, risk, close, seed=0, repeats=200)
    alone = bootstrap(defaulted, risk, 0.5, seed=0, repeats=200)["auc"]
    assert paired.high - paired.low < (alone.high - alone.low) / 3


def test_with_many_clients_the_difference_in_auc_has_as_few_resamples_as_the_other_intervals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    defaulted, risk = _portfolio(5, size=100)
    other = np.random.default_rng(5).permutation(risk)
    few = auc_difference(defaulted, risk, other, seed=0, repeats=250)
    many = auc_difference(defaulted, risk, other, seed=0)
    monkeypatch.setattr(performance, "RESAMPLED_ROWS", 250 * len(risk))
    assert auc_difference(defaulted, risk, other, seed=0) == few != many
