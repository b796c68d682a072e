"""Batches on this machine: every row decided as the service decides it or refused for its reasons, once, in order."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pyarrow
import pyarrow.parquet
import pytest

from benchmarks.support.waiting import wait_for
from credit_scoring.batch import csv_chunks, local, parquet_chunks
from credit_scoring.batch.chunks import Chunk
from credit_scoring.batch.decimals import SAMPLE_BYTES
from credit_scoring.batch.local import score
from credit_scoring.batch.local_task import LocalTask, Part
from credit_scoring.batch.scoring import OUTPUT
from credit_scoring.data.datasets import Dataset
from credit_scoring.errors import ConfigurationError, CreditScoringError, DataError, PolicyError, ScoringError
from credit_scoring.model.scorer import Scorer
from credit_scoring.settings import PROJECT_FOLDER
from tests.support.batch import (
    Answers,
    Row,
    answers,
    applications,
    brazilian,
    decided,
    ended,
    job_of,
    manifest_of,
    read,
    write_csv,
    write_parquet,
    write_policy,
)
from tests.support.command_line import COMMAND

ROWS = 1200
WRITERS = {"parquet": write_parquet, "csv": write_csv}
Write = Callable[[Path, list[Row]], Path]


@pytest.fixture(scope="module")
def rows(dataset: Dataset) -> list[Row]:
    return applications(dataset, ROWS)


@pytest.fixture(scope="module")
def expected(rows: list[Row], model_tag: str) -> Answers:
    return answers(rows, model_tag)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a small file has several."""
    monkeypatch.setattr(parquet_chunks, "CHUNK_ROWS", 150)
    monkeypatch.setattr(csv_chunks, "CHUNK_CHARACTERS", 15_000)


@pytest.fixture(params=["parquet", "csv"])
def write(request: pytest.FixtureRequest) -> Write:
    """Writes a file of this kind."""
    return lambda folder, rows: WRITERS[request.param](folder / f"in.{request.param}", rows)


# Decisions


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.usefixtures("small_chunks")
def test_rows_are_decided_as_the_service_decides_to_the_last_bit_and_keep_their_order(
    write: Write, rows: list[Row], expected: Answers, model_tag: str, tmp_path: Path, jobs: int
) -> None:
    source = write(tmp_path, rows)
    score(job_of(source, tmp_path / "out", model_tag), jobs=jobs)
    assert decided(tmp_path / "out") == expected
    found = read(tmp_path / "out" / "decisions")
    assert [row["application_id"] for row in found] == [row["application_id"] for row in rows]
    assert [row["source_row"] for row in found] == [*range(1, ROWS + 1)]
    assert {row["source_file"] for row in found} == {f"file:{source}"}
    assert read(tmp_path / "out" / "rejected") == []
    assert len([*(tmp_path / "out" / "decisions").iterdir()]) > 3


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.usefixtures("small_chunks")
def test_a_policy_in_a_file_decides_as_in_the_service_and_is_named_in_the_output(
    write: Write, rows: list[Row], expected: Answers, model_tag: str, tmp_path: Path, jobs: int
) -> None:
    policy_file = write_policy(tmp_path / "policy.toml")
    job = job_of(write(tmp_path, rows), tmp_path / "out", model_tag, policy_file=policy_file)
    score(job, jobs=jobs)
    assert decided(tmp_path / "out") == answers(rows, model_tag, policy_file) != expected
    found = read(tmp_path / "out" / "decisions")
    assert {tuple(row["rules"]) for row in found} == {(), ("TERM",)}
    version = job.scorer().policy.version
    assert {row["policy_version"] for row in found} == {version, manifest_of(tmp_path / "out").policy_version}


def test_a_policy_in_a_file_whose_case_fails_decides_no_row(rows: list[Row], model_tag: str, tmp_path: Path) -> None:
    policy_file = write_policy(tmp_path / "policy.toml", expected="APROVADO")
    job = job_of(write_csv(tmp_path / "in.csv", rows[:10]), tmp_path / "out", model_tag, policy_file=policy_file)
    with pytest.raises(PolicyError, match=rf"^Policy {policy_file}:\s+case 'prazo longo': came to NEGADO"):
        score(job)
    assert not (tmp_path / "out").exists()


def test_the_files_of_a_folder_are_read_in_the_order_of_their_names(
    rows: list[Row], expected: Answers, model_tag: str, tmp_path: Path
) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for number, name in enumerate(["a.csv", "b.csv", "deep/c.csv"]):
        write_csv(tmp_path / "in" / name, rows[number * 400 : (number + 1) * 400])
    for hidden in ("_SUCCESS", ".part.csv.crc"):
        (tmp_path / "in" / hidden).write_text("not data", encoding="utf-8")
    score(job_of(tmp_path / "in", tmp_path / "out", model_tag), jobs=1)
    assert decided(tmp_path / "out") == expected
    ids = [row["application_id"] for row in read(tmp_path / "out" / "decisions")]
    assert ids == [row["application_id"] for row in rows]


def test_a_pattern_names_files(rows: list[Row], model_tag: str, tmp_path: Path) -> None:
    for number in range(3):
        write_csv(tmp_path / f"{number}.csv", rows[number * 10 : (number + 1) * 10])
    score(job_of(tmp_path / "[01].csv", tmp_path / "out", model_tag))
    assert {*decided(tmp_path / "out")} == {f"p-{number}" for number in range(20)}


@pytest.mark.usefixtures("small_chunks")
def test_refused_rows_are_set_apart_with_the_reasons_of_the_service(
    write: Write, rows: list[Row], model_tag: str, tmp_path: Path
) -> None:
    bad: dict[int, Row] = {3: {"age": 17.0}, 407: {"credit_letter_value": None}, 411: {"good_type": "YACHT"}}
    mixed = [{**row, **bad.get(number, {})} for number, row in enumerate(rows, start=1)]
    scored = score(job_of(write(tmp_path, mixed), tmp_path / "out", model_tag), jobs=2)
    rejected = read(tmp_path / "out" / "rejected")
    assert [(row["source_row"], [fault["field"] for fault in row["faults"]]) for row in rejected] == [
        (3, ["age"]),
        (407, ["credit_letter_value"]),
        (411, ["good_type"]),
    ]
    assert ("age: Input should be greater than or equal to 18", 1) in scored.reasons
    assert len(decided(tmp_path / "out")) == ROWS - 3
    found = manifest_of(tmp_path / "out")
    assert found == scored.manifest
    assert (found.rows, found.decided, found.rejected) == (ROWS, ROWS - 3, 3)


def test_the_guide_names_every_column_that_is_written() -> None:
    guide = (PROJECT_FOLDER / "docs" / "batch.md").read_text(encoding="utf-8")
    rows = [row for row in guide.splitlines() if row.startswith(("| `decisions/` |", "| `rejected/` |"))]
    assert [name for name in OUTPUT.names if f"`{name}`" not in "".join(rows)] == []


def test_an_input_without_rows_gives_an_output_without_rows(write: Write, model_tag: str, tmp_path: Path) -> None:
    score(job_of(write(tmp_path, []), tmp_path / "out", model_tag))
    assert manifest_of(tmp_path / "out").rows == 0
    assert decided(tmp_path / "out") == {}
    assert "faults" in pyarrow.parquet.read_schema(tmp_path / "out" / "rejected" / "part-00000000.parquet").names


@pytest.mark.usefixtures("small_chunks")
def test_progress_is_told_in_bytes_until_all_are_done(
    write: Write, rows: list[Row], model_tag: str, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    source = write(tmp_path, rows)
    score(job_of(source, tmp_path / "out", model_tag), lambda done, size: told.append((done, size)), jobs=1)
    size = source.stat().st_size
    assert len(told) > 3
    assert [*told] == sorted(told)
    assert told[-1] == (size, size)


@pytest.mark.parametrize(
    ("amount", "others"),
    [("60000,5", ["60000.5"]), ("60000.5", ["60000,5", "60.000,5"]), ("60000", ["60.000", "60.000,5"])],
)
def test_rows_that_contradict_how_the_file_begins_are_rejected_and_not_misread(
    model_tag: str, tmp_path: Path, amount: str, others: list[str]
) -> None:
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('delimiter = ";"\n', encoding="utf-8")
    first = SAMPLE_BYTES // 80 + 1
    source = brazilian(tmp_path / "in.csv", [*[amount] * (first - 1), *others, amount])
    score(job_of(source, tmp_path / "out", model_tag, mapping=mapping))
    rejected = read(tmp_path / "out" / "rejected")
    assert [row["source_row"] for row in rejected] == [*range(first, first + len(others))]
    assert len(decided(tmp_path / "out")) == first


def test_thousands_are_read_as_such_or_asked_for(model_tag: str, tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('delimiter = ";"\n', encoding="utf-8")
    uncertain = job_of(brazilian(tmp_path / "a.csv", ["60.000"]), tmp_path / "out", model_tag, mapping=mapping)
    with pytest.raises(DataError, match=r"^Input .*a\.csv: 1 numbers are like 1\.234, which may be a thousand"):
        score(uncertain)
    certain = brazilian(tmp_path / "b.csv", ["60.000", "60000,0"])
    score(job_of(certain, tmp_path / "out", model_tag, mapping=mapping))
    thousands, plain = decided(tmp_path / "out").values()
    assert thousands == plain


# Neither gap nor double


def everything_in(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_rerun_replaces_the_output(rows: list[Row], model_tag: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    score(job_of(write_parquet(tmp_path / "a.parquet", rows[:300]), output, model_tag))
    score(job_of(write_parquet(tmp_path / "b.parquet", rows[200:400]), output, model_tag))
    assert {*decided(output)} == {f"p-{number}" for number in range(200, 400)}
    assert {path.name for path in tmp_path.iterdir()} == {"a.parquet", "b.parquet", "out"}


@dataclass(frozen=True)
class Killed(LocalTask):
    """Its process is killed in the middle of the input."""

    def decide(self, number: int, chunk: Chunk) -> Part:
        if number == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().decide(number, chunk)


@dataclass(frozen=True)
class Broken(LocalTask):
    """Fails with a message that holds an applicant's value."""

    def _decided(self, rows: Any, chunk: Chunk) -> Any:
        raise ValueError("monthly_income 3210.99")


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Killed, r"^A process that decided was killed, .*Nothing was written; run it again"),
        (Broken, r"^A task failed with ValueError at .*\.py:\d+\.$"),
    ],
)
@pytest.mark.usefixtures("small_chunks")
def test_a_run_that_fails_leaves_the_old_output_and_tells_no_value(
    rows: list[Row], model_tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: type, message: str
) -> None:
    job = job_of(write_parquet(tmp_path / "in.parquet", rows), tmp_path / "out", model_tag)
    score(job, jobs=1)
    before = everything_in(tmp_path / "out")
    monkeypatch.setattr(local, "LocalTask", task)
    with pytest.raises(ScoringError, match=message):
        score(job, jobs=2)
    assert everything_in(tmp_path / "out") == before
    assert {path.name for path in tmp_path.iterdir()} == {"in.parquet", "out"}


def write_many(path: Path, rows: list[Row]) -> Path:
    """Hundreds of thousands of rows, so that a run can be stopped in their middle."""
    table = pyarrow.parquet.read_table(write_parquet(path, rows))
    with pyarrow.parquet.ParquetWriter(path, table.schema) as writer:
        for _ in range(400):
            writer.write_table(table)
    return path


@pytest.fixture
def running(rows: list[Row], model_tag: str, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run that has written a part of its output; its own process group, as a shell makes one."""
    source = write_many(tmp_path / "in.parquet", rows)
    command: list[str | Path] = [COMMAND, "score", source, "--output", tmp_path / "out", "--jobs", "2"]
    run = subprocess.Popen(command, stdout=-1, stderr=-1, text=True, start_new_session=True)
    try:
        wait_for(lambda: run.poll() is not None or any(tmp_path.glob(".out.new/decisions/*")), "a part of the output")
        yield run
    finally:
        if run.poll() is None:
            run.kill()
        run.communicate()


def test_ctrl_c_leaves_nothing_behind(running: subprocess.Popen[str], tmp_path: Path) -> None:
    family = psutil.Process(running.pid).children(recursive=True)
    assert len(family) >= 3
    os.killpg(running.pid, signal.SIGINT)
    _, told = running.communicate(timeout=120)
    assert (running.returncode, told.splitlines()[-1]) == (130, "Interrupted: nothing was written.")
    assert {path.name for path in tmp_path.iterdir()} == {"in.parquet"}
    psutil.wait_procs(family, timeout=120)
    assert not any(each.is_running() for each in family)


def test_a_run_that_is_killed_leaves_no_process_and_the_next_one_cleans_up(
    running: subprocess.Popen[str], rows: list[Row], model_tag: str, tmp_path: Path
) -> None:
    family = psutil.Process(running.pid).children(recursive=True)
    running.kill()
    psutil.wait_procs(family, timeout=120)
    assert not any(each.is_running() for each in family)
    assert not (tmp_path / "out").exists()
    score(job_of(write_csv(tmp_path / "few.csv", rows[:20]), tmp_path / "out", model_tag))
    assert len(decided(tmp_path / "out")) == 20
    assert not (tmp_path / ".out.new").exists()


# What cannot be decided


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("missing.csv", {}, ConfigurationError, "no such file, or a folder without files"),
        ("in.txt", {}, ConfigurationError, "no file named .csv or .parquet. Name the kind with --format"),
        ("in.csv", {"id_column": "proposta"}, DataError, "No column proposta, which --id-column names"),
        ("in.parquet", {"mapping": Path("m.toml")}, ConfigurationError, "--mapping m.toml: is for CSV"),
        ("in.csv", {"mapping": Path("m.toml")}, DataError, "Mapping file m.toml: cannot be read"),
        ("in.csv", {"format": "parquet"}, DataError, "not readable as Parquet"),
        ("folder", {}, DataError, "its files do not have the same header"),
        ("empty.csv", {}, DataError, "No column age, credit_letter_value; found nothing"),
    ],
)
def test_what_cannot_be_read_is_an_error_in_one_line_and_nothing_is_written(
    rows: list[Row],
    model_tag: str,
    tmp_path: Path,
    name: str,
    options: dict[str, Any],
    error: type[CreditScoringError],
    message: str,
) -> None:
    write_csv(tmp_path / "in.csv", rows[:2])
    write_csv(tmp_path / "in.txt", rows[:2])
    write_parquet(tmp_path / "in.parquet", rows[:2])
    (tmp_path / "empty.csv").touch()
    (tmp_path / "folder").mkdir()
    write_csv(tmp_path / "folder" / "a.csv", rows[:2])
    write_csv(tmp_path / "folder" / "b.csv", rows[:2], {"age": "age", "credit_letter_value": "credit_letter_value"})
    before = {*tmp_path.iterdir()}
    with pytest.raises(error) as caught:
        score(job_of(tmp_path / name, tmp_path / "out", model_tag, **options))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {*tmp_path.iterdir()} == before


def test_a_policy_that_has_ended_decides_no_row(
    scorer: Scorer, published: Callable[[], list[str]], tmp_path: Path
) -> None:
    tag = ended(scorer)
    with pytest.raises(PolicyError, match=f"^The policy of model {tag}: it was valid until 2020-01-31, and today is"):
        score(job_of(tmp_path / "missing.csv", tmp_path / "out", tag))
    assert published() == [tag]
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_is_no_output_of_ours_is_left_alone(rows: list[Row], model_tag: str, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it", encoding="utf-8")
    source = write_parquet(tmp_path / "in.parquet", rows[:2])
    with pytest.raises(ConfigurationError, match="is no output of this command"):
        score(job_of(source, tmp_path / "mine", model_tag))
    assert (tmp_path / "mine" / "thesis.txt").read_text(encoding="utf-8") == "all of it"


@pytest.mark.parametrize("output", ["in", "in/out", "."])
def test_the_output_must_lie_apart_from_the_input(rows: list[Row], model_tag: str, tmp_path: Path, output: str) -> None:
    (tmp_path / "in").mkdir()
    write_parquet(tmp_path / "in" / "a.parquet", rows[:2])
    with pytest.raises(ConfigurationError, match="must lie apart from the input"):
        score(job_of(tmp_path / "in", tmp_path / output, model_tag))


def test_an_output_whose_run_was_killed_between_its_renames_is_put_back(
    rows: list[Row], model_tag: str, tmp_path: Path
) -> None:
    score(job_of(write_parquet(tmp_path / "in.parquet", rows[:50]), tmp_path / "out", model_tag))
    (tmp_path / "out").rename(tmp_path / ".out.old")
    with pytest.raises(ConfigurationError, match="no such file"):
        score(job_of(tmp_path / "missing.parquet", tmp_path / "out", model_tag))
    assert len(decided(tmp_path / "out")) == 50


def test_an_output_that_cannot_be_made_is_an_error(rows: list[Row], model_tag: str, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", rows[:2])
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"--output .*: cannot be written \(Not a directory\)"):
        score(job_of(source, tmp_path / "file" / "out", model_tag))
