"""AutoML and boosters as they come beside the product: `python -m benchmarks.quality.peers`.

The same outer folds as `python -m benchmarks.quality`, the same cores and the same seconds for each, one after the
other in every fold. All get the raw and the derived fields. Only the product keeps to the directions of risk and never
lets a missing value count as better than one that is there.
"""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import pandas as pd
import typer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from benchmarks.quality.automl import CORES, OUTCOME, PEERS
from benchmarks.quality.report import OUTER_FOLDS
from benchmarks.quality.sets import SETS
from benchmarks.serving.environments import Environment
from credit_scoring.application.arrays import Floats
from credit_scoring.data.datasets import Dataset
from credit_scoring.model.features import DerivedFields
from credit_scoring.settings import PROJECT_FOLDER
from credit_scoring.training.comparison import corrected_interval
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.train import train

ENVIRONMENT = Environment("automl", Path(__file__).parent / "peers.txt", ())
SCRIPT = Path(__file__).parent / "automl.py"
RESULTS = PROJECT_FOLDER / "benchmarks" / "results" / "automl.md"
OURS = "this project"
PATIENCE = 5.0  # times the seconds that a peer was given, after which it is ended
TESTED = 0.02  # of the training part; the product tests itself on some rows, which the peers train on


class Tried(NamedTuple):
    """The AUC of a peer on the rows held out, and the seconds that it took."""

    auc: float
    seconds: float


def main(
    sets: Annotated[str, typer.Option(help="Sets, with commas between.")] = "credit_data",
    seconds: Annotated[float, typer.Option(help="What each may take, in each fold.")] = 60,
    folds: Annotated[int, typer.Option(help=f"Outer folds that are done, of {OUTER_FOLDS}.")] = OUTER_FOLDS,
) -> None:
    """Print and write a table of all peers on all sets."""
    ENVIRONMENT.make()
    lines = _heading(f"python -m benchmarks.quality.peers --sets {sets} --seconds {seconds:g} --folds {folds}")
    for name in sets.split(","):
        lines += _rows(name, _measured(name, seconds, folds))
    text = "\n".join(lines) + "\n"
    RESULTS.write_text(text, encoding="utf-8")
    typer.echo(text)


def _heading(command: str) -> list[str]:
    return [
        f"`{command}`, on {CORES} cores each",
        "",
        "| set | who | AUC | ahead of this project, 95 % interval | seconds |",
        "|---|---|--:|--:|--:|",
    ]


def _measured(name: str, seconds: float, folds: int) -> dict[str, list[Tried]]:
    dataset = SETS[name].read(SETS[name].path)
    found: dict[str, list[Tried]] = {peer: [] for peer in (OURS, *PEERS)}
    splitter = StratifiedKFold(OUTER_FOLDS, shuffle=True, random_state=42)
    for number, (fit_rows, held_out) in enumerate(splitter.split(dataset.frame, dataset.defaulted), start=1):
        if number > folds:
            break
        for peer, tried in _fold(dataset.rows(fit_rows), dataset.rows(held_out), seconds):
            found[peer].append(tried)
            typer.echo(f"{name} fold {number}: {peer} {tried.auc:.4f} in {tried.seconds:.0f} s", err=True)
    return found


def _fold(train_part: Dataset, test_part: Dataset, seconds: float) -> Iterator[tuple[str, Tried]]:
    began = time.monotonic()
    scorer = train(train_part, TrainingPlan(jobs=CORES, timeout=seconds, test_share=TESTED))
    yield OURS, _tried(test_part, scorer.score(test_part.frame), began)
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "train.csv", Path(folder) / "held_out.csv"
        outcomes = train_part.defaulted.astype(int)
        _with_derived(train_part).assign(**{OUTCOME: outcomes}).to_csv(files[0], index=False)
        _with_derived(test_part).to_csv(files[1], index=False)
        for peer in PEERS:
            began = time.monotonic()
            if (risks := _risks(peer, files, seconds)) is not None:
                yield peer, _tried(test_part, risks, began)


def _with_derived(part: Dataset) -> pd.DataFrame:
    features = part.frame[list(part.features)]
    return DerivedFields(part.columns.derived).fit(features).transform(features)


def _risks(peer: str, files: Sequence[Path], seconds: float) -> Floats | None:
    """What the peer says of the rows held out, in its own environment; None where it has no model in that time."""
    command = [str(ENVIRONMENT.bin / "python"), str(SCRIPT), peer, *map(str, files), str(seconds)]
    limit = PATIENCE * max(seconds, 60)
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=limit)  # noqa: S603 - of this benchmark
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = (error.stderr or b"").decode(errors="replace").strip()
        typer.echo(f"{peer}: NO MODEL: {said[-300:] or error}", err=True)
        return None
    return np.array(json.loads(done.stdout.splitlines()[-1]))


def _tried(part: Dataset, risks: Floats, began: float) -> Tried:
    return Tried(float(roc_auc_score(part.defaulted, risks)), time.monotonic() - began)


def _rows(name: str, found: Mapping[str, Sequence[Tried]]) -> Iterator[str]:
    aucs = {peer: np.array([each.auc for each in tried]) for peer, tried in found.items()}
    without = [peer for peer, tried in found.items() if len(tried) < len(found[OURS])]
    yield from (f"| {name} | {peer} | no model in that time in every fold | | |" for peer in without)
    for peer in sorted({*found} - {*without}, key=lambda peer: -aucs[peer].mean()):
        ahead = corrected_interval(aucs[peer] - aucs[OURS], OUTER_FOLDS)
        interval = f"[{ahead.low:+.4f}, {ahead.high:+.4f}]" if len(aucs[OURS]) > 1 else "(one fold)"
        gain = "" if peer == OURS else f"{ahead.value:+.4f} {interval}"
        took = np.mean([each.seconds for each in found[peer]])
        yield f"| {name} | {peer} | {aucs[peer].mean():.4f} | {gain} | {took:.0f} |"


if __name__ == "__main__":
    typer.run(main)
