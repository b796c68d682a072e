"""`credit-scoring monitor …`: compare decisions with their outcomes, for Prometheus and for people."""

import logging
import os
import signal
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from credit_scoring.cli.decisions import DatabaseOption, ModelOption, SinceOption, UntilOption, moment, open_log
from credit_scoring.cli.listing import messages
from credit_scoring.decisions import queries
from credit_scoring.decisions.database import Database
from credit_scoring.decisions.queries import Wanted
from credit_scoring.errors import ConfigurationError
from credit_scoring.monitoring.exporter import Monitor

MATURITY_DAYS = 365
HISTORY_DAYS = 1095
MOST_DAYS = 36_500
MOST_SECONDS = 86_400

console = messages()
app = typer.Typer(no_args_is_help=True, help="Compare decisions with their outcomes.")

MaturityOption = Annotated[
    int,
    typer.Option(min=0, max=MOST_DAYS, help="Days after which the outcome of a decision should be known."),
]
HistoryOption = Annotated[int, typer.Option(min=1, max=MOST_DAYS, help="Days to look back.")]


@app.command("serve")
def serve(
    database: DatabaseOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 9109,
    every: Annotated[int, typer.Option(min=1, max=MOST_SECONDS, help="Seconds between readings of the log.")] = 900,
    maturity_days: MaturityOption = MATURITY_DAYS,
    history_days: HistoryOption = HISTORY_DAYS,
) -> None:
    """Serve realised performance as metrics for Prometheus, until SIGTERM or Ctrl-C."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        raise ConfigurationError(
            "PROMETHEUS_MULTIPROC_DIR is set, as for a service's workers. Unset it for the monitor."
        )
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    stopped = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda number, frame: stopped.set())
    monitor = _monitor(open_log(database, make=True), maturity_days, history_days)
    try:
        monitor.serve(host, port, timedelta(seconds=every), stopped, partial(console.print, highlight=False))
    except OSError as error:
        raise ConfigurationError(f"--host {host} --port {port}: cannot listen there ({error.strerror}).") from error


@app.command("report")
def report(
    html: Annotated[Path, typer.Option(help="File to write.")] = Path("report.html"),
    database: DatabaseOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    model: ModelOption = None,
    maturity_days: MaturityOption = MATURITY_DAYS,
    history_days: HistoryOption = HISTORY_DAYS,
) -> None:
    """Write an HTML page: fields that have drifted since training, and realised performance by month."""
    try:
        from credit_scoring.monitoring import (  # noqa: PLC0415 - matplotlib, which the served image lacks
            drift_page,
            drift_report,
        )
    except ImportError as error:
        raise ConfigurationError(f"{error.name} is not installed: reports need `make install`.") from error

    log = open_log(database)
    wanted = Wanted(moment(since), moment(until), model)
    newest = log.run_now(partial(queries.latest, wanted, 1), reading=True)
    if not newest:
        raise ConfigurationError("No decision on record matches these options.")
    wanted = Wanted(wanted.since, wanted.until, newest[0]["model"])
    with console.status("Reading decisions and outcomes …"):
        found = _monitor(log, maturity_days, history_days).read(datetime.now(UTC).date())
        page = drift_page.period_page(drift_report.report(log, wanted, found))
    try:
        html.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"--html {html}: cannot be written ({error.strerror}).") from error
    print(html)


def _monitor(log: Database, maturity_days: int, history_days: int) -> Monitor:
    maturity, history = timedelta(days=maturity_days), timedelta(days=history_days)
    return Monitor(log, maturity=maturity, history=history)
