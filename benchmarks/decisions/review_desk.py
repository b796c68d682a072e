"""How long the review desk's questions to a full decision log take: `python -m benchmarks.decisions.review_desk`.

The log has 1,000,000 decisions, 50,000 of which went to people and 500 of which still wait; the decisions are copies of
one, put in by plain SQL. `--keep FOLDER` leaves the SQLite file there, so that pages can be timed on it.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
from sqlalchemy import Connection, Table, insert, select, text

from benchmarks.support.decision_records import entry, put
from benchmarks.support.postgres import missing, throwaway
from credit_scoring.decisions import schema_version, waiting
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.database import Database
from credit_scoring.decisions.tables import decisions, reviews
from credit_scoring.review import overview
from credit_scoring.review.dossier_page import look_up

DECISIONS = 1_000_000
EVERY_IN_ANALYSIS = 20
WAITING = 500
CHUNK = 10_000
REPEATS = 15
TIMEOUT_S = 600.0


def ids(count: int) -> Iterator[str]:
    """Ids of decisions over the last year, in order."""
    start = int((datetime.now(UTC) - timedelta(days=365)).timestamp() * 1000)
    step = 365 * 24 * 3600 * 1000 // count
    for number in range(count):
        moment = f"{start + number * step:012x}"
        yield f"{moment[:8]}-{moment[8:]}-7000-8000-{number:012x}"


def fill(address: str, count: int) -> list[str]:
    """Put the decisions in; the ids of those in analysis."""
    (first,) = put(address, [entry()])
    database = open_database(address, timeout=TIMEOUT_S)
    template = database.run_now(partial(_row, first), reading=True)
    everything = list(ids(count))
    in_analysis = everything[::EVERY_IN_ANALYSIS]
    chosen = set(in_analysis)
    rows = [{**template, "id": id, "decision": "EM_ANALISE" if id in chosen else "NEGADO"} for id in everything]
    _insert(database, decisions, rows)
    _insert(database, reviews, [_verdict(id, number) for number, id in enumerate(in_analysis[:-WAITING])])
    database.run_now(lambda connection: connection.execute(text("ANALYZE")))
    asyncio.run(database.close())
    return in_analysis


def _row(decision_id: str, connection: Connection) -> dict[str, Any]:
    return dict(connection.execute(select(decisions).where(decisions.c.id == decision_id)).mappings().one())


def _verdict(decision_id: str, number: int) -> dict[str, Any]:
    who = {"reason": "Renda conferida.", "reviewer": "ana", "recorded_by": "ana"}
    made = {"id": f"{decision_id[:-12]}{number:012x}", "decision": decision_id, "recorded_at": datetime.now(UTC)}
    return {**made, **who, "step": "APPROVED" if number % 2 else "DENIED"}


def _insert(database: Database, table: Table, rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), CHUNK):
        database.run_now(partial(_insert_part, table, rows[start : start + CHUNK]))


def _insert_part(table: Table, rows: list[dict[str, Any]], connection: Connection) -> None:
    connection.execute(insert(table), rows)


async def seconds_of(database: Database, work: Callable[[Connection], Any]) -> float:
    """The median of several runs, by connections that are open already."""
    found = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        await database.run(work)
        found.append(time.perf_counter() - started)
    return median(found)


async def tell(address: str, questions: Mapping[str, Callable[[Connection], Any]]) -> None:
    """Print how long each question takes."""
    database = open_database(address, timeout=TIMEOUT_S)
    for name, work in questions.items():
        print(f"  {name:<28} {await seconds_of(database, work) * 1000:7.1f} ms")
    await database.close()


async def vacuum(address: str) -> None:
    """What PostgreSQL does by itself, sooner or later, after so many insertions."""
    connection = await asyncpg.connect(address.replace("+asyncpg", ""))
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


def measure(address: str, count: int) -> None:
    """Fill a log and print how long each question takes."""
    in_analysis = fill(address, count)
    database = open_database(address, timeout=TIMEOUT_S)
    oldest = in_analysis[-WAITING:]
    found = database.run_now(waiting.cases, reading=True)
    if [case.decision_id for case in found] != oldest:
        raise SystemExit(f"{len(found)} cases wait, expected the {WAITING} that were put in.")
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    questions: dict[str, Callable[[Connection], Any]] = {
        "queue: what waits": waiting.cases,
        "queue: 25 lines": partial(waiting.in_short, oldest[:25]),
        "search by application id": partial(waiting.named, "nobody-has-this"),
        "dossier, the look kept": partial(look_up, oldest[0], "dossier", "ana"),
        "overview: today": partial(overview.today, midnight),
        "overview: overruled": overview.overruled,
    }
    print(f"{database}: {count:,} decisions, {len(in_analysis):,} of them for people, {WAITING} waiting")
    asyncio.run(database.close())
    if address.startswith("postgresql"):
        asyncio.run(vacuum(address))
    asyncio.run(tell(address, questions))


def main() -> None:
    """Measure SQLite, and PostgreSQL where there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=DECISIONS)
    parser.add_argument("--keep", type=Path, help="folder for the SQLite file, which stays there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        address = f"sqlite:///{options.keep or temporary}/decisions.db"
        open_database(address).run_now(schema_version.upgrade)
        measure(address, options.decisions)
    if reason := missing():
        print(reason)
        return
    with throwaway() as server:
        measure(server.decision_log(), options.decisions)


if __name__ == "__main__":
    main()
