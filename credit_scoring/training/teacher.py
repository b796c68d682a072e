"""A teacher: what an outside model says of each row of the training part, read from a file and checked.

Every probability must come of a model that has not seen the row's own outcome, and, where students are compared, no
outcome of the fold that they are compared on: docs/adr/0024 has what is measured else.
"""

import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from credit_scoring.application.arrays import Floats, Rows
from credit_scoring.data.datasets import Dataset
from credit_scoring.data.layout import Layout, number_of
from credit_scoring.data.mapping import names_found
from credit_scoring.data.tables import Table, read_content, read_table
from credit_scoring.errors import ConfigurationError, DataError
from credit_scoring.evaluation.performance import auc
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.held_out import Split

LINE, FOLD, OUT_OF_FOLD, WITHOUT = "line", "fold", "out_of_fold", "without_"
PERFECT = 0.999  # AUC that no model reaches on defaults that it does not know
FEWEST_FOLDS = 3

_HOW = (
    "Begin with the rows that `credit-scoring data --teacher-rows FILE` writes with the --seed of the training; see "
    "docs/training.md."
)


@dataclass(frozen=True)
class Teacher:
    """Probabilities of default, `out_of_fold` by teachers that were fitted without the row's own fold, shape (rows,).

    Those in `without`, shape (folds, rows), were not fitted on the fold of that place either. `lines` are where the
    rows are in the training file, ascending; `folds` are places in `without`.
    """

    sha256: str
    lines: Rows
    folds: Rows
    out_of_fold: Floats
    without: Floats

    def of(self, part: Dataset) -> Self:
        """What it says of the rows of the training part that are in this one, in their order."""
        places = np.searchsorted(self.lines, _lines(part))
        return replace(
            self,
            lines=self.lines[places],
            folds=self.folds[places],
            out_of_fold=self.out_of_fold[places],
            without=self.without[:, places],
        )

    @property
    def splits(self) -> list[Split]:
        """Rows to fit on and rows held out, for each fold."""
        places = range(len(self.without))
        return [(np.flatnonzero(self.folds != place), np.flatnonzero(self.folds == place)) for place in places]


def write_teacher_rows(dataset: Dataset, seed: int, path: Path) -> None:
    """The lines that a training with this seed fits on, with folds for a teacher, as CSV."""
    plan = TrainingPlan(seed=seed)
    part, _ = dataset.split(plan.test_share, seed)
    lines = _lines(part)
    folds = np.empty(len(part.frame), dtype=np.intp)
    for number, (_, held_out) in enumerate(plan.comparison_splitters()[0].split(part.defaulted, part.defaulted), 1):
        folds[held_out] = number
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow((LINE, FOLD))
            writer.writerows(zip(lines.tolist(), folds.tolist(), strict=True))
    except OSError as error:
        raise ConfigurationError(
            f"--teacher-rows {path}: cannot be written ({error.strerror}). Name another."
        ) from error


def read_teacher(path: Path, part: Dataset) -> Teacher:
    """What this file says of the training part; raises DataError where it is incomplete or plainly not out of fold."""
    name = f"--teacher {path}"
    expected = _lines(part)
    content = read_content(path, name, " Check the path.")
    table = read_table(content, path.suffix, name, Layout())
    names = _without(table)
    columns = _columns(table, [OUT_OF_FOLD, *names])
    _check_lines(name, columns[LINE], expected)
    order = np.argsort(columns[LINE])
    folds = _folds(name, columns[FOLD][order], names)
    out_of_fold, *without = (_probabilities(name, each, columns)[order] for each in [OUT_OF_FOLD, *names])
    found = Teacher(hashlib.sha256(content).hexdigest(), expected, folds, out_of_fold, np.array(without))
    _check_honest(name, found, part, names)
    return found


def _lines(part: Dataset) -> Rows:
    if part.lines is None:
        raise ConfigurationError(
            f"--teacher and --teacher-rows go by lines of a file, which data of source {part.source} have not. Export "
            "them, and train with --source csv."
        )
    return part.lines


def _without(table: Table) -> list[str]:
    """The columns of what was said without a fold, by the number of the fold."""
    found = [each for each in table.header if each.removeprefix(WITHOUT).isdecimal() and each.startswith(WITHOUT)]
    absent = [each for each in (LINE, FOLD, OUT_OF_FOLD) if each not in table.header]
    if len(found) < FEWEST_FOLDS:
        absent += [f"{WITHOUT}{number}" for number in range(len(found) + 1, FEWEST_FOLDS + 1)]
    if absent:
        raise DataError(f"{table.name}: no column {', '.join(absent)}; found {names_found(table.header)}. {_HOW}")
    return sorted(found, key=lambda each: int(each.removeprefix(WITHOUT)))


def _columns(table: Table, probabilities: Sequence[str]) -> Mapping[str, Floats]:
    """The numbers of each column, NaN where there is none; raises DataError where `line` or `fold` has one."""
    decimal = table.decimal(probabilities)
    rows = [list(_numbers(row, probabilities, decimal)) for _, row in table.rows()]
    matrix = np.array(rows, dtype=np.float64).reshape(len(rows), len(probabilities) + 2)
    return dict(zip([LINE, FOLD, *probabilities], matrix.T, strict=True))


def _numbers(row: Mapping[str, str | None], probabilities: Sequence[str], decimal: str) -> Iterator[float]:
    for name in (LINE, FOLD, *probabilities):
        number = number_of(row.get(name) or "", "." if name in (LINE, FOLD) else decimal)
        yield np.nan if number is None else number


def _check_lines(name: str, lines: Floats, expected: Rows) -> None:
    """Raises DataError unless these are the lines of the training part, each once."""
    values, counts = np.unique(lines, return_counts=True)
    if (counts > 1).any() or np.isnan(lines).any():
        twice = values[(counts > 1) | np.isnan(values)]
        raise DataError(f"{name}: {_counted(twice)} not one row each. {_HOW}")
    if len(absent := np.setdiff1d(expected, values)):
        raise DataError(f"{name}: {_counted(absent)} of the training part, but in no row here. {_HOW}")
    if len(more := np.setdiff1d(values, expected)):
        raise DataError(
            f"{name}: {_counted(more)} not in the training part. A teacher that was fitted on the test part would make "
            f"its figures untrue. {_HOW}"
        )


def _counted(lines: Floats | Rows) -> str:
    first = "a row without a number" if np.isnan(lines[0]) else f"line {lines[0]:.0f}"
    return f"{first} is" if len(lines) == 1 else f"{first} and {len(lines) - 1:,} more are"


def _folds(name: str, folds: Floats, names: Sequence[str]) -> Rows:
    numbers = [int(each.removeprefix(WITHOUT)) for each in names]
    if len(strange := folds[~np.isin(folds, numbers)]):
        raise DataError(
            f"{name}: in {len(strange):,} rows the fold is none of {', '.join(map(str, numbers))}, for which there are "
            f"columns {names[0]} to {names[-1]}. {_HOW}"
        )
    return np.searchsorted(numbers, folds).astype(np.intp)


def _probabilities(name: str, column: str, columns: Mapping[str, Floats]) -> Floats:
    """A column; raises DataError where a row that needs a probability has none: those of the fold itself do not."""
    values = columns[column]
    outside = column == OUT_OF_FOLD or columns[FOLD] != int(column.removeprefix(WITHOUT))
    wrong = outside & ~((values >= 0) & (values <= 1))
    if wrong.any():
        raise DataError(
            f"{name}: {column} is no number from 0 to 1 in {wrong.sum():,} rows, first that of line "
            f"{columns[LINE][wrong.argmax()]:.0f}. Give the probability of default."
        )
    return values


def _check_honest(name: str, teacher: Teacher, part: Dataset, names: Sequence[str]) -> None:
    """Raises DataError where the teacher has plainly seen outcomes that it must not have, or speaks of other rows."""
    for column, without, (fitted, held_out) in zip(names, teacher.without, teacher.splits, strict=True):
        if len(np.unique(part.defaulted[held_out])) < 2:
            fold = column.removeprefix(WITHOUT)
            raise DataError(f"{name}: the rows of fold {fold} do not have both outcomes. {_HOW}")
        if (without[fitted] == teacher.out_of_fold[fitted]).all():
            raise DataError(
                f"{name}: {column} is the same as {OUT_OF_FOLD} in every row, so that it cannot be of "
                "teachers that were fitted on fewer rows. Students would be compared on outcomes that their labels "
                f"know. {_HOW}"
            )
    found = auc(part.defaulted, teacher.out_of_fold, 0.0)
    if found >= PERFECT:
        raise DataError(
            f"{name}: {OUT_OF_FOLD} ranks the training part with an AUC of {found:.4f}. Such a teacher has seen the "
            "outcomes of the rows that it speaks of. Fit it on the other folds."
        )
    if found <= 0.5:
        raise DataError(
            f"{name}: {OUT_OF_FOLD} ranks the training part with an AUC of {found:.4f}, no better than chance. Is it "
            "of this file in this order, and the probability of default, not of paying?"
        )
