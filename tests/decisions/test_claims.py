"""Whose an application id is, and what is answered where its decision is damaged, on both kinds of database."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy import Connection, select, text

from benchmarks.support.decision_records import ORIGIN, TIMEOUT_S, ask, entry, purge, put, rows_in, tamper
from credit_scoring.decisions import outcomes
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.entries import Entry, Settled
from credit_scoring.decisions.log import DecisionLog
from credit_scoring.decisions.outcomes import Outcome, OutcomeReport
from credit_scoring.decisions.tables import claims, decisions, namesakes
from credit_scoring.decisions.verification import verify
from credit_scoring.errors import RepeatError, RequestError, UnreadableError

LONG_AGO, BETWEEN = datetime(2020, 11, 24, tzinfo=UTC), datetime(2022, 11, 24, tzinfo=UTC)


def live(address: str, life: Callable[[DecisionLog], Awaitable[None]]) -> None:
    """One worker's life."""

    async def from_start_to_end() -> None:
        log = DecisionLog(open_database(address, timeout=TIMEOUT_S), ORIGIN)
        try:
            await life(log)
        finally:
            await log.close()

    asyncio.run(from_start_to_end())


def answers(address: str, *sent: Entry) -> list[Settled]:
    """What a new worker answers to these, each in a block of its own."""
    found: list[Settled] = []

    async def life(log: DecisionLog) -> None:
        for each in sent:
            found.extend(await log.store([each]))

    live(address, life)
    return found


def stored(address: str) -> set[str]:
    return ask(address, lambda connection: set(connection.scalars(select(decisions.c.id))), reading=True)


def problems(address: str) -> list[str]:
    return ask(address, verify, reading=True).problems


def claimed(address: str) -> dict[tuple[str, str], str]:
    """The decision of each application id, by owner; the first owner is called `first`."""

    def work(connection: Connection) -> dict[tuple[str, str], str]:
        first = connection.execute(select(claims.c.application_id, claims.c.decision))
        further = connection.execute(select(namesakes.c.owner, namesakes.c.application_id, namesakes.c.decision))
        found = {("first", name): decision for name, decision in first}
        return found | {(owner, name): decision for owner, name, decision in further}

    return ask(address, work, reading=True)


# Owners


def test_two_owners_who_use_the_same_application_id_get_a_decision_each(address: str) -> None:
    one, other = entry(0.1, "one", application_id="7"), entry(0.9, "other", application_id="7", age=50)
    again = entry(0.5, "one", application_id="7"), entry(0.5, "other", application_id="7", age=50)
    assert answers(address, one, other, *again) == [one.decision, other.decision] * 2
    assert stored(address) == {one.row.id, other.row.id}
    assert claimed(address) == {("first", "7"): one.row.id, ("other", "7"): other.row.id}
    assert problems(address) == []


def test_other_content_is_refused_for_the_owner_who_used_the_id_and_for_nobody_else(address: str) -> None:
    first = [entry(asked_by=owner, application_id="7", age=age) for owner, age in (("one", 30), ("other", 40))]
    swapped = [entry(asked_by=owner, application_id="7", age=age) for owner, age in (("one", 40), ("other", 30))]
    found = answers(address, *first, *swapped)
    assert found[:2] == [each.decision for each in first]
    assert all(isinstance(each, RepeatError) for each in found[2:])


def test_keys_of_one_owner_share_their_application_ids(address: str) -> None:
    first = entry(0.1, "originator/originator-2026", application_id="7")
    rotated = entry(0.9, "originator/originator-2027", application_id="7")
    assert answers(address, first, rotated) == [first.decision] * 2


def test_a_key_that_takes_the_place_of_one_without_an_owner_gets_its_application_ids(address: str) -> None:
    first = entry(0.1, "originator-2026", application_id="7")
    rotated = entry(0.9, "originator-2026/originator-2027", application_id="7")
    assert answers(address, first, rotated) == [first.decision] * 2


def test_a_key_without_an_owner_shares_its_application_ids_with_nobody(address: str) -> None:
    sent = [entry(asked_by=name, application_id="7") for name in ("originator-2026", "originator-2027", "")]
    assert answers(address, *sent) == [each.decision for each in sent]


def test_in_one_block_each_owner_has_an_application_id_once(address: str) -> None:
    sent = [entry(0.1 * number, owner, application_id="7") for number, owner in enumerate(["one", "other"] * 2)]
    plain = entry()

    async def life(log: DecisionLog) -> None:
        first, second = sent[0].decision, sent[1].decision
        assert await log.store([*sent, plain]) == [first, second, first, second, plain.decision]

    live(address, life)
    assert stored(address) == {sent[0].row.id, sent[1].row.id, plain.row.id}
    assert problems(address) == []


def test_workers_that_get_one_application_of_a_second_owner_at_once_decide_it_once(address: str) -> None:
    first = [entry(asked_by="one", application_id=str(number)) for number in range(8)]

    async def lives() -> tuple[list[Settled], list[Settled]]:
        logs = [DecisionLog(open_database(address, timeout=TIMEOUT_S), ORIGIN) for _ in range(2)]
        try:
            await logs[0].store(first)
            await logs[1].store([])
            sent = [[entry(asked_by="other", application_id=str(number)) for number in range(8)] for _ in logs]
            one, other = await asyncio.gather(*(log.store(each) for log, each in zip(logs, sent, strict=True)))
            return one, other
        finally:
            for log in logs:
                await log.close()

    one, other = asyncio.run(lives())
    assert one == other
    assert (rows_in(address, "decisions"), rows_in(address, "namesakes")) == (16, 8)


def test_what_follows_from_the_spool_keeps_the_ids_of_its_owner(address: str) -> None:
    first = entry(asked_by="one", application_id="7")
    spooled = [entry(asked_by=owner, application_id="7") for owner in ("one", "other", "other")]

    async def life(log: DecisionLog) -> None:
        await log.store([first])
        await log.store_given([each.row for each in spooled], datetime.now(UTC))
        assert await log.store([entry(asked_by="one", application_id="7")]) == [first.decision]
        assert await log.store([entry(asked_by="other", application_id="7")]) == [spooled[1].decision]

    live(address, life)
    assert len(stored(address)) == 4
    assert problems(address) == []


def test_an_owner_keeps_an_application_id_when_the_one_who_used_it_first_is_purged(address: str) -> None:
    put(address, [entry(asked_by="one", application_id=name) for name in ("7", "8")], at=LONG_AGO)
    others = [entry(asked_by=owner, application_id="7") for owner in ("other", "third")]
    answers(address, *others)
    purge(address, BETWEEN)
    assert claimed(address) == {("first", "7"): others[0].row.id, ("third", "7"): others[1].row.id}
    again = [entry(asked_by=owner, application_id="7") for owner in ("other", "third")]
    assert answers(address, *again) == [each.decision for each in others]
    new = entry(asked_by="one", application_id="7")
    assert answers(address, new) == [new.decision]


def test_a_purge_takes_the_ids_of_every_owner(address: str) -> None:
    for owner in ("one", "other"):
        put(address, [entry(asked_by=owner, application_id="7")], at=LONG_AGO)
    purge(address, BETWEEN)
    assert claimed(address) == {}


def test_an_outcome_is_reported_by_the_application_id_of_the_owner_who_reports(address: str) -> None:
    sent = [entry(asked_by=f"{owner}/gateway", application_id="7") for owner in ("one", "other")]
    answers(address, *sent)
    report = OutcomeReport(application_id="7", outcome=Outcome.DEFAULTED, observed_on=datetime.now(UTC).date())
    for owner, given in zip(("one", "other"), sent, strict=True):
        (found,) = ask(address, partial(outcomes.record, [report], f"{owner}/collections"))
        assert isinstance(found, outcomes.RecordedOutcome)
        assert found.decision_id == given.row.id
    (refused,) = ask(address, partial(outcomes.record, [report], "third"))
    assert isinstance(refused, RequestError)
    assert refused.status == 404


# Damaged records

DAMAGE = {
    "its decision is missing": "DELETE FROM decisions WHERE application_id = 'a'",
    "it is claimed for the decision of another application": (
        "UPDATE claims SET decision = (SELECT id FROM decisions WHERE application_id = 'b') WHERE application_id = 'a'"
    ),
    "what was received is no JSON": "UPDATE decisions SET received = '{' WHERE application_id = 'a'",
    "what was received is no object": "UPDATE decisions SET received = '[1]' WHERE application_id = 'a'",
    "its answer is no answer": "UPDATE decisions SET decision = 'TALVEZ' WHERE application_id = 'a'",
    "its risk is no probability": "UPDATE decisions SET risk_probability = 7 WHERE application_id = 'a'",
    "its writer is missing": (
        "DELETE FROM writers WHERE id = (SELECT writer FROM decisions WHERE application_id = 'a')"
    ),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_an_unreadable_decision_is_an_error_for_its_own_caller_alone_at_every_try(address: str, damage: str) -> None:
    put(address, [entry(application_id="a")])
    (known,) = put(address, [entry(application_id="b")])
    tamper(address, damage)

    async def life(log: DecisionLog) -> None:
        for number in range(3):
            new, plain = entry(application_id=f"new {number}"), entry()
            repeat = entry(application_id="b")
            refused, *others = await log.store([entry(application_id="a"), new, repeat, plain])
            assert isinstance(refused, UnreadableError)
            assert (refused.status, refused.kind) == (500, "unreadable_decision")
            assert [each.decision_id for each in others if not isinstance(each, RequestError)] == [
                *(new.row.id, known, plain.row.id)
            ]

    live(address, life)
    assert rows_in(address, "claims") == 2 + 3


def test_an_unreadable_decision_of_a_second_owner_is_an_error_for_that_owner_alone(address: str) -> None:
    first, second = (entry(asked_by=owner, application_id="a") for owner in ("one", "other"))
    answers(address, first, second)
    tamper(address, f"UPDATE namesakes SET decision = '{first.row.id}'")
    found, refused = answers(address, *(entry(asked_by=owner, application_id="a") for owner in ("one", "other")))
    assert found == first.decision
    assert isinstance(refused, UnreadableError)


@pytest.mark.parametrize(
    ("change", "is_same"),
    [({"age": 17}, False), ({"nickname": "Zé"}, False), ({"nickname": None}, True)],
    ids=["a value that is refused today", "a field that is unknown today", "an unknown field that says nothing"],
)
def test_an_application_that_would_be_refused_today_is_compared_as_it_came(
    address: str, change: dict[str, object], is_same: bool
) -> None:
    first = entry(application_id="a")
    received = json.dumps(json.loads(first.row.received) | change)
    as_stored = first._replace(row=first.row._replace(received=received))

    async def life(log: DecisionLog) -> None:
        await log.store([as_stored])
        plain = entry()
        found, other = await log.store([entry(application_id="a"), plain])
        assert (found == first.decision) == is_same
        assert is_same or isinstance(found, RepeatError)
        assert other == plain.decision

    live(address, life)


def test_what_follows_from_the_spool_is_stored_though_the_claim_on_its_id_is_damaged(address: str) -> None:
    put(address, [entry(application_id="a")])
    tamper(address, "DELETE FROM decisions")
    spooled = [entry(application_id="a"), entry(application_id="b")]
    live(address, lambda log: log.store_given([each.row for each in spooled], datetime.now(UTC)))
    assert stored(address) == {each.row.id for each in spooled}


def test_no_value_of_an_application_reaches_the_log_that_tells_of_damage(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = entry(application_id="proposta 7f3a", monthly_income=87654321.25)
    answers(address, first)
    ask(address, lambda connection: connection.execute(text("UPDATE decisions SET decision = 'TALVEZ'")))
    answers(address, entry(application_id="proposta 7f3a", monthly_income=87654321.25))
    assert f"Decision {first.row.id} is on record, but cannot be read." in caplog.text
    assert "7f3a" not in caplog.text.replace(first.row.id, "")
    assert "8765" not in caplog.text.replace(first.row.id, "")
