"""The compiled form scores as the pipeline does, whatever it is asked."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.pipeline import Pipeline

from benchmarks.support.consorcio import CATALOGUE, FIELDS
from credit_scoring.data.datasets import Dataset
from credit_scoring.model.compiled import CompiledPipeline
from credit_scoring.model.features import application_frame
from credit_scoring.training.candidates import CANDIDATE_BY_NAME, ENSEMBLE
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.selection import calibrated, calibrated_ensemble

ROWS = 800
SMALL: dict[str, dict[str, Any]] = {
    "logistic_regression": {},
    "random_forest": {"n_estimators": 30},
    "lightgbm": {"n_estimators": 60},
    "lightgbm_random": {"n_estimators": 60},
    "xgboost": {"n_estimators": 60},
}


WEIGHTS = dict(zip(CANDIDATE_BY_NAME, (0.1, 0.15, 0.2, 0.25, 0.3), strict=True))


@pytest.fixture(scope="module", params=[*CANDIDATE_BY_NAME, ENSEMBLE])
def fitted(request: pytest.FixtureRequest, dataset: Dataset) -> Pipeline:
    part, plan = dataset.rows(np.arange(ROWS)), TrainingPlan(folds=3)
    parameters = {name: {**candidate.start, **SMALL[name]} for name, candidate in CANDIDATE_BY_NAME.items()}
    if request.param == ENSEMBLE:
        pipeline = calibrated_ensemble(WEIGHTS, parameters, part, plan)
    else:
        pipeline = calibrated(CANDIDATE_BY_NAME[request.param], part, parameters[request.param], plan)
    return pipeline.fit(part.frame[list(part.features)], part.defaulted)


def value_of(name: str) -> st.SearchStrategy[Any]:
    field = FIELDS[name]
    if field.kind == "category":
        return st.sampled_from([*field.categories, "UNSEEN", None])
    if field.kind == "flag":
        return st.sampled_from([True, False, None])
    money = st.floats(0, 1e308) | st.sampled_from([0.0, 5e-324, 1e-9, 1e12, 1.7e308])
    return st.none() | st.floats(0, 1e5) | money


def records_of(names: Sequence[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
    record = st.fixed_dictionaries({name: value_of(name) for name in names})
    return st.lists(record, min_size=1, max_size=20)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_missing_extreme_and_unseen_values_score_bit_for_bit_as_in_the_pipeline(
    fitted: Pipeline, dataset: Dataset, data: st.DataObject
) -> None:
    records = data.draw(records_of(dataset.features))
    frame = application_frame(records, CATALOGUE, dataset.features)
    expected = fitted.predict_proba(frame)[:, 1]
    assert CompiledPipeline(fitted).score(records).tolist() == expected.tolist()


def test_real_applications_score_bit_for_bit_as_in_the_pipeline_in_any_batch(
    fitted: Pipeline, dataset: Dataset
) -> None:
    names = list(dataset.features)
    rows = dataset.frame[names].tail(300).to_dict("records")
    records = [{str(name): None if pd.isna(value) else value for name, value in row.items()} for row in rows]
    expected = fitted.predict_proba(application_frame(records, CATALOGUE, names))[:, 1].tolist()
    compiled = CompiledPipeline(fitted)
    assert compiled.score(records).tolist() == expected
    assert [compiled.score([record])[0] for record in records] == expected
    assert compiled.score(records[::-1]).tolist() == expected[::-1]


def test_log_odds_are_bit_for_bit_those_of_the_model_before_calibration(fitted: Pipeline, dataset: Dataset) -> None:
    names = list(dataset.features)
    rows = dataset.frame[names].tail(100).to_dict("records")
    records = [{str(name): None if pd.isna(value) else value for name, value in row.items()} for row in rows]
    *steps, (name, classifier) = fitted.steps
    uncalibrated = Pipeline([*steps, (name, classifier.estimator_)])
    expected = uncalibrated.decision_function(application_frame(records, CATALOGUE, names)).tolist()
    compiled = CompiledPipeline(fitted)
    assert compiled.log_odds(records).tolist() == expected
    assert classifier.calibrator_.predict(compiled.log_odds(records)).tolist() == compiled.score(records).tolist()


def test_a_classifier_without_log_odds_is_not_compiled(fitted: Pipeline) -> None:
    calibrated_classifier = fitted.named_steps["classifier"]
    known, calibrated_classifier.estimator_ = calibrated_classifier.estimator_, object()
    try:
        with pytest.raises((AttributeError, KeyError)):
            CompiledPipeline(fitted)
    finally:
        calibrated_classifier.estimator_ = known
