"""What is read from the decision log and added to it: dossiers, outcomes, reviews."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from credit_scoring.application.schemas import ItemError, faults
from credit_scoring.application.suggestions import ended
from credit_scoring.decisions import dossiers, lookup, outcomes, reviews
from credit_scoring.decisions.database import Database
from credit_scoring.decisions.lookup import Lookup
from credit_scoring.decisions.outcomes import DecisionId, OutcomeReport, RecordedOutcome
from credit_scoring.decisions.reviews import ReviewStep
from credit_scoring.errors import RequestError
from credit_scoring.serving.bodies import (
    MAX_FIELDS,
    ItemErrors,
    check_fields,
    check_items,
    check_repeats,
    parse,
    refusal,
    too_many_fields,
    validated,
)
from credit_scoring.serving.endpoint import Asked
from credit_scoring.serving.problems import NOT_RECORDED
from credit_scoring.serving.routes import MAX_OUTCOMES

_decision_id = TypeAdapter(DecisionId)


class Dossiers:
    """Answers from this database; without one there is nothing on record. `four_eyes` leave verdicts to the desk."""

    def __init__(self, database: Database | None, *, four_eyes: bool) -> None:
        self._database = database
        self._four_eyes = four_eyes

    async def dossier(self, body: bytes, asked: Asked) -> bytes:
        """Everything on record of one decision."""
        decision_id = _checked_id(asked)
        return to_json(await self._opened().run(partial(dossiers.find, decision_id), reading=True))

    async def lookup(self, body: bytes, asked: Asked) -> bytes:
        """A page of decisions."""
        wanted = _lookup(asked.query)
        return to_json(await self._opened().run(partial(lookup.page, wanted), reading=True))

    async def review(self, body: bytes, asked: Asked) -> bytes:
        """One step of a review in, as it was kept out."""
        decision_id = _checked_id(asked)
        check_fields(body)
        step = validated(ReviewStep, body)
        check_repeats(body, len(step.model_fields_set))
        work = partial(reviews.record, decision_id, step, asked.by, four_eyes=self._four_eyes)
        return to_json(await self._opened().run(work))

    async def outcomes(self, body: bytes, asked: Asked) -> bytes:
        """One report in, what became of it out; or up to 1,000 in an array, and as many out, in order."""
        items, several = _reports(body)
        errors = ItemErrors("invalid_body", NOT_RECORDED, len(body), OutcomeReport.model_fields)
        checked = [_checked(item, errors) if several else validated(OutcomeReport, to_json(item)) for item in items]
        reports = [each for each in checked if isinstance(each, OutcomeReport)]
        settled = iter(await self._opened().run(partial(outcomes.record, reports, asked.by)))
        answers = [each if isinstance(each, ItemError) else next(settled) for each in checked]
        if several:
            return to_json([_in_its_place(answer) for answer in answers])
        if isinstance(answers[0], RequestError):
            raise answers[0]
        return to_json(answers[0])

    def _opened(self) -> Database:
        if self._database is None:
            raise RequestError(404, "Nothing is on record: CREDIT_SCORING_DECISION_LOG=off.", "no_decision_log")
        return self._database


def _lookup(query: Mapping[str, str]) -> Lookup:
    """What a query asks for; raises RequestError that names every fault."""
    try:
        return Lookup.model_validate(dict(query))
    except ValidationError as error:
        told = "; ".join(f"{fault.field}: {fault.message}" for fault in faults(error, Lookup.model_fields))
        raise RequestError(400, f"{ended(told)} A + in a query is written %2B.", "query") from None


def _checked_id(asked: Asked) -> str:
    try:
        return _decision_id.validate_python(asked.path["decision_id"])
    except ValidationError:
        raise RequestError(
            404, "No such decision is on record; an id is a UUIDv7 in lower case.", "no_decision"
        ) from None


def _reports(body: bytes) -> tuple[list[Any], bool]:
    """The items of the body, and whether it was an array."""
    found = parse(body, MAX_OUTCOMES)
    items = found if isinstance(found, list) else [found]
    check_items(body, items, MAX_OUTCOMES, "outcomes")
    return items, isinstance(found, list)


def _checked(item: Any, errors: ItemErrors) -> OutcomeReport | ItemError:
    if isinstance(item, dict) and len(item) > MAX_FIELDS:
        return errors.answer(too_many_fields(item))
    try:
        return OutcomeReport.model_validate_json(to_json(item))  # JSON's own types: a date is text
    except ValidationError as error:
        return errors.answer(error)


def _in_its_place(answer: RecordedOutcome | RequestError | ItemError) -> RecordedOutcome | ItemError:
    if isinstance(answer, RequestError):
        return refusal(answer)
    return answer
