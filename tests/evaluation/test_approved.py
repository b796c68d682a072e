"""Realised performance where outcomes exist for approved clients alone: what it is compared with, and what alarms."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.quality.sets import SETS
from credit_scoring.application.arrays import Flags, Floats
from credit_scoring.data.datasets import Dataset
from credit_scoring.evaluation.approved import (
    FEWEST_OF_EACH,
    auc_interval,
    measure_approved,
    metrics_of_approved,
    weighted_auc,
)
from credit_scoring.model.card import Interval
from credit_scoring.monitoring.cohorts import Cohort, Decided, cohorts
from credit_scoring.policy.costs import CostMatrix
from credit_scoring.training.candidates import CANDIDATE_BY_NAME
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.selection import calibrated
from tests.support.promtool import CRITICAL, MODEL, WARNING, Yaml, alerts, constant, promtool_test, require_tools

THRESHOLD = CostMatrix().break_even
EPOCH = date(1970, 1, 1)
SEPTEMBER, TODAY = date(2025, 9, 1), date(2026, 11, 24)
YEAR = timedelta(days=365)
MANY = 20_000
SPLITS = 2
TOO_SMALL = ("german",)  # a third of 1,000 clients gives intervals too wide for any alarm
STEPS = 30

CLIENTS = 4_000


def true_risks(seed: int = 0) -> tuple[Floats, Flags]:
    """Risks that are right, and what the clients then did."""
    generator = np.random.default_rng(seed)
    risk = generator.beta(1.2, 3, CLIENTS)
    return risk, generator.random(CLIENTS) < risk


# What is measured


def test_auc_and_calibration_are_those_of_approved_clients_alone() -> None:
    risk, defaulted = true_risks()
    approved = risk < THRESHOLD
    found = metrics_of_approved(defaulted, risk, THRESHOLD)
    assert found["auc"].value == pytest.approx(roc_auc_score(defaulted[approved], risk[approved]))
    assert found["auc"].high < roc_auc_score(defaulted, risk)
    assert found["default_rate"].value == pytest.approx(defaulted[approved].mean())
    assert found["calibration_ratio"].value == pytest.approx(defaulted[approved].sum() / risk[approved].sum())


def test_recall_takes_the_defaults_of_denied_clients_from_their_risk() -> None:
    risk, defaulted = true_risks()
    denied = risk >= THRESHOLD
    found = metrics_of_approved(defaulted, risk, THRESHOLD)["recall"]
    assert found.value == pytest.approx(risk[denied].sum() / (risk[denied].sum() + defaulted[~denied].sum()))
    assert found.low < defaulted[denied].sum() / defaulted.sum() < found.high


def test_outcomes_of_denied_clients_change_nothing() -> None:
    risk, defaulted = true_risks()
    denied = risk >= THRESHOLD
    without = measure_approved(risk, denied, defaulted & ~denied, ~denied)
    overruled = measure_approved(risk, denied, defaulted, np.ones(CLIENTS, dtype=np.bool_))
    assert without == overruled
    assert without.known == (~denied).sum()


def test_approved_clients_whose_outcome_is_not_known_yet_are_left_out() -> None:
    risk, defaulted = true_risks()
    denied = risk >= THRESHOLD
    known = np.random.default_rng(1).random(CLIENTS) < 0.5
    found = measure_approved(risk, denied, defaulted, known)
    assert found.auc is not None
    seen = known & ~denied
    assert found.auc.value == pytest.approx(roc_auc_score(defaulted[seen], risk[seen]))
    assert found.known == seen.sum()


def test_too_few_approved_clients_who_defaulted_give_a_default_rate_and_nothing_else() -> None:
    risk = np.full(100, 0.1)
    defaulted = np.arange(100) < FEWEST_OF_EACH - 1
    assert [*metrics_of_approved(defaulted, risk, THRESHOLD)] == ["default_rate"]


def test_a_policy_that_approves_nobody_gives_no_metrics() -> None:
    assert metrics_of_approved(np.ones(50, dtype=np.bool_), np.full(50, 0.9), THRESHOLD) == {}


def test_the_interval_of_an_auc_holds_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(5)

    def sample(size: int) -> tuple[Floats, Flags]:
        risk = generator.beta(1.2, 3, size)
        return risk, generator.random(size) < risk

    risk, bad = sample(400_000)
    truth = weighted_auc(risk, bad.astype(np.float64))
    assert truth is not None
    intervals = [auc_interval(bad, risk) for risk, bad in (sample(800) for _ in range(300))]
    held = np.mean([each.low <= truth <= each.high for each in intervals])
    assert 0.91 < held <= 1


# What alarms


@pytest.fixture(params=[name for name in SETS if name not in TOO_SMALL])
def public_set(request: pytest.FixtureRequest, dataset: Dataset) -> Dataset:
    """Each public set that is large enough; only the embedded one comes with the project."""
    wanted = SETS[request.param]
    if wanted.name == "credit_data":
        return dataset
    if not wanted.path.exists():
        pytest.skip(f"PUBLIC SET ABSENT, alarms not tried on {wanted.name}: no {wanted.path}")
    return wanted.read(wanted.path)


@dataclass(frozen=True)
class Deployed:
    """A model with the figures of its test part, and clients that came later."""

    tested: dict[str, Interval]
    tested_on_all: Interval
    risk: Floats
    defaulted: Flags


def deployed(part: Dataset, seed: int) -> Deployed:
    """Train on a third of the clients, test on another; the last third comes later."""
    third = len(part.frame) // 3
    train, test, later = (
        part.rows(each) for each in np.split(np.random.default_rng(seed).permutation(3 * third), [third, 2 * third])
    )
    lightgbm = CANDIDATE_BY_NAME["lightgbm"]
    pipeline = calibrated(lightgbm, train, lightgbm.start, TrainingPlan(seed=seed, folds=3))
    features = list(train.features)
    pipeline.fit(train.frame[features], train.defaulted)
    risk, later_risk = (pipeline.predict_proba(each.frame[features])[:, 1] for each in (test, later))
    on_all = auc_interval(test.defaulted, risk)
    return Deployed(metrics_of_approved(test.defaulted, risk, THRESHOLD), on_all, later_risk, later.defaulted)


def month_of(model: Deployed, size: int, *, flipped: bool = False) -> Cohort:
    """A complete month in which so many of the later clients were decided; approved ones have an outcome."""
    rows = np.random.default_rng(size).choice(len(model.risk), size, replace=size > len(model.risk))
    risk, defaulted = model.risk[rows], model.defaulted[rows] ^ flipped
    denied = risk >= THRESHOLD
    days = np.full(size, (SEPTEMBER - EPOCH).days)
    decided = Decided(days, risk, denied, defaulted & ~denied, np.where(denied, -1, 90))
    (cohort,) = cohorts(MODEL, decided, TODAY, YEAR)
    assert cohort.complete
    return cohort


def told(model: Deployed, cohort: Cohort) -> Iterator[Yaml]:
    """What service and monitor tell Prometheus of this model."""
    realised = {name: getattr(cohort, name) for name in ("auc", "recall", "default_rate", "calibration_ratio")}
    for name, metrics in (("realised", realised), ("model_test_approved", model.tested)):
        for metric, interval in metrics.items():
            for bound, value in interval or ():
                yield constant(f"credit_scoring_{name}", value, STEPS, model=MODEL, metric=metric, bound=bound)
    for bound, value in model.tested_on_all:
        yield constant("credit_scoring_model_test", value, STEPS, model=MODEL, metric="auc", bound=bound)
    yield constant("credit_scoring_realised_coverage", cohort.coverage or 0.0, STEPS, model=MODEL)


QUIET = [
    alerts(name, "90m")
    for name in ("CreditScoringConceptDrift", "CreditScoringCalibrationDrift", "CreditScoringOutcomesMissing")
]
LOUD = [
    alerts("CreditScoringConceptDrift", "90m", {**CRITICAL, "model": MODEL}),
    alerts("CreditScoringCalibrationDrift", "90m", {**WARNING, "model": MODEL}),
    alerts("CreditScoringOutcomesMissing", "90m"),
]


def test_outcomes_of_approved_clients_alone_alarm_when_labels_flip_and_not_when_nothing_changed(
    public_set: Dataset, tmp_path: Path
) -> None:
    require_tools()
    models = [deployed(public_set, seed) for seed in range(SPLITS)]
    unchanged = [(model, month_of(model, len(model.risk))) for model in models]
    flipped = [(model, month_of(model, len(model.risk), flipped=True)) for model in models]
    promtool_test(
        tmp_path,
        *({"input_series": [*told(*pair)], "alert_rule_test": QUIET} for pair in unchanged),
        *({"input_series": [*told(*pair)], "alert_rule_test": LOUD} for pair in flipped),
    )


def test_a_month_that_the_test_part_of_all_clients_would_call_drift_raises_no_alarm(
    dataset: Dataset, tmp_path: Path
) -> None:
    require_tools()
    model = deployed(dataset, seed=0)
    cohort = month_of(model, MANY)
    assert cohort.auc is not None
    assert cohort.auc.high < model.tested_on_all.low
    promtool_test(tmp_path, {"input_series": [*told(model, cohort)], "alert_rule_test": QUIET})
