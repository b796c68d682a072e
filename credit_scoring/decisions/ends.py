"""Where the chains of writers end; each is looked up by key, whatever the log holds."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Select, func, select

from credit_scoring.decisions.chain import Hash
from credit_scoring.decisions.tables import blocks, writers

End = tuple[str, int, Hash]


def of_all(connection: Connection) -> Iterator[End]:
    """Writer, number and hash of every writer's last block; before the first 0 and the writer's own hash."""
    return _found(_ends(None), connection)


def of_newest(count: int, connection: Connection) -> Iterator[End]:
    """The same of so many writers, those that began last."""
    return _found(_ends(count), connection)


def _ends(count: int | None) -> Select[Any]:
    number = select(func.max(blocks.c.number)).where(blocks.c.writer == writers.c.id).scalar_subquery()
    ordered = select(writers.c.id, writers.c.hash, number.label("number")).order_by(writers.c.id.desc())
    last = ordered.limit(count).subquery()
    of_last = (blocks.c.writer == last.c.id) & (blocks.c.number == last.c.number)
    hashed = func.coalesce(blocks.c.hash, last.c.hash)
    return select(last.c.id, func.coalesce(last.c.number, 0), hashed).outerjoin(blocks, of_last)


def _found(statement: Select[Any], connection: Connection) -> Iterator[End]:
    rows: Sequence[Any] = connection.execute(statement).all()
    return ((writer, number, hashed) for writer, number, hashed in rows)
