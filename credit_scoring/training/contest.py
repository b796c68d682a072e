"""Candidates on the same held-out rows, repeat by repeat; what is beaten leaves early."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy.special import expit
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline

from credit_scoring.application.arrays import Floats, Rows
from credit_scoring.data.datasets import Dataset
from credit_scoring.evaluation.performance import recall
from credit_scoring.model.card import CandidateResult, Interval
from credit_scoring.training.candidates import CANDIDATE_BY_NAME, ENSEMBLE, ENSEMBLE_COST, ENSEMBLE_MEMBERS
from credit_scoring.training.clock import Clock
from credit_scoring.training.comparison import (
    Contender,
    beaten,
    behind_best,
    corrected_interval,
    cross_stacked,
    fold_aucs,
    stacking_weights,
)
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.held_out import held_out_log_odds
from credit_scoring.training.search import Searched


class Contest:
    """Held-out log-odds of each pipeline and of their ensemble, repeat by repeat."""

    def __init__(self, pipelines: Mapping[str, Pipeline], part: Dataset, plan: TrainingPlan) -> None:
        self.pipelines, self.part, self.plan = dict(pipelines), part, plan
        self.held_out: list[Rows] = []
        self.log_odds: dict[str, Floats] = {name: np.empty((0, len(part.frame))) for name in pipelines}
        self.weights: Mapping[str, float] = {}

    def splitters(self, clock: Clock) -> Iterator[StratifiedKFold]:
        """The foldings of the repeats that there is time for; the first always, others if they end in time."""
        before, longest = clock.gone, -np.inf
        for splitter in self.plan.comparison_splitters():
            if clock.left < longest:
                return
            yield splitter
            longest, before = max(longest, clock.gone - before), clock.gone

    def add(self, splitter: StratifiedKFold) -> None:
        """Fit what is still in the running on one more folding."""
        running = self._running()
        splits = list(splitter.split(self.part.defaulted, self.part.defaulted))
        found = held_out_log_odds({name: self.pipelines[name] for name in running}, self.part, splits, self.plan)
        self.held_out += [held_out for _, held_out in splits]
        for name, each in found.items():
            self.log_odds[name] = np.vstack([self.log_odds[name], each])
        members = {name: self.log_odds[name] for name in ENSEMBLE_MEMBERS if name in self.pipelines}
        self.weights = stacking_weights(members, self.part.defaulted) if members else {}
        self.log_odds.pop(ENSEMBLE, None)
        if len(self.weights) > 1:
            self.log_odds[ENSEMBLE] = cross_stacked(members, self.part.defaulted, self.held_out)

    def _running(self) -> list[str]:
        """All but those that are beaten already and are in no ensemble."""
        if not self.held_out:
            return [*self.pipelines]
        out = {each.name for each in self.contenders if beaten(each, self.contenders, self.plan.folds)}
        return [name for name in self.pipelines if name not in out or name in ENSEMBLE_MEMBERS]

    @property
    def contenders(self) -> list[Contender]:
        """Those that may be chosen."""
        costs = {**{name: candidate.cost for name, candidate in CANDIDATE_BY_NAME.items()}, ENSEMBLE: ENSEMBLE_COST}
        return [Contender(name, costs[name], self._aucs(name)) for name in self.log_odds if name in costs]

    def gain(self, name: str, over: str) -> Interval:
        """How much more AUC one of them has than another."""
        both = min(len(self._aucs(name)), len(self._aucs(over)))
        return corrected_interval(self._aucs(name)[:both] - self._aucs(over)[:both], self.plan.folds)

    def first_log_odds(self, name: str) -> Floats:
        """Held-out log-odds of the first repeat."""
        first: Floats = self.log_odds[name][0]
        return first

    def ranked(self, results: Sequence[Searched]) -> tuple[CandidateResult, ...]:
        """All of them, best first."""
        searched = {each.name: each for each in results}
        behind = behind_best(self.contenders, self.plan.folds)
        order = sorted(self.contenders, key=lambda each: float(each.aucs.mean()), reverse=True)
        return tuple(self._result(each, searched.get(each.name), behind[each.name]) for each in order)

    def _result(self, contender: Contender, searched: Searched | None, behind: Interval) -> CandidateResult:
        aucs = np.array(searched.aucs) if searched else contender.aucs
        recalls = self._recalls(contender.name)
        return CandidateResult(
            name=contender.name,
            trials=searched.trials if searched else 0,
            auc_mean=float(aucs.mean()),
            auc_std=float(aucs.std()),
            recall_mean=float(recalls.mean()),
            recall_std=float(recalls.std()),
            parameters=dict(searched.parameters) if searched else {"weights": dict(self.weights)},
            repeated_auc=corrected_interval(contender.aucs, self.plan.folds),
            behind_best=behind,
        )

    def _aucs(self, name: str) -> Floats:
        log_odds = self.log_odds[name]
        return fold_aucs(self.part.defaulted, log_odds, self.held_out[: len(log_odds) * self.plan.folds])

    def _recalls(self, name: str) -> Floats:
        log_odds, defaulted = self.log_odds[name], self.part.defaulted
        parts = enumerate(self.held_out[: len(log_odds) * self.plan.folds])
        risks = ((rows, expit(log_odds[number // self.plan.folds][rows])) for number, rows in parts)
        return np.array([recall(defaulted[rows], risk, self.plan.costs.break_even) for rows, risk in risks])
