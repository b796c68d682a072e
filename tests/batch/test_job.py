"""Batches in Spark: every row decided as the service decides it or refused for its reasons, once, whatever fails."""

import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.support.consorcio import MAPPABLE
from credit_scoring.batch.scoring import InputFiles
from credit_scoring.batch.task import Scoring
from credit_scoring.data.datasets import Dataset
from credit_scoring.errors import ConfigurationError, CreditScoringError, DataError, ScoringError
from credit_scoring.model import store
from credit_scoring.model.scorer import Scorer
from credit_scoring.settings import PROJECT_FOLDER
from tests.support.batch import (
    Answers,
    Row,
    answers,
    applications,
    decided,
    job_of,
    manifest_of,
    read,
    write_csv,
    write_parquet,
)
from tests.support.spark import first_time, require_spark, sent_by_value, session_on

batch = require_spark()

ROWS = 1200


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    with session_on("local[2]") as session:
        yield session


@pytest.fixture(scope="module")
def rows(dataset: Dataset) -> list[Row]:
    return applications(dataset, ROWS)


@pytest.fixture(scope="module")
def expected(rows: list[Row], model_tag: str) -> Answers:
    return answers(rows, model_tag)


# Decisions


def test_parquet_is_decided_as_the_service_decides_to_the_last_bit(
    session: Any, rows: list[Row], expected: Answers, model_tag: str, tmp_path: Path
) -> None:
    source = write_parquet(tmp_path / "in.parquet", rows)
    batch.score(session, job_of(source, tmp_path / "out", model_tag))
    assert decided(tmp_path / "out") == expected
    assert read(tmp_path / "out" / "rejected") == []


def test_csv_is_decided_as_the_service_decides_to_the_last_bit(
    session: Any, rows: list[Row], expected: Answers, model_tag: str, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for number in range(3):
        write_csv(tmp_path / "in" / f"{number}.csv", rows[number::3])
    batch.score(session, job_of(tmp_path / "in", tmp_path / "out", model_tag, partitions=9))
    assert decided(tmp_path / "out") == expected


def test_a_foreign_csv_is_read_by_its_mapping(
    session: Any, rows: list[Row], expected: Answers, model_tag: str, tmp_path: Path
) -> None:
    names = {"application_id": "proposta", **{name: f"coluna é {name}" for name in MAPPABLE}}
    source = write_csv(tmp_path / "in.csv", rows, names, delimiter=";", encoding="cp1252")
    columns = "\n".join(f'{name} = "{names[name]}"' for name in MAPPABLE)
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(f'encoding = "cp1252"\ndelimiter = ";"\n[columns]\n{columns}\n', encoding="utf-8")
    batch.score(session, job_of(source, tmp_path / "out", model_tag, mapping=mapping, id_column="proposta"))
    assert decided(tmp_path / "out") == expected


def test_each_decision_says_what_made_it_and_where_its_row_stands(
    session: Any, rows: list[Row], model_tag: str, tmp_path: Path
) -> None:
    source = write_csv(tmp_path / "in.csv", rows[:50])
    batch.score(session, job_of(source, tmp_path / "out", model_tag, partitions=4))
    policy = Scorer.load(Path(store.find(model_tag).path)).policy
    found = sorted(read(tmp_path / "out" / "decisions"), key=lambda row: row["source_row"])
    assert [row["application_id"] for row in found] == [row["application_id"] for row in rows[:50]]
    assert [row["source_row"] for row in found] == list(range(1, 51))
    assert {row["source_file"] for row in found} == {f"file:{source}"}
    assert {(row["model"], row["policy_version"], row["threshold"]) for row in found} == {
        (model_tag, policy.version, policy.threshold)
    }


# Rejected rows


@pytest.mark.parametrize("write", [write_parquet, write_csv])
def test_rows_that_the_service_would_refuse_are_set_apart_with_its_reasons(
    session: Any, rows: list[Row], model_tag: str, tmp_path: Path, write: Any
) -> None:
    bad: dict[int, Row] = {
        3: {"age": 17.0},
        7: {"credit_letter_value": None},
        11: {"good_type": "YACHT", "term_months": 0.0},
    }
    mixed = [{**row, **bad.get(number, {})} for number, row in enumerate(rows[:20], start=1)]
    source = write(tmp_path / f"in.{write.__name__.removeprefix('write_')}", mixed)
    scored = batch.score(session, job_of(source, tmp_path / "out", model_tag))
    rejected = sorted(read(tmp_path / "out" / "rejected"), key=lambda row: row["source_row"])
    assert [(row["source_row"], row["application_id"]) for row in rejected] == [(3, "p-2"), (7, "p-6"), (11, "p-10")]
    assert [[fault["field"] for fault in row["faults"]] for row in rejected] == [
        ["age"],
        ["credit_letter_value"],
        ["good_type", "term_months"],
    ]
    assert rejected[0]["faults"][0]["message"] == "Input should be greater than or equal to 18"
    assert len(decided(tmp_path / "out")) == 17
    assert ("age: Input should be greater than or equal to 18", 1) in scored.reasons


def test_a_row_with_a_cell_too_few_or_too_many_is_rejected(
    session: Any, rows: list[Row], model_tag: str, tmp_path: Path
) -> None:
    source = write_csv(tmp_path / "in.csv", rows[:4])
    header, first, second, *others = source.read_text(encoding="utf-8").splitlines()
    source.write_text("\n".join([header, first.rpartition(",")[0], f"{second},", *others]), encoding="utf-8")
    batch.score(session, job_of(source, tmp_path / "out", model_tag))
    rejected = read(tmp_path / "out" / "rejected")
    assert {(row["source_row"], row["faults"][0]["code"]) for row in rejected} == {(1, "cells"), (2, "cells")}
    assert {*decided(tmp_path / "out")} == {"p-2", "p-3"}


def test_an_input_without_rows_gives_an_output_without_rows(session: Any, model_tag: str, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", [])
    batch.score(session, job_of(source, tmp_path / "out", model_tag))
    assert manifest_of(tmp_path / "out").rows == 0
    assert decided(tmp_path / "out") == {}


# Neither gap nor double


def test_a_rerun_replaces_the_output(session: Any, rows: list[Row], model_tag: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    batch.score(session, job_of(write_parquet(tmp_path / "a.parquet", rows[:300]), output, model_tag))
    batch.score(session, job_of(write_parquet(tmp_path / "b.parquet", rows[200:400]), output, model_tag))
    assert {*decided(output)} == {f"p-{number}" for number in range(200, 400)}
    assert manifest_of(output).rows == 200
    assert {path.name for path in tmp_path.iterdir()} == {"a.parquet", "b.parquet", "out"}


@dataclass(frozen=True)
class KilledOnce(Scoring):
    """Its worker process is killed after a batch was handed on, the first time that this happens to the run."""

    marker: str = ""

    def decide(self, batches: Any) -> Iterator[Any]:
        for number, decided_batch in enumerate(super().decide(batches)):
            if number == 1 and first_time(self.marker):
                os.kill(os.getpid(), signal.SIGKILL)
            yield decided_batch


@dataclass(frozen=True)
class Broken(Scoring):
    """Fails in each attempt, with a message that holds an applicant's value."""

    def decide(self, batches: Any) -> Iterator[Any]:
        return super().decide(self._failing(batches))

    def _failing(self, batches: Any) -> Iterator[Any]:
        for first in batches:
            yield first
            raise ValueError("monthly_income 3210.99")


def test_a_killed_worker_leaves_neither_gap_nor_double(
    session: Any,
    rows: list[Row],
    expected: Answers,
    model_tag: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    marker = tmp_path / "killed"
    monkeypatch.setattr(batch, "Scoring", partial(KilledOnce, marker=str(marker)))
    source = write_parquet(tmp_path / "in.parquet", rows)
    with sent_by_value(__name__):
        batch.score(session, job_of(source, tmp_path / "out", model_tag, partitions=2))
    assert marker.exists()
    assert decided(tmp_path / "out") == expected


def test_a_run_that_fails_leaves_the_old_output_and_tells_no_value(
    session: Any, rows: list[Row], model_tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_of(write_parquet(tmp_path / "in.parquet", rows[:50]), tmp_path / "out", model_tag)
    batch.score(session, job)
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    monkeypatch.setattr(batch, "Scoring", Broken)
    failure = r"^A task failed with ValueError at .*\.py:\d+\.$"
    with sent_by_value(__name__), pytest.raises(ScoringError, match=failure):
        batch.score(session, job)
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before
    assert {path.name for path in tmp_path.iterdir()} == {"in.parquet", "out"}


def test_an_output_whose_run_was_killed_between_its_renames_is_put_back(
    session: Any, rows: list[Row], model_tag: str, tmp_path: Path
) -> None:
    job = job_of(write_parquet(tmp_path / "in.parquet", rows[:50]), tmp_path / "out", model_tag)
    batch.score(session, job)
    (tmp_path / "out").rename(tmp_path / ".out.old")
    missing = replace(job, files=InputFiles(str(tmp_path / "missing.parquet")))
    with pytest.raises(ConfigurationError, match="no such file"):
        batch.score(session, missing)
    assert len(decided(tmp_path / "out")) == 50


def test_the_manifest_says_what_was_decided_by_what(
    session: Any, rows: list[Row], model_tag: str, tmp_path: Path
) -> None:
    mixed = [*rows[:9], {**rows[9], "age": 17.0}]
    source = write_parquet(tmp_path / "in.parquet", mixed)
    scored = batch.score(session, job_of(source, tmp_path / "out", model_tag))
    found = manifest_of(tmp_path / "out")
    assert found == scored.manifest
    assert (found.model, found.source, found.rows, found.decided, found.rejected) == (model_tag, str(source), 10, 9, 1)


def test_progress_is_told_in_tasks(
    session: Any, rows: list[Row], model_tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("credit_scoring.batch.job.POLL_SECONDS", 0.01)
    told: list[tuple[int, int]] = []
    source = write_parquet(tmp_path / "in.parquet", rows)
    job = job_of(source, tmp_path / "out", model_tag, partitions=6)
    batch.score(session, job, lambda done, tasks: told.append((done, tasks)))
    assert 6 in {tasks for _, tasks in told}
    assert all(0 <= done <= tasks for done, tasks in told)


# What cannot be decided


@pytest.fixture
def no_output(tmp_path: Path) -> Iterator[Path]:
    """A place for the output, where nothing may appear."""
    yield tmp_path / "out"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("missing.csv", {}, ConfigurationError, "no such file, or a folder without files"),
        ("in.txt", {}, ConfigurationError, "no file named .csv or .parquet. Name the kind with --format"),
        ("in.csv", {"id_column": "proposta"}, DataError, "No column proposta, which --id-column names"),
        ("in.parquet", {"mapping": Path("m.toml")}, ConfigurationError, "--mapping m.toml: is for CSV"),
        ("in.csv", {"mapping": Path("m.toml")}, DataError, "Mapping file m.toml: cannot be read"),
        ("in.csv", {"format": "parquet"}, ScoringError, "Spark failed"),
    ],
)
def test_what_cannot_be_read_is_an_error_in_one_line(
    session: Any,
    rows: list[Row],
    model_tag: str,
    no_output: Path,
    name: str,
    options: dict[str, Any],
    error: type[CreditScoringError],
    message: str,
) -> None:
    folder = no_output.parent
    write_csv(folder / "in.csv", rows[:2])
    write_csv(folder / "in.txt", rows[:2])
    write_parquet(folder / "in.parquet", rows[:2])
    with pytest.raises(error, match=re.escape(message)) as caught:
        batch.score(session, job_of(folder / name, no_output, model_tag, **options))
    assert "\n" not in str(caught.value)


def test_files_whose_headers_differ_are_an_error_without_their_values(
    session: Any, rows: list[Row], model_tag: str, no_output: Path
) -> None:
    folder = no_output.parent / "in"
    folder.mkdir()
    write_csv(folder / "a.csv", rows[:2])
    (folder / "b.csv").write_text("1,2\n3,4\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        batch.score(session, job_of(folder, no_output, model_tag))
    assert "header" in str(caught.value) or "list of names" in str(caught.value)


def test_a_folder_that_is_no_output_of_ours_is_left_alone(
    session: Any, rows: list[Row], model_tag: str, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it", encoding="utf-8")
    source = write_parquet(tmp_path / "in.parquet", rows[:2])
    with pytest.raises(ConfigurationError, match="is no output of this command"):
        batch.score(session, job_of(source, tmp_path / "mine", model_tag))
    assert (tmp_path / "mine" / "thesis.txt").read_text(encoding="utf-8") == "all of it"


@pytest.mark.parametrize("output", ["in", "in/out", "."])
def test_the_output_must_lie_apart_from_the_input(
    session: Any, rows: list[Row], model_tag: str, tmp_path: Path, output: str
) -> None:
    (tmp_path / "in").mkdir()
    write_parquet(tmp_path / "in" / "a.parquet", rows[:2])
    with pytest.raises(ConfigurationError, match="must lie apart from the input"):
        batch.score(session, job_of(tmp_path / "in", tmp_path / output, model_tag))


def test_a_category_column_without_any_value_is_read_as_missing(
    session: Any, rows: list[Row], model_tag: str, tmp_path: Path
) -> None:
    frame = pd.DataFrame(rows[:20]).assign(good_type=None)
    frame.to_parquet(tmp_path / "in.parquet")
    batch.score(session, job_of(tmp_path / "in.parquet", tmp_path / "out", model_tag))
    assert len(decided(tmp_path / "out")) == 20


def test_only_one_module_imports_pyspark() -> None:
    modules = (PROJECT_FOLDER / "credit_scoring").rglob("*.py")
    found = [path.name for path in modules if re.search(r"^\s*(from|import) pyspark", path.read_text("utf-8"), re.M)]
    assert found == ["job.py"]
