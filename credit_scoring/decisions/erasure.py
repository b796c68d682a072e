"""How the data of one decision are erased: what tells of the applicant goes, a remainder stays, the log still verifies.

An erasure first verifies the decision's block. It is an event of its own, with the hashes of the block's rows before
and after, so that `verify` accepts what is left of them and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Connection, Table, delete, func, insert, select, update

from credit_scoring.application.schemas import Answer
from credit_scoring.decisions import claims, events, group_ends, reviews
from credit_scoring.decisions.chain import Hash, Row, block_hash, rows_hash
from credit_scoring.decisions.erased import OVERWRITTEN, erased_error, is_erased, remains
from credit_scoring.decisions.erasure_checks import Erased, rows_left
from credit_scoring.decisions.head_checks import Place
from credit_scoring.decisions.ids import is_id, new_id
from credit_scoring.decisions.replacements import later_ones
from credit_scoring.decisions.subject import decisions_of
from credit_scoring.decisions.tables import (
    blocks,
    decisions,
    erasures,
    explanations,
    one_at_a_time,
    outcomes,
    writers,
)
from credit_scoring.decisions.tables import group_ends as group_ends_table
from credit_scoring.decisions.tables import reviews as reviews_table
from credit_scoring.errors import DecisionLogError, RequestError

DUTY = "the proof of a capacity assessment is kept for five years after the group's end (Resolução BCB 285/2023)"
NO_BASIS = "Where that does not apply, say why: --legal-basis-ended."
WRONG_END = "If that end is wrong, report the right one, which then counts: `credit-scoring decisions group-ends FILE`."

_WHAT_IS_SHOWN = ("id", "application_id", "asked_by", "decision", "received")


@dataclass(frozen=True)
class Order:
    """Why and by whom; `legal_basis_ended` says why there is no duty to keep, where no end of a group is on record.

    It does not lift a duty that follows from an end on record.
    """

    reason: str
    by: str
    legal_basis_ended: str | None = None


@dataclass(frozen=True)
class Candidate:
    """A decision that may be erased, what would go with it, and when its group ends, where that is known.

    `named_by` are decisions on later applications that say that they replace this one.
    """

    decision_id: str
    application_id: str | None
    decision: str
    decided_at: datetime
    outcomes: int
    reviews: int
    explanations: int
    ends_on: date | None
    named_by: tuple[str, ...] = ()

    def duty(self, today: date) -> str | None:
        """Why it has to be kept, or may have to be."""
        if self.ends_on is None:
            return f"no end of its group is on record, and {DUTY}"
        until = group_ends.kept_until(self.ends_on)
        return None if until < today else f"its group ends on {self.ends_on}, and {DUTY}: until {until}"

    def refusal(self, order: Order, today: date) -> str | None:
        """Why this order may not erase it, and what to do about that."""
        duty = self.duty(today)
        if duty is None or (self.ends_on is None and order.legal_basis_ended):
            return None
        return f"{duty}. {NO_BASIS if self.ends_on is None else WRONG_END}"


def candidates(name: str, owner: str | None, connection: Connection) -> list[Candidate]:
    """The decision with this id, or those on the application with this id.

    Raises RequestError: 404 where there is none, 409 where it was erased, waits for people, or is of several owners.
    """
    known = connection.scalar(select(decisions.c.id).where(decisions.c.id == name)) if is_id(name) else None
    ids = [known] if known else decisions_of(name, owner, connection)[1]
    return [_candidate(each, connection) for each in ids]


def _candidate(decision_id: str, connection: Connection) -> Candidate:
    columns = (*(decisions.c[name] for name in _WHAT_IS_SHOWN), blocks.c.decided_at)
    of_block = (blocks.c.writer == decisions.c.writer) & (blocks.c.number == decisions.c.batch)
    found = connection.execute(select(*columns).join(blocks, of_block).where(decisions.c.id == decision_id)).one()
    if is_erased(found.received):
        raise erased_error()
    if reviews.standing(Answer(found.decision), reviews.history(decision_id, connection)).is_open:
        message = f"Decision {decision_id} waits for people. Record a verdict first, then erase it."
        raise RequestError(409, message, "review_order")

    def count(table: Table) -> int:
        return connection.scalar(select(func.count()).where(table.c.decision == decision_id)) or 0

    ends_on = group_ends.last_known([decision_id], connection).get(decision_id)
    return Candidate(
        *(decision_id, found.application_id, found.decision, found.decided_at),
        outcomes=count(outcomes),
        reviews=count(reviews_table),
        explanations=count(explanations),
        ends_on=ends_on,
        named_by=tuple(str(each.decision_id) for each in later_ones([found._mapping], connection).get(decision_id, ())),
    )


def erase(wanted: Sequence[Candidate], order: Order, today: date, connection: Connection) -> None:
    """Erase these, all or none.

    Raises RequestError where one has to be kept or may have to be, DecisionLogError where its block was altered.
    """
    one_at_a_time(connection)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(
            "PRAGMA secure_delete = ON"
        )  # else the bytes stay in the file until it is written over
    for each in wanted:
        current = _candidate(each.decision_id, connection)
        if refused := current.refusal(order, today):
            raise RequestError(409, f"Decision {each.decision_id} was not erased: {refused}", "kept")
        _erase(each.decision_id, order, connection)


def _erase(decision_id: str, order: Order, connection: Connection) -> None:
    is_it = decisions.c.id == decision_id
    place = Place(*connection.execute(select(decisions.c.writer, decisions.c.batch).where(is_it)).one())
    rows = _rows(place, connection)
    block, before = _verified(place, rows, connection)
    (row,) = (each for each in rows if each.id == decision_id)
    left = remains(row)
    others = claims.unclaimed(connection, row.application_id) if row.application_id else {}
    claims.release([decision_id], others, connection)
    connection.execute(update(decisions).where(is_it).values({name: getattr(left, name) for name in OVERWRITTEN}))
    erasure = {
        **{"id": new_id(), "decision": decision_id, "writer": place.writer, "batch": place.number, "hash": block.hash},
        "rows_before": before,
        "rows_after": rows_hash(left if each is row else each for each in rows),
        "followed": to_json(_erase_what_followed(decision_id, connection)).decode(),
        **{"reason": order.reason, "legal_basis_ended": order.legal_basis_ended},
        **{"erased_at": datetime.now(UTC), "erased_by": order.by},
    }
    connection.execute(insert(erasures), erasure)
    events.append(events.ERASURE, [erasure], connection)


def _rows(place: Place, connection: Connection) -> list[Row]:
    of_block = (decisions.c.writer == place.writer) & (decisions.c.batch == place.number)
    found = select(*(decisions.c[name] for name in Row._fields)).where(of_block).order_by(decisions.c.id)
    return [Row(*row) for row in connection.execute(found)]


def _verified(place: Place, rows: Sequence[Row], connection: Connection) -> tuple[Any, Hash]:
    """The block and the hash of its rows, which have to be those on record: tampering must not be made official."""
    of_writer = blocks.c.writer == place.writer
    block = connection.execute(select(blocks).where(of_writer, blocks.c.number == place.number)).one()
    begun = select(writers.c.hash).where(writers.c.id == place.writer)
    before = select(blocks.c.hash).where(of_writer, blocks.c.number == place.number - 1)
    previous = connection.scalar(begun if place.number == 1 else before) or ""
    chained = block_hash(previous, *place, block.decided_at, block.size, block.rows_hash)
    found = rows_hash(rows)
    erased = Erased(connection).of([place]).get(place, ())
    if (chained, len(rows), rows_left(block.rows_hash, erased)) != (block.hash, block.size, found):
        raise DecisionLogError(
            f"Writer {place.writer}, block {place.number} is not as it was stored, so nothing was erased. "
            "Look for what was altered with `credit-scoring decisions verify`."
        )
    return block, found


def _erase_what_followed(decision_id: str, connection: Connection) -> dict[str, Hash | None]:
    """By id the hash of each step of a review, whose text goes, and None for what goes altogether."""
    followed: dict[str, Hash | None] = {}
    for table in (outcomes, explanations, group_ends_table):
        followed |= dict.fromkeys(connection.scalars(select(table.c.id).where(table.c.decision == decision_id)).all())
        connection.execute(delete(table).where(table.c.decision == decision_id))
    of_decision = reviews_table.c.decision == decision_id
    connection.execute(update(reviews_table).where(of_decision).values(reason=""))
    for step in connection.execute(select(reviews_table).where(of_decision)).mappings():
        followed[step["id"]] = events.hash_of(events.REVIEW, step)
    return followed
