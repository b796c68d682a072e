"""Compare the candidates and their ensemble on folds that the search has not used; a simpler one wins a tie."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.special import expit
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from credit_scoring.application.arrays import Floats, Rows
from credit_scoring.data.datasets import Dataset, Outcomes
from credit_scoring.evaluation.performance import recall
from credit_scoring.model.calibration import CalibratedClassifier
from credit_scoring.model.card import CandidateResult, Interval
from credit_scoring.model.estimators import LogOddsEnsemble
from credit_scoring.model.features import Columns
from credit_scoring.training.candidates import (
    CANDIDATE_BY_NAME,
    ENSEMBLE,
    ENSEMBLE_COST,
    ENSEMBLE_MEMBERS,
    Candidate,
    Parameters,
)
from credit_scoring.training.comparison import (
    Contender,
    behind_best,
    choose,
    corrected_interval,
    cross_stacked,
    fold_aucs,
    stacking_weights,
)
from credit_scoring.training.config import TrainingPlan


@dataclass(frozen=True)
class Compared:
    """The candidates, best first, which one was chosen, and the weights of the ensemble's members.

    `monotone_price` is the AUC that the best candidate gains without constraints; None where that was not searched.
    """

    results: tuple[CandidateResult, ...]
    chosen: str
    weights: Mapping[str, float]
    monotone_price: Interval | None

    @property
    def parameters(self) -> dict[str, Parameters]:
        """The best parameters of each candidate that was searched."""
        return {result.name: result.parameters for result in self.results if result.name != ENSEMBLE}


def compare(
    results: Sequence[CandidateResult], part: Dataset, plan: TrainingPlan, unconstrained: CandidateResult | None = None
) -> Compared:
    """Compare the candidates and their ensemble by repeated cross-validation and choose; a simpler one wins a tie.

    `unconstrained` is the best candidate without constraints; it is compared, but never chosen.
    """
    pipelines = {each.name: _pipeline(each.name, part.columns, each.parameters, plan) for each in results}
    best = max(results, key=_auc_mean)
    if unconstrained:
        columns = part.columns.unconstrained()
        pipelines[unconstrained.name] = _pipeline(best.name, columns, unconstrained.parameters, plan)
    log_odds, held_out = _held_out_log_odds(pipelines, part, plan)
    members = {name: log_odds[name] for name in ENSEMBLE_MEMBERS if name in log_odds}
    weights = stacking_weights(members, part.defaulted) if members else {}
    if len(weights) > 1:
        log_odds[ENSEMBLE] = cross_stacked(members, part.defaulted, held_out)
    aucs = {name: fold_aucs(part.defaulted, each, held_out) for name, each in log_odds.items()}
    price = None
    if unconstrained:
        price = corrected_interval(aucs.pop(unconstrained.name) - aucs[best.name], plan.folds)
    known = {each.name: each for each in results}
    if ENSEMBLE in aucs:
        known[ENSEMBLE] = _ensemble_result(weights, aucs[ENSEMBLE], log_odds[ENSEMBLE], held_out, part, plan)
    return Compared(*_ranked(known, aucs, plan), weights, price)


def _ranked(
    known: Mapping[str, CandidateResult], aucs: Mapping[str, Floats], plan: TrainingPlan
) -> tuple[tuple[CandidateResult, ...], str]:
    costs = {**{name: candidate.cost for name, candidate in CANDIDATE_BY_NAME.items()}, ENSEMBLE: ENSEMBLE_COST}
    contenders = [Contender(name, costs[name], each) for name, each in aucs.items()]
    behind = behind_best(contenders, plan.folds)
    full = [
        each.model_copy(
            update={"repeated_auc": corrected_interval(aucs[name], plan.folds), "behind_best": behind[name]}
        )
        for name, each in known.items()
    ]
    ranked = sorted(full, key=lambda each: float(aucs[each.name].mean()), reverse=True)
    return tuple(ranked), choose(contenders, plan.folds)


def _ensemble_result(
    weights: Mapping[str, float],
    aucs: Floats,
    log_odds: Floats,
    held_out: Sequence[Rows],
    part: Dataset,
    plan: TrainingPlan,
) -> CandidateResult:
    recalls = [
        recall(part.defaulted[rows], expit(log_odds[i // plan.folds][rows]), plan.costs.break_even)
        for i, rows in enumerate(held_out)
    ]
    return CandidateResult(
        name=ENSEMBLE,
        trials=0,
        auc_mean=float(aucs.mean()),
        auc_std=float(aucs.std()),
        recall_mean=float(np.mean(recalls)),
        recall_std=float(np.std(recalls)),
        parameters={"weights": dict(weights)},
    )


def _auc_mean(result: CandidateResult) -> float:
    return result.auc_mean


def _pipeline(name: str, columns: Columns, parameters: Parameters, plan: TrainingPlan) -> Pipeline:
    return CANDIDATE_BY_NAME[name].pipeline(columns, parameters, plan.seed)


def _held_out_log_odds(
    pipelines: Mapping[str, Pipeline], part: Dataset, plan: TrainingPlan
) -> tuple[dict[str, Floats], list[Rows]]:
    """Log-odds by name, shape (repeats, rows), each from a model that did not see the row; and the parts held out."""
    frame, defaulted = part.frame[list(part.features)], part.defaulted
    splits = [
        (repeat, fit_rows, held_out)
        for repeat, splitter in enumerate(plan.comparison_splitters())
        for fit_rows, held_out in splitter.split(frame, defaulted)
    ]
    jobs = [(name, *split) for split in splits for name in pipelines]
    scores = Parallel(n_jobs=plan.jobs)(
        delayed(_fold_log_odds)(pipelines[name], frame, defaulted, fit_rows, held_out)
        for name, _, fit_rows, held_out in jobs
    )
    found = {name: np.empty((plan.repeats, len(defaulted))) for name in pipelines}
    for (name, repeat, _, held_out), each in zip(jobs, scores, strict=True):
        found[name][repeat, held_out] = each
    return found, [held_out for _, _, held_out in splits]


def _fold_log_odds(pipeline: Pipeline, frame: pd.DataFrame, defaulted: Outcomes, fit_rows: Rows, held_out: Rows) -> Any:
    return clone(pipeline).fit(frame.iloc[fit_rows], defaulted[fit_rows]).decision_function(frame.iloc[held_out])


def calibrated_choice(found: Compared, part: Dataset, plan: TrainingPlan) -> Pipeline:
    """The unfitted, calibrated pipeline of the chosen candidate or ensemble."""
    if found.chosen == ENSEMBLE:
        return calibrated_ensemble(found.weights, found.parameters, part, plan)
    return calibrated(CANDIDATE_BY_NAME[found.chosen], part, found.parameters[found.chosen], plan)


def calibrated(candidate: Candidate, part: Dataset, parameters: Parameters, plan: TrainingPlan) -> Pipeline:
    """The candidate's unfitted pipeline with its classifier calibrated on held-out log-odds."""
    pipeline = candidate.pipeline(part.columns, parameters, plan.seed)
    name, classifier = pipeline.steps[-1]
    return Pipeline([*pipeline.steps[:-1], (name, CalibratedClassifier(classifier, plan.folds, plan.seed))])


def calibrated_ensemble(
    weights: Mapping[str, float], parameters: Mapping[str, Parameters], part: Dataset, plan: TrainingPlan
) -> Pipeline:
    """The unfitted weighted mean of these candidates at their parameters, calibrated as one."""
    members = [_pipeline(name, part.columns, parameters[name], plan) for name in weights]
    ensemble = LogOddsEnsemble(members, [*weights.values()])
    return Pipeline([("classifier", CalibratedClassifier(ensemble, plan.folds, plan.seed))])
