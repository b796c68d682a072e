"""Where parallel work runs: in local processes, or in Spark, which is imported only if used."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer
from joblib import parallel_config

from credit_scoring.batch.joblib_spark import SparkBackend
from credit_scoring.errors import ConfigurationError


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


@dataclass(frozen=True)
class SparkOptions:
    """Spark."""

    master: Annotated[
        str, typer.Option(help="Master URL of the Spark cluster; local[N] uses N cores of this machine.")
    ] = "local[*]"
    spark_log: Annotated[Path | None, typer.Option(help="File to append Spark's own log to.")] = None


@dataclass(frozen=True)
class ComputeOptions(SparkOptions):
    """Compute."""

    engine: Annotated[
        Engine, typer.Option(help="Run the search on this machine or on Spark; the result is the same.")
    ] = Engine.LOCAL

    @contextmanager
    def engaged(self) -> Iterator[None]:
        """Within the block, joblib's parallel work runs on this engine; raises ConfigurationError without Spark."""
        if self.engine is Engine.LOCAL:
            yield
            return
        with (
            spark().spark_session(self.master, self.spark_log) as session,
            parallel_config(SparkBackend(session.sparkContext), n_jobs=1),
        ):
            yield
