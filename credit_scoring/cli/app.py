"""The command line: check data, train, publish, evaluate."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType, ModuleType
from typing import Annotated

import typer
from rich.markup import escape

from credit_scoring import __version__
from credit_scoring.application.catalogue import freed
from credit_scoring.cli import backtest as backtest_command
from credit_scoring.cli import fields as field_commands
from credit_scoring.cli import group_ends as decision_commands
from credit_scoring.cli import keys as key_commands
from credit_scoring.cli import models as model_commands
from credit_scoring.cli import monitor as monitor_commands
from credit_scoring.cli import score as score_command
from credit_scoring.cli.compute import ComputeOptions
from credit_scoring.cli.listing import messages
from credit_scoring.cli.opponent import Opponent
from credit_scoring.cli.options import grouped
from credit_scoring.cli.overview import show_overview, write_bad_rows
from credit_scoring.cli.progress import Planned, duration, stage, training
from credit_scoring.cli.results import show_data, show_metrics, show_result, show_warnings
from credit_scoring.cli.sources import DataOptions, FieldsOption
from credit_scoring.cli.training import GateOptions, SearchOptions, ThresholdOptions, plan_of
from credit_scoring.data.datasets import BadRowsError, Dataset
from credit_scoring.errors import ConfigurationError, CreditScoringError, ModelRejectedError, UnpublishedError
from credit_scoring.evaluation.results import Assessment
from credit_scoring.model import champion, store
from credit_scoring.model.exported import NEWEST
from credit_scoring.model.promotions import Promotions
from credit_scoring.model.scorer import Scorer
from credit_scoring.model.unpublished import keep_card
from credit_scoring.settings import CHAMPION, misspelt
from credit_scoring.training.candidates import CANDIDATES, UNCONSTRAINED, UNCONSTRAINED_TITLE
from credit_scoring.training.clock import Clock
from credit_scoring.training.config import LARGEST_SEED, TrainingPlan
from credit_scoring.training.teacher import Teacher, read_teacher, write_teacher_rows

INTERRUPTED = 130
TOLERATED = 0.1  # of a time limit, before it is said that it was exceeded
MEASURING = "Measuring: intervals, groups, importance, partial dependence"

console = messages()
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Credit decisions for consórcio applications: train and measure models, look after decisions and keys.",
    epilog="Serve the champion with `bentoml serve credit_scoring.service:CreditScoring`.",
)


app.add_typer(decision_commands.decisions, name="decisions")
app.add_typer(field_commands.app, name="fields")
app.add_typer(key_commands.app, name="keys")
app.add_typer(model_commands.app, name="models")
app.add_typer(monitor_commands.app, name="monitor")
app.add_typer(backtest_command.policy, name="policy")
app.command()(score_command.score)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _every_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    for warning in misspelt(os.environ):
        console.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True, highlight=False, emoji=False)


@app.command()
@grouped
def data(
    data: DataOptions,
    fields: FieldsOption = None,
    bad_rows: Annotated[
        Path | None, typer.Option(help="CSV file to list every bad row in: line, column and problem, never a value.")
    ] = None,
    teacher_rows: Annotated[
        Path | None,
        typer.Option(help="CSV file to list the rows of the training part in, with folds, for `train --teacher`."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="The seed of the training, for --teacher-rows.")
    ] = TrainingPlan.seed,
) -> None:
    """Check a data source and show the data set that training would use.

    Of each field: what is missing, and the default rate by its values or by quarters of its range.
    """
    try:
        dataset = data.load(console, data.catalogue(fields))
    except BadRowsError as error:
        if bad_rows:
            write_bad_rows(error.bad_rows, bad_rows)
        raise
    if bad_rows:
        write_bad_rows(dataset.bad_rows, bad_rows)
    if teacher_rows:
        write_teacher_rows(dataset, seed, teacher_rows)
    show_data(console, dataset)
    show_overview(dataset)


@app.command()
@grouped
def train(
    data: DataOptions,
    search: SearchOptions,
    threshold: ThresholdOptions,
    gate: GateOptions,
    compute: ComputeOptions,
    fields: FieldsOption = None,
    free: Annotated[
        list[str] | None,
        typer.Option(
            help="Repeatable: a field whose declared direction of risk this model need not keep to.",
            rich_help_panel="Search",
        ),
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel="Search",
            help="CSV or Parquet file with another model's probabilities of default, which boosters then learn from as "
            "well. They MUST be out of fold, as docs/training.md says: a teacher that has seen the outcomes of the "
            "rows it speaks of, or of the test part, makes every figure untrue.",
        ),
    ] = None,
) -> None:
    """Search, compare and calibrate the candidates; publish the chosen one if it passes the gate."""
    plan = plan_of(search, threshold, gate)
    clock = Clock(plan.timeout)
    store.check_writable()
    Promotions.of_store().read()  # not readable: better told before the search than after it
    opponent = None if gate.against is None else Opponent.of(gate.against, console)
    dataset = data.load(console, data.catalogue(fields))
    dataset = replace(dataset, catalogue=freed(dataset.catalogue, free or ()))
    show_data(console, dataset)
    labels = read_teacher(teacher, dataset.split(plan.test_share, plan.seed)[0]) if teacher else None
    if opponent:
        opponent.check(dataset, plan, console)
    with compute.engaged():
        tag = _train_and_publish(dataset, plan, clock, opponent, labels)
    if clock.left < -TOLERATED * (clock.seconds or 0):
        console.print(
            f"[yellow]--timeout {clock.seconds:g}:[/] the command took {duration(clock.gone)}. A first trial, a "
            "comparison, the fit on all rows and the measuring are done however long they take. Allow it more, or give "
            "it fewer rows."
        )
    console.print("Published.")
    _tell_what_serves(tag)
    print(tag)


def _train_and_publish(
    dataset: Dataset, plan: TrainingPlan, clock: Clock, opponent: Opponent | None, teacher: Teacher | None
) -> str:
    try:
        with _interruptible():
            scorer = _train_with_progress(dataset, plan, clock, teacher)
            if opponent:
                scorer = _training().compared(scorer, opponent.scorer, opponent.tag, dataset, plan)
            show_result(console, scorer, plan.compare_rows)
            _training().check_gate(scorer.card)
            with stage(console, MEASURING):
                assessment = _report().measured(scorer, dataset)
            show_warnings(console, assessment)
            return _publish(scorer, assessment)
    except KeyboardInterrupt:
        kept = f" The trials are in {plan.resume}: the same command goes on from there." if plan.resume else ""
        console.print(f"[yellow]Interrupted: nothing was saved.[/]{escape(kept)}")
        raise typer.Exit(INTERRUPTED) from None
    except UnpublishedError as error:
        raise ModelRejectedError(f"{error} {_kept(error.card)}") from error


def _kept(card: str) -> str:
    try:
        return f"Its card is kept in {keep_card(card)}."
    except OSError as error:
        return f"Its card could not be kept ({error.strerror})."


def _publish(scorer: Scorer, assessment: Assessment) -> str:
    served = str(store.find(NEWEST).tag) if store.has(NEWEST) else None
    tag = store.save(scorer, lambda tag, folder: _report().write(tag, scorer, assessment, folder))
    try:
        champion.begin(tag, served, champion.operating_user())
    except KeyboardInterrupt:
        told = f"[yellow]Interrupted:[/] {tag} was saved. Delete it with `bentoml models delete {tag}`, or keep it."
        console.print(told, soft_wrap=True, highlight=False)
        raise typer.Exit(INTERRUPTED) from None
    return tag


def _tell_what_serves(tag: str) -> None:
    serving = Promotions.of_store().read()[-1].tag
    if serving == tag:
        told = "It is the champion, the first of this store: serve it with `make serve`."
    else:
        told = f"{serving} still serves. To serve this one: `credit-scoring models promote {tag} --reason …`."
    console.print(told, soft_wrap=True, highlight=False)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Within the block, Ctrl-C raises KeyboardInterrupt and nothing else: joblib's threads print no errors."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        threading.excepthook = lambda args: None
        signal.default_int_handler(number, frame)

    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # not if the parent process has it ignored
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@app.command()
@grouped
def evaluate(
    data: DataOptions,
    tag: Annotated[str, typer.Argument(help="Model in the store; see `credit-scoring models list`.")] = CHAMPION,
    output: Annotated[
        Path | None, typer.Option(show_default="evaluation-VERSION", help="Folder to write the report to.")
    ] = None,
) -> None:
    """Measure a stored model on data with known outcomes; write an HTML page and JSON.

    On the file that the model was trained on, only the test part is used: read it with the mapping of the training.
    Of another file all rows are, with a warning that the model may have been trained on some.
    """
    model = store.find(tag)
    scorer = Scorer.load(Path(model.path))
    dataset = data.load(console, scorer.catalogue)
    show_data(console, dataset)
    with stage(console, MEASURING):
        assessment = _report().measured(scorer, dataset)
    folder = output or Path(f"evaluation-{model.tag.version}")
    try:
        page = _report().write(str(model.tag), scorer, assessment, folder)
    except OSError as error:
        raise ConfigurationError(f"--output {folder}: cannot be written ({error.strerror}). Name another.") from error
    show_metrics(console, assessment.data, assessment.metrics)
    show_warnings(console, assessment)
    print(page)


def _training() -> ModuleType:
    try:
        from credit_scoring.training import (  # noqa: PLC0415 - brings Optuna, which the served image does not carry
            train as training,
        )
    except ImportError as error:
        raise _not_installed(error) from error
    return training


def _report() -> ModuleType:
    try:
        from credit_scoring.evaluation import (  # noqa: PLC0415 - brings matplotlib, which the served image does not carry
            model_report as report,
        )
    except ImportError as error:
        raise _not_installed(error) from error
    return report


def _not_installed(error: ImportError) -> ConfigurationError:
    return ConfigurationError(f"{error.name} is not installed: training and evaluation need `make install`.")


def _train_with_progress(dataset: Dataset, plan: TrainingPlan, clock: Clock, teacher: Teacher | None) -> Scorer:
    planned = _planned(dataset.split(plan.test_share, plan.seed)[0], plan)
    with training(console, planned) as progress:
        scorer: Scorer = _training().train(dataset, plan, progress.on_trial, progress.on_stage, clock, teacher)
    return scorer


def _planned(part: Dataset, plan: TrainingPlan) -> list[Planned]:
    """The searches on this training part; a candidate that is not tried on it is named."""
    tried = plan.suiting(CANDIDATES, part)
    rows, fields = plan.rows_to_search(part), len(part.features)
    for candidate in [each for each in CANDIDATES if each not in tried]:
        console.print(f"{candidate.title} is left out: on {rows:,} rows of {fields} fields it takes too long.")
    planned = [Planned(candidate.name, candidate.title, plan.trials_of(candidate)) for candidate in tried]
    return [*planned, Planned(UNCONSTRAINED, UNCONSTRAINED_TITLE, None)]


def main() -> None:
    """Run the command line; a failure is one message and a non-zero exit code."""
    try:
        app()
    except CreditScoringError as error:
        console.print(f"[red]error:[/] {escape(str(error))}", soft_wrap=True, highlight=False, emoji=False)
        sys.exit(1)
