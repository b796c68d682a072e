"""A scorer serves its compiled form only while that proves itself."""

import logging
from dataclasses import replace

import pytest

from credit_scoring.errors import ModelRejectedError
from credit_scoring.model.scorer import Scorer


def test_a_scorer_whose_compiled_form_agrees_serves_it(scorer: Scorer) -> None:
    compiled = scorer.with_compiled_form()
    assert compiled.compiled is not None
    rows = scorer.reference.rows
    assert compiled.score_records(rows).tolist() == scorer.score_records(rows).tolist()


def test_log_odds_are_those_that_the_risk_is_calibrated_from_compiled_or_not(scorer: Scorer) -> None:
    rows = scorer.reference.rows
    log_odds = scorer.log_odds(rows)
    calibrate = scorer.pipeline.named_steps["classifier"].calibrator_.predict
    assert scorer.compiled is None
    assert calibrate(log_odds).tolist() == scorer.score_records(rows).tolist()
    assert scorer.with_compiled_form().log_odds(rows).tolist() == log_odds.tolist()


def test_a_scorer_whose_compiled_form_differs_serves_the_pipeline_and_says_so(
    scorer: Scorer, caplog: pytest.LogCaptureFixture
) -> None:
    shifted = scorer.reference.model_copy(update={"risk": tuple(risk + 1e-3 for risk in scorer.reference.risk)})
    with caplog.at_level(logging.WARNING):
        assert replace(scorer, reference=shifted).with_compiled_form().compiled is None
    assert "its compiled form differs by 0.001" in caplog.text


def test_a_scorer_that_cannot_be_compiled_serves_the_pipeline_and_says_so(
    scorer: Scorer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert replace(scorer, pipeline=scorer.pipeline[:1]).with_compiled_form().compiled is None
    assert "it cannot be compiled" in caplog.text


def test_a_scorer_that_does_not_reproduce_its_reference_is_rejected(scorer: Scorer) -> None:
    first, *others = scorer.reference.risk
    shifted = scorer.reference.model_copy(update={"risk": (first + 1e-6, *others)})
    with pytest.raises(ModelRejectedError, match="does not score as it did when it was saved"):
        replace(scorer, reference=shifted).prove()


def test_the_reference_holds_features_only(scorer: Scorer) -> None:
    assert set(scorer.reference.rows[0]) == set(scorer.card.features)
    assert not {"age", "marital_status"} & set(scorer.card.features)
