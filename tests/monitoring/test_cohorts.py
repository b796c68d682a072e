"""Cohorts: realised where outcomes are known, else estimated."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from credit_scoring.evaluation.approved import weighted_auc
from credit_scoring.monitoring.cohorts import Cohort, Decided, cohorts, latest_complete, reporting_delays

TODAY = date(2026, 11, 24)
YEAR = timedelta(days=365)
EPOCH = date(1970, 1, 1)


def decided(
    size: int,
    start: date,
    days: int,
    *,
    seed: int = 0,
    flipped: bool = False,
    bad_delay: tuple[int, int] = (30, 300),
    good_delay: tuple[int, int] = (200, 360),
    today: date = TODAY,
) -> Decided:
    """Decisions on so many days whose risk is true; an approved client's outcome is known once its delay is over."""
    generator = np.random.default_rng(seed)
    risk = generator.beta(1.2, 3, size)
    defaulted = (generator.random(size) < risk) ^ flipped
    when = (start - EPOCH).days + generator.integers(0, days, size)
    delay = np.where(defaulted, generator.integers(*bad_delay, size), generator.integers(*good_delay, size))
    denied = risk >= 0.35
    known = ~denied & (when + delay <= (today - EPOCH).days)
    return Decided(when, risk, denied, defaulted & known, np.where(known, delay, -1))


def joined(*parts: Decided) -> Decided:
    fields = ("days", "risk", "denied", "defaulted", "delays")
    return Decided(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))


def found(part: Decided, maturity: timedelta = YEAR) -> list[Cohort]:
    return list(cohorts("credit_scoring:a", part, TODAY, maturity))


def test_a_cohort_is_a_month_and_the_oldest_comes_first() -> None:
    starts = [each.start for each in found(decided(5000, date(2025, 1, 1), 90))]
    assert starts == [date(2025, 1, 1), date(2025, 2, 1), date(2025, 3, 1)]


def test_a_cohort_is_complete_once_its_last_decision_is_old_enough() -> None:
    older, younger = found(decided(5000, date(2025, 10, 20), 40))
    assert (older.start, older.complete) == (date(2025, 10, 1), True)
    assert (younger.start, younger.complete) == (date(2025, 11, 1), False)


def test_a_true_risk_has_a_calibration_ratio_of_one_and_the_auc_that_scikit_learn_gives_of_approved_clients() -> None:
    part = decided(20_000, date(2025, 6, 1), 30)
    approved = ~part.denied
    (cohort,) = found(part)
    assert cohort.complete
    assert cohort.coverage == 1
    assert cohort.known == approved.sum()
    assert cohort.calibration_ratio is not None
    assert cohort.calibration_ratio.low < 1 < cohort.calibration_ratio.high
    assert cohort.auc is not None
    assert cohort.auc.value == pytest.approx(roc_auc_score(part.defaulted[approved], part.risk[approved]))


def test_recall_of_a_true_risk_is_what_it_would_be_if_every_outcome_were_known() -> None:
    part = decided(20_000, date(2025, 6, 1), 30)
    (cohort,) = found(part)
    assert cohort.recall is not None
    true_recall = part.risk[part.denied].sum() / part.risk.sum()
    assert cohort.recall.low < true_recall < cohort.recall.high
    assert cohort.estimated_recall == pytest.approx(cohort.recall.value)


def test_a_denied_client_is_as_risky_as_its_risk_says_however_long_nothing_is_heard_of_it() -> None:
    """Of approved clients all bad news is known, so that silence means that they pay; denied ones are always silent."""
    past = decided(4_000, date(2025, 6, 1), 30, bad_delay=(1, 10), good_delay=(300, 360))
    part = decided(4_000, date(2026, 10, 1), 30, seed=1, bad_delay=(1, 10), good_delay=(300, 360))
    *_, cohort = found(joined(past, part))
    expected = part.risk[part.denied].sum()
    assert cohort.estimated_recall == pytest.approx(expected / (expected + part.defaulted.sum()))


def test_where_nobody_was_approved_no_outcome_is_missing() -> None:
    part = decided(500, date(2025, 6, 1), 30)
    (cohort,) = found(part.only(part.denied))
    assert cohort.coverage is None
    assert cohort.default_rate is cohort.auc is cohort.recall is cohort.calibration_ratio is None


def test_flipped_outcomes_are_seen_though_no_risk_has_moved() -> None:
    (before,), (after,) = (found(decided(20_000, date(2025, 6, 1), 30, flipped=flipped)) for flipped in (False, True))
    assert before.auc is not None
    assert after.auc is not None
    assert after.auc.high < 0.5 < before.auc.low
    assert after.calibration_ratio is not None
    assert after.calibration_ratio.low > 1.2


def test_of_an_open_cohort_the_default_rate_is_estimated_without_the_bias_of_what_is_known_first() -> None:
    """Bad news comes first here, so that the known outcomes look far worse than all will be."""
    part = joined(decided(40_000, date(2024, 6, 1), 365), decided(20_000, date(2026, 4, 1), 30, seed=1))
    *_, cohort = found(part)
    assert not cohort.complete
    assert cohort.coverage is not None
    assert 0.1 < cohort.coverage < 0.9
    assert cohort.default_rate is not None
    true_rate = 1.2 / 4.2
    assert cohort.default_rate.value > 1.4 * true_rate
    assert cohort.estimated_default_rate == pytest.approx(true_rate, rel=0.04)


def test_without_any_complete_cohort_the_risk_itself_is_the_estimate() -> None:
    part = decided(5_000, date(2026, 11, 1), 20)
    (cohort,) = found(part)
    assert cohort.known == 0
    assert cohort.default_rate is cohort.auc is cohort.recall is cohort.calibration_ratio is None
    assert cohort.estimated_default_rate == pytest.approx(part.risk.mean())


def test_few_outcomes_say_nothing_of_ranking_or_calibration() -> None:
    (cohort,) = found(decided(30, date(2025, 6, 1), 30))
    assert cohort.default_rate is not None
    assert cohort.auc is None
    assert cohort.calibration_ratio is None


def test_the_latest_complete_cohort_is_the_newest_whose_outcomes_are_due() -> None:
    part = joined(decided(5_000, date(2025, 6, 1), 60), decided(5_000, date(2026, 9, 1), 60))
    assert latest_complete(found(part))["credit_scoring:a"].start == date(2025, 7, 1)


def test_delays_are_learned_from_complete_decisions_only() -> None:
    part = joined(decided(2_000, date(2025, 6, 1), 30), decided(2_000, date(2026, 10, 1), 30))
    delays = reporting_delays(part, (TODAY - YEAR - EPOCH).days)
    assert delays.known_share(delays.defaults, np.array([0, 400])).tolist() == [0, 1]
    assert len(delays.defaults) + len(delays.payments) == (~part.denied[:2_000]).sum()


@given(
    risk=st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.9]), min_size=4, max_size=40),
    data=st.data(),
)
def test_the_weighted_auc_of_certain_outcomes_is_the_usual_one(risk: list[float], data: st.DataObject) -> None:
    outcomes = data.draw(st.lists(st.booleans(), min_size=len(risk), max_size=len(risk)))
    value = weighted_auc(np.array(risk), np.array(outcomes, dtype=np.float64))
    if len(set(outcomes)) < 2:
        assert value is None
    else:
        assert value == pytest.approx(roc_auc_score(outcomes, risk))
