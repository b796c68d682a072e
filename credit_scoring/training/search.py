"""The search: each candidate at the hyper-parameters that rank best in cross-validation."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import optuna
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.base import clone

from credit_scoring.application.arrays import Floats
from credit_scoring.data.datasets import Dataset
from credit_scoring.data.samples import sampled
from credit_scoring.evaluation.performance import auc
from credit_scoring.model.card import MATTERS
from credit_scoring.model.estimators import GrownByTrees
from credit_scoring.model.features import Columns
from credit_scoring.training.candidates import (
    CANDIDATE_BY_NAME,
    CANDIDATES,
    MOST_TREES,
    PATIENCE,
    UNCONSTRAINED,
    Candidate,
)
from credit_scoring.training.clock import Clock
from credit_scoring.training.comparison import corrected_interval
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.folds import Fold, content_of, prepared
from credit_scoring.training.journal import Journal, Tried, key_of
from credit_scoring.training.spaces import TREES, Parameters
from credit_scoring.training.threads import threads_for

FIRST_FOLDS = 2  # a trial that is behind the best one by more than MATTERS on these is not tried on the others
HOPELESS = 0.01  # of AUC; a candidate whose starts are further behind the best one is not searched any further
IDLE = 6  # trials in a row without one that is better beyond noise, after which a candidate is not searched any further
SHORTEST_S = 2.0  # seconds that boosters may grow in the folds of a trial, however little time there is

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class TrialReport:
    """One finished trial, for the callback `on_trial`; `auc` is the mean over the folds.

    `trials` is how many there will be at most; the last one of a candidate is `last`.
    """

    candidate: Candidate
    number: int
    trials: int
    auc: float
    best_auc: float
    last: bool


OnTrial = Callable[[TrialReport], None]


@dataclass(frozen=True)
class Searched:
    """The best trial of a candidate: its AUC on each fold, its parameters, and the seconds that a fit of it takes.

    `rows` are those that it was fitted on. `was_cut` is whether it has fewer trees than it would with more time.
    """

    name: str
    trials: int
    aucs: tuple[float, ...]
    parameters: Parameters
    rows: int
    seconds: float = field(compare=False)
    was_cut: bool = False

    @property
    def auc_mean(self) -> float:
        """Mean over the folds."""
        return float(np.mean(self.aucs))

    def seconds_on(self, rows: int) -> float:
        """What a fit on so many rows will take, roughly."""
        return self.seconds * rows / self.rows


def search(train_part: Dataset, plan: TrainingPlan, on_trial: OnTrial, clock: Clock | None = None) -> list[Searched]:
    """Search every candidate that suits the data; returns each at its best parameters, best first.

    With many rows, on a sample of them. Candidates that are not begun when the time is up are left out, all but the
    first.
    """
    part, clock = sampled(train_part, plan.rows_to_search(train_part), plan.seed), clock or Clock(plan.timeout)
    results: list[Searched] = []
    candidates = plan.suiting(CANDIDATES, train_part)
    for number, candidate in enumerate(candidates):
        if results and clock.left <= 0:
            break
        own = clock.share(1 / (len(candidates) - number + 1))  # the last one is `search_unconstrained`
        enough = max((each.auc_mean for each in results), default=0.0) - HOPELESS
        results.append(_Search(candidate, part, part.columns, plan, own, enough).run(on_trial))
    return sorted(results, key=lambda result: result.auc_mean, reverse=True)


def search_unconstrained(
    best: Searched, train_part: Dataset, plan: TrainingPlan, on_trial: OnTrial, clock: Clock | None = None
) -> Searched:
    """Search the best candidate again with as many trials, without monotone constraints, in what the clock has left.

    Starts at the best constrained parameters: worse ones could hide what the constraints cost.
    """
    part = sampled(train_part, plan.rows_to_search(train_part), plan.seed)
    clock = (clock or Clock(plan.timeout)).share(1)  # its own: trials are counted against the time since it began
    candidate = CANDIDATE_BY_NAME[best.name]
    free = replace(candidate, name=UNCONSTRAINED)
    free_search = _Search(free, part, part.columns.unconstrained(), plan, clock, 0.0)
    free_search.depends_on = (*free_search.depends_on, best.name)
    others = [each for each in free_search.starts if {**each, TREES: 0} != {**best.parameters, TREES: 0}]
    free_search.starts = [best.parameters, *others]
    return free_search.run(on_trial)


class _Search:
    """Tree-structured Parzen estimator over a candidate's space (Bergstra et al. 2011), sequential and seeded."""

    def __init__(
        self, candidate: Candidate, part: Dataset, columns: Columns, plan: TrainingPlan, clock: Clock, enough: float
    ) -> None:
        splits = list(plan.splitter().split(part.defaulted, part.defaulted))
        self.candidate, self.columns, self.plan, self.clock = candidate, columns, plan, clock
        self.enough, self.journal = enough, Journal.at(plan.resume)
        self.depends_on: tuple[object, ...] = (
            *(content_of(part), part.features, part.catalogue.model_dump_json(), columns.constrained),
            *(plan.seed, plan.folds, candidate.name),
        )
        self.folds, self.rows = prepared(part, columns, splits, scale=candidate.scale), len(part.frame)
        self.starts = candidate.starts_for(self.rows)
        self.best, self.was_cut, self.best_was_cut = Tried(parameters={}, aucs=(), seconds=0.0), False, False

    def run(self, on_trial: OnTrial) -> Searched:
        """Try the starts, then what the sampler draws, until nothing better comes or the time is up."""
        starts, trials = self.starts, self.plan.trials_of(self.candidate)
        sampler = optuna.samplers.TPESampler(seed=self.plan.seed, n_startup_trials=len(starts) + 2)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for start in starts:
            study.enqueue_trial({name: value for name, value in start.items() if not self._grows(name)})
        idle = number = 0
        last = False
        while not last:
            number += 1
            trial = study.ask()
            found = self._tried(self.candidate.suggest(trial, self.rows), is_start=number <= len(starts))
            study.tell(trial, found.auc)
            idle = 0 if found is self.best else idle + 1
            last = number == trials or self._ends(number, idle)
            on_trial(TrialReport(self.candidate, number, trials, found.auc, self.best.auc, last))
        return Searched(
            self.candidate.name,
            number,
            self.best.aucs,
            self.best.parameters,
            len(self.folds[0].outcomes),
            self.best.seconds,
            self.best_was_cut,
        )

    def _grows(self, parameter: str) -> bool:
        return self.candidate.grows and parameter == TREES

    def _ends(self, number: int, idle: int) -> bool:
        """Whether more trials are too long to wait for, or lead nowhere."""
        if self.clock.left <= self.clock.gone / number:
            return True
        return number >= len(self.starts) and (idle >= IDLE or self.best.auc < self.enough)

    def _tried(self, drawn: Parameters, *, is_start: bool) -> Tried:
        """The parameters with what they reach; they become the best ones if they are."""
        key = key_of(*self.depends_on, drawn)
        self.was_cut = False
        if not (trial := self.journal.find(key)):
            trial = self._fresh(drawn)
            if not self.was_cut:  # with more time it would be another
                self.journal.add(key, trial)
        if len(trial.aucs) == len(self.folds) and self._is_better(trial, is_start=is_start):
            self.best, self.best_was_cut = trial, self.was_cut
        return trial

    def _is_better(self, trial: Tried, *, is_start: bool) -> bool:
        """Whether it is ahead of the best so far: a start at all, what was drawn beyond noise.

        The best of many drawn ones is ahead by luck: on few rows, it did worse than the best start on rows held out.
        """
        if is_start or not self.best.aucs:
            return trial.auc > self.best.auc
        return corrected_interval(np.subtract(trial.aucs, self.best.aucs), self.plan.folds).low > 0

    def _fresh(self, drawn: Parameters) -> Tried:
        """Tried on the first folds, and on the others where that is worth it."""
        curves = self._curves(drawn, self.folds[:FIRST_FOLDS], self.folds[FIRST_FOLDS:])
        trial = _trial(drawn, curves, grows=self.candidate.grows)
        behind = self.best.on_first(FIRST_FOLDS).auc - trial.auc
        if behind > MATTERS:
            return trial.model_copy(update={"aucs": (self.best.auc - behind,)})  # comparable with trials on all folds
        curves += self._curves(drawn, self.folds[FIRST_FOLDS:])
        return _trial(drawn, curves, grows=self.candidate.grows)

    def _curves(
        self, drawn: Parameters, folds: Sequence[Fold], later: Sequence[Fold] = ()
    ) -> list[tuple[Floats, float]]:
        """The folds' curves, each in its part of the time that is left for them and for the `later` folds."""
        classifier = self.candidate.build(drawn, self.columns.risk_directions, self.plan.seed)
        workers = effective_n_jobs(self.plan.jobs)
        rounds = math.ceil(len(folds) / workers) + math.ceil(len(later) / workers)
        seconds = max(self.clock.left, SHORTEST_S) / max(1, rounds)
        even = len(folds) - len(folds) % workers
        return self._grown(classifier, folds[:even], seconds) + self._grown(classifier, folds[even:], seconds)

    def _grown(self, classifier: Any, folds: Sequence[Fold], seconds: float) -> list[tuple[Floats, float]]:
        """The folds' curves, and the seconds that one thread takes for each."""
        if not folds:
            return []
        threads = threads_for(self.plan.jobs, len(folds), self.rows) if self.candidate.takes_threads else 1
        if threads > 1:
            classifier = clone(classifier).set_params(n_jobs=threads)
        found: list[tuple[Floats, float]] = Parallel(n_jobs=self.plan.jobs)(
            delayed(fold_aucs_by_trees)(classifier, fold, seconds) for fold in folds
        )
        self.was_cut |= self.candidate.grows and any(took >= seconds for _, took in found)
        return [(curve, took * threads) for curve, took in found]


def _trial(drawn: Parameters, curves: Sequence[tuple[Floats, float]], *, grows: bool) -> Tried:
    """The best number of trees, the same for all folds, by the mean of their curves."""
    length = min(len(curve) for curve, _ in curves)
    heights = np.array([curve[:length] for curve, _ in curves])
    best = int(heights.mean(axis=0).argmax())
    grown = {TREES: best + 1} if grows else {}
    seconds = max(seconds * (best + 1) / len(curve) for curve, seconds in curves)
    return Tried(parameters={**drawn, **grown}, aucs=tuple(heights[:, best].tolist()), seconds=seconds)


def fold_aucs_by_trees(classifier: Any, fold: Fold, seconds: float = math.inf) -> tuple[Floats, float]:
    """AUC on what is held out, after each tree where it is a booster, and the seconds that it took.

    A booster grows for so many seconds at most.
    """
    began = time.perf_counter()
    if isinstance(classifier, GrownByTrees):
        grown = clone(classifier).set_params(n_estimators=MOST_TREES)
        patience = round(PATIENCE / grown.get_params()["learning_rate"])
        curve = grown.auc_by_trees(fold.fitted, fold.outcomes, fold.unseen, fold.unseen_outcomes, patience, seconds)
    else:
        log_odds = clone(classifier).fit(fold.fitted, fold.outcomes).decision_function(fold.unseen)
        curve = np.array([auc(fold.unseen_outcomes, log_odds, 0.0)])
    return curve, time.perf_counter() - began
