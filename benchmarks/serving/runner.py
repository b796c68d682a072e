"""Runs the variants side by side: in each repetition every variant once, so that a slow minute hits all alike."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from benchmarks.serving.catalogue import VARIANTS, Variant
from benchmarks.serving.environments import InstallError
from benchmarks.serving.load import Loader, Run
from benchmarks.serving.report import Report
from benchmarks.serving.servers import Server, ServerError, Stage, serve

SHARES = (0.5, 0.8, 1.0, 2.0)


@dataclass(frozen=True)
class Plan:
    """What is measured: variants by letter, those with an open loop too, numbers of clients."""

    variants: Sequence[str]
    open_loop: Sequence[str]
    clients: Sequence[int]
    seconds: float
    repetitions: int
    connections: int

    @property
    def loads(self) -> int:
        """How many loads the whole plan has."""
        opened = len(set(self.open_loop) & set(self.variants))
        return self.repetitions * (len(self.variants) * len(self.clients) + opened * (1 + len(SHARES)))


class Runner:
    """Carries a plan out and writes what it finds into a report; `keep` is called whenever a variant is done."""

    def __init__(self, plan: Plan, stage: Stage, report: Report, keep: Callable[[Report], None]) -> None:
        self._plan, self._stage, self._report, self._keep = plan, stage, report, keep
        self._loader = Loader(stage, plan.seconds, plan.connections)
        self._console = Console(stderr=True)

    def run(self) -> None:
        """Everything in the plan; what cannot run is reported and the rest goes on."""
        self._make_environments()
        with _progress(self._console) as self._progress:
            self._task: TaskID = self._progress.add_task("", total=self._plan.loads)
            for repetition in range(1, self._plan.repetitions + 1):
                for letter in self._plan.variants:
                    if letter not in self._report.not_run:
                        self._measure(VARIANTS[letter], repetition)
        self._report.complete = True

    def _make_environments(self) -> None:
        for letter in self._plan.variants:
            environment = VARIANTS[letter].environment
            try:
                if environment:
                    self._console.print(f"({letter}) environment {environment.name} …", style="dim")
                    environment.make()
            except InstallError as error:
                self._give_up(letter, str(error))

    def _measure(self, variant: Variant, repetition: int) -> None:
        self._say(variant, repetition, "starting")
        try:
            with serve(variant, self._stage) as server:
                self._report.ready_s.setdefault(variant.letter, []).append(server.ready_s)
                for run in self._loads(server, repetition):
                    self._report.runs.append(run)
                    self._progress.advance(self._task)
        except ServerError as error:
            self._give_up(variant.letter, f"{error} (repetition {repetition})")
        self._keep(self._report)

    def _loads(self, server: Server, repetition: int) -> Iterator[Run]:
        for clients in self._plan.clients:
            yield self._closed_load(server, repetition, clients)
        if server.variant.letter in self._plan.open_loop:
            yield from self._open_loads(server, repetition)

    def _closed_load(self, server: Server, repetition: int, clients: int) -> Run:
        self._say(server.variant, repetition, f"{clients} clients")
        return self._loader.closed(server, repetition, clients)

    def _open_loads(self, server: Server, repetition: int) -> Iterator[Run]:
        """Capacity is what as many clients get in the closed loop as the open loop has connections."""
        run = self._closed_load(server, repetition, self._plan.connections)
        yield run
        capacity = run.outcome.useful_per_s
        for share in SHARES:
            self._say(server.variant, repetition, f"{share:.0%} of {capacity:,.0f}/s")
            yield self._loader.open(server, repetition, share, capacity)

    def _say(self, variant: Variant, repetition: int, step: str) -> None:
        """Drawn between loads only: a bar that redraws itself would take the client's core."""
        title = f"repetition {repetition}/{self._plan.repetitions} ({variant.letter}) {variant.name}: {step}"
        self._progress.update(self._task, description=title, refresh=True)

    def _give_up(self, letter: str, reason: str) -> None:
        self._report.not_run[letter] = reason
        self._console.print(f"({letter}) {VARIANTS[letter].name}: NOT RUN: {reason}", style="bold red")


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, auto_refresh=False)
