"""Decisions and their outcomes as arrays, read from the decision log chunk by chunk."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from credit_scoring.application.schemas import Answer
from credit_scoring.decisions.database import Database
from credit_scoring.decisions.effective import effective, steps_between
from credit_scoring.decisions.erased import is_held
from credit_scoring.decisions.ids import first_id_at, made_at
from credit_scoring.decisions.outcomes import Outcome, first_reported, last_known, reporting_began
from credit_scoring.decisions.tables import decisions, writers
from credit_scoring.monitoring.cohorts import Decided

CHUNK = 20_000
EPOCH = date(1970, 1, 1)


@dataclass
class _Columns:
    """The columns of one model, as read so far."""

    days: list[int] = field(default_factory=list)
    risk: list[float] = field(default_factory=list)
    denied: list[bool] = field(default_factory=list)
    defaulted: list[bool] = field(default_factory=list)
    delays: list[int] = field(default_factory=list)

    def decided(self) -> Decided:
        """As arrays."""
        return Decided(
            np.array(self.days, dtype=np.int64),
            np.array(self.risk, dtype=np.float64),
            np.array(self.denied, dtype=np.bool_),
            np.array(self.defaulted, dtype=np.bool_),
            np.array(self.delays, dtype=np.int64),
        )


def read(database: Database, since: datetime) -> Mapping[str, Decided]:
    """Every decision since then, by model; of erased ones neither risk nor outcome is left."""
    models = database.run_now(_models, reading=True)
    columns: dict[str, _Columns] = defaultdict(_Columns)
    after = first_id_at(since)
    began = database.run_now(reporting_began, reading=True)
    while chunk := database.run_now(partial(_chunk, after, began), reading=True):
        after = chunk[-1][0]
        _add(chunk, models, columns)
    return {model: found.decided() for model, found in columns.items()}


def _models(connection: Connection) -> dict[str, str]:
    rows = connection.execute(select(writers.c.id, writers.c.model))
    return {row.id: row.model for row in rows}


def _chunk(after: str, began: date | None, connection: Connection) -> list[tuple[Any, ...]]:
    """Rows of id, writer, risk, whether it was denied, outcome and the day it was known from, which may be None."""
    columns = (decisions.c.id, decisions.c.writer, decisions.c.risk_probability, decisions.c.decision)
    query = select(*columns).where(decisions.c.id > after, is_held()).order_by(decisions.c.id).limit(CHUNK)
    rows = connection.execute(query).all()
    if not rows:
        return []
    last = last_known(rows[0].id, rows[-1].id, connection)
    first = first_reported(rows[0].id, rows[-1].id, connection)
    steps = steps_between(rows[0].id, rows[-1].id, connection)
    known = {
        id: (outcome, _known_on(observed_on, first.get(id, observed_on), began))
        for id, (outcome, observed_on) in last.items()
    }
    return [
        (id, writer, risk, _is_denied(answer, steps.get(id, ())), *known.get(id, (None, None)))
        for id, writer, risk, answer in rows
    ]


def _known_on(observed_on: date, reported_on: date, began: date | None) -> date:
    """The day of the first report; of an outcome from before reports began, whose report had to wait, its own day."""
    return reported_on if began and observed_on >= began else observed_on


def _is_denied(answer: str, steps: Sequence[str]) -> bool:
    """Whether the model denied it, or people did not approve it (yet).

    Clients whom people approved against the model do not count as approved: they are not a random sample of any risk.
    """
    return answer == Answer.DENIED or effective(answer, steps) != Answer.APPROVED


def _add(chunk: Sequence[tuple[Any, ...]], models: Mapping[str, str], columns: dict[str, _Columns]) -> None:
    for decision_id, writer, risk, denied, outcome, known_on in chunk:
        day = (made_at(decision_id).date() - EPOCH).days
        into = columns[models.get(writer, "")]
        into.days.append(day)
        into.risk.append(risk)
        into.denied.append(denied)
        into.defaulted.append(outcome == Outcome.DEFAULTED)
        into.delays.append(-1 if known_on is None else max(0, (known_on - EPOCH).days - day))
