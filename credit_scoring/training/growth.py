"""More rows carry more trees: the number of trees of boosters that were searched on a sample."""

from collections.abc import Mapping

from joblib import Parallel, delayed

from credit_scoring.data.datasets import Dataset
from credit_scoring.training.candidates import CANDIDATE_BY_NAME
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.folds import prepared
from credit_scoring.training.search import fold_aucs_by_trees
from credit_scoring.training.spaces import TREES, Parameters
from credit_scoring.training.students import twin_of


def grown(parameters: Mapping[str, Parameters], part: Dataset, plan: TrainingPlan) -> dict[str, Parameters]:
    """The same parameters with the number of trees that is best on one held-out fold of these rows, for boosters.

    A taught one has as many as its twin.
    """
    names = [name for name in parameters if CANDIDATE_BY_NAME[twin_of(name)].grows]
    if not names:
        return dict(parameters)
    split = next(iter(plan.splitter().split(part.defaulted, part.defaulted)))
    (fold,) = prepared(part, part.columns, [split], scale=False)
    directions = part.columns.risk_directions
    curves = Parallel(n_jobs=plan.jobs)(
        delayed(fold_aucs_by_trees)(
            CANDIDATE_BY_NAME[twin_of(name)].build(parameters[name], directions, plan.seed), fold
        )
        for name in names
    )
    trees = {name: int(curve.argmax()) + 1 for name, (curve, _) in zip(names, curves, strict=True)}
    return {**parameters, **{name: {**parameters[name], TREES: trees[name]} for name in names}}
