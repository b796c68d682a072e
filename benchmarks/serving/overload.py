"""`python -m benchmarks.serving.overload`: many connections, below and beyond what one core can answer.

Capacity is what 256 clients get in a closed loop. Each number of connections is then offered 80, 100 and 200 % of it in
the open loop, the connections one after the other; twice the capacity by clients that ask again at once, and by clients
that heed Retry-After. /readyz is asked all the while, on a new connection each time, as a kubelet does.
"""

import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from benchmarks.serving.__main__ import RESULTS_FOLDER, make_stage, numbers_in
from benchmarks.serving.catalogue import VARIANTS
from benchmarks.serving.load import Loader, Run
from benchmarks.serving.machine import described
from benchmarks.serving.processes import Cores
from benchmarks.serving.report import spread
from benchmarks.serving.servers import Server, ServerError, serve
from credit_scoring.errors import CreditScoringError

CAPACITY_CLIENTS = 256
CAPACITY_S = 4.0
PROBED_EVERY_S = 0.25
PROBE_ENDED_WITHIN_S = 2.0
ROOM = 64  # connections beside those of the load: probes


@dataclass(frozen=True)
class Case:
    """A share of the capacity, and whether clients heed Retry-After."""

    name: str
    share: float
    patient: bool = False


CASES = (
    Case("80 %", 0.8),
    Case("100 %", 1.0),
    Case("200 %, asked again at once", 2.0),
    Case("200 %, Retry-After heeded", 2.0, patient=True),
)


@dataclass
class Probes:
    """What /readyz answered during a load: how often it was asked, how often it did not say yes, the slowest (ms)."""

    asked: int = 0
    failed: int = 0
    slowest: float = 0.0


@dataclass
class Found:
    """The repetitions of one case on one number of connections."""

    runs: list[Run] = field(default_factory=list)
    probes: list[Probes] = field(default_factory=list)
    of_capacity: list[float] = field(default_factory=list)
    of_full_load: list[float] = field(default_factory=list)


Results = dict[tuple[int, str], Found]


def main(
    connections: Annotated[str, typer.Option(help="Numbers of connections.")] = "256,1000,4000,6000",
    seconds: Annotated[float, typer.Option(min=2, help="Length of each load, after one second more.")] = 6.0,
    repetitions: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 3,
    log: Annotated[bool, typer.Option("--log/--no-log", help="With or without the decision log.")] = True,
) -> None:
    """Print one row per load, and write them to benchmarks/results/overload.md."""
    numbers = numbers_in(connections)
    environment = {
        "CREDIT_SCORING_MAX_CONNECTIONS": str(max(numbers) + ROOM),
        "CREDIT_SCORING_DECISION_LOG": "required" if log else "off",
    }
    results: Results = {(number, case.name): Found() for number in numbers for case in CASES}
    try:
        with tempfile.TemporaryDirectory(prefix="credit-scoring-overload-") as folder:
            stage = replace(make_stage(Path(folder)), environment=environment)
            Cores.of_this_machine().leave()
            for repetition in range(repetitions):
                with serve(VARIANTS["g"], stage) as server:
                    _measure(server, Loader(stage, seconds, 0), repetition, numbers, results)
    except (RuntimeError, ServerError, CreditScoringError) as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error
    text = "\n".join(_table(results, log)) + "\n"
    (RESULTS_FOLDER / ("overload.md" if log else "overload_without_log.md")).write_text(text, encoding="utf-8")
    typer.echo(text)


def _measure(server: Server, loader: Loader, repetition: int, numbers: Sequence[int], results: Results) -> None:
    capacity = replace(loader, seconds=CAPACITY_S).closed(server, repetition, CAPACITY_CLIENTS).outcome.useful_per_s
    typer.echo(f"repetition {repetition + 1}: {capacity:,.0f}/s in the closed loop", err=True)
    for number in numbers:
        full = 0.0
        for case in CASES:
            rate = case.share * capacity
            with _probed(server.port) as probes:
                run = loader.in_turn(server, repetition, case.share, rate, number, patient=case.patient)
            useful = run.outcome.useful_per_s
            full = useful if case.share == 1 else full
            found = results[number, case.name]
            found.runs.append(run)
            found.probes.append(probes)
            found.of_capacity.append(useful / capacity)
            if case.share > 1:
                found.of_full_load.append(useful / full)
            typer.echo(f"  {number}, {case.name}: {_row(Found([run], [probes], [useful / capacity]))}", err=True)


@contextmanager
def _probed(port: int) -> Iterator[Probes]:
    found, done = Probes(), threading.Event()

    def probe() -> None:
        while not done.wait(PROBED_EVERY_S):
            started = time.monotonic()
            found.asked += 1
            found.failed += not _is_ready(port)
            found.slowest = max(found.slowest, 1000 * (time.monotonic() - started))

    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


def _is_ready(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=PROBE_ENDED_WITHIN_S)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _table(results: Results, log: bool) -> Iterator[str]:
    yield (
        f"{described()}; one core for the service, another for the client; log {'on' if log else 'off'}. Medians "
        "(lowest–highest repetition)."
    )
    yield ""
    yield (
        "| connections | offered, of capacity | 200 answers/s | of capacity | of those at 100 % | p50 ms | p99 ms | "
        "slowest ms | 503 answers/s | 503 p99 ms | longest wait ms | errors | not ready | slowest readiness ms |"
    )
    yield "|--:|---|" + "--:|" * 12
    for (number, name), found in results.items():
        yield f"| {number:,} | {name} | {_row(found)} |"


def _row(found: Found) -> str:
    outcomes = [run.outcome for run in found.runs]
    seconds = outcomes[0].seconds
    rates = f"{median(each.useful_per_s for each in outcomes):,.0f} | {median(found.of_capacity):.0%}"
    of_full = f"{median(found.of_full_load):.0%}" if found.of_full_load else "–"
    times = " | ".join(_ms([getattr(each, name) for each in outcomes]) for name in ("p50", "p99", "slowest"))
    refused = f"{median(each.refused for each in outcomes) / seconds:,.0f}"
    waits = f"{_ms([each.refused_p99 for each in outcomes])} | {_ms([each.longest for each in outcomes])}"
    errors = sum(each.errors for each in outcomes)
    failed, asked = sum(each.failed for each in found.probes), sum(each.asked for each in found.probes)
    slowest = max(each.slowest for each in found.probes)
    late = ", **client too slow**" if any(run.client_limited for run in found.runs) else ""
    return (
        f"{rates} | {of_full} | {times} | {refused} | {waits} | {errors} | {failed} of {asked} | {slowest:,.0f}{late}"
    )


def _ms(values: Sequence[float | None]) -> str:
    there = [value for value in values if value is not None]
    return spread(there, lambda value: f"{value:,.0f}") if there else "–"


if __name__ == "__main__":
    typer.run(main)
