"""The Kubernetes component for the Prometheus operator, which adds labels of its own to all that it scrapes."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.metrics import MetricWrapperBase

from benchmarks.support.waiting import require, wait_for
from credit_scoring.decisions.connect import open_database
from credit_scoring.monitoring.exporter import Monitor
from credit_scoring.serving import metrics
from tests.conftest import RunningService
from tests.support import prometheus
from tests.support.manifests import Json, of_kind, with_components

# Of each target of a ServiceMonitor, before its own relabelings: `endpoint` is the name of the port.
TARGET_LABELS = {"namespace", "service", "pod", "container", "endpoint", "job", "instance", "node"}


@pytest.fixture
def relabelings(tmp_path: Path) -> dict[str, list[Json]]:
    """Those of each ServiceMonitor's endpoint, by the ServiceMonitor's name."""
    found = of_kind(with_components(tmp_path, "prometheus-operator"), "ServiceMonitor")
    return {name: each["spec"]["endpoints"][0].get("relabelings", []) for name, each in found.items()}


def kept(relabelings: list[Json]) -> set[str]:
    """The labels of a target that its series have."""
    dropped = [each["regex"] for each in relabelings if each["action"] == "labeldrop"]
    return {label for label in TARGET_LABELS if not any(re.fullmatch(regex, label) for regex in dropped)}


def test_no_metric_has_a_label_that_the_operator_gives_to_its_target(
    relabelings: dict[str, list[Json]], tmp_path: Path
) -> None:
    log = open_database(f"sqlite:///{tmp_path}/decisions.db")
    families = Monitor(log, maturity=timedelta(1), history=timedelta(1)).registry.collect()
    exposed: dict[str, list[Any]] = {
        "credit-scoring": [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)],
        "credit-scoring-monitor": [each for each in families if hasattr(each, "_labelnames")],
    }
    assert exposed.keys() == relabelings.keys()
    for monitor, found in exposed.items():
        labels = {label for each in found for label in each._labelnames}
        assert labels
        assert not labels & kept(relabelings[monitor])


def test_the_endpoint_of_a_request_is_not_renamed_for_the_port_that_is_scraped(
    relabelings: dict[str, list[Json]], service: RunningService, tmp_path: Path
) -> None:
    require("prometheus", "apt-get install prometheus")
    assert httpx.post(f"{service.url}/predict", json={}).status_code == 400
    given = dict.fromkeys(TARGET_LABELS - {"job", "instance"}, "http")
    folder, port = tmp_path / "prometheus", int(service.url.rpartition(":")[2])
    folder.mkdir()
    with prometheus.running(folder, given, relabelings["credit-scoring"], credit_scoring=port) as server:
        counted = "count(credit_scoring_request_duration_seconds_count)"
        wait_for(lambda: server.value(counted) is not None, "a scrape")
        assert server.query('credit_scoring_request_duration_seconds_count{endpoint="predict", pod="http"}')
        labels = httpx.get(f"{server.url}/api/v1/labels").json()["data"]
    assert not [each for each in labels if each.startswith("exported_")]
