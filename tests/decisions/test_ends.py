"""What a new worker looks up of the chains of others."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, insert, select

from benchmarks.support.decision_records import ORIGIN, ask, entry, put
from credit_scoring.decisions import ends
from credit_scoring.decisions.chain import Introduction, writer_hash
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.log import DecisionLog
from credit_scoring.decisions.tables import blocks, writers
from credit_scoring.decisions.writer import WRITERS_TO_RECORD
from tests.conftest import make_sqlite_log

STEPS = 100  # of SQLite's own machine between two counts


def test_the_ends_are_the_last_blocks_and_of_a_worker_that_stored_nothing_its_introduction(address: str) -> None:
    put(address, [entry()])
    put(address, [entry()])
    idle = _introduce(1, address)[0]
    last = select(blocks.c.writer, blocks.c.number, blocks.c.hash).order_by(blocks.c.writer)
    stored = [tuple(row) for row in ask(address, lambda connection: connection.execute(last).all())]
    assert sorted(ask(address, lambda connection: list(ends.of_all(connection)))) == [*stored, idle]
    assert sorted(ask(address, partial(_of_newest, 2))) == [stored[1], idle]


def _of_newest(count: int, connection: Connection) -> list[ends.End]:
    return list(ends.of_newest(count, connection))


def test_a_worker_starts_with_as_much_work_on_a_large_log_as_on_a_small_one(tmp_path: Path) -> None:
    steps = []
    for times in (1, 10):
        address = make_sqlite_log(tmp_path / str(times))
        _store_empty_blocks(4 * times, _introduce(WRITERS_TO_RECORD * times, address), address)
        steps.append(_steps_of_a_start(address))
    assert steps[1] < 1.5 * steps[0]


def _introduce(count: int, address: str) -> list[ends.End]:
    """So many workers that have stored nothing."""
    made = [
        Introduction(new_id(), datetime.now(UTC), "m", "p", 0.3, "[]", "0.1.0", "[]", '[0,""]') for _ in range(count)
    ]
    rows = [each._asdict() | {"hash": writer_hash(each)} for each in made]
    ask(address, lambda connection: connection.execute(insert(writers), rows))
    return [(row["id"], 0, row["hash"]) for row in rows]


def _store_empty_blocks(count: int, of: list[ends.End], address: str) -> None:
    """So many for each of these workers."""
    same = {"decided_at": datetime.now(UTC), "size": 0, "rows_hash": "0" * 64, "hash": "0" * 64}
    rows = [same | {"writer": writer, "number": number + 1} for writer, _, _ in of for number in range(count)]
    ask(address, lambda connection: connection.execute(insert(blocks), rows))


def _steps_of_a_start(address: str) -> int:
    """How much SQLite's machine works until a new worker has found its place."""
    log = DecisionLog(open_database(address, timeout=10), ORIGIN)
    counted = 0

    def work(connection: Connection) -> None:
        def on_steps() -> None:
            nonlocal counted
            counted += 1

        driver = connection.connection.driver_connection
        assert driver is not None
        driver.set_progress_handler(on_steps, STEPS)
        log.writer._found_head(connection)
        driver.set_progress_handler(None, STEPS)

    ask(address, work)
    asyncio.run(log.close())
    return counted
