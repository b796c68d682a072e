"""Where parallel work runs: in processes of this machine or in Spark, which is imported only then."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer
from joblib import parallel_config

from credit_scoring.batch.joblib_spark import SparkBackend
from credit_scoring.errors import ConfigurationError

MasterOption = Annotated[
    str, typer.Option(help="Master URL of the Spark cluster; local[N] uses N cores of this machine.")
]
SparkLogOption = Annotated[Path | None, typer.Option(help="File to append Spark's own log to.")]


class Engine(StrEnum):
    """What runs the parallel part of a training."""

    LOCAL = "local"
    SPARK = "spark"


def spark() -> ModuleType:
    """The module that needs Spark; raises ConfigurationError where that is not installed."""
    try:
        from credit_scoring.batch import (  # noqa: PLC0415 - pyspark and pyarrow, which the served image does not carry
            job as batch,
        )
    except ImportError as error:
        raise ConfigurationError(
            f"{error.name} is not installed: run `pip install --require-hashes -r requirements/spark.txt`."
        ) from error
    return batch


@contextmanager
def engaged(engine: Engine, master: str, log: Path | None = None) -> Iterator[None]:
    """Have this engine do what joblib does in parallel within the block; raises ConfigurationError without Spark."""
    if engine is Engine.LOCAL:
        yield
        return
    with spark().spark_session(master, log) as session, parallel_config(SparkBackend(session.sparkContext), n_jobs=1):
        yield
