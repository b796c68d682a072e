"""`python -m benchmarks.serving.fields`: what more fields cost, in answers a second and in time a row.

Catalogues of 60 and 200 numbers beside that of a consórcio; for each a LightGBM of the same size, trained on made-up
clients, served with its defaults to 32 clients, interleaved. The models are deleted afterwards.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Annotated

import bentoml
import typer

from benchmarks.serving.applications import Sample, sample_of
from benchmarks.serving.catalogue import VARIANTS
from benchmarks.serving.load import Loader
from benchmarks.serving.processes import Cores
from benchmarks.serving.servers import Stage, serve
from benchmarks.support.made_up import made_up, quickly_trained
from credit_scoring.data.datasets import Dataset, load_embedded
from credit_scoring.model import store
from credit_scoring.model.scorer import Scorer
from credit_scoring.serving.decision_engine import DecisionDesk
from credit_scoring.settings import PROJECT_FOLDER

SIZES = (60, 200)
CLIENTS = 32
CONNECTIONS = 200


def main(
    seconds: Annotated[float, typer.Option(min=1, help="Length of each load.")] = 4.0,
    repetitions: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 3,
) -> None:
    """Print a row for each catalogue."""
    datasets = [load_embedded(PROJECT_FOLDER / "data"), *(made_up(size) for size in SIZES)]
    with tempfile.TemporaryDirectory(prefix="credit-scoring-fields-") as folder, _stages(datasets, folder) as stages:
        Cores.of_this_machine().leave()
        found: dict[str, list[float]] = {}
        for number in range(repetitions):
            for name, stage in stages.items():
                with serve(VARIANTS["g"], stage) as server:
                    run = Loader(stage, seconds, CONNECTIONS).closed(server, number, CLIENTS)
                    found.setdefault(name, []).append(run.outcome.useful_per_s)
        typer.echo(f"| catalogue | fields | answers/s, {CLIENTS} clients | µs a row, {CLIENTS} at once |")
        typer.echo("|---|--:|--:|--:|")
        for dataset in datasets:
            name = dataset.catalogue.name
            speed = _row_us(stages[name])
            typer.echo(f"| {name} | {len(dataset.features)} | {median(found[name]):,.0f} | {speed:.1f} |")


@contextmanager
def _stages(datasets: list[Dataset], folder: str) -> Iterator[dict[str, Stage]]:
    """A stage for each data set, by its catalogue's name, with a model of its own."""
    tags: list[str] = []
    try:
        stages = {}
        for dataset in datasets:
            scorer = quickly_trained(dataset)
            tags.append(store.save(scorer))
            own = Path(folder) / dataset.catalogue.name
            own.mkdir()
            path, sample = Path(store.find(tags[-1]).path), sample_of(scorer, dataset.frame)
            served = {"CREDIT_SCORING_MODEL": tags[-1]}
            stages[dataset.catalogue.name] = Stage(path, tags[-1], sample, Cores.of_this_machine(), own, served)
        yield stages
    finally:
        for tag in tags:
            bentoml.models.delete(tag)


def _row_us(stage: Stage) -> float:
    """Microseconds to validate and decide an application, CLIENTS at once, without HTTP or log; the best of ten."""
    scorer = Scorer.load(stage.model_folder)
    desk, check = DecisionDesk(scorer, stage.model_tag), scorer.catalogue.application.model_validate_json
    chunks = _chunks(stage.sample)
    best = float("inf")
    for _ in range(10):
        started = time.perf_counter()
        for bodies in chunks:
            desk.decide([check(body) for body in bodies])
        best = min(best, time.perf_counter() - started)
    return best / sum(map(len, chunks)) * 1e6


def _chunks(sample: Sample) -> list[list[str]]:
    return [sample.bodies[start : start + CLIENTS] for start in range(0, 1024, CLIENTS)]


if __name__ == "__main__":
    typer.run(main)
