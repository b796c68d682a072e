"""One outer fold: search, choice and calibration on its training part, figures on the part that is held out."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel
from rich.console import Console
from scipy.special import logit
from sklearn.pipeline import Pipeline

from credit_scoring.application.arrays import Floats
from credit_scoring.data.datasets import Dataset
from credit_scoring.data.samples import rows_to_fold, sampled
from credit_scoring.model.calibration import CalibratedClassifier
from credit_scoring.model.estimators import weighted_mean
from credit_scoring.training.candidates import CANDIDATE_BY_NAME, CANDIDATES, ENSEMBLE, Candidate
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.growth import grown
from credit_scoring.training.search import Searched, TrialReport, search
from credit_scoring.training.selection import Compared, calibrated_choice, calibrated_ensemble, compare
from credit_scoring.training.spaces import Parameters
from credit_scoring.training.train import GROWTH

CHOSEN = "as `train` chooses"

console = Console(stderr=True)


class Fold(BaseModel):
    """What one outer fold gave: log-odds of each model and calibrated risks, for the rows that were held out.

    `chosen` is what `train` would have published; in `log_odds` and `risk` it stands as CHOSEN.
    `begun` are the log-odds of each booster at the best of the parameters that its search begins with; `searched` is
    how many trials its search made, those included.
    """

    trials: int
    inner_folds: int
    rows: list[int]
    defaulted: list[bool]
    chosen: str
    weights: dict[str, float]
    log_odds: dict[str, list[float]]
    begun: dict[str, list[float]]
    searched: dict[str, int]
    risk: dict[str, list[float]]
    calibration: dict[str, str]
    seconds: float


def measured(train_part: Dataset, test_part: Dataset, rows: list[int], plan: TrainingPlan) -> Fold:
    """The outer fold that holds out these rows."""
    start = time.monotonic()
    begun, results = _searched(train_part, plan)
    found = compare(results, sampled(train_part, rows_to_fold(train_part, plan.compare_rows), plan.seed), plan)
    parameters, weights = found.parameters, found.weights
    log_odds = {name: _log_odds(name, each, train_part, test_part, plan) for name, each in parameters.items()}
    log_odds[ENSEMBLE] = weighted_mean([log_odds[name] for name in weights], [*weights.values()])
    frame, unseen = train_part.frame[list(train_part.features)], test_part.frame[list(test_part.features)]
    ensemble = calibrated_ensemble(weights, parameters, train_part, plan).fit(frame, train_part.defaulted)
    fitted = {CHOSEN: _published(found, train_part, plan), ENSEMBLE: ensemble}
    risk = {name: pipeline.predict_proba(unseen)[:, 1] for name, pipeline in fitted.items()}
    log_odds[CHOSEN] = logit(risk[CHOSEN])
    return Fold(
        trials=plan.trials,
        inner_folds=plan.folds,
        rows=rows,
        defaulted=test_part.defaulted.tolist(),
        chosen=found.chosen,
        weights=dict(weights),
        log_odds={name: each.tolist() for name, each in log_odds.items()},
        begun={
            each.name: _log_odds(each.name, each.parameters, train_part, test_part, plan).tolist() for each in begun
        },
        searched={each.name: each.trials for each in results},
        risk={name: each.tolist() for name, each in risk.items()},
        calibration={name: _method(pipeline) for name, pipeline in fitted.items()},
        seconds=time.monotonic() - start,
    )


def _published(found: Compared, part: Dataset, plan: TrainingPlan) -> Pipeline:
    """What `train` would publish: grown where there are many more rows, calibrated on the comparison's log-odds."""
    if len(part.frame) > GROWTH * plan.rows_to_search(part):
        found = found.with_parameters(grown(found.used, part, plan))
    pipeline, held_out = calibrated_choice(found, part, plan), (found.log_odds, found.part.defaulted)
    frame = part.frame[list(part.features)]
    fitted: Pipeline = pipeline.fit(frame, part.defaulted, classifier__held_out=held_out)
    return fitted


def _searched(part: Dataset, plan: TrainingPlan) -> tuple[list[Searched], list[Searched]]:
    """The boosters at the best of their starts, and every candidate at the best of the whole search."""
    with tempfile.TemporaryDirectory() as folder:  # the search takes the trials of the starts from the journal
        kept = replace(plan, resume=Path(folder) / "trials.jsonl")
        begun = [_begun(part, kept, each) for each in CANDIDATES if each.grows]
        return begun, search(part, kept, _told)


def _begun(part: Dataset, plan: TrainingPlan, candidate: Candidate) -> Searched:
    """A booster at the best of its own starts, and of nothing drawn."""
    starts = len(candidate.starts_for(len(part.frame)))
    found = search(part, replace(plan, trials=starts), lambda _: None)
    return next(each for each in found if each.name == candidate.name)


def _told(report: TrialReport) -> None:
    console.print(f"{report.candidate.name} {report.auc:.4f}")


def _log_odds(name: str, parameters: Parameters, train_part: Dataset, test_part: Dataset, plan: TrainingPlan) -> Floats:
    """Of the rows that are held out, of a candidate fitted on all others."""
    pipeline = CANDIDATE_BY_NAME[name].pipeline(train_part.columns, parameters, plan.seed)
    pipeline.fit(train_part.frame[list(train_part.features)], train_part.defaulted)
    found: Floats = pipeline.decision_function(test_part.frame[list(test_part.features)])
    return found


def _method(pipeline: Pipeline) -> str:
    classifier: CalibratedClassifier = pipeline.named_steps["classifier"]
    return classifier.method_
