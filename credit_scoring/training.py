"""Search, compare, calibrate, choose the threshold, test once: from a data set to a scorer."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import optuna
import pandas as pd
from joblib import Parallel, delayed
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline

from credit_scoring.card import CandidateResult, DataSummary, ModelCard
from credit_scoring.datasets import Dataset, Outcomes
from credit_scoring.errors import ModelRejectedError
from credit_scoring.evaluation import auc, bootstrap, recall
from credit_scoring.manifest import library_versions
from credit_scoring.models import CANDIDATE_BY_NAME, CANDIDATES, Candidate, Parameters
from credit_scoring.policy import CostMatrix, Policy, choose_threshold
from credit_scoring.preprocessing import Columns, Floats
from credit_scoring.scorer import Scorer

optuna.logging.set_verbosity(optuna.logging.WARNING)

CALIBRATION = "sigmoid on log-odds, fitted on 5-fold out-of-fold scores"


@dataclass(frozen=True)
class TrainingPlan:
    """How to train. `trials` is per candidate, `timeout` in seconds for the whole search, `jobs` in processes.

    The same data, plan and libraries give the same model, whatever `jobs` is, unless a `timeout` cuts the search.
    """

    seed: int = 42
    trials: int = 30
    timeout: float | None = None
    jobs: int = -1
    folds: int = 5
    test_share: float = 0.2
    costs: CostMatrix = field(default_factory=CostMatrix)
    minimum_auc: float = 0.75
    minimum_recall: float = 0.5

    def trials_of(self, candidate: Candidate) -> int:
        """Search trials that a candidate gets, unless the timeout cuts them."""
        return max(1, round(self.trials * candidate.trials_share))

    def splitter(self) -> StratifiedKFold:
        """The folds that every choice is made on."""
        return StratifiedKFold(self.folds, shuffle=True, random_state=self.seed)


@dataclass(frozen=True)
class TrialReport:
    """One finished trial, for whoever shows progress; `auc` is the mean over the folds."""

    candidate: Candidate
    number: int
    trials: int
    auc: float
    best_auc: float


Listener = Callable[[TrialReport], None]


def train(dataset: Dataset, plan: TrainingPlan, listen: Listener = lambda _: None) -> Scorer:
    """The best candidate, calibrated, with its threshold, tested once on data that no choice has seen."""
    train_part, test_part = dataset.split(plan.test_share, plan.seed)
    results = search(train_part, plan, listen)
    best = max(results, key=lambda result: result.auc_mean)
    pipeline = calibrated(CANDIDATE_BY_NAME[best.name], train_part, best.parameters, plan)
    features = list(train_part.features)
    policy = _choose_policy(pipeline, train_part, plan)
    pipeline.fit(train_part.frame[features], train_part.defaulted)
    risk = pipeline.predict_proba(test_part.frame[features])[:, 1]
    card = ModelCard(
        trained_at=datetime.now(UTC),
        data=_summary(dataset, train_part, test_part),
        features=train_part.features,
        seed=plan.seed,
        chosen=best.name,
        candidates=tuple(results),
        calibration=CALIBRATION,
        test=bootstrap(test_part.defaulted, risk, policy.threshold, seed=plan.seed),
        minimum_auc=plan.minimum_auc,
        minimum_recall=plan.minimum_recall,
        library_versions=library_versions(),
    )
    return Scorer.of(pipeline, policy, card, train_part.frame)


def check_gate(card: ModelCard) -> None:
    """Raises ModelRejectedError when the test part says that this model must not be published."""
    for name, minimum in (("auc", card.minimum_auc), ("recall", card.minimum_recall)):
        found = card.test[name].value
        if not found >= minimum:
            raise ModelRejectedError(
                f"Not published: {name} on the test part is {found:.3f}, the gate asks for at least {minimum:g}. "
                f"Get more or better data, search longer (--trials), or lower --min-{name} if you can answer for it."
            )


def search(train_part: Dataset, plan: TrainingPlan, listen: Listener) -> list[CandidateResult]:
    """Every candidate at its best parameters, best first."""
    end = time.monotonic() + plan.timeout if plan.timeout else None
    results = []
    for number, candidate in enumerate(CANDIDATES):
        deadline = end and time.monotonic() + (end - time.monotonic()) / (len(CANDIDATES) - number)
        results.append(_search_candidate(candidate, train_part, plan, deadline, listen))
    return sorted(results, key=lambda result: result.auc_mean, reverse=True)


def calibrated(candidate: Candidate, part: Dataset, parameters: Parameters, plan: TrainingPlan) -> Pipeline:
    """The candidate's unfitted pipeline with its classifier calibrated: one model, out-of-fold sigmoid."""
    pipeline = candidate.pipeline(Columns.of(part.features), parameters, plan.seed)
    name, classifier = pipeline.steps[-1]
    wrapped = CalibratedClassifierCV(classifier, method="sigmoid", cv=plan.splitter(), ensemble=False)
    return Pipeline([*pipeline.steps[:-1], (name, wrapped)])


def _search_candidate(
    candidate: Candidate, part: Dataset, plan: TrainingPlan, deadline: float | None, listen: Listener
) -> CandidateResult:
    """Tree-structured Parzen estimator over the candidate's space (Bergstra et al. 2011), sequential and seeded."""
    trials = plan.trials_of(candidate)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=plan.seed))
    study.enqueue_trial(dict(candidate.start))
    tried: list[tuple[dict[str, Any], FoldScores]] = []
    for number in _until(deadline, trials):
        trial = study.ask()
        parameters = candidate.suggest(trial)
        scores = _cross_validate(candidate, part, parameters, plan)
        study.tell(trial, scores.auc_mean)
        tried.append((parameters, scores))
        listen(TrialReport(candidate, number, trials, scores.auc_mean, study.best_value))
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


def _cross_validate(candidate: Candidate, part: Dataset, parameters: Parameters, plan: TrainingPlan) -> FoldScores:
    frame, defaulted = part.frame[list(part.features)], part.defaulted
    pipeline = candidate.pipeline(Columns.of(part.features), parameters, plan.seed)
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


def _choose_policy(pipeline: Pipeline, part: Dataset, plan: TrainingPlan) -> Policy:
    frame = part.frame[list(part.features)]
    risk = cross_val_predict(
        pipeline, frame, part.defaulted, cv=plan.splitter(), method="predict_proba", n_jobs=plan.jobs
    )[:, 1]
    letter_value = part.frame["credit_letter_value"].to_numpy()
    threshold = choose_threshold(part.defaulted, risk, letter_value, plan.costs)
    return Policy(threshold=threshold, costs=plan.costs)


def _summary(dataset: Dataset, train_part: Dataset, test_part: Dataset) -> DataSummary:
    return DataSummary(
        source=dataset.source,
        sha256=dataset.sha256,
        note=dataset.note,
        rows_train=len(train_part.frame),
        rows_test=len(test_part.frame),
        bad_rows=len({bad.line for bad in dataset.bad_rows}),
        default_rate=float(dataset.defaulted.mean()),
    )
