"""Progress of a long command: bars on a terminal, else a line for each stage."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from credit_scoring.training.search import TrialReport

FINAL = "Compare, calibrate, test"
LINE_EVERY_S = 10.0

OnCount = Callable[[int, int], None]


class Planned(NamedTuple):
    """One search: the name that its trials report, its title, and its number of trials if known."""

    name: str
    title: str
    trials: int | None


class OnTrial(Protocol):
    """Called with each finished trial of the search."""

    def __call__(self, report: "TrialReport", /) -> None:
        """Show it."""


@contextmanager
def stage(console: Console, title: str) -> Iterator[None]:
    """A stage of a command: a spinner while it lasts, or a line when it begins."""
    if console.is_terminal:
        with console.status(f"{title} …"):
            yield
    else:
        console.print(f"{title} …", highlight=False)
        yield


def counting(console: Console, title: str) -> AbstractContextManager[OnCount]:
    """Shows how much of a whole is done; to be called with both."""
    return _counted_bar(console, title) if console.is_terminal else counted_lines(console, title)


@contextmanager
def _counted_bar(console: Console, title: str) -> Iterator[OnCount]:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    progress = Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console)
    task = progress.add_task(title)

    def on_count(done: int, whole: int) -> None:
        progress.start()  # not earlier: unusable input is an error without a progress bar
        progress.update(task, completed=done, total=whole)

    try:
        yield on_count
    finally:
        if progress.live.is_started:
            progress.stop()


@contextmanager
def counted_lines(console: Console, title: str, clock: Callable[[], float] = time.monotonic) -> Iterator[OnCount]:
    """The same as lines, one every LINE_EVERY_S of the clock."""
    said = clock()

    def on_count(done: int, whole: int) -> None:
        nonlocal said
        if clock() - said >= LINE_EVERY_S:
            said = clock()
            console.print(f"{title}: {done / max(whole, 1):.0%} …", highlight=False)

    yield on_count


def searching(console: Console, planned: Sequence[Planned]) -> AbstractContextManager[OnTrial]:
    """Shows these searches, one after the other, and the choice that follows them."""
    return _bars(console, planned) if console.is_terminal else _lines(console, planned)


@contextmanager
def _bars(console: Console, planned: Sequence[Planned]) -> Iterator[OnTrial]:
    columns = (
        TextColumn("{task.description:32}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[best]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        tasks = {each.name: progress.add_task(each.title, total=each.trials, best="", start=False) for each in planned}
        final = progress.add_task(FINAL, total=1, best="", start=False)

        def on_trial(report: "TrialReport") -> None:
            task = tasks[report.candidate.name]
            progress.start_task(task)
            best = f"best AUC {report.best_auc:.4f}"
            progress.update(task, completed=report.number, total=report.trials, best=best)
            if report.candidate.name == planned[-1].name and report.number == report.trials:
                progress.start_task(final)

        yield on_trial
        progress.update(final, completed=1)


@contextmanager
def _lines(console: Console, planned: Sequence[Planned]) -> Iterator[OnTrial]:
    titles = {each.name: _line(each) for each in planned}
    following = dict(zip(titles, [*titles][1:], strict=False))
    begun: set[str] = set()

    def begin(name: str) -> None:
        if name not in begun:
            begun.add(name)
            console.print(f"{titles.get(name, FINAL)} …", highlight=False)

    def on_trial(report: "TrialReport") -> None:
        begin(report.candidate.name)  # if the search before it timed out
        if report.number == report.trials:
            console.print(f"  best AUC {report.best_auc:.4f}", highlight=False)
            begin(following.get(report.candidate.name, FINAL))

    begin(planned[0].name)
    yield on_trial


def _line(planned: Planned) -> str:
    known = "" if planned.trials is None else f"; trials: {planned.trials}"
    return f"Search {planned.title}{known}"
