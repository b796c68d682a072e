"""Risk moves as declared, and silence never pays, in the form that serves: for whatever application anybody sends."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.support.consorcio import CATALOGUE, FIELDS
from credit_scoring.data.datasets import Dataset, load_embedded
from credit_scoring.model.compiled import CompiledPipeline
from credit_scoring.settings import PROJECT_FOLDER
from credit_scoring.training.candidates import CANDIDATE_BY_NAME, ENSEMBLE
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.selection import calibrated, calibrated_ensemble

ROWS = 2000
FEATURES = load_embedded(PROJECT_FOLDER / "data").features
DIRECTED = [name for name in FEATURES if FIELDS[name].risk_moves]
WEIGHTS = dict(zip(CANDIDATE_BY_NAME, (0.1, 0.15, 0.2, 0.25, 0.3), strict=True))
LARGEST = {"job_tenure_years": 60.0, "credit_history_years": 60.0}


@pytest.fixture(scope="module", params=[*CANDIDATE_BY_NAME, ENSEMBLE])
def served(request: pytest.FixtureRequest, dataset: Dataset) -> CompiledPipeline:
    """Every candidate and the ensemble of all, as they are served."""
    part, plan = dataset.rows(np.arange(ROWS)), TrainingPlan(folds=3)
    parameters = {name: CANDIDATE_BY_NAME[name].start for name in CANDIDATE_BY_NAME}
    if request.param == ENSEMBLE:
        pipeline = calibrated_ensemble(WEIGHTS, parameters, part, plan)
    else:
        pipeline = calibrated(CANDIDATE_BY_NAME[request.param], part, parameters[request.param], plan)
    return CompiledPipeline(pipeline.fit(part.frame[list(part.features)], part.defaulted))


def present(name: str) -> st.SearchStrategy[Any]:
    field = FIELDS[name]
    if field.kind == "category":
        return st.sampled_from(field.categories)
    if field.kind == "flag":
        return st.booleans()
    largest = LARGEST.get(name, 1e7)
    return st.floats(0, largest) | st.floats(0, largest / 1000)


@pytest.mark.parametrize("name", DIRECTED)
@settings(max_examples=60)
@given(data=st.data())
def test_risk_never_moves_against_the_direction_of_a_field(
    served: CompiledPipeline, name: str, data: st.DataObject
) -> None:
    others = [other for other in FEATURES if other != name]
    application = data.draw(st.fixed_dictionaries({other: st.none() | present(other) for other in others}))
    values = sorted(data.draw(st.tuples(present(name), present(name))))
    if FIELDS[name].risk_moves == "down":
        values.reverse()
    lower, higher = served.score([{**application, name: value} for value in values])
    assert lower <= higher


@pytest.mark.parametrize("name", DIRECTED)
@settings(max_examples=60)
@given(data=st.data())
def test_leaving_out_a_field_with_a_direction_is_never_better_than_any_value(
    served: CompiledPipeline, name: str, data: st.DataObject
) -> None:
    others = [other for other in FEATURES if other != name]
    application = data.draw(st.fixed_dictionaries({other: st.none() | present(other) for other in others}))
    told, silent = served.score([{**application, name: value} for value in (data.draw(present(name)), None)])
    assert told <= silent


@pytest.mark.parametrize("name", [name for name in FEATURES if name not in (*DIRECTED, *CATALOGUE.required)])
def test_leaving_out_a_field_without_a_direction_is_not_better_than_the_average_over_the_values_of_training(
    served: CompiledPipeline, dataset: Dataset, name: str
) -> None:
    frame = dataset.frame[list(FEATURES)]
    clients = [
        {str(key): None if pd.isna(value) else value for key, value in row.items()}
        for row in frame.iloc[:200].to_dict("records")
    ]
    values = frame[name].dropna().sample(20, random_state=1).tolist()
    told = [served.score([{**client, name: value} for client in clients]).mean() for value in values]
    assert np.mean(told) <= served.score([{**client, name: None} for client in clients]).mean()
