"""Tampering with the decision log, on both kinds of database; docs/operations.md says what of it is seen."""

import asyncio
import gc
import json
import re
import shutil
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, insert, select, text, update

from benchmarks.support.decision_records import ORIGIN, TIMEOUT_S, ask, entry, purge, put
from benchmarks.support.postgres import Postgres
from credit_scoring.decisions import block_checks, ends, events, outcomes, reviews, verdict
from credit_scoring.decisions.anchors import Anchor, Anchors
from credit_scoring.decisions.chain import Block, Head, Introduction, Row, rows_hash, writer_hash
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.entries import Entry
from credit_scoring.decisions.erased import ERASED
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.log import DecisionLog
from credit_scoring.decisions.outcomes import Outcome, OutcomeReport
from credit_scoring.decisions.reviews import ReviewStep, Step
from credit_scoring.decisions.tables import blocks, decisions, erasures, writers
from credit_scoring.decisions.verdict import Verdict
from credit_scoring.decisions.verification import verify
from credit_scoring.settings import PROJECT_FOLDER
from tests.conftest import make_sqlite_log

LONG_AGO, BETWEEN = datetime(2020, 11, 24, tzinfo=UTC), datetime(2022, 11, 24, tzinfo=UTC)
PAID = partial(OutcomeReport, outcome=Outcome.PAID, observed_on=datetime.now(UTC).date())
REQUESTED = ReviewStep(step=Step.REQUESTED, reason="Why.")

_copies = count(1)


def fill(address: str, *sizes: int, shared: bool = False) -> list[str]:
    """One worker's life: it stores blocks of these sizes; the ids of the first one.

    `shared`: two owners use the same application id in the second one.
    """
    stored = [[_entry(shared and number == 1, place) for place in range(size)] for number, size in enumerate(sizes)]

    async def live() -> None:
        log = DecisionLog(open_database(address, timeout=TIMEOUT_S), ORIGIN)
        for entries in stored:
            await log.store(entries)
        await log.close()

    asyncio.run(live())
    return [each.row.id for each in stored[0]]


def _entry(shared: bool, place: int) -> Entry:
    owners = ("ana/web", "rui")
    if shared and place < len(owners):
        return entry(application_id="shared", asked_by=owners[place])
    return entry(application_id=new_id())


def report(address: str, decision: str) -> None:
    """An outcome and a review of this decision."""

    def work(connection: Connection) -> None:
        outcomes.record([PAID(decision_id=decision)], "", connection)
        reviews.record(decision, REQUESTED, "", connection)

    ask(address, work)


def check(address: str, anchors: Iterable[Anchor] = ()) -> Verdict:
    return ask(address, lambda connection: verify(connection, anchors), reading=True)


def tamper(*statements: str) -> Callable[[str], None]:
    def work(connection: Connection) -> None:
        for statement in statements:
            assert connection.execute(text(statement)).rowcount, statement

    return lambda address: ask(address, work)


MARK = ERASED.replace(":", "\\:")  # SQLAlchemy takes a colon for a parameter


def blank(decision: str) -> tuple[str, str]:
    """What an erasure does to a decision which has the only claim for its application id."""
    return (
        f"DELETE FROM claims WHERE decision = '{decision}'",
        f"UPDATE decisions SET application_id = NULL, received = '{MARK}', seen = '[null,null]', "
        f"risk_probability = 0.4 WHERE id = '{decision}'",
    )


def forge(address: str, decision: str, *statements: str, followed: dict[str, str] | None = None) -> None:
    """Do this behind the log's back, and put it on record as the erasure of this decision."""

    def work(connection: Connection) -> None:
        place = select(decisions.c.writer, decisions.c.batch).where(decisions.c.id == decision)
        writer, number = connection.execute(place).one()
        of_block = (blocks.c.writer == writer) & (blocks.c.number == number)
        before = _hash_of_rows(writer, number, connection)
        for statement in statements:
            assert connection.execute(text(statement)).rowcount, statement
        row = {
            **{"id": new_id(), "decision": decision, "writer": writer, "batch": number},
            **{"hash": connection.scalar(select(blocks.c.hash).where(of_block)), "rows_before": before},
            **{"rows_after": _hash_of_rows(writer, number, connection), "followed": json.dumps(followed or {})},
            **{"reason": "x", "legal_basis_ended": None, "erased_at": datetime.now(UTC), "erased_by": "eve"},
        }
        connection.execute(insert(erasures), row)
        events.append(events.ERASURE, [row], connection)

    ask(address, work)


def _hash_of_rows(writer: str, number: int, connection: Connection) -> str:
    rows = select(*(decisions.c[name] for name in Row._fields)).order_by(decisions.c.id)
    found = connection.execute(rows.where(decisions.c.writer == writer, decisions.c.batch == number))
    return rows_hash(Row(*each) for each in found)


def noted(address: str, path: Path) -> Anchors:
    """One anchor of this log."""
    key = Ed25519PrivateKey.generate()
    anchors = Anchors(path, key.public_key())

    def note(connection: Connection) -> None:
        anchors.append(key, ends.of_all(connection), events.last(connection))

    ask(address, note, reading=True)
    return anchors


# A log that has everything: what a purge has left, three blocks, claims, an outcome and a review


@dataclass(frozen=True)
class Log:
    """A log, and what was noted of its ends elsewhere."""

    address: str
    anchors: Anchors


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Log:
    folder = tmp_path_factory.mktemp("log")
    if request.param == "sqlite":
        address = make_sqlite_log(folder)
    else:
        address = request.getfixturevalue("postgres").decision_log()
    (gone,) = put(address, [entry(application_id="gone")], at=LONG_AGO)
    report(address, gone)
    purge(address, BETWEEN)
    first, *_ = fill(address, 2, 3, 2, shared=True)
    report(address, first)
    return Log(address, noted(address, folder / "anchors.jsonl"))


@pytest.fixture
def log(template: Log, request: pytest.FixtureRequest, tmp_path: Path) -> Log:
    """A copy to tamper with."""
    if template.address.startswith("sqlite"):
        for path in Path(template.address.removeprefix("sqlite:///")).parent.glob("decisions.db*"):
            shutil.copy(path, tmp_path)
        return Log(f"sqlite:///{tmp_path}/decisions.db", template.anchors)
    return Log(_copy(template.address, request.getfixturevalue("postgres")), template.anchors)


def _copy(address: str, postgres: Postgres) -> str:
    place, _, name = address.rpartition("/")
    copied = f"{name}_copy_{next(_copies)}"
    postgres.run(f"CREATE DATABASE {copied} TEMPLATE {name}")
    return f"{place}/{copied}"


def test_an_untouched_log_has_nothing_wrong(log: Log) -> None:
    found = check(log.address, log.anchors)
    assert (found.decisions, found.blocks, found.purged, found.unchained) == (7, 4, 1, 0)
    assert found.problems == []


LAST_WRITER = "(SELECT max(CAST(id AS TEXT)) FROM writers)"
SOME_ROW = "id = (SELECT id FROM decisions ORDER BY id LIMIT 1)"
NO_ID = "'00000000-0000-7000-8000-000000000000'"
INSERTED = (
    "INSERT INTO decisions (id, writer, batch, application_id, received, seen, risk_probability, decision, asked_by)"
)
A_LIKE = f"application_id, received, seen, risk_probability, decision, asked_by FROM decisions WHERE {SOME_ROW}"
FAKE_PURGE = (
    "INSERT INTO purges (id, purged_at, decided_before, decisions, writer, first, last, hash) "
    f"SELECT {NO_ID}, '2026-11-24 00:00:00', '2999-11-24 00:00:00', 3, writer, 2, 2, hash FROM batches WHERE number = 2"
)
FAKE_OLD_PURGE = (
    "INSERT INTO purges (id, purged_at, decided_before, decisions) "
    f"VALUES ({NO_ID}, '2026-11-24 00:00:00', '2999-11-24 00:00:00', 3)"
)
BLOCK_2_GONE = (
    "DELETE FROM claims WHERE decision IN (SELECT id FROM decisions WHERE batch = 2)",
    "DELETE FROM decisions WHERE batch = 2",
)

# What is done: how, and the problem that verify names
SEEN: dict[str, tuple[Callable[[str], None], str]] = {
    "a risk altered": (
        tamper(f"UPDATE decisions SET risk_probability = 0.31 WHERE {SOME_ROW}"),
        "block 1: a decision was altered",
    ),
    "an answer altered": (
        tamper(f"UPDATE decisions SET decision = 'APROVADO' WHERE {SOME_ROW}"),
        "block 1: a decision was altered",
    ),
    "an application altered": (
        tamper(f"UPDATE decisions SET received = '{{}}' WHERE {SOME_ROW}"),
        "block 1: a decision was altered",
    ),
    "what the model saw altered": (
        tamper(f"UPDATE decisions SET seen = '[1.0]' WHERE {SOME_ROW}"),
        "block 1: a decision was altered",
    ),
    "who asked altered": (
        tamper(f"UPDATE decisions SET asked_by = 'nobody' WHERE {SOME_ROW}"),
        "block 1: a decision was altered",
    ),
    "an application id altered": (
        tamper(f"UPDATE decisions SET application_id = '' WHERE {SOME_ROW}"),
        "block 1: a decision was altered",
    ),
    "a decision moved to another block": (
        tamper(f"UPDATE decisions SET batch = 2 WHERE {SOME_ROW}"),
        "block 1: 1 decisions, 2 were stored",
    ),
    "a decision removed": (
        tamper(f"DELETE FROM decisions WHERE {SOME_ROW}"),
        "block 1: 1 decisions, 2 were stored",
    ),
    "all decisions of a block removed": (
        tamper(*BLOCK_2_GONE),
        "block 2: all of its 3 decisions were removed",
    ),
    "a decision inserted into a block": (
        tamper(f"{INSERTED} SELECT {NO_ID}, writer, batch, {A_LIKE}"),
        "block 1: 3 decisions, 2 were stored",
    ),
    "a decision inserted without a block": (
        tamper(f"{INSERTED} SELECT {NO_ID}, writer, 77, {A_LIKE}"),
        "1 decisions of block 77, which is not on record",
    ),
    "a block removed": (
        tamper("DELETE FROM batches WHERE number = 2"),
        "block 2 was removed, or 3 inserted",
    ),
    "a block altered": (
        tamper("UPDATE batches SET decided_at = '2020-01-01 00:00:00' WHERE number = 2"),
        "block 2: altered, or chained to another block",
    ),
    "a hash altered": (
        tamper("UPDATE batches SET hash = rows_hash WHERE number = 2"),
        "block 2: altered, or chained to another block",
    ),
    "a block inserted": (
        tamper(
            "INSERT INTO batches (writer, number, decided_at, size, rows_hash, hash) "
            "SELECT writer, 9, decided_at, 0, rows_hash, hash FROM batches WHERE number = 3"
        ),
        "block 4 was removed, or 9 inserted",
    ),
    "a worker's introduction altered": (
        tamper("UPDATE writers SET threshold = 0.5"),
        "its introduction was altered",
    ),
    "a worker's introduction removed": (
        tamper("DELETE FROM writers"),
        "its introduction was removed",
    ),
    "a claim removed": (
        tamper(f"DELETE FROM claims WHERE decision = (SELECT id FROM decisions WHERE {SOME_ROW})"),
        "the claim for its application id was removed",
    ),
    "a claim altered": (
        tamper(
            f"UPDATE claims SET decision = (SELECT id FROM decisions WHERE {SOME_ROW}) "
            "WHERE decision = (SELECT id FROM decisions ORDER BY id DESC LIMIT 1)"
        ),
        "claimed for an application id that is not its own",
    ),
    "a claim inserted": (
        tamper(f"INSERT INTO claims (application_id, decision) SELECT 'x', id FROM decisions WHERE {SOME_ROW}"),
        "claimed for an application id that is not its own",
    ),
    "a namesake removed": (
        tamper("DELETE FROM namesakes"),
        "the namesake for its application id was removed",
    ),
    "a namesake altered": (
        tamper("UPDATE namesakes SET owner = 'eva'"),
        "a namesake of another application id or owner",
    ),
    "an outcome altered": (
        tamper("UPDATE outcomes SET outcome = 'DEFAULTED'"),
        "Event 4: its outcome .* was altered",
    ),
    "an outcome removed": (
        tamper("DELETE FROM outcomes"),
        "Event 4: its outcome .* was removed",
    ),
    "an outcome inserted": (
        tamper(
            "INSERT INTO outcomes (id, decision, outcome, observed_on, reported_at, reported_by) "
            f"SELECT {NO_ID}, decision, 'PAID', observed_on, reported_at, reported_by FROM outcomes"
        ),
        "Outcome 0.*: inserted, it has no event",
    ),
    "a review altered": (
        tamper("UPDATE reviews SET reason = 'None.'"),
        "Event 5: its review .* was altered",
    ),
    "a review removed": (
        tamper("DELETE FROM reviews"),
        "Event 5: its review .* was removed",
    ),
    "a review inserted": (
        tamper(
            "INSERT INTO reviews (id, decision, step, reason, reviewer, recorded_at, recorded_by) "
            f"SELECT {NO_ID}, decision, 'UPHELD', reason, 'Ana', recorded_at, recorded_by FROM reviews"
        ),
        "Review 0.*: inserted, it has no event",
    ),
    "a purge altered": (
        tamper("UPDATE purges SET last = 9"),
        "Event 3: its purge .* was altered",
    ),
    "a purge removed": (
        tamper("DELETE FROM purges"),
        "Event 3: its purge .* was removed",
    ),
    "decisions removed and a purge inserted to cover it": (
        tamper(*BLOCK_2_GONE, FAKE_PURGE),
        "Purge 0.*: inserted, it has no event",
    ),
    "decisions removed and a purge as of an earlier version inserted": (
        tamper(*BLOCK_2_GONE, FAKE_OLD_PURGE),
        "block 2: all of its 3 decisions were removed",
    ),
    "an event altered": (
        tamper("UPDATE events SET content_hash = hash WHERE number = 4"),
        "Event 4: altered, or chained to another event",
    ),
    "an event removed": (
        tamper("DELETE FROM events WHERE number = 4"),
        "Event 4 was removed, or 5 inserted",
    ),
}


def write_anew(address: str) -> None:
    """Another decision, and every hash of its chain computed once more."""

    def work(connection: Connection) -> None:
        connection.execute(text(f"UPDATE decisions SET risk_probability = 0.31 WHERE {SOME_ROW}"))
        writer, begun = connection.execute(text("SELECT id, hash FROM writers ORDER BY id DESC LIMIT 1")).one()
        head, chain = Head(0, begun), select(blocks).where(blocks.c.writer == str(writer)).order_by(blocks.c.number)
        for each in connection.execute(chain).all():
            of_block = select(*(decisions.c[name] for name in Row._fields)).where(decisions.c.batch == each.number)
            rows = [Row(*row) for row in connection.execute(of_block.order_by(decisions.c.id))]
            block = head.next(each.writer, each.decided_at, rows)
            hashes = {"rows_hash": block.rows_hash, "hash": block.hash}
            is_it = (blocks.c.writer == each.writer) & (blocks.c.number == each.number)
            connection.execute(update(blocks).where(is_it).values(hashes))
            head = Head(block.number, block.hash)

    ask(address, work)


BLOCK_3_GONE = (
    "DELETE FROM claims WHERE decision IN (SELECT id FROM decisions WHERE batch = 3)",
    "DELETE FROM decisions WHERE batch = 3",
    "DELETE FROM batches WHERE number = 3",
)
SEEN_WITH_ANCHORS: dict[str, tuple[Callable[[str], None], str]] = {
    "the last blocks removed, with their decisions": (
        tamper(*BLOCK_3_GONE),
        "its chain was cut off before block 3, noted in anchor 1",
    ),
    "a worker removed, with everything that it stored": (
        tamper(
            *(f"DELETE FROM {table}" for table in ("claims", "namesakes", "decisions", "outcomes", "reviews")),
            "DELETE FROM events WHERE number > 3",
            f"DELETE FROM batches WHERE CAST(writer AS TEXT) = {LAST_WRITER}",
            f"DELETE FROM writers WHERE CAST(id AS TEXT) = {LAST_WRITER}",
        ),
        "its chain was cut off before block 3, noted in anchor 1",
    ),
    "the last outcomes, reviews or purges removed, with their events": (
        tamper("DELETE FROM reviews", "DELETE FROM events WHERE number = 5"),
        "The chain of events was cut off before event 5, noted in anchor 1",
    ),
    "a chain rewritten with new hashes": (
        write_anew,
        "block 3: not the one noted in anchor 1",
    ),
}


def report_past_the_service(address: str) -> None:
    (decision,) = ask(address, lambda connection: list(connection.scalars(select(decisions.c.id).limit(1))))
    ask(address, lambda connection: outcomes.record([PAID(decision_id=decision)], "nobody", connection))


def purge_all(address: str) -> None:
    assert purge(address, datetime.now(UTC) + timedelta(seconds=1)) == 7


def alter_and_purge(address: str) -> None:
    tamper(f"UPDATE decisions SET risk_probability = 0.31 WHERE {SOME_ROW}")(address)
    purge_all(address)


def alter_beside_erasure(address: str) -> None:
    of_block = select(decisions.c.id).where(decisions.c.batch == 3).order_by(decisions.c.id)
    altered, another = ask(address, lambda connection: list(connection.scalars(of_block)), reading=True)
    forge(address, another, *blank(another), f"UPDATE decisions SET risk_probability = 0.31 WHERE id = '{altered}'")


NOT_SEEN: dict[str, Callable[[str], None]] = {
    "rows appended with correct hashes by the service's role": report_past_the_service,
    "a purge recorded as such by the purging role": purge_all,
    "a decision altered, then purged before a verification": alter_and_purge,
    "a decision altered together with the erasure of another one of its block, recorded as such": alter_beside_erasure,
}


@pytest.mark.parametrize(("done", "problem"), SEEN.values(), ids=SEEN)
def test_whatever_is_altered_removed_or_inserted_is_named(log: Log, done: Callable[[str], None], problem: str) -> None:
    done(log.address)
    found = check(log.address).problems
    assert any(re.search(problem, each) for each in found), found


@pytest.mark.parametrize(("done", "problem"), SEEN_WITH_ANCHORS.values(), ids=SEEN_WITH_ANCHORS)
def test_what_only_anchors_can_show_is_named_with_the_anchor(
    log: Log, done: Callable[[str], None], problem: str
) -> None:
    done(log.address)
    assert check(log.address).problems == []
    found = check(log.address, log.anchors).problems
    assert any(re.search(problem, each) for each in found), found


@pytest.mark.parametrize("done", NOT_SEEN.values(), ids=NOT_SEEN)
def test_what_a_role_may_do_is_no_tampering(log: Log, done: Callable[[str], None]) -> None:
    done(log.address)
    assert check(log.address, log.anchors).problems == []


def test_the_manual_says_of_each_tampering_whether_it_is_seen() -> None:
    manual = (PROJECT_FOLDER / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+) \| (yes|no) \| (yes|no) \|$", manual, re.MULTILINE)
    assert len(rows) == len(SEEN) + len(SEEN_WITH_ANCHORS) + len(NOT_SEEN)
    expected = dict.fromkeys(SEEN, ("yes", "yes")) | dict.fromkeys(SEEN_WITH_ANCHORS, ("no", "yes"))
    assert {what: (without, with_them) for what, without, with_them in rows} == (
        expected | dict.fromkeys(NOT_SEEN, ("no", "no"))
    )


# Chains that were cut off, purges, rows of earlier versions


def test_a_chain_that_was_cut_off_at_its_end_is_found_by_what_a_later_worker_recorded(log: Log) -> None:
    fill(log.address, 1)
    tamper(*BLOCK_3_GONE)(log.address)
    tamper("DELETE FROM reviews", "DELETE FROM events WHERE number = 5")(log.address)
    found = check(log.address).problems
    assert len(found) == 2
    assert "cut off before block 3, recorded by writer" in found[0]
    assert "cut off before event 5, recorded by writer" in found[1]


def test_a_purge_that_found_less_than_was_stored_says_so_for_ever(log: Log) -> None:
    last = "(SELECT id FROM decisions ORDER BY id DESC LIMIT 1)"
    tamper(f"DELETE FROM claims WHERE decision = {last}", f"DELETE FROM decisions WHERE id = {last}")(log.address)
    purge(log.address, datetime.now(UTC) + timedelta(seconds=1))
    (found,) = check(log.address).problems
    assert re.fullmatch("Purge .*: it took 6 decisions, 7 were stored.", found)


def test_removing_decisions_that_no_purge_on_record_covers_is_found(log: Log) -> None:
    assert purge(log.address, LONG_AGO) == 0
    tamper("DELETE FROM claims", "DELETE FROM namesakes", "DELETE FROM decisions")(log.address)
    assert len(check(log.address).problems) == 3


def test_what_an_earlier_version_stored_without_events_is_counted(address: str) -> None:
    """A rollout that is taken back: a service of the version before on the tables of this one."""
    first, *_ = fill(address, 2)
    report(address, first)
    tamper("DELETE FROM events", "DELETE FROM batches", "DELETE FROM decisions", "DELETE FROM claims")(address)
    tamper("DELETE FROM writers")(address)
    _store_as_an_earlier_version_did(address)
    found = check(address)
    assert (found.decisions, found.unchained, found.problems) == (1, 2, [])


def _store_as_an_earlier_version_did(address: str) -> None:
    introduction = Introduction(new_id(), datetime.now(UTC), "m", "p", 0.3, "[]", "0.1.0", "[]")
    row = entry().row

    def work(connection: Connection) -> None:
        begun = writer_hash(introduction)
        connection.execute(insert(writers), introduction._asdict() | {"hash": begun})
        _insert(Head(0, begun).next(introduction.id, datetime.now(UTC), [row]), connection)

    ask(address, work)


def _insert(block: Block, connection: Connection) -> None:
    size = len(block.rows)
    values = {name: getattr(block, name) for name in ("writer", "number", "decided_at", "rows_hash", "hash")}
    connection.execute(insert(blocks), values | {"size": size})
    place = {"writer": block.writer, "batch": block.number}
    connection.execute(insert(decisions), [row._asdict() | place for row in block.rows])


# How it is told


def test_of_very_many_problems_the_first_are_told(address: str) -> None:
    fill(address, *[1] * 60)
    tamper("UPDATE decisions SET asked_by = 'nobody'")(address)
    problems = check(address).problems
    assert len(problems) == 51
    assert problems[-1] == "There are more problems than are listed."


def test_progress_is_told_to_the_end(log: Log) -> None:
    told: list[tuple[int, int]] = []

    def on_progress(done: int, total: int) -> None:
        told.append((done, total))

    ask(log.address, partial(verify, on_progress=on_progress), reading=True)
    assert told[-1] == (7, 7)


# Blocks of which rows lie far apart


def test_between_the_decisions_of_one_block_there_may_be_very_many_of_others(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_checks, "MANY_OPEN", 1)
    monkeypatch.setattr(block_checks, "MOST_OPEN", 2)
    first, *between, last = (entry() for _ in range(8))
    put(address, [first, last])
    for each in between:
        put(address, [each])
    found = check(address)
    assert (found.decisions, found.blocks, found.problems) == (8, 7, [])


def test_of_many_blocks_that_lack_decisions_each_is_named_once(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_checks, "MANY_OPEN", 1)
    monkeypatch.setattr(block_checks, "MOST_OPEN", 2)
    fill(address, *[2] * 5)
    first_ones = "SELECT min(CAST(id AS TEXT)) FROM decisions GROUP BY batch"
    tamper(f"DELETE FROM decisions WHERE CAST(id AS TEXT) IN ({first_ones})")(address)
    found = [each for each in check(address).problems if "claim" not in each]
    assert len(found) == 5
    assert all("1 decisions, 2 were stored" in each for each in found)


# What it costs


def test_a_log_of_many_blocks_takes_no_more_memory_than_one_of_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict, "ROWS_AT_A_TIME", 100)
    few, many = (_log_of(block_count, tmp_path / str(block_count)) for block_count in (1_000, 6_000))
    check(few)  # so that what SQLAlchemy keeps for good is there already
    peaks = []
    gc.collect()
    gc.freeze()  # so that the collector, which spares a large heap, looks at SQLAlchemy's cyclic garbage in both alike
    try:
        for address in (few, many):
            tracemalloc.start()
            assert check(address).problems == []
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    finally:
        gc.unfreeze()
    assert peaks[1] < 1.5 * peaks[0]


def _log_of(block_count: int, folder: Path) -> str:
    address = make_sqlite_log(folder)
    fill(address, 1)

    def work(connection: Connection) -> None:
        ((writer, number, hashed),) = ends.of_all(connection)
        for block in _chain(writer, Head(number, hashed), block_count):
            _insert(block, connection)

    ask(address, work)
    return address


def _chain(writer: str, head: Head, block_count: int) -> Iterator[Block]:
    for _ in range(block_count):
        block = head.next(writer, datetime.now(UTC), [entry().row])
        head = Head(block.number, block.hash)
        yield block
