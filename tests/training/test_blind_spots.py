"""The clients without an outcome as the new model ranks them, whichever candidate was chosen."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic_core import from_json
from scipy.special import logit

from benchmarks.support.kinds import clients, scorer_of_kind
from credit_scoring.data.datasets import Dataset
from credit_scoring.data.past_decisions import PastDecisions
from credit_scoring.model.card import SelectionBias
from credit_scoring.model.scorer import Scorer
from credit_scoring.training.blind_spots import blind_spots
from credit_scoring.training.candidates import ENSEMBLE
from credit_scoring.training.past_cut_off import NOT_STUDIED, Studied
from credit_scoring.training.selection import Compared

pytestmark = pytest.mark.slow

SEED = 1


def halves() -> tuple[Dataset, Dataset]:
    """A part to train on and one to test on, of 600 clients each, with 200 others who were refused and 100 open."""
    frame = clients().frame
    nothing = np.empty(0)
    past = PastDecisions(nothing, nothing.astype(object), refused=frame[1200:1400], open=frame[1400:], unusable=3)
    first, second = (clients().rows(np.arange(start, start + 600)) for start in (0, 600))
    return replace(first, past=past), second


def found(part: Dataset, scorer: Scorer, studied: Studied = NOT_STUDIED, rows: int = 600) -> SelectionBias | None:
    """The card's part after a comparison on so many rows."""
    compared = replace(part, past=None).rows(np.arange(rows))
    risk = scorer.score(compared.frame)
    choice = Compared((), "", {}, None, compared, logit(risk))
    return blind_spots(choice, risk, scorer.pipeline, part, halves()[1], studied, SEED)


@pytest.mark.parametrize("kind", ["lightgbm", ENSEMBLE])
def test_the_bands_reach_to_the_log_odds_before_calibration_of_those_who_were_not_compared(kind: str) -> None:
    part, test_part = halves()
    scorer = scorer_of_kind(kind)
    bias = found(part, scorer)
    assert bias is not None
    assert part.past is not None
    others = [part.past.refused, part.past.open, test_part.frame[list(part.features)]]
    own = [scorer.log_odds(from_json(each.to_json(orient="records", double_precision=15))) for each in others]
    everyone = np.concatenate([*own, logit(scorer.score(part.frame))])
    assert (bias.bands[0].low, bias.bands[-1].high) == pytest.approx((everyone.min(), everyone.max()))
    assert (bias.known, bias.refused, bias.open, bias.unusable) == (1200, 200, 100, 3)
    assert {sum(each.refused for each in bias.bands), len(part.past.refused)} == {200}


def test_after_a_comparison_on_a_sample_all_others_are_a_sample_too_and_counts_are_those_of_all() -> None:
    bias = found(halves()[0], scorer_of_kind("lightgbm"), rows=300)
    assert bias is not None
    in_bands = [sum(getattr(band, name) for band in bias.bands) for name in ("known", "refused", "open")]
    assert in_bands == [600, 100, 50]
    assert (bias.known, bias.refused, bias.open) == (1200, 200, 100)


def test_the_reason_why_there_is_no_study_is_kept() -> None:
    bias = found(halves()[0], scorer_of_kind("lightgbm"), Studied(None, "too few"))
    assert bias is not None
    assert (bias.study, bias.no_study) == (None, "too few")


def test_of_data_that_are_no_decision_log_there_is_nothing_to_say() -> None:
    assert found(replace(halves()[0], past=None), scorer_of_kind("lightgbm")) is None
