"""What Prometheus is told; under several workers the counts add up by BentoML's multiprocess folder."""

import os
from collections.abc import Callable, Sequence

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector

from credit_scoring.schemas import Answer

PROCESS_ID = os.getpid()
if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
    # The client's own check asks the system for the process id twice in each observation; workers never fork.
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: PROCESS_ID)  # type: ignore[no-untyped-call]

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)

_duration = Histogram(
    "credit_scoring_request_duration_seconds",
    "From the first byte read to the answer handed over.",
    ["endpoint", "status"],
    buckets=SECONDS,
)
_decisions = Counter("credit_scoring_decisions_total", "Decisions given.", ["decision"])
_batch_size = Histogram(
    "credit_scoring_batch_size", "Applications scored together.", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
)
_batch_wait = Histogram(
    "credit_scoring_batch_wait_seconds", "Time that the oldest application of a batch waited.", buckets=SECONDS
)
_model = Gauge(
    "credit_scoring_model_info",
    "1 for the model in use; form is compiled, or pipeline when compiling failed its proof.",
    ["model", "policy", "form"],
    multiprocess_mode="max",
)
_answers = {answer: _decisions.labels(answer.value) for answer in Answer}


def request_observer(endpoint: str) -> Callable[[int, float], None]:
    """What tells Prometheus of each exchange of this endpoint: its status and its seconds."""
    by_status: dict[int, Histogram] = {}

    def observe(status: int, seconds: float) -> None:
        if status not in by_status:
            by_status[status] = _duration.labels(endpoint, status)
        by_status[status].observe(seconds)

    return observe


def observe_batch(size: int, oldest_wait: float) -> None:
    """One batch was scored; `oldest_wait` is in seconds."""
    _batch_size.observe(size)
    _batch_wait.observe(oldest_wait)


def count_decisions(answers: Sequence[Answer]) -> None:
    """These answers were given."""
    for answer in Answer:
        _answers[answer].inc(answers.count(answer))


def announce_model(tag: str, policy_version: str, form: str) -> None:
    """The model, policy and form that this worker decides by."""
    _model.labels(tag, policy_version, form).set(1)


def exposition() -> bytes:
    """All workers' metrics in Prometheus' text format."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
