"""Which candidate to take: differences over repeated cross-validation, with intervals that know that folds overlap."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from credit_scoring.application.arrays import Flags, Floats, Rows
from credit_scoring.evaluation.performance import auc
from credit_scoring.model.card import Interval

CONFIDENCE = 0.95
MATTERS = 0.003  # of AUC; less is not worth a dearer model, however certain it is


@dataclass(frozen=True)
class Contender:
    """A candidate with its AUC on each fold of each repeat, shape (repeats × folds,), and the rank of its cost."""

    name: str
    cost: int
    aucs: Floats


def fold_aucs(defaulted: Flags, log_odds: Floats, held_out: Sequence[Rows]) -> Floats:
    """AUC of each part held out; `log_odds` has one row per repeat, `held_out` the parts of all repeats in order."""
    folds = len(held_out) // len(log_odds)
    found = [auc(defaulted[rows], log_odds[i // folds][rows], 0.0) for i, rows in enumerate(held_out)]
    return np.array(found)


def corrected_interval(values: Floats, folds: int) -> Interval:
    """Mean of fold-wise values with its 95 % interval.

    Training parts of different folds overlap, so the variance of the mean is (1/n + 1/(folds - 1)) times that of the
    values, not 1/n (Nadeau & Bengio 2003, section 3.2; for repeated folds Bouckaert & Frank 2004).
    """
    spread = np.sqrt((1 / len(values) + 1 / (folds - 1)) * values.var(ddof=1)) if len(values) > 1 else np.inf
    reach = float(spread * student.ppf((1 + CONFIDENCE) / 2, max(len(values) - 1, 1)))
    mean = float(values.mean())
    return Interval(value=mean, low=mean - reach, high=mean + reach)


def choose(contenders: Sequence[Contender], folds: int) -> str:
    """The cheapest contender that no other beats by more than noise and by enough to matter; of equals the best."""
    ranked = sorted(contenders, key=lambda each: (each.cost, -each.aucs.mean()))
    return next(each.name for each in ranked if not _beaten(each, contenders, folds))


def behind_best(contenders: Sequence[Contender], folds: int) -> Mapping[str, Interval]:
    """How far each contender's AUC is behind the best one's."""
    best = max(contenders, key=lambda each: float(each.aucs.mean()))
    return {each.name: corrected_interval(best.aucs - each.aucs, folds) for each in contenders}


def _beaten(one: Contender, contenders: Sequence[Contender], folds: int) -> bool:
    others = (other for other in contenders if other is not one)
    gaps = (corrected_interval(other.aucs - one.aucs, folds) for other in others)
    return any(gap.low > 0 and gap.value > MATTERS for gap in gaps)
