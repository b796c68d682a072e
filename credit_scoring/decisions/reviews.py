"""Reviews of decisions by people (LGPD art. 20), every step of which is kept.

A review is REQUESTED, then UPHELD or REVERSED. An application in analysis (EM_ANALISE) waits from the start, and is
APPROVED or DENIED. `effective.py` says what counts after that.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import Connection, insert, select

from credit_scoring.application.schemas import Answer
from credit_scoring.decisions import events
from credit_scoring.decisions.effective import effective, waits
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.tables import decisions, one_at_a_time, reviews
from credit_scoring.errors import RequestError

EXAMPLE_REVIEW: dict[str, JsonValue] = {
    "step": "REQUESTED",
    "reason": "The client says that the negative record was paid in October.",
}


class Step(StrEnum):
    """What was done in a review."""

    REQUESTED = "REQUESTED"
    UPHELD = "UPHELD"
    REVERSED = "REVERSED"
    APPROVED = "APPROVED"
    DENIED = "DENIED"


_OF_ANALYSIS = (Step.APPROVED, Step.DENIED)
_OF_REVIEW = (Step.UPHELD, Step.REVERSED)


_RESULTS_NAME_THEIR_REVIEWER: dict[str, JsonValue] = {
    "if": {"properties": {"step": {"const": Step.REQUESTED}}},
    "else": {"required": ["reviewer"], "properties": {"reviewer": {"minLength": 1}}},
}


class ReviewStep(BaseModel):
    """One step of a review; a result needs the name of who reviewed."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={"example": EXAMPLE_REVIEW, **_RESULTS_NAME_THEIR_REVIEWER},
    )

    step: Step = Field(
        title="Etapa",
        description="REQUESTED by the client, then UPHELD or REVERSED by the reviewer; APPROVED or DENIED what was in "
        "analysis.",
    )
    reason: str = Field(min_length=1, max_length=2000, pattern=r"^[^\x00]*$", title="Motivo", description="Why.")
    reviewer: str = Field(
        "", max_length=100, pattern=r"^[^\x00]*$", title="Revisor", description="Who reviewed; needed for a result."
    )

    @model_validator(mode="after")
    def _names_its_reviewer(self) -> Self:
        if self.step is not Step.REQUESTED and not self.reviewer:
            raise PydanticCustomError("reviewer_missing", "A result needs the name of its reviewer")
        return self


class ReviewRecord(BaseModel):
    """A step as it was kept."""

    review_id: str
    decision_id: str
    step: Step
    reason: str
    reviewer: str
    recorded_at: datetime
    recorded_by: str = Field(
        description="Name of the key, empty where none was needed: who acted, whatever `reviewer` says."
    )


def record(decision_id: str, step: ReviewStep, by: str, connection: Connection) -> ReviewRecord:
    """Keep a step; the same one twice in a row is kept once.

    Raises RequestError: 404 where there is no such decision, 409 where the step does not follow from the last one.
    """
    one_at_a_time(connection)
    answer = connection.scalar(select(decisions.c.decision).where(decisions.c.id == decision_id))
    if answer is None:
        raise RequestError(404, "No such decision is on record.", "no_decision")
    *_, last = before = [None, *history(decision_id, connection)]
    if last and (last.step, last.reason, last.reviewer) == (step.step, step.reason, step.reviewer):
        return last
    _check_order(step.step, answer, [each.step for each in before if each])
    kept = step.model_dump(mode="json") | {"recorded_at": datetime.now(UTC), "recorded_by": by}
    review_id = new_id()
    row = {"id": review_id, "decision": decision_id, **kept}
    connection.execute(insert(reviews), row)
    events.append(events.REVIEW, [row], connection)
    return ReviewRecord(review_id=review_id, decision_id=decision_id, **kept)


def _check_order(step: Step, answer: str, before: Sequence[Step]) -> None:
    """Raises RequestError where this step does not follow from those before."""
    is_open = waits(answer, before)
    if is_open == (step is Step.REQUESTED):
        raise RequestError(409, "A review is open already." if is_open else "No review is open.", "review_order")
    now = effective(answer, before)
    expected = _OF_ANALYSIS if now == Answer.REVIEW else _OF_REVIEW
    if is_open and step not in expected:
        message = f"A decision that is {now} becomes {' or '.join(expected)}, not {step}."
        raise RequestError(409, message, "review_order")


def history(decision_id: str, connection: Connection) -> Iterator[ReviewRecord]:
    """Every step on this decision, oldest first."""
    kept = select(reviews).where(reviews.c.decision == decision_id).order_by(reviews.c.id)
    for row in connection.execute(kept).mappings():
        values = {name: value for name, value in row.items() if name not in ("id", "decision")}
        yield ReviewRecord(review_id=row["id"], decision_id=row["decision"], **values)
