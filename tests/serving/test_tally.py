"""What is counted of decisions: those that are given, each once."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.support.consorcio import EXAMPLE_APPLICATION
from benchmarks.support.decision_records import ORIGIN, TIMEOUT_S, entry
from credit_scoring.application.schemas import Application, Decision
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.entries import Entry, Settled
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.log import DecisionLog
from credit_scoring.serving.tally import CountedLog
from tests.conftest import RunningService, make_sqlite_log


def counted(address: str, blocks: Sequence[Sequence[Entry]], *, at_once: bool) -> list[list[Decision]]:
    """What a log calls back with, block by block, while these are stored."""
    found: list[list[Decision]] = []

    async def live() -> None:
        log = CountedLog(
            DecisionLog(open_database(address, timeout=TIMEOUT_S), ORIGIN),
            lambda applications, decisions: found.append(list(decisions)),
        )
        await log.store([])
        for block in blocks:
            if not at_once or log.store_at_once(block) is None:
                await log.store(block)
        await log.close()

    asyncio.run(live())
    return found


def test_what_is_stored_is_counted_block_by_block(tmp_path: Path) -> None:
    one, two, three = entry(), entry(application_id="P-1"), entry()
    for number, at_once in enumerate((False, True)):
        address = make_sqlite_log(tmp_path / str(number))
        found = counted(address, [[one, two], [three]], at_once=at_once)
        assert found == [[one.decision, two.decision], [three.decision]]


def test_the_answer_to_a_repeated_application_is_not_counted_again_nor_is_what_is_refused(tmp_path: Path) -> None:
    first, again = entry(application_id="P-1"), entry(application_id="P-1")
    other, stranger = entry(application_id="P-1", monthly_income=1.0), entry(replaces="P-2")
    blocks = [[first, again], [again, other, stranger], [again]]
    assert counted(make_sqlite_log(tmp_path), blocks, at_once=True) == [[first.decision]]


def test_a_count_that_fails_leaves_what_is_stored_answered(tmp_path: Path) -> None:
    def fail(applications: Sequence[Application], decisions: Sequence[Decision]) -> None:
        raise RuntimeError

    async def live() -> list[Settled]:
        log = CountedLog(DecisionLog(open_database(make_sqlite_log(tmp_path), timeout=TIMEOUT_S), ORIGIN), fail)
        try:
            return await log.store([new])
        finally:
            await log.close()

    new = entry()
    assert asyncio.run(live()) == [new.decision]


def test_the_metrics_count_an_application_once_however_often_it_is_sent(service: RunningService) -> None:
    before = decisions_told(service)
    application = {**EXAMPLE_APPLICATION, "application_id": new_id()}
    bodies = [application, application, {**application, "credit_letter_value": 123.0}, EXAMPLE_APPLICATION]
    statuses = [httpx.post(f"{service.url}/predict", json=body, timeout=30).status_code for body in bodies]
    assert statuses == [200, 200, 409, 200]
    assert decisions_told(service) == before + 2


def decisions_told(service: RunningService) -> int:
    """How many decisions the metrics tell of."""
    families = text_string_to_metric_families(httpx.get(f"{service.url}/metrics", timeout=30).text)
    samples = [sample for family in families for sample in family.samples]
    return int(sum(each.value for each in samples if each.name == "credit_scoring_decisions_total"))
