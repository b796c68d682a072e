"""What `credit-scoring data` shows of a data set besides its size: fields, months, bad rows."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from credit_scoring.cli.listing import Listing
from credit_scoring.data import overview
from credit_scoring.data.datasets import BadRow, Dataset
from credit_scoring.data.overview import Part
from credit_scoring.errors import ConfigurationError


def show_overview(dataset: Dataset) -> None:
    """How the file was read, a table of the fields, and one of the months where days are known."""
    console = Console()
    if dataset.written:
        console.print(f"read as {dataset.written}", markup=False, highlight=False)
    rates = "default rate by value"
    fields = Listing("field", "missing", rates, text=rates, right=("missing",))
    for field in overview.fields(dataset):
        fields.add(field.name, f"{field.missing_share:.1%}", escape(_told(field.parts)))
    fields.show(console)
    if months := list(overview.months(dataset)):
        console.print()
        by_month = Listing("month", "rows", "default rate", right=("rows", "default rate"))
        for month in months:
            by_month.add(month.label, f"{month.rows:,}", f"{month.default_rate:.1%}")
        by_month.show(console)


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
