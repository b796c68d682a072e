"""What `credit-scoring data` shows of a data set besides its size: fields, months, bad rows."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from credit_scoring.data import overview
from credit_scoring.data.datasets import BadRow, Dataset
from credit_scoring.data.overview import Part
from credit_scoring.errors import ConfigurationError

WIDTH_OFF_A_TERMINAL = 160


def show_overview(dataset: Dataset) -> None:
    """How the file was read, a table of the fields, and one of the months where days are known."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH_OFF_A_TERMINAL)
    if dataset.written:
        console.print(f"read as {dataset.written}", markup=False, highlight=False)
    table = Table("field", "missing", "default rate by value")
    for field in overview.fields(dataset):
        table.add_row(field.name, f"{field.missing_share:.1%}", _told(field.parts))
    console.print(table)
    if months := list(overview.months(dataset)):
        by_month = Table("month", "rows", "default rate")
        for month in months:
            by_month.add_row(month.label, f"{month.rows:,}", f"{month.default_rate:.1%}")
        console.print(by_month)


def write_bad_rows(bad_rows: Sequence[BadRow], path: Path) -> None:
    """These rows as CSV; raises ConfigurationError where it cannot be written."""
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("line", "column", "problem"))
            writer.writerows((bad.line, bad.column, bad.problem) for bad in bad_rows)
    except OSError as error:
        raise ConfigurationError(f"--bad-rows {path}: cannot be written ({error.strerror}). Name another.") from error


def _told(parts: Iterable[Part]) -> str:
    return ", ".join(f"{part.label} {part.default_rate:.1%}" for part in parts)
