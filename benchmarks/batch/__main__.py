"""`python -m benchmarks.batch`: how fast one process, the local engine and Spark are, and what they answer.

Each round measures, one after the other, the scorer in one process (checks and conversion included, reading not), the
bare pipeline's `predict_proba` on a whole frame, the local engine from start to finished output, and Spark from reading
the input to the finished output (start-up apart: the session runs, and its workers have loaded the model). What counts
are the medians of the ratios.

On a machine that others use too, rows a second say little: two processes then get less than twice what one gets. So
the processor time of a row is measured beside it: the ratio with the cores to itself.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import psutil
import pyarrow
import pyarrow.parquet
import typer
from rich.console import Console

from benchmarks.batch import rows as made
from benchmarks.support.consorcio import CATALOGUE, ConsorcioApplication
from credit_scoring.batch import job as in_spark
from credit_scoring.batch import local
from credit_scoring.batch.arrow import TypedSource
from credit_scoring.batch.columnar import decide, examine
from credit_scoring.batch.output import DECISIONS
from credit_scoring.batch.scoring import InputFiles, ScoringJob
from credit_scoring.model import store
from credit_scoring.model.scorer import Scorer
from credit_scoring.serving.decision_engine import DecisionDesk
from credit_scoring.settings import MODEL_NAME, PROJECT_FOLDER

RESULT = PROJECT_FOLDER / "benchmarks" / "results" / "batch.md"
SOURCE = TypedSource(made.NAMES)
BATCH, MICRO_BATCH = 10_000, 32
WARM_UP_ROWS = 20_000
GOALS = {"local": 0.9, "spark": 0.8}
NAMES = {"local": "The local engine", "spark": "Spark"}
LABELS = {
    "single": "scorer in one process, checks and conversion included",
    "pipeline": "`pipeline.predict_proba` on a whole frame, one process",
    "local": "local engine, from start to output",
    "spark": "Spark, from input to output",
}

console = Console(stderr=True)


@dataclass(frozen=True)
class Speed:
    """Rows a second, and the processor time of a row in µs."""

    rows: float
    cost: float


@dataclass(frozen=True)
class Round:
    """The scorer in one process, the bare pipeline, and both engines."""

    single: Speed
    pipeline: Speed
    local: Speed
    spark: Speed


def main(
    rows: Annotated[int, typer.Option(min=1000, help="Rows that each engine decides in each round.")] = 5_000_000,
    single_rows: Annotated[int, typer.Option(min=1000, help="Of these, rows for one process.")] = 250_000,
    sample: Annotated[int, typer.Option(min=1, help="Rows compared with the service, bit for bit.")] = 100_000,
    rounds: Annotated[int, typer.Option(min=1)] = 3,
    cores: Annotated[int, typer.Option(min=1, help="Cores for each engine.")] = 2,
    seed: Annotated[int, typer.Option(min=0)] = 42,
    model: Annotated[str, typer.Option(help="Model in the store.")] = f"{MODEL_NAME}:latest",
    folder: Annotated[Path | None, typer.Option(help="Folder for input and output. [a temporary one]")] = None,
) -> None:
    """Measure, compare with the service, print the table and write it to benchmarks/results/batch.md."""
    stored = store.find(model)
    with tempfile.TemporaryDirectory(dir=folder) as working:
        place = Path(working)
        for name, count in (("rows", rows), ("few", WARM_UP_ROWS)):
            console.print(f"Making {count:,} rows …")
            made.write(place / f"{name}.parquet", count, seed)
        scorer = Scorer.load(Path(stored.path))
        table = pyarrow.parquet.read_table(place / "rows.parquet").slice(0, single_rows)
        with in_spark.spark_session(f"local[{cores}]") as session:

            def job(name: str, output: str) -> ScoringJob:
                files = InputFiles(str(place / f"{name}.parquet"))
                return ScoringJob(files, str(place / output), str(stored.tag), Path(stored.path))

            engines = {
                "local": lambda: local.score(job("rows", "local"), jobs=cores).manifest.rows,
                "spark": lambda: in_spark.score(session, job("rows", "spark")).manifest.rows,
            }
            in_spark.score(session, job("few", "spark"))
            found = [_round(number, scorer, table, engines) for number in range(1, rounds + 1)]
        size = min(sample, rows)
        differing = {name: _differing(scorer, place, name, size, seed) for name in engines}
    text = _report(found, rows, cores, size, differing, scorer.card.chosen)
    RESULT.write_text(text, encoding="utf-8")
    print(text)


def _speed(run: Callable[[], int], *, java: bool = False) -> Speed:
    """The speed of a run that tells its rows; `java` where it is Spark's."""
    started, cost = time.perf_counter(), _processor_time(java)
    rows = run()
    return Speed(rows / (time.perf_counter() - started), (_processor_time(java) - cost) / rows * 1e6)


def _processor_time(java: bool) -> float:
    """Seconds of this process and of all below it, those that have ended among them.

    Spark's count for Spark only: its idle processes may end while something else is measured.
    """
    own = psutil.Process()
    below = [child for child in own.children() if java or child.name() != "java"]
    processes = [own, *below, *(each for child in below for each in child.children(recursive=True))]
    return sum(sum(each.cpu_times()[:4]) for each in processes)


def _round(number: int, scorer: Scorer, table: Any, engines: Mapping[str, Callable[[], int]]) -> Round:
    found = Round(
        single=_speed(lambda: sum(decide(each, SOURCE, scorer).num_rows for each in _batches(table))),
        pipeline=_pipeline_speed(scorer, table),
        **{name: _speed(run, java=name == "spark") for name, run in engines.items()},
    )
    console.print(f"round {number}: {found}")
    return found


def _batches(table: Any) -> Any:
    return table.to_batches(max_chunksize=BATCH)


def _pipeline_speed(scorer: Scorer, table: Any) -> Speed:
    (whole,) = table.combine_chunks().to_batches()
    frame = pd.DataFrame(dict(examine(whole, SOURCE, CATALOGUE, scorer.card.features).columns))
    return _speed(lambda: len(scorer.score(frame)))


def _differing(scorer: Scorer, place: Path, output: str, size: int, seed: int) -> int:
    """Of a sample, the rows whose decision or risk is another than that of the service's own desk."""
    table = pyarrow.parquet.read_table(place / "rows.parquet")
    picked = np.random.default_rng(seed).choice(table.num_rows, size, replace=False)
    sent = table.take(picked).to_pylist()
    decided = pyarrow.parquet.read_table(place / output / DECISIONS)
    answers = dict(
        zip(
            decided["application_id"].to_pylist(),
            zip(decided["risk_probability"].to_pylist(), decided["decision"].to_pylist(), strict=True),
            strict=True,
        )
    )
    desk = DecisionDesk(scorer, "sample")
    differing = 0
    for start in range(0, size, MICRO_BATCH):
        applications = [ConsorcioApplication.model_validate(row) for row in sent[start : start + MICRO_BATCH]]
        for application, decision in zip(applications, desk.decide(applications), strict=True):
            risk, answer = answers[application.application_id or ""]
            differing += risk != decision.risk_probability or answer != decision.decision.value
    return differing


def _report(found: list[Round], rows: int, cores: int, sample: int, differing: Mapping[str, int], chosen: str) -> str:
    load = os.getloadavg()[0]
    lines = [
        f"{rows:,} rows, {chosen}, {cores} processes, Spark {version('pyspark')} on local[{cores}], "
        f"{len(found)} rounds, medians; {datetime.now(UTC):%Y-%m-%d}, load average {load:.1f}, {os.cpu_count()} cores.",
        "",
        "| | rows/s | µs of processor a row |",
        "|---|--:|--:|",
        *(_line(found, name, label) for name, label in LABELS.items()),
        "",
        "| | | goal |",
        "|---|--:|---|",
        *(line for name in GOALS for line in _verdicts(found, name, cores, sample, differing[name])),
    ]
    return "\n".join(lines) + "\n"


def _verdicts(found: list[Round], name: str, cores: int, sample: int, differing: int) -> list[str]:
    pairs: list[tuple[Round, Speed]] = [(each, getattr(each, name)) for each in found]
    of_cores = _median(speed.rows / each.single.rows for each, speed in pairs) / cores
    of_cost = _median(each.single.cost / speed.cost for each, speed in pairs)
    of_pipeline = _median(speed.rows / each.pipeline.rows for each, speed in pairs)
    title, goal = NAMES[name], GOALS[name]
    return [
        f"| {title} over {cores} × one process, by rows/s | {of_cores:.2f} | {goal}: {_verdict(of_cores >= goal)} |",
        f"| the same by processor time | {of_cost:.2f} | {goal}: {_verdict(of_cost >= goal)} |",
        f"| {title} over `predict_proba` in one process | {of_pipeline:.2f} | 1: {_verdict(of_pipeline >= 1)} |",
        f"| its answers other than the service's, of {sample:,} | {differing} | 0: {_verdict(not differing)} |",
    ]


def _line(found: list[Round], name: str, label: str) -> str:
    speeds: list[Speed] = [getattr(each, name) for each in found]
    return f"| {label} | {_median(each.rows for each in speeds):,.0f} | {_median(each.cost for each in speeds):.1f} |"


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)


def _verdict(reached: bool) -> str:
    return "reached" if reached else "**missed**"


if __name__ == "__main__":
    typer.run(main)
