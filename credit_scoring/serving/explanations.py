"""Reasons over HTTP: in a thread of their own, so that decisions do not wait for them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from pydantic_core import to_json

from credit_scoring.application.schemas import Application, Decision
from credit_scoring.decisions.database import Database
from credit_scoring.decisions.explained import explained_again, on_record
from credit_scoring.errors import ExplanationError, OverloadedError, RequestError
from credit_scoring.explanation.explanation import Given, explained
from credit_scoring.explanation.reasons import reference_values
from credit_scoring.serving.decision_engine import DecisionDesk
from credit_scoring.serving.earlier_models import EarlierModels
from credit_scoring.serving.endpoint import Asked
from credit_scoring.serving.explanation_thread import ExplanationThread
from credit_scoring.serving.reason_keeping import ReasonKeeper
from credit_scoring.serving.reason_queue import TOO_MANY, ReasonQueue, Wanted

if TYPE_CHECKING:  # so that the API can be described without scikit-learn
    from credit_scoring.model.scorer import Scorer

NONE = "null"
WITHOUT_REASONS = {"no_model", "no_reasons"}  # kinds of errors


class Explainer:
    """Explains decisions by the model and the policy that gave them; without a database nothing is kept.

    `best_effort`: reasons of new decisions are given, and not kept, while the database is away.
    """

    def __init__(
        self, desk: DecisionDesk, database: Database | None, thread: ExplanationThread, *, best_effort: bool = False
    ) -> None:
        self._desk = desk
        self._database = database
        self._keeper = ReasonKeeper(database, best_effort=best_effort)
        self._thread = thread
        self._earlier = EarlierModels(thread)
        self._queue = ReasonQueue(self._give)

    @contextmanager
    def place(self, applications: int = 1) -> Iterator[None]:
        """For a request that will want the reasons of so many new decisions.

        Raises RequestError where the model in use can give none, OverloadedError where too many ask: before anything is
        decided. Who has a place is not refused for want of room later.
        """
        try:
            reference_values(self._desk.scorer)
        except ExplanationError as error:
            raise RequestError(409, str(error), "no_reasons") from None
        if self._thread.is_full:
            raise OverloadedError(TOO_MANY)
        with self._queue.place(applications):
            yield

    async def reasons(self, body: bytes, asked: Asked) -> bytes:
        """The reasons of a decision on record."""
        if self._database is None:
            raise RequestError(404, "Nothing is on record: CREDIT_SCORING_DECISION_LOG=off.", "no_decision_log")
        return (await self._of_record(asked.path["decision_id"], asked.by, self._database)).encode()

    async def of_many(self, given: Sequence[tuple[Decision, Application]], asked_by: str) -> list[str | RequestError]:
        """The reasons, as JSON, of decisions that were just given; one that was given before has its own.

        They are `null` where the model or the policy that decided gives none here. A RequestError is of one decision
        alone.
        """
        ours = self._desk.tag, self._desk.scorer.policy.version
        new = [pair for pair in given if (pair[0].model, pair[0].policy_version) == ours or self._database is None]
        texts = await self._queue.texts([Wanted(_given(*pair), asked_by) for pair in new])
        found: dict[str, str | RequestError] = {
            decision.decision_id: text for (decision, _), text in zip(new, texts, strict=True)
        }
        if self._database:
            others = [decision for decision, _ in given if decision.decision_id not in found]
            for each in sorted(others, key=lambda other: other.model):  # so that each model is loaded once
                found[each.decision_id] = await self._of_earlier(each.decision_id, asked_by, self._database)
        return [found[decision.decision_id] for decision, _ in given]

    async def _give(self, wanted: Sequence[Wanted]) -> list[str]:
        """The texts of new decisions."""
        given = [each.given for each in wanted]
        try:
            texts = await self._thread.run(partial(_texts, self._desk.scorer, given), admitted=True)
        except ExplanationError:
            return [NONE] * len(wanted)
        ids = [each.decision_id for each in given]
        asked_by = {id: each.asked_by for id, each in zip(ids, wanted, strict=True)}
        kept = await self._keeper.keep_new(dict(zip(ids, texts, strict=True)), asked_by)
        return [kept[id] for id in ids]

    async def _of_earlier(self, decision_id: str, asked_by: str, database: Database) -> str | RequestError:
        try:
            return await self._of_record(decision_id, asked_by, database, admitted=True)
        except RequestError as error:
            return NONE if error.kind in WITHOUT_REASONS else error

    async def _of_record(self, decision_id: str, asked_by: str, database: Database, *, admitted: bool = False) -> str:
        known, row = await database.run(partial(on_record, decision_id), reading=True)
        if known is not None:
            return known
        scorer = await self._scorer_of(row["model"], admitted)
        try:
            again = await self._thread.run(partial(explained_again, row, scorer), admitted=admitted)
        except ExplanationError as error:
            raise RequestError(409, str(error), "no_reasons") from None
        text = to_json(again).decode()
        return (await self._keeper.keep({decision_id: text}, {decision_id: asked_by}))[decision_id]

    async def _scorer_of(self, tag: str, admitted: bool) -> "Scorer":
        """The model that decided."""
        return self._desk.scorer if tag == self._desk.tag else await self._earlier.scorer_of(tag, admitted=admitted)


def _given(decision: Decision, application: Application) -> Given:
    values = (decision.decision_id, decision.decision, decision.risk_probability, decision.rules)
    return Given(application.__dict__, *values)


def _texts(scorer: "Scorer", given: Sequence[Given]) -> list[str]:
    return [to_json(each).decode() for each in explained(scorer, given)]
