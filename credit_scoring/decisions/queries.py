"""Excerpts from the decision log, chunk by chunk: for lists, exports, replays and training."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection, Select, func, select

from credit_scoring.decisions import claims, waiting
from credit_scoring.decisions.database import Database
from credit_scoring.decisions.dossiers import records
from credit_scoring.decisions.effective import effective, steps_between, waits
from credit_scoring.decisions.erased import is_erased
from credit_scoring.decisions.ids import first_id_at
from credit_scoring.decisions.outcomes import last_known
from credit_scoring.decisions.replacements import earlier_ones, later_ones
from credit_scoring.decisions.tables import blocks, decisions, writers
from credit_scoring.decisions.unknowns import names_in

CHUNK = 5_000
EVERYTHING = records()
WHAT_WAS_SAID = EVERYTHING.with_only_columns(  # without what only a replay needs
    *(decisions.c[name] for name in ("id", "application_id", "received", "risk_probability", "decision", "asked_by")),
    *(decisions.c[name] for name in ("rules", "outside_training", "replaces")),
    blocks.c.decided_at,
    *(writers.c[name] for name in ("model", "policy_version", "threshold", "service_version")),
    maintain_column_froms=True,
)

Record = dict[str, Any]

# The columns of a file of decisions, before and after those of the application.
BEFORE = (
    *("decision_id", "decided_at", "application_id", "decision", "risk_probability", "threshold"),
    *("model", "policy_version", "service_version", "asked_by", "rules", "outside_training", "replaces"),
)
AFTER = ("effective_decision", "outcome", "observed_on", "replaced_by", "erased")


@dataclass(frozen=True)
class Wanted:
    """Which decisions: given from `since` on, before `until`, by this model and policy; None is no limit.

    `decision` is the answer as it was given, `rule` one that did not pass, `waiting` those that people have to look at.
    """

    since: datetime | None = None
    until: datetime | None = None
    model: str | None = None
    policy: str | None = None
    application_id: str | None = None
    decision: str | None = None
    rule: str | None = None
    waiting: bool = False

    @property
    def is_scanned(self) -> bool:
        """Whether decisions have to be looked at to know that they are not wanted: no index tells."""
        return bool(self.model or self.policy or self.decision or self.rule)

    def restrict(self, query: Select[Any]) -> Select[Any]:
        """The query, which names decisions and writers, for these decisions only."""
        query = self.narrow(query)
        equal = {
            writers.c.model: self.model,
            writers.c.policy_version: self.policy,
            decisions.c.decision: self.decision,
        }
        query = query.where(*(column == value for column, value in equal.items() if value))
        if self.rule:
            query = query.where(decisions.c.rules.contains(f'"{self.rule}"', autoescape=True))
        return query

    def narrow(self, query: Select[Any]) -> Select[Any]:
        """The query, which names decisions, for those that indexes find."""
        if self.since:
            query = query.where(decisions.c.id >= first_id_at(self.since))
        if self.until:
            query = query.where(decisions.c.id < first_id_at(self.until))
        if self.application_id is not None:
            query = query.where(decisions.c.id.in_(claims.answering_for(self.application_id)))
        return query.where(decisions.c.id.in_(waiting.ids())) if self.waiting else query


def count(wanted: Wanted, connection: Connection) -> int:
    """How many there are."""
    query = select(func.count()).select_from(decisions)
    if wanted.model or wanted.policy:
        query = query.join(writers, writers.c.id == decisions.c.writer)
    return connection.scalar(wanted.restrict(query)) or 0


def latest(wanted: Wanted, most: int, connection: Connection) -> list[Record]:
    """The newest ones, newest first, each with what counts now and its last outcome."""
    query = wanted.restrict(EVERYTHING).order_by(decisions.c.id.desc()).limit(most)
    return with_what_followed([dict(row._mapping) for row in connection.execute(query)], connection)


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
    later = " ".join(each.decision_id for each in record["replaced_by"]) or None
    found = {"decision_id": record["id"], **record, **names, "replaced_by": later, "erased": None, **of_application}
    if is_erased(record["received"]):
        found |= {"erased": True, "risk_probability": None}  # what is left of it is no probability
    return {name: found[name] for name in (*BEFORE, *of_application, *AFTER)}


def _chunk(query: Select[Any], connection: Connection) -> list[Record]:
    found = connection.execute(query)
    names = tuple(found.keys())
    return with_what_followed([dict(zip(names, row, strict=True)) for row in found], connection)


def with_what_followed(found: list[Record], connection: Connection) -> list[Record]:
    """Add what counts now of each, whether it waits, and its last outcome, None where nothing is known yet.

    Where the records say what they replace, `earlier` is that one, and `replaced_by` those that replace them.
    """
    if not found:
        return found
    ids = [record["id"] for record in found]
    last = last_known(min(ids), max(ids), connection)
    steps = steps_between(min(ids), max(ids), connection)
    for record in found:
        taken = steps.get(record["id"], ())
        record["effective_decision"] = effective(record["decision"], taken)
        record["waiting"] = waits(record["decision"], taken) and not is_erased(record["received"])
        record["outcome"], record["observed_on"] = last.get(record["id"], (None, None))
    return _linked(found, connection) if "replaces" in found[0] else found


def _linked(found: list[Record], connection: Connection) -> list[Record]:
    earlier, later = earlier_ones(found, connection), later_ones(found, connection)
    for record in found:
        record["earlier"] = earlier.get(record["id"])
        record["replaced_by"] = later.get(record["id"], [])
    return found
