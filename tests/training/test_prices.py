"""The price of each declared direction: what the data say against it, and nothing where they agree."""

from dataclasses import replace

import numpy as np
import pytest

from credit_scoring.application.catalogue import freed
from credit_scoring.data.datasets import Dataset
from credit_scoring.model.card import ModelCard
from credit_scoring.model.scorer import Scorer
from credit_scoring.training.clock import Clock
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.prices import Prices, priced, prices
from credit_scoring.training.search import Searched

PLAN = TrainingPlan(folds=5, jobs=1)
BASELINE = Searched("logistic_regression", 1, (0.8,), {"C": 1.0}, rows=1000, seconds=0.1)
RIGHT, WRONG = "assets_value", "job_tenure_years"


@pytest.fixture(scope="module")
def made(dataset: Dataset) -> Dataset:
    """Clients whose risk falls with their assets, as declared, and rises with their years in the job, which is not."""
    generator = np.random.default_rng(3)
    rows = 2000
    assets, years = generator.uniform(0, 50_000, rows), generator.uniform(0, 30, rows)
    bad = years / 30 - assets / 50_000 + generator.normal(0, 0.3, rows) > 0
    frame = dataset.frame.iloc[:rows].reset_index(drop=True).assign(**{RIGHT: assets, WRONG: years})
    return replace(dataset, frame=frame, defaulted=bad)


@pytest.fixture(scope="module")
def found(made: Dataset) -> Prices:
    return prices(BASELINE, made, PLAN, Clock())


def _card(scorer: Scorer, found: Prices) -> ModelCard:
    return scorer.card.model_copy(update={"direction_prices": dict(found.directions)})


def test_a_direction_that_the_data_contradict_has_a_price_beyond_noise(found: Prices, scorer: Scorer) -> None:
    assert found.directions[WRONG].low > 0.05
    assert _card(scorer, found).contradicted == (WRONG,)


def test_a_direction_that_the_data_share_costs_nothing(found: Prices) -> None:
    price = found.directions[RIGHT]
    assert price.low <= 0 <= price.high or abs(price.value) < 0.001


def test_every_direction_that_may_be_freed_alone_is_priced(found: Prices, made: Dataset) -> None:
    assert {*found.directions} == {*priced(made.catalogue, made.features)}
    assert found.unknown == ()
    for name in found.directions:
        freed(made.catalogue, [name])


def test_with_missing_values_it_has_a_price_that_they_count_as_the_worst(made: Dataset) -> None:
    """Here silence says nothing, so that counting it as the worst value costs some ranking."""
    silent = np.random.default_rng(1).random(len(made.frame)) < 0.4
    frame = made.frame.assign(**{RIGHT: made.frame[RIGHT].mask(silent)})
    price = prices(BASELINE, replace(made, frame=frame), PLAN, Clock()).missing
    assert price is not None
    assert price.low > 0


def test_without_missing_values_that_has_none(made: Dataset) -> None:
    full = made.frame.fillna({name: 0.0 for name in made.features if made.catalogue.fields[name].is_numeric})
    found = prices(BASELINE, replace(made, frame=full), PLAN, Clock())
    assert (found.missing, found.missing_unknown) == (None, False)
    assert found.directions


def test_a_price_of_missing_values_that_there_was_no_time_for_is_told_from_none(made: Dataset) -> None:
    silent = made.frame.assign(**{RIGHT: made.frame[RIGHT].mask(made.frame[RIGHT] < 10_000)})
    found = prices(BASELINE, replace(made, frame=silent), PLAN, Clock(0.0), seconds=1.0)
    assert (found.missing, found.missing_unknown) == (None, True)


def test_what_there_is_no_time_for_is_named_and_not_guessed(made: Dataset) -> None:
    found = prices(BASELINE, made, PLAN, Clock(0.0), seconds=1.0)
    assert found.directions == {}
    assert {*priced(made.catalogue, made.features)} <= {*found.unknown}
