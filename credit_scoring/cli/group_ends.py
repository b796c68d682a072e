"""`credit-scoring decisions group-ends`: when the consórcio groups of decisions end, from a file of the lender."""

import csv
from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from credit_scoring.cli.decisions import DatabaseOption, console, open_log
from credit_scoring.cli.erasure import decisions
from credit_scoring.decisions.group_ends import Report, Taken, record
from credit_scoring.decisions.head_checks import portions
from credit_scoring.errors import ConfigurationError
from credit_scoring.model.champion import operating_user

__all__ = ["decisions"]

APPLICATION, DECISION, END = "application_id", "decision_id", "group_end"
YEARS = range(1962, 2200)  # since there are groups, and as long as one may last
MOST_LINES_NAMED = 10


@decisions.command("group-ends")
def report_group_ends(
    file: Annotated[Path, typer.Argument(help=f"CSV with the columns {APPLICATION} (or {DECISION}) and {END}.")],
    owner: Annotated[
        str | None, typer.Option(show_default="the only one", help="Owner of the key that sent them; '' for none.")
    ] = None,
    by: Annotated[str | None, typer.Option(show_default="your user name", help="Who reports it.")] = None,
    database: DatabaseOption = None,
) -> None:
    """Report when the consórcio groups of decisions end (days such as 2031-05-31), so that `purge` keeps what it must.

    Report an end that has changed once more: the last report counts, and all of them stay on record.
    """
    column, reports = _read(file)
    opened = open_log(database)
    work = partial(record, by_application=column == APPLICATION, owner=owner, by=by or operating_user())
    _tell([opened.run_now(partial(work, some)) for some in portions(reports)], column)


def _read(file: Path) -> tuple[str, list[Report]]:
    """The column that names decisions, and every line; raises ConfigurationError before anything is kept."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            rows = csv.DictReader(opened)
            header = rows.fieldnames or ()
            named = [name for name in (APPLICATION, DECISION) if name in header]
            if len(named) != 1 or END not in header:
                raise ConfigurationError(  # names no cell: where the names are missing, it is of an applicant
                    f"{file}: its first line has {len(header)} names of columns, expected {APPLICATION} or {DECISION}, "
                    f"one of the two, and {END} among them."
                )
            return named[0], list(_reports(file, rows, named[0]))
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read ({error.strerror}).") from error
    except (UnicodeDecodeError, csv.Error):
        raise ConfigurationError(f"{file}: is no CSV in UTF-8.") from None


def _reports(file: Path, rows: "csv.DictReader[str]", column: str) -> Iterator[Report]:
    for row in rows:
        id, day = (row[column] or "").strip(), (row[END] or "").strip()
        try:
            ends_on = date.fromisoformat(day)
        except ValueError:
            ends_on = None
        if ends_on is None or ends_on.year not in YEARS:
            expected = f"expected a day such as 2031-05-31, from {YEARS[0]} to {YEARS[-1]}"
            message = f"{file}, line {rows.line_num}: {END} has {len(day)} characters, {expected}."
            raise ConfigurationError(f"{message} Nothing was recorded.")
        yield Report(rows.line_num, id, ends_on)


def _tell(taken: Sequence[Taken], column: str) -> None:
    print(f"{sum(each.recorded for each in taken):,} recorded, {sum(each.known for each in taken):,} known before.")
    for lines, what in (
        ([line for each in taken for line in each.unknown], f"name no {column} on record"),
        ([line for each in taken for line in each.ambiguous], "name one that several owners have sent: use --owner"),
    ):
        if lines:
            first = ", ".join(map(str, lines[:MOST_LINES_NAMED]))
            more = ", …" if len(lines) > MOST_LINES_NAMED else ""
            console.print(f"{len(lines):,} lines {what}, such as line {first}{more}.", soft_wrap=True)
