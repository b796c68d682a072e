"""`python -m benchmarks.durability`: kill -9 under load at random moments, and an audit of what was answered.

Three trials, each on a database of its own: workers killed that store in SQLite, workers killed that store in
PostgreSQL, PostgreSQL itself killed (all of its processes at once, or the server alone, as it falls). The clients, the
crash and the audit are those of the tests
(`benchmarks/support/traffic.py`), which kill three times. A moment may well find the other worker still starting: then
nobody answers until one is up.
"""

import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Annotated

import psutil
import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column, Table

from benchmarks.serving.__main__ import RESULTS_FOLDER
from benchmarks.serving.machine import described
from benchmarks.support.postgres import missing, throwaway
from benchmarks.support.traffic import Audit, Record, Traffic, audit, crash, workers
from benchmarks.support.waiting import answers, keep_answering, wait_for
from credit_scoring.decisions import schema_version
from credit_scoring.decisions.connect import open_database
from credit_scoring.settings import MODEL_NAME, PROJECT_FOLDER

TARGET = "credit_scoring.service:CreditScoring"
READY_WITHIN_S = 120.0
RECOVERED_WITHIN_S = 60.0
STOPPED_WITHIN_S = 30.0
MOST_ANSWERS_BETWEEN = 500
PAUSE_S = 0.002  # of each client: what is to be killed is kept busy, and the audit at the end stays short

console = Console(stderr=True)
Kill = Callable[[Traffic, "Service"], float]


class ServiceError(Exception):
    """The service did not become ready, or ended."""


@dataclass(frozen=True)
class Service:
    """The service in its own processes."""

    url: str
    process: "subprocess.Popen[bytes]"

    def is_ready(self) -> bool:
        """Whether some worker says so."""
        return answers(f"{self.url}/readyz")


@dataclass
class Trial:
    """One kind of kill, so many times: what became of the requests, and of the service."""

    name: str
    kills: int = 0
    recovery_s: list[float] = field(default_factory=list)
    unrecovered: int = 0
    record: Record = field(default_factory=Record)
    found: Audit = field(default_factory=lambda: Audit(0, [], [], []))

    @property
    def is_clean(self) -> bool:
        """Whether the promise was kept."""
        return self.found.is_clean and not (self.unrecovered or self.record.strange)


@dataclass(frozen=True)
class Plan:
    """What all trials have in common."""

    kills: int
    clients: int
    workers: int
    model: str
    home: Path
    folder: Path
    moments: random.Random


def main(
    kills: Annotated[int, typer.Option(min=1, help="Kills in each of the three trials.")] = 50,
    seed: Annotated[int | None, typer.Option(help="Of the moments at which it is killed; printed. [random]")] = None,
    clients: Annotated[int, typer.Option(min=1, help="Clients that send without a break.")] = 8,
    workers: Annotated[int, typer.Option(min=1, help="Workers of the service.")] = 2,
    model: Annotated[
        str | None, typer.Option(help="Tag of a model in the BentoML store. [one is trained by the shortest plan]")
    ] = None,
) -> None:
    """Kill workers and PostgreSQL under load; exit code 1 unless all that was answered is on record, once."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, _interrupt)
    if reason := missing():
        raise typer.BadParameter(reason)
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    console.print(f"Seed {seed}.")
    with tempfile.TemporaryDirectory(prefix="credit-scoring-durability-") as temporary:
        folder = Path(temporary)
        home = Path(os.environ.get("BENTOML_HOME", Path.home() / "bentoml")) if model else folder / "home"
        model = model or _train(home)
        plan = Plan(kills, clients, workers, model, home, folder, random.Random(seed))  # noqa: S311 - nothing secret
        trials = _run(plan)
    Console().print(_table(trials))
    _write(trials, seed)
    if not all(trial.is_clean for trial in trials):
        raise typer.Exit(1)


def _write(trials: list[Trial], seed: int) -> None:
    """The same as Markdown."""
    table = _table(trials)
    table.box, table.title = box.MARKDOWN, None
    with (RESULTS_FOLDER / "durability.md").open("w", encoding="utf-8") as file:
        file.write(f"`python -m benchmarks.durability --seed {seed}`, {described()}.\n")
        Console(file=file, width=120).print(table)


def _train(home: Path) -> str:
    console.print("Training by the shortest plan …")
    home.mkdir()
    command = [sys.executable, "-m", "benchmarks.durability.model"]
    environment = os.environ | {"BENTOML_HOME": str(home)}
    trained = subprocess.run(  # noqa: S603 - our own module
        command, env=environment, cwd=PROJECT_FOLDER, stdout=subprocess.PIPE, text=True, check=True
    )
    return trained.stdout.split()[-1]


def _run(plan: Plan) -> list[Trial]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress, throwaway() as postgres:

        def kill_worker(load: Traffic, service: Service) -> float:
            os.kill(plan.moments.choice(workers(service.process.pid)), signal.SIGKILL)
            return _seconds_to_next_answer(load)

        def kill_postgres(load: Traffic, service: Service) -> float:
            crash(postgres, all_at_once=plan.moments.random() < 0.5)
            before = load.record.refused
            wait_for(lambda: load.record.refused > before, "the first refusal", RECOVERED_WITHIN_S)
            postgres.start()
            return _seconds_to_next_answer(load)

        return [
            _trial(plan, progress, "a worker, SQLite", f"sqlite:///{plan.folder}/decisions.db", kill_worker),
            _trial(plan, progress, "a worker, PostgreSQL", postgres.database(), kill_worker),
            _trial(plan, progress, "PostgreSQL", postgres.database(), kill_postgres),
        ]


def _trial(plan: Plan, progress: Progress, name: str, address: str, kill: Kill) -> Trial:
    task = progress.add_task(f"kill -9 of {name}", total=plan.kills)
    open_database(address, timeout=READY_WITHIN_S).run_now(schema_version.upgrade)
    trial = Trial(name)
    with _served(plan, address) as service, Traffic(service.url, plan.clients, pause=PAUSE_S) as load:
        trial.record = load.record
        try:
            for _ in range(plan.kills):
                load.wait_for_answers(plan.moments.randrange(1, MOST_ANSWERS_BETWEEN), RECOVERED_WITHIN_S)
                trial.kills += 1
                trial.recovery_s.append(kill(load, service))
                progress.advance(task)
            wait_for(lambda: _is_whole(plan, service), "all workers to be ready", RECOVERED_WITHIN_S)
        except TimeoutError as error:
            progress.console.print(f"kill -9 of {name}, number {trial.kills}: {error}", style="bold red")
            trial.unrecovered += 1
    trial.found = audit(address, trial.record.answered)
    return trial


def _seconds_to_next_answer(load: Traffic) -> float:
    before = len(load.record.answered)
    began = time.monotonic()
    wait_for(lambda: len(load.record.answered) > before, "an answer", RECOVERED_WITHIN_S)
    return time.monotonic() - began


def _is_whole(plan: Plan, service: Service) -> bool:
    return len(workers(service.process.pid)) == plan.workers and keep_answering(f"{service.url}/readyz")


@contextmanager
def _served(plan: Plan, address: str) -> Iterator[Service]:
    """The service, ready; raises ServiceError."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "bentoml", "serve", TARGET, "--host", "127.0.0.1", "--port", str(port)]
    log = plan.folder / f"service-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own service
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=PROJECT_FOLDER,
            env=_environment(plan, address),
            start_new_session=True,
        )
    service = Service(f"http://127.0.0.1:{port}", process)
    try:
        _wait_until_ready(service, log)
        yield service
    finally:
        _stop(process)


def _environment(plan: Plan, address: str) -> dict[str, str]:
    """Our own without settings of the service, which is to run on its defaults."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CREDIT_SCORING_")}
    kept.pop("PROMETHEUS_MULTIPROC_DIR", None)
    return kept | {
        "BENTOML_HOME": str(plan.home),
        "BENTOML_DO_NOT_TRACK": "True",
        "CREDIT_SCORING_MODEL": plan.model if ":" in plan.model else f"{MODEL_NAME}:{plan.model}",
        "CREDIT_SCORING_DATABASE_URL": address,
        "CREDIT_SCORING_WORKERS": str(plan.workers),
    }


def _wait_until_ready(service: Service, log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while not service.is_ready():
        if service.process.poll() is not None or time.monotonic() > deadline:
            raise ServiceError(f"The service did not become ready:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End it with all its processes, politely first."""
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.terminate()
    try:
        process.wait(STOPPED_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
    for straggler in psutil.wait_procs(family, STOPPED_WITHIN_S)[1]:
        straggler.kill()


def _table(trials: list[Trial]) -> Table:
    names = (Column(trial.name, justify="right") for trial in trials)
    table = Table(Column("kill -9 of", no_wrap=True), *names, title="Answered means stored")
    rows: dict[str, Callable[[Trial], object]] = {
        "kills": lambda trial: trial.kills,
        "requests sent": lambda trial: trial.record.sent,
        "answered 200": lambda trial: len(trial.record.answered),
        "refused, 503": lambda trial: trial.record.refused,
        "connections lost": lambda trial: trial.record.lost,
        "no connection": lambda trial: trial.record.unreachable,
        "no answer in 3 s": lambda trial: trial.record.overdue,
        "decisions stored": lambda trial: trial.found.stored,
        "answers again, median": lambda trial: _seconds(statistics.median(trial.recovery_s or [0.0])),
        "answers again, at most": lambda trial: _seconds(max(trial.recovery_s, default=0.0)),
        "answered, missing: 0": lambda trial: len(trial.found.missing),
        "stored twice: 0": lambda trial: len(trial.found.twice),
        "chain problems: 0": lambda trial: len(trial.found.problems),
        "other answers: 0": lambda trial: trial.record.strange.total(),
        "did not recover: 0": lambda trial: trial.unrecovered,
    }
    for name, value in rows.items():
        found = map(value, trials)
        table.add_row(name, *(f"{each:,}" if isinstance(each, int) else str(each) for each in found))
    return table


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s"


def _interrupt(signum: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does, so that everything started is stopped."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
