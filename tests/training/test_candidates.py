"""The candidates: each fits, scores a row the same in any batch, and keeps to the directions of the fields."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from benchmarks.support.consorcio import AUDIT_FIELDS, CATALOGUE, FIELDS
from credit_scoring.data.datasets import Dataset
from credit_scoring.evaluation.performance import auc
from credit_scoring.model.features import Columns
from credit_scoring.training.candidates import CANDIDATE_BY_NAME, CANDIDATES, Candidate
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.selection import calibrated
from credit_scoring.training.spaces import TREES, Parameters

NAMES = [candidate.name for candidate in CANDIDATES]
SMALL: dict[str, dict[str, Any]] = {
    "logistic_regression": {},
    "random_forest": {"n_estimators": 25},
    "lightgbm": {"n_estimators": 40, "learning_rate": 0.1},
    "lightgbm_random": {"n_estimators": 40, "learning_rate": 0.1},
    "xgboost": {"n_estimators": 40, "learning_rate": 0.1},
}
ROWS_FITTED, ROWS_SCORED = 1200, 131
ROUNDING = 1e-12
FEW_AND_MANY = (1_000, 50_000)


@pytest.fixture(scope="module")
def sample(dataset: Dataset) -> Dataset:
    part, _ = dataset.split(1 - ROWS_FITTED / len(dataset.frame), seed=7)
    return part


@pytest.fixture(scope="module")
def fitted(sample: Dataset) -> dict[str, Pipeline]:
    """Every candidate with few trees, calibrated and fitted as training does it."""
    plan = TrainingPlan(folds=3)
    frame = sample.frame[list(sample.features)]
    pipelines = {
        name: calibrated(CANDIDATE_BY_NAME[name], sample, {**CANDIDATE_BY_NAME[name].start, **small}, plan)
        for name, small in SMALL.items()
    }
    return {name: pipeline.fit(frame, sample.defaulted) for name, pipeline in pipelines.items()}


@pytest.fixture(scope="module")
def unseen(dataset: Dataset) -> Dataset:
    _, part = dataset.split(ROWS_SCORED / len(dataset.frame), seed=7)
    return part


def _risk(pipeline: Pipeline, dataset: Dataset, frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    return np.asarray(pipeline.predict_proba(frame[list(dataset.features)])[:, 1], dtype=np.float64)


def _in_batches(pipeline: Pipeline, dataset: Dataset, order: Sequence[int], size: int) -> npt.NDArray[np.float64]:
    rows = list(order)
    batches = [dataset.frame.iloc[rows[start : start + size]] for start in range(0, len(rows), size)]
    risks = np.concatenate([_risk(pipeline, dataset, batch) for batch in batches])
    back = np.empty_like(risks)
    back[rows] = risks
    return back


def test_the_candidates_are_boosters_a_forest_and_the_baseline() -> None:
    expected = {"logistic_regression", "random_forest", "lightgbm", "lightgbm_random", "xgboost"}
    assert set(NAMES) == expected == set(CANDIDATE_BY_NAME)


@pytest.mark.parametrize("name", NAMES)
def test_a_candidate_learns_to_rank_clients_that_it_has_not_seen(
    name: str, fitted: dict[str, Pipeline], unseen: Dataset
) -> None:
    assert auc(unseen.defaulted, _risk(fitted[name], unseen, unseen.frame), 0.5) > 0.75


@pytest.mark.parametrize("name", NAMES)
def test_a_row_scores_the_same_to_the_last_bit_in_batches_of_any_size(
    name: str, fitted: dict[str, Pipeline], unseen: Dataset
) -> None:
    whole = _risk(fitted[name], unseen, unseen.frame)
    for size in (2, 7, 8, 31, 64, 130):
        in_batches = _in_batches(fitted[name], unseen, range(len(whole)), size)
        assert in_batches.tobytes() == whole.tobytes(), f"batches of {size}"


@pytest.mark.parametrize("name", NAMES)
def test_a_row_scores_the_same_to_the_last_bit_alone(name: str, fitted: dict[str, Pipeline], unseen: Dataset) -> None:
    whole = _risk(fitted[name], unseen, unseen.frame)
    singly = [_risk(fitted[name], unseen, unseen.frame.iloc[[row]])[0] for row in range(25)]
    assert np.array(singly).tobytes() == whole[:25].tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_row_scores_the_same_to_the_last_bit_whoever_stands_before_it(
    name: str, fitted: dict[str, Pipeline], unseen: Dataset
) -> None:
    whole = _risk(fitted[name], unseen, unseen.frame)
    backwards = list(reversed(range(len(whole))))
    shuffled = np.random.default_rng(0).permutation(len(whole)).tolist()
    for order in (backwards, shuffled):
        for size in (5, 32, len(whole)):
            assert _in_batches(fitted[name], unseen, order, size).tobytes() == whole.tobytes()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("field", ["monthly_income", "assets_value", "job_tenure_years"])
def test_more_of_what_speaks_for_a_client_never_raises_the_risk(
    name: str, field: str, fitted: dict[str, Pipeline], unseen: Dataset
) -> None:
    assert FIELDS[field].risk_moves == "down"
    risks = [_risk(fitted[name], unseen, frame) for frame in _raised(unseen.frame, field)]
    assert all((more <= less + ROUNDING).all() for less, more in pairwise(risks))


@pytest.mark.parametrize("name", NAMES)
def test_more_debt_never_lowers_the_risk(name: str, fitted: dict[str, Pipeline], unseen: Dataset) -> None:
    risks = [_risk(fitted[name], unseen, frame) for frame in _raised(unseen.frame, "outstanding_debt")]
    assert all((more >= less - ROUNDING).all() for less, more in pairwise(risks))


@pytest.mark.parametrize("name", NAMES)
def test_a_negative_record_never_lowers_the_risk(name: str, fitted: dict[str, Pipeline], unseen: Dataset) -> None:
    without = _risk(fitted[name], unseen, unseen.frame.assign(has_negative_record=0.0))
    with_one = _risk(fitted[name], unseen, unseen.frame.assign(has_negative_record=1.0))
    assert (with_one >= without - ROUNDING).all()
    assert (with_one > without).any()


STARTS = [(name, start) for name in NAMES for start in CANDIDATE_BY_NAME[name].starts]


@pytest.mark.parametrize(("name", "start"), STARTS)
def test_at_full_size_risk_moves_as_declared_for_every_client(
    name: str, start: Parameters, sample: Dataset, unseen: Dataset
) -> None:
    """Small models keep to constraints that large ones break: path smoothing was such a case."""
    pipeline = CANDIDATE_BY_NAME[name].pipeline(sample.columns, start, seed=42)
    pipeline.fit(sample.frame[list(sample.features)], sample.defaulted)
    for field in ("monthly_income", "assets_value", "job_tenure_years", "outstanding_debt"):
        sign = 1 if FIELDS[field].risk_moves == "up" else -1
        log_odds = [pipeline.decision_function(each[list(sample.features)]) for each in _raised(unseen.frame, field)]
        assert all((sign * (more - less) >= -ROUNDING).all() for less, more in pairwise(log_odds)), field


def _raised(frame: pd.DataFrame, field: str) -> list[pd.DataFrame]:
    """The clients with this field known, and raised step by step from zero to far beyond what training saw."""
    top = 60 if field == "job_tenure_years" else 1e7
    levels = [0.0, *np.geomspace(top / 1e5, top, 40)]
    return [frame.assign(**{field: level}) for level in levels]


@pytest.mark.parametrize("name", NAMES)
def test_missing_values_in_every_optional_field_are_scored(
    name: str, fitted: dict[str, Pipeline], unseen: Dataset
) -> None:
    frame = unseen.frame.iloc[:3].copy()
    optional = [field for field in unseen.features if field != "credit_letter_value"]
    frame[optional] = None
    frame = frame.astype({field: unseen.frame[field].dtype for field in optional})
    risk = _risk(fitted[name], unseen, frame)
    assert ((risk > 0) & (risk < 1)).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_model_to_the_last_bit(
    name: str, fitted: dict[str, Pipeline], sample: Dataset, unseen: Dataset
) -> None:
    candidate = CANDIDATE_BY_NAME[name]
    pipeline = calibrated(candidate, sample, {**candidate.start, **SMALL[name]}, TrainingPlan(folds=3))
    pipeline.fit(sample.frame[list(sample.features)], sample.defaulted)
    again = _risk(pipeline, unseen, unseen.frame)
    assert again.tobytes() == _risk(fitted[name], unseen, unseen.frame).tobytes()


@pytest.mark.parametrize("rows", FEW_AND_MANY)
@pytest.mark.parametrize("candidate", CANDIDATES, ids=NAMES)
def test_the_search_starts_inside_its_own_space(candidate: Candidate, rows: int) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for start in candidate.starts_for(rows):
        searched = {name: value for name, value in start.items() if name != TREES or not candidate.grows}
        study.enqueue_trial(searched)
        assert candidate.suggest(study.ask(), rows) == searched


@pytest.mark.parametrize("rows", FEW_AND_MANY)
@pytest.mark.parametrize("candidate", CANDIDATES, ids=NAMES)
def test_whatever_the_search_draws_is_a_parameter_of_the_estimator(candidate: Candidate, rows: int) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    columns = Columns.of(CATALOGUE, ("credit_letter_value", "monthly_income"))
    for _ in range(20):
        drawn = candidate.suggest(study.ask(), rows)
        classifier = candidate.pipeline(columns, drawn, seed=1).named_steps["classifier"]
        assert drawn.items() <= classifier.get_params().items()


def test_more_rows_allow_deeper_trees_and_begin_with_the_largest() -> None:
    candidate = CANDIDATE_BY_NAME["lightgbm"]
    few, many = (candidate.starts_for(rows) for rows in FEW_AND_MANY)
    leaves = [[start["num_leaves"] for start in starts] for starts in (few, many)]
    assert max(leaves[0]) < max(leaves[1]) == leaves[1][0]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [[candidate.suggest(study.ask(), rows)["num_leaves"] for _ in range(60)] for rows in FEW_AND_MANY]
    assert max(drawn[0]) < max(drawn[1])


@pytest.mark.parametrize("candidate", CANDIDATES, ids=NAMES)
def test_no_candidate_is_built_on_an_audit_field(candidate: Candidate, dataset: Dataset) -> None:
    columns = Columns.of(CATALOGUE, dataset.features)
    used = {*columns.raw, *(name for field in columns.derived for name in field.inputs)}
    assert used.isdisjoint(AUDIT_FIELDS)


@pytest.mark.parametrize(("rows", "fields", "tried"), [(50_000, 40, True), (50_000, 41, False), (3_563, 200, True)])
def test_a_forest_is_tried_where_it_ends_and_the_others_always(rows: int, fields: int, tried: bool) -> None:
    suiting = {candidate.name for candidate in CANDIDATES if candidate.suits(rows, fields)}
    assert ("random_forest" in suiting) == tried
    assert suiting >= set(NAMES) - {"random_forest"}
