"""Metrics for Prometheus; under several workers the counts add up by BentoML's multiprocess folder."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from credit_scoring.application.schemas import Answer, Decision
from credit_scoring.errors import NotReadyError, OverloadedError
from credit_scoring.model.card import Interval
from credit_scoring.serving.instance import FOLDER_VARIABLE

PROCESS_ID = os.getpid()
if FOLDER_VARIABLE in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = os.environ[FOLDER_VARIABLE]  # BentoML's is shared by all that share a home
if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
    # The client's own check asks the system for the process id twice in each observation; workers never fork.
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: PROCESS_ID)  # type: ignore[no-untyped-call]

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)

_duration = Histogram(
    "credit_scoring_request_duration_seconds",
    "Request duration, from the first byte read to the response written.",
    ["endpoint", "status"],
    buckets=SECONDS,
)
_refusals = Counter("credit_scoring_refusals_total", "Requests rejected before validation, by reason.", ["reason"])
_decisions = Counter(
    "credit_scoring_decisions_total",
    "Decisions given, stored ones where they are stored; repeated applications count once.",
    ["decision"],
)
_batch_size = Histogram(
    "credit_scoring_batch_size", "Applications in a micro-batch.", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
)
_batch_wait = Histogram(
    "credit_scoring_batch_wait_seconds", "Time that the oldest application of a micro-batch waited.", buckets=SECONDS
)
_model = Gauge(
    "credit_scoring_model_info",
    "1 for the model in use; form is compiled, or pipeline if the compiled form did not reproduce its scores.",
    ["model", "policy", "form"],
    multiprocess_mode="livemax",
)
_policy_end = Gauge(
    "credit_scoring_policy_end_timestamp_seconds",
    "Unix time at which the policy in use ends; absent where it has no end.",
    ["policy"],
    multiprocess_mode="livemin",
)
_model_test = Gauge(
    "credit_scoring_model_test",
    "Performance of the model in use on its untouched test part; bound is value, or low or high of the 95 % interval.",
    ["model", "metric", "bound"],
    multiprocess_mode="livemax",
)
_model_test_approved = Gauge(
    "credit_scoring_model_test_approved",
    "Performance of the model in use on approved clients of its test part, measured like credit_scoring_realised; "
    "bound is value, or low or high of the 95 % interval.",
    ["model", "metric", "bound"],
    multiprocess_mode="livemax",
)
_values = Counter(
    "credit_scoring_field_values_total",
    "Decided applications by field and bin of the training distribution.",
    ["model", "field", "bin"],
)
_shares = Gauge(
    "credit_scoring_reference_share",
    "Share of a field's bin in the training data.",
    ["model", "field", "bin"],
    multiprocess_mode="livemax",
)
_quantiles = Gauge(
    "credit_scoring_reference_quantile",
    "Quantile of PSI / (1/decisions + 1/rows) of a field; exceeded by chance once in 10,000 times.",
    ["model", "field"],
    multiprocess_mode="livemax",
)
_rows = Gauge(
    "credit_scoring_reference_rows",
    "Rows of the training data that have a held-out risk.",
    ["model"],
    multiprocess_mode="livemax",
)
_rules = Counter(
    "credit_scoring_rules_failed_total", "Rules of the policy that a decided application did not pass.", ["rule"]
)
_writable = Gauge(
    "credit_scoring_decision_log_writable",
    "1 if every worker can store decisions or has none to store, else 0.",
    multiprocess_mode="livemin",
)
_stored = Histogram(
    "credit_scoring_decision_log_store_seconds",
    "Duration of a transaction in the decision log, including the wait for other writers.",
    buckets=SECONDS,
)
_workers = Gauge(
    "credit_scoring_workers_live", "Worker processes that have loaded the model.", multiprocess_mode="livesum"
)
_workers_configured = Gauge(
    "credit_scoring_workers_configured", "Worker processes that there should be.", multiprocess_mode="max"
)
_spooled = Gauge(
    "credit_scoring_decision_log_spooled",
    "Answered decisions that wait in the spool.",
    multiprocess_mode="livesum",
)
for _reason in (NotReadyError, OverloadedError):
    _refusals.labels(_reason.__name__)  # exposed from the start: a rate needs the 0 before the first one
_answers = {answer: _decisions.labels(answer.value) for answer in Answer}


def request_observer(endpoint: str) -> Callable[[int, float], None]:
    """What tells Prometheus of each exchange of this endpoint: its status and its seconds."""
    by_status = {500: _duration.labels(endpoint, 500)}  # exposed from the start, as a rate needs the 0 before the first

    def observe(status: int, seconds: float) -> None:
        if status not in by_status:
            by_status[status] = _duration.labels(endpoint, status)
        by_status[status].observe(seconds)

    return observe


def count_refusal(reason: str) -> None:
    """A request was rejected before validation."""
    _refusals.labels(reason).inc()


def observe_batch(size: int, oldest_wait: float) -> None:
    """One micro-batch was scored; `oldest_wait` is in seconds."""
    _batch_size.observe(size)
    _batch_wait.observe(oldest_wait)


def count_decisions(decisions: Sequence[Decision]) -> None:
    """These are given."""
    answers = [each.decision for each in decisions]
    for answer, counter in _answers.items():
        if count := answers.count(answer):
            counter.inc(count)
    for decision in decisions:
        for rule in decision.rules:
            _rules.labels(rule).inc()


def announce_model(tag: str, policy_version: str, form: str, test: Mapping[str, Interval]) -> None:
    """The model, policy and form that this worker decides by, and what the model did on its test part."""
    _model.labels(tag, policy_version, form).set(1)
    for metric, interval in test.items():
        for bound, value in interval:
            _model_test.labels(tag, metric, bound).set(value)


def announce_policy_end(policy_version: str, end: float) -> None:
    """The Unix time at which the policy that this worker decides by ends."""
    _policy_end.labels(policy_version).set(end)


def expect_workers(configured: int) -> None:
    """There should be so many workers, whether or not this one loads the model."""
    _workers_configured.set(configured)


def announce_worker() -> None:
    """Count this worker, which has loaded the model, as live."""
    _workers.set(1)


def announce_approved(tag: str, test: Mapping[str, Interval]) -> None:
    """What the model did on the approved clients of its test part."""
    for metric, interval in test.items():
        for bound, value in interval:
            _model_test_approved.labels(tag, metric, bound).set(value)


def announce_reference(model: str, rows: int, field: str, shares: Mapping[str, float], quantile: float) -> None:
    """How a field was distributed in training, by bin."""
    _rows.labels(model).set(rows)
    _quantiles.labels(model, field).set(quantile)
    for name, share in shares.items():
        _shares.labels(model, field, name).set(share)


def bin_counters(model: str, field: str, bins: Sequence[str]) -> list[Counter]:
    """A counter for each bin of a field."""
    return [_values.labels(model, field, name) for name in bins]


def tell_writable(writable: bool) -> None:
    """Whether this worker can store decisions, or has none to store."""
    _writable.set(writable)


def observe_store(seconds: float) -> None:
    """A transaction of decisions was stored and took this long."""
    _stored.observe(seconds)


def tell_spooled(waiting: int) -> None:
    """So many decisions wait in this worker's spool."""
    _spooled.set(waiting)


def exposition() -> bytes:
    """All workers' metrics in Prometheus' text format."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    _forget_the_dead(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _forget_the_dead(folder: Path) -> None:
    """Gauges of workers that have ended say nothing of now."""
    for path in folder.glob("gauge_live*_*.db"):
        process = int(path.stem.rpartition("_")[2])
        if not Path(f"/proc/{process}").exists():
            mark_process_dead(process)  # type: ignore[no-untyped-call]
