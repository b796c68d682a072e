"""Cohorts as metrics for Prometheus; a new reading replaces the last one in one step, so that scrapes see it whole."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from credit_scoring.model.card import Interval
from credit_scoring.monitoring.cohorts import Cohort, latest_complete

SHOWN_COHORTS = 12

Sample = tuple[list[str], float]
Samples = Callable[[Sequence[Cohort]], Iterator[Sample]]


class CohortMetrics(Collector):
    """Exposes the cohorts that `show` was last called with."""

    def __init__(self) -> None:
        self._shown: Sequence[Metric] = [*_families(())]

    def show(self, found: Sequence[Cohort]) -> None:
        """Expose these cohorts, oldest first, from now on."""
        self._shown = [*_families(found)]

    def collect(self) -> Iterable[Metric]:
        """All metrics of one reading."""
        return self._shown


def _families(found: Sequence[Cohort]) -> Iterator[Metric]:
    for name, meaning, labels, samples in _METRICS:
        family = GaugeMetricFamily(f"credit_scoring_{name}", meaning, labels=labels)
        for values, value in samples(found):
            family.add_metric(values, value)
        yield family


def _realised(found: Sequence[Cohort]) -> Iterator[Sample]:
    for model, cohort in latest_complete(found).items():
        for metric in ("auc", "recall", "default_rate", "calibration_ratio"):
            interval: Interval | None = getattr(cohort, metric)
            for bound, value in interval or ():
                yield [model, metric, bound], value


def _realised_start(found: Sequence[Cohort]) -> Iterator[Sample]:
    for model, cohort in latest_complete(found).items():
        yield [model], _timestamp(cohort.start)


def _realised_coverage(found: Sequence[Cohort]) -> Iterator[Sample]:
    for model, cohort in latest_complete(found).items():
        if cohort.coverage is not None:
            yield [model], cohort.coverage


def _estimated(found: Sequence[Cohort]) -> Iterator[Sample]:
    for model, cohort in {each.model: each for each in found}.items():
        for metric in ("auc", "recall", "default_rate"):
            value: float | None = getattr(cohort, f"estimated_{metric}")
            if value is not None:
                yield [model, metric], value


def _decisions(found: Sequence[Cohort]) -> Iterator[Sample]:
    for each in _latest(found):
        yield [each.model, _month(each)], each.decisions


def _coverage(found: Sequence[Cohort]) -> Iterator[Sample]:
    for each in _latest(found):
        if each.coverage is not None:
            yield [each.model, _month(each)], each.coverage


def _default_rate(found: Sequence[Cohort]) -> Iterator[Sample]:
    for each in _latest(found):
        yield [each.model, _month(each), "estimated"], each.estimated_default_rate
        if each.default_rate:
            yield [each.model, _month(each), "known"], each.default_rate.value


_METRICS: Sequence[tuple[str, str, Sequence[str], Samples]] = (
    (
        "realised",
        "Realised performance on approved clients of the latest complete cohort; bound is value, or low or high of the "
        "95 % interval.",
        ("model", "metric", "bound"),
        _realised,
    ),
    (
        "realised_cohort_timestamp_seconds",
        "First day of the latest complete cohort.",
        ("model",),
        _realised_start,
    ),
    (
        "realised_coverage",
        "Share of approved clients of the latest complete cohort with an outcome.",
        ("model",),
        _realised_coverage,
    ),
    (
        "estimated",
        "Estimated performance on all clients of the latest cohort: known outcomes, else the predicted risk, adjusted "
        "for reporting delay.",
        ("model", "metric"),
        _estimated,
    ),
    ("cohort_decisions", "Decisions of a cohort.", ("model", "cohort"), _decisions),
    ("cohort_coverage", "Share of a cohort's approved clients with an outcome.", ("model", "cohort"), _coverage),
    (
        "cohort_default_rate",
        "Default rate of a cohort; kind is known (approved clients) or estimated (all clients).",
        ("model", "cohort", "kind"),
        _default_rate,
    ),
)


def _latest(found: Sequence[Cohort]) -> Iterator[Cohort]:
    shown = sorted({each.start for each in found})[-SHOWN_COHORTS:]
    return (each for each in found if each.start in shown)


def _month(cohort: Cohort) -> str:
    return f"{cohort.start:%Y-%m}"


def _timestamp(day: date) -> float:
    return datetime.combine(day, datetime.min.time(), UTC).timestamp()
