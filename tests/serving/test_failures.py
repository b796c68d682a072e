"""Answered means stored: the service as it is served, under load, while its parts are killed, filled up or locked."""

import asyncio
import os
import random
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Connection, select

from benchmarks.support.consorcio import EXAMPLE_APPLICATION
from benchmarks.support.decision_records import ask
from benchmarks.support.postgres import Postgres
from benchmarks.support.traffic import (
    PATIENCE_S,
    HttpAnswer,
    Line,
    Record,
    Sent,
    Traffic,
    audit,
    crash,
    new_application,
    workers,
)
from benchmarks.support.waiting import keep_answering, wait_for
from credit_scoring.decisions.tables import blocks, decisions
from tests.conftest import STOPPED_WITHIN, RunningService, wait_until_ready
from tests.support.disks import fill_up, small_disk
from tests.test_service import is_ready, served

KILLS = 3
STOPS = 10
SEED = 20261124


@pytest.fixture(scope="module")
def on_sqlite(model_tag: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningService, str]]:
    """Two workers that store in one file, and its address."""
    folder = tmp_path_factory.mktemp("on-sqlite")
    address = f"sqlite:///{folder}/decisions.db"
    yield from _serving(folder, address, CREDIT_SCORING_MODEL=model_tag)


@pytest.fixture(scope="module")
def on_postgres(
    model_tag: str, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningService, str]]:
    """Two workers that store in one database of a server, and its address."""
    yield from _serving(tmp_path_factory.mktemp("on-postgres"), postgres.decision_log(), CREDIT_SCORING_MODEL=model_tag)


def _serving(folder: Path, address: str, **environment: str) -> Iterator[tuple[RunningService, str]]:
    environment |= {"CREDIT_SCORING_DATABASE_URL": address, "CREDIT_SCORING_WORKERS": "2"}
    with served(folder, **environment) as running:
        wait_until_ready(running)
        yield running, address


def assert_kept(address: str, record: Record) -> None:
    """Every answer is on record once, in chains that verify; and there were only the documented ones."""
    found = audit(address, record.answered)
    assert (found.missing, found.twice, found.problems) == ([], [], [])
    assert found.stored >= len(record.answered) > 0
    assert record.strange == {}


def assert_prompt(record: Record) -> None:
    """The service promises an end within 1 s; PATIENCE_S allows for a client that shares its two cores with it."""
    assert record.overdue == 0
    assert record.longest_s < PATIENCE_S


def wait_for_refusals(load: Traffic, more: int) -> None:
    before = load.record.refused
    wait_for(lambda: load.record.refused >= before + more, f"{more} refusals")


def wait_until_all_ready(running: RunningService) -> None:
    wait_for(lambda: keep_answering(f"{running.url}/readyz"), "readiness of all workers")


# Killed


def test_what_was_answered_survives_workers_killed_at_random_moments_and_the_service_recovers(
    on_sqlite: tuple[RunningService, str],
) -> None:
    running, address = on_sqlite
    moments = random.Random(SEED)  # noqa: S311 - nothing secret
    with Traffic(running.url) as load:
        for _ in range(KILLS):
            load.wait_for_answers(moments.randrange(1, 500))
            os.kill(moments.choice(workers(running.process.pid)), signal.SIGKILL)
        load.wait_for_answers(500)
    wait_for(lambda: len(workers(running.process.pid)) == 2, "both workers")
    wait_until_all_ready(running)
    assert_kept(address, load.record)


def test_what_was_answered_survives_a_postgresql_killed_at_random_moments_and_the_service_recovers(
    on_postgres: tuple[RunningService, str], postgres: Postgres
) -> None:
    running, address = on_postgres
    moments = random.Random(SEED)  # noqa: S311 - nothing secret
    before = workers(running.process.pid)
    with Traffic(running.url) as load:
        for _ in range(KILLS):
            load.wait_for_answers(moments.randrange(1, 500))
            crash(postgres)
            wait_for_refusals(load, 20)
            wait_for(lambda: not is_ready(running), "readiness to turn false")
            postgres.start()
            load.wait_for_answers(1)
        load.wait_for_answers(100)
    wait_until_all_ready(running)
    assert workers(running.process.pid) == before
    assert load.record.lost == 0
    assert_prompt(load.record)
    assert_kept(address, load.record)


# Neither killed nor well


def test_a_locked_database_is_answered_503_in_time_and_the_service_recovers(
    on_sqlite: tuple[RunningService, str],
) -> None:
    running, address = on_sqlite
    before = workers(running.process.pid)
    with Traffic(running.url) as load:
        load.wait_for_answers(100)
        with closing(sqlite3.connect(address.removeprefix("sqlite:///"), timeout=60, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            wait_for_refusals(load, 100)
            wait_for(lambda: not is_ready(running), "readiness to turn false")
            answered = len(load.record.answered)
            wait_for_refusals(load, 20)
            assert len(load.record.answered) == answered
            other.execute("ROLLBACK")
        load.wait_for_answers(100)
    wait_until_all_ready(running)
    assert workers(running.process.pid) == before
    assert load.record.lost == 0
    assert_prompt(load.record)
    assert_kept(address, load.record)


def test_a_worker_that_stands_still_for_200_ms_refuses_nobody_afterwards(model_tag: str, tmp_path: Path) -> None:
    """Most of the times it is stopped in the middle of a turn, with requests still to be read in it."""
    with served(tmp_path, CREDIT_SCORING_MODEL=model_tag, CREDIT_SCORING_DECISION_LOG="off") as running:
        wait_until_ready(running)
        (worker,) = workers(running.process.pid)
        with Traffic(running.url, clients=64, with_ids=False) as load:
            for _ in range(STOPS):
                load.wait_for_answers(50)
                stand_still(worker, 0.2)
    assert (load.record.refused, load.record.strange) == (0, {})


def stand_still(process: int, seconds: float) -> None:
    """Stop it for so long, as a debugger, a suspended machine or a busy neighbour would."""
    until = time.monotonic() + seconds
    os.kill(process, signal.SIGSTOP)
    try:
        wait_for(lambda: time.monotonic() > until, "the end of the standstill")
    finally:
        os.kill(process, signal.SIGCONT)


def test_a_full_disk_is_answered_503_loses_no_worker_and_once_there_is_room_the_service_recovers(
    model_tag: str, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", "8m") as disk:
        address = f"sqlite:///{disk}/decisions.db"
        environment = {"CREDIT_SCORING_MODEL": model_tag, "CREDIT_SCORING_DATABASE_URL": address}
        with served(tmp_path, **environment) as running:
            wait_until_ready(running)
            before = workers(running.process.pid)
            with Traffic(running.url) as load:
                load.wait_for_answers(100)
                ballast = fill_up(disk)
                wait_for_refusals(load, 100)
                wait_for(lambda: not is_ready(running), "readiness to turn false")
                assert workers(running.process.pid) == before
                ballast.unlink()
                load.wait_for_answers(100)
            wait_until_ready(running)
            assert workers(running.process.pid) == before
            assert "disk is full" in running.log_text()
            assert "Traceback" not in running.log_text()
        assert load.record.lost == 0
        assert_prompt(load.record)
        assert_kept(address, load.record)


def test_workers_whose_sqlite_file_is_deleted_are_not_ready_though_nobody_asks_and_make_no_new_one(
    model_tag: str, tmp_path: Path
) -> None:
    path = tmp_path / "decisions.db"
    environment = {"CREDIT_SCORING_MODEL": model_tag, "CREDIT_SCORING_DATABASE_URL": f"sqlite:///{path}"}
    with served(tmp_path, **environment) as running:
        wait_until_ready(running)
        path.unlink()
        wait_for(lambda: not is_ready(running), "readiness to turn false")
        assert httpx.post(f"{running.url}/predict", json=EXAMPLE_APPLICATION, timeout=30).status_code == 503
        assert not path.exists()
        assert "moved, deleted or replaced while it was in use" in running.log_text()


@contextmanager
def slow_commits(postgres: Postgres, address: str, seconds: float) -> Iterator[None]:
    """Let each commit of a block take so long."""
    name = address.rpartition("/")[2]
    body = f"BEGIN PERFORM pg_sleep({seconds}); RETURN NULL; END"
    event = "AFTER INSERT ON batches DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()"
    postgres.run(f"CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS '{body}'", name)
    postgres.run(f"CREATE CONSTRAINT TRIGGER slow {event}", name)
    try:
        yield
    finally:
        postgres.run("DROP FUNCTION slow CASCADE", name)


def test_a_database_that_takes_500_ms_a_commit_keeps_nobody_waiting_and_loses_no_worker(
    on_postgres: tuple[RunningService, str], postgres: Postgres
) -> None:
    running, address = on_postgres
    before = workers(running.process.pid)
    with Traffic(running.url, clients=16) as load:
        load.wait_for_answers(100)
        with slow_commits(postgres, address, 0.5):
            wait_for_refusals(load, 100)
        load.wait_for_answers(100)
    wait_until_all_ready(running)
    assert workers(running.process.pid) == before
    assert load.record.lost == 0
    assert_prompt(load.record)
    assert_kept(address, load.record)


# best_effort


def in_chained_order(connection: Connection) -> dict[str, list[str]]:
    """The ids of each writer's decisions, block by block."""
    columns = decisions.c
    found: dict[str, list[str]] = {}
    for writer, id in connection.execute(
        select(columns.writer, columns.id)
        .join(blocks, (blocks.c.writer == columns.writer) & (blocks.c.number == columns.batch))
        .order_by(blocks.c.writer, blocks.c.number, columns.id)
    ):
        found.setdefault(writer, []).append(id)
    return found


def test_under_best_effort_an_outage_and_a_killed_worker_cost_no_answer_and_all_follow_in_order(
    model_tag: str, postgres: Postgres, tmp_path: Path
) -> None:
    address, spool = postgres.decision_log(), tmp_path / "spool"
    environment = {
        "CREDIT_SCORING_MODEL": model_tag,
        "CREDIT_SCORING_DATABASE_URL": address,
        "CREDIT_SCORING_DECISION_LOG": "best_effort",
        "CREDIT_SCORING_SPOOL_FOLDER": str(spool),
    }
    with served(tmp_path, **environment) as running:
        wait_until_ready(running)
        with Traffic(running.url, with_ids=False, pause=0.005) as load:
            load.wait_for_answers(100)
            crash(postgres)
            try:
                load.wait_for_answers(200)
                assert is_ready(running)
                (worker,) = workers(running.process.pid)
                os.kill(worker, signal.SIGKILL)
                load.wait_for_answers(200)
                assert is_ready(running)
            finally:
                postgres.start()
            load.wait_for_answers(100)
        wait_for(lambda: waiting_in_spools(running) == 0 and len(list(spool.iterdir())) == 1, "an empty spool")
    assert load.record.refused == 0
    assert_kept(address, load.record)
    assert all(ids == sorted(ids) for ids in ask(address, in_chained_order, reading=True).values())


def waiting_in_spools(running: RunningService) -> int:
    """How many decisions wait in spools, as the metrics tell."""
    return _sum_of(running, "credit_scoring_decision_log_spooled")


# SIGTERM


def decided(running: RunningService) -> int:
    """How many applications were scored, as the metrics tell."""
    return _sum_of(running, "credit_scoring_batch_size_sum")


def _sum_of(running: RunningService, metric: str) -> int:
    families = text_string_to_metric_families(httpx.get(f"{running.url}/metrics", timeout=30).text)
    samples = [sample for family in families for sample in family.samples]
    return int(sum(sample.value for sample in samples if sample.name == metric))


def test_on_sigterm_every_request_that_was_taken_is_answered_after_its_decision_is_stored(
    model_tag: str, postgres: Postgres, tmp_path: Path
) -> None:
    """Decided and not stored yet: so they all are when the metrics have counted them and a commit takes 300 ms."""
    address = postgres.decision_log()
    environment = {"CREDIT_SCORING_MODEL": model_tag, "CREDIT_SCORING_DATABASE_URL": address}
    sent = [new_application(with_id=bool(number % 2)) for number in range(50)]
    with served(tmp_path, **environment) as running:
        wait_until_ready(running)
        with slow_commits(postgres, address, 0.3):
            answers = asyncio.run(_terminated_meanwhile(running, sent))
        assert running.process.wait(STOPPED_WITHIN) == 0  # here: leaving the block would send a second signal
    assert {answer.status for answer in answers} == {200}
    record = Record()
    for each, answer in zip(sent, answers, strict=True):
        record.note_answer(each, answer, 0.0)
    assert_kept(address, record)
    assert "Traceback" not in running.log_text()


async def _terminated_meanwhile(running: RunningService, sent: list[Sent]) -> list[HttpAnswer]:
    """The answers to these applications, when the service is told to end as soon as it has decided them all."""
    address = urlsplit(running.url)
    lines = [Line((str(address.hostname), int(address.port or 80))) for _ in sent]
    await asyncio.gather(*(line.connect() for line in lines))
    exchanges = asyncio.gather(*(line.exchange(each.body) for line, each in zip(lines, sent, strict=True)))
    await asyncio.to_thread(wait_for, lambda: decided(running) == len(sent), "all to be decided")
    running.process.send_signal(signal.SIGTERM)
    try:
        return await asyncio.wait_for(exchanges, STOPPED_WITHIN)
    finally:
        for line in lines:
            line.close()


def test_from_the_first_ready_worker_to_sigterm_nobody_is_refused_and_every_answer_is_stored(
    model_tag: str, tmp_path: Path
) -> None:
    """The second worker takes requests no earlier than it can store what it decides."""
    address = f"sqlite:///{tmp_path}/decisions.db"
    environment = {"CREDIT_SCORING_DATABASE_URL": address, "CREDIT_SCORING_WORKERS": "2"}
    with served(tmp_path, CREDIT_SCORING_MODEL=model_tag, **environment) as running:
        wait_until_ready(running)
        with Traffic(running.url) as load:
            load.wait_for_answers(2000)
            assert (load.record.refused, load.record.strange, load.record.overdue) == (0, {}, 0)
            running.process.send_signal(signal.SIGTERM)
            assert running.process.wait(STOPPED_WITHIN) == 0
    assert "Traceback" not in running.log_text()
    assert_kept(address, load.record)
