"""What is compared with a stored model, and when it is said that it may know the test part."""

import io
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from credit_scoring.application.catalogue import Catalogue
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


def with_field(dataset: Dataset, name: str, **changes: Any) -> Dataset:
    """The same rows, of a catalogue that says something else of this field, and derives none."""
    content = {**dataset.catalogue.model_dump(), "derived": {}}
    content["fields"][name] |= changes
    return replace(dataset, catalogue=Catalogue.model_validate(content))


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


def test_categories_that_the_model_does_not_know_are_refused_by_name_with_the_way_out(
    scorer: Scorer, dataset: Dataset
) -> None:
    """They would be none of its categories to the model, in every row."""
    values = {"OWNED": "Própria", "RENTED": "Alugada", "PARENTS": "Com os pais", "OTHER": "Outra"}
    renamed = with_field(dataset, "housing", values=values, meanings={}, example="OWNED")
    housing = dataset.frame["housing"].map({"OWNER": "OWNED", "RENT": "RENTED", "PARENTS": "PARENTS", "OTHER": "OTHER"})
    renamed = replace(renamed, frame=dataset.frame.assign(housing=housing))
    assert refused(scorer, renamed) == (
        f"--against {TAG}: that model does not know OWNED and RENTED of housing. Name categories (--fields, --mapping) "
        "as they were, or leave --against out."
    )


def test_a_category_that_is_new_and_not_in_use_is_no_matter(scorer: Scorer, dataset: Dataset) -> None:
    values = {**dataset.catalogue.fields["housing"].values, "HOTEL": "Hotel"}
    assert said(scorer, with_field(dataset, "housing", values=values)) == ""


def test_a_number_that_became_a_category_is_refused_without_its_values(scorer: Scorer, dataset: Dataset) -> None:
    free: dict[str, Any] = dict.fromkeys(("risk_moves", "at_least", "at_most", "above", "unit", "lever"))
    values = {"SHORT": "Curto", "LONG": "Longo"}
    changed = with_field(dataset, "job_tenure_years", kind="category", values=values, example="LONG", **free)
    bands = np.where(dataset.frame["job_tenure_years"] > 3, "LONG", "SHORT")
    message = refused(scorer, replace(changed, frame=dataset.frame.assign(job_tenure_years=bands)))
    assert "that model has job_tenure_years as number, not category. Train with these fields (--fields)" in message
    assert "LONG" not in message


def test_a_flag_that_became_a_number_is_refused(scorer: Scorer, dataset: Dataset) -> None:
    changed = with_field(dataset, "has_negative_record", kind="number", example=1)
    assert "has_negative_record as flag, not number" in refused(scorer, changed)


def test_an_integer_that_became_a_number_is_no_matter(scorer: Scorer, dataset: Dataset) -> None:
    assert said(scorer, with_field(dataset, "term_months", kind="number")) == ""
