"""Excerpts from the decision log, chunk by chunk: for lists, exports, replays and training."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection, Select, func, select

from credit_scoring.decisions.database import Database
from credit_scoring.decisions.dossiers import records
from credit_scoring.decisions.effective import effective, steps_between
from credit_scoring.decisions.ids import first_id_at
from credit_scoring.decisions.outcomes import last_known
from credit_scoring.decisions.tables import blocks, decisions, writers
from credit_scoring.decisions.unknowns import names_in

CHUNK = 5_000
EVERYTHING = records()
WHAT_WAS_SAID = EVERYTHING.with_only_columns(  # without what only a replay needs
    *(decisions.c[name] for name in ("id", "application_id", "received", "risk_probability", "decision", "asked_by")),
    *(decisions.c[name] for name in ("rules", "outside_training")),
    blocks.c.decided_at,
    *(writers.c[name] for name in ("model", "policy_version", "threshold", "service_version")),
    maintain_column_froms=True,
)

Record = dict[str, Any]

# The columns of a file of decisions, before and after those of the application.
BEFORE = (
    *("decision_id", "decided_at", "application_id", "decision", "risk_probability", "threshold"),
    *("model", "policy_version", "service_version", "asked_by", "rules", "outside_training"),
)
AFTER = ("effective_decision", "outcome", "observed_on")


@dataclass(frozen=True)
class Wanted:
    """Which decisions: given from `since` on, before `until`, by this model; None is no limit."""

    since: datetime | None = None
    until: datetime | None = None
    model: str | None = None

    def restrict(self, query: Select[Any]) -> Select[Any]:
        """The query, which names decisions and writers, for these decisions only."""
        if self.since:
            query = query.where(decisions.c.id >= first_id_at(self.since))
        if self.until:
            query = query.where(decisions.c.id < first_id_at(self.until))
        return query.where(writers.c.model == self.model) if self.model else query


def count(wanted: Wanted, connection: Connection) -> int:
    """How many there are."""
    query = select(func.count()).select_from(decisions)
    if wanted.model:
        query = query.join(writers, writers.c.id == decisions.c.writer)
    return connection.scalar(wanted.restrict(query)) or 0


def latest(wanted: Wanted, most: int, connection: Connection) -> list[Record]:
    """The newest ones, newest first, each with what counts now and its last outcome."""
    query = wanted.restrict(EVERYTHING).order_by(decisions.c.id.desc()).limit(most)
    return _with_what_followed([dict(row._mapping) for row in connection.execute(query)], connection)


def chunks(database: Database, wanted: Wanted, columns: Select[Any] = EVERYTHING) -> Iterator[list[Record]]:
    """All of them, oldest first, each with what counts now and its last outcome.

    Every chunk is read in a transaction of its own. The next chunk is read while the caller is busy with this one.
    """
    query = wanted.restrict(columns).order_by(decisions.c.id).limit(CHUNK)
    with ThreadPoolExecutor(1, "excerpts") as ahead:
        chunk = _read(database, query)
        while chunk:
            coming = ahead.submit(_read, database, query.where(decisions.c.id > chunk[-1]["id"]))
            yield chunk
            chunk = coming.result()


def _read(database: Database, query: Select[Any]) -> list[Record]:
    return database.run_now(partial(_chunk, query), reading=True)


def flat(record: Mapping[str, Any], fields: Iterable[str]) -> Record:
    """A record as one row of a table: the decision, these fields of the application as received, what followed."""
    received = from_json(record["received"])
    of_application = {name: received.get(name) for name in fields}
    names = {name: " ".join(names_in(record[name])) or None for name in ("rules", "outside_training")}
    found = {"decision_id": record["id"], **record, **names, **of_application}
    return {name: found[name] for name in (*BEFORE, *of_application, *AFTER)}


def _chunk(query: Select[Any], connection: Connection) -> list[Record]:
    found = connection.execute(query)
    names = tuple(found.keys())
    return _with_what_followed([dict(zip(names, row, strict=True)) for row in found], connection)


def _with_what_followed(found: list[Record], connection: Connection) -> list[Record]:
    """Add what counts now of each, and its last outcome, None where nothing is known yet."""
    if not found:
        return found
    ids = [record["id"] for record in found]
    last = last_known(min(ids), max(ids), connection)
    steps = steps_between(min(ids), max(ids), connection)
    for record in found:
        record["effective_decision"] = effective(record["decision"], steps.get(record["id"], ()))
        record["outcome"], record["observed_on"] = last.get(record["id"], (None, None))
    return found
