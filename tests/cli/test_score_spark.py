"""`credit-scoring score` in Spark, as its users run it."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from credit_scoring.batch.output import MANIFEST_FILE
from tests.support.batch import VALUE, one_good_one_bad
from tests.support.command_line import error_here, error_of, run
from tests.support.spark import require_spark

batch = require_spark()

source = pytest.fixture(one_good_one_bad)


def test_with_a_master_a_file_is_decided_in_spark(source: Path, model_tag: str, tmp_path: Path) -> None:
    log = tmp_path / "spark.log"
    output = tmp_path / "out"
    found = run("score", source, "--output", output, "--master", "local[1]", "--spark-log", log, "--reasons")
    assert found.returncode == 0, found.stderr
    assert found.stdout == f"file:{output}\n"
    assert f"2 rows: 1 decided by {model_tag}, 1 rejected." in found.stderr
    assert "rejected age: Input should be greater than or equal to 18 (1 rows)" in found.stderr
    assert json.loads((output / MANIFEST_FILE).read_bytes())["rows"] == 2
    (decided,) = pyarrow.parquet.read_table(output / "decisions").to_pylist()
    assert decided["application_id"] == "p-1"
    assert json.loads(decided["reasons"])["decision"] == decided["decision"]
    assert VALUE not in found.stderr + log.read_text(encoding="utf-8")


def test_a_failure_is_one_line_without_a_trace_of_java(source: Path, model_tag: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(source.read_bytes())
    found = run("score", broken, "--output", tmp_path / "out", "--master", "local[1]", "--model", model_tag)
    assert "Spark failed" in error_of(found)
    assert not (tmp_path / "out").exists()


def test_without_java_the_error_says_what_to_install(source: Path, model_tag: str, tmp_path: Path) -> None:
    command = ("score", source, "--output", tmp_path / "out", "--engine", "spark")
    message = error_here(*command, JAVA_HOME=str(tmp_path))
    assert message == f"Spark needs Java 17 or newer, and there is none in JAVA_HOME ({tmp_path}). Install it."


def test_a_java_that_is_too_old_is_an_error_that_says_so(source: Path, model_tag: str, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_392\"' >&2\n", encoding="utf-8")
    (tmp_path / "bin" / "java").chmod(0o755)
    command = ("score", source, "--output", tmp_path / "out", "--engine", "spark")
    message = error_here(*command, JAVA_HOME=str(tmp_path))
    assert message == f"Spark needs Java 17 or newer, and the one in JAVA_HOME ({tmp_path}) is 8."


def test_a_master_that_cannot_be_reached_is_an_error(source: Path, model_tag: str, tmp_path: Path) -> None:
    nowhere = ("--master", "nowhere://cluster", "--model", model_tag)
    message = error_of(run("score", source, "--output", tmp_path / "out", *nowhere))
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
