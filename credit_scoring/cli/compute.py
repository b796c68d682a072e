"""Where parallel work runs: in local processes, or in Spark, which is imported only if used."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer
from joblib import parallel_config

from credit_scoring.batch.joblib_spark import SparkBackend
from credit_scoring.errors import ConfigurationError


class Engine(StrEnum):
    """What runs the parallel part of a command."""

    LOCAL = "local"
    SPARK = "spark"


def batch_module(name: str, group: str) -> ModuleType:
    """A module of the batch room; raises ConfigurationError where the dependency group that it needs is not installed.

    Imported late: the served image carries neither pyarrow nor pyspark.
    """
    try:
        return import_module(f"credit_scoring.batch.{name}")
    except ImportError as error:
        raise ConfigurationError(
            f"The dependency group {group} is not installed, {error.name} is missing: "
            f"run `pip install --require-hashes -r requirements/{group}.txt`."
        ) from error


@dataclass(frozen=True)
class SparkOptions:
    """Spark."""

    master: Annotated[
        str | None,
        typer.Option(
            show_default="local[*]", help="Master URL of the Spark cluster; local[N] uses N cores of this machine."
        ),
    ] = None
    spark_log: Annotated[Path | None, typer.Option(help="File to append Spark's own log to.")] = None

    @contextmanager
    def spark_session(self) -> Iterator[Any]:
        """A Spark session; raises ConfigurationError without Spark or Java."""
        with batch_module("job", "spark").spark_session(self.master or "local[*]", self.spark_log) as session:
            yield session


@dataclass(frozen=True)
class ComputeOptions(SparkOptions):
    """Compute."""

    engine: Annotated[
        Engine | None,
        typer.Option(
            show_default="local, or spark with --master",
            help="Run on this machine or on Spark; the result is the same.",
        ),
    ] = None

    @property
    def chosen(self) -> Engine:
        """The engine that these options mean; raises ConfigurationError where they contradict each other."""
        if self.engine is Engine.LOCAL and self.master:
            raise ConfigurationError(f"--master {self.master}: is for --engine spark; leave one of the two out.")
        return self.engine or (Engine.SPARK if self.master else Engine.LOCAL)

    @contextmanager
    def engaged(self) -> Iterator[None]:
        """Within the block, joblib's parallel work runs on this engine; raises ConfigurationError without Spark."""
        if self.chosen is Engine.LOCAL:
            yield
            return
        with self.spark_session() as session, parallel_config(SparkBackend(session.sparkContext), n_jobs=1):
            yield
