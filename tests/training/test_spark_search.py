"""A search on Spark gives what it gives on this machine, to the last bit."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config

from credit_scoring.batch.joblib_spark import SparkBackend
from credit_scoring.cli.compute import ComputeOptions, Engine
from credit_scoring.data.datasets import Dataset
from credit_scoring.training import search as searching
from credit_scoring.training.candidates import CANDIDATE_BY_NAME
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.search import TrialReport, search
from credit_scoring.training.train import train
from tests.support.command_line import run_here
from tests.support.spark import require_spark, session_on

require_spark()

QUICK = (CANDIDATE_BY_NAME["logistic_regression"], CANDIDATE_BY_NAME["lightgbm"])
PLAN = TrainingPlan(trials=4, folds=3, repeats=1)


@pytest.fixture(scope="module")
def backend() -> Iterator[Any]:
    with session_on("local[2]") as session:
        yield SparkBackend(session.sparkContext)


@pytest.fixture(scope="module")
def small(dataset: Dataset) -> Dataset:
    return dataset.rows(np.arange(600))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "CANDIDATES", QUICK)


def test_the_same_seed_finds_the_same_parameters_and_scores_on_both(backend: Any, small: Dataset) -> None:
    here: list[TrialReport] = []
    there: list[TrialReport] = []
    expected = search(small, PLAN, here.append)
    with parallel_config(backend, n_jobs=1):
        found = search(small, PLAN, there.append)
    assert found == expected
    assert there == here


def test_a_model_trained_on_spark_scores_as_one_trained_here_to_the_last_bit(backend: Any, small: Dataset) -> None:
    plan = TrainingPlan(trials=1, folds=2, repeats=1)
    expected = train(small, plan)
    with parallel_config(backend, n_jobs=1):
        found = train(small, plan)
    assert found.score(small.frame).tobytes() == expected.score(small.frame).tobytes()
    assert found.policy == expected.policy
    assert found.card.candidates == expected.card.candidates


def test_tasks_run_in_processes_of_spark_and_their_results_keep_their_order(backend: Any) -> None:
    with parallel_config(backend, n_jobs=1):
        found = Parallel(n_jobs=-1)(delayed(_own_process)(number) for number in range(6))
    assert [number for number, _ in found] == list(range(6))
    assert "pyspark" in found[0][1]


def _own_process(number: int) -> tuple[int, str]:
    import psutil  # noqa: PLC0415 - in the worker

    return number, " ".join(psutil.Process().cmdline())


def test_as_many_tasks_run_at_once_as_there_are_cores(backend: Any) -> None:
    assert backend.effective_n_jobs(-1) == 2
    assert backend.effective_n_jobs(3) == 3
    assert backend.effective_n_jobs(None) == 1


def test_an_error_in_a_task_reaches_whoever_asked(backend: Any) -> None:
    with parallel_config(backend, n_jobs=1), pytest.raises(Exception, match="ZeroDivisionError"):
        Parallel(n_jobs=2)(delayed(divmod)(1, each) for each in (1, 0))


def test_the_local_engine_leaves_joblib_as_it_is() -> None:
    with ComputeOptions(engine=Engine.LOCAL).engaged():
        assert Parallel(n_jobs=1)(delayed(abs)(each) for each in (-1, -2)) == [1, 2]


def test_help_of_train_names_the_engines() -> None:
    found = run_here("train", "--help")
    assert "--engine" in found.stdout
    assert "--master" in found.stdout
