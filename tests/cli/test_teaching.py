"""`train --teacher`, from the rows to fill to the stored model and its card; each fault is one line."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from credit_scoring.application.catalogue import shipped
from credit_scoring.data.datasets import EMBEDDED_FILE, SOURCES_FOLDER, Dataset, load_csv
from credit_scoring.model import store
from credit_scoring.model.scorer import Scorer
from credit_scoring.settings import PROJECT_FOLDER
from credit_scoring.training import search
from credit_scoring.training.candidates import CANDIDATE_BY_NAME
from tests.support.command_line import error_here, run_here
from tests.support.teachers import write_filled

MAPPING = SOURCES_FOLDER / "embedded.toml"
QUICK = ("--trials", "1", "--jobs", "1", "--min-auc", "0.5", "--min-recall", "0")


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    lines = (PROJECT_FOLDER / "data" / EMBEDDED_FILE).read_text(encoding="utf-8").splitlines()[:801]
    path = tmp_path / "clients.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def clients(csv: Path) -> Dataset:
    return load_csv(csv, shipped(), MAPPING)


def _source(csv: Path) -> tuple[str | Path, ...]:
    return ("--source", "csv", "--path", csv, "--mapping", MAPPING)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_from_the_rows_to_fill_to_a_card_that_says_what_the_teacher_gave(
    csv: Path,
    clients: Dataset,
    published: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    suffix: str,
) -> None:
    monkeypatch.setattr(search, "CANDIDATES", (replace(CANDIDATE_BY_NAME["lightgbm"], other_starts=()),))
    rows, path = tmp_path / "rows.csv", tmp_path / f"teacher{suffix}"
    assert run_here("data", *_source(csv), "--teacher-rows", rows, "--seed", "7").exit_code == 0
    write_filled(clients, rows, path)
    found = run_here("train", *_source(csv), *QUICK, "--seed", "7", "--teacher", path)
    assert found.exit_code == 0, found.output
    (tag,) = published()
    folder = Path(store.find(tag).path)
    card = Scorer.load(folder).card
    assert card.teacher
    assert card.teacher.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert 0.7 < card.teacher.auc < 0.95
    assert {each.name for each in card.candidates} >= {"lightgbm", "lightgbm_taught"}
    gain = card.teacher.gains["lightgbm_taught"]
    assert f"lightgbm_taught against lightgbm, by outcomes alone: {gain} of AUC." in found.stderr
    page = (folder / "card.html").read_text(encoding="utf-8")
    assert card.teacher.sha256 in page
    assert f"lightgbm_taught {gain}." in page


def test_another_seed_has_another_test_part_which_a_teacher_must_not_know(
    csv: Path, clients: Dataset, tmp_path: Path
) -> None:
    rows, path = tmp_path / "rows.csv", tmp_path / "teacher.csv"
    run_here("data", *_source(csv), "--teacher-rows", rows)
    write_filled(clients, rows, path)
    message = error_here("train", *_source(csv), *QUICK, "--seed", "8", "--teacher", path)
    assert message.startswith(f"--teacher {path}: line ")
    assert "of the training part, but in no row here" in message


def test_a_file_that_is_not_there_is_one_error_before_any_search(csv: Path, tmp_path: Path) -> None:
    path = tmp_path / "nowhere.csv"
    message = error_here("train", *_source(csv), "--teacher", path)
    assert message == f"--teacher {path}: cannot be read (No such file or directory). Check the path."
