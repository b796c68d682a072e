"""What an outside model says of each row of a public set; run in the teachers' environment.

`python -m benchmarks.quality.teacher_labels TEACHER SET FOLDER` writes a file for each outer fold,
FOLDER/SET-TEACHER-1.json and so on, and leaves those that are there as they are. Teachers are fitted from scratch.
"""

import json
import logging
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pytabkit import (  # type: ignore[import-not-found]  # only in the teachers' environment
    RealMLP_TD_Classifier,
    RealMLP_TD_S_Classifier,
    TabM_D_Classifier,
)
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import StratifiedKFold

from benchmarks.quality.sets import SETS
from credit_scoring.application.arrays import Flags, Floats, Rows
from credit_scoring.data.datasets import Dataset
from credit_scoring.model.features import DerivedFields

OUTER_FOLDS = 5
FOREST = "extra-trees"
NETWORKS: Mapping[str, Callable[..., Any]] = {
    "realmlp": RealMLP_TD_Classifier,
    "realmlp-s": RealMLP_TD_S_Classifier,
    "tabm": TabM_D_Classifier,
}


def main(teacher: str, set_name: str, folder: Path) -> None:
    """Each outer fold's out-of-fold probabilities of its training part, and those of the part held out."""
    public = SETS[set_name]
    data = public.read(public.path)
    splitter = StratifiedKFold(OUTER_FOLDS, shuffle=True, random_state=42)
    for number, (fit_rows, held_out) in enumerate(splitter.split(data.frame, data.defaulted), start=1):
        path = folder / f"{set_name}-{teacher}-{number}.json"
        if not path.exists():
            path.write_text(json.dumps(_labels(teacher, data, fit_rows, held_out, public.folds)), encoding="utf-8")


def _labels(teacher: str, data: Dataset, fit_rows: Rows, held_out: Rows, folds: int) -> dict[str, Any]:
    began = time.monotonic()
    frame, defaulted = _frame(data), data.defaulted
    out_of_fold = np.empty(len(fit_rows))
    inner = StratifiedKFold(folds, shuffle=True, random_state=42).split(fit_rows, defaulted[fit_rows])
    for inner_fit, inner_held_out in inner:
        out_of_fold[inner_held_out] = _risk(teacher, frame, defaulted, fit_rows[inner_fit], fit_rows[inner_held_out])
    return {
        "out_of_fold": out_of_fold.tolist(),
        "held_out": _risk(teacher, frame, defaulted, fit_rows, held_out).tolist(),
        "seconds": time.monotonic() - began,
    }


def _frame(data: Dataset) -> pd.DataFrame:
    """All fields, derived ones too, with a column for what is missing; a division by zero is the largest number."""
    raw = data.frame[list(data.features)]
    frame = DerivedFields(data.columns.derived).fit(raw).transform(raw)
    numbers = frame[list(data.columns.all_numbers)]
    finite = numbers.where(np.isfinite(numbers))
    frame[numbers.columns] = numbers.clip(finite.min(), finite.max(), axis=1)
    gaps = {f"{name}_missing": frame[name].isna().astype(float) for name in frame if frame[name].isna().any()}
    categories = {name: frame[name].fillna("").astype("category") for name in data.columns.categories}
    return frame.assign(**categories, **gaps)


def _risk(teacher: str, frame: pd.DataFrame, defaulted: Flags, fit_rows: Rows, held_out: Rows) -> Floats:
    filled = frame.fillna(frame.iloc[fit_rows].median(numeric_only=True))
    if teacher == FOREST:
        filled, model = pd.get_dummies(filled), ExtraTreesClassifier(500, min_samples_leaf=3, random_state=0)
    else:
        model = NETWORKS[teacher](device="cpu", random_state=0, n_threads=1, val_metric_name="1-auc_ovr")
    model.fit(filled.iloc[fit_rows], defaulted[fit_rows].astype(int))
    risk: Floats = model.predict_proba(filled.iloc[held_out])[:, 1].astype(np.float64)
    return risk


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
