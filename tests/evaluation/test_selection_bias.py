"""What a model trained on decisions cannot know: coverage by risk, and how the refused differ from the others."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.application.arrays import Floats
from credit_scoring.data.datasets import Dataset
from credit_scoring.evaluation.selection_bias import BANDS, LEAST_IN_BAND, Scored, score_bands, selection_bias
from credit_scoring.model.card import FieldGap, SelectionBias
from credit_scoring.model.reference import RISK

Scores = st.lists(st.sampled_from([-3.0, -1.0, 0.0, 0.25, 2.0]) | st.floats(-9, 9), max_size=150).map(np.array)
CLIP = 1.0


def scored(log_odds: Floats) -> Scored:
    """Clients with these scores; calibration makes all risks from CLIP on equal, as an isotonic one does."""
    return Scored(pd.DataFrame(index=range(len(log_odds))), log_odds, expit(np.minimum(log_odds, CLIP)))


NONE = scored(np.empty(0))


@given(known=Scores.filter(len), open_ones=Scores, refused=Scores)
def test_every_application_is_in_one_band_and_bands_follow_each_other(
    known: Floats, open_ones: Floats, refused: Floats
) -> None:
    bands = [*score_bands(scored(known), scored(open_ones), scored(refused))]
    for name, risks in (("known", known), ("open", open_ones), ("refused", refused)):
        assert sum(getattr(each, name) for each in bands) == len(risks)
    everyone = np.concatenate([known, open_ones, refused])
    assert (bands[0].low, bands[-1].high) == (everyone.min(), everyone.max())
    assert all(before.high == after.low for before, after in pairwise(bands))
    assert all(each.applications for each in bands)
    for each in bands[:-1]:
        own = everyone[(everyone >= each.low) & (everyone < each.high)]
        assert each.known == ((known >= each.low) & (known < each.high)).sum()
        assert each.risk == pytest.approx(expit(np.minimum(own, CLIP)).mean())


def test_bands_have_as_many_applications_each_where_scores_differ() -> None:
    bands = [*score_bands(scored(np.linspace(0, 0.5, 1500)), NONE, scored(np.linspace(0.5, 1, 501)[1:]))]
    assert [each.applications for each in bands] == [2000 // BANDS] * BANDS


def test_with_few_applications_there_are_fewer_bands() -> None:
    assert len([*score_bands(scored(np.linspace(0, 1, 4 * LEAST_IN_BAND)), NONE, NONE)]) == 4
    assert len([*score_bands(scored(np.linspace(0, 1, 10)), NONE, NONE)]) == 1


def test_equal_scores_are_not_torn_apart() -> None:
    (band,) = score_bands(scored(np.full(500, 0.3)), NONE, scored(np.full(500, 0.3)))
    assert (band.low, band.high, band.known, band.refused) == (0.3, 0.3, 500, 500)


# Which part of the scale has no outcome


def bias(known: Floats, refused: Floats) -> SelectionBias:
    bands = tuple(score_bands(scored(known), NONE, scored(refused)))
    return SelectionBias(known=len(known), open=0, refused=len(refused), fewest=20, bands=bands)


def test_where_all_above_a_cut_off_were_refused_the_part_above_it_is_blind_even_where_risks_are_equal_there() -> None:
    """1,500 clients with an outcome up to a score of 0.3, and 500 refused up to 2: a quarter, 85 % of the range."""
    found = bias(np.linspace(0, 0.3, 1500), np.linspace(0.3, 2, 501)[1:])
    assert [each.low >= 0.299 for each in found.bands] == [each in found.blind for each in found.bands]
    assert [each.risk for each in found.bands[-2:]] == pytest.approx([expit(CLIP)] * 2)
    assert len(found.blind) == 5
    assert found.blind_applications == pytest.approx(0.25)
    assert found.blind_range == pytest.approx(0.85, abs=0.01)


@pytest.mark.parametrize(("outcomes", "blind"), [(0, 1), (19, 1), (20, 0), (50, 0)])
def test_a_band_with_some_outcomes_but_too_few_is_blind_and_one_with_enough_is_not(outcomes: int, blind: int) -> None:
    """Two bands of fifty: all of the lower one have an outcome, so many of the upper one."""
    scores = np.linspace(0, 1, 100)
    found = bias(scores[: 50 + outcomes], scores[50 + outcomes :])
    assert [each.known for each in found.bands] == [50, outcomes]
    assert found.blind == found.bands[2 - blind :]


def test_with_nobody_refused_nothing_is_blind() -> None:
    found = bias(np.linspace(0, 1, 1000), np.empty(0))
    assert (found.blind, found.blind_applications, found.blind_range) == ((), 0.0, 0.0)


# In which fields the refused differ


def measured(dataset: Dataset, refused: pd.DataFrame, open_ones: int = 0) -> SelectionBias:
    """The embedded clients, and these refused ones; a client's risk falls with the income."""

    def by_income(frame: pd.DataFrame) -> Scored:
        log_odds = -frame["monthly_income"].fillna(0.0).to_numpy(dtype=np.float64) / 1000
        return Scored(frame, log_odds, expit(log_odds))

    known, open_clients = by_income(dataset.frame), by_income(dataset.frame[:open_ones])
    return selection_bias(known, open_clients, by_income(refused), dataset.features, CATALOGUE)


def gap(found: SelectionBias, name: str) -> FieldGap:
    (one,) = (each for each in found.fields if each.field == name)
    return one


def test_the_field_in_which_the_refused_differ_comes_first_with_the_place_where_they_do(dataset: Dataset) -> None:
    refused = dataset.frame.sample(900, random_state=1).assign(job_type="PART_TIME")
    found = measured(dataset, refused)
    first = found.fields[0]
    assert (first.field, first.bin, first.refused_share) == ("job_type", "PART_TIME", 1.0)
    assert first.known_share == pytest.approx((dataset.frame["job_type"] == "PART_TIME").mean())
    assert first.psi > first.limit
    assert [each.psi for each in found.fields] == sorted((each.psi for each in found.fields), reverse=True)


def test_refused_like_the_others_differ_in_no_field(dataset: Dataset) -> None:
    found = measured(dataset, dataset.frame.sample(900, random_state=1))
    assert {each.field for each in found.fields} == {*dataset.features, RISK}
    assert all(each.psi < each.limit for each in found.fields)


def test_values_that_are_missing_are_a_difference_too(dataset: Dataset) -> None:
    refused = dataset.frame.sample(900, random_state=1).assign(monthly_income=np.nan, housing=None)
    found = measured(dataset, refused)
    for name in ("monthly_income", "housing"):
        assert (gap(found, name).bin, gap(found, name).refused_share) == ("missing", 1.0)
    assert gap(found, RISK).refused_share == 1.0


def test_of_too_few_refused_nothing_is_said_but_their_risk_is(dataset: Dataset) -> None:
    found = measured(dataset, dataset.frame[:19], open_ones=5)
    assert found.fields == ()
    assert (found.known, found.open, found.refused) == (len(dataset.frame), 5, 19)
    assert sum(each.refused for each in found.bands) == 19
    assert measured(dataset, dataset.frame[:20]).fields


def test_without_anybody_refused_there_are_bands_and_no_fields(dataset: Dataset) -> None:
    found = measured(dataset, dataset.frame[:0])
    assert (found.refused, found.fields, found.blind) == (0, (), ())
    assert sum(each.known for each in found.bands) == len(dataset.frame)
