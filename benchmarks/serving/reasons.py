"""`python -m benchmarks.serving.reasons`: clients who ask for reasons, and those beside them who do not.

The service with its defaults on one core, its clients on another. In each round all loads have their turn, so that a
slow minute of the machine hits all alike; medians over the rounds.
"""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Annotated, Any, NamedTuple

import typer

from benchmarks.serving import processes
from benchmarks.serving.__main__ import RESULTS_FOLDER, make_stage
from benchmarks.serving.catalogue import VARIANTS
from benchmarks.serving.loads import Load, Outcome
from benchmarks.serving.machine import described
from benchmarks.serving.servers import Server, ServerError, Stage, serve
from credit_scoring.errors import CreditScoringError
from credit_scoring.settings import PROJECT_FOLDER

PLAIN, ASKING = "/predict", "/predict?reasons=true"
WARM_UP_S = 2.0
SETTLING_S = 1.0  # of an open loop, before its warm-up
MARGIN_S = 30.0
MOST_P99_MS = 100.0
NOISE = 1.1  # of a p99 on a machine with others on it

All = dict[str, list[list[Outcome]]]


class Group(NamedTuple):
    """Clients who ask for the same: so many in a closed loop, or at a fixed rate."""

    path: str
    clients: int
    rate: float = 0.0

    def __str__(self) -> str:
        what = "asking" if self.path == ASKING else "not asking"
        return f"{self.rate:g}/s {what}" if self.rate else f"{self.clients} {what}"

    def load(self, server: Server, seconds: float) -> Load:
        """The part of this group in the load on a server."""
        common: dict[str, Any] = {"port": server.port, "path": self.path, "bodies": str(server.bodies)}
        if self.rate:
            warm_up = WARM_UP_S - SETTLING_S
            figures = {"rate": self.rate, "connections": self.clients, "warm_up": warm_up}
            return Load(kind="open", seconds=seconds, **common, **figures)
        return Load(kind="closed", seconds=seconds, warm_up=WARM_UP_S, clients=self.clients, **common)


ALL_ASK = [Group(ASKING, 32)]
ALONE = [Group(PLAIN, 16)]
BESIDE_PLAIN = [Group(PLAIN, 16), Group(PLAIN, 16)]
BESIDE_ASKING = [Group(PLAIN, 16), Group(ASKING, 16)]
BESIDE_A_FEW = [Group(PLAIN, 16), Group(ASKING, 16, rate=100.0)]
LOADS = (ALL_ASK, ALONE, BESIDE_PLAIN, BESIDE_ASKING, BESIDE_A_FEW)


def main(
    seconds: Annotated[float, typer.Option(min=1, help="Length of each load.")] = 4.0,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 5,
) -> None:
    """Print the table, and write it to benchmarks/results/served_reasons.md."""
    try:
        found = _measured(seconds, rounds)
    except (RuntimeError, ServerError, CreditScoringError) as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error
    text = "\n".join(_report(found, seconds, rounds)) + "\n"
    (RESULTS_FOLDER / "served_reasons.md").write_text(text, encoding="utf-8")
    typer.echo(text)


def _measured(seconds: float, rounds: int) -> All:
    """By load, the outcome of each of its groups in each round."""
    found: All = {_name(groups): [] for groups in LOADS}
    with tempfile.TemporaryDirectory(prefix="credit-scoring-reasons-") as folder:
        stage = make_stage(Path(folder))
        stage.cores.leave()
        for _ in range(rounds):
            with serve(VARIANTS["g"], stage) as server:
                for groups in LOADS:
                    outcomes = _together([group.load(server, seconds) for group in groups], stage)
                    found[_name(groups)].append(outcomes)
                    p99 = ", ".join(f"{each.useful_per_s:,.0f}/s p99 {each.p99 or 0:.1f}" for each in outcomes)
                    typer.echo(f"{_name(groups)}: {p99}", err=True)
    return found


def _name(groups: Sequence[Group]) -> str:
    return " beside ".join(map(str, groups))


def _together(loads: Sequence[Load], stage: Stage) -> list[Outcome]:
    """What came of loads at the same time; raises ServerError when a client fails."""
    logs = [stage.folder / f"client-{number}.log" for number in range(len(loads))]
    with ExitStack() as stack:
        clients = [
            stack.enter_context(processes.running(_command(load), stage.cores.client, log, os.environ, PROJECT_FOLDER))
            for load, log in zip(loads, logs, strict=True)
        ]
        codes = [client.wait(loads[0].seconds + MARGIN_S) for client in clients]
    printed = [log.read_text(errors="replace").strip() for log in logs]
    if any(codes):
        raise ServerError(f"a client ended during a load: {' / '.join(printed)[-200:]}")
    return [Outcome.model_validate_json(each.splitlines()[-1]) for each in printed]


def _command(load: Load) -> list[str]:
    return [sys.executable, "-m", "benchmarks.serving.client", load.model_dump_json()]


def _report(found: All, seconds: float, rounds: int) -> Iterator[str]:
    yield (
        f"`python -m benchmarks.serving.reasons --seconds {seconds:g} --rounds {rounds}`, {described()}, load average "
        f"{os.getloadavg()[0]:.1f}; medians."
    )
    yield ""
    yield "| load | of these | answers/s | p50 ms | p99 ms | p99 by round | 503 | errors |"
    yield "|---|---|--:|--:|--:|---|--:|--:|"
    for groups in LOADS:
        for place, group in enumerate(groups):
            outcomes = [each[place] for each in found[_name(groups)]]
            yield f"| {_name(groups) if place == 0 else ''} | {group} | {' | '.join(_cells(outcomes))} |"
    yield ""
    yield from _goals({_name(groups): _median([each[0] for each in found[_name(groups)]], "p99") for groups in LOADS})


def _cells(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield f"{_median(outcomes, 'useful_per_s'):,.0f}"
    yield from (f"{_median(outcomes, each):.1f}" for each in ("p50", "p99"))
    yield ", ".join(f"{each.p99 or 0:.1f}" for each in outcomes)
    yield from (f"{sum(getattr(each, name) for each in outcomes)}" for name in ("refused", "errors"))


def _median(outcomes: Sequence[Outcome], name: str) -> float:
    return median(getattr(each, name) or 0.0 for each in outcomes)


def _goals(p99: Mapping[str, float]) -> Iterator[str]:
    yield "| | p99 ms | goal |"
    yield "|---|--:|---|"
    asked = p99[_name(ALL_ASK)]
    yield f"| {_name(ALL_ASK)} | {asked:.1f} | below {MOST_P99_MS:g}: {_reached(asked < MOST_P99_MS)} |"
    plain = p99[_name(BESIDE_PLAIN)]
    for groups in (BESIDE_ASKING, BESIDE_A_FEW):
        beside = p99[_name(groups)]
        goal = f"no more than beside 16 not asking ({plain:.1f}, and a tenth for noise)"
        yield f"| {_name(groups)} | {beside:.1f} | {goal}: {_reached(beside <= NOISE * plain)} |"


def _reached(is_reached: bool) -> str:
    return "reached" if is_reached else "**missed**"


if __name__ == "__main__":
    typer.run(main)
