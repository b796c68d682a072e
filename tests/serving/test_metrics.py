"""What Prometheus is told of several workers, from the files that they share."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client.parser import text_string_to_metric_families

from credit_scoring.serving.metrics import exposition

MODEL = "of another worker"
WORKER = f"""
import sys
from credit_scoring.model.card import Interval
from credit_scoring.serving import metrics

test = {{"auc": Interval(value=0.7, low=0.6, high=0.8)}}
metrics.announce_model("{MODEL}", "policy", "pipeline", test)
metrics.announce_approved("{MODEL}", test)
metrics.announce_reference("{MODEL}", 1000, "age", {{"young": 0.5, "old": 0.5}}, 20.0)
metrics.expect_workers(2)
metrics.announce_worker()
metrics.bin_counters("{MODEL}", "age", ["young"])[0].inc()
print(flush=True)
sys.stdin.read()
"""
GAUGES = {"model_info", "model_test", "model_test_approved", "reference_share", "reference_quantile", "reference_rows"}


@contextmanager
def worker() -> Iterator[None]:
    """Another worker, which has announced its model."""
    command = [sys.executable, "-c", WORKER]
    with subprocess.Popen(command, env=dict(os.environ), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"\n"
        yield


def told_of_its_model() -> set[str]:
    """The metrics with a value for the model of the other worker."""
    return {
        family.name.removeprefix("credit_scoring_")
        for family in text_string_to_metric_families(exposition().decode())
        if any(sample.labels.get("model") == MODEL for sample in family.samples)
    }


def configured() -> float:
    """How many workers there should be."""
    return next(
        sample.value
        for family in text_string_to_metric_families(exposition().decode())
        for sample in family.samples
        if sample.name == "credit_scoring_workers_configured"
    )


def test_a_worker_that_has_ended_leaves_its_counts_and_not_its_model() -> None:
    with worker():
        assert told_of_its_model() == {*GAUGES, "field_values"}
    assert told_of_its_model() == {"field_values"}
    assert configured() == 2
