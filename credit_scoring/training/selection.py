"""Compare the candidates and their ensemble on folds that the search has not used; a simpler one wins a tie."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from sklearn.pipeline import Pipeline

from credit_scoring.application.arrays import Floats
from credit_scoring.data.datasets import Dataset
from credit_scoring.model.calibration import CalibratedClassifier
from credit_scoring.model.card import CandidateResult, Interval
from credit_scoring.model.estimators import LogOddsEnsemble
from credit_scoring.training.candidates import CANDIDATE_BY_NAME, ENSEMBLE, Candidate
from credit_scoring.training.clock import Clock
from credit_scoring.training.comparison import choose, decided
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.contest import Contest
from credit_scoring.training.search import Searched
from credit_scoring.training.spaces import Parameters
from credit_scoring.training.students import candidate_of


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
    def heaviest(self) -> str:
        """The chosen candidate, or the member of the chosen ensemble that has the most weight."""
        return max(self.weights, key=lambda name: self.weights[name]) if self.chosen == ENSEMBLE else self.chosen

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
    pipelines = {
        each.name: CANDIDATE_BY_NAME[each.name].pipeline(part.columns, each.parameters, plan.seed) for each in results
    }
    if unconstrained:
        columns = part.columns.unconstrained()
        pipelines[unconstrained.name] = CANDIDATE_BY_NAME[best].pipeline(columns, unconstrained.parameters, plan.seed)
    contest = Contest(pipelines, part, plan)
    for splitter in contest.splitters(clock or Clock()):
        contest.add(splitter)
        if decided(contest.contenders, plan.folds):
            break
    price = contest.gain(unconstrained.name, best) if unconstrained else None
    ranked, chosen = contest.ranked(results), choose(contest.contenders, plan.folds)
    return Compared(ranked, chosen, contest.weights, price, part, contest.first_log_odds(chosen))


def _auc_mean(result: Searched) -> float:
    return result.auc_mean


def calibrated_choice(found: Compared, part: Dataset, plan: TrainingPlan) -> Pipeline:
    """The unfitted, calibrated pipeline of the chosen candidate or ensemble."""
    if found.chosen == ENSEMBLE:
        return calibrated_ensemble(found.weights, found.parameters, part, plan)
    return calibrated(candidate_of(found.chosen), part, found.parameters[found.chosen], plan)


def uncalibrated(pipeline: Pipeline) -> Pipeline:
    """An unfitted pipeline that `calibrated_choice` gives, without its calibration."""
    *steps, (name, classifier) = pipeline.steps
    return Pipeline([*steps, (name, classifier.estimator)])


def calibrated(candidate: Candidate, part: Dataset, parameters: Parameters, plan: TrainingPlan) -> Pipeline:
    """The candidate's unfitted pipeline with its classifier calibrated on held-out log-odds."""
    pipeline = candidate.pipeline(part.columns, parameters, plan.seed)
    name, classifier = pipeline.steps[-1]
    return Pipeline([*pipeline.steps[:-1], (name, CalibratedClassifier(classifier, plan.folds, plan.seed))])


def calibrated_ensemble(
    weights: Mapping[str, float], parameters: Mapping[str, Parameters], part: Dataset, plan: TrainingPlan
) -> Pipeline:
    """The unfitted weighted mean of these candidates at their parameters, calibrated as one."""
    classifier = CalibratedClassifier(ensemble(weights, parameters, part, plan), plan.folds, plan.seed)
    return Pipeline([("classifier", classifier)])


def ensemble(
    weights: Mapping[str, float], parameters: Mapping[str, Parameters], part: Dataset, plan: TrainingPlan
) -> LogOddsEnsemble:
    """The same, unfitted and not calibrated."""
    members = [CANDIDATE_BY_NAME[name].pipeline(part.columns, parameters[name], plan.seed) for name in weights]
    return LogOddsEnsemble(members, [*weights.values()])
