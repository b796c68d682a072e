"""What is compared with a stored model, and when it is said that it may know the test part."""

import io
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from credit_scoring.cli.opponent import Opponent
from credit_scoring.data.datasets import Dataset
from credit_scoring.errors import ConfigurationError
from credit_scoring.model.scorer import Scorer
from credit_scoring.training.config import TrainingPlan

TAG = "credit_scoring:champion1"
PLAN = TrainingPlan()
FIRST = np.datetime64("2025-01-01")


def said(scorer: Scorer, dataset: Dataset, plan: TrainingPlan = PLAN) -> str:
    """What a comparison on these data begins with."""
    console = Console(file=io.StringIO(), width=200)
    Opponent(TAG, scorer).check(dataset, plan, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def dated(dataset: Dataset) -> Dataset:
    """A decision a day, in the order of the rows."""
    return replace(dataset, days=FIRST + np.arange(len(dataset.frame)).astype("timedelta64[D]"))


def begins(dataset: Dataset) -> date:
    """The first day of the test part."""
    _, test_part = dataset.split(PLAN.test_share, PLAN.seed)
    assert test_part.days is not None
    day: date = test_part.days.min().item()
    return day


def card_with(scorer: Scorer, **data: Any) -> Scorer:
    return replace(scorer, card=scorer.card.model_copy(update={"data": scorer.card.data.model_copy(update=data)}))


# Whether it is fair


def test_a_model_that_was_tested_on_the_same_part_is_compared_without_a_warning(
    scorer: Scorer, dataset: Dataset
) -> None:
    assert said(scorer, dataset) == ""


@pytest.mark.parametrize("earlier", [0, 1, 400])
def test_one_that_was_tested_since_the_same_day_or_an_earlier_one_is_too_whatever_its_data(
    scorer: Scorer, dataset: Dataset, earlier: int
) -> None:
    since = np.datetime64(begins(dated(dataset))) - earlier
    assert said(card_with(scorer, test_since=since.item(), sha256="of an older file"), dated(dataset)) == ""


def test_one_that_may_have_been_trained_on_rows_of_the_test_part_is_named_in_a_warning(
    scorer: Scorer, dataset: Dataset
) -> None:
    days = dated(dataset)
    later = (np.datetime64(begins(days)) + 1).item()
    unfair = {
        "other data": (scorer, replace(dataset, sha256="another"), PLAN),
        "another seed": (scorer, dataset, TrainingPlan(seed=7)),
        "another size of the test part": (scorer, dataset, TrainingPlan(test_share=0.3)),
        "a mapping that leaves a row out": (scorer, dataset.rows(np.arange(1, len(dataset.frame))), PLAN),
        "dates that the model was trained without": (scorer, days, PLAN),
        "dates of another file": (scorer, replace(days, sha256="another"), PLAN),
        "no dates any more": (card_with(scorer, test_since=begins(days)), dataset, PLAN),
        "a model of newer data": (card_with(scorer, test_since=later), days, PLAN),
    }
    warned = [name for name, each in unfair.items() if f"warning: {TAG} may have been trained on rows" in said(*each)]
    assert warned == [*unfair]


# Whether it can be compared at all


def refused(scorer: Scorer, dataset: Dataset) -> str:
    with pytest.raises(ConfigurationError) as caught:
        said(scorer, dataset)
    message = str(caught.value)
    assert message.startswith(f"--against {TAG}: ")
    assert message.endswith(", or leave --against out.")
    assert "\n" not in message
    return message


def test_data_without_a_field_of_the_model_are_refused(scorer: Scorer, dataset: Dataset) -> None:
    without = replace(dataset, frame=dataset.frame.assign(housing=None))
    assert "that model uses housing, which these data do not have. Train on data" in refused(scorer, without)
