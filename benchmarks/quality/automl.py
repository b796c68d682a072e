"""What a peer makes of a training part; run in the peers' environment, prints the risks of the rows held out as JSON.

`python benchmarks/quality/automl.py PEER TRAIN.csv HELD_OUT.csv SECONDS`; the outcome is in the last column of TRAIN.
Imports nothing of the project, whose libraries this environment has in other versions.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import pandas as pd

CORES = 2
SEED = 42
OUTCOME = "defaulted"

Risks = Callable[[pd.DataFrame, "pd.Series[int]", pd.DataFrame, float], Any]


def flaml(train: pd.DataFrame, defaulted: "pd.Series[int]", held_out: pd.DataFrame, seconds: float) -> Any:
    """FLAML's search for so many seconds."""
    from flaml import AutoML  # type: ignore[import-not-found]  # noqa: PLC0415 - each peer imports its own library

    found = AutoML()
    found.fit(
        train,
        defaulted,
        task="classification",
        metric="roc_auc",
        time_budget=seconds,
        n_jobs=CORES,
        seed=SEED,
        verbose=0,
    )
    return found.predict_proba(held_out)[:, 1]


def autogluon(train: pd.DataFrame, defaulted: "pd.Series[int]", held_out: pd.DataFrame, seconds: float) -> Any:
    """AutoGluon's best quality within so many seconds."""
    from autogluon.tabular import TabularPredictor  # type: ignore[import-not-found]  # noqa: PLC0415 - the same

    with tempfile.TemporaryDirectory() as folder:
        found = TabularPredictor(OUTCOME, eval_metric="roc_auc", path=folder, verbosity=0)
        data = train.assign(**{OUTCOME: defaulted})
        found.fit(data, presets="best_quality", time_limit=seconds, num_cpus=CORES)
        return found.predict_proba(held_out)[1]


def lightgbm(train: pd.DataFrame, defaulted: "pd.Series[int]", held_out: pd.DataFrame, _: float) -> Any:
    """LightGBM by its defaults."""
    from lightgbm import LGBMClassifier  # noqa: PLC0415 - the same

    found = LGBMClassifier(n_jobs=CORES, random_state=SEED, verbose=-1)
    return found.fit(train, defaulted).predict_proba(held_out)[:, 1]


def catboost(train: pd.DataFrame, defaulted: "pd.Series[int]", held_out: pd.DataFrame, _: float) -> Any:
    """CatBoost by its defaults."""
    from catboost import CatBoostClassifier  # type: ignore[import-not-found]  # noqa: PLC0415 - the same

    categories = list(train.select_dtypes("category"))
    found = CatBoostClassifier(
        thread_count=CORES, random_seed=SEED, cat_features=categories, verbose=0, allow_writing_files=False
    )
    texts = [frame.astype(dict.fromkeys(categories, str)) for frame in (train, held_out)]
    return found.fit(texts[0], defaulted).predict_proba(texts[1])[:, 1]


PEERS: dict[str, Risks] = {each.__name__: each for each in (flaml, autogluon, lightgbm, catboost)}


def main(peer: str, train_file: str, held_out_file: str, seconds: str) -> None:
    """Print the risk of every row held out."""
    train, held_out = pd.read_csv(train_file), pd.read_csv(held_out_file)
    defaulted = train.pop(OUTCOME)
    for name in train.select_dtypes("object"):
        kind = pd.CategoricalDtype(sorted(train[name].dropna().unique()))
        train[name], held_out[name] = train[name].astype(kind), held_out[name].astype(kind)
    print(json.dumps([float(each) for each in PEERS[peer](train, defaulted, held_out, float(seconds))]))


if __name__ == "__main__":
    main(*sys.argv[1:])
