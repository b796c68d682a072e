"""`python -m benchmarks.serving.soak`: a constant load for minutes; memory and p99 must not grow.

The load is an open loop at half of what the service can do in a short closed loop before, so that nothing but a leak
or a slowly growing structure can make it slower.
"""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import linear_regression
from typing import Annotated

import psutil
import typer
from pydantic import BaseModel

from benchmarks.serving import processes
from benchmarks.serving.__main__ import RESULTS_FOLDER, interrupt, make_stage
from benchmarks.serving.catalogue import VARIANTS
from benchmarks.serving.load import Loader
from benchmarks.serving.loads import Load, Outcome
from benchmarks.serving.machine import Machine
from benchmarks.serving.servers import Server, ServerError, Stage, serve
from credit_scoring.errors import CreditScoringError
from credit_scoring.settings import PROJECT_FOLDER

CALIBRATION_S = 3.0
CALIBRATION_CLIENTS = 32
CONNECTIONS = 200
OURS = "g"


class Minute(BaseModel):
    """One slice of the soak: its outcome, and the memory of each process of the server (MB) at its end."""

    outcome: Outcome
    rss_mb: list[float]


class Soak(BaseModel):
    """A whole soak; slopes are per minute, from a straight line through the slices."""

    machine: Machine
    rate: float
    slice_s: float
    minutes: list[Minute] = []

    @property
    def rss_slope(self) -> float:
        """MB per minute, all processes together."""
        return self._slope([sum(minute.rss_mb) for minute in self.minutes])

    @property
    def p99_slope(self) -> float:
        """Milliseconds per minute."""
        return self._slope([minute.outcome.p99 or 0.0 for minute in self.minutes])

    def _slope(self, values: Sequence[float]) -> float:
        if len(values) < 2:
            return 0.0
        times = [i * self.slice_s / 60 for i in range(len(values))]
        return linear_regression(times, values).slope


def main(
    minutes: Annotated[int, typer.Option(min=1, help="Length of the soak.")] = 10,
    share: Annotated[float, typer.Option(min=0.05, max=1, help="Load as a share of the capacity.")] = 0.5,
    slice_seconds: Annotated[float, typer.Option(min=1, help="Length of what is reported as one row.")] = 60.0,
    output: Annotated[Path, typer.Option(help="Folder for soak.json and soak.md.")] = RESULTS_FOLDER,
) -> None:
    """Load this service steadily; report memory and p99 per minute and whether they grow.

    Ctrl-C ends it early and reports the minutes so far.
    """
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, interrupt)
    slices = max(2, round(minutes * 60 / slice_seconds))
    try:
        with tempfile.TemporaryDirectory(prefix="credit-scoring-soak-") as folder:
            soak = _soak(make_stage(Path(folder)), share, slices, slice_seconds)
    except (RuntimeError, ServerError, CreditScoringError) as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error
    _write(soak, output)


def _soak(stage: Stage, share: float, slices: int, slice_s: float) -> Soak:
    machine = Machine.this(stage.cores)
    stage.cores.leave()
    with serve(VARIANTS[OURS], stage) as server:
        capacity = Loader(stage, CALIBRATION_S, CONNECTIONS).closed(server, 0, CALIBRATION_CLIENTS)
        rate = share * capacity.outcome.useful_per_s
        soak = Soak(machine=machine, rate=rate, slice_s=slice_s)
        typer.echo(f"{rate:,.0f} requests/s, {share:.0%} of capacity, for {slices * slice_s / 60:g} min", err=True)
        try:
            for minute in _minutes(server, stage, rate, slices, slice_s):
                soak.minutes.append(minute)
                typer.echo(_row(soak, len(soak.minutes)), err=True)
        except KeyboardInterrupt:
            typer.echo("Stopped; the minutes so far are kept.", err=True)
    return soak


def _minutes(server: Server, stage: Stage, rate: float, slices: int, slice_s: float) -> Iterator[Minute]:
    load = Load(
        kind="open",
        port=server.port,
        path=server.variant.path,
        bodies=str(server.bodies),
        seconds=slices * slice_s,
        warm_up=2.0,
        rate=rate,
        connections=CONNECTIONS,
        slices=slices,
        rotate=True,
    )
    command = [*processes.PINNED, str(stage.cores.client), sys.executable, "-m", "benchmarks.serving.client"]
    client = subprocess.Popen(  # noqa: S603 - a command of this benchmark
        [*command, load.model_dump_json()], stdout=subprocess.PIPE, cwd=PROJECT_FOLDER, start_new_session=True
    )
    watched = processes.family(server.process)
    try:
        yield from (_minute(line, watched) for line in client.stdout or ())
    finally:
        processes.stop(client)
    if len(processes.family(server.process)) != len(watched):
        raise ServerError("A process of the server ended during the soak.")


def _minute(line: bytes, watched: Sequence[psutil.Process]) -> Minute:
    return Minute(outcome=Outcome.model_validate_json(line), rss_mb=processes.rss_mb(watched))


def _write(soak: Soak, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    text = "\n".join(_markdown(soak)) + "\n"
    (output / "soak.json").write_text(soak.model_dump_json(indent=1), encoding="utf-8")
    (output / "soak.md").write_text(text, encoding="utf-8")
    typer.echo(text)


def _markdown(soak: Soak) -> Iterator[str]:
    yield f"{soak.rate:,.0f} requests/s in the open loop; rows of {soak.slice_s:g} s; {soak.machine.cpu}."
    yield ""
    yield "| row | answers/s | p50 ms | p99 ms | slowest ms | > 100 ms | 503 | errors | dropped | MB by process |"
    yield "|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|"
    yield from (_row(soak, number) for number in range(1, len(soak.minutes) + 1))
    yield ""
    yield f"Slope per minute: memory {soak.rss_slope:+.2f} MB, p99 {soak.p99_slope:+.3f} ms."


def _row(soak: Soak, number: int) -> str:
    minute = soak.minutes[number - 1]
    found = minute.outcome
    times = " | ".join(f"{value or 0:.1f}" for value in (found.p50, found.p99, found.slowest))
    counts = f"{found.slow_share or 0:.3%} | {found.refused} | {found.errors} | {found.dropped}"
    memory = " + ".join(f"{value:.1f}" for value in minute.rss_mb)
    return f"| {number} | {found.useful_per_s:,.0f} | {times} | {counts} | {memory} |"


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command()(main)

if __name__ == "__main__":
    app()
