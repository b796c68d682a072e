"""A teacher's file: complete, of the training part alone, and refused where it plainly knows what it must not."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.support.made_up import made_up
from credit_scoring.data.datasets import Dataset
from credit_scoring.data.samples import sampled
from credit_scoring.errors import ConfigurationError, CreditScoringError, DataError
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.teacher import read_teacher, write_teacher_rows
from tests.support.teachers import filled, regression

PLAN = TrainingPlan()
ROWS = 500

Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def clients() -> Dataset:
    """In a file whose third row was left out."""
    lines = np.delete(np.arange(2, ROWS + 3), 2)
    return replace(made_up(12, ROWS), lines=lines)


@pytest.fixture(scope="module")
def part(clients: Dataset) -> Dataset:
    return clients.split(PLAN.test_share, PLAN.seed)[0]


@pytest.fixture(scope="module")
def rows(clients: Dataset, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    path = tmp_path_factory.mktemp("teacher") / "rows.csv"
    write_teacher_rows(clients, PLAN.seed, path)
    return pd.read_csv(path)


@pytest.fixture(scope="module")
def said(clients: Dataset, rows: pd.DataFrame) -> pd.DataFrame:
    return filled(rows, regression(clients, rows.line))


def test_the_rows_to_fill_are_the_training_part_in_folds_with_the_default_rate_of_all(
    rows: pd.DataFrame, part: Dataset
) -> None:
    assert part.lines is not None
    assert rows.line.tolist() == part.lines.tolist()
    rates = pd.Series(part.defaulted).groupby(rows.fold.to_numpy()).mean()
    assert rates.index.tolist() == [1, 2, 3, 4, 5]
    assert (rates - part.defaulted.mean()).abs().max() < 0.02


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("shuffled", [False, True])
def test_each_row_has_what_the_file_says_of_its_line_in_whatever_order(
    said: pd.DataFrame, part: Dataset, tmp_path: Path, suffix: str, *, shuffled: bool
) -> None:
    path = tmp_path / f"teacher{suffix}"
    table = said.sample(frac=1, random_state=1) if shuffled else said
    table.to_csv(path, index=False) if suffix == ".csv" else table.to_parquet(path, index=False)
    found = read_teacher(path, part)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    np.testing.assert_allclose(found.out_of_fold, said.out_of_fold)
    for place in range(5):
        others = (said.fold != place + 1).to_numpy()
        np.testing.assert_allclose(found.without[place, others], said.loc[others, f"without_{place + 1}"])
        fitted, held_out = found.splits[place]
        assert (said.fold.to_numpy()[held_out] == place + 1).all()
        assert sorted([*fitted, *held_out]) == list(range(len(said)))


def test_a_file_as_excel_writes_it_in_brazil_is_read(said: pd.DataFrame, part: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "teacher.csv"
    said.to_csv(path, index=False, sep=";", decimal=",")
    np.testing.assert_allclose(read_teacher(path, part).out_of_fold, said.out_of_fold)


def test_a_sample_of_the_training_part_keeps_the_probabilities_of_its_lines(
    said: pd.DataFrame, part: Dataset, tmp_path: Path
) -> None:
    said.to_csv(tmp_path / "teacher.csv", index=False)
    few = sampled(part, 200, seed=1)
    assert few.lines is not None
    found = read_teacher(tmp_path / "teacher.csv", part).of(few)
    np.testing.assert_allclose(found.out_of_fold, said.set_index("line").loc[few.lines, "out_of_fold"])
    assert sum(len(held_out) for _, held_out in found.splits) == 200


WRONG: dict[str, tuple[Change, str]] = {
    "a missing column": (lambda said: said.drop(columns="out_of_fold"), "no column out_of_fold; found line, fold"),
    "no folds": (
        lambda said: said[["line", "fold", "out_of_fold"]],
        "no column without_1, without_2, without_3; found line, fold, out_of_fold.",
    ),
    "a row too few": (lambda said: said.iloc[1:], "line 2 is of the training part, but in no row here"),
    "rows too few": (lambda said: said.iloc[3:], "line 2 and 2 more are of the training part, but in no row here"),
    "a row twice": (lambda said: pd.concat([said, said.iloc[:1]]), "line 2 is not one row each"),
    "no line": (lambda said: said.assign(line=said.line.where(said.index > 0)), "a row without a number is not one"),
    "a row of the test part": (
        lambda said: pd.concat([said, said.iloc[:1].assign(line=[ROWS + 9])]),
        f"line {ROWS + 9} is not in the training part. A teacher that was fitted on the test part would make its",
    ),
    "a fold of no column": (
        lambda said: said.assign(fold=said.fold.where(said.index > 0, 9)),
        "in 1 rows the fold is none of 1, 2, 3, 4, 5, for which there are columns without_1 to without_5",
    ),
    "a probability above 1": (
        lambda said: said.assign(out_of_fold=said.out_of_fold.where(said.index > 0, 1.01)),
        "out_of_fold is no number from 0 to 1 in 1 rows, first that of line 2",
    ),
    "a percentage": (
        lambda said: said.assign(without_2=100 * said.without_2),
        "without_2 is no number from 0 to 1 in",
    ),
    "a gap": (
        lambda said: said.assign(without_3=said.without_3.where(said.fold != 4)),
        "without_3 is no number from 0 to 1 in 80 rows",
    ),
    "text": (
        lambda said: said.assign(out_of_fold=said.out_of_fold.astype(str).where(said.index > 0, "high")),
        "out_of_fold is no number from 0 to 1 in 1 rows",
    ),
    "the same teachers for pairs of folds": (
        lambda said: said.assign(**{f"without_{fold}": said.out_of_fold for fold in range(1, 6)}),
        "without_1 is the same as out_of_fold in every row",
    ),
    "probabilities of paying": (
        lambda said: said.assign(out_of_fold=1 - said.out_of_fold),
        "no better than chance. Is it of this file in this order, and the probability of default, not of paying?",
    ),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_file_is_one_line_that_names_it_and_what_is_wrong(
    said: pd.DataFrame, part: Dataset, tmp_path: Path, change: Change, message: str
) -> None:
    path = tmp_path / "teacher.csv"
    change(said).to_csv(path, index=False)
    with pytest.raises(DataError) as caught:
        read_teacher(path, part)
    assert str(caught.value).startswith(f"--teacher {path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_teacher_that_knows_its_own_rows_by_heart_is_refused(
    said: pd.DataFrame, part: Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "teacher.csv"
    said.assign(out_of_fold=np.where(part.defaulted, 0.9, 0.1)).to_csv(path, index=False)
    with pytest.raises(DataError, match=r"AUC of 1\.0000\. Such a teacher has seen the outcomes of the rows"):
        read_teacher(path, part)


def test_a_file_that_is_not_there_and_rows_of_no_file_are_one_line_each(part: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "nowhere.csv"
    with pytest.raises(DataError, match=r"--teacher .*nowhere\.csv: cannot be read \(No such file or directory\)"):
        read_teacher(path, part)
    decisions = replace(part, lines=None, source="decisions")
    for asked in (lambda: read_teacher(path, decisions), lambda: write_teacher_rows(decisions, 42, path)):
        with pytest.raises(ConfigurationError, match="which data of source decisions have not"):
            asked()
    assert not path.exists()


def test_rows_that_cannot_be_written_are_one_line(clients: Dataset, tmp_path: Path) -> None:
    with pytest.raises(CreditScoringError, match=r"--teacher-rows .*: cannot be written \(Is a directory\)"):
        write_teacher_rows(clients, PLAN.seed, tmp_path)
