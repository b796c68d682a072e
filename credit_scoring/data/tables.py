"""Files as tables of texts: a header, and rows with their line numbers."""

import csv
import io
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from credit_scoring.data.layout import Layout, certain_decimal, decimals_of, decoded, delimiters_of
from credit_scoring.data.parquet import csv_of_parquet
from credit_scoring.errors import DataError

AS_WRITTEN = {"encoding": "utf-8", "delimiter": ",", "decimal": "."}  # by csv_of_parquet


@dataclass(frozen=True)
class Table:
    """A file as texts. `name` is how errors name it; its `layout` is known but for the decimal sign."""

    name: str
    header: tuple[str, ...]
    layout: Layout
    text: str

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Each row with the number of its last line; raises DataError where the text is no CSV.

        A row with more cells than the header has the others under None, one with fewer has None for the rest.
        """
        reader = csv.DictReader(
            io.StringIO(self.text, newline=""),
            fieldnames=None if self.layout.header else self.header,
            delimiter=self.layout.delimiter,
            strict=True,
        )
        try:
            for row in reader:
                yield reader.line_num, row
        except csv.Error as error:
            raise DataError(f"{self.name}, line {reader.reader.line_num}: not CSV ({error}).") from error

    def decimal(self, columns: Collection[str]) -> str:
        """The decimal sign of the numbers in these columns; raises DataError where it is not certain."""
        if "decimal" in self.layout.model_fields_set:
            return self.layout.decimal
        found = decimals_of((row for _, row in self.rows()), columns)
        if sign := certain_decimal(found):
            return sign
        problem = (
            f"{found[',']:,} numbers have a decimal comma and {found['.']:,} a point"
            if found[","]
            else f"{found['']:,} numbers are like 1.234, which may be a thousand or have three decimals"
        )
        raise _uncertain(self.name, problem, "decimal", (",", "."))


def read_table(content: bytes, suffix: str, name: str, layout: Layout) -> Table:
    """The table in a file's content, Parquet if its name ends in .parquet and CSV else.

    What `layout` does not say is told from the content; raises DataError where that is not certain.
    """
    if suffix.lower() == ".parquet":
        content, layout = csv_of_parquet(content, name), layout.model_copy(update=AS_WRITTEN)
    encoding, text = _decoded(content, name, layout)
    delimiter = layout.delimiter if "delimiter" in layout.model_fields_set else _delimiter(text, name)
    known = layout.model_copy(update={"encoding": encoding, "delimiter": delimiter})
    first = _first_row(text, name, delimiter)
    header = first if layout.header else [str(place) for place, _ in enumerate(first, start=1)]
    return Table(name, tuple(header), known, text)


def _decoded(content: bytes, name: str, layout: Layout) -> tuple[str, str]:
    if "encoding" not in layout.model_fields_set:
        if found := decoded(content):
            return found
        problem = "neither UTF-8 nor plainly Windows-1252. Is it a CSV file? If it is"
        raise _uncertain(name, problem, "encoding", ("windows-1252", "cp850"))
    try:
        return layout.encoding, content.decode(layout.encoding)
    except (UnicodeError, LookupError) as error:
        raise DataError(
            f"{name}: not readable as {layout.encoding} ({type(error).__name__}), which the mapping file names. "
            'Is it a CSV file? Name another, e.g. encoding = "windows-1252", or leave the line out.'
        ) from error


def _delimiter(text: str, name: str) -> str:
    found = delimiters_of(text)
    if len(found) > 1:
        raise _uncertain(name, "more than one character may separate its cells", "delimiter", found)
    return found[0] if found else Layout().delimiter


def _first_row(text: str, name: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise DataError(f"{name}, line 1: not CSV ({error}).") from error


def _uncertain(name: str, problem: str, key: str, values: Sequence[str]) -> DataError:
    lines = " or ".join(f"{key} = {json.dumps(value)}" for value in values)
    return DataError(
        f"{name}: {problem}. Put one of these lines first in the mapping file; a file with this line alone is one, too "
        f"(--mapping): {lines}"
    )
