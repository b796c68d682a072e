"""Decisions looked up as people need it: newest first, a bounded page at a time."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from sqlalchemy import Connection, Select

from credit_scoring.application.fields import TEXT_PATTERN
from credit_scoring.application.schemas import Answer
from credit_scoring.decisions.erased import is_erased
from credit_scoring.decisions.moments import moment
from credit_scoring.decisions.outcomes import DecisionId, Outcome
from credit_scoring.decisions.queries import WHAT_WAS_SAID, Record, Wanted, with_what_followed
from credit_scoring.decisions.replacements import Linked
from credit_scoring.decisions.tables import decisions
from credit_scoring.decisions.unknowns import names_in

SCANNED = 10_000
MOST = 1_000

_A_DAY_OR_A_TIME = {"anyOf": [{"type": "string", "format": kind} for kind in ("date-time", "date")]}
Moment = Annotated[datetime, BeforeValidator(moment), WithJsonSchema(_A_DAY_OR_A_TIME)]
Text = Annotated[str, Field(max_length=200, pattern=TEXT_PATTERN)]


class Lookup(BaseModel):
    """What is asked for, as texts of a query; `after` is the `next` of the page before."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    application_id: Text | None = Field(None, description="The client's id of it, whoever has sent it.")
    since: Moment | None = Field(None, description="Given from this day or time on; UTC unless it names a zone.")
    until: Moment | None = Field(None, description="Given before this day or time.")
    decision: Answer | None = Field(None, description="The answer as it was given, whatever counts now.")
    rule: Text | None = Field(None, description="Id of a rule that did not pass.")
    model: Text | None = Field(None, description="Tag of the model.")
    policy: Text | None = Field(None, description="Version of the policy.")
    review: Literal["waiting"] | None = Field(None, description="`waiting`: people still have to say something.")
    limit: int = Field(100, ge=1, le=MOST, description="Most decisions of a page.")
    after: DecisionId | None = Field(None, description="`next` of the page before.")

    @property
    def wanted(self) -> Wanted:
        """Which decisions."""
        return Wanted(**self.model_dump(exclude={"review", "limit", "after"}), waiting=self.review == "waiting")


class FoundDecision(BaseModel):
    """A decision in short; its dossier has the rest."""

    decision_id: str
    decided_at: datetime
    application_id: str | None
    decision: Answer = Field(description="As it was given.")
    effective_decision: Answer = Field(description="What counts now, after what people made of it.")
    waiting: bool = Field(description="Whether people still have to say something.")
    risk_probability: float = Field(description="Of an erased one the lower end of its tenth.")
    threshold: float
    model: str
    policy_version: str
    rules: list[str] = Field(description="Ids of rules that did not pass.")
    asked_by: str
    replaces: Linked | None = Field(description="The earlier application that this one corrects.")
    replaced_by: list[Linked] = Field(description="Later ones that correct this one, oldest first.")
    erased: bool = Field(description="Whether the applicant's data were erased.")
    outcome: Outcome | None
    observed_on: date | None


class FoundDecisions(BaseModel):
    """A page of decisions, newest first; it may have fewer than were asked for, or none, and yet a `next`."""

    decisions: list[FoundDecision]
    next: str | None = Field(description="Send it as `after` for the decisions before these; null: there are no more.")


def page(lookup: Lookup, connection: Connection) -> FoundDecisions:
    """The next decisions that are wanted, of at most SCANNED that are looked at."""
    records, next = _page(lookup.wanted, lookup.limit, lookup.after, connection)
    return FoundDecisions(decisions=[_found(each) for each in records], next=next)


def _page(wanted: Wanted, limit: int, after: str | None, connection: Connection) -> tuple[list[Record], str | None]:
    end = _end_of_scan(wanted, after, connection) if wanted.is_scanned else None
    query = _before(after, wanted.restrict(WHAT_WAS_SAID)).order_by(decisions.c.id.desc()).limit(limit + 1)
    if end is not None:
        query = query.where(decisions.c.id >= end)
    rows = [dict(row._mapping) for row in connection.execute(query)]
    if len(rows) > limit:
        rows, end = rows[:limit], rows[limit - 1]["id"]
    return with_what_followed(rows, connection), end


def _end_of_scan(wanted: Wanted, after: str | None, connection: Connection) -> str | None:
    """The last decision to be looked at, newest first; None where that is the oldest one."""
    scanned = _before(after, wanted.narrow(WHAT_WAS_SAID.with_only_columns(decisions.c.id)))
    found: str | None = connection.scalar(scanned.order_by(decisions.c.id.desc()).offset(SCANNED - 1).limit(1))
    return found


def _before(after: str | None, query: Select[Any]) -> Select[Any]:
    return query if after is None else query.where(decisions.c.id < after)


def _found(record: Record) -> FoundDecision:
    told = {"decision_id": record["id"], "rules": names_in(record["rules"]), "replaces": record["earlier"]}
    told["erased"] = is_erased(record["received"])
    return FoundDecision.model_validate({**record, **told})
