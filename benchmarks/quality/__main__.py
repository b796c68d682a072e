"""Quality on public credit sets by a fixed protocol: `python -m benchmarks.quality`.

StratifiedKFold(5, shuffle=True, random_state=42). In each outer fold everything (search, choice of the candidate,
calibration) is done on the training part, on inner folds; the figures are those of the part held out. What is done is
kept fold by fold in --output, so that a run that was stopped goes on where it was.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from pydantic import BaseModel
from rich.console import Console
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline

from benchmarks.quality.sets import SETS, PublicSet
from credit_scoring.calibration import CalibratedClassifier
from credit_scoring.comparison import corrected_interval
from credit_scoring.datasets import Dataset
from credit_scoring.estimators import average
from credit_scoring.evaluation import calibration_error
from credit_scoring.models import CANDIDATE_BY_NAME, ENSEMBLE, ENSEMBLE_MEMBERS
from credit_scoring.plan import TrainingPlan
from credit_scoring.preprocessing import Floats
from credit_scoring.search import search
from credit_scoring.selection import calibrated, calibrated_ensemble
from credit_scoring.settings import PROJECT_FOLDER

RESULTS_FOLDER = PROJECT_FOLDER / "benchmarks" / "results"
OUTER_FOLDS = 5
BEST = "best single"

console = Console(stderr=True)


class Fold(BaseModel):
    """What one outer fold gave: log-odds of each model and calibrated risks, for the rows that were held out."""

    rows: list[int]
    best: str
    log_odds: dict[str, list[float]]
    risk: dict[str, list[float]]
    calibration: dict[str, str]


def main(
    sets: Annotated[str, typer.Option(help="Sets to measure, with commas between.")] = ",".join(SETS),
    jobs: Annotated[int, typer.Option(help="Processes; -1: one per core.")] = -1,
    output: Annotated[Path, typer.Option(help="Folder for quality.md and the folds done so far.")] = RESULTS_FOLDER,
) -> None:
    """Print and write a table of every set that is there; a set whose file is missing is named and left out."""
    lines = [_TITLE, "|---|---" + "|--:" * 5 + "|---|"]
    missing = []
    for name in sets.split(","):
        public = SETS[name]
        if public.path.is_file() or name == "credit_data":
            lines += _rows(public, list(_folds(public, jobs, output / "quality")))
        else:
            missing.append(f"{name}: NOT RUN, {public.file} is not in the folder of public sets.")
            console.print(missing[-1], style="bold red")
    text = "\n".join([*lines, "", *missing]) + "\n"
    (output / "quality.md").write_text(text, encoding="utf-8")
    typer.echo(text)


_TITLE = "| set | model | AUC | 95 % interval | Brier | calibration error | goal | |"


def _folds(public: PublicSet, jobs: int, folder: Path) -> Iterator[Fold]:
    folder.mkdir(parents=True, exist_ok=True)
    dataset = public.read(public.path)
    plan = TrainingPlan(trials=public.trials, folds=public.folds, jobs=jobs)
    splitter = StratifiedKFold(OUTER_FOLDS, shuffle=True, random_state=42)
    for number, (fit_rows, held_out) in enumerate(splitter.split(dataset.frame, dataset.defaulted), start=1):
        path = folder / f"{public.name}-{number}.json"
        if not path.is_file():
            fold = _fold(dataset.rows(fit_rows), dataset.rows(held_out), held_out.tolist(), plan)
            path.write_text(fold.model_dump_json(), encoding="utf-8")
        fold = Fold.model_validate_json(path.read_bytes())
        defaulted = dataset.defaulted[fold.rows]
        scores = ", ".join(f"{name} {roc_auc_score(defaulted, each):.4f}" for name, each in fold.log_odds.items())
        console.print(f"{public.name} fold {number}: {scores}")
        yield fold


def _fold(train_part: Dataset, test_part: Dataset, rows: list[int], plan: TrainingPlan) -> Fold:
    results = search(train_part, plan, lambda report: console.print(f"{report.candidate.name} {report.auc:.4f}"))
    parameters = {result.name: result.parameters for result in results}
    best = results[0].name
    frame = train_part.frame[list(train_part.features)]
    unseen = test_part.frame[list(test_part.features)]
    log_odds = {}
    for name, each in parameters.items():
        pipeline = CANDIDATE_BY_NAME[name].pipeline(train_part.columns, each, plan.seed)
        log_odds[name] = pipeline.fit(frame, train_part.defaulted).decision_function(unseen)
    log_odds[ENSEMBLE] = average([log_odds[name] for name in ENSEMBLE_MEMBERS])
    log_odds[BEST] = log_odds[best]
    calibrations = {
        BEST: calibrated(CANDIDATE_BY_NAME[best], train_part, parameters[best], plan),
        ENSEMBLE: calibrated_ensemble(parameters, train_part, plan),
    }
    fitted = {name: pipeline.fit(frame, train_part.defaulted) for name, pipeline in calibrations.items()}
    return Fold(
        rows=rows,
        best=best,
        log_odds={name: each.tolist() for name, each in log_odds.items()},
        risk={name: pipeline.predict_proba(unseen)[:, 1].tolist() for name, pipeline in fitted.items()},
        calibration={name: _method(pipeline) for name, pipeline in fitted.items()},
    )


def _method(pipeline: Pipeline) -> str:
    classifier: CalibratedClassifier = pipeline.named_steps["classifier"]
    return classifier.method_


def _rows(public: PublicSet, folds: list[Fold]) -> Iterator[str]:
    dataset = public.read(public.path)
    names = sorted(folds[0].log_odds, key=lambda name: -_aucs(dataset, folds, name).mean())
    for name in names:
        aucs = _aucs(dataset, folds, name)
        interval = corrected_interval(aucs, OUTER_FOLDS)
        cells = [public.name, name, f"{aucs.mean():.4f}", f"{interval.low:.4f}–{interval.high:.4f}"]
        cells += _calibration_cells(dataset, folds, name)
        verdict = "reached" if aucs.mean() >= public.goal else "**missed**"
        cells += [f"{public.goal:.3f}", f"{verdict}; {public.published}"] if name == names[0] else ["", ""]
        yield f"| {' | '.join(cells)} |"


def _aucs(dataset: Dataset, folds: list[Fold], name: str) -> Floats:
    return np.array([roc_auc_score(dataset.defaulted[fold.rows], fold.log_odds[name]) for fold in folds])


def _calibration_cells(dataset: Dataset, folds: list[Fold], name: str) -> list[str]:
    """Brier score and calibration error pooled over the parts held out, where the model was calibrated."""
    if name not in folds[0].risk:
        return ["", ""]
    defaulted = np.concatenate([dataset.defaulted[fold.rows] for fold in folds])
    risk = np.concatenate([fold.risk[name] for fold in folds])
    methods = "/".join(sorted({fold.calibration[name] for fold in folds}))
    return [f"{brier_score_loss(defaulted, risk):.4f} ({methods})", f"{calibration_error(defaulted, risk, 0.0):.4f}"]


if __name__ == "__main__":
    typer.run(main)
