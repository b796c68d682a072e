"""The benchmark beside other AutoML: who is ahead is said with an interval, and who has no model is named."""

import re
from typing import Any

import pytest

from benchmarks.quality import peers
from benchmarks.quality.automl import CORES
from benchmarks.quality.peers import OURS, Tried
from credit_scoring.data.datasets import Dataset
from credit_scoring.model.scorer import Scorer
from credit_scoring.training.config import TrainingPlan

AHEAD = {
    OURS: [Tried(0.80, 50.0), Tried(0.82, 52.0)],
    "flaml": [Tried(0.81, 60.0), Tried(0.83, 62.0)],
    "autogluon": [Tried(0.79, 61.0)],
}


def test_a_peer_is_told_with_how_far_it_is_ahead_and_the_seconds_that_it_took() -> None:
    ahead, ours = (line for line in peers._rows("german", AHEAD) if "no model" not in line)
    assert re.fullmatch(r"\| german \| flaml \| 0\.8200 \| \+0\.0100 \[.+\] \| 61 \|", ahead)
    assert ours == f"| german | {OURS} | 0.8100 |  | 51 |"


def test_a_peer_without_a_model_in_some_fold_is_named_and_not_averaged() -> None:
    rows = [line for line in peers._rows("german", AHEAD) if "autogluon" in line]
    assert rows == ["| german | autogluon | no model in that time in every fold | | |"]


def test_this_project_trains_on_as_many_cores_as_its_peers_and_the_table_names_them(
    dataset: Dataset, scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[TrainingPlan] = []

    def train(_: Dataset, plan: TrainingPlan) -> Any:
        plans.append(plan)
        return scorer

    monkeypatch.setattr(peers, "train", train)
    monkeypatch.setattr(peers, "PEERS", ())
    assert [who for who, _ in peers._fold(*dataset.split(0.2, 1), seconds=60.0)] == [OURS]
    assert [(plan.jobs, plan.timeout) for plan in plans] == [(CORES, 60.0)]
    assert peers._heading("the command")[0] == f"`the command`, on {CORES} cores each"
