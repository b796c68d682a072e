"""How steady a model is over the months of its data."""

from collections.abc import Iterator

import numpy as np
from sklearn.metrics import roc_auc_score

from credit_scoring.application.arrays import Floats
from credit_scoring.data.datasets import Dataset
from credit_scoring.evaluation.approved import FEWEST_OF_EACH
from credit_scoring.evaluation.performance import share
from credit_scoring.evaluation.results import MonthResult


def by_month(part: Dataset, risk: Floats, threshold: float) -> Iterator[MonthResult]:
    """Results of each month in which there were decisions, oldest first; none where their days are not known."""
    if part.days is None:
        return
    months = part.days.astype("datetime64[M]")
    for month in np.unique(months):
        rows = months == month
        defaulted, own = part.defaulted[rows], risk[rows]
        bad = int(defaulted.sum())
        enough = min(bad, len(own) - bad) >= FEWEST_OF_EACH
        yield MonthResult(
            month=str(month),
            rows=len(own),
            default_rate=share(bad, len(own)),
            approval_rate=float(np.mean(own < threshold)),
            auc=float(roc_auc_score(defaulted, own)) if enough else None,
        )
