"""Spark for tests: where it cannot run, they say so loudly."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


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
