"""The search: each candidate at the hyper-parameters that rank best in cross-validation."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optuna
import pandas as pd
from joblib import Parallel, delayed
from sklearn.pipeline import Pipeline

from credit_scoring.application.arrays import Floats
from credit_scoring.data.datasets import Dataset, Outcomes
from credit_scoring.evaluation.performance import auc, recall
from credit_scoring.model.card import CandidateResult
from credit_scoring.model.features import Columns
from credit_scoring.training.candidates import CANDIDATE_BY_NAME, CANDIDATES, UNCONSTRAINED, Candidate
from credit_scoring.training.config import TrainingPlan

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class TrialReport:
    """One finished trial, for the callback `on_trial`; `auc` is the mean over the folds."""

    candidate: Candidate
    number: int
    trials: int
    auc: float
    best_auc: float


OnTrial = Callable[[TrialReport], None]


def search(train_part: Dataset, plan: TrainingPlan, on_trial: OnTrial) -> list[CandidateResult]:
    """Search every candidate; returns each at its best parameters, best first."""
    end = time.monotonic() + plan.timeout if plan.timeout else None
    results = []
    for number, candidate in enumerate(CANDIDATES):
        waiting = len(CANDIDATES) - number + 1  # the last one is `search_unconstrained`
        deadline = end and time.monotonic() + (end - time.monotonic()) / waiting
        results.append(_search_candidate(candidate, train_part, train_part.columns, plan, deadline, on_trial))
    return sorted(results, key=lambda result: result.auc_mean, reverse=True)


def search_unconstrained(
    best: CandidateResult, train_part: Dataset, plan: TrainingPlan, on_trial: OnTrial
) -> CandidateResult:
    """Search the best candidate again with as many trials, without monotone constraints.

    Starts at the best constrained parameters: worse ones could hide what the constraints cost.
    """
    candidate = CANDIDATE_BY_NAME[best.name]
    free = replace(candidate, name=UNCONSTRAINED, start=best.parameters, other_starts=tuple(candidate.starts))
    deadline = time.monotonic() + plan.timeout / (len(CANDIDATES) + 1) if plan.timeout else None
    return _search_candidate(free, train_part, train_part.columns.unconstrained(), plan, deadline, on_trial)


def _search_candidate(
    candidate: Candidate,
    part: Dataset,
    columns: Columns,
    plan: TrainingPlan,
    deadline: float | None,
    on_trial: OnTrial,
) -> CandidateResult:
    """Tree-structured Parzen estimator over the candidate's space (Bergstra et al. 2011), sequential and seeded."""
    trials = plan.trials_of(candidate)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=plan.seed))
    for start in candidate.starts:
        study.enqueue_trial(dict(start))
    tried: list[tuple[dict[str, Any], FoldScores]] = []
    for number in _until(deadline, trials):
        trial = study.ask()
        parameters = candidate.suggest(trial)
        scores = _cross_validate(candidate.pipeline(columns, parameters, plan.seed), part, plan)
        study.tell(trial, scores.auc_mean)
        tried.append((parameters, scores))
        on_trial(TrialReport(candidate, number, trials, scores.auc_mean, study.best_value))
    parameters, scores = max(tried, key=lambda pair: pair[1].auc_mean)
    return CandidateResult(
        name=candidate.name,
        trials=len(tried),
        auc_mean=scores.auc_mean,
        auc_std=float(np.std(scores.auc)),
        recall_mean=float(np.mean(scores.recall)),
        recall_std=float(np.std(scores.recall)),
        parameters=parameters,
    )


def _until(deadline: float | None, trials: int) -> Iterator[int]:
    """Numbers of the trials that may still start; the first always may."""
    for number in range(1, trials + 1):
        if number > 1 and deadline is not None and time.monotonic() >= deadline:
            return
        yield number


@dataclass(frozen=True)
class FoldScores:
    """AUC of each fold, and recall of the bad class at the break-even probability."""

    auc: tuple[float, ...]
    recall: tuple[float, ...]

    @property
    def auc_mean(self) -> float:
        """Mean over the folds."""
        return float(np.mean(self.auc))


def _cross_validate(pipeline: Pipeline, part: Dataset, plan: TrainingPlan) -> FoldScores:
    frame, defaulted = part.frame[list(part.features)], part.defaulted
    folds: Sequence[tuple[float, float]] = Parallel(n_jobs=plan.jobs)(
        delayed(_score_fold)(pipeline, frame, defaulted, fit_rows, held_out, plan.costs.break_even)
        for fit_rows, held_out in plan.splitter().split(frame, defaulted)
    )
    return FoldScores(tuple(fold[0] for fold in folds), tuple(fold[1] for fold in folds))


def _score_fold(
    pipeline: Pipeline, frame: pd.DataFrame, defaulted: Outcomes, fit_rows: Any, held_out: Any, threshold: float
) -> tuple[float, float]:
    pipeline.fit(frame.iloc[fit_rows], defaulted[fit_rows])
    risk: Floats = np.asarray(pipeline.predict_proba(frame.iloc[held_out])[:, 1], dtype=np.float64)
    return auc(defaulted[held_out], risk, threshold), recall(defaulted[held_out], risk, threshold)
