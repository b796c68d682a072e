"""`credit-scoring score …`: decide a whole file or folder of applications, on this machine or in Spark."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from credit_scoring.cli.compute import ComputeOptions, Engine, batch_module
from credit_scoring.cli.listing import messages
from credit_scoring.cli.options import grouped
from credit_scoring.cli.progress import counting
from credit_scoring.errors import ConfigurationError
from credit_scoring.model import store
from credit_scoring.settings import CHAMPION, PolicySettings, read_settings

if TYPE_CHECKING:
    from credit_scoring.batch.scoring import Scored, ScoringJob

INTERRUPTED = 130

console = messages()


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


@dataclass(frozen=True)
class ScoringOptions(ComputeOptions):
    """Compute."""

    jobs: Annotated[
        int | None, typer.Option(min=1, show_default="one per core", help="Processes of the local engine.")
    ] = None
    partitions: Annotated[
        int | None, typer.Option(min=1, show_default="4 per core", help="Tasks of Spark to split the input into.")
    ] = None

    def engine_for(self, *places: str) -> Engine:
        """The engine that reads and writes these places; raises ConfigurationError where an option is not for it."""
        remote = [place for place in places if re.match(r"\w[\w.+-]+:/", place)]
        chosen = Engine.SPARK if remote and not self.engine else self.chosen
        if remote and chosen is Engine.LOCAL:
            raise ConfigurationError(f"{remote[0]}: the local engine uses paths of this machine; use --engine spark.")
        if chosen is Engine.LOCAL and self.partitions:
            raise ConfigurationError(f"--partitions {self.partitions}: is for --engine spark; use --jobs.")
        if chosen is Engine.LOCAL and self.spark_log:
            raise ConfigurationError(f"--spark-log {self.spark_log}: is for --engine spark.")
        if chosen is Engine.SPARK and self.jobs:
            raise ConfigurationError(f"--jobs {self.jobs}: is for the local engine; use --master local[{self.jobs}].")
        return chosen


@grouped
def score(
    source: Annotated[
        str,
        typer.Argument(metavar="INPUT", help="File, folder or pattern; with Spark also on a cluster's file system."),
    ],
    input_: InputOptions,
    compute: ScoringOptions,
    output: Annotated[str, typer.Option(help="Folder for decisions and rejected rows; replaces an earlier output.")],
    model: Annotated[str, typer.Option(help="Model in the store; see `credit-scoring models list`.")] = CHAMPION,
    policy: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default="CREDIT_SCORING_POLICY_FILE",
            help="Policy as TOML that decides in place of the model's own.",
        ),
    ] = None,
    reasons: Annotated[
        bool, typer.Option("--reasons", help="Give each decision its reasons, too; takes about 30 times as long.")
    ] = False,
) -> None:
    """Decide every application in Parquet or CSV files as the service would; rejected rows are kept apart.

    What decides is the model's policy, or the one that the service is given by CREDIT_SCORING_POLICY_FILE or --policy.

    Writes OUTPUT/decisions and OUTPUT/rejected, both Parquet. A rerun replaces them; a failed run changes nothing.
    """
    engine = compute.engine_for(source, output)
    stored = store.find(model)
    batch = batch_module("scoring", "batch" if engine is Engine.LOCAL else "spark")
    kind = input_.format and input_.format.value
    files = batch.InputFiles(source, kind, input_.mapping, input_.id_column, compute.partitions)
    chosen = policy or read_settings(PolicySettings).policy_file
    job = batch.ScoringJob(files, output, str(stored.tag), Path(stored.path), reasons, chosen)
    with _interruptible():
        scored = _locally(job, compute) if engine is Engine.LOCAL else _in_spark(job, compute)
    _show(scored, chosen)
    print(scored.output)


def _locally(job: "ScoringJob", compute: ScoringOptions) -> "Scored":
    with counting(console, "Scored") as on_progress:
        scored: Scored = batch_module("local", "batch").score(job, on_progress, compute.jobs)
    return scored


def _in_spark(job: "ScoringJob", compute: ScoringOptions) -> "Scored":
    batch = batch_module("job", "spark")
    with console.status("Starting Spark …") as status, compute.spark_session() as session:
        status.stop()
        with counting(console, "Scored") as on_progress:
            scored: Scored = batch.score(session, job, on_progress)
            on_progress(1, 1)
    return scored


@contextmanager
def _interruptible() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        console.print("[yellow]Interrupted: nothing was written.[/]")
        raise typer.Exit(INTERRUPTED) from None


def _show(scored: "Scored", policy: Path | None) -> None:
    manifest = scored.manifest
    if policy:
        console.print(f"Policy {escape(str(policy))} ({manifest.policy_version}) decided, not the model's own.")
    console.print(
        f"[bold]{manifest.rows:,}[/] rows: {manifest.decided:,} decided by {manifest.model}, "
        f"{manifest.rejected:,} rejected."
    )
    for reason, rows in scored.reasons:
        console.print(f"[yellow]rejected[/] {escape(reason)} ({rows:,} rows)")
