"""`python -m benchmarks.serving.log`: what the decision log costs few clients and many, and what the disk alone would.

A decision is on the disk before it is answered, so each micro-batch waits for one commit. Beside the service, with its
log and without, stands the disk's own `fdatasync`: no log that keeps its word can be faster than that.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from benchmarks.serving.__main__ import RESULTS_FOLDER, make_stage
from benchmarks.serving.catalogue import VARIANTS
from benchmarks.serving.load import Loader
from benchmarks.serving.machine import described
from benchmarks.serving.processes import Cores
from benchmarks.serving.servers import ServerError, Stage, serve
from credit_scoring.errors import CreditScoringError

CLIENTS = (1, 8, 32, 128)
CONNECTIONS = 200
SYNCS = 500
PAGE = b"\0" * 4096
PAGES = 3  # of SQLite's write-ahead log in a commit of one decision

Rates = dict[tuple[bool, int], list[float]]


def main(
    seconds: Annotated[float, typer.Option(min=1, help="Length of each load.")] = 4.0,
    repetitions: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 3,
) -> None:
    """Print one row per number of clients, and write them to benchmarks/results/log.md."""
    rates: Rates = {(log, clients): [] for log in (True, False) for clients in CLIENTS}
    syncs: list[float] = []
    try:
        with tempfile.TemporaryDirectory(prefix="credit-scoring-log-") as folder:
            stage = make_stage(Path(folder))
            Cores.of_this_machine().leave()
            for repetition in range(repetitions):
                for log in (False, True):
                    _measure(_with(stage, log, repetition), log, seconds, rates)
                syncs.append(fdatasync_s(Path(folder) / "synced"))
    except (RuntimeError, ServerError, CreditScoringError) as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error
    text = "\n".join(_table(rates, median(syncs))) + "\n"
    (RESULTS_FOLDER / "log.md").write_text(text, encoding="utf-8")
    typer.echo(text)


def _with(stage: Stage, log: bool, repetition: int) -> Stage:
    kept = {
        "CREDIT_SCORING_DECISION_LOG": "required" if log else "off",
        "CREDIT_SCORING_DATABASE_URL": f"sqlite:///{stage.folder}/log-{repetition}.db",
    }
    return replace(stage, environment=kept)


def _measure(stage: Stage, log: bool, seconds: float, rates: Rates) -> None:
    with serve(VARIANTS["g"], stage) as server:
        for number, clients in enumerate(CLIENTS):
            rate = Loader(stage, seconds, CONNECTIONS).closed(server, number, clients).outcome.useful_per_s
            rates[log, clients].append(rate)
            typer.echo(f"log {'on' if log else 'off'}, {clients} clients: {rate:,.0f}/s", err=True)


def fdatasync_s(path: Path) -> float:
    """The median seconds that this disk takes for as many bytes as a commit of one decision writes."""
    taken = []
    with path.open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            file.write(PAGE * PAGES)
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - started)
    return median(taken)


def _table(rates: Rates, sync_s: float) -> Iterator[str]:
    yield f"{described()}; SQLite; the disk's `fdatasync` takes {1000 * sync_s:.2f} ms (median)."
    yield ""
    yield "| clients | answers/s without the log | with it | of those without | with `fdatasync` alone |"
    yield "|--:|--:|--:|--:|--:|"
    for clients in CLIENTS:
        without, with_log = (median(rates[log, clients]) for log in (False, True))
        turn_s = clients / without  # all clients are answered in one turn
        yield (
            f"| {clients} | {without:,.0f} | {with_log:,.0f} | {with_log / without:.0%} | "
            f"{turn_s / (turn_s + sync_s):.0%} |"
        )


if __name__ == "__main__":
    typer.run(main)
