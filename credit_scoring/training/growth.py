"""More rows carry more trees: the number of trees of boosters that were searched on a sample."""

from collections.abc import Mapping

from credit_scoring.data.datasets import Dataset
from credit_scoring.training.candidates import CANDIDATE_BY_NAME
from credit_scoring.training.clock import Clock
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.folds import prepared
from credit_scoring.training.search import fold_aucs_by_trees
from credit_scoring.training.spaces import TREES, Parameters
from credit_scoring.training.students import twin_of
from credit_scoring.training.threads import threads_for


def grown(
    parameters: Mapping[str, Parameters], part: Dataset, plan: TrainingPlan, clock: Clock | None = None
) -> dict[str, Parameters]:
    """The same parameters with the number of trees that is best on one held-out fold of these rows, for boosters.

    A taught one has as many as its twin. One after the other, each in threads. One that the clock cuts short has no
    fewer than before.
    """
    names = [name for name in parameters if CANDIDATE_BY_NAME[twin_of(name)].grows]
    if not names:
        return dict(parameters)
    split = next(iter(plan.splitter().split(part.defaulted, part.defaulted)))
    (fold,) = prepared(part, part.columns, [split], scale=False)
    directions = part.columns.risk_directions
    trees, threads, clock = {}, threads_for(plan.jobs, 1, len(part.frame)), clock or Clock()
    for number, name in enumerate(names):
        booster = CANDIDATE_BY_NAME[twin_of(name)].build(parameters[name], directions, plan.seed)
        seconds = max(0.0, clock.left) / (len(names) - number)
        curve, took = fold_aucs_by_trees(booster.set_params(n_jobs=threads), fold, seconds)
        best = int(curve.argmax()) + 1
        trees[name] = best if took < seconds else max(best, parameters[name][TREES])
    return {**parameters, **{name: {**parameters[name], TREES: trees[name]} for name in names}}
