"""`credit-scoring score` on this machine, as its users run it."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet
import pytest

from credit_scoring.batch.output import MANIFEST_FILE
from credit_scoring.model import store
from credit_scoring.model.scorer import Scorer
from tests.support.batch import VALUE, one_good_one_bad, write_policy
from tests.support.command_line import error_here, error_of, run, run_here

source = pytest.fixture(one_good_one_bad)


def before_others(folder: Path) -> str:
    """A PYTHONPATH on which modules of this folder come first."""
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])


def test_a_file_is_decided_without_spark_and_what_came_of_it_told(source: Path, model_tag: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    (tmp_path / "pyspark.py").write_text("raise ImportError(name='pyspark')", encoding="utf-8")
    found = run("score", source, "--output", output, PYTHONPATH=before_others(tmp_path), PATH="")
    assert found.returncode == 0, found.stderr
    assert found.stdout == f"{output}\n"
    assert f"2 rows: 1 decided by {model_tag}, 1 rejected." in found.stderr
    assert "rejected age: Input should be greater than or equal to 18 (1 rows)" in found.stderr
    assert json.loads((output / MANIFEST_FILE).read_bytes())["rows"] == 2
    (decided,) = pyarrow.parquet.read_table(output / "decisions").to_pylist()
    assert decided["application_id"] == "p-1"
    assert VALUE not in found.stderr


def test_with_reasons_each_decision_says_why_and_the_log_still_has_no_value(
    source: Path, model_tag: str, tmp_path: Path
) -> None:
    found = run("score", source, "--output", tmp_path / "out", "--model", model_tag, "--reasons")
    assert found.returncode == 0, found.stderr
    (decided,) = pyarrow.parquet.read_table(tmp_path / "out" / "decisions").to_pylist()
    reasons = json.loads(decided["reasons"])
    assert (reasons["decision"], reasons["rules"]) == (decided["decision"], [])
    assert [*reasons["score"]] == ["against", "further", "further_share", "in_favour"]
    assert VALUE not in found.stderr


def test_reasons_of_a_model_that_can_give_none_are_an_error(
    source: Path, scorer: Scorer, published: Callable[[], list[str]], tmp_path: Path
) -> None:
    store.save(replace(scorer, reference=scorer.reference.model_copy(update={"applicants": ()})))
    (tag,) = published()
    found = run("score", source, "--output", tmp_path / "out", "--model", tag, "--reasons")
    assert f"--reasons, model {tag}: The model has no reference applicant" in error_of(found)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("is_setting", [False, True], ids=["--policy", "CREDIT_SCORING_POLICY_FILE"])
def test_the_policy_in_a_file_decides_by_the_option_or_by_the_setting_of_the_service(
    source: Path, model_tag: str, tmp_path: Path, is_setting: bool
) -> None:
    path = write_policy(tmp_path / "policy.toml")
    command = ("score", source, "--output", tmp_path / "out", "--model", model_tag)
    found = run(*command, CREDIT_SCORING_POLICY_FILE=str(path)) if is_setting else run(*command, "--policy", path)
    assert found.returncode == 0, found.stderr
    (decided,) = pyarrow.parquet.read_table(tmp_path / "out" / "decisions").to_pylist()
    assert (decided["decision"], decided["rules"]) == ("NEGADO", ["TERM"])
    manifest = json.loads((tmp_path / "out" / MANIFEST_FILE).read_bytes())
    assert f"({manifest['policy_version']}) decided, not the model's own." in " ".join(found.stderr.split())


def test_a_policy_file_that_is_not_there_is_an_error(source: Path, model_tag: str, tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    found = run("score", source, "--output", tmp_path / "out", "--model", model_tag, "--policy", missing)
    assert str(missing) in error_of(found)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("module", "options", "group"),
    [("pyarrow", (), "batch"), ("pyspark", ("--engine", "spark"), "spark"), ("pyarrow", ("--master", "x"), "spark")],
)
def test_without_a_dependency_group_the_error_names_it(
    source: Path, model_tag: str, tmp_path: Path, module: str, options: tuple[str, ...], group: str
) -> None:
    (tmp_path / f"{module}.py").write_text(f"raise ImportError(name={module!r})", encoding="utf-8")
    own = ("--model", model_tag, *options)
    found = run("score", source, "--output", tmp_path / "out", *own, PYTHONPATH=before_others(tmp_path))
    message = error_of(found)
    assert f"The dependency group {group} is not installed, " in message
    assert f" is missing: run `pip install --require-hashes -r requirements/{group}.txt`." in message


def test_a_model_that_is_not_stored_is_an_error_before_anything_is_read(source: Path, tmp_path: Path) -> None:
    message = error_here("score", source, "--output", tmp_path / "out", "--model", "credit_scoring:none")
    assert message.startswith("No model credit_scoring:none in the BentoML store.")


@pytest.mark.parametrize(
    ("place", "options", "message"),
    [
        ("in.csv", ("--partitions", "4"), "--partitions 4: is for --engine spark; use --jobs."),
        ("in.csv", ("--spark-log", "spark.log"), "--spark-log spark.log: is for --engine spark."),
        ("in.csv", ("--engine", "local", "--master", "yarn"), "--master yarn: is for --engine spark; leave one of"),
        ("in.csv", ("--engine", "spark", "--jobs", "3"), "--jobs 3: is for the local engine; use --master local[3]."),
        ("s3a://b/in", ("--engine", "local"), "s3a://b/in: the local engine uses paths of this machine; use --engine"),
    ],
)
def test_an_option_of_the_other_engine_is_an_error(place: str, options: tuple[str, ...], message: str) -> None:
    assert message in error_here("score", place, "--output", "out", *options)


def test_help_lists_every_option() -> None:
    found = run_here("score", "--help")
    options = "output model policy reasons format mapping id-column partitions jobs engine master spark-log"
    assert all(f"--{option}" in found.stdout for option in options.split())
