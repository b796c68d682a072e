"""Quality on public credit sets by a fixed protocol: `python -m benchmarks.quality`.

StratifiedKFold(5, shuffle=True, random_state=42). In each outer fold everything (search, choice of the candidate,
calibration) is done on the training part, on inner folds; the figures are those of the part held out. What is done is
kept fold by fold in --output, so that a run that was stopped goes on where it was, and the table is made of all folds
that are there, whichever sets this run was asked for. After a change to training, begin anew with --again.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer
from pydantic import BaseModel, ValidationError
from rich.console import Console
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline

from benchmarks.quality.sets import SETS, PublicSet
from credit_scoring.application.arrays import Floats
from credit_scoring.data.datasets import Dataset
from credit_scoring.evaluation.performance import calibration_error
from credit_scoring.model.calibration import CalibratedClassifier
from credit_scoring.model.estimators import weighted_mean
from credit_scoring.settings import PROJECT_FOLDER
from credit_scoring.training.candidates import CANDIDATE_BY_NAME, ENSEMBLE, ENSEMBLE_MEMBERS
from credit_scoring.training.comparison import corrected_interval
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.search import search
from credit_scoring.training.selection import calibrated, calibrated_ensemble, compare

RESULTS_FOLDER = PROJECT_FOLDER / "benchmarks" / "results"
OUTER_FOLDS = 5
BEST = "best single"
DRAWS = 200

console = Console(stderr=True)


class Fold(BaseModel):
    """What one outer fold gave: log-odds of each model and calibrated risks, for the rows that were held out."""

    trials: int
    inner_folds: int
    rows: list[int]
    defaulted: list[bool]
    best: str
    weights: dict[str, float]
    log_odds: dict[str, list[float]]
    risk: dict[str, list[float]]
    calibration: dict[str, str]
    seconds: float


def main(
    sets: Annotated[str, typer.Option(help="Sets to measure, with commas between; the table has all.")] = ",".join(
        SETS
    ),
    jobs: Annotated[int, typer.Option(help="Processes; -1: one per core.")] = -1,
    output: Annotated[Path, typer.Option(help="Folder for quality.md and the folds done so far.")] = RESULTS_FOLDER,
    again: Annotated[bool, typer.Option("--again", help="Measure these sets anew, whatever was done before.")] = False,
) -> None:
    """Print and write a table of every set that is measured; a set whose file is missing is named and left out."""
    folder = output / "quality"
    folder.mkdir(parents=True, exist_ok=True)
    for public in [SETS[name] for name in sets.split(",")]:
        if again:
            for number in range(1, OUTER_FOLDS + 1):
                _path(folder, public, number).unlink(missing_ok=True)
        if public.path.is_file() or public.name == "credit_data":
            _measure(public, jobs, folder)
        else:
            console.print(f"{public.name}: NOT RUN, {public.path} is not there.", style="bold red")
    text = _report({public: _done(public, folder) for public in SETS.values()})
    (output / "quality.md").write_text(text, encoding="utf-8")
    typer.echo(text)


def _path(folder: Path, public: PublicSet, number: int) -> Path:
    return folder / f"{public.name}-{number}.json"


def _measure(public: PublicSet, jobs: int, folder: Path) -> None:
    """Do the folds of this set that are not done yet."""
    dataset = public.read(public.path)
    plan = TrainingPlan(trials=public.trials, folds=public.folds, jobs=jobs)
    splitter = StratifiedKFold(OUTER_FOLDS, shuffle=True, random_state=42)
    for number, (fit_rows, held_out) in enumerate(splitter.split(dataset.frame, dataset.defaulted), start=1):
        path = _path(folder, public, number)
        if _stored(path, public) is None:
            fold = _fold(dataset.rows(fit_rows), dataset.rows(held_out), held_out.tolist(), plan)
            path.write_text(fold.model_dump_json(), encoding="utf-8")
            scores = ", ".join(f"{name} {_auc(fold, name):.4f}" for name in fold.log_odds)
            console.print(f"{public.name} fold {number}, {fold.seconds:.0f} s: {scores}")


def _stored(path: Path, public: PublicSet) -> Fold | None:
    """The fold, if it is done and was done with the trials and inner folds that this set gets now."""
    if not path.is_file():
        return None
    try:
        fold = Fold.model_validate_json(path.read_bytes())
    except ValidationError:  # cut off while it was written, or written by another version
        return None
    return fold if (fold.trials, fold.inner_folds) == (public.trials, public.folds) else None


def _done(public: PublicSet, folder: Path) -> list[Fold]:
    found = (_stored(_path(folder, public, number), public) for number in range(1, OUTER_FOLDS + 1))
    return [fold for fold in found if fold]


def _fold(train_part: Dataset, test_part: Dataset, rows: list[int], plan: TrainingPlan) -> Fold:
    start = time.monotonic()
    results = search(train_part, plan, lambda report: console.print(f"{report.candidate.name} {report.auc:.4f}"))
    found, best = compare(results, train_part, replace(plan, repeats=1)), results[0].name
    parameters, weights = found.parameters, found.weights
    frame = train_part.frame[list(train_part.features)]
    unseen = test_part.frame[list(test_part.features)]
    log_odds = {}
    for name, each in parameters.items():
        pipeline = CANDIDATE_BY_NAME[name].pipeline(train_part.columns, each, plan.seed)
        log_odds[name] = pipeline.fit(frame, train_part.defaulted).decision_function(unseen)
    log_odds[ENSEMBLE] = weighted_mean([log_odds[name] for name in weights], [*weights.values()])
    log_odds[BEST] = log_odds[best]
    calibrations = {
        BEST: calibrated(CANDIDATE_BY_NAME[best], train_part, parameters[best], plan),
        ENSEMBLE: calibrated_ensemble(weights, parameters, train_part, plan),
    }
    fitted = {name: pipeline.fit(frame, train_part.defaulted) for name, pipeline in calibrations.items()}
    return Fold(
        trials=plan.trials,
        inner_folds=plan.folds,
        rows=rows,
        defaulted=test_part.defaulted.tolist(),
        best=best,
        weights=dict(weights),
        log_odds={name: each.tolist() for name, each in log_odds.items()},
        risk={name: pipeline.predict_proba(unseen)[:, 1].tolist() for name, pipeline in fitted.items()},
        calibration={name: _method(pipeline) for name, pipeline in fitted.items()},
        seconds=time.monotonic() - start,
    )


def _method(pipeline: Pipeline) -> str:
    classifier: CalibratedClassifier = pipeline.named_steps["classifier"]
    return classifier.method_


_OF_CHANCE = (
    "Calibration error of chance: what one in twenty models shows on as many rows although its risks are the truth."
)
_TITLE = "| set | model | AUC | 95 % interval | Brier | calibration error | goal | |"


def _report(done: Mapping[PublicSet, Sequence[Fold]]) -> str:
    lines = [_TITLE, "|---|---" + "|--:" * 5 + "|---|"]
    notes = []
    for public, folds in done.items():
        if len(folds) < OUTER_FOLDS:
            notes.append(f"{public.name}: NOT MEASURED, {len(folds)} of {OUTER_FOLDS} folds done.")
        else:
            lines += _rows(public, folds)
            notes.append(
                f"{public.name}: {sum(fold.seconds for fold in folds) / 60:.0f} minutes, {public.trials} trials on "
                f"{public.folds} inner folds; mean weights in the ensemble: {_weights(folds)}."
            )
    return "\n".join([*lines, "", *(f"- {note}" for note in [*notes, _OF_CHANCE])]) + "\n"


def _weights(folds: Sequence[Fold]) -> str:
    means = {name: sum(fold.weights.get(name, 0.0) for fold in folds) / len(folds) for name in ENSEMBLE_MEMBERS}
    return ", ".join(f"{name} {mean:.2f}" for name, mean in means.items() if mean)


def _rows(public: PublicSet, folds: Sequence[Fold]) -> Iterator[str]:
    names = sorted(folds[0].log_odds, key=lambda name: -_aucs(folds, name).mean())
    for name in names:
        aucs = _aucs(folds, name)
        interval = corrected_interval(aucs, OUTER_FOLDS)
        cells = [public.name, name, f"{aucs.mean():.4f}", f"{interval.low:.4f}–{interval.high:.4f}"]
        cells += _calibration_cells(folds, name)
        verdict = "reached" if aucs.mean() >= public.goal else "**missed**"
        cells += [f"{public.goal:.3f}", f"{verdict}; {public.published}"] if name == names[0] else ["", ""]
        yield f"| {' | '.join(cells)} |"


def _auc(fold: Fold, name: str) -> float:
    return float(roc_auc_score(fold.defaulted, fold.log_odds[name]))


def _aucs(folds: Sequence[Fold], name: str) -> Floats:
    return np.array([_auc(fold, name) for fold in folds])


def _calibration_cells(folds: Sequence[Fold], name: str) -> list[str]:
    """Brier score and calibration error pooled over the parts held out, where the model was calibrated."""
    if name not in folds[0].risk:
        return ["", ""]
    defaulted: npt.NDArray[np.bool_] = np.concatenate([fold.defaulted for fold in folds])
    risk = np.concatenate([fold.risk[name] for fold in folds])
    methods = "/".join(sorted({fold.calibration[name] for fold in folds}))
    error = f"{calibration_error(defaulted, risk, 0.0):.4f} (of chance: {_error_of_chance(risk):.4f})"
    return [f"{brier_score_loss(defaulted, risk):.4f} ({methods})", error]


def _error_of_chance(risk: Floats) -> float:
    """The calibration error that one in twenty models shows on as many rows although its risks are the truth."""
    chance = np.random.default_rng(0)
    errors = [calibration_error(chance.random(len(risk)) < risk, risk, 0.0) for _ in range(DRAWS)]
    return float(np.quantile(errors, 0.95))


if __name__ == "__main__":
    typer.run(main)
