"""`credit-scoring score …`: decide a whole file or folder of applications in Spark."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from credit_scoring.cli.compute import SparkOptions, spark
from credit_scoring.cli.options import grouped
from credit_scoring.model import store
from credit_scoring.settings import MODEL_NAME

if TYPE_CHECKING:
    from credit_scoring.batch.job import Scored, ScoringJob

console = Console(stderr=True)


class Format(StrEnum):
    """Kinds of files that can be decided on."""

    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True)
class InputOptions:
    """Input."""

    format: Annotated[Format | None, typer.Option(help="Format of the input, if the file names do not show it.")] = None
    mapping: Annotated[
        Path | None,
        typer.Option(help="TOML file that maps the columns, values and units of your CSV file; see docs/data.md."),
    ] = None
    id_column: Annotated[
        str | None, typer.Option(show_default="application_id", help="Column with your id for each row.")
    ] = None
    partitions: Annotated[
        int | None, typer.Option(min=1, show_default="4 per core", help="Number of tasks to split the input into.")
    ] = None


@grouped
def score(
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="File, folder or pattern, local or on the cluster's file system.")
    ],
    input_: InputOptions,
    compute: SparkOptions,
    output: Annotated[str, typer.Option(help="Folder for decisions and rejected rows; replaces an earlier output.")],
    model: Annotated[str, typer.Option(help="Model in the store; see `bentoml models list`.")] = f"{MODEL_NAME}:latest",
) -> None:
    """Decide every application in Parquet or CSV files as the service would; rejected rows are kept apart.

    Writes OUTPUT/decisions and OUTPUT/rejected, both Parquet. A rerun replaces them; a failed run changes nothing.
    """
    stored = store.find(model)
    batch = spark()
    kind = input_.format and input_.format.value
    files = batch.InputFiles(source, kind, input_.mapping, input_.id_column, input_.partitions)
    job = batch.ScoringJob(files, output, str(stored.tag), Path(stored.path))
    with (
        console.status("Starting Spark …") as status,
        batch.spark_session(compute.master, compute.spark_log) as session,
    ):
        status.stop()
        scored = _score_with_progress(batch, session, job)
    manifest = scored.manifest
    console.print(
        f"[bold]{manifest.rows:,}[/] rows: {manifest.decided:,} decided by {manifest.model}, "
        f"{manifest.rejected:,} rejected."
    )
    for reason, rows in scored.reasons:
        console.print(f"[yellow]rejected[/] {escape(reason)} ({rows:,} rows)")
    print(scored.output)


def _score_with_progress(batch: ModuleType, session: Any, job: "ScoringJob") -> "Scored":
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    progress = Progress(*columns, console=console)
    task = progress.add_task("Tasks done")

    def on_progress(done: int, tasks: int) -> None:
        progress.start()  # not earlier: unusable input is an error without a progress bar
        progress.update(task, completed=done, total=tasks)

    try:
        scored: Scored = batch.score(session, job, on_progress)
        progress.update(task, completed=progress.tasks[task].total)
        return scored
    finally:
        if progress.live.is_started:
            progress.stop()
