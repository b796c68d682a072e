"""Decisions put on record as a worker would, for tests of what is done with them later."""

import asyncio
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from itertools import count
from threading import Barrier

from pydantic import JsonValue
from pydantic_core import to_json
from sqlalchemy import Connection, text

from benchmarks.support.consorcio import EXAMPLE_APPLICATION, ConsorcioApplication
from credit_scoring.application.schemas import Answer, Application, Decision
from credit_scoring.decisions.chain import Row
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.database import Result, Work
from credit_scoring.decisions.entries import Entry
from credit_scoring.decisions.ids import first_id_at, new_id
from credit_scoring.decisions.log import DecisionLog
from credit_scoring.decisions.retention import purge_before
from credit_scoring.decisions.writer import Origin
from credit_scoring.model.scorer import Scorer
from credit_scoring.serving.decision_engine import DecisionDesk

TIMEOUT_S = 60.0
THRESHOLD = 0.3
ORIGIN = Origin("credit_scoring:test", "policy-1", THRESHOLD, ("monthly_income", "has_negative_record"), "0.1.0")

_numbers = count()


def of_model(tag: str) -> Origin:
    """What the decisions of a worker with this model have in common."""
    return replace(ORIGIN, model=tag)


def entry(risk: float = 0.1 + 0.2, asked_by: str = "", **fields: JsonValue) -> Entry:
    """A decision on the example application with these fields changed."""
    received = json.dumps({**EXAMPLE_APPLICATION, **fields})
    application = ConsorcioApplication.model_validate_json(received)
    decision = Decision(
        decision=Answer.DENIED if risk >= THRESHOLD else Answer.APPROVED,
        risk_probability=risk,
        threshold=THRESHOLD,
        decision_id=new_id(),
        model=ORIGIN.model,
        policy_version=ORIGIN.policy_version,
    )
    found = _entry(application, decision, ORIGIN.features)
    return found._replace(row=found.row._replace(received=received, asked_by=asked_by))


def decided_by(scorer: Scorer, tag: str, applications: Sequence[Application]) -> list[Entry]:
    """What a worker with this scorer decides on these applications; its origin is `origin_of`."""
    decisions = DecisionDesk(scorer, tag).decide(applications)
    return [_entry(*pair, scorer.card.features) for pair in zip(applications, decisions, strict=True)]


def _entry(application: Application, decision: Decision, features: Sequence[str]) -> Entry:
    seen = to_json([getattr(application, name) for name in features]).decode()
    received = application.model_dump_json(exclude_none=True)
    beside = (decision.rules, decision.outside_training)
    rules, outside = (to_json(names).decode() if names else None for names in beside)
    answer = (decision.risk_probability, decision.decision.value, "", rules, outside, application.replaces)
    return Entry(Row(decision.decision_id, application.application_id, received, seen, *answer), application, decision)


def origin_of(scorer: Scorer, tag: str) -> Origin:
    """What the decisions of a worker with this scorer have in common."""
    policy = scorer.policy
    content, catalogue = policy.model_dump_json(exclude={"version"}), scorer.catalogue.digest
    return Origin(tag, policy.version, policy.threshold, scorer.card.features, "0.1.0", content, catalogue)


def put(
    address: str,
    entries: Sequence[Entry],
    *,
    at: datetime | None = None,
    origin: Origin = ORIGIN,
    timeout: float = TIMEOUT_S,
) -> list[str]:
    """One worker's life with one block: these decisions, given now or `at` another time; their ids, in order."""
    rows = [each.row if at is None else each.row._replace(id=id_at(at)) for each in entries]

    async def live() -> None:
        log = DecisionLog(open_database(address, timeout=timeout), origin)
        try:
            if at is None:
                await log.store(entries)
            else:
                await log.store_given(rows, at)
        finally:
            await log.close()

    asyncio.run(live())
    return [row.id for row in rows]


def id_at(moment: datetime) -> str:
    """An id as one made at this moment, greater than all that were asked for at the same one before."""
    return f"{first_id_at(moment)[:-12]}{next(_numbers):012x}"


def ask(address: str, work: Work[Result], *, reading: bool = False) -> Result:
    """What `work` returns, in the database at this address."""
    database = open_database(address, timeout=TIMEOUT_S)
    try:
        return database.run_now(work, reading=reading)
    finally:
        asyncio.run(database.close())


def ask_at_once(address: str, works: Sequence[Work[Result]]) -> list[Result]:
    """What these return, each in a thread; on a server all of them are in a transaction before any goes on."""
    together = Barrier(len(works), timeout=TIMEOUT_S)

    def do(work: Work[Result]) -> Result:
        def begin(connection: Connection) -> Result:
            if connection.dialect.name == "postgresql":  # SQLite has one writer at a time
                together.wait()
            return work(connection)

        return ask(address, begin)

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(do, works))


def tamper(address: str, statement: str) -> None:
    """Change rows behind the log's back."""

    def work(connection: Connection) -> None:
        assert connection.execute(text(statement)).rowcount, statement

    ask(address, work)


def rows_in(address: str, table: str) -> int:
    """How many rows a table has."""

    def work(connection: Connection) -> int:
        return int(connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0)

    return ask(address, work, reading=True)


def purge(address: str, moment: datetime) -> int:
    """Purge what was decided before this moment; how many decisions that were."""
    database = open_database(address, timeout=TIMEOUT_S)
    try:
        return purge_before(moment, database)
    finally:
        asyncio.run(database.close())
