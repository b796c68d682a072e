"""What shap and the boosters' own `pred_contrib` make of a stored model; run in the peers' environment, prints JSON.

`python -m benchmarks.explanation.peers MODEL_FOLDER RECORDS.json`. Neither takes a calibrated pipeline, so that each
member is explained by itself and the members' contributions are added up by their weights, on a matrix that is ready:
both are to the peers' advantage. The linear member's contributions are shap's LinearExplainer in both cases.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import shap  # type: ignore[import-not-found]  # only in the peers' environment
from scipy.special import logit
from sklearn.pipeline import Pipeline
from xgboost import DMatrix

from credit_scoring.application.arrays import Floats
from credit_scoring.model.estimators import LogOddsEnsemble, LogOddsXGBoost, MonotoneLogisticRegression
from credit_scoring.model.features import application_frame
from credit_scoring.model.scorer import Scorer

Explain = Callable[[Floats], Floats]  # contributions of the columns and, last, of the base, shape (rows, columns + 1)


class Member(NamedTuple):
    """One model, its weight, and the matrix that it sees of each client and of those to compare with."""

    model: Any
    weight: float
    matrix: Floats
    background: Floats


def main(folder: str, records_file: str) -> None:
    """Print a list with a row for each peer."""
    scorer = Scorer.load(Path(folder))
    records = json.loads(Path(records_file).read_text(encoding="utf-8"))
    members = list(_members(scorer, records))
    log_odds, risk = scorer.log_odds(records), scorer.score_records(records)
    found = [{"name": "shap on the pipeline as it is", "refused": _refusal(scorer.pipeline)}]
    for name, explainer in (("shap TreeExplainer", _by_shap), ("pred_contrib", _by_booster)):
        explains = [explainer(member) for member in members]
        total = sum(
            member.weight * explain(member.matrix).sum(axis=1)
            for member, explain in zip(members, explains, strict=True)
        )
        row = {
            "name": name,
            "ms": _milliseconds(members, explains),
            "columns": sum(member.matrix.shape[1] for member in members) // len(members),
            "off": float(np.abs(total - log_odds).max()),
            "off_calibrated": float(np.abs(total - logit(risk)).max()),
        }
        found.append(row)
    print(json.dumps(found))


def _members(scorer: Scorer, records: Sequence[Any]) -> Iterator[Member]:
    frame = application_frame(records, scorer.catalogue, scorer.card.features)
    background = application_frame(scorer.reference.rows, scorer.catalogue, scorer.card.features)
    *steps, (_, classifier) = scorer.pipeline.steps
    model = classifier.estimator_
    if isinstance(model, LogOddsEnsemble):
        pairs = [
            (member[:-1], member[-1], weight) for member, weight in zip(model.members_, model.weights, strict=True)
        ]
    else:
        pairs = [(Pipeline(steps), model, 1.0)]
    for preprocessing, each, weight in pairs:
        yield Member(each, weight, preprocessing.transform(frame), preprocessing.transform(background))


def _refusal(pipeline: Pipeline) -> str:
    try:
        shap.TreeExplainer(pipeline)
    except Exception as error:  # whatever it raises is the answer
        return type(error).__name__
    return ""


def _by_shap(member: Member) -> Explain:
    if isinstance(member.model, MonotoneLogisticRegression):
        return _linear(member)
    explainer = shap.TreeExplainer(member.model)
    return lambda matrix: _with_base(explainer.shap_values(matrix), explainer.expected_value)


def _by_booster(member: Member) -> Explain:
    if isinstance(member.model, MonotoneLogisticRegression):
        return _linear(member)
    if isinstance(member.model, LogOddsXGBoost):
        booster = member.model.get_booster()
        return lambda matrix: booster.predict(DMatrix(matrix), pred_contribs=True)
    return lambda matrix: member.model.booster_.predict(matrix, pred_contrib=True)


def _linear(member: Member) -> Explain:
    explainer = shap.LinearExplainer((member.model.coef_, member.model.intercept_), member.background)
    return lambda matrix: _with_base(explainer.shap_values(matrix), explainer.expected_value)


def _with_base(values: Any, base: Any) -> Floats:
    return np.column_stack([values, np.full(len(values), np.ravel(base)[-1])])


def _milliseconds(members: Sequence[Member], explains: Sequence[Explain]) -> float:
    """Median processor time over the clients, one at a time."""
    taken = []
    for member, explain in zip(members, explains, strict=True):
        explain(member.matrix)  # compiles what numba compiles
    for row in range(len(members[0].matrix)):
        began = time.process_time()
        for member, explain in zip(members, explains, strict=True):
            explain(member.matrix[row : row + 1])
        taken.append((time.process_time() - began) * 1000)
    return median(taken)


if __name__ == "__main__":
    main(*sys.argv[1:])
