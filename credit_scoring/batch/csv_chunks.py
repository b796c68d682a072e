"""CSV files in chunks: cut where a record ends for training's reader, and parsed by Arrow, which reads the same."""

import bz2
import csv
import gzip
import io
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import IO, Any, TextIO

import numpy as np
import pyarrow
from pyarrow.csv import ConvertOptions, ParseOptions, ReadOptions, read_csv

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.batch.arrow import MISSHAPEN, TextSource
from credit_scoring.batch.chunks import Chunk, uri_of
from credit_scoring.batch.decimals import SAMPLE_BYTES, with_decimal
from credit_scoring.data.mapping import ColumnMapping
from credit_scoring.errors import ConfigurationError, DataError

CHUNK_CHARACTERS = 8 * 1024 * 1024

_UNPACKED: dict[str, Callable[[Any], Any]] = {".gz": lambda file: gzip.GzipFile(fileobj=file), ".bz2": bz2.BZ2File}


@dataclass(frozen=True)
class CsvForm:
    """CSV files with this header, read by the mapping of their source."""

    source: TextSource
    header: tuple[str, ...]

    @classmethod
    def of(cls, path: Path, catalogue: Catalogue, mapping: ColumnMapping | None, id_column: str | None) -> "CsvForm":
        """The form of this file; raises DataError or ConfigurationError where it cannot be read."""
        layout = mapping or ColumnMapping.of_own_names((), catalogue)
        if not layout.delimiter.isascii():
            raise ConfigurationError(f"Mapping file: delimiter '{layout.delimiter}': expected one of ASCII, as ; is.")
        with _opened(path, layout.encoding) as (_, text):
            header = layout.names_in(_header(text, path, layout.delimiter)[0])
        return cls(TextSource.of(header, catalogue, mapping, id_column), tuple(header))

    def chunks(self, path: Path, done: int, finer: int = 1) -> Iterator[Chunk]:
        """The rows of a file; blank lines are none."""
        mapping, row = self.source.mapping, 1
        with _opened(path, mapping.encoding) as (file, text):
            line = _header(text, path, mapping.delimiter)[1] if mapping.header else 0
            while lines := text.readlines(max(1, CHUNK_CHARACTERS // finer)):
                whole, rows = _whole(lines, text, path, line, mapping.delimiter)
                yield Chunk(uri_of(path), row, rows, "".join(whole), done + file.tell())
                row += rows
                line += len(whole)

    def fitted(self, files: Iterable[Path]) -> "CsvForm":
        """The form with the decimal sign of these files; raises DataError where it is not certain."""
        beginnings = ((str(path), _beginning(path, self.source.mapping.encoding)) for path in files)
        return replace(self, source=with_decimal(self.source, self.header, beginnings))

    def batch(self, content: str) -> Any:
        """The cells of the source's columns; a row with too many or too few has those that it has."""
        misshapen: dict[int, str] = {}

        def skip(row: Any) -> str:
            misshapen[row.number - 1] = row.text
            return "skip"

        data, columns = content.encode(), list(self.source.columns)
        table = read_csv(
            pyarrow.BufferReader(data),
            ReadOptions(column_names=self.header, use_threads=False, block_size=len(data) + 1),
            ParseOptions(delimiter=self.source.mapping.delimiter, newlines_in_values=True, invalid_row_handler=skip),
            ConvertOptions(column_types=dict.fromkeys(columns, pyarrow.string()), include_columns=columns),
        )
        rest = self._table_of(misshapen.values(), table.schema)
        odd = np.zeros(len(table) + len(rest), dtype=np.bool_)
        odd[[*misshapen]] = True
        order = np.argsort(np.concatenate([np.flatnonzero(~odd), np.flatnonzero(odd)]))
        whole = pyarrow.concat_tables([table, rest]).take(order) if misshapen else table
        arrays = [column.combine_chunks() for column in whole.columns]
        return pyarrow.RecordBatch.from_arrays([*arrays, pyarrow.array(odd)], [*columns, MISSHAPEN])

    def _table_of(self, texts: Collection[str], schema: pyarrow.Schema) -> Any:
        """Rows with too many or too few cells."""
        rows = csv.reader(texts, delimiter=self.source.mapping.delimiter)
        cells = [dict(zip(self.header, row, strict=False)) for row in rows]
        return pyarrow.table({name: [each.get(name) for each in cells] for name in schema.names}, schema)


def _whole(lines: list[str], more: TextIO, path: Path, line: int, delimiter: str) -> tuple[list[str], int]:
    """The lines, and those that their last record goes on in; the number of records in them.

    `line` lines of the file come before. Only where there are quotes, a record may have several lines.
    """
    if not any('"' in each for each in lines):
        return lines, len(lines) - sum(map(lines.count, ("\n", "\r\n", "\r")))
    read: list[str] = []

    def feed() -> Iterator[str]:
        for each in chain(lines, more):
            read.append(each)
            yield each

    reader, records = csv.reader(feed(), delimiter=delimiter, strict=True), 0
    try:
        while len(read) < len(lines):
            records += bool(next(reader, None))
    except csv.Error as error:
        raise DataError(f"Input {path}, line {line + reader.line_num}: not CSV ({error}).") from error
    return read, records


def _header(text: TextIO, path: Path, delimiter: str) -> tuple[list[str], int]:
    """The names, and the lines that they take."""
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    try:
        return next(reader, []), reader.line_num
    except csv.Error as error:
        raise DataError(f"Input {path}, line 1: not CSV ({error}).") from error


def _beginning(path: Path, encoding: str) -> bytes:
    with _opened(path, encoding) as (_, text):
        return text.buffer.read(SAMPLE_BYTES)


@contextmanager
def _opened(path: Path, encoding: str) -> Iterator[tuple[IO[bytes], TextIO]]:
    """The file, and its text, unpacked and decoded; raises DataError where it cannot be read."""
    try:
        with path.open("rb") as file:
            unpack = _UNPACKED.get(path.suffix)
            with io.TextIOWrapper(unpack(file) if unpack else file, encoding, newline="") as text:
                yield file, text
    except (UnicodeError, LookupError) as error:
        raise DataError(
            f"Input {path}: not readable as {encoding} ({type(error).__name__}). "
            'Is it a CSV file? Another encoding can be named in the mapping file, e.g. encoding = "latin-1".'
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise DataError(f"Input {path}: cannot be read ({why}).") from error
