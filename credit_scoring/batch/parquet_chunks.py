"""Parquet files in chunks."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.batch.arrow import ID, TypedSource, column_kind
from credit_scoring.batch.chunks import Chunk, uri_of
from credit_scoring.data.mapping import repeated_names
from credit_scoring.errors import DataError

CHUNK_ROWS = 50_000
READ_BYTES = 1024 * 1024  # of a column at a time, so that a row group may be larger than the memory

_TYPES = {"number": pyarrow.float64(), "flag": pyarrow.bool_(), "text": pyarrow.string()}


@dataclass(frozen=True)
class ParquetForm:
    """Parquet files with these columns; `types` holds the Arrow type that each field's column becomes."""

    source: TypedSource
    header: tuple[str, ...]
    types: tuple[pyarrow.DataType, ...]

    @classmethod
    def of(cls, path: Path, catalogue: Catalogue, id_column: str | None) -> "ParquetForm":
        """The form of this file; raises DataError where it cannot be read."""
        with _opened(path) as file:
            kinds = _kinds(file, path, catalogue)
            source = TypedSource.of(kinds, catalogue, id_column)
            header = tuple(id_column or ID if name == ID else name for name in source.fields)
            if ID in source.fields and not _may_be_id(file, header[0]):
                kind = file.schema_arrow.field(header[0]).type
                raise DataError(f"Column {header[0]} holds values of kind {kind}, expected text or whole numbers.")
        return cls(source, header, tuple(_TYPES[column_kind(catalogue.all_fields[name])] for name in source.fields))

    def chunks(self, path: Path, done: int, finer: int = 1) -> Iterator[Chunk]:
        """The rows of a file."""
        row, size = 1, path.stat().st_size
        with _opened(path) as file:
            for batch in file.iter_batches(max(1, CHUNK_ROWS // finer), columns=[*self.header], use_threads=False):
                read = row - 1 + batch.num_rows
                progress = done + size * read // file.metadata.num_rows
                yield Chunk(uri_of(path), row, batch.num_rows, batch, progress)
                row += batch.num_rows

    def fitted(self, files: Iterable[Path]) -> "ParquetForm":
        """The form itself: its files are typed."""
        return self

    def batch(self, content: Any) -> Any:
        """The columns as fields, in the types of their kinds."""
        arrays = [_cast(content.column(name), type_) for name, type_ in zip(self.header, self.types, strict=True)]
        return pyarrow.RecordBatch.from_arrays(arrays, [*self.source.fields])


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with pyarrow.parquet.ParquetFile(path, buffer_size=READ_BYTES) as file:
            yield file
    except (pyarrow.ArrowException, OSError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise DataError(f"Input {path}: not readable as Parquet ({why}).") from error


def _kinds(file: Any, path: Path, catalogue: Catalogue) -> dict[str, str]:
    """The kind of each column; one whose type is of another kind than its field, but without a value, is nothing."""
    schema = file.schema_arrow
    if problem := repeated_names(schema.names):
        raise DataError(f"Input {path}: {problem}")
    kinds = {name: _kind(type_) for name, type_ in zip(schema.names, schema.types, strict=True)}
    for name, field in catalogue.all_fields.items():
        numeric = kinds.get(name) == "number" and column_kind(field) != "number"  # as pandas writes a column of None
        if numeric and _is_empty(file, name):
            kinds[name] = "nothing"
    return kinds


def _kind(type_: Any) -> str:
    if pyarrow.types.is_dictionary(type_):
        return _kind(type_.value_type)
    if pyarrow.types.is_integer(type_) or pyarrow.types.is_floating(type_) or pyarrow.types.is_decimal(type_):
        return "number"
    if pyarrow.types.is_boolean(type_):
        return "flag"
    if pyarrow.types.is_null(type_):
        return "nothing"
    texts = (pyarrow.types.is_string, pyarrow.types.is_large_string, pyarrow.types.is_string_view)
    return "text" if any(is_text(type_) for is_text in texts) else str(type_)


def _is_empty(file: Any, name: str) -> bool:
    return all(batch.column(0).null_count == batch.num_rows for batch in file.iter_batches(columns=[name]))


def _may_be_id(file: Any, name: str) -> bool:
    type_ = file.schema_arrow.field(name).type
    return _kind(type_) in ("text", "nothing") or pyarrow.types.is_integer(type_) or _is_empty(file, name)


def _cast(array: Any, type_: Any) -> Any:
    if pyarrow.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pyarrow.types.is_decimal(array.type):
        array = array.cast(pyarrow.string())  # read as text, a decimal becomes the nearest float
    return array.cast(type_, safe=False)
