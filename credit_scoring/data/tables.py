"""Files as tables of texts: a header, and rows with their line numbers."""

import csv
import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from credit_scoring.data.excel import csv_of_excel
from credit_scoring.data.layout import Layout, decimal_among, decimals_of, decoded, delimiters_of, uncertain
from credit_scoring.data.parquet import csv_of_parquet
from credit_scoring.errors import DataError

MOST_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class Table:
    """A file as texts. `name` is how errors name it; its `layout` is known but for the decimal sign.

    `texts`: the columns of a file with types that are texts there.
    """

    name: str
    header: tuple[str, ...]
    layout: Layout
    text: str
    delimiter: str
    texts: frozenset[str] = frozenset()

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Each row with the number of its last line; raises DataError where the text is no CSV.

        A row with more cells than the header has the others under None, one with fewer has None for the rest.
        """
        reader = csv.DictReader(
            io.StringIO(self.text, newline=""),
            fieldnames=None if self.layout.header else self.header,
            delimiter=self.delimiter,
            strict=True,
        )
        try:
            for row in reader:
                yield reader.line_num, row
        except csv.Error as error:
            raise DataError(f"{self.name}, line {reader.reader.line_num}: not CSV ({error}).") from error

    def decimal(self, columns: Collection[str]) -> str:
        """The decimal sign of the numbers in these columns; raises DataError where it is not certain."""
        if texts := sorted(self.texts.intersection(columns)):
            found = decimals_of((row for _, row in self.rows()), texts)
            if found[","] or found[""]:
                raise DataError(
                    f"{self.name}: numbers as texts, like 1.234 or 1,5, in {', '.join(texts)}. Store them as numbers, "
                    "for what they mean is not certain, or write the table as CSV."
                )
        return decimal_among((row for _, row in self.rows()), columns, self.name, self.layout)


def read_content(path: Path, name: str, advice: str = "") -> bytes:
    """The content of a file; raises DataError where it cannot be read, or would not fit into memory as a table."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{name}: larger than {MOST_BYTES:,} bytes. Take a sample of its rows.")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{name}: cannot be read ({error.strerror}).{advice}") from error


def read_table(content: bytes, suffix: str, name: str, layout: Layout) -> Table:
    """The table in a file's content: Parquet or Excel by the suffix of the file's name, CSV else.

    What `layout` does not say is told from the content; raises DataError where that is not certain.
    """
    if suffix.lower() == ".parquet":
        text, texts = csv_of_parquet(content, name)
        return replace(_table(name, layout.model_copy(update={"decimal": "."}), text, ","), texts=texts)
    if suffix.lower() == ".xlsx":
        text, decimal = csv_of_excel(content, name, layout)
        return _table(name, layout.model_copy(update={"decimal": decimal}), text, ",")
    if suffix.lower() in (".xls", ".xlsb", ".xlsm", ".ods"):
        raise DataError(f"{name}: a {suffix} file; expected .xlsx, .parquet or CSV. Save it as one of them.")
    encoding, text = _decoded(content, name, layout)
    delimiter = layout.delimiter if "delimiter" in layout.model_fields_set else _delimiter(text, name)
    return _table(name, layout.model_copy(update={"encoding": encoding, "delimiter": delimiter}), text, delimiter)


def _table(name: str, layout: Layout, text: str, delimiter: str) -> Table:
    try:
        first = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise DataError(f"{name}, line 1: not CSV ({error}).") from error
    return Table(name, tuple(layout.names_in(first)), layout, text, delimiter)


def _decoded(content: bytes, name: str, layout: Layout) -> tuple[str, str]:
    if "encoding" not in layout.model_fields_set:
        if found := decoded(content):
            return found
        problem = "neither UTF-8 nor plainly Windows-1252. Is it a CSV file? If it is"
        raise uncertain(name, problem, "encoding", ("windows-1252", "cp850"))
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
        raise uncertain(name, "more than one character may separate its cells", "delimiter", found)
    return found[0] if found else Layout().delimiter
