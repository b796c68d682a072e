"""Spark: batches decided by the scorer that the service decides with; the only module that imports pyspark."""

import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.java_gateway import launch_gateway
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sql

from credit_scoring.batch.cluster import ONE_THREAD, archive_package, digest_of, read_model
from credit_scoring.batch.input import Input, read
from credit_scoring.batch.output import DECISIONS, REJECTED, HadoopFiles, OutputFolder
from credit_scoring.batch.scoring import MOST_REASONS, OnProgress, Scored, ScoringJob, reason
from credit_scoring.batch.task import Scoring
from credit_scoring.errors import ConfigurationError, DataError, ScoringError
from credit_scoring.model.scorer import Scorer

POLL_SECONDS = 0.2
OLDEST_JAVA = 17
PART = "_rejected"
SEE_LOG = "See its log: --spark-log FILE."


@contextmanager
def spark_session(master: str, log: Path | None = None) -> Iterator[SparkSession]:
    """A session on this machine, or on a cluster, which is given this package; Spark's own log is added to `log`.

    Raises ConfigurationError when Spark cannot start.
    """
    _check_java()
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)  # Spark's; it would print Java's traces
    with tempfile.TemporaryDirectory() as folder:
        context = _start(master, log)
        try:
            yield _session(context, master, Path(folder))
        finally:
            context.stop()


def _check_java() -> None:
    home = os.environ.get("JAVA_HOME")
    place = f"in JAVA_HOME ({home})" if home else "on the PATH"
    java = shutil.which("java", path=f"{home}/bin" if home else None)
    if not java:
        raise ConfigurationError(f"Spark needs Java {OLDEST_JAVA} or newer, and there is none {place}. Install it.")
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)  # noqa: S603 - found above
    found = re.search(r'version "(?:1\.)?(\d+)', told.stderr)
    if found and int(found[1]) < OLDEST_JAVA:
        raise ConfigurationError(f"Spark needs Java {OLDEST_JAVA} or newer, and the one {place} is {found[1]}.")


def _start(master: str, log: Path | None) -> SparkContext:
    conf = SparkConf().setAll(list(_configuration(master).items()))
    try:
        with Path(log or os.devnull).open("ab") as output, _started(master):
            running = SparkContext._gateway
            gateway = running or launch_gateway(conf, {"stdout": output, "stderr": output})
            return SparkContext(conf=conf, gateway=gateway)
    except OSError as error:
        raise ConfigurationError(f"--spark-log {log}: cannot be written ({error.strerror}). Name another.") from error


def _session(context: SparkContext, master: str, folder: Path) -> SparkSession:
    """The session of a context, which has stopped by itself where no master answers."""
    with _started(master):
        if _on_this_machine(master):
            context.pythonExec = sys.executable  # not whatever `python3` is
        else:
            context.addPyFile(str(archive_package(folder)))
        return SparkSession.builder.getOrCreate()


@contextmanager
def _started(master: str) -> Iterator[None]:
    try:
        yield
    except (PySparkException, Py4JError, ValueError) as error:
        raise ConfigurationError(f"--master {master}: Spark did not start there. {SEE_LOG}") from error


def _configuration(master: str) -> dict[str, str]:
    common = {
        "spark.master": _with_retries(master),
        "spark.app.name": "credit-scoring",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.caseSensitive": "true",
        "spark.sql.csv.parser.columnPruning.enabled": "false",  # else a row with too few cells passes for whole
        "spark.sql.legacy.javaCharsets": "true",  # so that a mapping may name Windows' encodings
        **{f"spark.executorEnv.{name}": count for name, count in ONE_THREAD.items()},
    }
    here = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
    }
    return common | here if _on_this_machine(master) else common


def _on_this_machine(master: str) -> bool:
    return re.match(r"local(\[|$)", master) is not None


def _with_retries(master: str) -> str:
    """Spark gives a task one attempt on `local[N]`; on `local[N,F]` it bears F - 1 failures."""
    found = re.fullmatch(r"local(?:\[(\d+|\*)\])?", master)
    return f"local[{found[1] or 1},4]" if found else master


def score(session: SparkSession, job: ScoringJob, on_progress: OnProgress = lambda done, tasks: None) -> Scored:
    """Decide every row of the input and replace the output folder; `on_progress` gets the tasks done and all tasks.

    Raises a CreditScoringError where that was not possible; the output then is as it was.
    """
    scorer = job.scorer()
    with _explained(job):
        context = session.sparkContext
        configuration = context._jsc.hadoopConfiguration()
        output = OutputFolder(job.output, HadoopFiles(job.output, context._jvm, configuration))
        output.check(job.files.path)
        found = read(session, job.files, scorer.catalogue)
        rows = _scored(session, job, found, scorer)
        with output.replacing() as folder:
            with _reported(session, on_progress):
                _write(rows, output, folder)
            counts = (session.read.parquet(f"{folder}/{name}").count() for name in (DECISIONS, REJECTED))
            manifest = job.manifest(scorer, found.rows, *counts)
            output.write_manifest(manifest)
            reasons = _reasons(session.read.parquet(f"{folder}/{REJECTED}"))
        return Scored(output.path, manifest, reasons)


def _scored(session: SparkSession, job: ScoringJob, found: Input, scorer: Scorer) -> DataFrame:
    """The rows of the output, both decided and rejected ones."""
    files = read_model(job.model_folder)
    context = session.sparkContext
    first_rows = context.broadcast(found.first_rows) if found.first_rows is not None else None
    model = (digest_of(files), context.broadcast(files), scorer.policy)
    scoring = Scoring(found.source, *model, first_rows, job.with_reasons)
    scored: DataFrame = found.frame.mapInArrow(scoring.decide, scoring.result)
    origin = {name: sql.lit(value) for name, value in job.origin(scorer).items()}
    return scored.withColumns(origin).select(*job.schema.names)


def _write(rows: DataFrame, output: OutputFolder, folder: str) -> None:
    """Both outputs in one pass over the input."""
    rows.withColumn(PART, sql.isnotnull("faults")).write.partitionBy(PART).parquet(f"{folder}/{PART}")
    for part, name in (("false", DECISIONS), ("true", REJECTED)):
        if not output.move(f"{PART}/{PART}={part}", name):
            rows.where("false").write.parquet(f"{folder}/{name}")
    output.remove(PART)


def _reasons(rejected: DataFrame) -> tuple[tuple[str, int], ...]:
    each = rejected.selectExpr("explode(faults) AS fault").selectExpr("fault.field", "fault.message")
    rows = each.groupBy("field", "message").count().orderBy("count", ascending=False).limit(MOST_REASONS).collect()
    return tuple((reason(row["field"], row["message"]), row["count"]) for row in rows)


@contextmanager
def _reported(session: SparkSession, on_progress: OnProgress) -> Iterator[None]:
    """Call `on_progress` with Spark's progress while the block runs."""
    ended = threading.Event()
    thread = threading.Thread(
        target=_poll, args=(session.sparkContext.statusTracker(), on_progress, ended), daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _poll(tracker: Any, on_progress: OnProgress, ended: threading.Event) -> None:
    while not ended.wait(POLL_SECONDS):
        stages = [tracker.getStageInfo(number) for number in tracker.getActiveStageIds()]
        for stage in filter(None, stages):
            on_progress(stage.numCompletedTasks, stage.numTasks)


@contextmanager
def _explained(job: ScoringJob) -> Iterator[None]:
    """Spark's failures in one line, without what a row holds, which its own messages may show."""
    try:
        yield
    except (PySparkException, Py4JError) as error:
        text = str(error)
        if found := re.search(r"credit_scoring\.errors\.(\w+): (.+)", text):
            raise ScoringError(found[2]) from error
        if "CSV header" in text:
            raise DataError(f"Input {job.files.path}: its files do not have the same header.") from error
        kind = re.search(r"\[([A-Z][A-Z0-9_.]+)\]", text)
        raise ScoringError(f"Spark failed ({kind[1] if kind else type(error).__name__}). {SEE_LOG}") from error
