"""`python -m benchmarks.decisions`: a decision log of a million decisions, exported, verified, asked.

Both kinds of database, each in a folder of its own that goes again. The commands are those of users, timed as a whole;
the decisions are of the example application with other incomes, stored by a worker's own code in blocks of 32.
"""

import asyncio
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track
from sqlalchemy import Connection, select, text

from benchmarks.serving.__main__ import RESULTS_FOLDER
from benchmarks.serving.machine import described
from benchmarks.support.decision_records import ORIGIN, entry
from benchmarks.support.postgres import missing, throwaway
from credit_scoring.decisions import dossiers, schema_version
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.log import DecisionLog
from credit_scoring.decisions.tables import decisions

BLOCK = 32
LOOKED_UP = 1_000
TIMEOUT_S = 600.0
_POSTGRES_SIZE = text("SELECT pg_database_size(current_database())")


@dataclass(frozen=True)
class Figures:
    """Of one database; rates are decisions a second, without the command's start."""

    stored: float
    exported: dict[str, float]
    verified: float
    lookup_ms: tuple[float, float]
    bytes_each: float


def main(
    count: Annotated[int, typer.Option("--decisions", min=1000, help="Decisions in the log.")] = 1_000_000,
    seed: Annotated[int, typer.Option(help="Which ones are looked up.")] = 1,
) -> None:
    """Print one row per database, and write them to benchmarks/results/decisions.md."""
    if reason := missing():
        raise typer.BadParameter(reason)
    found = {}
    with tempfile.TemporaryDirectory(prefix="credit-scoring-decisions-") as name:
        folder = Path(name)
        found["SQLite"] = _measured(f"sqlite:///{folder}/decisions.db", folder, count, seed)
        with throwaway() as postgres:
            found["PostgreSQL"] = _measured(postgres.database(), folder, count, seed)
    report = "\n".join(_table(found, count)) + "\n"
    (RESULTS_FOLDER / "decisions.md").write_text(report, encoding="utf-8")
    typer.echo(report)


def _measured(address: str, folder: Path, count: int, seed: int) -> Figures:
    open_database(address, timeout=TIMEOUT_S).run_now(schema_version.upgrade)
    began = time.perf_counter()
    ids = asyncio.run(_fill(address, count))
    stored = count / (time.perf_counter() - began)
    _gather_statistics(address)
    start = _seconds("list", "--limit", "1", "--database", address)
    exported = {}
    for suffix in (".parquet", ".csv"):
        taken = _seconds("export", "--output", str(folder / f"all{suffix}"), "--database", address)
        exported[suffix] = count / (taken - start)
    verified = count / (_seconds("verify", "--database", address) - start)
    some = random.Random(seed).sample(ids, LOOKED_UP)  # noqa: S311 - nothing secret
    lookup_ms = asyncio.run(_lookups(address, some))
    return Figures(stored, exported, verified, lookup_ms, _size(address) / count)


def _gather_statistics(address: str) -> None:
    """As PostgreSQL does by itself within a minute of such growth (autovacuum)."""
    database = open_database(address, timeout=TIMEOUT_S)
    if database.url.get_backend_name() == "postgresql":
        database.run_now(lambda connection: connection.execute(text("ANALYZE")))


def _size(address: str) -> int:
    """Of the database on the disk, bytes."""
    database = open_database(address, timeout=TIMEOUT_S)
    if database.url.get_backend_name() == "sqlite":
        return sum(file.stat().st_size for file in Path(str(database.url.database)).parent.glob("decisions.db*"))
    return int(database.run_now(lambda connection: connection.scalar(_POSTGRES_SIZE)) or 0)


async def _fill(address: str, count: int) -> list[str]:
    log = DecisionLog(open_database(address, timeout=TIMEOUT_S), ORIGIN)
    ids = []
    for number in track(range(0, count, BLOCK), f"Storing in {address.partition(':')[0]}"):
        block = [entry(monthly_income=1000.0 + each) for each in range(number, min(number + BLOCK, count))]
        await log.store(block)
        ids += [each.row.id for each in block]
    await log.close()
    return ids


def _seconds(*arguments: str) -> float:
    began = time.perf_counter()
    command = [sys.executable, "-m", "credit_scoring", "decisions", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # noqa: S603 - our own
    return time.perf_counter() - began


async def _lookups(address: str, ids: list[str]) -> tuple[float, float]:
    """Median and p99 of dossiers asked for one after the other, in milliseconds, by a service's own way."""
    database = open_database(address, timeout=TIMEOUT_S)
    await database.run(_one, reading=True)
    taken = []
    for id in ids:
        began = time.perf_counter()
        await database.run(partial(dossiers.find, id), reading=True)
        taken.append((time.perf_counter() - began) * 1000)
    await database.close()
    return statistics.median(taken), statistics.quantiles(taken, n=100)[-1]


def _one(connection: Connection) -> None:
    connection.execute(select(decisions.c.id).limit(1)).scalar()


def _table(found: dict[str, Figures], count: int) -> Iterator[str]:
    yield f"{count:,} decisions, `python -m benchmarks.decisions`, {described()}."
    yield ""
    yield "| a second | stored, 32 at a time | to Parquet | to CSV | verified | one looked up | bytes each |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for name, each in found.items():
        rates = (each.stored, each.exported[".parquet"], each.exported[".csv"], each.verified)
        looked_up = "{:.1f} ms, p99 {:.1f} ms".format(*each.lookup_ms)
        yield f"| {name} | {' | '.join(f'{rate:,.0f}' for rate in rates)} | {looked_up} | {each.bytes_each:,.0f} |"


if __name__ == "__main__":
    typer.run(main)
