"""Performance on approved clients, the only ones with outcomes; the test part is measured in the same way.

Risks below the threshold are closer together, so a model ranks approved clients worse than all applicants. Compare a
realised figure only with the same figure of the test part's approved clients.
"""

from dataclasses import dataclass

import numpy as np

from credit_scoring.application.arrays import Flags, Floats
from credit_scoring.evaluation.performance import by_risk, ranked_right, share
from credit_scoring.model.card import Interval

NORMAL_975 = 1.959964
FEWEST_OF_EACH = 20


@dataclass(frozen=True)
class Approved:
    """Metrics of the approved clients with a known outcome; None where there are too few of them."""

    known: int
    defaulted: int
    default_rate: Interval | None
    calibration_ratio: Interval | None
    auc: Interval | None
    recall: Interval | None

    @property
    def metrics(self) -> dict[str, Interval]:
        """The metrics that could be measured, by name."""
        named = {name: getattr(self, name) for name in ("auc", "recall", "default_rate", "calibration_ratio")}
        return {name: interval for name, interval in named.items() if interval}


def measure_approved(risk: Floats, denied: Flags, defaulted: Flags, known: Flags) -> Approved:
    """Metrics of approved clients whose outcome is `known`; arrays of equal length, one entry per decision.

    Outcomes of denied clients are left out: they are few, and not a random sample.
    """
    seen = known & ~denied
    bad, total = int((defaulted & seen).sum()), int(seen.sum())
    expected = float(risk[seen].sum())
    rate = share(bad, total) if total else None
    enough = min(bad, total - bad) >= FEWEST_OF_EACH
    return Approved(
        known=total,
        defaulted=bad,
        default_rate=rate,
        calibration_ratio=_scaled(rate, total / expected) if rate and enough and expected > 0 else None,
        auc=auc_interval(defaulted[seen], risk[seen]) if enough else None,
        recall=_recall(rate, float(risk[denied].sum()), int((~denied).sum())) if rate and enough else None,
    )


def metrics_of_approved(defaulted: Flags, risk: Floats, threshold: float) -> dict[str, Interval]:
    """Metrics of a test part's approved clients; all outcomes of a test part are known."""
    return measure_approved(risk, risk >= threshold, defaulted, np.ones(len(risk), dtype=np.bool_)).metrics


def auc_interval(defaulted: Flags, risk: Floats) -> Interval:
    """AUC with its 95 % interval by Hanley & McNeil (1982, eq. 1), which needs no resampling."""
    value = weighted_auc(risk, defaulted.astype(np.float64)) or 0.5
    bad, good = int(defaulted.sum()), int((~defaulted).sum())
    both_bad, both_good = value / (2 - value), 2 * value**2 / (1 + value)
    variance = value * (1 - value) + (bad - 1) * (both_bad - value**2) + (good - 1) * (both_good - value**2)
    reach = NORMAL_975 * float(np.sqrt(variance / (bad * good)))
    return Interval(value=value, low=max(0.0, value - reach), high=min(1.0, value + reach))


def weighted_auc(risk: Floats, likelihood: Floats) -> float | None:
    """AUC if each client defaults with this likelihood; the usual AUC if all are 0 or 1, None without both outcomes."""
    bad, good = by_risk(risk, likelihood)
    return ranked_right(bad, good) if bad.sum() * good.sum() > 0 else None


def _recall(rate: Interval, denied_defaults: float, approved: int) -> Interval:
    """Share of defaults that were denied: of denied clients by their risk, of approved ones by the observed rate."""

    def at(default_rate: float) -> float:
        missed = default_rate * approved
        return denied_defaults / (denied_defaults + missed) if denied_defaults + missed > 0 else 0.0

    return Interval(value=at(rate.value), low=at(rate.high), high=at(rate.low))


def _scaled(interval: Interval, factor: float) -> Interval:
    return Interval(value=interval.value * factor, low=interval.low * factor, high=interval.high * factor)
