"""What the console says of the declared directions."""

import io
from dataclasses import replace

from rich.console import Console

from credit_scoring.cli.prices import show_prices
from credit_scoring.model.card import Interval
from credit_scoring.model.scorer import Scorer


def _shown(scorer: Scorer, **card: object) -> str:
    text = io.StringIO()
    other = scorer.card.model_copy(update={"direction_prices": {}, "unpriced": (), "missing_price": None, **card})
    show_prices(Console(file=text, width=200, color_system=None), replace(scorer, card=other))
    return text.getvalue()


def test_a_direction_that_the_data_contradict_is_named_with_its_price_and_the_way_out(scorer: Scorer) -> None:
    text = _shown(scorer, direction_prices={"monthly_income": Interval(value=0.055, low=0.05, high=0.06)})
    assert (
        "contradicted monthly_income: declared down; the data say otherwise beyond noise, by 0.055 [0.050, 0.060] of "
        "AUC. If they are right, train with --free monthly_income."
    ) in text


def test_one_that_costs_nothing_beyond_noise_or_too_little_to_matter_is_listed_only(scorer: Scorer) -> None:
    prices = {
        "monthly_income": Interval(value=0.01, low=-0.001, high=0.021),
        "outstanding_debt": Interval(value=0.002, low=0.001, high=0.003),
    }
    text = _shown(scorer, direction_prices=prices)
    assert "contradicted" not in text
    assert all(name in text for name in prices)
    assert "0.002 [0.001, 0.003]" in text


def test_an_older_model_without_prices_shows_none(scorer: Scorer) -> None:
    assert _shown(scorer) == ""


def test_what_there_was_no_time_for_is_said(scorer: Scorer) -> None:
    assert _shown(scorer, unpriced=("own_share",)) == "No time to price the directions of own_share.\n"
    missing = "No time to price that a missing value counts as the worst.\n"
    assert _shown(scorer, missing_unpriced=True) == missing
