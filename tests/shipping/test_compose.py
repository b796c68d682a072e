"""`make up`: all of it on one machine, as docker-compose.yml says."""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.support.consorcio import EXAMPLE_APPLICATION
from benchmarks.support.waiting import wait_for
from credit_scoring.settings import PROJECT_FOLDER
from tests.conftest import free_port
from tests.shipping.conftest import docker, run
from tests.support.prometheus import Prometheus, panels

pytestmark = pytest.mark.shipping

PROMETHEUS = PROJECT_FOLDER / "deploy" / "prometheus"
BOARDS = PROJECT_FOLDER / "deploy" / "grafana" / "dashboards"
PORTS = ("PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT", "GRAFANA_PORT")
DECISIONS = 400
SHOWN_WITHIN_S = 240.0


def hurry(folder: Path) -> None:
    """Prometheus as it is configured, but scraping and judging each second: its rules take up to half an hour."""
    folder.parent.chmod(0o755)
    shutil.copytree(PROMETHEUS, folder, dirs_exist_ok=True)
    for path in folder.rglob("*.yml"):
        path.write_text(re.sub(r"(interval|for): \w+", r"\1: 1s", path.read_text()))
    folder.chmod(0o755)


class Everything:
    """What was started, and how to ask it."""

    def __init__(self, image: str, folder: Path) -> None:
        hurry(folder)
        self._environment = {
            "PROMETHEUS_FOLDER": str(folder),
            "COMPOSE_PROJECT_NAME": "credit-scoring-tests",
            "MATURITY_DAYS": "0",
            "MONITOR_EVERY_S": "5",
            **{name: str(free_port()) for name in PORTS},
        }
        self._image = image

    def make(self, target: str) -> None:
        run("make", target, f"IMAGE={self._image}", **self._environment)

    def compose(self, *arguments: str) -> str:
        """What `docker compose` prints."""
        command = os.environ.get("COMPOSE", "docker compose").split()
        return run(*command, *arguments, **self._environment, IMAGE=self._image).strip()

    def url(self, port: str) -> str:
        return f"http://127.0.0.1:{self._environment[port]}"

    @property
    def prometheus(self) -> Prometheus:
        return Prometheus(self.url("PROMETHEUS_PORT"))

    @property
    def client(self) -> httpx.Client:
        key = (PROJECT_FOLDER / "build" / "secrets" / "demo.key").read_text().strip()
        return httpx.Client(base_url=self.url("PORT"), headers={"authorization": f"Bearer {key}"}, timeout=30)


@pytest.fixture(scope="module")
def up(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everything]:
    everything = Everything(image, tmp_path_factory.mktemp("prometheus"))
    try:
        everything.make("up")
        yield everything
    finally:
        everything.compose("down", "--volumes")


def test_the_smoke_test_of_a_deployment_passes(up: Everything) -> None:
    key = (PROJECT_FOLDER / "build" / "secrets" / "demo.key").read_text().strip()
    said = run(sys.executable, "deploy/smoke.py", up.url("PORT"), KEY=key)
    assert "skipped" not in said


def test_what_was_decided_is_in_postgresql_where_the_service_may_add_and_nothing_else(up: Everything) -> None:
    with up.client as client:
        decided = client.post("/predict", json=EXAMPLE_APPLICATION | {"application_id": "compose"}).json()
    query = ["exec", "-T", "postgres", "psql", "--username", "owner", "--dbname", "decisions", "-At", "--command"]
    assert up.compose(*query, "SELECT decision FROM claims WHERE application_id = 'compose'") == decided["decision_id"]
    rights = "SELECT has_table_privilege('credit_scoring', 'decisions', right_) FROM unnest(ARRAY{}) AS right_"
    assert up.compose(*query, rights.format("['INSERT', 'SELECT']")) == "t\nt"
    assert up.compose(*query, rights.format("['UPDATE', 'DELETE', 'TRUNCATE']")) == "f\nf\nf"
    up.compose("exec", "-T", "service", "credit-scoring", "decisions", "verify")


def test_prometheus_scrapes_service_and_monitor_and_has_the_rules(up: Everything) -> None:
    jobs = {"credit-scoring", "credit-scoring-monitor"}
    wait_for(lambda: _jobs_up(up.prometheus) == jobs, "both targets")
    rules = httpx.get(f"{up.prometheus.url}/api/v1/rules", timeout=30).json()["data"]["groups"]
    assert {"credit_scoring_model"} <= {group["name"] for group in rules}
    known = f"{up.prometheus.url}/api/v1/alertmanagers"
    wait_for(lambda: httpx.get(known, timeout=30).json()["data"]["activeAlertmanagers"], "the Alertmanager")
    status = httpx.get(f"{up.url('ALERTMANAGER_PORT')}/api/v2/status", timeout=30).json()
    assert "on-call" in status["config"]["original"]


def _jobs_up(prometheus: Prometheus) -> set[str]:
    return {found["metric"]["job"] for found in prometheus.query("up == 1")}


def _expressions() -> list[tuple[str, str]]:
    """What each panel of the boards asks Prometheus."""
    found = []
    for path in sorted(BOARDS.glob("*.json")):
        board: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found += [
            (f"{path.name}: {panel['title']}", target["expr"].replace("$__rate_interval", "2m"))
            for panel in panels(board)
            for target in panel["targets"]
        ]
    return found


def test_every_panel_of_the_boards_shows_something(up: Everything) -> None:
    today = datetime.now(UTC).date().isoformat()
    with up.client as client:
        for number in range(DECISIONS):
            changed = EXAMPLE_APPLICATION | {"application_id": None, "monthly_income": 1000.0 + 20 * number}
            decided = client.post("/predict", json=changed).json()
            outcome = "DEFAULTED" if number % 3 == 0 else "PAID"
            report = {"decision_id": decided["decision_id"], "outcome": outcome, "observed_on": today}
            assert client.post("/outcomes", json=report).status_code == 200
    lacking = _expressions()

    def all_shown() -> bool:
        lacking[:] = [(title, expression) for title, expression in lacking if not up.prometheus.query(expression)]
        return not lacking

    try:
        wait_for(all_shown, "data in every panel", SHOWN_WITHIN_S)
    finally:
        assert lacking == []


def test_a_second_make_up_changes_nothing(up: Everything) -> None:
    before = up.compose("ps", "--quiet")
    up.make("up")
    assert up.compose("ps", "--quiet") == before


def test_ports_are_open_on_loopback_only(up: Everything) -> None:
    for name in up.compose("ps", "--quiet").split():
        (found,) = json.loads(docker("inspect", name))
        for open_at in found["NetworkSettings"]["Ports"].values():
            assert {each["HostIp"] for each in open_at or []} <= {"127.0.0.1"}
