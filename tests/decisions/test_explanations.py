"""Reasons as they were given, on both kinds of database: kept for decisions that are on record."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import Connection, insert

from benchmarks.support.decision_records import ask, entry, purge, put, rows_in
from credit_scoring.decisions import events, explanations, tables
from credit_scoring.decisions.erasure import Order, candidates, erase
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.verification import verify
from tests.decisions.test_verification import tamper


def keep(address: str, decision: str, content: str) -> str:
    return ask(address, partial(explanations.keep, {decision: content}, {decision: ""}))[decision]


def problems(address: str) -> list[str]:
    return ask(address, verify, reading=True).problems


def test_reasons_of_a_decision_that_is_not_on_record_are_given_and_not_kept(address: str) -> None:
    assert keep(address, entry().row.id, "first") == "first"
    assert (rows_in(address, "explanations"), rows_in(address, "events")) == (0, 0)


def test_the_reasons_that_are_kept_are_the_first_ones_given_once_the_decision_is_on_record(address: str) -> None:
    waiting = entry()
    keep(address, waiting.row.id, "too early")
    put(address, [waiting])
    assert [keep(address, waiting.row.id, content) for content in ("first", "second")] == ["first", "first"]
    assert problems(address) == []


# What earlier versions kept of decisions that waited in a spool


@pytest.fixture
def decision(address: str) -> str:
    """A decision that came after its reasons, whose event names no block."""
    waiting = entry()
    keep_too_early(address, waiting.row.id, new_id())
    return put(address, [waiting, entry()])[0]


def keep_too_early(address: str, decision: str, id: str) -> None:
    row = {"id": id, "decision": decision, "content": "{}", "given_at": datetime.now(UTC), "given_to": ""}

    def work(connection: Connection) -> None:
        connection.execute(insert(tables.explanations), row)
        events.append(events.REASONS, [row], connection)

    ask(address, work)


def erase_it(address: str, decision: str) -> None:
    wanted = ask(address, partial(candidates, decision, None), reading=True)
    order = Order("The client asked for it.", "dpo", "Never joined a group.")
    ask(address, partial(erase, wanted, order, datetime.now(UTC).date()))


def purge_all(address: str) -> None:
    assert purge(address, datetime.now(UTC) + timedelta(seconds=1)) == 2


def test_a_log_with_reasons_that_came_before_their_decision_verifies(address: str, decision: str) -> None:
    assert problems(address) == []


def test_it_verifies_once_the_decision_is_erased_and_once_it_is_purged(address: str, decision: str) -> None:
    erase_it(address, decision)
    assert (rows_in(address, "explanations"), problems(address)) == (0, [])
    purge_all(address)
    assert problems(address) == []


def test_it_verifies_once_the_decision_is_purged(address: str, decision: str) -> None:
    purge_all(address)
    assert (rows_in(address, "explanations"), problems(address)) == (0, [])


def test_such_reasons_that_were_removed_are_named(address: str, decision: str) -> None:
    tamper("DELETE FROM explanations")(address)
    (found,) = problems(address)
    assert found.startswith("Event 1: its reasons ")
    assert found.endswith(" was removed.")


def test_such_reasons_that_were_removed_are_named_though_another_decision_was_erased(
    address: str, decision: str
) -> None:
    tamper("DELETE FROM explanations")(address)
    (other,) = put(address, [entry()])
    erase_it(address, other)
    (found,) = problems(address)
    assert found.endswith(" was removed.")
