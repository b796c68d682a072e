"""Excerpts from the decision log, on both kinds of database: which decisions, in which order, with which outcome."""

from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import chain, islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, insert

from benchmarks.support.consorcio import EXAMPLE_APPLICATION, MAPPABLE
from benchmarks.support.decision_records import ORIGIN, ask, entry, id_at, of_model, put
from credit_scoring.decisions import outcomes, queries, tables
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.ids import first_id_at
from credit_scoring.decisions.outcomes import OutcomeReport
from credit_scoring.decisions.queries import AFTER, BEFORE, Record, Wanted

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MARCH = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
A_MOMENT = timedelta(milliseconds=1)
MORE_CHUNKS_THAN_THERE_ARE = 20


def chunks(address: str, wanted: Wanted) -> list[list[Record]]:
    return list(islice(queries.chunks(open_database(address, timeout=10), wanted), MORE_CHUNKS_THAN_THERE_ARE))


def ids(records: list[Record]) -> list[str]:
    return [record["id"] for record in records]


def chunked(address: str, wanted: Wanted) -> list[str]:
    return ids(list(chain(*chunks(address, wanted))))


def latest(address: str, most: int, wanted: Wanted = Wanted()) -> list[Record]:  # noqa: B008 - it is frozen
    return ask(address, partial(queries.latest, wanted, most), reading=True)


def count(address: str, wanted: Wanted) -> int:
    return ask(address, partial(queries.count, wanted), reading=True)


def report(address: str, decision: str, outcome: str, day: date = date(2026, 5, 31)) -> None:
    found = OutcomeReport.model_validate(
        {"decision_id": decision, "outcome": outcomes.Outcome(outcome), "observed_on": day}
    )

    def work(connection: Connection) -> None:
        outcomes.record([found], "", connection)

    ask(address, work)


# Chunks


@pytest.mark.parametrize("decisions", [0, 1, 3, 4, 6, 7])
def test_chunks_hold_every_decision_once_oldest_first_whatever_the_chunk_size(
    address: str, monkeypatch: pytest.MonkeyPatch, decisions: int
) -> None:
    monkeypatch.setattr(queries, "CHUNK", 3)
    if decisions:
        put(address, [entry() for _ in range(decisions)])
    found = chunks(address, Wanted())
    assert [len(chunk) for chunk in found] == [min(3, decisions - start) for start in range(0, decisions, 3)]
    assert chunked(address, Wanted()) == sorted(ids(latest(address, 100)))


def test_chunks_of_many_workers_are_in_the_order_in_which_was_decided(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "CHUNK", 2)
    late = put(address, [entry(), entry()], at=NOON + HOUR)
    early = put(address, [entry(), entry(), entry()], at=NOON - HOUR)
    between = put(address, [entry()], at=NOON)
    assert chunked(address, Wanted()) == [*early, *between, *late]


def test_chunks_lose_none_of_the_decisions_of_one_millisecond(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "CHUNK", 2)
    made = put(address, [entry() for _ in range(5)], at=NOON)
    assert len({decision[:13] for decision in made}) == 1
    assert chunked(address, Wanted()) == made


def test_a_decision_that_is_stored_while_chunks_are_read_is_read_as_well(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "CHUNK", 2)
    first = put(address, [entry(), entry(), entry()])
    read = queries.chunks(open_database(address, timeout=10), Wanted())
    begun = ids(next(read))
    later = put(address, [entry()])
    assert [*begun, *chain(*map(ids, islice(read, MORE_CHUNKS_THAN_THERE_ARE)))] == [*first, *later]


def test_the_latest_are_the_newest_ones_newest_first(address: str) -> None:
    made = put(address, [entry() for _ in range(4)])
    assert ids(latest(address, 3)) == made[:0:-1]
    assert ids(latest(address, 9)) == made[::-1]


# Which ones


@pytest.fixture
def by_the_hour(address: str) -> list[str]:
    """Decisions of eleven, twelve and one o'clock, by two models in turn."""
    models = ["credit_scoring:old", "credit_scoring:new", "credit_scoring:old"]
    times = [NOON - HOUR, NOON, NOON + HOUR]
    return [put(address, [entry()], at=at, origin=of_model(tag))[0] for at, tag in zip(times, models, strict=True)]


WANTED: dict[str, tuple[Wanted, list[int]]] = {
    "everything": (Wanted(), [0, 1, 2]),
    "from a moment on": (Wanted(since=NOON), [1, 2]),
    "from just after a moment on": (Wanted(since=NOON + A_MOMENT), [2]),
    "before a moment": (Wanted(until=NOON), [0]),
    "before just after a moment": (Wanted(until=NOON + A_MOMENT), [0, 1]),
    "an hour": (Wanted(since=NOON, until=NOON + HOUR), [1]),
    "no time at all": (Wanted(since=NOON, until=NOON), []),
    "one model": (Wanted(model="credit_scoring:old"), [0, 2]),
    "one model for a while": (Wanted(since=NOON, model="credit_scoring:old"), [2]),
    "an unknown model": (Wanted(model="credit_scoring"), []),
    "the far future": (Wanted(since=datetime.max.replace(tzinfo=UTC)), []),
    "before the far future": (Wanted(until=datetime.max.replace(tzinfo=UTC)), [0, 1, 2]),
}


@pytest.mark.parametrize(("wanted", "expected"), WANTED.values(), ids=WANTED)
def test_chunks_lists_and_counts_agree_on_which_decisions_are_wanted(
    address: str, by_the_hour: list[str], wanted: Wanted, expected: list[int]
) -> None:
    chosen = [by_the_hour[place] for place in expected]
    assert chunked(address, wanted) == chosen
    assert ids(latest(address, 9, wanted)) == chosen[::-1]
    assert count(address, wanted) == len(chosen)


@given(st.datetimes(datetime(2005, 1, 1), datetime(2037, 12, 31), timezones=st.just(UTC)))
def test_ids_of_earlier_milliseconds_sort_before_a_moment_and_those_of_its_own_do_not(moment: datetime) -> None:
    milliseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // A_MOMENT
    before, own = (
        f"{value >> 16:08x}-{value & 0xFFFF:04x}-7fff-bfff-ffffffffffff" for value in (milliseconds - 1, milliseconds)
    )
    assert before < first_id_at(moment) < own


# What is told of each


def test_each_decision_comes_with_its_last_outcome_or_none(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "CHUNK", 2)
    made = put(address, [entry() for _ in range(5)], at=MARCH)
    report(address, made[1], "PAID")
    report(address, made[1], "DEFAULTED", date(2026, 6, 30))
    report(address, made[4], "DEFAULTED")
    report(address, made[4], "PAID")
    known = [(record["outcome"], record["observed_on"]) for chunk in chunks(address, Wanted()) for record in chunk]
    nothing = (None, None)
    assert known == [nothing, ("DEFAULTED", date(2026, 6, 30)), nothing, nothing, ("PAID", date(2026, 5, 31))]
    assert [record["outcome"] for record in latest(address, 2)] == ["PAID", None]


def test_the_last_outcome_is_the_one_reported_last_wherever_it_lies_in_its_table(address: str) -> None:
    (decision,) = put(address, [entry()])
    said = {"observed_on": date(2026, 5, 31), "reported_at": NOON, "reported_by": "", "decision": decision}
    reports = [
        {"id": id_at(NOON + HOUR), "outcome": "DEFAULTED", **said},
        {"id": id_at(NOON), "outcome": "PAID", **said},
    ]
    ask(address, lambda connection: connection.execute(insert(tables.outcomes), reports))
    assert latest(address, 1)[0]["outcome"] == "DEFAULTED"


def test_a_decision_as_one_row_has_the_columns_of_an_export(address: str) -> None:
    applied = entry(0.25, asked_by="gateway", application_id="7", job_type=None, age=52)
    (decision,) = put(address, [applied], at=MARCH)
    report(address, decision, "PAID")
    row: dict[str, Any] = queries.flat(latest(address, 1)[0], MAPPABLE)
    assert tuple(row) == (*BEFORE, *MAPPABLE, *AFTER)
    assert row["decision_id"] == decision
    assert (row["decision"], row["risk_probability"], row["threshold"]) == ("APROVADO", 0.25, ORIGIN.threshold)
    assert (row["application_id"], row["asked_by"], row["model"]) == ("7", "gateway", ORIGIN.model)
    assert (row["outcome"], row["observed_on"]) == ("PAID", date(2026, 5, 31))
    expected = {**EXAMPLE_APPLICATION, "job_type": None, "age": 52}
    assert {name: row[name] for name in MAPPABLE} == expected


def test_a_field_that_was_not_sent_is_none_in_a_row(address: str) -> None:
    put(address, [entry()])
    record = latest(address, 1)[0]
    row = queries.flat({**record, "received": '{"credit_letter_value": 24000, "age": 37}'}, MAPPABLE)
    told = {name: row[name] for name in MAPPABLE if row[name] is not None}
    assert told == {"credit_letter_value": 24000, "age": 37}


def test_from_before_1970_on_is_everything(address: str) -> None:
    put(address, [entry()])
    for since in (datetime(1960, 1, 1, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)):
        assert count(address, Wanted(since=since)) == 1
        assert count(address, Wanted(until=since)) == 0


def test_the_first_id_of_a_millisecond_is_of_that_millisecond() -> None:
    milliseconds = 2166067341015  # in 2038
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC).replace(microsecond=milliseconds % 1000 * 1000)
    assert first_id_at(moment).replace("-", "")[:12] == f"{milliseconds:012x}"
