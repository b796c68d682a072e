"""Tampering with the decision log, on both kinds of database."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import Connection, text

from credit_scoring.chain import Row
from credit_scoring.database import Database
from credit_scoring.decision_log import DecisionLog, Entry, Origin
from credit_scoring.identifiers import new_id
from credit_scoring.retention import purge_before
from credit_scoring.schemas import EXAMPLE_APPLICATION, Answer, Application, Decision
from credit_scoring.storage import open_database
from credit_scoring.verification import Verdict, verify

ORIGIN = Origin("credit_scoring:test", "policy-1", 0.3, ("monthly_income",), "0.1.0")
RECEIVED = json.dumps(EXAMPLE_APPLICATION)


def entry() -> Entry:
    decision = Decision(
        decision=Answer.APPROVED,
        risk_probability=0.1 + 0.2,
        threshold=0.3,
        decision_id=new_id(),
        model="credit_scoring:test",
        policy_version="policy-1",
    )
    row = Row(decision.decision_id, None, RECEIVED, "[3600.0]", decision.risk_probability, "APROVADO", "")
    return Entry(row, Application.model_validate_json(RECEIVED), decision)


def fill(address: str, *sizes: int) -> None:
    """One worker's life: it stores batches of these sizes."""

    async def live() -> None:
        log = DecisionLog(open_database(address), ORIGIN)
        for size in sizes:
            await log.store([entry() for _ in range(size)])
        await log.close()

    asyncio.run(live())


def check(address: str, anchors: list[tuple[str, int, str]] | None = None) -> Verdict:
    return opened(address).run_now(lambda connection: verify(connection, anchors or ()), reading=True)


def opened(address: str) -> Database:
    return open_database(address, timeout=10)


def tamper(address: str, *statements: str) -> None:
    def work(connection: Connection) -> None:
        for statement in statements:
            assert connection.execute(text(statement)).rowcount, statement

    opened(address).run_now(work)


def test_an_untouched_log_has_nothing_wrong(address: str) -> None:
    fill(address, 1, 3, 0, 2)
    fill(address, 4)
    verdict = check(address)
    assert (verdict.decisions, verdict.batches, verdict.problems) == (10, 5, [])


SOME_ROW = "id = (SELECT id FROM decisions ORDER BY id LIMIT 1)"
TAMPERINGS = {
    "a risk": f"UPDATE decisions SET risk_probability = 0.31 WHERE {SOME_ROW}",
    "an answer": f"UPDATE decisions SET decision = 'NEGADO' WHERE {SOME_ROW}",
    "what was received": f"UPDATE decisions SET received = '{{}}' WHERE {SOME_ROW}",
    "what the model saw": f"UPDATE decisions SET seen = '[1.0]' WHERE {SOME_ROW}",
    "who asked": f"UPDATE decisions SET asked_by = 'nobody' WHERE {SOME_ROW}",
    "an application id": f"UPDATE decisions SET application_id = '' WHERE {SOME_ROW}",
    "a decision's batch": f"UPDATE decisions SET batch = 2 WHERE {SOME_ROW}",
    "a decision removed": f"DELETE FROM decisions WHERE {SOME_ROW}",
    "a batch's decisions removed": "DELETE FROM decisions WHERE batch = 2",
    "a batch removed": "DELETE FROM batches WHERE number = 2",
    "a batch's time": "UPDATE batches SET decided_at = '2020-01-01 00:00:00' WHERE number = 2",
    "a batch's hash": "UPDATE batches SET hash = rows_hash WHERE number = 2",
    "a batch inserted": "INSERT INTO batches "
    "SELECT writer, 9, decided_at, 0, rows_hash, hash FROM batches WHERE number = 3",
    "a decision inserted": "INSERT INTO decisions SELECT '00000000-0000-7000-8000-000000000000', writer, batch, "
    f"application_id, received, seen, risk_probability, decision, asked_by FROM decisions WHERE {SOME_ROW}",
    "a decision of nowhere inserted": "INSERT INTO decisions "
    "SELECT '00000000-0000-7000-8000-000000000000', writer, 77, "
    f"application_id, received, seen, risk_probability, decision, asked_by FROM decisions WHERE {SOME_ROW}",
    "a writer's threshold": "UPDATE writers SET threshold = 0.5",
    "a writer removed": "DELETE FROM writers",
}


@pytest.mark.parametrize("tampering", TAMPERINGS.values(), ids=TAMPERINGS)
def test_whatever_is_altered_removed_or_inserted_is_found(address: str, tampering: str) -> None:
    fill(address, 2, 3, 2)
    tamper(address, tampering)
    assert check(address).problems


CUT_OFF = ("DELETE FROM decisions WHERE batch = 3", "DELETE FROM batches WHERE number = 3")


def test_a_chain_that_was_cut_off_at_its_end_is_found_by_what_a_later_worker_recorded(address: str) -> None:
    fill(address, 1, 2, 2)
    fill(address, 1)
    tamper(address, *CUT_OFF)
    assert ["cut off before batch 3" in problem for problem in check(address).problems] == [True]


def test_a_chain_that_was_cut_off_at_its_end_is_found_by_what_was_noted_elsewhere(address: str) -> None:
    fill(address, 1, 2, 2)
    heads = check(address).heads
    tamper(address, *CUT_OFF)
    assert check(address).problems == []
    assert ["cut off before batch 3" in problem for problem in check(address, heads).problems] == [True]


def test_what_a_purge_took_is_told_from_tampering(address: str) -> None:
    fill(address, 2, 3)
    soon = datetime.now(UTC) + timedelta(seconds=1)
    assert opened(address).run_now(lambda connection: purge_before(soon, connection)) == 5
    fill(address, 1)
    verdict = check(address)
    assert (verdict.decisions, verdict.purged, verdict.problems) == (1, 5, [])


def test_removing_decisions_that_no_purge_on_record_covers_is_found(address: str) -> None:
    fill(address, 2)
    long_ago = datetime.now(UTC) - timedelta(days=1)
    assert opened(address).run_now(lambda connection: purge_before(long_ago, connection)) == 0
    tamper(address, "DELETE FROM decisions")
    assert check(address).problems


def test_of_very_many_problems_the_first_are_told(address: str) -> None:
    fill(address, *[1] * 60)
    tamper(address, "UPDATE decisions SET asked_by = 'nobody'")
    problems = check(address).problems
    assert len(problems) == 51
    assert problems[-1] == "There are more problems than are listed."


def test_progress_is_told_to_the_end(address: str) -> None:
    fill(address, 3)
    told: list[tuple[int, int]] = []

    def note(done: int, total: int) -> None:
        told.append((done, total))

    opened(address).run_now(partial(verify, progress=note), reading=True)
    assert told[-1] == (3, 3)
