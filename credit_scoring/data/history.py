"""Training data from the decision log: decisions with a known outcome."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from pydantic import ValidationError
from pydantic_core import from_json

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.schemas import REPLACES, SOURCES, Answer, Fault, faults
from credit_scoring.data.datasets import DECISIONS, BadRow, Dataset, check_outcomes
from credit_scoring.decisions.database import Database
from credit_scoring.decisions.outcomes import Outcome
from credit_scoring.decisions.queries import WHAT_WAS_SAID, Record, Wanted, chunks
from credit_scoring.model.features import application_frame

NOTE = (
    "Decisions of this service whose outcome is known. Mostly clients that were approved: those that were denied have "
    "no outcome, so that the model learns little of them."
)


def load_decisions(
    database: Database,
    wanted: Wanted,
    catalogue: Catalogue,
    on_progress: Callable[[int], None] = lambda read: None,
) -> Dataset:
    """Every decision with an outcome, oldest first; raises DataError where there are too few.

    Applications are taken as received; those that the catalogue rejects are bad rows, numbered among the decisions
    with an outcome. `on_progress` gets the number of decisions in each chunk that was read.
    """
    records: list[dict[str, Any]] = []
    by_people = 0
    defaulted: list[bool] = []
    days: list[Any] = []
    bad_rows: list[BadRow] = []
    digest = hashlib.sha256()
    for number, record in enumerate(_known(database, wanted, on_progress), start=1):
        application, found = _application(record, catalogue)
        bad_rows += [BadRow(number, fault.field, fault.message) for fault in found]
        if found:
            continue
        records.append(application)
        defaulted.append(record["outcome"] == Outcome.DEFAULTED)
        days.append(record["decided_at"].date())
        by_people += record["effective_decision"] == Answer.APPROVED != record["decision"]
        digest.update(f"{record['id']} {record['outcome']}\n".encode())
    outcomes = np.array(defaulted, dtype=np.bool_)
    check_outcomes(DECISIONS, outcomes, "outcome, by POST /outcomes")
    return Dataset(
        source=DECISIONS,
        sha256=digest.hexdigest(),
        note=f"{NOTE} {by_people:,} of them were approved by people, not by the model.",
        catalogue=catalogue,
        frame=application_frame(records, catalogue, tuple(catalogue.fields)),
        defaulted=outcomes,
        bad_rows=tuple(bad_rows),
        unused_columns=(),
        days=np.array(days, dtype="datetime64[D]"),
    )


def _known(database: Database, wanted: Wanted, on_progress: Callable[[int], None]) -> Iterator[Record]:
    """The decisions with an outcome."""
    for chunk in chunks(database, wanted, WHAT_WAS_SAID):
        yield from (record for record in chunk if record["outcome"])
        on_progress(len(chunk))


def _application(record: Record, catalogue: Catalogue) -> tuple[dict[str, Any], list[Fault]]:
    """The fields of an application, or why this catalogue rejects it."""
    try:
        received = from_json(record["received"])
        for name in ("application_id", SOURCES, REPLACES):
            received.pop(name, None)
        return catalogue.application.model_validate(received).model_dump(), []
    except ValidationError as error:
        return {}, faults(error)
