"""Quality on public credit sets by a fixed protocol: `python -m benchmarks.quality`.

StratifiedKFold(5, shuffle=True, random_state=42). In each outer fold everything (search, choice of the candidate,
calibration) is done on the training part, on inner folds; the figures are those of the part held out. What is done is
kept fold by fold in --output, so that a run that was stopped goes on where it was, and the table is made of all folds
that are there, whichever sets this run was asked for. After a change to training, begin anew with --again.
"""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from sklearn.model_selection import StratifiedKFold

from benchmarks.quality.fold import Fold, console, measured
from benchmarks.quality.report import OUTER_FOLDS, auc, report
from benchmarks.quality.sets import SETS, PublicSet
from credit_scoring.settings import PROJECT_FOLDER
from credit_scoring.training.config import TrainingPlan

RESULTS_FOLDER = PROJECT_FOLDER / "benchmarks" / "results"


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
    text = report({public: _done(public, folder) for public in SETS.values()})
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
            fold = measured(dataset.rows(fit_rows), dataset.rows(held_out), held_out.tolist(), plan)
            path.write_text(fold.model_dump_json(), encoding="utf-8")
            scores = ", ".join(f"{name} {auc(fold, name):.4f}" for name in fold.log_odds)
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


if __name__ == "__main__":
    typer.run(main)
