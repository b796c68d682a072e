"""The administrator's own history as training data: decisions on record whose outcome is known."""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
from pydantic import ValidationError
from pydantic_core import from_json

from credit_scoring.database import Database
from credit_scoring.datasets import Dataset, check_outcomes
from credit_scoring.excerpts import Wanted, pages
from credit_scoring.mapping import MAPPABLE
from credit_scoring.outcomes import Outcome
from credit_scoring.preprocessing import application_frame
from credit_scoring.schemas import Application

NOTE = (
    "Decisions of this service whose outcome is known. Mostly clients that were approved: those that were denied have "
    "no outcome, so that the model learns little of them."
)


def load_decisions(database: Database, wanted: Wanted, progress: Callable[[int], None] = lambda read: None) -> Dataset:
    """Every decision with an outcome, oldest first; raises DataError where there are too few.

    An application is taken as it was received. `progress` is told the decisions that were read, page by page.
    """
    records: list[dict[str, Any]] = []
    defaulted: list[bool] = []
    days: list[Any] = []
    digest = hashlib.sha256()
    for page in pages(database, wanted):
        for record in page:
            application = _application(record) if record["outcome"] else None
            if application is None:
                continue
            records.append(application)
            defaulted.append(record["outcome"] == Outcome.DEFAULTED)
            days.append(record["decided_at"].date())
            digest.update(f"{record['id']} {record['outcome']}\n".encode())
        progress(len(page))
    outcomes = np.array(defaulted, dtype=np.bool_)
    check_outcomes("decisions", outcomes, "outcome, by POST /outcomes")
    return Dataset(
        source="decisions",
        sha256=digest.hexdigest(),
        note=NOTE,
        frame=application_frame(records, MAPPABLE),
        defaulted=outcomes,
        bad_rows=(),
        unused_columns=(),
        days=np.array(days, dtype="datetime64[D]"),
    )


def _application(record: dict[str, Any]) -> dict[str, Any] | None:
    """The fields of an application; None where it is not one of this version's any more."""
    try:
        return Application.model_validate(from_json(record["received"])).model_dump()
    except ValidationError:
        return None
