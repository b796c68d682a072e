"""Fairness: results by group of the audit fields, which the model does not use."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame, count, mean_prediction, selection_rate

from credit_scoring.application.arrays import Flags, Floats
from credit_scoring.data.datasets import Dataset
from credit_scoring.evaluation.performance import share
from credit_scoring.evaluation.results import GroupResult
from credit_scoring.model.card import Interval

AGE_BANDS = (18, 25, 35, 50, 65, 121)
SMALLEST_GROUP = 30
FOUR_FIFTHS = 0.8


def group_results(part: Dataset, risk: Floats, threshold: float) -> Iterator[GroupResult]:
    """Results of each group of each audit field; a field that is not in the data has no groups."""
    metrics = {"rows": count, "approval_rate": selection_rate, "defaulters": _defaulters, "denied": _denied_defaulters}
    expected = {"expected": mean_prediction}
    for field in part.catalogue.audit_fields:
        labels = group_labels(part.frame, field)
        known = labels.notna().to_numpy()
        if not known.any():  # Kaggle's data have no marital status; fairlearn fails on no rows
            continue
        keys = {"y_true": part.defaulted[known], "sensitive_features": labels[known]}
        approved = MetricFrame(metrics=metrics, y_pred=risk[known] < threshold, **keys).by_group
        predicted = MetricFrame(metrics=expected, y_pred=risk[known], **keys).by_group
        for group, found in approved.join(predicted).iterrows():
            yield _group(field, str(group), found)


def _defaulters(defaulted: Flags, approved: Flags) -> int:
    return int(np.sum(defaulted))


def _denied_defaulters(defaulted: Flags, approved: Flags) -> int:
    return int(np.sum(defaulted & ~approved))


def group_labels(frame: pd.DataFrame, field: str) -> "pd.Series[str]":
    """The group of each row: of ages a band, of other audit fields the value."""
    if field != "age":
        return frame[field]
    names = [f"{low}–{high - 1}" for low, high in pairwise(AGE_BANDS)]
    return pd.cut(frame[field], AGE_BANDS, right=False, labels=names).astype(object)


def _group(field: str, group: str, found: "pd.Series[float]") -> GroupResult:
    rows, bad, expected = int(found["rows"]), int(found["defaulters"]), float(found["expected"])
    observed = share(bad, rows)
    return GroupResult(
        field=field,
        group=group,
        rows=rows,
        defaulters=bad,
        approval_rate=share(round(found["approval_rate"] * rows), rows),
        recall=share(int(found["denied"]), bad) if bad >= SMALLEST_GROUP else None,
        calibration=_over(observed, expected) if rows >= SMALLEST_GROUP else None,
    )


def _over(interval: Interval, divisor: float) -> Interval:
    return Interval(value=interval.value / divisor, low=interval.low / divisor, high=interval.high / divisor)


def group_warnings(groups: Sequence[GroupResult]) -> Iterator[str]:
    """Warnings as sentences, by the four-fifths rule (US Uniform Guidelines 1978), a widely used first check."""
    for field in dict.fromkeys(each.field for each in groups):
        large = [each for each in groups if each.field == field and each.rows >= SMALLEST_GROUP]
        best = max((each.approval_rate.value for each in large), default=0.0)
        for each in large:
            if each.approval_rate.high < FOUR_FIFTHS * best:
                yield (
                    f"{field} {each.group}: approval rate {each.approval_rate}, less than four fifths of the highest "
                    f"group's {best:.3f}."
                )
            if each.calibration and not each.calibration.low <= 1 <= each.calibration.high:
                yield f"{field} {each.group}: {each.calibration} observed defaults per predicted default."
