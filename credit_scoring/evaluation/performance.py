"""Metrics of ranking, calibration and decisions."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from scipy.stats import binomtest

from credit_scoring.application.arrays import Flags, Floats, Rows
from credit_scoring.model.card import Interval

CALIBRATION_BINS = 15
FEWEST_RESAMPLES = 200
RESAMPLED_ROWS = 20_000_000  # in all resamples together: with many rows, fewer resamples tell as much

Metric = Callable[[Flags, Floats, float], float]


def auc(defaulted: Flags, risk: Floats, threshold: float) -> float:
    """Area under the ROC curve: how often a defaulter is ranked above a payer."""
    return ranked_right(*by_risk(risk, defaulted))


def by_risk(risk: Floats, likelihood: Floats | Flags) -> tuple[Floats, Floats]:
    """Expected defaulters and payers at each distinct risk, lowest risk first; a client defaults with `likelihood`."""
    place = np.unique(risk, return_inverse=True)[1]
    bad = np.bincount(place, weights=likelihood).astype(np.float64)
    return bad, np.bincount(place) - bad


def ranked_right(bad: Floats, good: Floats) -> float:
    """Share of pairs of a defaulter and a payer that are ranked right, from clients by risk; a tie counts half."""
    below = np.cumsum(good) - good
    return float((bad * (below + good / 2)).sum() / (bad.sum() * good.sum()))


def ks(defaulted: Flags, risk: Floats, threshold: float) -> float:
    """Kolmogorov–Smirnov distance between the risks of defaulters and payers."""
    bad, good = by_risk(risk, defaulted)
    return float(np.abs(np.cumsum(bad) / bad.sum() - np.cumsum(good) / good.sum()).max())


def brier(defaulted: Flags, risk: Floats, threshold: float) -> float:
    """Mean squared error of the probability."""
    return float(np.mean((risk - defaulted) ** 2))


def calibration_error(defaulted: Flags, risk: Floats, threshold: float) -> float:
    """Expected calibration error: mean distance of predicted and observed share over 15 bins of equal size.

    As in Naeini, Cooper & Hauskrecht 2015, with bins by rank. It cannot reach 0 on few rows. Clients with the same risk
    count with their mean outcome, so that their order cannot decide who falls into which bin.
    """
    risks, client = np.unique(risk, return_inverse=True)
    rows = np.bincount(client)
    means = np.bincount(client, weights=defaulted) / rows
    bins = np.array_split(np.repeat(means - risks, rows), min(CALIBRATION_BINS, len(risk)))
    return float(sum(abs(each.sum()) for each in bins) / len(risk))


def recall(defaulted: Flags, risk: Floats, threshold: float) -> float:
    """Share of defaulters that are denied."""
    return float((risk[defaulted] >= threshold).mean())


def precision(defaulted: Flags, risk: Floats, threshold: float) -> float:
    """Share of the denied that default; 0 if no client is denied."""
    denied = risk >= threshold
    return float(defaulted[denied].mean()) if denied.any() else 0.0


def approval_rate(defaulted: Flags, risk: Floats, threshold: float) -> float:
    """Share of applications that are approved."""
    return float((risk < threshold).mean())


METRICS: Mapping[str, Metric] = {
    "auc": auc,
    "ks": ks,
    "brier": brier,
    "calibration_error": calibration_error,
    "recall": recall,
    "precision": precision,
    "approval_rate": approval_rate,
}


def measure(defaulted: Flags, risk: Floats, threshold: float) -> dict[str, float]:
    """Every metric at this threshold."""
    return {name: metric(defaulted, risk, threshold) for name, metric in METRICS.items()}


def share(count: int, total: int) -> Interval:
    """A share with its 95 % interval by Wilson's score."""
    interval = binomtest(count, total).proportion_ci(method="wilson")
    return Interval(value=count / total, low=float(interval.low), high=float(interval.high))


def bootstrap(
    defaulted: Flags, risk: Floats, threshold: float, *, seed: int, repeats: int = 1000
) -> dict[str, Interval]:
    """Every metric with its 95 % interval over stratified resamples (Efron & Tibshirani 1993, ch. 13 and 14).

    Percentiles, shifted by the median bias: a resample repeats clients, which by itself raises the calibration error.
    The interval always contains the value. From 20,000 rows on, there are fewer resamples than `repeats`.
    """
    repeats = _enough(repeats, len(risk))
    samples = [
        list(measure(defaulted[rows], risk[rows], threshold).values()) for rows in _resamples(defaulted, seed, repeats)
    ]
    found = measure(defaulted, risk, threshold)
    low, middle, high = np.quantile(np.array(samples), [0.025, 0.5, 0.975], axis=0)
    bias = middle - list(found.values())
    low, high = np.clip([low - bias, high - bias], 0, 1)  # no metric lies outside
    return {
        name: Interval(value=value, low=min(float(low[i]), value), high=max(float(high[i]), value))  # rounding
        for i, (name, value) in enumerate(found.items())
    }


def auc_difference(defaulted: Flags, risk: Floats, other: Floats, *, seed: int, repeats: int = 1000) -> Interval:
    """How far the AUC of `risk` is above that of `other` on the same clients, with its 95 % bootstrap interval.

    Paired: each resample measures both. Percentiles, widened where they do not contain the value. From 20,000 rows on,
    there are fewer resamples than `repeats`, as in `bootstrap`.
    """
    repeats = _enough(repeats, len(risk))
    samples = [
        auc(defaulted[rows], risk[rows], 0) - auc(defaulted[rows], other[rows], 0)
        for rows in _resamples(defaulted, seed, repeats)
    ]
    found = auc(defaulted, risk, 0) - auc(defaulted, other, 0)
    low, high = np.quantile(samples, [0.025, 0.975])
    return Interval(value=found, low=min(float(low), found), high=max(float(high), found))


def _enough(repeats: int, rows: int) -> int:
    """How many resamples of so many rows are drawn where `repeats` are wanted."""
    return min(repeats, max(FEWEST_RESAMPLES, RESAMPLED_ROWS // rows))


def _resamples(defaulted: Flags, seed: int, repeats: int) -> Iterator[Rows]:
    """Row numbers of stratified resamples: as many defaulters and payers as there are."""
    generator = np.random.default_rng(seed)
    bad, good = np.flatnonzero(defaulted), np.flatnonzero(~defaulted)
    for _ in range(repeats):
        yield np.concatenate([generator.choice(bad, bad.size), generator.choice(good, good.size)])
