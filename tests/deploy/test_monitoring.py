"""The whole of monitoring at work: a service of two workers, its monitor, a real Prometheus, three stories."""

import json
import os
import re
import signal
import socket
import subprocess
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import httpx
import numpy as np
import pandas as pd
import yaml
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.support.consorcio import FIELDS, ConsorcioApplication
from benchmarks.support.waiting import require, wait_for
from credit_scoring.application.schemas import Answer
from credit_scoring.data.datasets import Dataset
from credit_scoring.decisions.connect import open_database
from credit_scoring.monitoring.exporter import Monitor
from credit_scoring.settings import PROJECT_FOLDER
from tests.conftest import STOPPED_WITHIN, RunningService, free_port, start_service, stop, wait_until_ready
from tests.support import prometheus
from tests.support.prometheus import Prometheus
from tests.support.promtool import groups

TARGET = "credit_scoring.service:CreditScoring"
COMMAND = Path(sysconfig.get_path("scripts")) / "credit-scoring"
BOARDS = PROJECT_FOLDER / "deploy" / "grafana" / "dashboards"
OPERATIONS = PROJECT_FOLDER / "docs" / "operations.md"
REQUESTS = 5_000
CLIENTS = 16
MANY = 1_000
MOST_SERIES = 2_000
JUDGED_S = 5  # rules are judged each second here

Json = dict[str, Any]
Change = Callable[[Json], Json]


@dataclass(frozen=True)
class Installation:
    """A service, its decision log, its monitor and the Prometheus that scrapes both."""

    service: RunningService
    address: str
    prometheus: Prometheus


@contextmanager
def installed(folder: Path, model_tag: str) -> Iterator[Installation]:
    """All of it, started from nothing and ended on every path."""
    require("prometheus", "apt-get install prometheus")
    address, port = f"sqlite:///{folder}/decisions.db", free_port()
    environment = {
        "CREDIT_SCORING_MODEL": model_tag,
        "CREDIT_SCORING_WORKERS": "2",
        "CREDIT_SCORING_DATABASE_URL": address,
    }
    service = start_service(TARGET, folder, **environment)
    try:
        wait_until_ready(service)
        wait_for(lambda: service.log_text().count("has proved its scores") == 2, "both workers")
        with _monitor(folder, address, port):
            targets = {"credit_scoring": int(urlsplit(service.url).port or 0), "credit_scoring_monitor": port}
            with prometheus.running(folder, **targets) as server:
                wait_for(lambda: server.value("count(up == 1)") == 2, "both targets")
                yield Installation(service, address, server)
    finally:
        stop(service.process)


@contextmanager
def _monitor(folder: Path, address: str, port: int) -> Iterator[None]:
    """`credit-scoring monitor serve`, for which every decision is complete at once."""
    command = [str(COMMAND), "monitor", "serve", "--database", address, "--port", str(port)]
    options = ["--every", "1", "--maturity-days", "0"]
    with (folder / "monitor.log").open("wb") as log:
        environment = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
        process = subprocess.Popen([*command, *options], env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: "Metrics on" in (folder / "monitor.log").read_text(), "the monitor")
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOPPED_WITHIN) == 0


def unchanged(record: Json) -> Json:
    return record


def earning_a_third_more(record: Json) -> Json:
    return {**record, "monthly_income": 1.3 * record["monthly_income"]}


class Clients:
    """So many applications of the embedded data, sent one a request by several clients at once."""

    def __init__(self, dataset: Dataset, change: Change, seed: int) -> None:
        self.rows = np.random.default_rng(seed).integers(0, len(dataset.frame), REQUESTS)
        records = dataset.frame.to_dict(orient="records")
        changed = [change({str(name): value for name, value in record.items()}) for record in records]
        self._requests = [_request(_body(record)) for record in changed]
        self.decisions: list[str] = [""] * REQUESTS
        self.approved = np.zeros(REQUESTS, dtype=np.bool_)
        self.statuses: set[int] = set()

    def send(self, url: str) -> None:
        """Send all of them; returns when all are answered."""
        threads = [threading.Thread(target=self._send_every, args=(url, first)) for first in range(CLIENTS)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

    def _send_every(self, url: str, first: int) -> None:
        """By hand: an HTTP library takes ten times as long as the service."""
        address = urlsplit(url)
        with closing(socket.create_connection((address.hostname, address.port), timeout=30)) as connection:
            answers = connection.makefile("rb")
            for number in range(first, REQUESTS, CLIENTS):
                status, answer = 503, Json()
                while status == 503:  # a machine that tests share may well be overloaded
                    connection.sendall(self._requests[self.rows[number]])
                    status, answer = _read(answers)
                self.statuses.add(status)
                self.decisions[number] = answer["decision_id"]
                self.approved[number] = answer["decision"] == Answer.APPROVED


def _read(answers: BinaryIO) -> tuple[int, Json]:
    status, length = int(answers.readline().split()[1]), 0
    while (line := answers.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    return status, json.loads(answers.read(length))


def _request(body: bytes) -> bytes:
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
    return b"%b%d\r\n\r\n%b" % (head, len(body), body)


def _body(record: Json) -> bytes:
    values = {name: _as_sent(name, value) for name, value in record.items() if not pd.isna(value)}
    return ConsorcioApplication.model_validate(values).model_dump_json(exclude_none=True).encode()


def _as_sent(name: str, value: Any) -> Any:
    if FIELDS[name].kind == "flag":
        return bool(value)
    return int(value) if FIELDS[name].is_number and float(value).is_integer() else value


def report_outcomes(url: str, decisions: Sequence[str], defaulted: Sequence[bool]) -> None:
    today = datetime.now(UTC).date().isoformat()
    reports = [
        {"decision_id": decision, "outcome": "DEFAULTED" if bad else "PAID", "observed_on": today}
        for decision, bad in zip(decisions, defaulted, strict=True)
    ]
    with httpx.Client(base_url=url, timeout=30) as client:
        for start in range(0, len(reports), MANY):
            answer = client.post("/outcomes", json=reports[start : start + MANY])
            assert {each["status"] for each in answer.json()} == {"recorded"}


def tell(on: Installation, dataset: Dataset, change: Change, *, flipped: bool) -> set[tuple[str, str]]:
    """Send the applications, report the outcomes of those approved, and give the alerts on the model that fire then."""
    clients = Clients(dataset, change, seed=1)
    clients.send(on.service.url)
    assert clients.statuses == {200}
    approved = np.flatnonzero(clients.approved)
    outcomes = dataset.defaulted[clients.rows[approved]] ^ flipped
    report_outcomes(on.service.url, [clients.decisions[each] for each in approved], outcomes.tolist())
    counted = "min(credit_scoring:field_decisions:increase24h)"
    wait_for(lambda: (on.prometheus.value(counted) or 0) >= 0.95 * REQUESTS, "counts of every application")
    wait_for(lambda: on.prometheus.value("min(credit_scoring_realised_coverage)") == 1, "every outcome in the monitor")
    complete = time.time()
    judged = "min(timestamp(credit_scoring:field_psi:24h))"
    wait_for(lambda: (on.prometheus.value(judged) or 0) > complete + JUDGED_S, "some judgements more")
    return {alert for alert in on.prometheus.firing() if GROUP_OF[alert[0]] in ABOUT_THE_MODEL}


GROUP_OF = {rule["alert"]: group["name"] for group in groups() for rule in group["rules"] if "alert" in rule}
ABOUT_THE_MODEL = {"credit_scoring_model", "credit_scoring_drift_24h", "credit_scoring_drift_7d"}


def test_nothing_changed_no_alert_and_every_panel_shows_something(
    model_tag: str, dataset: Dataset, tmp_path: Path
) -> None:
    with installed(tmp_path, model_tag) as on:
        assert tell(on, dataset, unchanged, flipped=False) == set()
        for path in sorted(BOARDS.glob("*.json")):
            for panel in prometheus.panels(json.loads(path.read_text(encoding="utf-8"))):
                for target in panel["targets"]:
                    expression = target["expr"].replace("$__rate_interval", "1m")
                    shown = partial(
                        on.prometheus.query, expression
                    )  # nothing for a moment, where a scrape took too long
                    wait_for(shown, f"something to show: {path.name}, {panel['title']}")
        text = httpx.get(f"{on.service.url}/metrics", timeout=30).text
        assert sum(not line.startswith("#") for line in text.splitlines()) <= MOST_SERIES
        told = _names(text)
        assert told <= _documented()
        assert {
            name for name in _documented() if name.startswith(("credit_scoring_field", "credit_scoring_ref"))
        } <= told


def test_incomes_that_rose_by_a_third_raise_the_alert_of_this_field_and_of_no_other(
    model_tag: str, dataset: Dataset, tmp_path: Path
) -> None:
    with installed(tmp_path, model_tag) as on:
        fired = tell(on, dataset, earning_a_third_more, flipped=False)
        assert ("CreditScoringFieldDrift", "monthly_income") in fired
        assert {field for _, field in fired} <= {"monthly_income", "risk_probability", ""}
        assert not {name for name, field in fired if not field} & {"CreditScoringConceptDrift"}


def test_clients_that_turned_round_raise_the_alert_on_the_concept_while_no_field_moves(
    model_tag: str, dataset: Dataset, tmp_path: Path
) -> None:
    with installed(tmp_path, model_tag) as on:
        fired = tell(on, dataset, unchanged, flipped=True)
        assert {name for name, _ in fired} == {"CreditScoringConceptDrift", "CreditScoringCalibrationDrift"}
        report = tmp_path / "report.html"
        command = [str(COMMAND), "monitor", "report", "--database", on.address, "--maturity-days", "0"]
        done = subprocess.run([*command, "--html", str(report)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        page = report.read_text(encoding="utf-8")
        assert "No field has drifted from the training distribution" in page
        assert f"{REQUESTS:,} decisions" in page
        assert "http://" not in re.sub(r'xmlns(:xlink)?="[^"]*"|http://www.w3.org/\S+|http://purl.org/\S+', "", page)


def test_every_metric_of_the_monitor_is_documented(tmp_path: Path) -> None:
    monitor = Monitor(
        open_database(f"sqlite:///{tmp_path}/decisions.db"), maturity=timedelta(days=1), history=timedelta(days=1)
    )
    documented = {name.removesuffix("_total") for name in _documented()}
    assert {family.name for family in monitor.registry.collect()} <= documented


def test_every_panel_names_the_data_source_that_is_provisioned() -> None:
    provisioned = PROJECT_FOLDER / "deploy" / "grafana" / "provisioning" / "datasources" / "prometheus.yml"
    (source,) = yaml.safe_load(provisioned.read_text(encoding="utf-8"))["datasources"]
    for path in BOARDS.glob("*.json"):
        board = json.loads(path.read_text(encoding="utf-8"))
        assert board["uid"]
        places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
        assert len(places) == len(set(places))
        for panel in prometheus.panels(board):
            assert panel["description"]
            assert panel["datasource"]["uid"] == source["uid"]
            assert {target["datasource"]["uid"] for target in panel["targets"]} == {source["uid"]}


def _names(text: str) -> set[str]:
    """Names of metrics as they are written, those of histograms without their suffix."""
    families = list(text_string_to_metric_families(text))
    ours = [family for family in families if family.name.startswith("credit_scoring")]
    return {family.name + ("_total" if family.type == "counter" else "") for family in ours}


def _documented() -> set[str]:
    return set(re.findall(r"^\| `(credit_scoring_\w+)` \|", OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE))
