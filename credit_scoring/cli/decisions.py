"""`credit-scoring decisions …`: read, export, replay, purge and migrate the decision log."""

import csv
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Annotated

import typer
from pydantic_core import to_json
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from sqlalchemy import Connection

from credit_scoring.application.schemas import Answer
from credit_scoring.cli.listing import Listing, messages
from credit_scoring.decisions import dossiers, moments, queries, retention, schema_version
from credit_scoring.decisions import export as exporting
from credit_scoring.decisions.connect import default_address, open_database
from credit_scoring.decisions.database import Database
from credit_scoring.decisions.erased import is_erased
from credit_scoring.decisions.grants import PURGING_MAY, SERVICE_MAY, Grant, grant
from credit_scoring.decisions.queries import Wanted
from credit_scoring.decisions.replay import Finding, Replayed, Summary, replay
from credit_scoring.errors import ConfigurationError, CreditScoringError, DecisionLogError
from credit_scoring.model import store
from credit_scoring.model.scorer import Scorer
from credit_scoring.settings import DatabaseSettings, read_settings

TIMEOUT_S = 600.0  # longer than the service's: a person can wait
DAYS = re.compile(r"[0-9]{1,5}")

NOTHING = "No decision is on record."

console = messages()
app = typer.Typer(no_args_is_help=True, help="Read, verify, export, replay and purge the decision log.")


def moment(text: str | None) -> datetime | None:
    """Parse a day or a time; UTC unless it names a zone."""
    try:
        return None if text is None else moments.moment(text)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


DatabaseOption = Annotated[
    str | None,
    typer.Option(
        envvar="CREDIT_SCORING_DATABASE_URL", show_default="SQLite in BENTOML_HOME", help="URL of the decision log."
    ),
]
SinceOption = Annotated[str | None, typer.Option(help="Only decisions from this day or time on, UTC.")]
UntilOption = Annotated[str | None, typer.Option(help="Only decisions before this day or time, UTC.")]


def _own_tag(given: str | None) -> str | None:
    """Decisions are stored under a model's own tag; the tag itself need not be in the store."""
    return str(store.find(given).tag) if given in store.ALIASES else given


ModelOption = Annotated[
    str | None, typer.Option(callback=_own_tag, help="Only decisions of the model with this tag, or of the `champion`.")
]


def open_log(address: str | None, *, make: bool = False) -> Database:
    """The decision log at this address, with its tables in the version of this code; raises DecisionLogError.

    A named file that does not exist is an error (probably a typo) unless `make` is set; the default one in BentoML's
    home is always made.
    """
    database = _database(address)
    if _named(address) and not make and not database.exists():
        raise DecisionLogError(
            f"There is no decision log at {database}. Check the address; the service makes the log when it starts."
        )
    database.run_now(schema_version.ensure)
    return database


def _database(address: str | None) -> Database:
    return open_database(_named(address) or default_address(), timeout=TIMEOUT_S)


def _named(address: str | None) -> str | None:
    return address or read_settings(DatabaseSettings).database_url


@app.command("list")
def list_decisions(
    database: DatabaseOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    model: ModelOption = None,
    policy: Annotated[str | None, typer.Option(help="Only decisions of the policy with this version.")] = None,
    application_id: Annotated[str | None, typer.Option(help="Only the decisions on this application.")] = None,
    decision: Annotated[Answer | None, typer.Option(help="Only this answer, whatever counts now.")] = None,
    rule: Annotated[str | None, typer.Option(help="Only decisions where this rule did not pass.")] = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only decisions that people have to look at.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Largest number of decisions to show, newest first.")] = 20,
) -> None:
    """Show the newest decisions, what counts of them now, and their outcomes."""
    wanted = Wanted(moment(since), moment(until), model, policy, application_id, decision, rule, waiting)
    found = open_log(database).run_now(partial(queries.latest, wanted, limit), reading=True)
    if not found:
        print(NOTHING)
        return
    about = ("decision id", "at (UTC)", "in Brasília", "application id", "replaces", "replaced by")
    listing = Listing(*about, "decision", "counts now", "risk", "outcome", "model")
    for record in found:
        listing.add(
            record["id"],
            f"{record['decided_at']:%Y-%m-%d %H:%M:%S}",
            moments.local(record["decided_at"]),
            "(erased)" if is_erased(record["received"]) else escape(record["application_id"] or ""),
            escape(record["replaces"] or ""),
            escape("\n".join(later.application_id or later.decision_id for later in record["replaced_by"])),
            record["decision"],
            f"{record['effective_decision']}{' (waiting)' if record['waiting'] else ''}",
            f"{record['risk_probability']:.4f}",
            record["outcome"] or "",
            record["model"],
        )
    listing.show(Console())


@app.command()
def show(
    decision_id: Annotated[str, typer.Argument(help="The `decision_id` of the answer.")],
    database: DatabaseOption = None,
) -> None:
    """Print the dossier of a decision as JSON: its application, outcomes and reviews."""
    found = open_log(database).run_now(partial(dossiers.find, decision_id), reading=True)
    print(to_json(found, indent=2).decode())


@app.command()
def export(
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write; .csv or .parquet.")],
    database: DatabaseOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    model: ModelOption = None,
) -> None:
    """Write decisions to a file, one row each: decision, application as received, what counts now, last outcome."""
    exporting.check_name(output)
    wanted = Wanted(moment(since), moment(until), model)
    opened = open_log(database)
    total = opened.run_now(partial(queries.count, wanted), reading=True)
    fields: dict[str, str] = {}
    erased = 0
    with progress_bar("Looking at fields", total) as advance:
        for chunk in queries.chunks(opened, wanted, queries.WHAT_WAS_SAID):
            fields = exporting.kinds_of(chunk, fields)
            erased += sum(is_erased(record["received"]) for record in chunk)
            advance(len(chunk))
    with exporting.sink(output, fields) as sink, progress_bar("Exporting", total) as advance:
        for chunk in queries.chunks(opened, wanted, queries.WHAT_WAS_SAID):
            sink.write([queries.flat(record, fields) for record in chunk])
            advance(len(chunk))
    console.print(f"{total:,} decisions.{f' The data of {erased:,} of them were erased.' if erased else ''}")
    print(output)


@app.command("replay")
def replay_decisions(
    database: DatabaseOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    model: ModelOption = None,
    by: Annotated[
        str | None, typer.Option(show_default="the model of each decision", help="Tag of the model to score with.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV file to write, with one line per decision.")
    ] = None,
) -> None:
    """Score stored decisions again and count: same, model changed, policy changed, environment changed.

    Exit code 1 if the same model no longer gives the same risk.
    """
    wanted = Wanted(moment(since), moment(until), model)
    opened = open_log(database)
    total = opened.run_now(partial(queries.count, wanted), reading=True)
    if by:
        by = str(store.find(by).tag)  # resolves an alias such as `latest`
    summary = Summary()
    with _replay_file(output) as write, progress_bar("Replaying", total) as advance:
        for chunk in queries.chunks(opened, wanted):
            replayed = list(replay(chunk, _scorer, by))
            summary.add(replayed)
            write(replayed)
            advance(len(chunk))
    if not summary.findings:
        print(NOTHING)
        return
    listing = Listing("finding", "decisions", "decision changed", right=("decisions", "decision changed"))
    for finding, count in summary.findings.most_common():
        listing.add(finding.value, f"{count:,}", f"{summary.reversed[finding]:,}")
    listing.show(Console())
    if summary.findings[Finding.ENVIRONMENT]:
        raise typer.Exit(1)


@cache
def _scorer(tag: str) -> Scorer:
    return Scorer.load(Path(store.find(tag).path))


@contextmanager
def _replay_file(path: Path | None) -> Iterator[Callable[[list[Replayed]], object]]:
    if path is None:
        yield lambda replayed: None
        return
    with exporting.whole(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(Replayed._fields)
        yield writer.writerows


@app.command()
def purge(
    older_than: Annotated[str, typer.Option(help="Age in days, like 1825, or a day, like 2021-11-24.")],
    database: DatabaseOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
) -> None:
    """Delete older decisions with their outcomes and reviews; the chains stay verifiable.

    What `decisions group-ends` says must be kept stays, and the decisions of the same blocks with it.

    It deletes in small transactions, so the service can keep running; after an interruption run it again.
    """
    before = _cut(older_than)
    opened = open_log(database)
    count = opened.run_now(partial(retention.count_before, before), reading=True)
    kept = opened.run_now(partial(retention.kept_before, before), reading=True)
    _tell_kept(kept)
    if not count:
        which = " that may be deleted" if kept.by_law else ""
        console.print(f"No decision{which} is older than {before:%Y-%m-%d %H:%M} UTC.")
        return
    if not yes and not _confirmed(count, before):
        console.print("Nothing was deleted.")
        return
    with progress_bar("Purging", count) as advance:
        gone = retention.purge_before(before, opened, on_purged=advance)
    told = f"{gone:,} decisions from before {before:%Y-%m-%d %H:%M} UTC were deleted; the purge is on record."
    console.print(told, soft_wrap=True)


def _tell_kept(kept: retention.Kept) -> None:
    if kept.by_law:
        console.print(
            f"{kept.by_law:,} older decisions are kept, with {kept.with_their_blocks - kept.by_law:,} more in the same "
            f"blocks, until {kept.until} at the latest: five years after the end of their groups.",
            soft_wrap=True,
        )


def _cut(older_than: str) -> datetime:
    """The time before which decisions are purged; 20211124 is a day, not an age."""
    now = datetime.now(UTC)
    found = now - timedelta(days=int(older_than)) if DAYS.fullmatch(older_than) else moment(older_than)
    if found is None or found > now:
        raise ConfigurationError(f"--older-than {older_than}: lies in the future.")
    return found


def _confirmed(count: int, before: datetime) -> bool:
    if not sys.stdin.isatty():
        raise ConfigurationError("Standard input is no terminal, so nobody can confirm: use --yes to delete.")
    return typer.confirm(f"Delete {count:,} decisions from before {before:%Y-%m-%d %H:%M} UTC for good?")


@app.command()
def migrate(
    database: DatabaseOption = None,
    grant_to: Annotated[
        str | None, typer.Option(help="PostgreSQL role of the service; it may select, and insert (except purges).")
    ] = None,
    grant_purge_to: Annotated[
        str | None,
        typer.Option(help="PostgreSQL role that purges, erases and reports ends of groups; it may select and delete."),
    ] = None,
) -> None:
    """Create or upgrade the tables of the decision log; run it as the owner of the database."""
    opened = _database(database)
    grants = (("--grant-to", grant_to, SERVICE_MAY), ("--grant-purge-to", grant_purge_to, PURGING_MAY))
    wanted = [Grant(option, role, rights) for option, role, rights in grants if role is not None]
    opened.run_now(partial(_migrate, wanted))
    console.print(f"The tables in {opened} are up to date.")


def _migrate(grants: Sequence[Grant], connection: Connection) -> None:
    schema_version.upgrade(connection)
    for each in grants:
        grant(each, connection)


class Advance:
    """Moves a progress bar."""

    def __init__(self, progress: Progress, title: str, total: int | None) -> None:
        self._progress, self._task = progress, progress.add_task(title, total=total)

    def __call__(self, count: int) -> None:
        """Advance by this many."""
        self._progress.advance(self._task, count)

    def to(self, done: int, total: int) -> None:
        """Show `done` of `total`."""
        self._progress.update(self._task, completed=done, total=total)


@contextmanager
def progress_bar(title: str, total: int | None) -> Iterator[Advance]:
    """A progress bar on standard error; yields the callback that moves it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
            yield Advance(progress, title, total)
    except KeyboardInterrupt:
        raise CreditScoringError("Interrupted.") from None
