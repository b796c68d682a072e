"""Decisions on applications: validated, scored in micro-batches, and stored before they are answered."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Self

from pydantic import ValidationError
from pydantic_core import to_json

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.schemas import (
    Application,
    Decision,
    Fault,
    InvalidApplicationError,
    ItemError,
    faults,
)
from credit_scoring.application.suggestions import or_nearest
from credit_scoring.errors import RequestError
from credit_scoring.serving import metrics
from credit_scoring.serving.batching import TURN_SHARE, Caller, MicroBatcher
from credit_scoring.serving.bodies import (
    MAX_FIELDS,
    ItemErrors,
    check_fields,
    check_items,
    check_repeats,
    parse,
    refusal,
    too_many_fields,
)
from credit_scoring.serving.decision_engine import DecisionDesk
from credit_scoring.serving.endpoint import Asked
from credit_scoring.serving.explanations import Explainer
from credit_scoring.serving.problems import NOT_DECIDED
from credit_scoring.serving.recorder import Recorder, Submission
from credit_scoring.serving.routes import MAX_APPLICATIONS
from credit_scoring.serving.tally import Tally
from credit_scoring.settings import ServiceSettings

REASONS = "reasons"  # the parameter of a query
FIELDS_WITH_SOURCE = 5  # the field, and again with the two fields of its source: room for a stray one

Batcher = MicroBatcher[Submission, Decision]


class Predictions:
    """Answers with what the batcher makes of applications; without a recorder no decision is stored.

    Of the applications in one body, one largest micro-batch is queued at a time; waiting single requests come between.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        batcher: Batcher,
        recorder: Recorder | None,
        explainer: Explainer,
        settings: ServiceSettings,
    ) -> None:
        self._application = catalogue.application
        self._known = tuple(catalogue.all_fields)
        self.max_fields = max(MAX_FIELDS, FIELDS_WITH_SOURCE * len(self._known))
        self._batcher = batcher
        self._recorder = recorder
        self._explainer = explainer
        self._most_at_once = settings.max_batch_size
        self._always_explains = settings.reasons == "always"

    @classmethod
    def of(cls, desk: DecisionDesk, recorder: Recorder | None, explainer: Explainer, settings: ServiceSettings) -> Self:
        """What this desk decides, within the limits of the settings; without a recorder it is counted here."""
        batcher = Batcher(
            partial(_decide, desk, None if recorder else Tally(desk)),
            max_batch_size=settings.max_batch_size,
            budget=settings.latency_budget_ms / 1000,
            deliver=recorder.keep if recorder else None,
            on_batch=metrics.observe_batch,
        )
        return cls(desk.scorer.catalogue, batcher, recorder, explainer, settings)

    def is_ready(self) -> bool:
        """Whether what is decided can be stored."""
        return self._recorder is None or self._recorder.writable

    def check_admission(self, share: float = TURN_SHARE) -> None:
        """Raises UnavailableError when a newcomer could not be answered in time; `share` as the batcher has it."""
        self._batcher.check_admission(share)
        if self._recorder:
            self._recorder.check_admission()

    def accept(self, body: bytes, caller: Caller[Decision], asked_by: str) -> None:
        """One application in, whose request was admitted; its caller is told the decision."""
        self._batcher.put(Submission(self._read(body), body, asked_by), caller)

    def _read(self, body: bytes) -> Application:
        check_fields(body, fields=self.max_fields)
        try:
            application = self._application.model_validate_json(body)
        except ValidationError as error:
            raise InvalidApplicationError(faults(error, self._known)) from None
        check_repeats(body, len(application.model_fields_set))
        return application

    async def predict(self, body: bytes, asked: Asked) -> bytes:
        """One application in, one decision out, with its reasons where they are asked for."""
        if not self._explains(asked):
            return to_json((await self._decided(body, asked))[0])
        with self._explainer.place():
            decision, application = await self._decided(body, asked)
            (reasons,) = await self._explainer.of_many([(decision, application)], asked.by)
        if isinstance(reasons, RequestError):
            raise reasons
        return _with_reasons(decision, reasons)

    async def _decided(self, body: bytes, asked: Asked) -> tuple[Decision, Application]:
        application = self._read(body)
        answer: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._batcher.put(Submission(application, body, asked.by), answer)
        return await answer, application

    async def predict_many(self, body: bytes, asked: Asked) -> bytes:
        """Up to 1,000 applications in; a decision or an error for each out, in order."""
        explains, items = self._explains(asked), self._items(body)
        if not explains:
            return to_json([found for found, _ in await self._decided_many(items, len(body), asked)])
        with self._explainer.place(len(items)):
            answers = await self._decided_many(items, len(body), asked)
            given = [
                (found, application) for found, application in answers if isinstance(found, Decision) and application
            ]
            reasons = iter(await self._explainer.of_many(given, asked.by))
        parts = [
            _explained(found, next(reasons)) if isinstance(found, Decision) else to_json(found) for found, _ in answers
        ]
        return b"[" + b",".join(parts) + b"]"

    async def _decided_many(
        self, items: list[Any], length: int, asked: Asked
    ) -> list[tuple[Decision | ItemError, Application | None]]:
        answers: list[tuple[asyncio.Future[Decision], Application] | ItemError] = []
        errors = ItemErrors("invalid_application", NOT_DECIDED, length, self._known)
        for item in items:
            answers.append(self._submitted(item, asked.by, errors))
            if len(answers) % self._most_at_once == 0:
                await asyncio.sleep(0)  # let waiting single requests in between
        waiting = [each[0] for each in answers if not isinstance(each, ItemError)]
        settled = iter(await asyncio.gather(*waiting, return_exceptions=True))
        return [
            (each, None) if isinstance(each, ItemError) else (_in_its_place(next(settled)), each[1]) for each in answers
        ]

    def _explains(self, asked: Asked) -> bool:
        """Whether reasons are asked for; raises RequestError where that is not clear."""
        for name in asked.query:  # what a gateway adds is none of ours
            if name != REASONS and (advice := or_nearest(name, [REASONS])):
                raise RequestError(400, f"{name[:40]}: Unknown parameter{advice}", "query")
        wanted = asked.query.get(REASONS, "true" if self._always_explains else "false")
        if wanted not in ("true", "false"):
            raise RequestError(400, f"reasons should be true or false, found '{wanted[:20]}'.", "reasons")
        return wanted == "true"

    def _submitted(
        self, item: Any, asked_by: str, errors: ItemErrors
    ) -> "tuple[asyncio.Future[Decision], Application] | ItemError":
        application = self._checked(item, errors)
        if isinstance(application, ItemError):
            return application
        answer: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._batcher.put(Submission(application, to_json(item), asked_by), answer)
        return answer, application

    def _items(self, body: bytes) -> list[Any]:
        items = parse(body, MAX_APPLICATIONS, self.max_fields)
        if not isinstance(items, list):
            raise RequestError(400, "The body should be an array of applications.", "list_type")
        check_items(body, items, MAX_APPLICATIONS, "applications", self.max_fields)
        return items

    def _checked(self, item: Any, errors: ItemErrors) -> Application | ItemError:
        if not isinstance(item, dict):
            return errors.answer(Fault(field="", message="Expected an object", code="model_type"))
        if len(item) > self.max_fields:
            return errors.answer(too_many_fields(item, self.max_fields))
        try:
            return self._application.model_validate(item)
        except ValidationError as error:
            return errors.answer(error)


def _decide(desk: DecisionDesk, tally: Tally | None, submissions: Sequence[Submission]) -> list[Decision]:
    applications = [each.application for each in submissions]
    decisions = desk.decide(applications)
    if tally:
        tally.add(applications, decisions)
    return decisions


def _with_reasons(decision: Decision, reasons: str) -> bytes:
    return to_json(decision)[:-1] + b',"reasons":' + reasons.encode() + b"}"


def _explained(decision: Decision, reasons: str | RequestError) -> bytes:
    return to_json(refusal(reasons)) if isinstance(reasons, RequestError) else _with_reasons(decision, reasons)


def _in_its_place(found: Decision | BaseException) -> Decision | ItemError:
    """What an application gets in the answer to many; what fails for all is raised."""
    if isinstance(found, RequestError):
        return refusal(found)
    if isinstance(found, BaseException):
        raise found
    return found
