"""Threads within one fit: faster, and nothing else."""

import numpy as np
import pytest
from joblib import cpu_count, parallel_config
from sklearn.base import clone

from credit_scoring.data.datasets import Dataset
from credit_scoring.training import threads
from credit_scoring.training.candidates import CANDIDATES, Candidate
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.search import search
from credit_scoring.training.selection import calibrated, calibrated_ensemble
from credit_scoring.training.students import STUDENTS
from credit_scoring.training.threads import on_threads, threads_for

PLAN = TrainingPlan(folds=3, jobs=1)
ALL = [*CANDIDATES, *STUDENTS.values()]


@pytest.mark.parametrize("candidate", ALL, ids=lambda candidate: candidate.name)
def test_a_model_that_several_threads_fitted_scores_to_the_last_bit_like_that_of_one(
    dataset: Dataset, candidate: Candidate
) -> None:
    frame = dataset.frame[list(dataset.features)]
    pipeline = candidate.pipeline(dataset.columns, candidate.start, 42)
    alone = clone(pipeline).fit(frame, dataset.defaulted)
    together = on_threads(pipeline, 3).fit(frame, dataset.defaulted)
    assert np.array_equal(alone.decision_function(frame), together.decision_function(frame))


def test_each_booster_and_forest_gets_them_and_what_comes_before_does_not(dataset: Dataset) -> None:
    parameters = {each.name: each.start for each in CANDIDATES}
    weights = {each.name: 1 / len(CANDIDATES) for each in CANDIDATES}
    pipeline = on_threads(calibrated_ensemble(weights, parameters, dataset, PLAN), 5)
    members = pipeline.get_params()["classifier__estimator__members"]
    found = {name: value for each in members for name, value in each.get_params().items() if name.endswith("n_jobs")}
    own = {name for name in found if name.startswith("classifier")}
    assert {found[name] for name in own} == {5}
    assert {value for name, value in found.items() if name not in own} <= {None}


def test_a_calibrated_model_gets_them_too(dataset: Dataset) -> None:
    candidate = next(each for each in CANDIDATES if each.grows)
    pipeline = on_threads(calibrated(candidate, dataset, candidate.start, PLAN), 4)
    assert pipeline.get_params()["classifier__estimator__n_jobs"] == 4


def test_few_rows_and_processes_elsewhere_get_one_thread() -> None:
    rows, cores = 10_000, cpu_count()
    assert threads_for(-1, 1, rows) == cores
    assert threads_for(-1, 1, rows - 1) == 1
    assert threads_for(1, 1, rows) == 1
    with parallel_config("threading"):
        assert threads_for(-1, 1, rows) == 1


def test_no_core_is_left_idle_and_none_is_used_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cpu_count", "effective_n_jobs"):
        monkeypatch.setattr(threads, name, lambda *_: 8)
    assert [threads_for(-1, tasks, 10_000) for tasks in (1, 2, 3, 5, 8, 9)] == [8, 4, 2, 1, 1, 1]


def test_a_trial_finds_the_same_on_any_number_of_cores_with_threads(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five folds: the last one alone has two threads of two cores, and all four of four."""
    monkeypatch.setattr(threads, "MANY_ROWS", 1)
    part = dataset.rows(np.arange(800))
    found = []
    for jobs, cores in ((1, 1), (2, 2), (4, 4)):
        monkeypatch.setattr(threads, "cpu_count", lambda cores=cores: cores)
        found.append(search(part, TrainingPlan(trials=1, jobs=jobs), lambda _: None))
    assert found[0] == found[1] == found[2]
