"""The reference applicant: whom reasons compare a client with. Nobody's data; docs/adr/0016 has the measurements.

For each threshold that a policy may have, the centre of the training applicants who were approved just under it: the
median of each number to two digits, the commonest value of the rest. A policy's threshold may be moved without a new
training, so that one is kept for each.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from credit_scoring.application.arrays import Floats, Rows
from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.fields import ApplicationField
from credit_scoring.model.proof_rows import DIGITS
from credit_scoring.policy.costs import THRESHOLDS

NEAREST = 0.1  # of the approved, those whose risk is the highest
FEWEST, MOST = 30, 1000  # of them, so that a median is nobody's own figure and takes no time

Values = dict[str, JsonValue]
Score = Callable[[Sequence[Mapping[str, Any]]], Floats]


class ReferenceApplicant(BaseModel):
    """A made-up applicant whom a policy with this threshold, or a higher one, approves."""

    model_config = ConfigDict(frozen=True)

    threshold: float
    risk: float = Field(description="Risk probability that the model gives; below the threshold.")
    values: Values


def reference_applicants(
    features: pd.DataFrame,
    risk: Floats,
    catalogue: Catalogue,
    score: Score,
) -> tuple[ReferenceApplicant, ...]:
    """One for each threshold, rising, unless its centre is that of the threshold below it or not approved itself.

    `risk` is the held-out risk of each row of the training frame; `score` gives the model's own.
    """
    order = np.argsort(-risk, kind="stable")
    bands = {threshold: _just_approved(risk, order, threshold) for threshold in THRESHOLDS.tolist()}
    centres = {each: centre(features.iloc[rows], catalogue) for each, rows in bands.items() if len(rows) >= FEWEST}
    found: list[ReferenceApplicant] = []
    for (threshold, values), own in zip(centres.items(), _scored(score, centres), strict=True):
        if own < threshold and not (found and found[-1].values == values):
            found.append(ReferenceApplicant(threshold=threshold, risk=own, values=values))
    return tuple(found)


def _scored(score: Score, centres: Mapping[float, Values]) -> list[float]:
    return score([*centres.values()]).tolist() if centres else []


def _just_approved(risk: Floats, order: Rows, threshold: float) -> Rows:
    """The rows under a threshold that are nearest to it; `order` is by falling risk."""
    approved = order[risk[order] < threshold]
    return approved[: min(max(round(NEAREST * len(approved)), FEWEST), MOST)]


def centre(frame: pd.DataFrame, catalogue: Catalogue) -> Values:
    """Of each column the median or the commonest value; None where more than half of the rows have none."""
    return {str(name): _middle(catalogue.fields[str(name)], frame[name]) for name in frame}


def _middle(field: ApplicationField, column: "pd.Series[Any]") -> JsonValue:
    known = column.dropna()
    if 2 * len(known) < len(column) or known.empty:
        return None
    if not field.is_number:
        value = known.mode().iloc[0]
        return bool(value) if field.kind == "flag" else str(value)
    median = float(known.median())
    short = float(f"{median:.{DIGITS}g}")
    value = short if _within(field, short) else median
    return round(value) if field.kind == "integer" else value


def _within(field: ApplicationField, value: float) -> bool:
    low = -np.inf if field.at_least is None else field.at_least
    high = np.inf if field.at_most is None else field.at_most
    return bool(low <= value <= high and (field.above is None or value > field.above))
