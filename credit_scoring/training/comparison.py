"""Choice of a candidate: differences over repeated cross-validation, with intervals corrected for overlapping folds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from credit_scoring.application.arrays import Flags, Floats, Rows
from credit_scoring.evaluation.performance import auc
from credit_scoring.model.calibration import ALMOST_FREE
from credit_scoring.model.card import MATTERS, Interval
from credit_scoring.model.estimators import MonotoneLogisticRegression, weighted_mean

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Contender:
    """A candidate with its AUC on each fold of each repeat, shape (repeats × folds,), and the rank of its cost.

    One that was beaten after a few repeats has had fewer than the others.
    """

    name: str
    cost: int
    aucs: Floats


def fold_aucs(defaulted: Flags, log_odds: Floats, held_out: Sequence[Rows]) -> Floats:
    """AUC of each held-out part; `log_odds` has one row per repeat, `held_out` the parts of all repeats in order."""
    folds = len(held_out) // len(log_odds)
    found = [auc(defaulted[rows], log_odds[i // folds][rows], 0.0) for i, rows in enumerate(held_out)]
    return np.array(found)


def corrected_interval(values: Floats, folds: int) -> Interval:
    """Mean of fold-wise values with its 95 % interval.

    Training parts of different folds overlap, so the variance of the mean is (1/n + 1/(folds - 1)) times that of the
    values, not 1/n (Nadeau & Bengio 2003, section 3.2; for repeated folds Bouckaert & Frank 2004).
    """
    reach = _error(values, folds) * float(student.ppf((1 + CONFIDENCE) / 2, max(len(values) - 1, 1)))
    mean = float(values.mean())
    return Interval(value=mean, low=mean - reach, high=mean + reach)


def _error(values: Floats, folds: int) -> float:
    """The standard error of the mean; infinite for a single value."""
    return float(np.sqrt((1 / len(values) + 1 / (folds - 1)) * values.var(ddof=1))) if len(values) > 1 else np.inf


def choose(contenders: Sequence[Contender], folds: int) -> str:
    """The cheapest contender that is not behind the best by what matters and by a standard error; of equals the better.

    The one-standard-error rule (Breiman et al. 1984, section 3.4.3). A 95 % interval would excuse nearly any gap where
    folds are few or small, and the cheapest model would be taken whatever it ranks like (ADR 28).
    """
    ranked = sorted(contenders, key=lambda each: (each.cost, -each.aucs.mean()))
    best = _best(contenders)
    return next(each.name for each in ranked if not _falls_behind(best, each, folds))


def _best(contenders: Sequence[Contender]) -> Contender:
    return max(contenders, key=lambda each: float(each.aucs.mean()))


def _falls_behind(best: Contender, one: Contender, folds: int) -> bool:
    lead = _lead(best, one)
    return bool(lead.mean() > MATTERS and lead.mean() > _error(lead, folds))


def decided(contenders: Sequence[Contender], folds: int) -> bool:
    """Whether more repeats could hardly change the choice: no other may be ahead of the chosen one by what matters."""
    chosen = next(each for each in contenders if each.name == choose(contenders, folds))
    return all(_gap(other, chosen, folds).high <= MATTERS for other in contenders if other is not chosen)


def behind_best(contenders: Sequence[Contender], folds: int) -> Mapping[str, Interval]:
    """How far each contender's AUC is behind the best one's."""
    best = _best(contenders)
    return {each.name: _gap(best, each, folds) for each in contenders}


def beaten(one: Contender, contenders: Sequence[Contender], folds: int) -> bool:
    """Whether another is ahead of it by more than noise and what matters."""
    gaps = (_gap(other, one, folds) for other in contenders if other is not one)
    return any(gap.low > 0 and gap.value > MATTERS for gap in gaps)


def _gap(ahead: Contender, behind: Contender, folds: int) -> Interval:
    return corrected_interval(_lead(ahead, behind), folds)


def _lead(ahead: Contender, behind: Contender) -> Floats:
    """The difference on those folds that both were tried on."""
    both = min(len(ahead.aucs), len(behind.aucs))
    lead: Floats = ahead.aucs[:both] - behind.aucs[:both]
    return lead


def stacking_weights(log_odds: Mapping[str, Floats], defaulted: Flags) -> dict[str, float]:
    """Stacking: non-negative weights that sum to 1, of the models that get any (Wolpert 1992, Breiman 1996).

    `log_odds` has each model's held-out log-odds, shape (repeats, rows). A model that adds nothing to the others gets
    no weight, so a poor one does no harm; if no model can rank, none gets any.
    """
    said = np.column_stack([each.ravel() for each in log_odds.values()])
    outcomes = np.tile(defaulted, len(said) // len(defaulted))
    rising = [1] * len(log_odds)
    weights = MonotoneLogisticRegression(C=ALMOST_FREE, monotone_constraints=rising).fit(said, outcomes).coef_
    return {name: float(each / weights.sum()) for name, each in zip(log_odds, weights, strict=True) if each > 0}


def cross_stacked(log_odds: Mapping[str, Floats], defaulted: Flags, held_out: Sequence[Rows]) -> Floats:
    """Log-odds of the ensemble, shape (repeats, rows), each fold by weights learned on the other folds.

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
