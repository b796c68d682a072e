"""Verdicts of reviewers: on applications in analysis and on reviews, by one person or by two."""

from functools import partial

import pytest
from sqlalchemy import Connection

from benchmarks.support.decision_records import ask, ask_at_once, entry, put, rows_in, tamper
from credit_scoring.application.schemas import Answer
from credit_scoring.decisions import reviews
from credit_scoring.decisions.entries import Entry
from credit_scoring.decisions.reviews import ReviewRecord, ReviewStep, Standing, Step
from credit_scoring.decisions.verification import verify
from credit_scoring.errors import RequestError

ANA, RUI, ANAS_OTHER_KEY = "ana", "rui", "ana/ana-2027"


def in_analysis() -> Entry:
    """A decision that people have to make."""
    made = entry()
    return made._replace(row=made.row._replace(decision=Answer.REVIEW.value))


@pytest.fixture
def waiting(address: str) -> str:
    """An application in analysis."""
    return put(address, [in_analysis()])[0]


@pytest.fixture
def denied(address: str) -> str:
    """A refusal that the client wants reviewed."""
    (decision,) = put(address, [entry()])
    request(address, decision)
    return decision


def request(address: str, decision: str) -> ReviewRecord:
    step = ReviewStep(step=Step.REQUESTED, reason="O cliente pediu revisão.")
    return ask(address, partial(reviews.record, decision, step, "atendimento"))


def now(address: str, decision: str, answer: Answer) -> Standing:
    steps = ask(address, lambda connection: list(reviews.history(decision, connection)), reading=True)
    return reviews.standing(answer, steps)


def last_id(address: str, decision: str) -> str:
    last = now(address, decision, Answer.DENIED).last
    return last.review_id if last else ""


def judge(
    address: str, decision: str, verdict: Step, by: str = ANA, *, four_eyes: bool = False, after: str | None = None
) -> ReviewRecord:
    seen = last_id(address, decision) if after is None else after
    work = partial(reviews.judge, decision, verdict, "Renda conferida.", by, by, after=seen, four_eyes=four_eyes)
    return ask(address, work)


def refusal(address: str, decision: str, verdict: Step, by: str = ANA, *, four_eyes: bool = False) -> str:
    before = rows_in(address, "reviews")
    with pytest.raises(RequestError) as caught:
        judge(address, decision, verdict, by, four_eyes=four_eyes)
    assert (rows_in(address, "reviews"), caught.value.status) == (before, 409)
    return caught.value.kind


@pytest.mark.parametrize(("verdict", "answer"), [(Step.APPROVED, Answer.APPROVED), (Step.DENIED, Answer.DENIED)])
def test_an_application_in_analysis_gets_its_answer_by_a_verdict(
    address: str, waiting: str, verdict: Step, answer: Answer
) -> None:
    assert now(address, waiting, Answer.REVIEW).is_open
    judge(address, waiting, verdict)
    found = now(address, waiting, Answer.REVIEW)
    assert (found.answer, found.is_open) == (answer, False)


@pytest.mark.parametrize("verdict", [Step.UPHELD, Step.REVERSED])
def test_an_application_in_analysis_can_be_neither_upheld_nor_reversed(
    address: str, waiting: str, verdict: Step
) -> None:
    assert refusal(address, waiting, verdict) == "review_order"


@pytest.mark.parametrize(("verdict", "answer"), [(Step.UPHELD, Answer.DENIED), (Step.REVERSED, Answer.APPROVED)])
def test_after_a_review_counts_what_people_made_of_the_decision(
    address: str, denied: str, verdict: Step, answer: Answer
) -> None:
    judge(address, denied, verdict)
    assert now(address, denied, Answer.DENIED).answer is answer


def test_what_was_reversed_twice_counts_as_it_was_given(address: str, denied: str) -> None:
    judge(address, denied, Step.REVERSED)
    request(address, denied)
    judge(address, denied, Step.REVERSED)
    assert now(address, denied, Answer.DENIED).answer is Answer.DENIED


def test_what_analysis_has_denied_can_be_reviewed_like_any_refusal(address: str, waiting: str) -> None:
    judge(address, waiting, Step.DENIED)
    request(address, waiting)
    judge(address, waiting, Step.REVERSED, RUI)
    assert now(address, waiting, Answer.REVIEW).answer is Answer.APPROVED


def test_with_four_eyes_a_verdict_counts_once_a_second_person_gives_it(address: str, waiting: str) -> None:
    assert judge(address, waiting, Step.APPROVED, ANA, four_eyes=True).step is Step.PROPOSED_APPROVED
    between = now(address, waiting, Answer.REVIEW)
    assert (between.answer, between.is_open, between.proposed) == (Answer.REVIEW, True, Step.APPROVED)
    assert judge(address, waiting, Step.APPROVED, RUI, four_eyes=True).step is Step.APPROVED
    after = now(address, waiting, Answer.REVIEW)
    assert (after.answer, after.is_open, after.proposed) == (Answer.APPROVED, False, None)


@pytest.mark.parametrize("second", [ANA, ANAS_OTHER_KEY])
@pytest.mark.parametrize("verdict", [Step.APPROVED, Step.RETURNED])
def test_the_second_person_may_not_be_the_first_with_whichever_key(
    address: str, waiting: str, second: str, verdict: Step
) -> None:
    judge(address, waiting, Step.APPROVED, ANA, four_eyes=True)
    assert refusal(address, waiting, verdict, second, four_eyes=True) == "same_person"


def test_the_second_person_cannot_give_another_verdict_but_return_the_case(address: str, waiting: str) -> None:
    judge(address, waiting, Step.APPROVED, ANA, four_eyes=True)
    assert refusal(address, waiting, Step.DENIED, RUI, four_eyes=True) == "review_order"
    judge(address, waiting, Step.RETURNED, RUI, four_eyes=True)
    returned = now(address, waiting, Answer.REVIEW)
    assert (returned.answer, returned.is_open, returned.proposed) == (Answer.REVIEW, True, None)


def test_nothing_is_returned_that_nobody_has_proposed(address: str, waiting: str) -> None:
    assert refusal(address, waiting, Step.RETURNED) == "review_order"


@pytest.mark.parametrize("verdict", [Step.APPROVED, Step.DENIED])
def test_no_verdict_is_given_twice(address: str, waiting: str, verdict: Step) -> None:
    judge(address, waiting, verdict)
    assert refusal(address, waiting, verdict, RUI) == "review_order"


@pytest.mark.parametrize("four_eyes", [False, True])
def test_a_verdict_that_its_reviewer_sends_twice_is_kept_once(address: str, waiting: str, four_eyes: bool) -> None:
    first, again = (judge(address, waiting, Step.APPROVED, four_eyes=four_eyes, after="") for _ in range(2))
    assert (again, rows_in(address, "reviews")) == (first, 1)


@pytest.mark.parametrize("verdict", [Step.APPROVED, Step.RETURNED])
def test_what_the_second_person_sends_twice_is_kept_once(address: str, waiting: str, verdict: Step) -> None:
    seen = judge(address, waiting, Step.APPROVED, ANA, four_eyes=True).review_id
    first, again = (judge(address, waiting, verdict, RUI, four_eyes=True, after=seen) for _ in range(2))
    assert (first.step, again, rows_in(address, "reviews")) == (verdict, first, 2)


@pytest.mark.parametrize(("verdict", "by"), [(Step.APPROVED, RUI), (Step.DENIED, ANA)])
def test_a_verdict_of_somebody_else_or_another_one_is_not_the_one_before(
    address: str, waiting: str, verdict: Step, by: str
) -> None:
    judge(address, waiting, Step.APPROVED, ANA, after="")
    with pytest.raises(RequestError) as caught:
        judge(address, waiting, verdict, by, after="")
    assert (caught.value.kind, rows_in(address, "reviews")) == ("review_changed", 1)


def test_whoever_has_not_seen_the_last_step_gets_no_verdict_in(address: str, denied: str) -> None:
    seen = last_id(address, denied)
    judge(address, denied, Step.UPHELD, ANA)
    with pytest.raises(RequestError) as caught:
        judge(address, denied, Step.REVERSED, RUI, after=seen)
    assert caught.value.kind == "review_changed"


def test_of_two_verdicts_at_once_one_is_kept(address: str, waiting: str) -> None:
    works = [partial(_kind_of, waiting, verdict, by) for verdict, by in ((Step.APPROVED, ANA), (Step.DENIED, RUI))]
    assert sorted(ask_at_once(address, works)) == ["kept", "review_changed"]
    assert rows_in(address, "reviews") == 1


def _kind_of(decision: str, verdict: Step, by: str, connection: Connection) -> str:
    try:
        reviews.judge(decision, verdict, "Visto.", by, by, connection, after="", four_eyes=False)
    except RequestError as error:
        return error.kind
    return "kept"


def test_a_verdict_that_was_altered_is_found(address: str, waiting: str) -> None:
    judge(address, waiting, Step.APPROVED, ANA, four_eyes=True)
    judge(address, waiting, Step.APPROVED, RUI, four_eyes=True)
    assert ask(address, verify, reading=True).problems == []
    tamper(address, "UPDATE reviews SET step = 'DENIED' WHERE step = 'APPROVED'")
    assert any("was altered" in each for each in ask(address, verify, reading=True).problems)


def test_with_four_eyes_the_api_takes_requests_but_no_verdicts(address: str) -> None:
    (decision,) = put(address, [entry()])
    asked = ReviewStep(step=Step.REQUESTED, reason="O cliente pediu revisão.")
    ask(address, partial(reviews.record, decision, asked, "atendimento", four_eyes=True))
    verdict = ReviewStep(step=Step.REVERSED, reason="Renda conferida.", reviewer="Ana")
    with pytest.raises(RequestError, match="/mesa") as caught:
        ask(address, partial(reviews.record, decision, verdict, "atendimento", four_eyes=True))
    assert caught.value.kind == "four_eyes"
