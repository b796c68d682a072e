"""`python -m benchmarks.serving.settings`: what each setting of the service, and each choice behind it, is worth.

The service with its defaults, and with one thing changed at a time, each with 32 and with 128 clients, interleaved,
medians. PostgreSQL runs on this machine, on whichever core is free.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from benchmarks.serving.__main__ import RESULTS_FOLDER, make_stage
from benchmarks.serving.catalogue import VARIANTS
from benchmarks.serving.load import Loader, Run
from benchmarks.serving.processes import Cores
from benchmarks.serving.servers import serve
from benchmarks.support.postgres import missing, throwaway

CLIENTS = (32, 128)
CONNECTIONS = 200
WITHOUT = "import sys\nsys.modules[{module!r}] = None\n"


ON_POSTGRES = "`DATABASE_URL` of PostgreSQL"


@dataclass(frozen=True)
class Change:
    """One thing that differs from the defaults: environment variables, or a module that cannot be imported."""

    name: str
    environment: dict[str, str] = field(default_factory=dict)
    without: str = ""


CHANGES = (
    Change("defaults"),
    Change("`DECISION_LOG=off`", {"CREDIT_SCORING_DECISION_LOG": "off"}),
    Change(ON_POSTGRES),
    Change("`MAX_BATCH_SIZE=1`: no batching", {"CREDIT_SCORING_MAX_BATCH_SIZE": "1"}),
    Change("`TUNE_COLLECTOR=false`", {"CREDIT_SCORING_TUNE_COLLECTOR": "false"}),
    Change("`ACCESS_LOG=true` (through BentoML's middleware)", {"CREDIT_SCORING_ACCESS_LOG": "true"}),
    Change("`TRACING=true` (through BentoML's middleware)", {"CREDIT_SCORING_TRACING": "true"}),
    Change("without uvloop", without="uvloop"),
)


def main(
    seconds: Annotated[float, typer.Option(min=1, help="Length of each load.")] = 4.0,
    repetitions: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 3,
) -> None:
    """Print one row per change, and write them to benchmarks/results/settings.md."""
    if reason := missing():
        raise typer.BadParameter(reason)
    found: dict[str, dict[int, list[Run]]] = {change.name: {} for change in CHANGES}
    with tempfile.TemporaryDirectory(prefix="credit-scoring-settings-") as folder, throwaway() as postgres:
        address = postgres.decision_log()
        stage = make_stage(Path(folder))
        Cores.of_this_machine().leave()
        for _ in range(repetitions):
            for change in CHANGES:
                environment = _environment(change, Path(folder), address)
                with serve(VARIANTS["g"], replace(stage, environment=environment)) as server:
                    for number, clients in enumerate(CLIENTS):
                        run = Loader(stage, seconds, CONNECTIONS).closed(server, number, clients)
                        found[change.name].setdefault(clients, []).append(run)
                        typer.echo(f"{change.name}, {clients}: {run.outcome.useful_per_s:,.0f}/s", err=True)
    text = "\n".join(_table(found)) + "\n"
    (RESULTS_FOLDER / "settings.md").write_text(text, encoding="utf-8")
    typer.echo(text)


def _table(found: dict[str, dict[int, list[Run]]]) -> Iterator[str]:
    heads = (f"answers/s, {clients} clients | of the defaults | p99 ms | p99.9 ms" for clients in CLIENTS)
    yield f"| | {' | '.join(heads)} |"
    yield "|---|" + "--:|" * 4 * len(CLIENTS)
    base = {clients: _rate(runs) for clients, runs in found["defaults"].items()}
    for name, by_clients in found.items():
        yield f"| {name} | {' | '.join(_cells(runs, base[clients]) for clients, runs in by_clients.items())} |"


def _cells(runs: list[Run], base: float) -> str:
    rate = _rate(runs)
    p99, p999 = (median(getattr(run.outcome, each) for run in runs) for each in ("p99", "p999"))
    return f"{rate:,.0f} | {rate / base:.0%} | {p99:.1f} | {p999:.1f}"


def _rate(runs: list[Run]) -> float:
    return median(run.outcome.useful_per_s for run in runs)


def _environment(change: Change, folder: Path, address: str) -> dict[str, str]:
    if change.name == ON_POSTGRES:
        return {"CREDIT_SCORING_DATABASE_URL": address}
    if not change.without:
        return change.environment
    blocked = folder / f"without-{change.without}"
    blocked.mkdir(exist_ok=True)
    (blocked / "sitecustomize.py").write_text(WITHOUT.format(module=change.without), encoding="utf-8")
    return {"PYTHONPATH": str(blocked)}


if __name__ == "__main__":
    typer.run(main)
