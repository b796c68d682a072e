"""Decisions as a file: CSV, or Parquet where pyarrow is installed; complete or not there at all."""

import csv
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from credit_scoring.application.schemas import FIELDS
from credit_scoring.decisions.queries import APPLICATION_FIELDS, COLUMNS, Record
from credit_scoring.errors import ConfigurationError, DecisionLogError

_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet takes for the beginning of one
_NUMBERS = tuple(name for name in APPLICATION_FIELDS if FIELDS[name].kind == "number")


class Sink(Protocol):
    """Takes rows of COLUMNS."""

    def write(self, rows: list[Record]) -> None:
        """Add these rows."""


def sink(path: Path) -> AbstractContextManager[Sink]:
    """The sink for a file name; the file appears when the block is left without an error."""
    kinds = {".csv": _csv_sink, ".parquet": _parquet_sink}
    if path.suffix not in kinds:
        raise ConfigurationError(f"--output {path}: expected a name that ends in {' or '.join(kinds)}.")
    return _whole(path, kinds[path.suffix])


@contextmanager
def _whole(path: Path, kind: Any) -> Iterator[Sink]:
    with whole(path) as partial, kind(partial) as opened:
        yield opened


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Where to write a file that gets its own name when the block ends without an error; raises DecisionLogError."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise DecisionLogError(f"{path} cannot be written ({error.strerror}). Nothing was left there.") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


class _CsvSink:
    def __init__(self, file: Any) -> None:
        self._writer = csv.writer(file)
        self._writer.writerow(COLUMNS)

    def write(self, rows: list[Record]) -> None:
        self._writer.writerows(cells(row[name] for name in COLUMNS) for row in rows)


def cells(values: Iterable[Any]) -> list[Any]:
    """The cells of a CSV line: a text that a spreadsheet would take for a formula has an apostrophe in front."""
    return [f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULAS) else cell for cell in map(_text, values)]


def _text(value: Any) -> Any:
    """Flags as the training data reads them, moments as ISO 8601."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if hasattr(value, "isoformat") else value


@contextmanager
def _csv_sink(path: Path) -> Iterator[Sink]:
    with path.open("w", newline="", encoding="utf-8") as file:
        yield _CsvSink(file)


class _ParquetSink:
    def __init__(self, pyarrow: Any, writer: Any) -> None:
        self._pyarrow, self._writer = pyarrow, writer

    def write(self, rows: list[Record]) -> None:
        exact = [{**row, **{name: _float(row[name]) for name in _NUMBERS}} for row in rows]
        self._writer.write_table(self._pyarrow.Table.from_pylist(exact, self._writer.schema))


def _float(value: Any) -> float | None:
    """JSON's whole numbers may be larger than what pyarrow makes a float of."""
    return None if value is None else float(value)


@contextmanager
def _parquet_sink(path: Path) -> Iterator[Sink]:
    try:
        import pyarrow  # noqa: PLC0415 - optional
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError(
            f"--output {path}: Parquet needs pyarrow. Run `pip install pyarrow`, or write CSV."
        ) from None
    with parquet.ParquetWriter(path, _schema(pyarrow), compression="zstd") as writer:
        yield _ParquetSink(pyarrow, writer)


def _schema(pyarrow: Any) -> Any:
    kinds = {"number": pyarrow.float64(), "flag": pyarrow.bool_()}
    types = {name: kinds.get(FIELDS[name].kind, pyarrow.string()) for name in APPLICATION_FIELDS}
    types |= {"decided_at": pyarrow.timestamp("us", "UTC"), "observed_on": pyarrow.date32()}
    types |= dict.fromkeys(("risk_probability", "threshold"), pyarrow.float64())
    return pyarrow.schema([(name, types.get(name, pyarrow.string())) for name in COLUMNS])
