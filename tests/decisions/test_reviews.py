"""Reviews of decisions by people, on both kinds of database, and over HTTP."""

import json
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from sqlalchemy import Connection

from benchmarks.support.consorcio import EXAMPLE_APPLICATION
from benchmarks.support.decision_records import ask, ask_at_once, entry, put, rows_in
from credit_scoring.application.schemas import ErrorAnswer
from credit_scoring.decisions import reviews
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.reviews import EXAMPLE_REVIEW, ReviewRecord, ReviewStep, Step
from credit_scoring.errors import RequestError
from tests.conftest import RunningService

Json = dict[str, Any]

ANA = "Ana Souza"


def step(kind: str, reason: str = "Paid in October.", reviewer: str | None = None) -> ReviewStep:
    """A step by Ana, who has no part in a request."""
    by = ("" if kind == "REQUESTED" else ANA) if reviewer is None else reviewer
    return ReviewStep.model_validate_json(json.dumps({"step": kind, "reason": reason, "reviewer": by}))


def record(address: str, decision: str, taken: ReviewStep, by: str = "ombudsman") -> ReviewRecord:
    return ask(address, partial(reviews.record, decision, taken, by))


def history(address: str, decision: str) -> list[ReviewRecord]:
    return ask(address, lambda connection: list(reviews.history(decision, connection)), reading=True)


def refusal(address: str, decision: str, taken: ReviewStep) -> RequestError:
    before = rows_in(address, "reviews")
    with pytest.raises(RequestError) as caught:
        record(address, decision, taken)
    assert rows_in(address, "reviews") == before
    return caught.value


@pytest.fixture
def decision(address: str) -> str:
    """A decision among others."""
    return put(address, [entry(), entry(), entry()])[1]


def test_a_step_is_kept_with_who_recorded_it_and_when(address: str, decision: str) -> None:
    before = datetime.now(UTC)
    found = record(address, decision, step("REQUESTED", "O cliente diz: já paguei."), by="ombudsman-2")
    assert history(address, decision) == [found]
    assert (found.decision_id, found.step, found.reason) == (decision, Step.REQUESTED, "O cliente diz: já paguei.")
    assert (found.reviewer, found.recorded_by) == ("", "ombudsman-2")
    assert before <= found.recorded_at <= datetime.now(UTC)


@pytest.mark.parametrize("result", ["UPHELD", "REVERSED"])
def test_a_review_is_requested_then_has_a_result_and_may_be_requested_again(
    address: str, decision: str, result: str
) -> None:
    steps = [step("REQUESTED"), step(result), step("REQUESTED", "Once more."), step("UPHELD", "Once more.")]
    for each in steps:
        record(address, decision, each)
    assert [(kept.step, kept.reason, kept.reviewer) for kept in history(address, decision)] == [
        (each.step, each.reason, each.reviewer) for each in steps
    ]


@pytest.mark.parametrize("before", [[], ["REQUESTED", "UPHELD"], ["REQUESTED", "REVERSED"]])
@pytest.mark.parametrize("result", ["UPHELD", "REVERSED"])
def test_there_is_no_result_where_no_review_is_open(
    address: str, decision: str, before: list[str], result: str
) -> None:
    for each in before:
        record(address, decision, step(each))
    error = refusal(address, decision, step(result, "Another reason."))
    assert (error.status, error.kind, str(error)) == (409, "review_order", "No review is open.")


def test_a_second_review_is_not_opened_while_one_is_open(address: str, decision: str) -> None:
    record(address, decision, step("REQUESTED"))
    error = refusal(address, decision, step("REQUESTED", "Another reason."))
    assert (error.status, error.kind, str(error)) == (409, "review_order", "A review is open already.")


@pytest.mark.parametrize("steps", [["REQUESTED"], ["REQUESTED", "UPHELD"], ["REQUESTED", "REVERSED"]])
def test_the_same_step_twice_in_a_row_is_kept_once_whoever_sends_it(
    address: str, decision: str, steps: list[str]
) -> None:
    *_, first = [record(address, decision, step(each)) for each in steps]
    assert record(address, decision, step(steps[-1]), by="somebody else") == first
    assert len(history(address, decision)) == len(steps)


@pytest.mark.parametrize(
    "again", [step("REVERSED"), step("UPHELD", "Another reason."), step("UPHELD", reviewer="Rui Lima")]
)
def test_a_result_that_differs_in_anything_is_not_the_same_one(address: str, decision: str, again: ReviewStep) -> None:
    record(address, decision, step("REQUESTED"))
    record(address, decision, step("UPHELD"))
    assert refusal(address, decision, again).kind == "review_order"


def test_reviews_of_two_decisions_do_not_mix(address: str) -> None:
    one, other = put(address, [entry(), entry()])
    record(address, one, step("REQUESTED"))
    assert refusal(address, other, step("UPHELD")).kind == "review_order"
    record(address, other, step("REQUESTED"))
    assert [len(history(address, each)) for each in (one, other)] == [1, 1]


def test_a_decision_that_is_not_on_record_cannot_be_reviewed(address: str, decision: str) -> None:
    assert decision
    error = refusal(address, new_id(), step("REQUESTED"))
    assert (error.status, error.kind) == (404, "no_decision")


def test_of_many_results_at_once_one_counts(address: str, decision: str) -> None:
    record(address, decision, step("REQUESTED"))

    def status(connection: Connection, number: int) -> int:
        try:
            reviews.record(decision, step("UPHELD", f"Reason {number}."), "", connection)
        except RequestError as error:
            return error.status
        return 200

    found = ask_at_once(address, [partial(status, number=number) for number in range(8)])
    assert sorted(found) == [200, *[409] * 7]
    assert [kept.step for kept in history(address, decision)] == ["REQUESTED", "UPHELD"]


# What a step may say


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"step": "requested"}, "literal_error"),
        ({"reason": ""}, "string_too_short"),
        ({"reason": None}, "string_type"),
        ({"reason": "x" * 2001}, "string_too_long"),
        ({"reason": "nothing\x00"}, "string_pattern_mismatch"),
        ({"reviewer": "x" * 101}, "string_too_long"),
        ({"reviewer": "\x00"}, "string_pattern_mismatch"),
        ({"step": "UPHELD"}, "reviewer_missing"),
        ({"step": "REVERSED", "reviewer": ""}, "reviewer_missing"),
        ({"decision_id": new_id()}, "extra_forbidden"),
    ],
)
def test_a_step_that_cannot_be_used_is_refused(change: Json, fault: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ReviewStep.model_validate_json(json.dumps({**EXAMPLE_REVIEW, **change}))
    assert [each["type"] for each in caught.value.errors()] == [fault]


@pytest.mark.parametrize("reason", ["'; DROP TABLE reviews; --", "two\nlines\tand 💳", "x" * 2000, "\x1f"])
def test_a_reason_is_kept_as_it_was_written(address: str, decision: str, reason: str) -> None:
    record(address, decision, step("REQUESTED", reason))
    assert [kept.reason for kept in history(address, decision)] == [reason]


# Over HTTP


def test_a_review_over_http_goes_from_request_to_result(service: RunningService) -> None:
    with httpx.Client(base_url=service.url, timeout=30) as client:
        decision_id = client.post("/predict", json=EXAMPLE_APPLICATION).json()["decision_id"]
        path = f"/decisions/{decision_id}/review"
        requested = client.post(path, json=EXAMPLE_REVIEW)
        result = {"step": "REVERSED", "reason": "It was paid.", "reviewer": ANA}
        anonymous, reversed_, again = (
            client.post(path, json=body) for body in ({**result, "reviewer": ""}, result, {**result, "step": "UPHELD"})
        )
        dossier = client.get(f"/decisions/{decision_id}").json()
    statuses = [answer.status_code for answer in (requested, anonymous, reversed_, again)]
    assert statuses == [200, 400, 200, 409]
    assert dossier["reviews"] == [requested.json(), reversed_.json()]
    assert ErrorAnswer.model_validate(anonymous.json()).faults[0].code == "reviewer_missing"
    assert ErrorAnswer.model_validate(again.json()).detail == "No review is open."


@pytest.mark.parametrize("decision_id", [new_id(), new_id().upper(), "7"])
def test_a_review_over_http_of_an_unknown_decision_is_a_404(service: RunningService, decision_id: str) -> None:
    answer = httpx.post(f"{service.url}/decisions/{decision_id}/review", json=EXAMPLE_REVIEW)
    assert answer.status_code == 404
    assert ErrorAnswer.model_validate(answer.json()).detail.startswith("No such decision is on record")


def test_a_review_over_http_with_a_field_twice_is_a_400(service: RunningService) -> None:
    body = b'{"step": "REQUESTED", "reason": "one", "reason": "another"}'
    url, headers = f"{service.url}/decisions/{new_id()}/review", {"content-type": "application/json"}
    answer = httpx.post(url, content=body, headers=headers)
    assert answer.status_code == 400
    assert ErrorAnswer.model_validate(answer.json()).code == "repeated_field"
