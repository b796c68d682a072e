"""What is left of an erased decision: its id, when and by which model it was given, its answer, a band of its risk."""

import re
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import ColumnElement

from credit_scoring.decisions.chain import Row
from credit_scoring.decisions.tables import decisions
from credit_scoring.errors import RequestError

ERASED = '{"erased":true}'  # in the place of the application as received
BANDS = 10
# What an erasure overwrites; all else of a decision stays.
OVERWRITTEN = (
    *("application_id", "received", "seen", "risk_probability"),
    *("rules", "outside_training", "replaces"),
)
_NOTHING_SEEN = re.compile(r"\[(null(,null)*)?\]")
_LOWER_ENDS = frozenset(number / BANDS for number in range(BANDS))


def is_erased(received: str) -> bool:
    """Whether the application of a decision was erased."""
    return received == ERASED


def is_held() -> ColumnElement[bool]:
    """The same for queries, the other way round."""
    return decisions.c.received != ERASED


def remains(row: Row) -> Row:
    """What is left of a decision; who asked for it is no applicant."""
    seen = to_json([None] * len(from_json(row.seen))).decode()
    return Row(row.id, None, ERASED, seen, band(row.risk_probability), row.decision, row.asked_by)


def is_remainder(row: Any) -> bool:
    """Whether a stored decision holds what an erasure leaves, and nothing else."""
    blank = (row.application_id, row.rules, row.outside_training, row.replaces)
    return (
        is_erased(row.received)
        and all(value is None for value in blank)
        and row.risk_probability in _LOWER_ENDS
        and _NOTHING_SEEN.fullmatch(row.seen) is not None
    )


def band(risk: float) -> float:
    """The lower end of a tenth."""
    return min(int(risk * BANDS), BANDS - 1) / BANDS


def erased_error() -> RequestError:
    """For whoever wants more of an erased decision than is left."""
    return RequestError(409, "The data of this decision were erased; its dossier says when and why.", "erased")
