"""An honest teacher, as docs/training.md shows how to make one: fitted for each fold, and for each pair of folds."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from credit_scoring.application.arrays import Flags, Floats
from credit_scoring.data.datasets import Dataset

Says = Callable[[Flags, Flags], Floats]  # the probabilities of the rows of the second, fitted on those of the first


def filled(rows: pd.DataFrame, says: Says) -> pd.DataFrame:
    """The rows that `credit-scoring data --teacher-rows` wrote, with what the teacher says of them."""
    found = rows.copy()
    for fold in sorted(rows.fold.unique()):
        own = (rows.fold == fold).to_numpy()
        found.loc[own, "out_of_fold"] = says(~own, own)
        for other in sorted({*rows.fold} - {fold}):
            found.loc[own, f"without_{other}"] = says(~own & (rows.fold != other).to_numpy(), own)
    return found


def regression(dataset: Dataset, lines: "pd.Series[int]") -> Says:
    """A logistic regression on the numbers of these lines."""
    assert dataset.lines is not None
    places = np.searchsorted(dataset.lines, lines)
    numbers = dataset.frame[list(dataset.columns.numbers)].fillna(0).to_numpy()[places]
    defaulted = dataset.defaulted[places]

    def says(fit_rows: Flags, on: Flags) -> Floats:
        model = make_pipeline(StandardScaler(), LogisticRegression())
        found: Floats = model.fit(numbers[fit_rows], defaulted[fit_rows]).predict_proba(numbers[on])[:, 1]
        return found

    return says


def write_filled(dataset: Dataset, rows: Path, path: Path) -> None:
    """Fill these rows by a logistic regression and write them to another file."""
    empty = pd.read_csv(rows)
    found = filled(empty, regression(dataset, empty.line))
    if path.suffix == ".parquet":
        found.to_parquet(path, index=False)
    else:
        found.to_csv(path, index=False)
