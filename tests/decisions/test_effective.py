"""What counts of a decision after what people made of it, wherever it is read, on both kinds of database."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.support.consorcio import EXAMPLE_APPLICATION
from benchmarks.support.decision_records import ORIGIN, TIMEOUT_S, ask, entry, put, tamper
from credit_scoring.application.catalogue import shipped
from credit_scoring.application.schemas import Answer
from credit_scoring.data.datasets import MIN_ROWS_PER_OUTCOME
from credit_scoring.data.history import load_decisions
from credit_scoring.decisions import dossiers, outcomes, queries, reviews
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.effective import effective, waits
from credit_scoring.decisions.entries import Entry, Settled
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.log import DecisionLog
from credit_scoring.decisions.outcomes import Outcome, OutcomeReport
from credit_scoring.decisions.queries import Wanted
from credit_scoring.decisions.reviews import ReviewStep, Step
from credit_scoring.errors import RequestError
from credit_scoring.monitoring import track_record
from tests.conftest import RunningService

APPROVED, IN_ANALYSIS, DENIED = Answer
LOW, HIGH = 0.1, 0.6

COUNTS: list[tuple[Answer, list[str], Answer]] = [
    *((answer, [], answer) for answer in Answer),
    (DENIED, ["REQUESTED"], DENIED),
    (DENIED, ["REQUESTED", "UPHELD"], DENIED),
    (DENIED, ["REQUESTED", "REVERSED"], APPROVED),
    (APPROVED, ["REQUESTED", "REVERSED"], DENIED),
    (DENIED, ["REQUESTED", "REVERSED", "REQUESTED"], APPROVED),
    (DENIED, ["REQUESTED", "REVERSED", "REQUESTED", "UPHELD"], APPROVED),
    (DENIED, ["REQUESTED", "REVERSED", "REQUESTED", "REVERSED"], DENIED),
    (IN_ANALYSIS, ["APPROVED"], APPROVED),
    (IN_ANALYSIS, ["DENIED"], DENIED),
    (IN_ANALYSIS, ["DENIED", "REQUESTED"], DENIED),
    (IN_ANALYSIS, ["DENIED", "REQUESTED", "REVERSED"], APPROVED),
    (IN_ANALYSIS, ["DENIED", "REQUESTED", "UPHELD"], DENIED),
]
AS_TEXT = [f"{answer} {' '.join(steps)}" for answer, steps, _ in COUNTS]


def applied(answer: Answer, **fields: Any) -> Entry:
    """An application that was answered so."""
    made = entry(HIGH if answer is DENIED else LOW, **fields)
    decision = made.decision.model_copy(update={"decision": answer})
    return made._replace(row=made.row._replace(decision=answer.value), decision=decision)


def take(address: str, decision: str, *steps: str) -> None:
    for number, step in enumerate(steps):
        reviewer = "" if step == "REQUESTED" else "Ana"
        taken = ReviewStep.model_validate({"step": Step(step), "reason": f"Reason {number}.", "reviewer": reviewer})
        ask(address, partial(reviews.record, decision, taken, "desk"))


def again(address: str, *entries: Entry) -> list[Settled]:
    """What another worker answers to these applications."""

    async def live() -> list[Settled]:
        log = DecisionLog(open_database(address, timeout=TIMEOUT_S), ORIGIN)
        try:
            return await log.store(entries)
        finally:
            await log.close()

    return asyncio.run(live())


def listed(address: str) -> dict[str, queries.Record]:
    found = ask(address, partial(queries.latest, Wanted(), 100), reading=True)
    return {record["id"]: record for record in found}


def put_judged(address: str) -> list[tuple[str, Answer]]:
    """A decision for each of COUNTS, with its steps taken, and what counts of it."""
    made = put(address, [applied(answer) for answer, *_ in COUNTS])
    for decision, (_, steps, _) in zip(made, COUNTS, strict=True):
        take(address, decision, *steps)
    return [(decision, counts) for decision, (*_, counts) in zip(made, COUNTS, strict=True)]


@pytest.mark.parametrize(("answer", "steps", "expected"), COUNTS, ids=AS_TEXT)
def test_what_counts_follows_from_the_answer_and_the_steps(answer: Answer, steps: list[str], expected: Answer) -> None:
    assert effective(answer, steps) == expected


@given(st.sampled_from(Answer), st.lists(st.sampled_from(["REQUESTED", "UPHELD", "RETURNED", "PROPOSED_REVERSED"])))
def test_steps_that_overrule_nothing_leave_what_counts(answer: Answer, steps: list[str]) -> None:
    assert effective(answer, steps) == answer


@given(st.sampled_from([APPROVED, DENIED]), st.lists(st.sampled_from(list(Step))))
def test_reversing_twice_is_reversing_not_at_all(answer: Answer, steps: list[str]) -> None:
    assert effective(answer, [*steps, "REVERSED", "REVERSED"]) == effective(answer, steps)
    assert effective(answer, [*steps, "REVERSED"]) != effective(answer, steps)


def test_dossier_and_list_tell_what_was_answered_and_what_counts(address: str) -> None:
    expected = put_judged(address)
    found = listed(address)
    for (decision, counts), (answer, steps, _) in zip(expected, COUNTS, strict=True):
        dossier = ask(address, partial(dossiers.find, decision), reading=True)
        assert (dossier.decision, dossier.effective_decision) == (answer, counts)
        assert [each.step for each in dossier.reviews] == steps
        assert (found[decision]["decision"], found[decision]["effective_decision"]) == (answer, counts)


def test_a_damaged_answer_is_listed_as_it_is(address: str) -> None:
    (decision,) = put(address, [entry()])
    tamper(address, "UPDATE decisions SET decision = 'TALVEZ'")
    assert listed(address)[decision]["effective_decision"] == "TALVEZ"


# A repeated application


@pytest.mark.parametrize(("answer", "steps", "expected"), COUNTS, ids=AS_TEXT)
def test_a_repeated_application_gets_its_answer_and_what_counts_where_that_differs(
    address: str, answer: Answer, steps: list[str], expected: Answer
) -> None:
    first = applied(answer, application_id="7")
    put(address, [applied(DENIED, application_id="6"), first])
    take(address, first.row.id, *steps)
    (found,) = again(address, applied(answer, application_id="7"))
    differs = {"effective_decision": expected} if expected is not answer else {}
    assert not isinstance(found, RequestError)
    assert found.model_dump() == {**first.decision.model_dump(), **differs}


def test_a_new_application_beside_a_repeated_one_gets_its_own_answer(address: str) -> None:
    first, new = applied(DENIED, application_id="7"), applied(DENIED, application_id="8")
    put(address, [first])
    take(address, first.row.id, "REQUESTED", "REVERSED")
    repeated, other = again(address, applied(DENIED, application_id="7"), new)
    assert not isinstance(repeated, RequestError)
    assert repeated.model_dump()["effective_decision"] == APPROVED
    assert other == new.decision


# An application in analysis


def refusal(address: str, decision: str, step: str) -> str:
    with pytest.raises(RequestError) as caught:
        take(address, decision, step)
    assert (caught.value.status, caught.value.kind) == (409, "review_order")
    return str(caught.value)


def assert_expects(verdicts: set[str], message: str) -> None:
    """That a refusal names these verdicts, in whatever order."""
    _, _, expected = message.partition(", not ")[0].partition(" becomes ")
    assert set(expected.split(" or ")) == verdicts


@pytest.mark.parametrize("verdict", ["APPROVED", "DENIED"])
def test_an_application_in_analysis_waits_from_the_start_for_one_verdict(address: str, verdict: str) -> None:
    (decision,) = put(address, [applied(IN_ANALYSIS)])
    assert refusal(address, decision, "REQUESTED") == "A review is open already."
    for result in ("UPHELD", "REVERSED"):
        assert_expects({"APPROVED", "DENIED"}, refusal(address, decision, result))
    take(address, decision, verdict)
    assert refusal(address, decision, "APPROVED" if verdict == "DENIED" else "DENIED") == "No review is open."
    take(address, decision, "REQUESTED")
    assert_expects({"UPHELD", "REVERSED"}, refusal(address, decision, "APPROVED"))


def test_an_answer_of_the_model_is_upheld_or_reversed_not_approved(address: str) -> None:
    (decision,) = put(address, [applied(DENIED)])
    take(address, decision, "REQUESTED")
    message = refusal(address, decision, "APPROVED")
    assert message.startswith("A decision that is NEGADO becomes ")
    assert_expects({"UPHELD", "REVERSED"}, message)


@given(st.sampled_from(Answer), st.lists(st.sampled_from(["REQUESTED", "PROPOSED_DENIED", "RETURNED"]), min_size=1))
def test_people_are_waited_for_until_there_is_a_verdict(answer: Answer, steps: list[str]) -> None:
    assert waits(answer, steps)
    assert not waits(answer, [*steps, "UPHELD"])
    assert waits(answer, []) == (answer is IN_ANALYSIS)


# Cohorts and training


def test_cohorts_count_as_approved_whom_the_model_did_not_deny_and_people_did_not_refuse(address: str) -> None:
    expected = put_judged(address)
    read = track_record.read(open_database(address, timeout=TIMEOUT_S), datetime.now(UTC) - timedelta(days=1))
    denied = [
        counts is not APPROVED or answer is DENIED for (_, counts), (answer, *_) in zip(expected, COUNTS, strict=True)
    ]
    assert read[ORIGIN.model].denied.tolist() == denied
    assert not all(denied)


def test_training_data_tells_how_many_clients_people_approved(address: str) -> None:
    half = MIN_ROWS_PER_OUTCOME - 1
    answers = [DENIED, IN_ANALYSIS, *[APPROVED] * 2 * half]
    made = put(address, [applied(answer) for answer in answers], at=datetime(2026, 3, 1, tzinfo=UTC))
    take(address, made[0], "REQUESTED", "REVERSED")
    take(address, made[1], "APPROVED")
    reports = [
        OutcomeReport(decision_id=decision, outcome=outcome, observed_on=date(2026, 6, 1))
        for decision, outcome in zip(made, [*Outcome] * (half + 1), strict=True)
    ]
    ask(address, partial(outcomes.record, reports, ""))
    found = load_decisions(open_database(address, timeout=TIMEOUT_S), Wanted(), shipped())
    assert "2 of them were approved by people, not by the model." in found.note


# Over HTTP


def test_after_a_reversal_the_repeated_application_says_what_counts_over_http(service: RunningService) -> None:
    application = {**EXAMPLE_APPLICATION, "application_id": new_id()}
    with httpx.Client(base_url=service.url, timeout=30) as client:
        first = client.post("/predict", json=application).json()
        path = f"/decisions/{first['decision_id']}"
        client.post(f"{path}/review", json={"step": "REQUESTED", "reason": "Why?"}).raise_for_status()
        verdict = {"step": "REVERSED", "reason": "Paid in October.", "reviewer": "Ana"}
        client.post(f"{path}/review", json=verdict).raise_for_status()
        repeated = client.post("/predict", json=application).json()
        of_many = client.post("/predict_many", json=[application]).json()[0]
        dossier = client.get(path).json()
    now = {"APROVADO": "NEGADO", "NEGADO": "APROVADO"}[first["decision"]]
    assert "effective_decision" not in first
    assert repeated == of_many == {**first, "effective_decision": now}
    assert (dossier["decision"], dossier["effective_decision"]) == (first["decision"], now)
