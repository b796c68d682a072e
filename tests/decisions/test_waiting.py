"""What waits for people is found, and nothing else; every look is on record."""

from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, text

from benchmarks.support.decision_records import ask, entry, put, tamper
from credit_scoring.decisions import looks, queries, waiting
from credit_scoring.decisions.erasure import Order, candidates, erase
from credit_scoring.decisions.queries import Wanted
from credit_scoring.decisions.reviews import Step
from credit_scoring.decisions.waiting import Case
from tests.conftest import make_sqlite_log
from tests.decisions.test_verdicts import ANA, RUI, in_analysis, judge, request


def cases(address: str) -> list[Case]:
    return ask(address, waiting.cases, reading=True)


def ids(address: str) -> list[tuple[str, str]]:
    """By kind and id; a look-up of what waits, and what is said of each decision by itself, are the same."""
    found: list[tuple[str, str]] = [(each.kind, each.decision_id) for each in cases(address)]
    by_look_up = ask(address, partial(queries.latest, Wanted(waiting=True), 100), reading=True)
    everything = ask(address, partial(queries.latest, Wanted(), 100), reading=True)
    by_itself = [each["id"] for each in everything if each["waiting"]]
    assert sorted(each["id"] for each in by_look_up) == sorted(by_itself) == sorted(id for _, id in found)
    return found


def test_applications_in_analysis_and_requested_reviews_wait_the_oldest_first(address: str) -> None:
    month_ago = datetime.now(UTC) - timedelta(days=30)
    first, decided = put(address, [in_analysis(), entry()], at=month_ago)
    request(address, decided)
    (last,) = put(address, [in_analysis()])
    assert ids(address) == [("analysis", first), ("review", decided), ("analysis", last)]
    assert abs(cases(address)[0].since - month_ago) < timedelta(seconds=1)


def test_what_has_a_verdict_waits_no_more_until_a_review_is_requested(address: str) -> None:
    (decision,) = put(address, [in_analysis()])
    judge(address, decision, Step.DENIED)
    assert ids(address) == []
    request(address, decision)
    assert ids(address) == [("review", decision)]
    judge(address, decision, Step.REVERSED)
    assert ids(address) == []


def test_what_was_erased_waits_for_nobody(address: str) -> None:
    """A service of the version before, still running during a rollout, does not know that it was."""
    held, decision = put(address, [entry(), entry()])
    found = ask(address, partial(candidates, decision, None), reading=True)
    ask(address, partial(erase, found, Order("x", "dpo", "Never joined a group."), date.today()))
    request(address, held)
    tamper(address, f"UPDATE reviews SET decision = '{decision}'")
    assert ids(address) == []


def test_a_case_says_who_has_proposed_a_verdict(address: str) -> None:
    (decision,) = put(address, [in_analysis()])
    judge(address, decision, Step.APPROVED, ANA, four_eyes=True)
    assert [each.proposed_by for each in cases(address)] == [ANA]
    assert ids(address) == [("analysis", decision)]
    judge(address, decision, Step.RETURNED, RUI, four_eyes=True)
    assert ids(address) == [("analysis", decision)]
    assert [each.proposed_by for each in cases(address)] == [None]


def test_decisions_are_found_by_application_id_of_every_owner(address: str) -> None:
    one, other, _ = put(
        address,
        [
            entry(application_id="A-1", asked_by="loja"),
            entry(application_id="A-1", asked_by="banco"),
            entry(application_id="A-2"),
        ],
    )
    assert sorted(ask(address, partial(waiting.named, "A-1"), reading=True)) == sorted([one, other])
    assert ask(address, partial(waiting.named, "A-3"), reading=True) == []


def test_sqlite_finds_what_is_in_analysis_by_its_index(tmp_path: Path) -> None:
    address = make_sqlite_log(tmp_path)
    query = str(waiting._in_analysis().compile(compile_kwargs={"literal_binds": True}))

    def plan(connection: Connection) -> str:
        return " ".join(str(row) for row in connection.execute(text(f"EXPLAIN QUERY PLAN {query}")))

    assert "decisions_in_analysis" in ask(address, plan, reading=True)


def test_every_look_is_on_record_the_newest_first(address: str) -> None:
    one, other = put(address, [entry(), entry()])
    for decision, page, by in ((one, "dossier", ANA), (one, "letter", RUI), (other, "dossier", ANA)):
        ask(address, partial(looks.record, decision, page, by))
    found = ask(address, partial(looks.latest, one, 10), reading=True)
    assert [(each["page"], each["seen_by"]) for each in found] == [("letter", RUI), ("dossier", ANA)]
    assert all(datetime.now(UTC) - each["seen_at"] < timedelta(minutes=5) for each in found)
