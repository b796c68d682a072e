"""Checks of blocks of which decisions were erased: what is left of them is what the erasures on record have left."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic_core import from_json
from sqlalchemy import Connection, Select, exists, func, select, tuple_

from credit_scoring.decisions.chain import Hash
from credit_scoring.decisions.erased import OVERWRITTEN, is_held, is_remainder
from credit_scoring.decisions.events import REVIEW, hash_of
from credit_scoring.decisions.head_checks import Place, portions
from credit_scoring.decisions.tables import blocks, decisions, erasures
from credit_scoring.decisions.verdict import Verdict, stream

Left = Mapping[Place, Sequence[Any]]


class Remnant(NamedTuple):
    """What an erasure has left of what followed a decision: nothing, or a review step without its text."""

    decision: str
    hash: Hash | None

    def is_there(self, content: Mapping[Any, Any] | None) -> bool:
        """Whether that is what is stored."""
        if content is None or self.hash is None:
            return content is None and self.hash is None
        is_its_own = bool(content["decision"] == self.decision and content.get("reason") == "")
        return is_its_own and hash_of(REVIEW, content) == self.hash


Listed = Mapping[tuple[Place | None, str], Sequence[Remnant]]


class Erased:
    """What erasures on record have left; they themselves are checked by `check_erasures` and by their events."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_any = bool(connection.scalar(select(exists(select(erasures.c.id)))))

    def of(self, places: Sequence[Place]) -> Left:
        """The erasures in each of these blocks."""
        found: dict[Place, list[Any]] = defaultdict(list)
        if self._is_any:
            wanted = select(erasures).where(tuple_(erasures.c.writer, erasures.c.batch).in_(places))
            for row in self._connection.execute(wanted):
                found[Place(row.writer, row.batch)].append(row)
        return found

    def listed(self, chunk: Sequence[Any]) -> Listed:
        """What erasures say of all that followed decisions in the blocks of these events."""
        found: dict[tuple[Place | None, str], list[Remnant]] = defaultdict(list)
        for places in portions({decided_in(event) for event in chunk} - {None}):
            for place, made in self.of(places).items():
                for subject, remnant in _remnants(made):
                    found[place, subject].append(remnant)
        for subject, remnant in self._of_subjects({event.subject for event in chunk if decided_in(event) is None}):
            found[None, subject].append(remnant)
        return found

    def _of_subjects(self, wanted: Collection[str]) -> Iterator[tuple[str, Remnant]]:
        """What erasures say of these, wherever their decisions stand."""
        every = stream(select(erasures), self._connection) if wanted and self._is_any else ()
        return (each for each in _remnants(every) if each[0] in wanted)


def decided_in(event: Any) -> Place | None:
    """The block of the decision that an event followed; earlier versions knew none of one that waited in a spool."""
    return Place(event.writer, event.batch) if event.writer else None


def _remnants(made: Iterable[Any]) -> Iterator[tuple[str, Remnant]]:
    """What these erasures have left, by subject."""
    for each in made:
        for subject, hashed in _followed(each).items():
            yield subject, Remnant(each.decision, hashed)


def _followed(erasure: Any) -> Mapping[str, Hash | None]:
    """By subject; nothing where it was made unreadable, which the event of the erasure shows."""
    try:
        found = from_json(erasure.followed)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def rows_left(stored: Hash, made: Sequence[Any]) -> Hash | None:
    """The hash over a block's rows after these erasures, each following from the one before; None if one does not."""
    after = {each.rows_before: each.rows_after for each in made}
    current = stored
    for _ in made:
        if current not in after:
            return None
        current = after.pop(current)
    return current


def check_erasures(connection: Connection, verdict: Verdict) -> None:
    """Every erasure against its block and decision; of no other decision was anything erased."""
    for row in stream(_with_block_and_decision(), connection):
        verdict.erased += 1
        if row.of_block != row.hash:
            verdict.note(f"Erasure {row.id}: its block is not the one on record.")
        if (row.decided_in, row.decided_at_number) != (row.writer, row.batch) or not is_remainder(row):
            verdict.note(f"Erasure {row.id}: the data of decision {row.decision} are not erased.")
    if verdict.erased:
        for decision in stream(_erased_without_erasure(), connection):
            verdict.note(f"Decision {decision.id}: its data were erased, and no erasure names it.")
        for erasure in stream(_named_again(), connection):
            verdict.note(f"Decision {erasure.decision}: several erasures name it.")


def _with_block_and_decision() -> Select[Any]:
    of_block = (blocks.c.writer == erasures.c.writer) & (blocks.c.number == erasures.c.batch)
    place = (decisions.c.writer.label("decided_in"), decisions.c.batch.label("decided_at_number"))
    left = select(erasures, blocks.c.hash.label("of_block"), *place, *(decisions.c[name] for name in OVERWRITTEN))
    return left.outerjoin(blocks, of_block).outerjoin(decisions, decisions.c.id == erasures.c.decision)


def _erased_without_erasure() -> Select[Any]:
    named = erasures.c.decision == decisions.c.id
    return select(decisions.c.id).outerjoin(erasures, named).where(~is_held(), erasures.c.id.is_(None))


def _named_again() -> Select[Any]:
    return select(erasures.c.decision).group_by(erasures.c.decision).having(func.count() > 1)
