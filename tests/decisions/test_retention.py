"""How old decisions leave the log, on both kinds of database: whole blocks with all that belongs to them."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, select, text

from benchmarks.support.decision_records import ORIGIN, ask, entry, id_at, put, rows_in
from credit_scoring.decisions import outcomes, reviews
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.log import DecisionLog
from credit_scoring.decisions.outcomes import Outcome, OutcomeReport
from credit_scoring.decisions.retention import count_before, purge_before
from credit_scoring.decisions.reviews import ReviewStep, Step
from credit_scoring.decisions.tables import decisions, purges, writers
from credit_scoring.decisions.verdict import Verdict
from credit_scoring.decisions.verification import verify
from credit_scoring.errors import DecisionLogError, RequestError

IMPATIENT_S = 0.8  # as a worker is
TABLES = ("decisions", "claims", "outcomes", "reviews", "purges")
LONG_AGO, RECENTLY, BETWEEN = (datetime(year, 11, 24, tzinfo=UTC) for year in (2020, 2025, 2022))


def ids_in(address: str) -> list[str]:
    kept = select(decisions.c.id).order_by(decisions.c.id)
    return ask(address, lambda connection: list(connection.scalars(kept)), reading=True)


def sizes(address: str) -> dict[str, int]:
    return {table: rows_in(address, table) for table in TABLES}


def purge(address: str, moment: datetime, **options: Any) -> int:
    database = open_database(address, timeout=10)
    try:
        return purge_before(moment, database, **options)
    finally:
        asyncio.run(database.close())


def verdict(address: str) -> Verdict:
    return ask(address, verify, reading=True)


def put_with_all_that_may_belong_to_one(address: str, at: datetime, size: int = 1) -> list[str]:
    """Decisions with an application id, an outcome and a review each."""
    made = put(address, [entry(application_id=f"{at.year}-{number}") for number in range(size)], at=at)

    def happen(connection: Connection) -> None:
        for decision in made:
            report = OutcomeReport(decision_id=decision, outcome=Outcome.PAID, observed_on=date(2026, 5, 31))
            outcomes.record([report], "", connection)
            reviews.record(decision, ReviewStep(step=Step.REQUESTED, reason="Why."), "", connection)

    ask(address, happen)
    return made


def test_a_purge_takes_decisions_that_are_older_with_all_that_belongs_to_them(address: str) -> None:
    put_with_all_that_may_belong_to_one(address, LONG_AGO, 3)
    kept = put_with_all_that_may_belong_to_one(address, RECENTLY, 2)
    assert ask(address, partial(count_before, BETWEEN), reading=True) == 3
    assert purge(address, BETWEEN) == 3
    assert ids_in(address) == kept
    assert sizes(address) == {"decisions": 2, "claims": 2, "outcomes": 2, "reviews": 2, "purges": 1}


def test_a_purge_leaves_the_blocks_so_that_the_log_can_still_be_verified(address: str) -> None:
    put_with_all_that_may_belong_to_one(address, LONG_AGO, 3)
    put_with_all_that_may_belong_to_one(address, RECENTLY, 2)
    before = verdict(address)
    purge(address, BETWEEN)
    after = verdict(address)
    assert (after.blocks, after.problems) == (before.blocks, [])
    assert (before.decisions, before.purged, after.decisions, after.purged) == (5, 0, 2, 3)


def test_a_block_goes_as_a_whole_by_the_time_at_which_it_was_decided(address: str) -> None:
    async def live() -> None:
        log = DecisionLog(open_database(address, timeout=10), ORIGIN)
        for at in (LONG_AGO, RECENTLY):
            await log.store_given([entry().row for _ in range(3)], at)
        await log.close()

    asyncio.run(live())
    kept = ids_in(address)[3:]
    assert purge(address, LONG_AGO) == 0
    assert purge(address, LONG_AGO + timedelta(microseconds=1)) == 3
    assert ids_in(address) == kept
    assert verdict(address).problems == []


def test_a_purge_is_put_on_record(address: str) -> None:
    put(address, [entry(), entry()], at=LONG_AGO)
    before = datetime.now(UTC)
    purge(address, BETWEEN)
    (record,) = ask(address, lambda connection: list(connection.execute(select(purges))), reading=True)
    assert (record.decided_before, record.decisions) == (BETWEEN, 2)
    assert before <= record.purged_at <= datetime.now(UTC)


def test_what_has_gone_cannot_be_found_reported_on_or_reviewed(address: str) -> None:
    (decision,) = put_with_all_that_may_belong_to_one(address, LONG_AGO)
    purge(address, BETWEEN)
    report = OutcomeReport(decision_id=decision, outcome=Outcome.DEFAULTED, observed_on=date(2026, 5, 31))
    (found,) = ask(address, partial(outcomes.record, [report], ""))
    assert isinstance(found, RequestError)
    with pytest.raises(RequestError, match="No such decision"):
        ask(address, partial(reviews.record, decision, ReviewStep(step=Step.REQUESTED, reason="Why."), ""))


def test_an_application_id_whose_decision_has_gone_may_be_used_again(address: str) -> None:
    put(address, [entry(application_id="7", age=37)], at=LONG_AGO)
    purge(address, BETWEEN)
    made = put(address, [entry(application_id="7", age=38)])
    assert ids_in(address) == made


def test_nothing_to_purge_is_a_purge_of_none(address: str) -> None:
    put(address, [entry()], at=RECENTLY)
    assert purge(address, BETWEEN) == 0
    assert sizes(address)["decisions"] == 1


def test_a_purge_that_fails_on_its_way_deletes_nothing(address: str) -> None:
    put_with_all_that_may_belong_to_one(address, LONG_AGO, 2)
    before = sizes(address)
    ask(address, lambda connection: connection.execute(text("ALTER TABLE purges RENAME TO elsewhere")))
    with pytest.raises(DecisionLogError):
        purge(address, BETWEEN)
    ask(address, lambda connection: connection.execute(text("ALTER TABLE elsewhere RENAME TO purges")))
    assert sizes(address) == before


def test_a_service_stores_between_the_transactions_of_a_purge(address: str) -> None:
    """The one that stores waits for no lock: its database gives up at once where there is one."""
    put_many(address, block_count=12, size=5)
    sizes: list[int] = []
    stored: list[str] = []

    def on_purged(count: int) -> None:
        sizes.append(count)
        stored.extend(put(address, [entry()], timeout=IMPATIENT_S))
        assert verdict(address).problems == []

    assert purge(address, BETWEEN, rows_at_a_time=10, on_purged=on_purged) == 60
    assert sizes == [10] * 6
    assert ids_in(address) == stored


def test_an_interrupted_purge_leaves_a_log_that_verifies_and_is_finished_by_the_next_one(address: str) -> None:
    put_many(address, block_count=4, size=3)

    def on_purged(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        purge(address, BETWEEN, rows_at_a_time=5, on_purged=on_purged)
    found = verdict(address)
    assert (found.decisions, found.purged, found.problems) == (6, 6, [])
    assert purge(address, BETWEEN) == 6
    found = verdict(address)
    assert (found.decisions, found.purged, found.problems) == (0, 12, [])


def test_a_purge_says_whose_blocks_it_took_from_which_to_which(address: str) -> None:
    put_many(address, block_count=3, size=2)
    purge(address, BETWEEN)
    (writer,) = ask(address, lambda connection: list(connection.scalars(select(writers.c.id))), reading=True)
    (record,) = ask(address, lambda connection: list(connection.execute(select(purges))), reading=True)
    assert (record.writer, record.first, record.last, record.decisions) == (writer, 1, 3, 6)


def put_many(address: str, *, block_count: int, size: int) -> None:
    """One worker's life long ago: blocks of this size."""

    async def live() -> None:
        log = DecisionLog(open_database(address, timeout=10), ORIGIN)
        for _ in range(block_count):
            await log.store_given([entry().row._replace(id=id_at(LONG_AGO)) for _ in range(size)], LONG_AGO)
        await log.close()

    asyncio.run(live())


def test_the_log_goes_on_after_everything_was_purged(address: str) -> None:
    put(address, [entry(), entry()], at=LONG_AGO)
    purge(address, datetime.now(UTC))
    made = put(address, [entry()])
    found = verdict(address)
    assert ids_in(address) == made
    assert (found.decisions, found.purged, found.problems) == (1, 2, [])
