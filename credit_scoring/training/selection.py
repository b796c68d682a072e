"""Compare the candidates and their ensemble on folds that the search has not used; a simpler one wins a tie."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.special import expit
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold
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
from credit_scoring.training.clock import Clock
from credit_scoring.training.comparison import (
    Contender,
    beaten,
    behind_best,
    choose,
    corrected_interval,
    cross_stacked,
    decided,
    fold_aucs,
    stacking_weights,
)
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.search import Searched

Split = tuple[Rows, Rows]


@dataclass(frozen=True)
class Compared:
    """The candidates, best first, which one was chosen, and the weights of the ensemble's members.

    `monotone_price` is the AUC that the best candidate gains without constraints; None where that was not searched.
    `part` is what they were compared on, all of the training part or a sample of it; `log_odds` are those of the chosen
    one for each of its rows, held out, of the first repeat.
    """

    results: tuple[CandidateResult, ...]
    chosen: str
    weights: Mapping[str, float]
    monotone_price: Interval | None
    part: Dataset
    log_odds: Floats

    @property
    def parameters(self) -> dict[str, Parameters]:
        """The best parameters of each candidate that was searched."""
        return {result.name: result.parameters for result in self.results if result.name != ENSEMBLE}

    @property
    def used(self) -> dict[str, Parameters]:
        """Those of the chosen candidate, or of the members of the chosen ensemble."""
        names = self.weights if self.chosen == ENSEMBLE else [self.chosen]
        return {name: self.parameters[name] for name in names}

    def with_parameters(self, parameters: Mapping[str, Parameters]) -> Self:
        """The same choice with other parameters of some candidates."""
        results = [
            each.model_copy(update={"parameters": dict(parameters[each.name])}) if each.name in parameters else each
            for each in self.results
        ]
        return replace(self, results=tuple(results))


def compare(
    results: Sequence[Searched],
    part: Dataset,
    plan: TrainingPlan,
    unconstrained: Searched | None = None,
    clock: Clock | None = None,
) -> Compared:
    """Compare the candidates and their ensemble by repeated cross-validation and choose; a simpler one wins a tie.

    `unconstrained` is the best candidate without constraints; it is compared, but never chosen. The comparison ends
    when it is decided, or when another repeat would take longer than the clock has left.
    """
    best = max(results, key=_auc_mean).name
    pipelines = {each.name: _pipeline(each.name, part.columns, each.parameters, plan) for each in results}
    if unconstrained:
        columns = part.columns.unconstrained()
        pipelines[unconstrained.name] = _pipeline(best, columns, unconstrained.parameters, plan)
    comparison = _Comparison(pipelines, part, plan)
    for splitter in comparison.splitters(clock or Clock()):
        comparison.add(splitter)
        if decided(comparison.contenders, plan.folds):
            break
    price = comparison.gain(unconstrained.name, best) if unconstrained else None
    ranked, chosen = comparison.ranked(results), choose(comparison.contenders, plan.folds)
    return Compared(ranked, chosen, comparison.weights, price, part, comparison.first_log_odds(chosen))


class _Comparison:
    """Held-out log-odds of each pipeline and of their ensemble, repeat by repeat."""

    def __init__(self, pipelines: Mapping[str, Pipeline], part: Dataset, plan: TrainingPlan) -> None:
        self.pipelines, self.part, self.plan = dict(pipelines), part, plan
        self.held_out: list[Rows] = []
        self.log_odds: dict[str, Floats] = {name: np.empty((0, len(part.frame))) for name in pipelines}
        self.weights: Mapping[str, float] = {}

    def splitters(self, clock: Clock) -> Iterator[StratifiedKFold]:
        """The foldings of the repeats that there is time for; the first always, others if they end in time."""
        before, longest = clock.gone, 0.0
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
        return corrected_interval(self._aucs(name) - self._aucs(over)[: len(self._aucs(name))], self.plan.folds)

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


def _auc_mean(result: Searched) -> float:
    return result.auc_mean


def _pipeline(name: str, columns: Columns, parameters: Parameters, plan: TrainingPlan) -> Pipeline:
    return CANDIDATE_BY_NAME[name].pipeline(columns, parameters, plan.seed)


def held_out_log_odds(
    pipelines: Mapping[str, Pipeline], part: Dataset, splits: Sequence[Split], plan: TrainingPlan
) -> dict[str, Floats]:
    """Log-odds by name, shape (rows,), each from a model that did not see the row."""
    frame, defaulted = part.frame[list(part.features)], part.defaulted
    jobs = [(name, *split) for split in splits for name in pipelines]
    scores = Parallel(n_jobs=plan.jobs)(
        delayed(_fold_log_odds)(pipelines[name], frame, defaulted, fit_rows, held_out)
        for name, fit_rows, held_out in jobs
    )
    found = {name: np.empty(len(defaulted)) for name in pipelines}
    for (name, _, held_out), each in zip(jobs, scores, strict=True):
        found[name][held_out] = each
    return found


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
