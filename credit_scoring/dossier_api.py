"""The routes to the decision log: dossiers, outcomes, reviews."""

from collections.abc import Callable
from functools import partial
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json
from starlette.routing import Route

from credit_scoring import dossiers, outcomes, reviews
from credit_scoring.access import Scope
from credit_scoring.database import Database
from credit_scoring.errors import RequestError
from credit_scoring.exchange import NOT_RECORDED, Asked, Handler, JsonEndpoint, fault_sentence, refuse_repeats
from credit_scoring.openapi import MAX_OUTCOMES
from credit_scoring.outcomes import DecisionId, OutcomeReport, RecordedOutcome
from credit_scoring.reviews import ReviewStep
from credit_scoring.schemas import ErrorAnswer, Fault, faults

MakeEndpoint = Callable[[str, Scope, Handler], JsonEndpoint]

_decision_id = TypeAdapter(DecisionId)


class DossierApi:
    """Answers from the database that it is opened with; without one there is nothing on record."""

    def __init__(self, make_endpoint: MakeEndpoint) -> None:
        self.database: Database | None = None
        self.routes = [
            Route("/decisions/{decision_id}", make_endpoint("decisions", Scope.READ, self.dossier), methods=["GET"]),
            Route(
                "/decisions/{decision_id}/review",
                make_endpoint("review", Scope.OUTCOMES, self.review),
                methods=["POST"],
            ),
            Route("/outcomes", make_endpoint("outcomes", Scope.OUTCOMES, self.outcomes), methods=["POST"]),
        ]

    async def dossier(self, body: bytes, asked: Asked) -> bytes:
        """Everything on record of one decision."""
        decision_id = _checked_id(asked)
        return to_json(await self._opened().run(partial(dossiers.find, decision_id), reading=True))

    async def review(self, body: bytes, asked: Asked) -> bytes:
        """One step of a review in, as it was kept out."""
        decision_id = _checked_id(asked)
        step = ReviewStep.model_validate_json(body)
        refuse_repeats(body, len(step.model_fields_set))
        return to_json(await self._opened().run(partial(reviews.record, decision_id, step, asked.by)))

    async def outcomes(self, body: bytes, asked: Asked) -> bytes:
        """One report in, what became of it out; or up to 1,000 in an array, and as many out, in order."""
        items, several = _reports(body)
        checked = [_checked(item) if several else _report(item) for item in items]
        reports = [each for each in checked if isinstance(each, OutcomeReport)]
        settled = iter(await self._opened().run(partial(outcomes.record, reports, asked.by)))
        answers = [each if isinstance(each, ErrorAnswer) else next(settled) for each in checked]
        if several:
            return to_json([_in_its_place(answer) for answer in answers])
        if isinstance(answers[0], RequestError):
            raise answers[0]
        return to_json(answers[0])

    def _opened(self) -> Database:
        if self.database is None:
            raise RequestError(404, "Nothing is on record: CREDIT_SCORING_DECISION_LOG=off.", "no_decision_log")
        return self.database


def _checked_id(asked: Asked) -> str:
    try:
        return _decision_id.validate_python(asked.path["decision_id"])
    except ValidationError:
        raise RequestError(
            404, "No such decision is on record; an id is a UUIDv7 in lower case.", "no_decision"
        ) from None


def _reports(body: bytes) -> tuple[list[Any], bool]:
    """The items of the body, and whether it was an array."""
    try:
        found = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise RequestError(400, f"Invalid JSON: {error}", "json_invalid") from None
    items = found if isinstance(found, list) else [found]
    refuse_repeats(body, sum(len(item) for item in items if isinstance(item, dict)))
    if len(items) > MAX_OUTCOMES:
        message = f"At most {MAX_OUTCOMES:,} outcomes at a time, found {len(items):,}."
        raise RequestError(400, message, "too_long")
    return items, isinstance(found, list)


def _report(item: Any) -> OutcomeReport:
    return OutcomeReport.model_validate_json(to_json(item))  # JSON's own types: a date is text


def _checked(item: Any) -> OutcomeReport | ErrorAnswer:
    try:
        return _report(item)
    except ValidationError as error:
        found = faults(error)
        return ErrorAnswer(error=fault_sentence(found, NOT_RECORDED), detail=found)


def _in_its_place(answer: RecordedOutcome | RequestError | ErrorAnswer) -> RecordedOutcome | ErrorAnswer:
    if isinstance(answer, RequestError):
        return ErrorAnswer(error=str(answer), detail=[Fault(field="", message=str(answer), type=answer.kind)])
    return answer
