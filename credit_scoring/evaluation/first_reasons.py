"""Which reason comes first for denied clients, in all and by group of the audit fields."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from credit_scoring.application.arrays import Floats
from credit_scoring.data.datasets import Dataset
from credit_scoring.errors import ExplanationError
from credit_scoring.evaluation.fairness import SMALLEST_GROUP, group_labels
from credit_scoring.evaluation.performance import share
from credit_scoring.evaluation.results import FirstReason
from credit_scoring.explanation.reasons import reasons
from credit_scoring.model.scorer import Scorer

MOST = 1_000  # denied clients that are explained: each takes two milliseconds
FAR_MORE = 1.25

ALL = ""


def first_reasons(scorer: Scorer, part: Dataset, risk: Floats, seed: int) -> Iterator[FirstReason]:
    """How often each group of fields is the first reason of denied clients, of at most so many drawn at random.

    None for a model that has no reference applicant. A group of an audit field with too few denied clients is left out.
    """
    denied = np.flatnonzero(risk >= scorer.policy.threshold)
    if len(denied) > MOST:
        denied = np.sort(np.random.default_rng(seed).choice(denied, MOST, replace=False))
    frame = part.frame.iloc[denied]
    try:
        firsts = [_first(scorer, row) for row in frame[list(scorer.card.features)].to_dict("records")]
    except ExplanationError:
        return
    yield from _counted(firsts, ALL, ALL)
    for field in part.catalogue.audit_fields:
        labels = group_labels(frame, field).to_numpy()
        for group in sorted({label for label in labels if not pd.isna(label)}):
            of_group = [first for first, label in zip(firsts, labels, strict=True) if label == group]
            if len(of_group) >= SMALLEST_GROUP:
                yield from _counted(of_group, field, str(group))


def reason_warnings(found: Sequence[FirstReason]) -> Iterator[str]:
    """Where a reason comes first far more often in a group than in all, beyond the interval of its share."""
    of_all = {each.reason: each.share.value for each in found if each.field == ALL}
    for each in found:
        usual = of_all[each.reason]
        if each.field != ALL and each.share.low > FAR_MORE * usual:
            yield (
                f"{each.field} {each.group}: '{each.title}' is the first reason of {each.share} of its denied clients, "
                f"of {usual:.3f} in all."
            )


def _first(scorer: Scorer, row: Mapping[Any, Any]) -> tuple[str, str] | None:
    against = reasons(scorer, {name: None if pd.isna(value) else value for name, value in row.items()}).against
    return (against[0].group, against[0].title) if against else None


def _counted(firsts: Sequence[tuple[str, str] | None], field: str, group: str) -> Iterator[FirstReason]:
    for (reason, title), count in Counter(each for each in firsts if each).most_common():
        yield FirstReason(reason=reason, title=title, field=field, group=group, share=share(count, len(firsts)))
