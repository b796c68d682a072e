"""The model card: what is written of a model can be read again."""

import math

import pytest
from pydantic import ValidationError

from credit_scoring.model.card import CandidateResult, Interval
from credit_scoring.model.scorer import Scorer


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_json_cannot_hold_is_no_measured_value(value: float) -> None:
    with pytest.raises(ValidationError, match="finite number"):
        Interval(value=value, low=0.4, high=0.6)


def test_nor_is_it_a_result_of_a_candidate(scorer: Scorer) -> None:
    best = scorer.card.candidates[0].model_dump()
    with pytest.raises(ValidationError, match="finite number"):
        CandidateResult(**{**best, "recall_mean": math.nan})
