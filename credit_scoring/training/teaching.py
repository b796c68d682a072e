"""Boosters that a teacher helps to fit, against what was chosen without it; one of them is taken only beyond noise."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.special import expit
from sklearn.pipeline import Pipeline

from credit_scoring.application.arrays import Floats, Rows
from credit_scoring.data.datasets import Dataset
from credit_scoring.evaluation.performance import auc, recall
from credit_scoring.model.card import MATTERS, CandidateResult, Interval, Teaching
from credit_scoring.training.candidates import CANDIDATE_BY_NAME, ENSEMBLE
from credit_scoring.training.comparison import corrected_interval, fold_aucs
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.held_out import held_out_log_odds
from credit_scoring.training.search import HOPELESS, Searched
from credit_scoring.training.selection import Compared, ensemble
from credit_scoring.training.spaces import Parameters
from credit_scoring.training.students import SHARE, STUDENT_BY_TWIN, STUDENTS, softened
from credit_scoring.training.teacher import Teacher


def pupils(results: Sequence[Searched]) -> list[Searched]:
    """The boosters that are worth teaching: not hopelessly behind the best candidate of the search."""
    best = max(each.auc_mean for each in results)
    return [each for each in results if each.name in STUDENT_BY_TWIN and each.auc_mean >= best - HOPELESS]


def taught(
    found: Compared, results: Sequence[Searched], part: Dataset, teacher: Teacher, plan: TrainingPlan
) -> tuple[Compared, Teaching]:
    """The choice with students in it, and what they gain; each is fitted at its twin's parameters.

    All are compared on the teacher's folds, by outcomes alone, and students' labels know no outcome of the fold that is
    held out. Where these rows leave a fold without one of the outcomes, nobody is taught.
    """
    own = teacher.of(part)
    teaching = Teaching(
        sha256=teacher.sha256, auc=auc(part.defaulted, own.out_of_fold, 0.0), share=SHARE, over=found.chosen, gains={}
    )
    held_out = [rows for _, rows in own.splits]
    if not all(0 < part.defaulted[rows].sum() < len(rows) for rows in held_out):
        return found, teaching
    students = {STUDENT_BY_TWIN[each.name].name: found.parameters[each.name] for each in pupils(results)}
    pipelines = {name: STUDENTS[name].pipeline(part.columns, each, plan.seed) for name, each in students.items()}
    labels = {name: [softened(part.defaulted, each) for each in own.without] for name in students}
    log_odds = held_out_log_odds(
        {found.chosen: _untaught(found, part, plan), **pipelines}, part, own.splits, plan, labels
    )
    aucs = {name: fold_aucs(part.defaulted, each[None], held_out) for name, each in log_odds.items()}
    gains = {name: corrected_interval(aucs[name] - aucs[found.chosen], len(held_out)) for name in students}
    tried = [
        _result(name, parameters, aucs[name], gains[name], _recalls(log_odds[name], part, held_out, plan))
        for name, parameters in students.items()
    ]
    found = replace(found, results=(*found.results, *tried))
    if best := _best(gains):
        found = replace(found, chosen=best, part=part, log_odds=log_odds[best])
    return found, teaching.model_copy(update={"gains": gains})


def _best(gains: Mapping[str, Interval]) -> str | None:
    """The student that gains most, of those that do so beyond noise and by what matters."""
    better = [name for name, gain in gains.items() if gain.low > 0 and gain.value > MATTERS]
    return max(better, key=lambda name: gains[name].value, default=None)


def _untaught(found: Compared, part: Dataset, plan: TrainingPlan) -> Pipeline:
    """What was chosen without a teacher, unfitted and not calibrated."""
    if found.chosen == ENSEMBLE:
        return Pipeline([("classifier", ensemble(found.weights, found.parameters, part, plan))])
    candidate = CANDIDATE_BY_NAME[found.chosen]
    return candidate.pipeline(part.columns, found.parameters[found.chosen], plan.seed)


def _recalls(log_odds: Floats, part: Dataset, held_out: Sequence[Rows], plan: TrainingPlan) -> Floats:
    risk = expit(log_odds)
    return np.array([recall(part.defaulted[rows], risk[rows], plan.costs.break_even) for rows in held_out])


def _result(name: str, parameters: Parameters, aucs: Floats, gain: Interval, recalls: Floats) -> CandidateResult:
    return CandidateResult(
        name=name,
        trials=0,
        auc_mean=float(aucs.mean()),
        auc_std=float(aucs.std()),
        recall_mean=float(recalls.mean()),
        recall_std=float(recalls.std()),
        parameters=dict(parameters),
        repeated_auc=corrected_interval(aucs, len(aucs)),
        behind_best=Interval(value=-gain.value, low=-gain.high, high=-gain.low),
    )
