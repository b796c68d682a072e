"""What the console says of the clients without an outcome."""

import io
from typing import Any

import pytest
from rich.console import Console

from credit_scoring.cli.selection_bias import MOST_FIELDS, show_selection_bias
from credit_scoring.model.card import ModelCard
from tests.evaluation.test_plots import card
from tests.support.selection_bias import bias


def _shown(**changes: Any) -> str:
    text = io.StringIO()
    show_selection_bias(Console(file=text, width=200, color_system=None), card(selection_bias=bias(**changes)))
    return text.getvalue()


def test_it_says_how_many_have_none_where_the_model_extrapolates_and_how_the_refused_differ() -> None:
    text = _shown()
    assert text.startswith(
        "Without an outcome: 1,200 refused applications and 300 approved ones, beside 3,000 with one.\n"
        "left out 7 of them, as these fields reject them or they were erased\n"
        "33.3% of all applications and 75.0% of the range of scores lie in 1 of 2 bands with fewer than 20 outcomes: "
        "the model extrapolates there.\n"
    )
    (income,) = (line for line in text.splitlines() if "monthly_income" in line)
    assert income.split() == ["monthly_income", "0.815", "0.100", "missing", "2.6%", "18.3%"]


def test_the_study_names_whom_it_hides_and_shows_both_models_with_the_difference() -> None:
    text = _shown()
    assert (
        "Had the riskiest third of those with an outcome been refused as well: 657 clients, default rate 0.200 "
        "[0.170, 0.230]. On them, trained with their outcomes and without:\n"
    ) in text
    (predicted,) = (line for line in text.splitlines() if "default rate predicted" in line)
    effects = ("0.190 [0.160, 0.220]", "0.050 [0.020, 0.080]", "-0.140 [-0.170, -0.110]")
    assert predicted.split() == ["default", "rate", "predicted", *" ".join(effects).split()]


def test_without_a_study_it_says_why() -> None:
    text = _shown(study=None, no_study="there was no time left for it")
    assert text.endswith(
        "What a stricter past cut-off would have cost was not measured: there was no time left for it.\n"
    )


def test_where_nobody_was_refused_it_says_so_in_place_of_a_table() -> None:
    text = _shown(refused=0, fields=(), unusable=0)
    assert "Too few were refused to say how they differ.\n" in text
    assert "left out" not in text


def test_only_the_fields_that_differ_most_are_listed() -> None:
    one = bias().fields[-1]
    many = tuple(one.model_copy(update={"field": f"field_{place:02}"}) for place in range(MOST_FIELDS + 5))
    text = _shown(fields=many)
    assert [name in text for name in (f"field_{MOST_FIELDS - 1:02}", f"field_{MOST_FIELDS:02}")] == [True, False]


@pytest.mark.parametrize("older", [True, False])
def test_of_a_model_trained_on_a_file_and_of_an_older_one_it_says_nothing(*, older: bool) -> None:
    text = io.StringIO()
    content = card().model_dump(exclude={"selection_bias"} if older else None)
    show_selection_bias(Console(file=text, width=200), ModelCard.model_validate(content))
    assert text.getvalue() == ""
