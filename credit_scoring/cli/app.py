"""The command line: check data, train, publish, evaluate."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import FrameType, ModuleType
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from credit_scoring.application.catalogue import Catalogue, shipped
from credit_scoring.cli import evidence as evidence_commands
from credit_scoring.cli import keys as key_commands
from credit_scoring.cli import monitor as monitor_commands
from credit_scoring.cli import score as score_command
from credit_scoring.cli.compute import Engine, MasterOption, SparkLogOption, engaged
from credit_scoring.cli.decisions import open_log
from credit_scoring.cli.progress import Planned, searching, stage
from credit_scoring.data import datasets, history
from credit_scoring.data.datasets import Dataset
from credit_scoring.decisions.queries import Wanted
from credit_scoring.errors import ConfigurationError, CreditScoringError
from credit_scoring.evaluation.results import Assessment
from credit_scoring.model import store
from credit_scoring.model.card import Interval
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.policy import CostMatrix, Limits
from credit_scoring.settings import MODEL_NAME, TrainingSettings, read_settings
from credit_scoring.training.candidates import CANDIDATES, UNCONSTRAINED, UNCONSTRAINED_TITLE
from credit_scoring.training.config import TrainingPlan

INTERRUPTED = 130
MEASURING = "Measuring: intervals, groups, importance, partial dependence"

console = Console(stderr=True)
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Credit decisions for consórcio applications: train and measure models, look after decisions and keys.",
    epilog="Serve the newest model with `bentoml serve credit_scoring.service:CreditScoring`.",
)


app.add_typer(evidence_commands.decisions, name="decisions")
app.add_typer(key_commands.app, name="keys")
app.add_typer(monitor_commands.app, name="monitor")
app.command()(score_command.score)


class Source(StrEnum):
    """Where training data comes from."""

    EMBEDDED = "embedded"
    KAGGLE = "kaggle"
    CSV = "csv"
    DECISIONS = "decisions"


SourceOption = Annotated[
    Source,
    typer.Option(
        help="embedded: the demo set in the repository; kaggle: laotse/credit-risk-dataset; csv: your file; decisions: "
        "the service's decisions whose outcome is known."
    ),
]
PathOption = Annotated[
    Path | None, typer.Option(help="CSV file. Required with csv; with kaggle it replaces the download.")
]
MappingOption = Annotated[
    Path | None,
    typer.Option(help="TOML file that maps the columns, values and units of your CSV file; see docs/data.md."),
]
FieldsOption = Annotated[
    Path | None,
    typer.Option(help="TOML file with the field catalogue of your applications; see docs/fields.md. [consorcio]"),
]
MaxBadShareOption = Annotated[
    float, typer.Option(min=0, max=1, help="Largest share of bad rows; with more, the run stops.")
]


@app.command()
def data(
    source: SourceOption = Source.EMBEDDED,
    path: PathOption = None,
    mapping: MappingOption = None,
    fields: FieldsOption = None,
    max_bad_share: MaxBadShareOption = datasets.MAX_BAD_SHARE,
) -> None:
    """Check a data source and show the data set that training would use."""
    _show_data(_load(source, path, mapping, max_bad_share, _catalogue(source, fields)))


@app.command()
def train(
    source: SourceOption = Source.EMBEDDED,
    path: PathOption = None,
    mapping: MappingOption = None,
    fields: FieldsOption = None,
    max_bad_share: MaxBadShareOption = datasets.MAX_BAD_SHARE,
    trials: Annotated[int, typer.Option(min=1, help="Search trials per booster; the other candidates get fewer.")] = 20,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=1, help="Seconds for the whole search; with a limit, the result depends on the machine's speed."
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(help="Processes for cross-validation; -1: one per core.")] = -1,
    seed: Annotated[
        int, typer.Option(min=0, help="Random seed; the same data, seed and lock file give the same model.")
    ] = 42,
    loss_given_default: Annotated[
        float,
        typer.Option(min=0.001, max=1, help="Cost of approving a client who defaults, as a share of the letter value."),
    ] = 0.45,
    margin: Annotated[
        float,
        typer.Option(min=0.001, max=1, help="Cost of denying a client who would pay, as a share of the letter value."),
    ] = 0.20,
    threshold_min_recall: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Smallest share of held-out defaulters that the threshold denies."),
    ] = None,
    threshold_max_approval_rate: Annotated[
        float | None, typer.Option(min=0, max=1, help="Largest share of clients that the threshold approves.")
    ] = None,
    min_auc: Annotated[
        float | None,
        typer.Option(min=0.5, max=1, help="Gate: lowest AUC on the test part. [CREDIT_SCORING_MINIMUM_AUC, 0.75]"),
    ] = None,
    min_recall: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Gate: lowest recall on the test part. [CREDIT_SCORING_MINIMUM_RECALL, 0.5]"),
    ] = None,
    if_missing: Annotated[
        bool, typer.Option("--if-missing", help="Do nothing if the store has a model already.")
    ] = False,
    engine: Annotated[
        Engine, typer.Option(help="Run the search on this machine or on Spark; the result is the same.")
    ] = Engine.LOCAL,
    master: MasterOption = "local[*]",
    spark_log: SparkLogOption = None,
) -> None:
    """Search, compare and calibrate the candidates; publish the chosen one if it passes the gate."""
    if if_missing and store.has(f"{MODEL_NAME}:latest"):
        return
    if jobs == 0:
        raise ConfigurationError("--jobs 0: expected -1 for one process per core, or a number of processes.")
    settings = read_settings(TrainingSettings)
    plan = TrainingPlan(
        seed=seed,
        trials=trials,
        timeout=timeout,
        jobs=jobs,
        costs=CostMatrix(loss_given_default=loss_given_default, margin=margin),
        limits=Limits(min_recall=threshold_min_recall, max_approval_rate=threshold_max_approval_rate),
        minimum_auc=settings.minimum_auc if min_auc is None else min_auc,
        minimum_recall=settings.minimum_recall if min_recall is None else min_recall,
    )
    store.check_writable()
    dataset = _load(source, path, mapping, max_bad_share, _catalogue(source, fields))
    _show_data(dataset)
    with engaged(engine, master, spark_log):
        tag = _train_and_publish(dataset, plan)
    console.print("Published. See it with `bentoml models list`; serve it with `make serve`.")
    print(tag)


def _train_and_publish(dataset: Dataset, plan: TrainingPlan) -> str:
    try:
        with _interruptible():
            scorer = _train_with_progress(dataset, plan)
            _show_result(scorer)
            _training().check_gate(scorer.card)
            with stage(console, MEASURING):
                assessment = _report().measured(scorer, dataset)
            _show_warnings(assessment)
            return store.save(scorer, lambda tag, folder: _report().write(tag, scorer, assessment, folder))
    except KeyboardInterrupt:
        console.print("[yellow]Interrupted: nothing was saved.[/]")
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C within is KeyboardInterrupt and nothing else: joblib's threads print no errors of their own."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        threading.excepthook = lambda args: None
        signal.default_int_handler(number, frame)

    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # not where whoever started this process has it ignored
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@app.command()
def evaluate(
    tag: Annotated[str, typer.Argument(help="Model in the store; see `bentoml models list`.")] = f"{MODEL_NAME}:latest",
    source: SourceOption = Source.EMBEDDED,
    path: PathOption = None,
    mapping: MappingOption = None,
    max_bad_share: MaxBadShareOption = datasets.MAX_BAD_SHARE,
    output: Annotated[Path | None, typer.Option(help="Folder to write the report to. [evaluation-VERSION]")] = None,
) -> None:
    """Measure a stored model on data with known outcomes; write an HTML page and JSON.

    On the file that the model was trained on, only the test part is used.
    """
    model = store.find(tag)
    scorer = Scorer.load(Path(model.path))
    dataset = _load(source, path, mapping, max_bad_share, scorer.catalogue)
    _show_data(dataset)
    with stage(console, MEASURING):
        assessment = _report().measured(scorer, dataset)
    folder = output or Path(f"evaluation-{model.tag.version}")
    try:
        page = _report().write(str(model.tag), scorer, assessment, folder)
    except OSError as error:
        raise ConfigurationError(f"--output {folder}: cannot be written ({error.strerror}). Name another.") from error
    _show_metrics(assessment.data, assessment.metrics)
    _show_warnings(assessment)
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


def _catalogue(source: Source, fields: Path | None) -> Catalogue:
    if fields and source in (Source.EMBEDDED, Source.KAGGLE):
        raise ConfigurationError(
            f"--fields {fields}: the source {source.value} has its own fields; use --source csv or decisions."
        )
    return Catalogue.read(fields) if fields else shipped()


def _load(
    source: Source, path: Path | None, mapping: Path | None, max_bad_share: float, catalogue: Catalogue
) -> Dataset:
    if source is Source.DECISIONS:
        return _load_decisions(path, mapping, catalogue)
    if source is Source.CSV and path is None:
        raise ConfigurationError("--source csv needs --path, the CSV file to train on.")
    if source is not Source.CSV and mapping:
        raise ConfigurationError(
            f"--mapping {mapping}: the source {source.value} has its own mapping; use --source csv."
        )
    if source is Source.CSV and path:
        return datasets.load_csv(path, catalogue, mapping, max_bad_share)
    if source is Source.KAGGLE:
        return datasets.load_kaggle(path, max_bad_share)
    if path:
        raise ConfigurationError(f"--path {path}: the embedded source has its own file; use --source csv.")
    return datasets.load_embedded(read_settings(TrainingSettings).data_folder, max_bad_share)


def _load_decisions(path: Path | None, mapping: Path | None, catalogue: Catalogue) -> Dataset:
    if path or mapping:
        raise ConfigurationError(
            "--source decisions takes no file: it reads the database in CREDIT_SCORING_DATABASE_URL."
        )
    with stage(console, "Reading decisions whose outcome is known"):
        return history.load_decisions(open_log(None), Wanted(), catalogue)


def _train_with_progress(dataset: Dataset, plan: TrainingPlan) -> Scorer:
    planned = [Planned(candidate.name, candidate.title, plan.trials_of(candidate)) for candidate in CANDIDATES]
    planned.append(Planned(UNCONSTRAINED, UNCONSTRAINED_TITLE, None))
    with searching(console, planned) as on_trial:
        scorer: Scorer = _training().train(dataset, plan, on_trial)
    return scorer


def _show_data(dataset: Dataset) -> None:
    console.print(
        f"[bold]{dataset.source}[/]: {len(dataset.frame):,} applications, {dataset.defaulted.mean():.1%} defaulted, "
        f"{len(dataset.features)} feature fields, sha256 {dataset.sha256[:12]}…"
    )
    if dataset.note:
        console.print(dataset.note.strip(), style="dim")
    for problem in datasets.summarise(dataset.bad_rows):
        console.print(f"[yellow]left out[/] {problem}")
    if dataset.unused_columns:
        console.print(f"[yellow]not used[/] columns {', '.join(dataset.unused_columns)}")
    if dataset.duplicates:
        console.print(f"[yellow]kept[/] {dataset.duplicates:,} duplicate rows")


def _show_result(scorer: Scorer) -> None:
    card, policy = scorer.card, scorer.policy
    table = Table("candidate", "trials", "AUC, 95 % interval", "behind the best", "recall of defaulters")
    for each in card.candidates:
        name = f"[bold]{each.name}[/]" if each.name == card.chosen else each.name
        recall = f"{each.recall_mean:.3f} ± {each.recall_std:.3f}"
        table.add_row(name, str(each.trials or ""), str(each.repeated_auc), str(each.behind_best), recall)
    console.print(table)
    console.print(
        f"Chosen: {card.chosen}, the cheapest to serve of the candidates that no other beats by more than noise. "
        f"Calibration: {card.calibration}."
    )
    if card.monotone_price:
        console.print(f"The constraints on the direction of risk cost {card.monotone_price} of AUC.")
    console.print(
        f"Threshold {policy.threshold:g}: a default costs {policy.costs.loss_given_default:.0%} of the letter, "
        f"a denied good client {policy.costs.margin:.0%} (break-even {policy.costs.break_even:.2f})."
    )
    _show_metrics(f"the untouched test part, {card.data.rows_test:,} rows", card.test)


def _show_metrics(data: str, metrics: dict[str, Interval]) -> None:
    table = Table(f"on {data}", "95 % interval")
    for metric, interval in metrics.items():
        table.add_row(metric, str(interval))
    console.print(table)


def _show_warnings(assessment: Assessment) -> None:
    for warning in assessment.warnings:
        console.print(f"[yellow]warning:[/] {escape(warning)}")


def main() -> None:
    """Run the command line; a failure is one message and a non-zero exit code."""
    try:
        app()
    except CreditScoringError as error:
        console.print(f"[red]error:[/] {escape(str(error))}", soft_wrap=True, highlight=False, emoji=False)
        sys.exit(1)
