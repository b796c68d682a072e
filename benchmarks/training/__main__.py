"""Time and memory of `train` by rows: `python -m benchmarks.training`.

The data are the Kaggle set with the product's own fields, resampled with noise to so many rows. Each size is trained in
a process of its own; memory is the most that it and its workers had at once. CPU seconds grow as the last column says:
the exponent of the rows from the size before, 1 where twice the rows cost twice as much.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import psutil
import typer
from pydantic import BaseModel

from benchmarks.quality.sets import FOLDER
from benchmarks.training.rows import resampled
from credit_scoring.data.datasets import KAGGLE_FILE, load_embedded, load_kaggle
from credit_scoring.evaluation.model_report import measured
from credit_scoring.settings import PROJECT_FOLDER
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.stages import StageReport
from credit_scoring.training.train import train

RESULTS = PROJECT_FOLDER / "benchmarks" / "results" / "training.md"
MEASURE = "Measure"
EVERY_S = 0.5
GIB = 1 << 30


class Cost(BaseModel):
    """What one training took."""

    rows: int
    fields: int
    seconds: dict[str, float]
    cpu: float
    memory: float
    auc: str
    chosen: str


def main(
    rows: Annotated[str, typer.Option(help="Numbers of rows, with commas between; 0: the demo data.")] = "0,5000,32000",
    fields: Annotated[int, typer.Option(help="Feature fields; more than the set has are made up.")] = 0,
    trials: Annotated[int, typer.Option(help="As `train --trials`.")] = 20,
    timeout: Annotated[float, typer.Option(help="As `train --timeout`; 0: none.")] = 0,
    one: Annotated[Path | None, typer.Option(hidden=True, help="Train this one size here; write its cost.")] = None,
) -> None:
    """Train each size, print and write the table."""
    sizes = [int(each) for each in rows.split(",")]
    if one:
        one.write_text(_trained(sizes[0], fields, trials, timeout or None).model_dump_json(), encoding="utf-8")
        return
    if any(sizes) and not (FOLDER / KAGGLE_FILE).is_file():
        typer.echo(f"NOT RUN: {FOLDER / KAGGLE_FILE} is not there. Name its folder in CREDIT_SCORING_PUBLIC_SETS.")
        raise typer.Exit(1)
    costs = [
        _in_own_process(size, ["--fields", str(fields), "--trials", str(trials), "--timeout", str(timeout)])
        for size in sizes
    ]
    text = "\n".join(_table(costs, f"--rows {rows} --fields {fields} --trials {trials} --timeout {timeout:g}"))
    RESULTS.write_text(text + "\n", encoding="utf-8")
    typer.echo(text)


def _in_own_process(size: int, options: Sequence[str]) -> Cost:
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "cost.json"
        command = [sys.executable, "-m", "benchmarks.training", "--rows", str(size), *options, "--one", str(found)]
        process = psutil.Popen(command)
        memory, cpu = 0.0, dict[int, float]()
        while process.poll() is None:
            memory = max(memory, _watched(process, cpu))
            try:
                process.wait(EVERY_S)
            except psutil.TimeoutExpired:
                continue
        if process.returncode:
            raise typer.Exit(process.returncode)
        cost = Cost.model_validate_json(found.read_bytes())
        return cost.model_copy(update={"memory": memory / GIB, "cpu": sum(cpu.values())})


def _watched(process: psutil.Process, cpu: dict[int, float]) -> float:
    """Bytes that a process and its descendants have now; notes the CPU seconds of each."""
    total = 0.0
    for each in _family(process):
        try:
            total += each.memory_info().rss
            times = each.cpu_times()
        except psutil.NoSuchProcess:
            continue
        cpu[each.pid] = times.user + times.system
    return total


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _trained(size: int, fields: int, trials: int, timeout: float | None) -> Cost:
    dataset = load_embedded(PROJECT_FOLDER / "data")
    if size:
        dataset = resampled(load_kaggle(FOLDER / KAGGLE_FILE), size, fields)
    marks: list[tuple[str, float]] = []

    def on_stage(report: StageReport) -> None:
        marks.append((report.title, time.monotonic()))
        typer.echo(f"{size:,} rows: {report.title}, {report.detail}", err=True)

    scorer = train(dataset, TrainingPlan(trials=trials, timeout=timeout), on_stage=on_stage)
    marks.append((MEASURE, time.monotonic()))
    measured(scorer, dataset)
    ends = [at for _, at in marks[1:]] + [time.monotonic()]
    return Cost(
        rows=len(dataset.frame),
        fields=len(dataset.features),
        seconds={title: end - began for (title, began), end in zip(marks, ends, strict=True)},
        cpu=0.0,
        memory=0.0,
        auc=str(scorer.card.test["auc"]),
        chosen=scorer.card.chosen,
    )


def _table(costs: Sequence[Cost], options: str) -> Iterator[str]:
    stages = [*costs[0].seconds]
    machine = f"{os.cpu_count()} cores, load {os.getloadavg()[2]:.1f} at the end"
    yield f"`python -m benchmarks.training {options}`, {machine}."
    yield ""
    yield f"| rows | fields | {' | '.join(stages)} | in all, s | CPU, s | memory, GiB | test AUC | chosen | growth |"
    yield "|--:" * (len(stages) + 6) + "|---|--:|"
    for before, cost in zip([None, *costs], costs, strict=False):
        times = [f"{cost.seconds[each]:.0f}" for each in stages]
        cells = [f"{cost.rows:,}", str(cost.fields), *times, f"{sum(cost.seconds.values()):.0f}", f"{cost.cpu:.0f}"]
        yield f"| {' | '.join([*cells, f'{cost.memory:.2f}', cost.auc, cost.chosen, _growth(before, cost)])} |"


def _growth(before: Cost | None, cost: Cost) -> str:
    if before is None or before.rows >= cost.rows or before.fields != cost.fields:  # other data
        return ""
    return f"{np.log(cost.cpu / before.cpu) / np.log(cost.rows / before.rows):.2f}"


if __name__ == "__main__":
    typer.run(main)
