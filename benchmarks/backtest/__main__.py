"""`python -m benchmarks.backtest`: `credit-scoring policy backtest` on a log of a million decisions.

The command is that of users, timed as a whole with its start, in a process of its own whose peak memory the system
tells. The log is measured when a quarter of it is there, and again when all is: memory must not grow with it.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.progress import Progress
from sqlalchemy import text

from benchmarks.serving.__main__ import RESULTS_FOLDER
from benchmarks.serving.machine import described
from benchmarks.support.decided_clients import TIMEOUT_S, fill
from benchmarks.support.postgres import missing, throwaway
from credit_scoring.decisions import schema_version
from credit_scoring.decisions.connect import open_database
from credit_scoring.model import store
from credit_scoring.model.scorer import Scorer
from credit_scoring.settings import MODEL_NAME, PROJECT_FOLDER

POLICY = PROJECT_FOLDER / "credit_scoring" / "policy" / "examples" / "adesao.toml"
KINDS = ("sqlite", "postgresql")
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


class Measured(NamedTuple):
    """One run of the command."""

    database: str
    decisions: int
    seconds: float
    peak_mib: float


def main(
    count: Annotated[int, typer.Option("--decisions", min=1000, help="Decisions in the log.")] = 1_000_000,
    database: Annotated[list[str] | None, typer.Option(help=f"Repeatable: {', '.join(KINDS)}.")] = None,
    model: Annotated[str, typer.Option(help="Model in the store, on the shipped catalogue.")] = f"{MODEL_NAME}:latest",
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """Print one row per run, and write them to benchmarks/results/backtest.md."""
    kinds = database or list(KINDS)
    if wrong := [each for each in kinds if each not in KINDS]:
        raise typer.BadParameter(f"{wrong[0]}: expected {' or '.join(KINDS)}")
    if "postgresql" in kinds and (reason := missing()):
        raise typer.BadParameter(reason)
    stored = store.find(model)
    scorer, tag = Scorer.load(Path(stored.path)), str(stored.tag)
    with tempfile.TemporaryDirectory(prefix="credit-scoring-backtest-") as name:
        found = [each for kind in kinds for each in _runs(kind, Path(name), scorer, tag, count, seed)]
    report = "\n".join(_table(found, tag)) + "\n"
    (RESULTS_FOLDER / "backtest.md").write_text(report, encoding="utf-8")
    typer.echo(report)


def _runs(kind: str, folder: Path, scorer: Scorer, tag: str, count: int, seed: int) -> Iterator[Measured]:
    with ExitStack() as stack:
        address = f"sqlite:///{folder}/decisions.db"
        if kind == "postgresql":
            address = stack.enter_context(throwaway()).database()
        opened = open_database(address, timeout=TIMEOUT_S)
        opened.run_now(schema_version.upgrade)
        stored = 0
        for wanted in (count // 4, count):
            asyncio.run(_fill(address, scorer, tag, wanted - stored, seed + stored))
            stored = wanted
            if kind == "postgresql":  # as it does by itself within a minute of such growth (autovacuum)
                opened.run_now(lambda connection: connection.execute(text("ANALYZE")))
            yield _measured(kind, address, folder, tag, stored)


async def _fill(address: str, scorer: Scorer, tag: str, count: int, seed: int) -> None:
    with Progress() as progress:
        task = progress.add_task(f"Storing in {address.partition(':')[0]}", total=count)
        async for done in fill(address, scorer, tag, count, seed):
            progress.update(task, completed=done)


def _measured(kind: str, address: str, folder: Path, tag: str, decisions: int) -> Measured:
    began = time.perf_counter()
    command = [sys.executable, "-m", "credit_scoring", "policy", "backtest", str(POLICY), "--model", tag]
    options = ["--database", address, "--output", str(folder / "report")]
    process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)  # noqa: S603 - our own
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise typer.Exit(1)
    return Measured(kind, decisions, time.perf_counter() - began, usage.ru_maxrss / 1024)


def _table(found: list[Measured], tag: str) -> Iterator[str]:
    yield f"`python -m benchmarks.backtest`, the example policy for adesão on {tag}, {described()}."
    yield f"Load average {os.getloadavg()[0]:.1f}. The command as a whole, with its start."
    yield ""
    yield "| | decisions | seconds | decisions/s | peak memory, MiB |"
    yield "|---|--:|--:|--:|--:|"
    for each in found:
        rate = each.decisions / each.seconds
        row = (f"{each.decisions:,}", f"{each.seconds:.0f}", f"{rate:,.0f}", f"{each.peak_mib:,.0f}")
        yield f"| {NAMES[each.database]} | {' | '.join(row)} |"


if __name__ == "__main__":
    typer.run(main)
