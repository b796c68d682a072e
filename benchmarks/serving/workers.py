"""`python -m benchmarks.serving.workers`: what a second worker adds.

Throughput of two workers over that of one says it outright on three cores: two for the workers, one for the
client. On two cores the client has to share one with a worker; there, twice the CPU time per answer of one worker over
that of two says what they would do with a core each: workers that hinder one another would need more of it.
"""

import os
import tempfile
from collections.abc import Iterator
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
from benchmarks.support.postgres import missing, throwaway

CLIENTS = 128
CONNECTIONS = 400
LOADS = {"as many clients": CLIENTS, "twice as many": 2 * CLIENTS}
Measured = tuple[float, float, float]
Ratios = tuple[float, float]


def main(
    seconds: Annotated[float, typer.Option(min=1, help="Length of each load.")] = 5.0,
    repetitions: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 3,
) -> None:
    """Print what two workers do of what one does, without a decision log and with each kind of it."""
    if reason := missing():
        raise typer.BadParameter(reason)
    found: dict[tuple[str, str], list[Ratios]] = {}
    with tempfile.TemporaryDirectory(prefix="credit-scoring-workers-") as folder, throwaway() as postgres:
        address = postgres.decision_log()
        stage = make_stage(Path(folder))
        logs = {
            "off": {"CREDIT_SCORING_DECISION_LOG": "off"},
            "SQLite": {"CREDIT_SCORING_DATABASE_URL": f"sqlite:///{folder}/decisions.db"},
            "PostgreSQL": {"CREDIT_SCORING_DATABASE_URL": address},
        }
        for _ in range(repetitions):
            for name, environment in logs.items():
                for load, ratios in _compared(name, stage, environment, seconds).items():
                    found.setdefault((name, load), []).append(ratios)
    typer.echo("\n".join(_table(found)))


def _compared(name: str, stage: Stage, environment: dict[str, str], seconds: float) -> dict[str, Ratios]:
    one = _measured(stage, environment, 1, CLIENTS, seconds)
    found = {}
    for load, clients in LOADS.items():
        two = _measured(stage, environment, 2, clients, seconds)
        found[load] = two[0] / one[0], 2 * one[1] / two[1]
        typer.echo(
            f"{name}, {load}: answers/s {one[0]:,.0f} and {two[0]:,.0f}; CPU µs per answer {1e6 * one[1]:.1f} and "
            f"{1e6 * two[1]:.1f}; the busier of two workers did {two[2]:.0%}",
            err=True,
        )
    return found


def _table(found: dict[tuple[str, str], list[Ratios]]) -> Iterator[str]:
    yield "| decision log | clients of two workers | two workers / one, outright | by CPU time per answer |"
    yield "|---|---|--:|--:|"
    for (name, load), pairs in found.items():
        cells = (f"{median(each):.2f} ({min(each):.2f}–{max(each):.2f})" for each in zip(*pairs, strict=True))
        yield f"| {name} | {load} | {' | '.join(cells)} |"


def _measured(stage: Stage, environment: dict[str, str], count: int, clients: int, seconds: float) -> Measured:
    """Answers per second, CPU seconds per answer, and the busiest worker's share of the CPU time."""
    workers = replace(stage, environment={**environment, "CREDIT_SCORING_WORKERS": f"{count}"})
    with serve(VARIANTS["g"], workers) as server:
        _spread(server, stage, count)
        before = [_cpu(worker) for worker in _workers(server)]
        run = Loader(stage, seconds, CONNECTIONS).closed(server, 0, clients)
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
