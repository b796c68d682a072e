"""What waits for people: applications in analysis without a verdict, and reviews that were requested."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

from sqlalchemy import CompoundSelect, Connection, GenerativeSelect, Select, except_, literal, select, union

from credit_scoring.application.schemas import Answer
from credit_scoring.decisions import claims
from credit_scoring.decisions.dossiers import records
from credit_scoring.decisions.ids import made_at
from credit_scoring.decisions.replacements import later_ones
from credit_scoring.decisions.reviews import PROPOSALS, VERDICTS, Step
from credit_scoring.decisions.tables import blocks, decisions, erasures, reviews

MOST = 5_000
MOST_NAMED = 50

Kind = Literal["analysis", "review"]
Short = dict[str, Any]
Query = TypeVar("Query", bound=GenerativeSelect)


@dataclass(frozen=True)
class Case:
    """A decision that waits since a moment; `proposed_by` is the key of the first of two people."""

    decision_id: str
    kind: Kind
    since: datetime
    proposed_by: str | None = None


def cases(connection: Connection) -> list[Case]:
    """At most MOST cases of each kind, oldest first."""
    proposals = {row.decision: row.recorded_by for row in connection.execute(_proposals())}
    in_analysis = (
        Case(id, "analysis", made_at(id), proposals.get(id)) for id in connection.scalars(_oldest(_in_analysis(), "id"))
    )
    requested = (
        Case(id, "review", at, proposals.get(id)) for id, at in connection.execute(_oldest(_requested(), reviews.c.id))
    )
    return sorted([*in_analysis, *requested], key=lambda case: (case.since, case.decision_id))


def ids() -> CompoundSelect[Any]:
    """Ids of all decisions that wait, as a condition of another query; `effective.waits` says it of one."""
    in_analysis, requested = _in_analysis().subquery(), _requested().subquery()
    return union(select(in_analysis.c.id), select(requested.c.decision))


def _oldest(query: Query, by: Any) -> Query:
    return query.order_by(by).limit(MOST)


def _in_analysis() -> CompoundSelect[Any]:
    """By a difference of sets, which takes SQLite half the time of a look for each one's verdict."""
    of = literal(Answer.REVIEW.value, literal_execute=True)  # spelled out, so that SQLite sees the index fit
    settled = select(reviews.c.decision).where(reviews.c.step.in_(VERDICTS))
    return except_(select(decisions.c.id).where(decisions.c.decision == of), settled)


def _requested() -> Select[Any]:
    """An earlier version of the service can store a request for a decision of which nothing is left to look at."""
    later = reviews.alias()
    settled = select(later.c.id).where(
        later.c.decision == reviews.c.decision, later.c.id > reviews.c.id, later.c.step.in_(VERDICTS)
    )
    requested = select(reviews.c.decision, reviews.c.recorded_at).where(reviews.c.step == Step.REQUESTED.value)
    erased = select(erasures.c.id).where(erasures.c.decision == reviews.c.decision)
    return requested.where(~settled.exists(), ~erased.exists())


def _proposals() -> Select[Any]:
    """Decisions whose last step is a proposal, and who made it."""
    later = reviews.alias()
    answered = select(later.c.id).where(later.c.decision == reviews.c.decision, later.c.id > reviews.c.id)
    proposed = select(reviews.c.decision, reviews.c.recorded_by).where(reviews.c.step.in_(PROPOSALS.values()))
    return proposed.where(~answered.exists())


def in_short(decision_ids: Sequence[str], connection: Connection) -> dict[str, Short]:
    """What a list shows of each of these decisions, and those that have replaced it (`replaced_by`)."""
    columns = (decisions.c[name] for name in ("id", "application_id", "decision", "asked_by"))
    wanted = records().with_only_columns(*columns, blocks.c.decided_at, maintain_column_froms=True)
    found = connection.execute(wanted.where(decisions.c.id.in_(decision_ids))).mappings().all()
    later = later_ones(found, connection)
    return {row["id"]: {**row, "replaced_by": later.get(row["id"], [])} for row in found}


def named(application_id: str, connection: Connection) -> list[str]:
    """The decisions that answer for an application id, whoever has sent it; at most MOST_NAMED."""
    return list(connection.scalars(claims.answering_for(application_id).limit(MOST_NAMED)))
