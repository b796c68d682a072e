"""Checks of blocks of which decisions were erased: what is left of them is what the erasures on record have left."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection, Select, exists, select, tuple_

from credit_scoring.decisions.chain import Hash
from credit_scoring.decisions.head_checks import Place
from credit_scoring.decisions.tables import blocks, erasures
from credit_scoring.decisions.verdict import Verdict, stream

Left = Mapping[Place, Sequence[Any]]


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

    def has_left(self, event: Any, content: Hash | None) -> bool:
        """Whether an erasure has left what an event is about with this hash; None: it has removed it."""
        for each in self.of([Place(event.writer, event.batch)]).get(Place(event.writer, event.batch), ()):
            followed = from_json(each.followed)
            if event.subject in followed:
                return bool(followed[event.subject] == content)
        return False


def rows_left(stored: Hash, made: Iterable[Any]) -> Hash | None:
    """The hash over a block's rows after these erasures, each following from the one before; None if one does not."""
    after = {each.rows_before: each.rows_after for each in made}
    current = stored
    for _ in range(len(after)):
        if current not in after:
            return None
        current = after.pop(current)
    return current


def check_erasures(connection: Connection, verdict: Verdict) -> None:
    """Every erasure against the block that it names."""
    for row in stream(_with_block(), connection):
        verdict.erased += 1
        if row.of_block != row.hash:
            verdict.note(f"Erasure {row.id}: its block is not the one on record.")


def _with_block() -> Select[Any]:
    together = (blocks.c.writer == erasures.c.writer) & (blocks.c.number == erasures.c.batch)
    return select(erasures, blocks.c.hash.label("of_block")).outerjoin(blocks, together)
