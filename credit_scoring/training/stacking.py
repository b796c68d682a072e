"""The ensemble: a weighted mean of models' log-odds, whose weights are learned from what each said of unseen rows."""

from collections.abc import Mapping, Sequence

import numpy as np

from credit_scoring.application.arrays import Flags, Floats, Rows
from credit_scoring.model.calibration import ALMOST_FREE
from credit_scoring.model.estimators import MonotoneLogisticRegression, weighted_mean


def stacking_weights(log_odds: Mapping[str, Floats], defaulted: Flags) -> dict[str, float]:
    """Weights that sum to 1, of the models that get any (Wolpert 1992; none is negative, Breiman 1996).

    `log_odds` has for each model what it said of rows that it had not seen, shape (repeats, rows). A model gets none
    where the others leave nothing for it to add, so a poor one does no harm; no model gets any where none can rank.
    """
    said = np.column_stack([each.ravel() for each in log_odds.values()])
    outcomes = np.tile(defaulted, len(said) // len(defaulted))
    rising = [1] * len(log_odds)
    weights = MonotoneLogisticRegression(C=ALMOST_FREE, monotone_constraints=rising).fit(said, outcomes).coef_
    return {name: float(each / weights.sum()) for name, each in zip(log_odds, weights, strict=True) if each > 0}


def cross_stacked(log_odds: Mapping[str, Floats], defaulted: Flags, held_out: Sequence[Rows]) -> Floats:
    """Log-odds of the ensemble, shape (repeats, rows), each by weights that were learned on the other folds.

    `held_out` has the folds of all repeats in order, as `comparison.fold_aucs` takes them.
    """
    shape = next(iter(log_odds.values())).shape
    stacked = np.empty(shape)
    for number, rows in enumerate(held_out):
        repeat = number // (len(held_out) // shape[0])
        others = np.setdiff1d(np.arange(shape[1]), rows)
        weights = stacking_weights({name: each[repeat, others] for name, each in log_odds.items()}, defaulted[others])
        said = [log_odds[name][repeat, rows] for name in weights]
        stacked[repeat, rows] = weighted_mean(said, [*weights.values()]) if weights else 0.0
    return stacked
