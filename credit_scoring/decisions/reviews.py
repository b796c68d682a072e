"""Reviews by people (LGPD art. 20), and their verdicts on applications in analysis; every step is kept.

A review is REQUESTED, then UPHELD or REVERSED. An application in analysis (EM_ANALISE) waits from the start and is
APPROVED or DENIED. Where four eyes are required, the first person only proposes; a second one gives the same verdict,
which then counts, or returns the case. `effective.py` says what counts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import Connection, insert, select

from credit_scoring.application.schemas import Answer
from credit_scoring.decisions import events
from credit_scoring.decisions.effective import effective, waits
from credit_scoring.decisions.erased import erased_error, is_erased
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.owners import owner_of
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
    PROPOSED_UPHELD = "PROPOSED_UPHELD"
    PROPOSED_REVERSED = "PROPOSED_REVERSED"
    PROPOSED_APPROVED = "PROPOSED_APPROVED"
    PROPOSED_DENIED = "PROPOSED_DENIED"
    RETURNED = "RETURNED"


VERDICTS = (Step.UPHELD, Step.REVERSED, Step.APPROVED, Step.DENIED)
PROPOSALS = {verdict: Step(f"PROPOSED_{verdict}") for verdict in VERDICTS}
_PROPOSED = {proposal: verdict for verdict, proposal in PROPOSALS.items()}


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

    step: Literal[Step.REQUESTED, Step.UPHELD, Step.REVERSED, Step.APPROVED, Step.DENIED] = Field(
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


@dataclass(frozen=True)
class Standing:
    """What counts now of a decision that people have looked at, and what is still to be done."""

    answer: Answer
    last: ReviewRecord | None
    is_open: bool

    @property
    def verdicts(self) -> tuple[Step, Step]:
        """The verdicts that can be given, that of the client's favour first."""
        if self.answer is Answer.REVIEW:
            return Step.APPROVED, Step.DENIED
        return (Step.UPHELD, Step.REVERSED) if self.answer is Answer.APPROVED else (Step.REVERSED, Step.UPHELD)

    @property
    def proposed(self) -> Step | None:
        """The verdict that waits for a second person."""
        return _PROPOSED.get(self.last.step) if self.last else None


def standing(answer: Answer, steps: Iterable[ReviewRecord]) -> Standing:
    """Where a decision with this answer stands after these steps, oldest first."""
    taken = [*steps]
    names = [each.step for each in taken]
    return Standing(Answer(effective(answer, names)), taken[-1] if taken else None, waits(answer, names))


def record(
    decision_id: str, step: ReviewStep, by: str, connection: Connection, *, four_eyes: bool = False
) -> ReviewRecord:
    """Keep a step; the same one twice in a row is kept once.

    Raises RequestError: 404 where there is no such decision, 409 where the step does not follow from the last one, or
    where `four_eyes` leave verdicts to the review desk.
    """
    one_at_a_time(connection)
    now = _standing(decision_id, connection)
    last = now.last
    if last and (last.step, last.reason, last.reviewer) == (step.step, step.reason, step.reviewer):
        return last
    if step.step is Step.REQUESTED:
        if now.is_open:
            raise RequestError(409, "A review is open already.", "review_order")
    else:
        if four_eyes:
            raise RequestError(409, "A verdict needs two people (CREDIT_SCORING_FOUR_EYES): use /mesa.", "four_eyes")
        _check_verdict(step.step, now)
    return _keep(decision_id, step.step, step.reason, step.reviewer, by, connection)


def judge(
    decision_id: str,
    verdict: Step,
    reason: str,
    reviewer: str,
    by: str,
    connection: Connection,
    *,
    after: str,
    four_eyes: bool,
) -> ReviewRecord:
    """Keep a reviewer's verdict, of which `four_eyes` make a proposal until a second person gives the same one.

    `after` is the id of the last step that the reviewer saw, empty for none. `verdict` may be RETURNED where a proposal
    waits. What the reviewer has sent twice, as by a double click, is kept once. Raises RequestError: 404, or 409 where
    somebody was faster or the second person is the first.
    """
    one_at_a_time(connection)
    now = _standing(decision_id, connection)
    if after != (now.last.review_id if now.last else ""):
        if now.last and _is_sent_again(now.last, verdict, reason, by):
            return now.last
        raise RequestError(409, "Somebody else has recorded a step meanwhile.", "review_changed")
    if verdict is Step.RETURNED:
        if not now.proposed:
            raise RequestError(409, "No proposal waits for a second person.", "review_order")
    else:
        _check_verdict(verdict, now)
    if now.last and now.proposed and four_eyes and is_same_person(now.last.recorded_by, by):
        raise RequestError(409, "The second person may not be the first.", "same_person")
    if four_eyes and not now.proposed:
        verdict = PROPOSALS[verdict]
    elif now.proposed and verdict not in (now.proposed, Step.RETURNED):
        raise RequestError(409, "Another verdict was proposed; confirm that one, or return it.", "review_order")
    return _keep(decision_id, verdict, reason, reviewer, by, connection)


def _is_sent_again(last: ReviewRecord, verdict: Step, reason: str, by: str) -> bool:
    same = last.step in (verdict, PROPOSALS.get(verdict))
    return same and (last.reason, last.recorded_by) == (reason, by)


def is_same_person(one: str, other: str) -> bool:
    """Whether two keys, as the log names them, belong to one owner."""
    return owner_of(one) == owner_of(other)


def history(decision_id: str, connection: Connection) -> Iterator[ReviewRecord]:
    """Every step on this decision, oldest first."""
    kept = select(reviews).where(reviews.c.decision == decision_id).order_by(reviews.c.id)
    for row in connection.execute(kept).mappings():
        values = {name: value for name, value in row.items() if name not in ("id", "decision")}
        yield ReviewRecord(review_id=row["id"], decision_id=row["decision"], **values)


def _standing(decision_id: str, connection: Connection) -> Standing:
    asked = select(decisions.c.decision, decisions.c.received).where(decisions.c.id == decision_id)
    found = connection.execute(asked).first()
    if found is None:
        raise RequestError(404, "No such decision is on record.", "no_decision")
    if is_erased(found.received):
        raise erased_error()
    return standing(Answer(found.decision), history(decision_id, connection))


def _check_verdict(verdict: Step, now: Standing) -> None:
    if not now.is_open:
        raise RequestError(409, "No review is open.", "review_order")
    if verdict not in now.verdicts:
        expected = " or ".join(sorted(now.verdicts))
        raise RequestError(409, f"A decision that is {now.answer} becomes {expected}, not {verdict}.", "review_order")


def _keep(decision_id: str, step: Step, reason: str, reviewer: str, by: str, connection: Connection) -> ReviewRecord:
    row = {
        "id": new_id(),
        "decision": decision_id,
        "step": step.value,
        "reason": reason,
        "reviewer": reviewer,
        "recorded_at": datetime.now(UTC),
        "recorded_by": by,
    }
    connection.execute(insert(reviews), row)
    events.append(events.REVIEW, [row], connection)
    values = {name: value for name, value in row.items() if name not in ("id", "decision")}
    return ReviewRecord.model_validate({"review_id": row["id"], "decision_id": decision_id, **values})
