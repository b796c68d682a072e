"""What became of decisions: reports of outcomes, each kept; of several on one decision the last one counts."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import Connection, func, insert, select

from credit_scoring.decisions import claims, events
from credit_scoring.decisions.claims import Name
from credit_scoring.decisions.erased import is_held
from credit_scoring.decisions.ids import PATTERN, made_at, new_id
from credit_scoring.decisions.owners import owner_of
from credit_scoring.decisions.tables import decisions, one_at_a_time, outcomes
from credit_scoring.errors import RequestError

DecisionId = Annotated[str, Field(pattern=PATTERN, title="Id da decisão")]

LATEST_ZONE = timedelta(hours=5)  # Acre: at the moment of a decision it may be the day before there


class Outcome(StrEnum):
    """What the client did."""

    PAID = "PAID"
    DEFAULTED = "DEFAULTED"


EXAMPLE_OUTCOME: dict[str, JsonValue] = {
    "decision_id": "019ab2f0-6f3e-7d42-9c1b-5a8d3c2e1f00",
    "outcome": "PAID",
    "observed_on": "2026-11-01",
}


class OutcomeReport(BaseModel):
    """What a client did, known months after the decision; sent again unchanged it changes nothing."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={"example": EXAMPLE_OUTCOME},
    )

    decision_id: DecisionId | None = Field(None, description="Which decision; this or `application_id`.")
    application_id: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        title="Id da proposta",
        description="Your id of it; this or `decision_id`. Names a decision that a key of the same owner asked for.",
    )
    outcome: Outcome = Field(
        title="Desfecho",
        description="PAID or DEFAULTED, on the contract that followed. A client who was refused has an outcome only "
        "where a contract was made all the same, as after a review that reversed the decision.",
    )
    observed_on: date = Field(
        title="Data do desfecho",
        description="The day on which this was known; refused if before the decision or in the future.",
    )

    @model_validator(mode="after")
    def _names_one_decision(self) -> Self:
        if (self.decision_id is None) == (self.application_id is None):
            raise PydanticCustomError("one_id", "One of decision_id and application_id should be given")
        return self


class OutcomeRecord(BaseModel):
    """A report as it was kept."""

    outcome_id: str
    decision_id: str
    outcome: Outcome
    observed_on: date
    reported_at: datetime
    reported_by: str = Field(description="Name of the key; empty where none was needed.")


class RecordedOutcome(OutcomeRecord):
    """What became of a report."""

    status: Literal["recorded", "corrected", "known"] = Field(
        description="`corrected`: another outcome was known before, and is kept as history. `known`: nothing new."
    )


def record(reports: Sequence[OutcomeReport], by: str, connection: Connection) -> list[RecordedOutcome | RequestError]:
    """Keep these reports, in order; for each what became of it, or RequestError saying why it was not kept."""
    one_at_a_time(connection)
    known = _known_decisions(reports, owner_of(by), connection)
    found = [known.get(_named(report, owner_of(by))) for report in reports]
    last = {each.decision_id: each for each in history([one for one in found if one], connection)}
    settled: list[RecordedOutcome | RequestError] = []
    for report, decision in zip(reports, found, strict=True):
        if decision is None:
            settled.append(RequestError(404, "No such decision is on record.", "no_decision"))
            continue
        recorded = _known(report, last.get(decision)) or _problem(report, decision)
        if not recorded:
            recorded = last[decision] = _recorded(report, decision, last.get(decision), by)
        settled.append(recorded)
    new = [each for each in settled if isinstance(each, RecordedOutcome) and each.status != "known"]
    if new:
        rows = [_row(each) for each in new]
        connection.execute(insert(outcomes), rows)
        events.append(events.OUTCOME, rows, connection)
    return settled


def history(decision_ids: Sequence[str], connection: Connection) -> Iterator[OutcomeRecord]:
    """Every report on these decisions, oldest first."""
    reported = select(outcomes).where(outcomes.c.decision.in_(decision_ids)).order_by(outcomes.c.id)
    for row in connection.execute(reported).mappings():
        yield OutcomeRecord(outcome_id=row["id"], decision_id=row["decision"], **_without(row, "id", "decision"))


def last_known(first_id: str, last_id: str, connection: Connection) -> dict[str, tuple[str, date]]:
    """The outcome that counts, and the day it was observed on, of each decision from one id to another that has one."""
    reported = select(outcomes.c.decision, outcomes.c.outcome, outcomes.c.observed_on).order_by(outcomes.c.id)
    within = reported.where(outcomes.c.decision.between(first_id, last_id))
    return {decision: (outcome, observed_on) for decision, outcome, observed_on in connection.execute(within)}


def first_reported(first_id: str, last_id: str, connection: Connection) -> dict[str, date]:
    """The day (UTC) of the first report on each decision from one id to another that has one."""
    reported = select(outcomes.c.decision, func.min(outcomes.c.reported_at)).group_by(outcomes.c.decision)
    within = reported.where(outcomes.c.decision.between(first_id, last_id))
    return {decision: moment.date() for decision, moment in connection.execute(within)}


def reporting_began(connection: Connection) -> date | None:
    """The day (UTC) of the first report of all; None where there is none."""
    moment = connection.scalar(select(outcomes.c.reported_at).order_by(outcomes.c.id).limit(1))
    return moment.date() if moment else None


def _known_decisions(reports: Sequence[OutcomeReport], owner: str, connection: Connection) -> dict[str | Name, str]:
    """Decisions by their own id and by the application id that they answer for to this owner."""
    asked = [_named(report, owner) for report in reports]
    by_id = connection.execute(
        select(decisions.c.id).where(decisions.c.id.in_([each for each in asked if isinstance(each, str)]), is_held())
    )
    found = claims.find([each for each in asked if isinstance(each, Name)], connection).by_name
    by_application = {name: claim["claimed"] for name, claim in found.items() if claim}
    return {each: each for each in by_id.scalars()} | by_application


def _named(report: OutcomeReport, owner: str) -> str | Name:
    return Name(owner, report.application_id) if report.application_id is not None else str(report.decision_id)


def _known(report: OutcomeReport, last: OutcomeRecord | None) -> RecordedOutcome | None:
    """What is on record already, where the report says the same."""
    if last and (last.outcome, last.observed_on) == (report.outcome, report.observed_on):
        return RecordedOutcome(**last.model_dump(exclude={"status"}), status="known")
    return None


def _problem(report: OutcomeReport, decision: str) -> RequestError | None:
    """Why the report cannot be true; a wrong day would spoil how long outcomes take."""
    if report.observed_on > datetime.now(UTC).date():
        message = "observed_on is in the future (UTC). Report the outcome once it is known."
        return RequestError(409, message, "observed_in_future")
    if report.observed_on < (made_at(decision) - LATEST_ZONE).date():
        message = "observed_on is before the day of the decision. Give the day on which the outcome was known."
        return RequestError(409, message, "observed_before_decision")
    return None


def _recorded(report: OutcomeReport, decision: str, last: OutcomeRecord | None, by: str) -> RecordedOutcome:
    return RecordedOutcome(
        outcome_id=new_id(),
        decision_id=decision,
        outcome=report.outcome,
        observed_on=report.observed_on,
        reported_at=datetime.now(UTC),
        reported_by=by,
        status="corrected" if last else "recorded",
    )


def _row(recorded: RecordedOutcome) -> dict[str, Any]:
    kept = recorded.model_dump(exclude={"outcome_id", "decision_id", "status"})
    return {"id": recorded.outcome_id, "decision": recorded.decision_id, **kept, "outcome": recorded.outcome.value}


def _without(row: Mapping[Any, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}
