"""`python -m benchmarks.serving.workers`: what a second worker adds.

Throughput of two workers over that of one says it outright on three cores: two for the workers, one for the
client. On two cores the client has to share one with a worker; there, twice the CPU time per answer of one worker over
that of two says what they would do with a core each: workers that hinder one another would need more of it.
"""

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Annotated

import psutil
import typer

from benchmarks.serving import processes
from benchmarks.serving.__main__ import make_stage
from benchmarks.serving.catalogue import VARIANTS
from benchmarks.serving.load import Loader
from benchmarks.serving.servers import Server, Stage, serve

CLIENTS = 128
CONNECTIONS = 200


def main(
    seconds: Annotated[float, typer.Option(min=1, help="Length of each load.")] = 5.0,
    repetitions: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 3,
) -> None:
    """Print throughput, CPU time per answer and the split between the workers."""
    with tempfile.TemporaryDirectory(prefix="credit-scoring-workers-") as folder:
        stage = make_stage(Path(folder))
        pairs = [_compared(stage, seconds) for _ in range(repetitions)]
    for name, found in zip(("outright", "by CPU time per answer"), zip(*pairs, strict=True), strict=True):
        typer.echo(f"two workers / one, {name}: {median(found):.2f} ({min(found):.2f}–{max(found):.2f})")


def _compared(stage: Stage, seconds: float) -> tuple[float, float]:
    (one, cost_of_one, _), (two, cost_of_two, larger) = (_measured(stage, count, seconds) for count in (1, 2))
    typer.echo(
        f"answers/s {one:,.0f} and {two:,.0f}; CPU µs per answer {1e6 * cost_of_one:.1f} and {1e6 * cost_of_two:.1f}; "
        f"the busier of two workers did {larger:.0%}"
    )
    return two / one, 2 * cost_of_one / cost_of_two


def _measured(stage: Stage, count: int, seconds: float) -> tuple[float, float, float]:
    """Answers per second, CPU seconds per answer, and the busiest worker's share of the CPU time."""
    workers = replace(stage, environment={"CREDIT_SCORING_WORKERS": f"{count}"})
    with serve(VARIANTS["g"], workers) as server:
        _spread(server, stage, count)
        before = [_cpu(worker) for worker in _workers(server)]
        run = Loader(stage, seconds, CONNECTIONS).closed(server, 0, CLIENTS)
        used = [_cpu(worker) - start for worker, start in zip(_workers(server), before, strict=True)]
    return run.outcome.useful_per_s, sum(used) / run.outcome.answered_in_all, max(used) / sum(used)


def _spread(server: Server, stage: Stage, count: int) -> None:
    """Give each worker a core: the server's, and what is neither that nor the client's, or else the client's."""
    spare = sorted(os.sched_getaffinity(0) - {stage.cores.server, stage.cores.client}) or [stage.cores.client]
    cores = [stage.cores.server, spare[0]][:count]
    for worker, core in zip(_workers(server), cores, strict=True):
        worker.cpu_affinity([core])


def _workers(server: Server) -> list[psutil.Process]:
    family = processes.family(server.process)
    return [each for each in family if "_bentoml_impl.worker.service" in each.cmdline()]


def _cpu(process: psutil.Process) -> float:
    return float(sum(process.cpu_times()[:2]))


if __name__ == "__main__":
    typer.run(main)
