"""Progress of a long command: bars on a terminal, else a line for each stage; with the time that it will take."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from credit_scoring.training.search import TrialReport
    from credit_scoring.training.stages import StageReport

LINE_EVERY_S = 10.0

OnCount = Callable[[int, int], None]


class Planned(NamedTuple):
    """One search: the name that its trials report, its title, and its number of trials at most if known."""

    name: str
    title: str
    trials: int | None


class TrainingProgress(Protocol):
    """Shows a training while it runs."""

    def on_trial(self, report: "TrialReport") -> None:
        """Show a finished trial."""

    def on_stage(self, report: "StageReport") -> None:
        """Show a stage that begins."""


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


def duration(seconds: float) -> str:
    """As people say it: 8 s, 3 min, 1.5 h."""
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"


def expected(report: "StageReport") -> str:
    """What a stage will take, in words; empty where nothing is known yet."""
    if report.seconds is None:
        return ""
    return f"{'at most' if report.limit else 'about'} {duration(report.seconds)}"


def training(console: Console, planned: Sequence[Planned]) -> AbstractContextManager[TrainingProgress]:
    """Shows these searches, one after the other, and the stages of a training."""
    return _bars(console, planned) if console.is_terminal else _lines(console, planned)


class _Bars:
    """A bar for each search and each stage after them, with the time gone."""

    def __init__(self, progress: Progress, planned: Sequence[Planned]) -> None:
        self._progress = progress
        self._searches = {
            each.name: progress.add_task(f"Search {each.title}", total=each.trials, note="", start=False)
            for each in planned
        }
        self._running: TaskID | None = None

    def on_stage(self, report: "StageReport") -> None:
        """The one before has ended; the searches have bars of their own."""
        if self._running is not None:
            self.end()
        if report.title != "Search":
            self._running = self._progress.add_task(report.title, total=1, note=expected(report))
        elif limit := expected(report):
            self._progress.console.print(f"Search: {limit}", highlight=False)

    def on_trial(self, report: "TrialReport") -> None:
        """One step of its bar; the last one fills it."""
        task = self._searches[report.candidate.name]
        self._progress.start_task(task)
        total = report.number if report.last else report.trials
        self._progress.update(task, completed=report.number, total=total, note=f"best AUC {report.best_auc:.4f}")
        if report.last:
            self._progress.stop_task(task)

    def end(self) -> None:
        """Nothing runs any more."""
        if self._running is not None:
            self._progress.update(self._running, completed=1)
            self._progress.stop_task(self._running)


@contextmanager
def _bars(console: Console, planned: Sequence[Planned]) -> Iterator[TrainingProgress]:
    columns = (
        TextColumn("{task.description:35}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bars = _Bars(progress, planned)
        yield bars
        bars.end()


class _Lines:
    """A line for each stage when it begins, one for each search with its first trial, and one with what it has found.

    A search is not announced before: it may be left out for want of time. The first one is always begun.
    """

    def __init__(self, console: Console, planned: Sequence[Planned]) -> None:
        self._console = console
        self._titles = {each.name: _line(each) for each in planned}
        self._headed = ""
        self._began = time.monotonic()

    def on_stage(self, report: "StageReport") -> None:
        """Title, what it works on, and its time."""
        told = ", ".join(filter(None, [report.detail, expected(report)]))
        self._say(f"{report.title}: {told} …")
        if report.title == "Search":
            self._began = time.monotonic()
            self._head(next(iter(self._titles)))

    def on_trial(self, report: "TrialReport") -> None:
        """The first trial tells how long each takes, the last one what was found."""
        if report.number == 1:
            self._head(report.candidate.name)
        if report.number == 1 and not report.last:
            self._say(f"  about {duration(time.monotonic() - self._began)} a trial")
        if report.last:
            self._say(f"  best AUC {report.best_auc:.4f} in {report.number} trials")
            self._began = time.monotonic()

    def _head(self, name: str) -> None:
        if name != self._headed:
            self._headed = name
            self._say(f"  {self._titles[name]} …")

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False)


@contextmanager
def _lines(console: Console, planned: Sequence[Planned]) -> Iterator[TrainingProgress]:
    yield _Lines(console, planned)


def _line(planned: Planned) -> str:
    known = "" if planned.trials is None else f"; at most {planned.trials} trials"
    return f"{planned.title}{known}"
