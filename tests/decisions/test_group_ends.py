"""When groups end: reported by file, and kept to by a purge, on both kinds of database."""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.support.decision_records import ask, entry, purge, put, rows_in
from benchmarks.support.postgres import Postgres
from credit_scoring.decisions import group_ends, retention
from credit_scoring.decisions.group_ends import Report, _earliest_kept, kept_until
from credit_scoring.decisions.retention import Kept
from credit_scoring.decisions.subject import subject
from credit_scoring.decisions.verification import verify
from credit_scoring.policy import dates
from tests.decisions.test_effective import again
from tests.decisions.test_verification import tamper
from tests.support.command_line import error_here, run_here

TODAY = datetime.now(UTC).date()
LONG_AGO, SOON = datetime(2015, 3, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(minutes=1)
ENDED = date(TODAY.year - 6, 1, 15)
ENDS = date(TODAY.year + 2, 1, 15)


def report(address: str, ends: dict[str, date]) -> group_ends.Taken:
    reports = [Report(place, id, day) for place, (id, day) in enumerate(ends.items())]
    return ask(address, partial(group_ends.record, reports, by_application=False, owner=None, by="backoffice"))


def last(address: str, *ids: str) -> dict[str, date]:
    return dict(ask(address, partial(group_ends.last_known, ids), reading=True))


def problems(address: str) -> list[str]:
    return ask(address, verify, reading=True).problems


def given_file(folder: Path, *lines: str) -> Path:
    path = folder / "groups.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def run_report(address: str, path: Path, *options: str) -> Any:
    return run_here("decisions", "group-ends", path, "--database", address, *options)


# What a date means


def test_the_proof_is_kept_for_five_years_after_the_end_of_the_group() -> None:
    assert kept_until(date(2026, 5, 31)) == date(2031, 5, 31)
    assert kept_until(date(2024, 2, 29)) == date(2029, 3, 1)


@given(st.dates(date(2000, 1, 1), date(2060, 1, 1)), st.integers(-3, 3))
def test_queries_and_dates_agree_on_what_is_kept(today: date, off: int) -> None:
    ends_on = _earliest_kept(today) + timedelta(days=off)
    assert (kept_until(ends_on) >= today) == (off >= 0)


# Reports


def test_the_last_report_counts_and_the_same_one_is_kept_once(address: str) -> None:
    one, other = put(address, [entry(), entry()])
    assert report(address, {one: ENDED, other: ENDS})[:2] == (2, 0)
    assert report(address, {one: ENDS, other: ENDS})[:2] == (1, 1)
    assert last(address, one, other) == {one: ENDS, other: ENDS}
    assert (rows_in(address, "group_ends"), problems(address)) == (3, [])


@pytest.mark.parametrize(
    ("statement", "problem"),
    {
        "altered": (f"UPDATE group_ends SET ends_on = '{ENDED}'", "its groupend .* was altered"),
        "removed": ("DELETE FROM group_ends", "its groupend .* was removed"),
        "inserted": ("DELETE FROM events", "inserted, it has no event"),
    }.values(),
)
def test_an_end_that_was_tampered_with_is_named(address: str, statement: str, problem: str) -> None:
    (decision,) = put(address, [entry()])
    report(address, {decision: ENDS})
    tamper(statement)(address)
    (named,) = problems(address)
    assert re.search(problem, named)


def test_a_file_reports_by_application_id_and_names_lines_that_fit_nothing(address: str, tmp_path: Path) -> None:
    one, other = put(address, [entry(application_id="A"), entry(application_id="B", asked_by="loja")])
    put(address, [entry(application_id="B", asked_by="banco")])
    path = given_file(tmp_path, "application_id,grupo,group_end", f"A,7,{ENDS}", f"B,7,{ENDS}", f"C,7,{ENDS}")
    told = run_report(address, path)
    assert (told.exit_code, told.stdout) == (0, "1 recorded, 0 known before.\n")
    assert "1 lines name no application_id on record, such as line 4." in told.stderr
    assert "1 lines name one that several owners have sent: use --owner, such as line 3." in told.stderr
    assert run_report(address, path, "--owner", "loja").stdout == "1 recorded, 0 known before.\n"
    assert last(address, one, other) == {other: ENDS, one: ENDS}
    assert "group_ends" in ask(address, partial(subject, "A", None), reading=True).decisions[0].rows


def test_a_file_may_name_decisions(address: str, tmp_path: Path) -> None:
    (decision,) = put(address, [entry()])
    path = given_file(tmp_path, "\ufeffgroup_end,decision_id", f"{ENDS},{decision}")
    assert run_report(address, path).stdout == "1 recorded, 0 known before.\n"
    assert run_report(address, path).stdout == "0 recorded, 1 known before.\n"


@pytest.mark.parametrize(
    ("lines", "said"),
    {
        "no such column": (
            ["id,group_end"],
            "its first line has 2 names of columns, expected application_id or decision_id",
        ),
        "empty": ([""], "its first line has 0 names of columns, expected application_id"),
        "no day": (
            ["application_id,group_end", f"A,{ENDS}", "B,31/05/2031"],
            "line 3: group_end has 10 characters, expected a day such as 2031-05-31",
        ),
        "no year of a group": (
            ["application_id,group_end", "A,9999-12-31"],
            "line 2: group_end has 10 characters, expected a day such as 2031-05-31, from 1962 to 2199",
        ),
        "a cell too few": (["application_id,group_end", "A"], "line 2: group_end has 0 characters"),
    }.values(),
)
def test_a_file_that_cannot_be_used_is_refused_as_a_whole(
    address: str, tmp_path: Path, lines: list[str], said: str
) -> None:
    put(address, [entry(application_id="A")])
    assert said in error_here("decisions", "group-ends", given_file(tmp_path, *lines), "--database", address)
    assert rows_in(address, "group_ends") == 0


@pytest.mark.parametrize("lines", [["application_id,group_end", f"{ENDS},123.456.789-09"], ["123.456.789-09"]])
def test_what_a_file_says_of_a_client_is_in_no_message(address: str, tmp_path: Path, lines: list[str]) -> None:
    """As with columns that were swapped, or without a header."""
    said = error_here("decisions", "group-ends", given_file(tmp_path, *lines), "--database", address)
    assert "123.456" not in said


def test_a_line_that_names_a_decision_by_no_id_is_named_and_the_others_are_recorded(
    address: str, tmp_path: Path
) -> None:
    (decision,) = put(address, [entry()])
    path = given_file(tmp_path, "decision_id,group_end", f"P-1,{ENDS}", f"{decision},{ENDS}")
    told = run_report(address, path)
    assert (told.exit_code, told.stdout) == (0, "1 recorded, 0 known before.\n")
    assert "1 lines name no decision_id on record, such as line 2." in told.stderr


def test_a_file_that_is_not_there_is_named(address: str, tmp_path: Path) -> None:
    said = error_here("decisions", "group-ends", tmp_path / "none.csv", "--database", address)
    assert said == f"{tmp_path}/none.csv: cannot be read (No such file or directory)."


# Purges


def test_a_purge_keeps_what_must_be_kept_with_its_block_and_says_until_when(address: str) -> None:
    kept, _ = put(address, [entry(), entry()], at=LONG_AGO)
    ended, _ = (put(address, [entry()], at=LONG_AGO)[0] for _ in range(2))
    (new,) = put(address, [entry()])
    report(address, {kept: ENDS, ended: ENDED, new: ENDS})
    before = datetime(2020, 1, 1, tzinfo=UTC)
    assert ask(address, partial(retention.count_before, before), reading=True) == 2
    assert ask(address, partial(retention.kept_before, before), reading=True) == Kept(1, 2, kept_until(ENDS))
    told = run_here("decisions", "purge", "--older-than", "2020-01-01", "--yes", "--database", address)
    assert f"1 older decisions are kept, with 1 more in the same blocks, until {kept_until(ENDS)}" in told.stderr
    assert "2 decisions from before" in told.stderr
    assert set(last(address, kept, ended, new)) == {kept, new}
    assert (rows_in(address, "decisions"), problems(address)) == (3, [])
    told = run_here("decisions", "purge", "--older-than", "2020-01-01", "--yes", "--database", address)
    assert "No decision that may be deleted is older than 2020-01-01" in told.stderr


@pytest.mark.parametrize("owner", ["loja", "banco"])
def test_a_decision_that_stays_answers_for_an_application_of_which_the_first_decision_is_purged(
    address: str, owner: str
) -> None:
    """Under best_effort an application may be decided twice; both owners have sent such an id, `loja` first."""
    put(address, [entry(application_id="T", asked_by="loja")], at=LONG_AGO)
    put(address, [entry(application_id="T", asked_by="banco")], at=LONG_AGO)
    kept, other = put(address, [entry(application_id="T", asked_by=owner), entry()], at=LONG_AGO)
    report(address, {other: ENDS})
    assert purge(address, SOON) == 2
    assert problems(address) == []
    (answer,) = again(address, entry(0.9, application_id="T", asked_by=owner))
    assert getattr(answer, "decision_id", None) == kept


class LateInTheEvening(datetime):
    """22:30 on New Year's Day in Brasília, where it is the next day by UTC."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        """Always that moment."""
        return cls(2021, 1, 2, 1, 30, tzinfo=UTC).astimezone(tz)


def test_the_last_day_on_which_a_decision_is_kept_is_one_in_brasilia(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dates, "datetime", LateInTheEvening)
    kept, ended = (put(address, [entry()], at=LONG_AGO)[0] for _ in range(2))
    report(address, {kept: date(2016, 1, 1), ended: date(2015, 12, 31)})
    before = datetime(2020, 1, 1, tzinfo=UTC)
    assert ask(address, partial(retention.kept_before, before), reading=True) == Kept(1, 1, date(2021, 1, 1))
    assert purge(address, SOON) == 1
    said = error_here("decisions", "erase", kept, "--reason", "x", "--yes", "--database", address)
    assert "until 2021-01-01" in said


def test_once_an_end_is_moved_into_the_past_the_decision_is_purged(address: str) -> None:
    (decision,) = put(address, [entry()], at=LONG_AGO)
    report(address, {decision: ENDS})
    assert purge(address, SOON) == 0
    report(address, {decision: ENDED})
    assert purge(address, SOON) == 1
    assert (rows_in(address, "group_ends"), problems(address)) == (0, [])


def test_the_purging_role_may_report_ends(postgres: Postgres) -> None:
    address = postgres.decision_log()
    (decision,) = put(address, [entry()])
    postgres.run("CREATE ROLE backoffice LOGIN")
    run_here("decisions", "migrate", "--database", address, "--grant-purge-to", "backoffice")
    report(f"postgresql://backoffice@{address.partition('@')[2]}", {decision: ENDS})
    assert (last(address, decision), problems(address)) == ({decision: ENDS}, [])
