"""A decision log of any size: clients drawn from the embedded data, decided by a scorer, some with an outcome."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
from pydantic_core import from_json, to_json
from sqlalchemy import Connection, insert

from benchmarks.support.consorcio import FIELDS
from benchmarks.support.decision_records import origin_of
from credit_scoring.data.datasets import load_embedded
from credit_scoring.decisions.chain import Row
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.outcomes import Outcome
from credit_scoring.decisions.tables import outcomes
from credit_scoring.decisions.writer import Writer
from credit_scoring.model.scorer import Scorer
from credit_scoring.settings import PROJECT_FOLDER

BLOCK = 1_000
TIMEOUT_S = 600.0
KNOWN = 0.6  # share of approved clients with an outcome
SCATTER = 0.05  # standard deviation of the logarithm of an amount's factor

Application = dict[str, Any]


async def fill(address: str, scorer: Scorer, tag: str, count: int, seed: int) -> AsyncIterator[int]:
    """Decide these many clients, the same for the same seed; yields how many are stored after each block.

    Outcomes are drawn by the risk and stored without their events, which a backtest does not read.
    """
    random = np.random.default_rng(seed)
    database = open_database(address, timeout=TIMEOUT_S)
    writer = Writer(database, origin_of(scorer, tag))
    known = _clients()
    for start in range(0, count, BLOCK):
        drawn = random.integers(len(known), size=min(BLOCK, count - start))
        rows = _decided([_scattered(known[place], random) for place in drawn.tolist()], scorer)
        await writer.append(rows, datetime.now(UTC))
        if reports := _reports(rows, random):
            await database.run(partial(_report, reports))
        yield start + len(drawn)
    await writer.close()
    await database.close()


def _clients() -> list[Application]:
    rows = from_json(load_embedded(PROJECT_FOLDER / "data").frame.to_json(orient="records"))
    flags = {name for name, field in FIELDS.items() if field.kind == "flag"}
    return [
        {name: bool(value) if name in flags else value for name, value in row.items() if value is not None}
        for row in rows
    ]


def _scattered(client: Application, random: np.random.Generator) -> Application:
    factor = float(np.exp(random.normal(0, SCATTER)))
    in_reais = (name for name in client if FIELDS[name].unit == "BRL")
    return {**client, **{name: round(client[name] * factor, 2) for name in in_reais}}


def _decided(clients: Sequence[Application], scorer: Scorer) -> list[Row]:
    records = [{name: client.get(name) for name in FIELDS} for client in clients]
    risks, rulings = scorer.decide(records)
    features = scorer.card.features
    return [
        Row(
            id=new_id(),
            application_id=None,
            received=to_json(client).decode(),
            seen=to_json([client.get(name) for name in features]).decode(),
            risk_probability=risk,
            decision=ruling.answer.value,
            asked_by="",
            rules=to_json(ruling.rules).decode() if ruling.rules else None,
        )
        for client, risk, ruling in zip(clients, risks.tolist(), rulings, strict=True)
    ]


def _reports(rows: Sequence[Row], random: np.random.Generator) -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    with_contract = [row for row in rows if row.decision == "APROVADO" and random.random() < KNOWN]
    said = {True: Outcome.DEFAULTED.value, False: Outcome.PAID.value}
    common = {"observed_on": now.date(), "reported_at": now, "reported_by": ""}
    return [
        {"id": new_id(), "decision": row.id, "outcome": said[random.random() < row.risk_probability], **common}
        for row in with_contract
    ]


def _report(reports: Sequence[dict[str, Any]], connection: Connection) -> None:
    connection.execute(insert(outcomes), reports)
