"""Spark for tests: where it cannot run, they say so loudly."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet
import pytest

from benchmarks.support.consorcio import FIELDS, MAPPABLE, ConsorcioApplication
from credit_scoring.data.datasets import Dataset
from credit_scoring.model import store
from credit_scoring.model.scorer import Scorer
from credit_scoring.serving.decision_engine import DecisionDesk

Row = dict[str, Any]
Answers = dict[str, tuple[float, str]]


def require_spark() -> Any:
    """The module that needs Spark; skips the whole test module where there is none."""
    if absent := [name for name in ("pyspark", "pyarrow") if importlib.util.find_spec(name) is None]:
        _skip(f"no {', '.join(absent)}: `pip install --require-hashes -r requirements/spark.txt`")
    if not ("JAVA_HOME" in os.environ or shutil.which("java")):
        _skip("no Java: install Java 17 or newer")
    from credit_scoring.batch import job as batch  # noqa: PLC0415 - only where Spark is

    return batch


def _skip(reason: str) -> None:
    pytest.skip(f"SPARK NOT TESTED, {reason}", allow_module_level=True)


def pyspark_folder() -> Path:
    """Where Spark itself is installed."""
    import pyspark  # noqa: PLC0415 - only where Spark is

    return Path(pyspark.__file__).parent


@contextmanager
def session_on(master: str) -> Iterator[Any]:
    """A session whose batches are small, so that a task has several. A cluster of this machine needs its loopback."""
    batch = require_spark()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_HOME", str(pyspark_folder()))
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        with batch.spark_session(master) as session:
            session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "100")
            session.conf.set("spark.sql.shuffle.partitions", "2")
            yield session


@contextmanager
def sent_by_value(module: str) -> Iterator[None]:
    """Workers get the classes of a test module themselves: they cannot import it."""
    from pyspark import cloudpickle  # noqa: PLC0415 - only where Spark is

    cloudpickle.register_pickle_by_value(sys.modules[module])
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[module])


def first_time(marker: str) -> bool:
    """Whether nobody has called this with this marker."""
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


@pytest.fixture
def by_value() -> Iterator[None]:
    """Workers get the classes of this module themselves: they cannot import it."""
    from pyspark import cloudpickle  # noqa: PLC0415 - only where Spark is

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def applications(dataset: Dataset, count: int) -> list[Row]:
    """Real applications with ids, as a client would send them."""
    sent = []
    for number, row in enumerate(dataset.frame.head(count).to_dict("records")):
        values = {str(name): value for name, value in row.items() if not pd.isna(value)}
        flags = {name: bool(value) for name, value in values.items() if FIELDS[name].kind == "flag"}
        sent.append({"application_id": f"p-{number}", **values, **flags})
    return sent


def answers(rows: list[Row], tag: str) -> Answers:
    """Risk and decision of each application by its id, from the desk of the service."""
    desk = DecisionDesk(Scorer.load(Path(store.find(tag).path)), tag)
    decisions = desk.decide([ConsorcioApplication.model_validate(row) for row in rows])
    pairs = [(each.risk_probability, each.decision.value) for each in decisions]
    return dict(zip([row["application_id"] for row in rows], pairs, strict=True))


def write_parquet(path: Path, rows: list[Row]) -> Path:
    """A Parquet file of several row groups."""
    types = {"number": pyarrow.float64(), "integer": pyarrow.float64(), "flag": pyarrow.bool_()}
    names = ("application_id", *MAPPABLE)
    arrays = {
        name: pyarrow.array([row.get(name) for row in rows], types.get(FIELDS[name].kind, pyarrow.string()))
        for name in names
    }
    pyarrow.parquet.write_table(pyarrow.table(arrays), path, row_group_size=200)
    return path


def job_of(source: Path | str, output: Path, tag: str, **options: Any) -> Any:
    """The job of deciding these files."""
    batch = require_spark()
    return batch.ScoringJob(batch.InputFiles(str(source), **options), str(output), tag, Path(store.find(tag).path))


def read(folder: Path) -> list[Row]:
    found: list[Row] = pyarrow.parquet.read_table(folder).to_pylist()
    return found


def decided(output: Path) -> dict[str, tuple[float, str]]:
    """Risk and decision by id; fails where an id stands twice."""
    found = read(output / "decisions")
    by_id = {row["application_id"]: (row["risk_probability"], row["decision"]) for row in found}
    assert len(by_id) == len(found)
    return by_id
