"""What became of decisions, on both kinds of database, and how it is reported over HTTP."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from sqlalchemy import Connection, event

from benchmarks.support import decision_records
from benchmarks.support.consorcio import EXAMPLE_APPLICATION
from benchmarks.support.decision_records import ask, ask_at_once, entry, rows_in, tamper
from credit_scoring.application.schemas import ErrorAnswer
from credit_scoring.decisions import outcomes
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.outcomes import EXAMPLE_OUTCOME, Outcome, OutcomeRecord, OutcomeReport, RecordedOutcome
from credit_scoring.errors import RequestError
from credit_scoring.serving.routes import MAX_OUTCOMES
from credit_scoring.settings import PROJECT_FOLDER
from tests.conftest import RunningService

Json = dict[str, Any]

DAY = timedelta(days=1)
MARCH = datetime(2026, 3, 10, 12, tzinfo=UTC)
MAY, JUNE = "2026-05-31", "2026-06-30"
put = partial(decision_records.put, at=MARCH)


def report(outcome: str = "PAID", observed_on: str = MAY, **which: Any) -> OutcomeReport:
    return OutcomeReport.model_validate_json(json.dumps({"outcome": outcome, "observed_on": observed_on, **which}))


def record(address: str, *reports: OutcomeReport, by: str = "collections") -> list[RecordedOutcome | RequestError]:
    return ask(address, partial(outcomes.record, reports, by))


def recorded(address: str, *reports: OutcomeReport, by: str = "collections") -> list[RecordedOutcome]:
    """What became of reports that are all kept or known."""
    found = record(address, *reports, by=by)
    kept = [each for each in found if isinstance(each, RecordedOutcome)]
    assert len(kept) == len(found)
    return kept


def history(address: str, *decision_ids: str) -> list[OutcomeRecord]:
    return ask(address, lambda connection: list(outcomes.history(decision_ids, connection)), reading=True)


# One report


def test_a_report_is_kept_with_who_reported_it_and_when(address: str) -> None:
    (decision,) = put(address, [entry()])
    before = datetime.now(UTC)
    (found,) = recorded(address, report("DEFAULTED", decision_id=decision), by="collections-2")
    (kept,) = history(address, decision)
    assert (found.status, kept.decision_id, kept.outcome, kept.reported_by) == (
        *("recorded", decision, Outcome.DEFAULTED, "collections-2"),
    )
    assert kept.observed_on == date(2026, 5, 31)
    assert before <= kept.reported_at <= datetime.now(UTC)
    assert kept.model_dump() == found.model_dump(exclude={"status"})


def test_a_decision_can_be_named_by_the_application_id_that_it_answers_for(address: str) -> None:
    _, decision = put(address, [entry(), entry(asked_by="collections", application_id="proposta 7")])
    (found,) = recorded(address, report(application_id="proposta 7"))
    assert found.decision_id == decision


def test_an_application_id_names_the_decision_that_was_given_first(address: str) -> None:
    """Under best_effort two decisions may bear the same one."""
    both = [entry(asked_by="collections", application_id="7", age=age) for age in (37, 38)]
    first, _ = put(address, both)
    assert recorded(address, report(application_id="7"))[0].decision_id == first


@pytest.mark.parametrize("which", [{"decision_id": new_id()}, {"application_id": "unknown"}])
def test_of_a_decision_that_is_not_on_record_nothing_is_kept(address: str, which: Json) -> None:
    put(address, [entry(application_id="7")])
    (found,) = record(address, report(**which))
    assert isinstance(found, RequestError)
    assert (found.status, found.kind) == (404, "no_decision")
    assert rows_in(address, "outcomes") == 0


def test_an_application_id_is_not_taken_for_a_decision_id(address: str) -> None:
    decision, named = put(address, [entry(), entry(application_id="7")])
    put(address, [entry(application_id=named)])
    (found,) = record(address, report(application_id=decision))
    assert isinstance(found, RequestError)
    assert recorded(address, report(decision_id=named))[0].decision_id == named


# The same decision again


def test_the_same_report_again_changes_nothing_whoever_sends_it(address: str) -> None:
    (decision,) = put(address, [entry(asked_by="somebody else", application_id="7")])
    (first,) = recorded(address, report(decision_id=decision))
    again = recorded(address, report(decision_id=decision), report(application_id="7"), by="somebody else")
    assert [each.status for each in again] == ["known", "known"]
    assert {each.outcome_id for each in again} == {first.outcome_id}
    assert {each.reported_by for each in again} == {"collections"}
    assert rows_in(address, "outcomes") == 1


@pytest.mark.parametrize("change", [{"outcome": "DEFAULTED"}, {"observed_on": JUNE}])
def test_another_report_is_a_correction_and_what_it_corrects_is_kept(address: str, change: Json) -> None:
    (decision,) = put(address, [entry()])
    (first,) = recorded(address, report(decision_id=decision))
    (second,) = recorded(address, report(decision_id=decision, **change))
    assert second.status == "corrected"
    assert [each.outcome_id for each in history(address, decision)] == [first.outcome_id, second.outcome_id]


def test_a_correction_can_be_taken_back_and_every_turn_is_kept(address: str) -> None:
    (decision,) = put(address, [entry()])
    turns = ["PAID", "DEFAULTED", "DEFAULTED", "PAID"]
    statuses = [recorded(address, report(turn, decision_id=decision))[0].status for turn in turns]
    assert statuses == ["recorded", "corrected", "known", "corrected"]
    assert [each.outcome for each in history(address, decision)] == ["PAID", "DEFAULTED", "PAID"]


def test_the_same_report_from_many_at_once_is_kept_once(address: str) -> None:
    (decision,) = put(address, [entry()])
    answers = ask_at_once(address, [partial(outcomes.record, [report(decision_id=decision)], "")] * 8)
    found = [each for (each,) in answers if isinstance(each, RecordedOutcome)]
    assert sorted(each.status for each in found) == [*["known"] * 7, "recorded"]
    assert len({each.outcome_id for each in found}) == rows_in(address, "outcomes") == 1


# Days that cannot be


def test_an_outcome_of_a_day_that_has_not_come_is_refused_with_the_reason(address: str) -> None:
    (decision,) = put(address, [entry()])
    tomorrow = (datetime.now(UTC) + DAY).date().isoformat()
    found, kept = record(address, report("PAID", tomorrow, decision_id=decision), report(decision_id=decision))
    assert isinstance(found, RequestError)
    assert (found.status, found.kind) == (409, "observed_in_future")
    assert str(found) == "observed_on is in the future (UTC). Report the outcome once it is known."
    assert isinstance(kept, RecordedOutcome)
    assert rows_in(address, "outcomes") == 1


@pytest.mark.parametrize("outcome", Outcome)
def test_an_outcome_of_a_day_before_its_decision_is_refused_with_the_reason(address: str, outcome: Outcome) -> None:
    (decision,) = put(address, [entry(asked_by="collections", application_id="7")])
    for which in ({"decision_id": decision}, {"application_id": "7"}):
        (found,) = record(address, report(outcome, (MARCH - DAY).date().isoformat(), **which))
        assert isinstance(found, RequestError)
        assert (found.status, found.kind) == (409, "observed_before_decision")
        assert "before the day of the decision" in str(found)
    assert rows_in(address, "outcomes") == 0


@pytest.mark.parametrize(
    ("decided", "kept"),
    [(datetime(2026, 3, 10, 4, tzinfo=UTC), True), (datetime(2026, 3, 10, 6, tzinfo=UTC), False)],
    ids=["still the day before in Acre", "that day everywhere in Brazil"],
)
def test_the_day_of_a_decision_is_that_of_its_client(address: str, decided: datetime, kept: bool) -> None:
    (decision,) = decision_records.put(address, [entry()], at=decided)
    (found,) = record(address, report("DEFAULTED", "2026-03-09", decision_id=decision))
    assert isinstance(found, RecordedOutcome) == kept


def test_a_report_that_was_kept_before_days_were_checked_is_still_known(address: str) -> None:
    (decision,) = put(address, [entry()])
    recorded(address, report(observed_on=MAY, decision_id=decision))
    tamper(address, "UPDATE outcomes SET observed_on = '2026-01-01'")
    assert recorded(address, report(observed_on="2026-01-01", decision_id=decision))[0].status == "known"


# Clients who were refused


@pytest.mark.parametrize("outcome", Outcome)
def test_a_refused_client_may_have_an_outcome_of_a_contract_that_was_made_all_the_same(
    address: str, outcome: Outcome
) -> None:
    (decision,) = put(address, [entry(0.9)])
    assert recorded(address, report(outcome, decision_id=decision))[0].status == "recorded"
    assert "refused" in str(OutcomeReport.model_fields["outcome"].description)


# Many reports


def test_reports_that_come_together_count_in_their_order(address: str) -> None:
    one, other = put(address, [entry(), entry()])
    found = recorded(
        address,
        *(report("PAID", decision_id=one), report("PAID", decision_id=other)),
        *(report("DEFAULTED", decision_id=one), report("DEFAULTED", decision_id=one)),
    )
    assert [each.status for each in found] == ["recorded", "recorded", "corrected", "known"]
    assert [each.outcome for each in history(address, one)] == ["PAID", "DEFAULTED"]
    assert [each.outcome for each in history(address, other)] == ["PAID"]


def test_one_unknown_decision_does_not_keep_its_neighbours_from_being_recorded(address: str) -> None:
    one, other = put(address, [entry(), entry()])
    found = record(address, report(decision_id=one), report(application_id="unknown"), report(decision_id=other))
    assert [isinstance(each, RequestError) for each in found] == [False, True, False]
    assert rows_in(address, "outcomes") == 2


def test_no_reports_have_no_answers(address: str) -> None:
    assert record(address) == []


# What a report may say


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"decision_id": None}, "one_id"),
        ({"application_id": "7"}, "one_id"),
        ({"decision_id": new_id().upper()}, "string_pattern_mismatch"),
        ({"decision_id": "7"}, "string_pattern_mismatch"),
        ({"application_id": "7" * 65, "decision_id": None}, "string_too_long"),
        ({"application_id": "", "decision_id": None}, "string_too_short"),
        ({"outcome": "paid"}, "enum"),
        ({"observed_on": "31/05/2026"}, "date_parsing"),
        ({"observed_on": "2026-02-30"}, "date_parsing"),
        ({"observed_on": 20260531}, "date_type"),
        ({"reported_by": "somebody else"}, "extra_forbidden"),
    ],
)
def test_a_report_that_cannot_be_used_is_refused(change: Json, fault: str) -> None:
    with pytest.raises(ValidationError) as caught:
        OutcomeReport.model_validate_json(json.dumps({**EXAMPLE_OUTCOME, **change}))
    assert [each["type"] for each in caught.value.errors()] == [fault]


# Over HTTP


@pytest.fixture(scope="module")
def client(service: RunningService) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30) as opened:
        yield opened


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def decided(client: httpx.Client) -> str:
    answer = client.post("/predict", json=EXAMPLE_APPLICATION)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["decision_id"])


def test_a_report_over_http_is_answered_with_what_was_kept(client: httpx.Client) -> None:
    body = {"decision_id": decided(client), "outcome": "PAID", "observed_on": today()}
    first, again = (client.post("/outcomes", json=body) for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    assert body.items() <= first.json().items()
    assert {**first.json(), "status": "known"} == again.json()


def test_a_report_over_http_of_a_day_that_has_not_come_is_answered_as_the_operators_guide_says(
    client: httpx.Client,
) -> None:
    late = {"decision_id": decided(client), "outcome": "PAID", "observed_on": "2999-01-01"}
    status = client.post("/outcomes", json=late).status_code
    guide = (PROJECT_FOLDER / "docs" / "operations.md").read_text(encoding="utf-8")
    assert f"rejects an outcome that is dated before its decision or in the future ({status};" in guide
    (item,) = client.post("/outcomes", json=[late]).json()
    assert item["code"] == "observed_in_future"


def test_a_report_over_http_on_an_unknown_decision_is_a_404(client: httpx.Client) -> None:
    answer = client.post("/outcomes", json={**EXAMPLE_OUTCOME, "decision_id": new_id()})
    assert answer.status_code == 404
    assert ErrorAnswer.model_validate(answer.json()).detail == "No such decision is on record."


def test_each_of_many_reports_gets_a_record_or_an_error_in_its_place(client: httpx.Client) -> None:
    good = {"decision_id": decided(client), "outcome": "DEFAULTED", "observed_on": today()}
    unknown, wrong = {**good, "decision_id": new_id()}, {**good, "outcome": "Segredo"}
    answer = client.post("/outcomes", json=[wrong, good, 7, unknown, good])
    assert answer.status_code == 200
    found = answer.json()
    assert [each.get("status") for each in found] == [None, "recorded", None, None, "known"]
    assert [each.get("code") for each in found] == ["invalid_body", None, "invalid_body", "no_decision", None]
    assert [each["faults"][0]["code"] for each in (found[0], found[2])] == ["enum", "model_type"]
    assert "Segredo" not in answer.text


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "json_invalid"),
        (b"[NaN]", "json_invalid"),
        (b"{}", "invalid_body"),
        (b"7", "invalid_body"),
        (b'{"outcome": "PAID", "outcome": "DEFAULTED"}', "repeated_field"),
        (b'[{"outcome": "PAID", "outcome": "DEFAULTED"}]', "repeated_field"),
        (json.dumps([EXAMPLE_OUTCOME] * (MAX_OUTCOMES + 1)).encode(), "too_long"),
    ],
    ids=["no JSON", "no number", "nothing", "a number", "a field twice", "a field twice in an array", "too many"],
)
def test_a_body_that_is_no_report_is_a_400(client: httpx.Client, body: bytes, kind: str) -> None:
    answer = client.post("/outcomes", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert ErrorAnswer.model_validate(answer.json()).code == kind


@pytest.mark.parametrize("size", [2, 50])
def test_many_reports_ask_the_database_no_more_often_than_two(address: str, size: int) -> None:
    made = put(address, [entry() for _ in range(size)])
    reports = [OutcomeReport(decision_id=each, outcome=Outcome.PAID, observed_on=date(2026, 5, 31)) for each in made]
    asked: list[str] = []

    def work(connection: Connection) -> object:
        event.listen(connection, "before_cursor_execute", lambda *values: asked.append(values[2]))
        return outcomes.record(reports, "", connection)

    ask(address, work)
    assert len(asked) <= 8


def test_an_application_id_that_no_application_can_have_is_a_fault_of_the_report() -> None:
    body = {**EXAMPLE_OUTCOME, "decision_id": None, "application_id": "\x00"}
    with pytest.raises(ValidationError):
        OutcomeReport.model_validate_json(json.dumps(body))
