"""Counterfactuals by treecf and dice-ml for the what-if benchmark, run in an environment that has them.

`python -m benchmarks.explanation.what_if_peers FOLDER` reads a saved scorer and applications there, and writes what it
found.
treecf sees the matrix of the trees, of which it may move the columns of levers, once alone and once with those of
derived fields, which to it are columns like any other. dice-ml sees raw fields and asks the whole pipeline. What each
needs of an application is made before its time is taken.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin

from credit_scoring.application.arrays import Floats
from credit_scoring.application.fields import Lever
from credit_scoring.model.features import application_frame
from credit_scoring.model.scorer import Scorer

_BINARY = "objective=binary sigmoid:1"

Row = dict[str, Any]
Explain = Callable[[int], Row | None]  # of the application at this place
Prepare = Callable[[Scorer, pd.DataFrame, Sequence[Row]], Explain]


@dataclass(frozen=True)
class Peer:
    """For each application milliseconds and the values to change, None where none were found; or why it did not run."""

    name: str
    milliseconds: list[float]
    changes: list[Row | None]
    error: str = ""


def main(folder: Path) -> None:
    """Run both on the applications in the folder."""
    scorer = Scorer.load(folder / "model")
    rows: list[Row] = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
    frame = pd.read_csv(folder / "training.csv")[list(scorer.card.features)]
    peers: dict[str, Prepare] = {
        "treecf, levers free": _treecf,
        "treecf, levers and derived columns free": partial(_treecf, free=scorer.catalogue.derived),
        "dice-ml, random": _dice,
    }
    found = [_run(name, prepare, scorer, frame, rows) for name, prepare in peers.items()]
    (folder / "found.json").write_text(json.dumps([asdict(each) for each in found]), encoding="utf-8")


def _run(name: str, prepare: Prepare, scorer: Scorer, frame: pd.DataFrame, rows: list[Row]) -> Peer:
    try:
        explain = prepare(scorer, frame, rows)
        explain(0)
        milliseconds, changes = [], []
        for place in range(len(rows)):
            started = time.perf_counter()
            changes.append(explain(place))
            milliseconds.append(1000 * (time.perf_counter() - started))
    except Exception as error:  # whatever a library raises, the table says so
        return Peer(name, [], [], f"{type(error).__name__}: {error}"[:200])
    return Peer(name, milliseconds, changes)


def _levers(scorer: Scorer) -> dict[str, Lever]:
    return {name: each for name, each in scorer.catalogue.levers.items() if name in scorer.card.features}


def _treecf(scorer: Scorer, frame: pd.DataFrame, rows: Sequence[Row], free: Collection[str] = ()) -> Explain:
    """The trees of a boosted model on its matrix, up to the log-odds that calibration maps to the threshold."""
    from treecf import Explainer, Freeze, Monotone, Range, Target  # type: ignore[import-not-found]  # noqa: PLC0415

    pipeline, levers, fields = scorer.pipeline, _levers(scorer), scorer.catalogue.fields
    calibrated = pipeline.named_steps["classifier"]
    model = calibrated.estimator_
    booster, base = getattr(model, "margin_", None), getattr(model, "base_log_odds_", 0.0)
    booster = _with_objective(booster or model.booster_)
    background = np.asarray(pipeline[:-1].transform(frame), dtype=np.float64)
    numbers = [name for name in scorer.card.features if fields[name].is_numeric]
    derived = [each.name for each in scorer.catalogue.derived_from(scorer.card.features)]
    columns = dict(zip([*numbers, *derived], booster.feature_name(), strict=False))  # in this order, then the others
    movable = {columns[name] for name in (*levers, *(name for name in derived if name in free))}
    constraints = [Freeze(name) for name in booster.feature_name() if name not in movable]
    for name, lever in levers.items():
        constraints.append(Range(columns[name], float(lever.at_least), float(lever.at_most)))
        if way := fields[name].risk_moves:
            constraints.append(Monotone(columns[name], "increase" if way == "down" else "decrease"))
    explainer = Explainer(booster, background=background, constraints=constraints)
    target = Target.raw(op="<=", value=_cut(calibrated.calibrator_.predict, scorer.policy.threshold) - base)

    matrix = pipeline[:-1].transform(application_frame(rows, scorer.catalogue, scorer.card.features))
    matrix = np.asarray(matrix, dtype=np.float64)

    def explain(place: int) -> Row | None:
        moved = getattr(explainer.explain(matrix[place], target, seed=0), "changes", None)
        named = {name: moved[columns[name]][1] for name in levers if columns[name] in moved} if moved else None
        return None if named is None else _whole(scorer, named)

    return explain


def _with_objective(booster: lightgbm.Booster) -> lightgbm.Booster:
    """Our rewritten trees name no objective, without which treecf reads none."""
    text = booster.model_to_string()
    if "objective=" in text:
        return booster
    return lightgbm.Booster(model_str=text.replace("feature_names", f"{_BINARY}\nfeature_names", 1))


def _cut(calibrate: Callable[[Floats], Floats], threshold: float) -> float:
    """The largest log-odds, to 1e-9, whose calibrated risk is below the threshold."""
    low, high = -20.0, 20.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if calibrate(np.array([middle]))[0] < threshold else (low, middle)
    return low


class _Decides(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """The pipeline with the policy's threshold moved to one half, where dice-ml looks for it."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self.classes_ = np.array([0, 1])

    def predict_proba(self, frame: pd.DataFrame) -> Floats:
        rows = frame[list(self.scorer.card.features)].astype(object).to_dict("records")
        risk = self.scorer.score_records([_whole(self.scorer, {str(k): v for k, v in row.items()}) for row in rows])
        threshold = self.scorer.policy.threshold
        half = np.where(risk >= threshold, 0.5 + (risk - threshold) / 2, 0.5 * risk / threshold)
        return np.column_stack([1 - half, half])

    def predict(self, frame: pd.DataFrame) -> Any:
        return (self.predict_proba(frame)[:, 1] >= 0.5).astype(int)


def _dice(scorer: Scorer, frame: pd.DataFrame, rows: Sequence[Row]) -> Explain:
    import dice_ml  # type: ignore[import-not-found]  # noqa: PLC0415 - only the peers' environment has it

    warnings.simplefilter("ignore")
    features, levers, fields = list(scorer.card.features), _levers(scorer), scorer.catalogue.fields
    flags = [name for name in features if fields[name].kind == "flag"]
    frame = frame.dropna().astype(dict.fromkeys(flags, bool))
    numbers = [name for name in features if fields[name].is_number]
    others = [name for name in features if name not in numbers]
    frame = frame.astype({**dict.fromkeys(numbers, float), **dict.fromkeys(others, str)})
    decides = _Decides(scorer)
    data = dice_ml.Data(
        dataframe=frame.assign(denied=decides.predict(frame)), continuous_features=numbers, outcome_name="denied"
    )
    dice = dice_ml.Dice(data, dice_ml.Model(model=decides, backend="sklearn"), method="random")

    typed = [{name: float(row[name]) if name in numbers else str(row[name]) for name in features} for row in rows]
    queries = [pd.DataFrame([row]) for row in typed]

    def explain(place: int) -> Row | None:
        row = rows[place]
        ranges = {name: _range(fields[name].risk_moves, lever, float(row[name])) for name, lever in levers.items()}
        try:
            found = dice.generate_counterfactuals(
                queries[place], 1, 0, features_to_vary=[*levers], permitted_range=ranges, random_seed=0, verbose=False
            )
        except Exception as error:  # its way of saying that it has found nothing
            if "No counterfactuals found" in str(error):
                return None
            raise
        plans = found.cf_examples_list[0].final_cfs_df
        if plans is None or plans.empty:
            return None
        plan = plans.iloc[0]
        return _whole(scorer, {name: float(plan[name]) for name in levers if float(plan[name]) != float(row[name])})

    return explain


def _range(way: str | None, lever: Lever, before: float) -> Sequence[float]:
    low, high = float(lever.at_least), float(lever.at_most)
    return [before if way == "down" else low, before if way == "up" else high]


def _whole(scorer: Scorer, row: Row) -> Row:
    """Values as an application has them."""
    fields = scorer.catalogue.fields
    return {name: _typed(fields[name].kind, value) for name, value in row.items()}


def _typed(kind: str, value: Any) -> Any:
    if kind == "flag":
        return value in (True, "True", "1.0", 1.0)
    if kind == "integer":
        return round(float(value))
    return float(value) if kind == "number" else str(value)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
