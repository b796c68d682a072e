"""What would have to change for an application to be approved, over HTTP: for few, within a rate and a time."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from credit_scoring.application.arrays import Flags
from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.schemas import Answer, Application, InvalidApplicationError, InvalidBodyError, faults
from credit_scoring.errors import RateLimitError
from credit_scoring.explanation.rule_levers import undirected
from credit_scoring.explanation.searches import Budget, Record
from credit_scoring.explanation.what_if import what_if
from credit_scoring.serving.bodies import parse
from credit_scoring.serving.decision_engine import DecisionDesk
from credit_scoring.serving.endpoint import Asked
from credit_scoring.serving.explanation_thread import ExplanationThread

MINUTE_S = 60.0
MOST_LEVERS = 50


class Question(BaseModel):
    """An application, and which of its fields may move; without `levers` all that the catalogue says a client can."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    application: dict[str, Any]
    levers: list[str] | None = Field(None, max_length=MOST_LEVERS)


class RateLimit:
    """So many questions a minute for each key, in a token bucket that holds a minute's; of one worker."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = per_minute, clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> None:
        """Count one question; raises RateLimitError when there were too many."""
        now = self._clock()
        left, since = self._left.get(name, (float(self._most), now))
        left = min(self._most, left + (now - since) * self._most / MINUTE_S)
        if left < 1:
            wait = (1 - left) * MINUTE_S / self._most
            raise RateLimitError(f"At most {self._most} simulations a minute for a key.", retry_after=int(wait) + 1)
        self._left[name] = left - 1, now

    def give_back(self, name: str) -> None:
        """What was taken last does not count."""
        left, since = self._left[name]
        self._left[name] = left + 1, since


class Simulations:
    """Answers with the model and the whole policy of this desk; nothing is decided, and nothing kept."""

    def __init__(self, desk: DecisionDesk, thread: ExplanationThread, limit: RateLimit, max_fields: int) -> None:
        self._scorer, self._thread = desk.scorer, thread
        self._limit, self._max_fields = limit, max_fields
        self._levers = [name for name in self._scorer.catalogue.levers if name in self._scorer.fields] or None
        self._undirected = undirected(desk.scorer.policy, desk.scorer.catalogue)

    async def what_if(self, body: bytes, asked: Asked) -> bytes:
        """One question in; plans, the largest letter or a proof that there are none out."""
        self._limit.take(asked.by)
        question = _question(parse(body, 1, self._max_fields))
        record = _checked(question.application, self._scorer.catalogue).__dict__
        found = await self._thread.run(lambda: self._simulated(record, question.levers))
        return found

    def _simulated(self, record: Record, levers: list[str] | None) -> bytes:
        simulated = what_if(
            record,
            self._scorer.catalogue,
            self._approved,
            levers=self._levers if levers is None else levers,
            undirected=self._undirected,
            budget=Budget(),
        )
        return to_json(simulated)

    def _approved(self, records: Any) -> Flags:
        return np.array([ruling.answer is Answer.APPROVED for ruling in self._scorer.decide(records)[1]])


def _question(content: Any) -> Question:
    try:
        return Question.model_validate(content)
    except ValidationError as error:
        raise InvalidBodyError(faults(error, Question.model_fields)) from None


def _checked(application: dict[str, Any], catalogue: Catalogue) -> Application:
    try:
        return catalogue.application.model_validate(application)
    except ValidationError as error:
        found = faults(error, catalogue.all_fields)
        raise InvalidApplicationError(
            [each.model_copy(update={"field": f"application.{each.field}"}) for each in found]
        ) from None
