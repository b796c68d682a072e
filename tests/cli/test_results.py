"""What the console says of data and models."""

from dataclasses import replace

import pytest
from rich.console import Console

from credit_scoring.cli.results import show_data, show_result
from credit_scoring.data.datasets import Dataset
from credit_scoring.model.scorer import Scorer


@pytest.mark.parametrize(("compared", "told"), [(2_000, True), (60_000, False), (100_000, False)])
def test_training_says_where_its_time_was_too_short_for_all_the_rows_that_a_choice_is_made_on(
    scorer: Scorer, compared: int, told: bool
) -> None:
    console = Console(width=400, color_system=None)
    data = scorer.card.data.model_copy(update={"rows_train": 100_000})
    card = scorer.card.model_copy(update={"rows_compared": compared, "data": data})
    with console.capture() as found:
        show_result(console, replace(scorer, card=card), compare_rows=60_000)
    expected = (
        "The choice, the calibration and the threshold are from 2,000 of 100,000 rows; --timeout left none for more."
    )
    assert (expected in found.get()) == told


def test_a_column_in_brackets_is_named_and_not_taken_for_a_colour(dataset: Dataset) -> None:
    console = Console(width=400, color_system=None)
    with console.capture() as found:
        show_data(console, replace(dataset, source="data/[2026]/in.csv", unused_columns=("[red]", "[/]")))
    assert found.get().startswith("data/[2026]/in.csv: 4,454 applications")
    assert "not used columns [red], [/]." in found.get()
