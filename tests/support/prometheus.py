"""A real Prometheus of its own for tests, with the rules of deploy/, hurried."""

import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from benchmarks.support.waiting import answers, wait_for
from credit_scoring.settings import PROJECT_FOLDER
from tests.conftest import free_port

RULES = PROJECT_FOLDER / "deploy" / "prometheus" / "rules"
SOON = 180.0
DOWN = re.compile(r"(alert: CreditScoringDown\n.*\n +for:) 1s")

Json = dict[str, Any]


@dataclass(frozen=True)
class Prometheus:
    """A server that scrapes each second and judges its rules as often."""

    url: str

    def query(self, expression: str) -> list[Json]:
        """What an expression gives now: metrics with their values."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=SOON)
        assert answer.status_code == 200, answer.text
        found: list[Json] = answer.json()["data"]["result"]
        return found

    def value(self, expression: str) -> float | None:
        """The only value that an expression gives, None where it gives none."""
        found = self.query(expression)
        assert len(found) <= 1, found
        return float(found[0]["value"][1]) if found else None

    def firing(self) -> set[tuple[str, str]]:
        """The alerts that fire, by name and field (empty for those of no field)."""
        alerts = httpx.get(f"{self.url}/api/v1/alerts", timeout=SOON).json()["data"]["alerts"]
        return {
            (alert["labels"]["alertname"], alert["labels"].get("field", ""))
            for alert in alerts
            if alert["state"] == "firing"
        }


@contextmanager
def running(
    folder: Path, labels: Mapping[str, str] | None = None, relabelings: Sequence[Json] = (), /, **targets: int
) -> Iterator[Prometheus]:
    """Prometheus in a folder, scraping a port of this machine for each job; targets get these labels, relabelled."""
    port = free_port()
    _write_configuration(folder, targets, {"labels": dict(labels or {})}, {"relabel_configs": [*relabelings]})
    command = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        server = Prometheus(f"http://127.0.0.1:{port}")
        wait_for(lambda: answers(f"{server.url}/-/ready"), "Prometheus")
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(SOON)


def _write_configuration(folder: Path, targets: dict[str, int], labels: Json, relabelings: Json) -> None:
    """The rules as they are, but judged each second and without waiting."""
    (folder / "rules").mkdir()
    for path in RULES.glob("*.yml"):
        hurried = re.sub(r"(interval|for): \w+", r"\1: 1s", path.read_text(encoding="utf-8"))
        hurried = DOWN.sub(r"\1 1m", hurried)  # a scrape may be late here, where there is one each second
        (folder / "rules" / path.name).write_text(hurried, encoding="utf-8")
    jobs = [
        {"job_name": job.replace("_", "-"), "static_configs": [{"targets": [f"127.0.0.1:{port}"]} | labels]}
        | relabelings
        for job, port in targets.items()
    ]
    every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    content = {"global": every, "rule_files": ["rules/*.yml"], "scrape_configs": jobs}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(content), encoding="utf-8")


def panels(board: Json) -> Sequence[Json]:
    """The panels of a Grafana board that show something."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]
