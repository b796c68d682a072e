"""Training data from the decision log: decisions with a known outcome."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.schemas import Answer
from credit_scoring.data.datasets import DECISIONS, BadRow, Dataset, check_outcomes
from credit_scoring.data.past_decisions import WithoutOutcome, received
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
    with an outcome. The others are kept beside the rows, as `past`. `on_progress` gets the number of decisions in each
    chunk that was read.
    """
    records: list[dict[str, Any]] = []
    by_people = 0
    defaulted: list[bool] = []
    days: list[Any] = []
    past: list[tuple[float, str]] = []
    bad_rows: list[BadRow] = []
    others = WithoutOutcome(catalogue)
    digest = hashlib.sha256()
    for number, record in enumerate(_known(database, wanted, on_progress, others), start=1):
        application, found = received(record, catalogue)
        bad_rows += [BadRow(number, fault.field, fault.message) for fault in found]
        if found:
            continue
        records.append(application)
        defaulted.append(record["outcome"] == Outcome.DEFAULTED)
        days.append(record["decided_at"].date())
        past.append((record["risk_probability"], record["model"]))
        by_people += record["effective_decision"] == Answer.APPROVED != record["decision"]
        digest.update(f"{record['id']} {record['outcome']}\n".encode())
    outcomes = np.array(defaulted, dtype=np.bool_)
    check_outcomes(DECISIONS, outcomes, "outcome, by POST /outcomes")
    risk, model = zip(*past, strict=True)
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
        past=others.beside(np.array(risk), np.array(model, dtype=object)),
    )


def _known(
    database: Database, wanted: Wanted, on_progress: Callable[[int], None], others: WithoutOutcome
) -> Iterator[Record]:
    """The decisions with an outcome; `others` takes those without one."""
    for chunk in chunks(database, wanted, WHAT_WAS_SAID):
        others.add(chunk)
        yield from (record for record in chunk if record["outcome"])
        on_progress(len(chunk))
