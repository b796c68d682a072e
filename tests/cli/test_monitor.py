"""`credit-scoring monitor serve` as its users run it, in a process of its own."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.support.decision_records import ask, entry, put
from benchmarks.support.waiting import wait_for
from credit_scoring.decisions import outcomes
from credit_scoring.decisions.outcomes import Outcome, OutcomeReport
from tests.conftest import STOPPED_WITHIN, RunningService, free_port, stop
from tests.support.command_line import COMMAND, error_here, error_of, run, run_here

MODEL = "credit_scoring:test"


class RunningMonitor(RunningService):
    """A monitor in its own process."""

    def value(self, name: str, **labels: str) -> float | None:
        """A metric as it is told over HTTP; None where it is not."""
        text = httpx.get(f"{self.url}/metrics", timeout=30).text
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        found = [each.value for each in samples if (each.name, each.labels) == (f"credit_scoring_{name}", labels)]
        return found[0] if found else None

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code after this signal."""
        self.process.send_signal(number)
        return self.process.wait(STOPPED_WITHIN)


@contextmanager
def serving(folder: Path, address: str, port: int | None = None) -> Iterator[RunningMonitor]:
    """`credit-scoring monitor serve`, reading each second, for which every decision is complete at once."""
    port, log = free_port() if port is None else port, folder / "monitor.log"
    command = [str(COMMAND), "monitor", "serve", "--database", address, "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--every", "1", "--maturity-days", "0"],
            env={name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    monitor = RunningMonitor(f"http://127.0.0.1:{port}", log, process)
    try:
        wait_for(lambda: "Metrics on" in monitor.log_text() or process.poll() is not None, "the monitor")
        assert process.poll() is None, monitor.log_text()
        yield monitor
    finally:
        stop(process)


@pytest.fixture
def database(tmp_path: Path) -> str:
    """The address of a file that is not there yet."""
    return f"sqlite:///{tmp_path}/decisions.db"


def has_read(monitor: RunningMonitor) -> Callable[[], bool]:
    return lambda: (monitor.value("monitor_last_success_timestamp_seconds") or 0) > 0


def rename(address: str, table: str, other: str) -> None:
    ask(address, lambda connection: connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {other}"))


# Serve


def test_the_port_that_the_system_chose_is_told(database: str, tmp_path: Path) -> None:
    put(database, [entry()])
    with serving(tmp_path, database, port=0) as monitor:
        (told,) = re.findall(r"http://127\.0\.0\.1:(\d+)/metrics", monitor.log_text())
        assert httpx.get(f"http://127.0.0.1:{told}/metrics", timeout=30).status_code == 200


def test_in_the_environment_of_a_service_it_does_not_start(database: str) -> None:
    """Its gauges could not forget months that have gone."""
    put(database, [entry()])
    options = ["--database", database, "--port", str(free_port())]
    message = error_here("monitor", "serve", *options, PROMETHEUS_MULTIPROC_DIR="/somewhere")
    assert message.startswith("PROMETHEUS_MULTIPROC_DIR is set")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_it_serves_what_became_of_decisions_until_it_is_told_to_stop(
    database: str, tmp_path: Path, number: signal.Signals
) -> None:
    made = put(database, [entry(0.2), entry(0.2), entry(0.6), entry(0.6)])
    found = OutcomeReport(decision_id=made[0], outcome=Outcome.DEFAULTED, observed_on=datetime.now(UTC).date())
    ask(database, partial(outcomes.record, [found], ""))
    cohort = {"model": MODEL, "cohort": f"{datetime.now(UTC):%Y-%m}"}
    with serving(tmp_path, database) as monitor:
        wait_for(has_read(monitor), "a reading")
        assert monitor.value("cohort_decisions", **cohort) == 4
        assert monitor.value("cohort_coverage", **cohort) == 0.5  # of two approved
        assert monitor.value("realised_coverage", model=MODEL) == 0.5
        assert monitor.value("monitor_failures_total") == 0
        put(database, [entry()])
        wait_for(lambda: monitor.value("cohort_decisions", **cohort) == 5, "the next reading")
        assert monitor.end(number) == 0
        assert monitor.log_text() == f"Metrics on {monitor.url}/metrics, updated every 1 s.\n"


def test_a_database_that_fails_is_counted_and_tried_again_while_metrics_are_served(
    address: str, tmp_path: Path
) -> None:
    put(address, [entry(application_id="proposta-7f3a", monthly_income=87654321.25)])
    cohort = {"model": MODEL, "cohort": f"{datetime.now(UTC):%Y-%m}"}
    with serving(tmp_path, address) as monitor:
        wait_for(has_read(monitor), "a reading")
        rename(address, "outcomes", "hidden")
        wait_for(lambda: (monitor.value("monitor_failures_total") or 0) >= 2, "two failures")
        failed_at = monitor.value("monitor_last_success_timestamp_seconds")
        assert monitor.value("cohort_decisions", **cohort) == 1
        rename(address, "hidden", "outcomes")
        wait_for(lambda: monitor.value("monitor_last_success_timestamp_seconds") != failed_at, "a reading again")
        assert monitor.end() == 0
        _, *lines = monitor.log_text().splitlines()
    assert len(lines) >= 2
    for line in lines:
        assert re.search(r" ERROR The decision log at \S+ failed: .*\. The next reading tries again\.$", line), line
    assert not {"7f3a", "87654321"} & set(re.split(r"\W+", " ".join(lines)))


def test_a_port_in_use_is_one_error(database: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        found = run("monitor", "serve", "--database", database, "--port", port)
    assert error_of(found) == (
        f"error: --host 127.0.0.1 --port {port}: cannot listen there (Address already in use).\n"
    )


def test_a_database_that_cannot_be_opened_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = run("monitor", "serve", "--database", f"sqlite:///{tmp_path}/file/decisions.db", "--port", "0")
    assert "cannot be made (" in error_of(found)


# Help


def test_the_commands_teach_what_they_do() -> None:
    found = run_here("monitor", "--help")
    assert found.exit_code == 0
    for taught in ("serve", "metrics for Prometheus", "report", "fields that have drifted since"):
        assert taught in found.stdout


@pytest.mark.parametrize(
    ("command", "taught"),
    [
        ("serve", ["SIGTERM", "--database", "CREDIT_SCORING_DATABASE_URL", "--host", "--port", "9109", "--every"]),
        ("serve", ["--maturity-days", "365", "--history-days", "1095"]),
        ("report", ["--html", "report.html", "--since", "--until", "--model", "--maturity-days", "--history-days"]),
    ],
)
def test_the_help_of_a_command_lists_its_options_with_their_defaults(command: str, taught: list[str]) -> None:
    found = run_here("monitor", command, "--help")
    assert found.exit_code == 0
    for each in taught:
        assert each in found.stdout


@pytest.mark.parametrize(
    "options",
    [
        ["--maturity-days", "-1"],
        ["--maturity-days", "9999999999"],
        ["--history-days", "0"],
        ["--history-days", "800000"],
        ["--html"],
        ["--since-ever"],
    ],
    ids=" ".join,
)
def test_an_option_that_cannot_be_is_refused_by_name(database: str, options: list[str]) -> None:
    found = run_here("monitor", "report", "--database", database, *options)
    assert found.exit_code == 2
    assert options[0] in found.stderr


def test_an_address_that_is_none_of_a_log_is_told() -> None:
    message = error_here("monitor", "report", "--database", "mysql://host/decisions")
    assert message.startswith("The decision log cannot be kept at mysql://host/decisions.")
