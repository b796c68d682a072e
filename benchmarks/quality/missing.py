"""`python -m benchmarks.quality.missing`: what it costs in AUC that a missing value is never better than another.

LightGBM at the parameters that its search begins with, as it comes (it sends a missing value to whichever side of a
split did better in training) against the product's preprocessing, on the same folds. The 95 % interval of the price is
corrected for overlapping folds.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold

from benchmarks.quality.sets import SETS
from credit_scoring.application.arrays import Floats
from credit_scoring.data.datasets import Dataset
from credit_scoring.model.features import DerivedFields, OutlierClipper
from credit_scoring.training.candidates import CANDIDATE_BY_NAME
from credit_scoring.training.comparison import corrected_interval

CANDIDATE = CANDIDATE_BY_NAME["lightgbm"]
MOST_ROWS = 40_000
FOLDS = 5


def main() -> None:
    """A line for each set that is there and has missing values."""
    for each in SETS.values():
        if not each.path.exists():
            print(f"{each.name}: NOT MEASURED, no {each.path}")
            continue
        data = each.read(each.path)
        missing = data.frame[list(data.features)].isna().to_numpy().mean()
        if missing:
            print(_line(each.name, missing, list(_aucs(_part(data)))))


def _line(name: str, missing: float, aucs: Sequence[tuple[float, float]]) -> str:
    native, ours = np.array(aucs).T
    price = corrected_interval(native - ours, FOLDS)
    interval = f"[{price.low:+.4f}, {price.high:+.4f}]"
    return f"{name}: {missing:.1%} missing, AUC {native.mean():.4f}, price {price.value:+.4f} {interval}"


def _part(data: Dataset) -> Dataset:
    rows = np.random.default_rng(0).permutation(len(data.frame))[:MOST_ROWS]
    return data.rows(np.sort(rows))


def _aucs(data: Dataset) -> Iterator[tuple[float, float]]:
    frame, raw, ways = data.frame[list(data.features)], _raw(data), data.columns.risk_directions
    numbers = len(data.columns.all_numbers)
    directions = ways[:numbers] + [0] * (raw.shape[1] - numbers)
    splitter = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=3, random_state=1)
    for train, test in splitter.split(frame, data.defaulted):
        fitted = OutlierClipper().fit(raw[train]).transform(raw)
        native = CANDIDATE.build(CANDIDATE.start, directions, 1).fit(fitted[train], data.defaulted[train])
        ours = CANDIDATE.pipeline(data.columns, CANDIDATE.start, 1).fit(frame.iloc[train], data.defaulted[train])
        defaulted = data.defaulted[test]
        yield (
            float(roc_auc_score(defaulted, native.predict_proba(fitted[test])[:, 1])),
            float(roc_auc_score(defaulted, ours.predict_proba(frame.iloc[test])[:, 1])),
        )


def _raw(data: Dataset) -> Floats:
    """The numbers with their gaps, and categories as one-hot columns, of which a missing one has none."""
    columns = data.columns
    frame = DerivedFields(columns.derived).fit(data.frame[list(data.features)]).transform(data.frame)
    pairs = [(name, value) for name, values in columns.categories.items() for value in values]
    one_hot = [(frame[name] == value).to_numpy(dtype=np.float64) for name, value in pairs]
    return np.column_stack([frame[list(columns.all_numbers)].to_numpy(dtype=np.float64), *one_hot])


if __name__ == "__main__":
    main()
