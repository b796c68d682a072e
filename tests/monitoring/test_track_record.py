"""Decisions and their outcomes as arrays, read from both kinds of database."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from benchmarks.support.decision_records import TIMEOUT_S, ask, entry, of_model, put, tamper
from credit_scoring.decisions import outcomes
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.outcomes import Outcome, OutcomeReport
from credit_scoring.monitoring import track_record
from credit_scoring.monitoring.cohorts import Decided
from credit_scoring.monitoring.track_record import EPOCH

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
LONG_BEFORE = NOON - 1000 * DAY
A_MOMENT = timedelta(milliseconds=1)
TEST_MODEL = "credit_scoring:test"


@pytest.fixture
def database(tmp_path: Path) -> str:
    """The address of a file, for what no kind of database would make a difference to."""
    return f"sqlite:///{tmp_path}/decisions.db"


def read(address: str, since: datetime = LONG_BEFORE) -> Mapping[str, Decided]:
    database = open_database(address, timeout=TIMEOUT_S)
    try:
        return track_record.read(database, since)
    finally:
        asyncio.run(database.close())


def report(address: str, decision: str, outcome: Outcome, observed_on: date) -> None:
    found = OutcomeReport(decision_id=decision, outcome=outcome, observed_on=observed_on)
    ask(address, partial(outcomes.record, [found], ""))


def arrays(found: Decided) -> Sequence[list[float]]:
    return [each.tolist() for each in (found.days, found.risk, found.denied, found.defaulted, found.delays)]


def test_an_empty_log_has_no_models(address: str) -> None:
    assert read(address) == {}


def test_a_decision_comes_with_its_day_and_its_risk_to_the_last_bit_and_whether_it_was_denied(address: str) -> None:
    put(address, [entry(0.1 + 0.2), entry(0.1)], at=NOON)
    put(address, [entry(0.9)], at=NOON + DAY)
    found = read(address)[TEST_MODEL]
    first = (NOON.date() - EPOCH).days
    assert found.days.tolist() == [first, first, first + 1]
    assert found.risk.tolist() == [0.1 + 0.2, 0.1, 0.9]
    assert found.denied.tolist() == [True, False, True]


def test_nothing_is_known_of_a_decision_that_nobody_reported_on(database: str) -> None:
    put(database, [entry()], at=NOON)
    found = read(database)[TEST_MODEL]
    assert (found.known.tolist(), found.defaulted.tolist(), found.delays.tolist()) == ([False], [False], [-1])


@pytest.mark.parametrize("outcome", Outcome)
def test_an_outcome_comes_with_the_days_that_it_took(address: str, outcome: Outcome) -> None:
    (decision,) = put(address, [entry()], at=NOON)
    report(address, decision, outcome, NOON.date() + 90 * DAY)
    found = read(address)[TEST_MODEL]
    assert (found.known.tolist(), found.delays.tolist()) == ([True], [90])
    assert found.defaulted.tolist() == [outcome is Outcome.DEFAULTED]


def test_an_outcome_that_is_dated_before_its_decision_took_no_days_and_is_known(database: str) -> None:
    """Reports of such days are refused now; those that were kept before remain on record."""
    (decision,) = put(database, [entry()], at=NOON)
    report(database, decision, Outcome.PAID, NOON.date())
    tamper(database, f"UPDATE outcomes SET observed_on = '{NOON.date() - 5 * DAY}'")
    found = read(database)[TEST_MODEL]
    assert (found.known.tolist(), found.delays.tolist()) == ([True], [0])


def test_of_several_outcomes_the_last_report_counts_even_if_it_is_dated_earlier(address: str) -> None:
    (decision,) = put(address, [entry()], at=NOON)
    report(address, decision, Outcome.DEFAULTED, NOON.date() + 90 * DAY)
    report(address, decision, Outcome.PAID, NOON.date() + 30 * DAY)
    found = read(address)[TEST_MODEL]
    assert (found.defaulted.tolist(), found.delays.tolist()) == ([False], [30])


def reported_on(address: str, decision: str, day: date) -> None:
    """As if all reports on this decision had come in on that day."""
    tamper(address, f"UPDATE outcomes SET reported_at = '{day} 12:00:00.000000' WHERE decision = '{decision}'")


def test_an_outcome_is_known_from_its_first_report_on_however_early_it_was_observed(database: str) -> None:
    first, late = put(database, [entry(), entry()], at=NOON)
    report(database, first, Outcome.PAID, NOON.date() + DAY)
    reported_on(database, first, NOON.date() + 2 * DAY)
    report(database, late, Outcome.PAID, NOON.date() + 30 * DAY)
    reported_on(database, late, NOON.date() + 90 * DAY)
    report(database, late, Outcome.DEFAULTED, NOON.date() + 60 * DAY)
    found = read(database)[TEST_MODEL]
    assert (found.defaulted.tolist(), found.delays.tolist()) == ([False, True], [1, 90])


def test_outcomes_from_before_reports_began_are_known_from_their_own_day_on(database: str) -> None:
    """A backfill says nothing of how late reports come once they come by the quarter."""
    history, day_of_start, after = put(database, [entry(), entry(), entry()], at=NOON)
    for decision, days in ((history, 30), (day_of_start, 200), (after, 210)):
        report(database, decision, Outcome.DEFAULTED, NOON.date() + days * DAY)
        reported_on(database, decision, NOON.date() + (290 if decision == after else 200) * DAY)
    assert read(database)[TEST_MODEL].delays.tolist() == [30, 200, 290]


def test_decisions_are_told_apart_by_the_model_that_gave_them(address: str) -> None:
    put(address, [entry(0.1)], at=NOON, origin=of_model("credit_scoring:a"))
    put(address, [entry(0.2)], at=NOON, origin=of_model("credit_scoring:b"))
    put(address, [entry(0.3)], at=NOON + DAY, origin=of_model("credit_scoring:a"))
    found = {model: decided.risk.tolist() for model, decided in read(address).items()}
    assert found == {"credit_scoring:a": [0.1, 0.3], "credit_scoring:b": [0.2]}


def test_decisions_from_before_are_not_read(address: str) -> None:
    midnight = datetime(2026, 3, 10, tzinfo=UTC)
    put(address, [entry(0.1)], at=midnight - A_MOMENT)
    put(address, [entry(0.2)], at=midnight + A_MOMENT)
    assert read(address, midnight)[TEST_MODEL].risk.tolist() == [0.2]
    assert read(address, midnight + DAY) == {}


@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_it_does_not_matter_how_many_are_read_at_a_time(
    database: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = put(database, [entry(0.05 * number) for number in range(7)], at=NOON)
    for decision in made[::2]:
        report(database, decision, Outcome.DEFAULTED, NOON.date() + DAY)
    at_once = arrays(read(database)[TEST_MODEL])
    monkeypatch.setattr(track_record, "CHUNK", chunk)
    assert arrays(read(database)[TEST_MODEL]) == at_once
    assert at_once[3] == [True, False] * 3 + [True]
