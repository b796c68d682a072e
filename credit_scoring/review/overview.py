"""A small overview: decisions of today, what waits, and how often people overrule which reasons."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial

from pydantic_core import from_json
from sqlalchemy import Connection, RowMapping, Subquery, func, select, union_all
from starlette.responses import Response

from credit_scoring.decisions import waiting
from credit_scoring.decisions.ids import first_id_at
from credit_scoring.decisions.reviews import Step
from credit_scoring.decisions.tables import decisions, explanations, reviews, writers
from credit_scoring.decisions.unknowns import names_in
from credit_scoring.decisions.waiting import Case
from credit_scoring.review.formats import ZONE, days_left
from credit_scoring.review.visit import Visit

MOST_TODAY = 50_000
MOST_VERDICTS = 500
NO_REASON = "Sem motivo registrado"


@dataclass(frozen=True)
class Overruled:
    """Of the latest reviews of decisions with this main reason, how many were reversed."""

    reason: str
    reviewed: int
    reversed: int

    @property
    def share(self) -> float:
        """Reversed ones among them."""
        return self.reversed / self.reviewed


async def show(visit: Visit) -> Response:
    """The page."""
    now = datetime.now(UTC)
    midnight = now.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    answers = await visit.office.run(partial(today, midnight))
    cases: list[Case] = await visit.office.run(waiting.cases)
    total = sum(answers.values())
    return visit.page(
        "overview.html",
        today=answers,
        total=total,
        is_cut=total >= MOST_TODAY,
        rate=answers.get("APROVADO", 0) / total if total else None,
        waiting=Counter(case.kind for case in cases),
        overdue=sum(days_left(case.since, now) < 0 for case in cases),
        overruled=await visit.office.run(overruled),
        most=MOST_VERDICTS,
    )


def today(since: datetime, connection: Connection) -> Mapping[str, int]:
    """How often each answer was given since this moment, among the latest MOST_TODAY decisions."""
    newest = select(decisions.c.decision).where(decisions.c.id >= first_id_at(since))
    part = newest.order_by(decisions.c.id.desc()).limit(MOST_TODAY).subquery()
    counted = select(part.c.decision, func.count().label("given")).group_by(part.c.decision)
    return {row.decision: row.given for row in connection.execute(counted)}


def overruled(connection: Connection) -> list[Overruled]:
    """By main reason, the most often reviewed first."""
    latest = union_all(*(select(_latest(step)) for step in (Step.UPHELD, Step.REVERSED))).subquery()
    given = (
        select(latest.c.step, decisions.c.rules, writers.c.policy, explanations.c.content)
        .join(decisions, decisions.c.id == latest.c.decision)
        .join(writers, writers.c.id == decisions.c.writer)
        .outerjoin(explanations, explanations.c.decision == latest.c.decision)
        .order_by(latest.c.id.desc())
        .limit(MOST_VERDICTS)
    )
    return _by_reason((row["step"], _main_reason(row)) for row in connection.execute(given).mappings())


def _latest(step: Step) -> Subquery:
    """The newest steps of one kind, which an index finds; of several kinds at once it would not."""
    found = select(reviews.c.id, reviews.c.decision, reviews.c.step).where(reviews.c.step == step.value)
    return found.order_by(reviews.c.id.desc()).limit(MOST_VERDICTS).subquery()


def _by_reason(found: Iterable[tuple[str, str]]) -> list[Overruled]:
    reviewed: Counter[str] = Counter()
    reversed_: Counter[str] = Counter()
    for step, reason in found:
        reviewed[reason] += 1
        reversed_[reason] += step == Step.REVERSED
    return [Overruled(reason, count, reversed_[reason]) for reason, count in reviewed.most_common()]


def _main_reason(row: RowMapping) -> str:
    """A rule before the score, of the score what counts most."""
    if row["rules"]:
        first = names_in(row["rules"])[0]
        return _texts(row["policy"]).get(first, first)
    known = from_json(row["content"]) if row["content"] else {}
    return next((reason["text"] for reason in (known.get("score") or {}).get("against", ())), NO_REASON)


@lru_cache(maxsize=32)
def _texts(policy: str | None) -> Mapping[str, str]:
    """The reason of each rule of a policy."""
    return {rule["id"]: rule["reason"] for rule in from_json(policy)["rules"]} if policy else {}
