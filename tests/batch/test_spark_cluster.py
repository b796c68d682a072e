"""A cluster of several executors: the package and the model are shipped to them, and one that dies leaves no trace."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from credit_scoring.batch.cluster import archive_package
from credit_scoring.batch.task import Scoring
from credit_scoring.data.datasets import Dataset
from tests.support.batch import answers, applications, decided, job_of, write_parquet
from tests.support.spark import first_time, pyspark_folder, require_spark, sent_by_value, session_on

batch = require_spark()

CLUSTER = "local-cluster[2,1,1024]"  # executors, cores each, MiB each
ROWS = 1200


@dataclass(frozen=True)
class ExecutorKilledOnce(Scoring):
    """The executor that it runs in is killed after a batch was handed on, the first time that this happens."""

    marker: str = ""

    def decide(self, batches: Any) -> Iterator[Any]:
        for number, decided_batch in enumerate(super().decide(batches)):
            if number == 1 and first_time(self.marker):
                next(each for each in psutil.Process().parents() if each.name() == "java").kill()
            yield decided_batch


@pytest.fixture(autouse=True)
def no_leftovers() -> Iterator[None]:
    """Spark keeps what executors of such a cluster print in its own folder, and lets nobody name another."""
    folder = pyspark_folder() / "work"
    before = {*folder.glob("*")}
    yield
    for made in {*folder.glob("*")} - before:
        shutil.rmtree(made)


def test_a_killed_executor_leaves_neither_gap_nor_double(
    dataset: Dataset, model_tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "killed"
    monkeypatch.setattr(batch, "Scoring", partial(ExecutorKilledOnce, marker=str(marker)))
    rows = applications(dataset, ROWS)
    source = write_parquet(tmp_path / "in.parquet", rows)
    with session_on(CLUSTER) as session, sent_by_value(__name__), sent_by_value("tests.support.spark"):
        batch.score(session, job_of(source, tmp_path / "out", model_tag, partitions=4))
    assert marker.exists()
    assert decided(tmp_path / "out") == answers(rows, model_tag)


def test_the_package_that_is_shipped_can_be_imported_from_its_archive(tmp_path: Path) -> None:
    archive = archive_package(tmp_path)
    path = f"import sys; sys.path.insert(0, {str(archive)!r})"
    code = f"{path}; from credit_scoring.batch import task; print(task.__file__)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert found.stdout.startswith(str(archive))
