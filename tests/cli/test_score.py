"""`credit-scoring score` as its users run it."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from benchmarks.support.consorcio import EXAMPLE_APPLICATION, MAPPABLE
from credit_scoring.batch.output import MANIFEST_FILE
from tests.support.command_line import error_here, error_of, run, run_here
from tests.support.spark import require_spark

batch = require_spark()

NAMES = ("application_id", *MAPPABLE)
VALUE = "3210.99"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file with one application and one that is refused."""
    path = tmp_path / "propostas.csv"
    good = {**EXAMPLE_APPLICATION, "application_id": "p-1", "monthly_income": VALUE}
    bad = {**good, "application_id": "p-2", "age": 17}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, NAMES)
        writer.writeheader()
        writer.writerows([good, bad])
    return path


def test_a_file_is_decided_and_what_became_of_it_told(source: Path, model_tag: str, tmp_path: Path) -> None:
    log = tmp_path / "spark.log"
    output = tmp_path / "out"
    found = run("score", source, "--output", output, "--master", "local[1]", "--spark-log", log)
    assert found.returncode == 0, found.stderr
    assert found.stdout == f"file:{output}\n"
    assert f"2 rows: 1 decided by {model_tag}, 1 rejected." in found.stderr
    assert "rejected age: Input should be greater than or equal to 18 (1 rows)" in found.stderr
    assert json.loads((output / MANIFEST_FILE).read_bytes())["rows"] == 2
    (decided,) = pyarrow.parquet.read_table(output / "decisions").to_pylist()
    assert decided["application_id"] == "p-1"
    assert VALUE not in found.stderr + log.read_text(encoding="utf-8")


def test_a_failure_is_one_line_without_a_trace_of_java(source: Path, model_tag: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(source.read_bytes())
    found = run("score", broken, "--output", tmp_path / "out", "--master", "local[1]")
    assert "Spark failed" in error_of(found)
    assert not (tmp_path / "out").exists()


def test_without_java_the_error_says_what_to_install(source: Path, model_tag: str, tmp_path: Path) -> None:
    message = error_here("score", source, "--output", tmp_path / "out", JAVA_HOME=str(tmp_path))
    assert message == f"Spark needs Java 17 or newer, and there is none in JAVA_HOME ({tmp_path}). Install it."


def test_without_pyspark_the_error_says_what_to_install(source: Path, model_tag: str, tmp_path: Path) -> None:
    (tmp_path / "pyspark.py").write_text("raise ImportError(name='pyspark')", encoding="utf-8")
    found = run("score", source, "--output", tmp_path / "out", PYTHONPATH=str(tmp_path))
    assert "pyspark is not installed: run `pip install --require-hashes -r requirements/spark.txt`" in error_of(found)


def test_a_model_that_is_not_stored_is_an_error_before_spark_starts(source: Path, tmp_path: Path) -> None:
    message = error_here("score", source, "--output", tmp_path / "out", "--model", "credit_scoring:none", PATH="")
    assert message.startswith("No model credit_scoring:none in the BentoML store.")


def test_a_master_that_cannot_be_reached_is_an_error(source: Path, model_tag: str, tmp_path: Path) -> None:
    message = error_of(run("score", source, "--output", tmp_path / "out", "--master", "nowhere://cluster"))
    assert "--master nowhere://cluster: Spark did not start there. See its log: --spark-log FILE." in message


def test_a_cluster_whose_master_does_not_answer_is_an_error(
    source: Path, model_tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spark gives up after a minute and stops its context by itself, which is done here at once."""
    start = batch._start

    def unanswered(master: str, log: Path | None) -> Any:
        context = start(master, log)
        context._jsc.stop()
        return context

    monkeypatch.setattr(batch, "_start", unanswered)
    message = error_here("score", source, "--output", tmp_path / "out", "--master", "local[1]")
    assert message == "--master local[1]: Spark did not start there. See its log: --spark-log FILE."
    assert not (tmp_path / "out").exists()


def test_help_lists_every_option() -> None:
    found = run_here("score", "--help")
    options = "output model format mapping id-column partitions master spark-log"
    assert all(f"--{option}" in found.stdout for option in options.split())
    assert os.linesep in found.stdout
