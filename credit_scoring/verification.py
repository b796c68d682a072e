"""Whether the decision log is as it was written: every hash computed anew, every chain followed to its end."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select

from credit_scoring.chain import Hash, Head, Introduction, Row, batch_hash, rows_hash, writer_hash
from credit_scoring.tables import batches, decisions, purges, writers

ROWS_AT_A_TIME = 5_000
MOST_PROBLEMS = 50

Progress = Callable[[int, int], None]


class Place(NamedTuple):
    """Where a batch stands."""

    writer: str
    number: int


@dataclass
class Verdict:
    """What was found: `problems` in full sentences; `heads` are the ends of the chains, to be noted elsewhere."""

    decisions: int = 0
    batches: int = 0
    purged: int = 0
    problems: list[str] = field(default_factory=list)
    heads: list[tuple[str, int, Hash]] = field(default_factory=list)

    def note(self, problem: str) -> None:
        """One more problem; of very many only the first are kept."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)
        elif len(self.problems) == MOST_PROBLEMS:
            self.problems.append("There are more problems than are listed.")


class _Batch(NamedTuple):
    writer: str
    number: int
    decided_at: datetime
    size: int
    rows_hash: Hash
    hash: Hash


def verify(
    connection: Connection,
    anchors: Sequence[tuple[str, int, Hash]] = (),
    progress: Progress = lambda done, total: None,
) -> Verdict:
    """Check the whole log in one transaction.

    `anchors` are heads that an earlier call found and that were kept elsewhere: they prove that no chain was cut short
    or written anew since. `progress` is told rows done and rows in all.
    """
    verdict = Verdict()
    known = _batches(connection)
    _check_chains(connection, known, verdict)
    _check_anchors(known, anchors, "noted earlier", verdict)
    _check_rows(connection, known, verdict, progress)
    return verdict


def _batches(connection: Connection) -> dict[Place, _Batch]:
    ordered = select(batches).order_by(batches.c.writer, batches.c.number)
    found = (_Batch(*row) for row in connection.execute(ordered))
    return {Place(batch.writer, batch.number): batch for batch in found}


def _check_chains(connection: Connection, known: Mapping[Place, _Batch], verdict: Verdict) -> None:
    introduced = {}
    for row in connection.execute(select(writers)).mappings():
        introduction = Introduction(**{name: row[name] for name in Introduction._fields})
        if writer_hash(introduction) != row["hash"]:
            verdict.note(f"Writer {row['id']}: its introduction was altered.")
        introduced[row["id"]] = row["hash"]
        _check_anchors(known, json.loads(row["heads"]), f"recorded by writer {row['id']}", verdict)
    for writer, chain in groupby(known.values(), lambda batch: batch.writer):
        _check_chain(writer, list(chain), introduced.get(writer), verdict)
    verdict.batches = len(known)


def _check_chain(writer: str, chain: Sequence[_Batch], begun: Hash | None, verdict: Verdict) -> None:
    if begun is None:
        verdict.note(f"Writer {writer}: its introduction was removed.")
    previous = Head(0, begun or "")
    for batch in chain:
        if batch.number != previous.number + 1:
            verdict.note(f"Writer {writer}: batch {previous.number + 1} was removed, or {batch.number} inserted.")
        elif begun and batch.hash != batch_hash(
            previous.hash, writer, batch.number, batch.decided_at, batch.size, batch.rows_hash
        ):
            verdict.note(f"Writer {writer}, batch {batch.number}: altered, or chained to another batch.")
        previous = Head(batch.number, batch.hash)
    verdict.heads.append((writer, *previous))


def _check_anchors(
    known: Mapping[Place, _Batch], anchors: Sequence[Sequence[Any]], source: str, verdict: Verdict
) -> None:
    for writer, number, expected in anchors:
        batch = known.get(Place(writer, number))
        if batch is None:
            verdict.note(f"Writer {writer}: its chain was cut off before batch {number}, {source}.")
        elif batch.hash != expected:
            verdict.note(f"Writer {writer}, batch {number}: not the one {source}.")


def _check_rows(connection: Connection, known: Mapping[Place, _Batch], verdict: Verdict, progress: Progress) -> None:
    """Every batch against its rows; ids rise within a writer, so its batches come one after the other."""
    total = connection.scalar(select(func.count()).select_from(decisions)) or 0
    purged_before = connection.scalar(select(func.max(purges.c.decided_before)))
    seen: set[Place] = set()
    open_batches: dict[str, tuple[Place, list[Row]]] = {}
    for place, row in _rows(connection):
        current = open_batches.get(place.writer)
        if current is None or current[0] != place:
            if current:
                _check_batch(*current, known, seen, verdict)
            current = open_batches[place.writer] = (place, [])
        current[1].append(row)
        verdict.decisions += 1
        if verdict.decisions % ROWS_AT_A_TIME == 0:
            progress(verdict.decisions, total)
    for current in open_batches.values():
        _check_batch(*current, known, seen, verdict)
    for place, batch in known.items():
        if batch.size and place not in seen:
            _judge_absence(batch, purged_before, verdict)
    progress(total, total)


def _rows(connection: Connection) -> Iterator[tuple[Place, Row]]:
    for writer, number, *values in connection.execution_options(yield_per=ROWS_AT_A_TIME).execute(_ordered_rows()):
        yield Place(writer, number), Row(*values)


def _ordered_rows() -> Select[Any]:
    names = ("writer", "batch", *Row._fields)
    return select(*(decisions.c[name] for name in names)).order_by(decisions.c.id)


def _check_batch(
    place: Place, rows: Sequence[Row], known: Mapping[Place, _Batch], seen: set[Place], verdict: Verdict
) -> None:
    batch = known.get(place)
    if batch is None:
        verdict.note(f"Writer {place.writer}: {len(rows)} decisions of batch {place.number}, which is not on record.")
    elif place in seen:
        verdict.note(f"Writer {place.writer}, batch {place.number}: decisions that stand out of order.")
    elif len(rows) != batch.size:
        verdict.note(f"Writer {place.writer}, batch {place.number}: {len(rows)} decisions, {batch.size} were stored.")
    elif rows_hash(rows) != batch.rows_hash:
        verdict.note(f"Writer {place.writer}, batch {place.number}: a decision was altered.")
    seen.add(place)


def _judge_absence(batch: _Batch, purged_before: datetime | None, verdict: Verdict) -> None:
    if purged_before and batch.decided_at < purged_before:
        verdict.purged += batch.size
    else:
        verdict.note(f"Writer {batch.writer}, batch {batch.number}: all of its {batch.size} decisions were removed.")
