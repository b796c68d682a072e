"""Decisions as a file: CSV, or Parquet where pyarrow is installed; complete or not there at all."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from pydantic_core import from_json

from credit_scoring.application.schemas import SOURCES
from credit_scoring.decisions.erased import is_erased
from credit_scoring.decisions.queries import AFTER, BEFORE, Record
from credit_scoring.errors import ConfigurationError, DecisionLogError

Kinds = Mapping[str, str]

_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet takes for the beginning of one


class Sink(Protocol):
    """Takes rows of the columns of an export."""

    def write(self, rows: list[Record]) -> None:
        """Add these rows."""


def kinds_of(records: Iterable[Record], found: Kinds) -> dict[str, str]:
    """The fields of these applications as received, added to those found before: number, flag or else text.

    Models of other catalogues may have decided some of them, so that no one catalogue lists the fields.
    """
    kinds = dict(found)
    for record in (each for each in records if not is_erased(each["received"])):
        for name, value in from_json(record["received"]).items():
            if name not in (*BEFORE, SOURCES) and value is not None:
                kind = _KINDS.get(type(value), "text")
                kinds[name] = kind if kinds.get(name, kind) == kind else "text"
    return kinds


_KINDS = {bool: "flag", int: "number", float: "number"}


def check_name(path: Path) -> None:
    """Raises ConfigurationError where no sink is for files of such a name."""
    if path.suffix not in _SINKS:
        raise ConfigurationError(f"--output {path}: expected a name that ends in {' or '.join(_SINKS)}.")


def sink(path: Path, fields: Kinds) -> AbstractContextManager[Sink]:
    """The sink for a file name and these fields; the file appears when the block is left without an error."""
    check_name(path)
    return _whole(path, _SINKS[path.suffix], fields)


@contextmanager
def _whole(path: Path, kind: Any, fields: Kinds) -> Iterator[Sink]:
    with whole(path) as partial, kind(partial, fields) as opened:
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
    def __init__(self, file: Any, fields: Kinds) -> None:
        self._columns = (*BEFORE, *fields, *AFTER)
        self._writer = csv.writer(file)
        self._writer.writerow(self._columns)

    def write(self, rows: list[Record]) -> None:
        self._writer.writerows(cells(row[name] for name in self._columns) for row in rows)


def cells(values: Iterable[Any]) -> list[Any]:
    """The cells of a CSV line: a text that a spreadsheet would take for a formula has an apostrophe in front."""
    return [f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULAS) else cell for cell in map(_text, values)]


def _text(value: Any) -> Any:
    """Flags as the training data reads them, moments as ISO 8601."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if hasattr(value, "isoformat") else value


@contextmanager
def _csv_sink(path: Path, fields: Kinds) -> Iterator[Sink]:
    with path.open("w", newline="", encoding="utf-8") as file:
        yield _CsvSink(file, fields)


class _ParquetSink:
    def __init__(self, pyarrow: Any, writer: Any, fields: Kinds) -> None:
        self._pyarrow, self._writer = pyarrow, writer
        self._exact = {name: _AS[kind] for name, kind in fields.items() if kind in _AS}

    def write(self, rows: list[Record]) -> None:
        exact = [{**row, **{name: _given(row[name], as_) for name, as_ in self._exact.items()}} for row in rows]
        self._writer.write_table(self._pyarrow.Table.from_pylist(exact, self._writer.schema))


# JSON's whole numbers may be larger than what pyarrow makes a float of, and a text may stand where most have a number.
_AS: dict[str, Callable[[Any], Any]] = {"number": float, "text": str}


def _given(value: Any, as_: Callable[[Any], Any]) -> Any:
    return None if value is None else as_(value)


@contextmanager
def _parquet_sink(path: Path, fields: Kinds) -> Iterator[Sink]:
    try:
        import pyarrow  # noqa: PLC0415 - optional
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError(
            f"--output {path}: Parquet needs pyarrow. Run `pip install pyarrow`, or write CSV."
        ) from None
    with parquet.ParquetWriter(path, _schema(pyarrow, fields), compression="zstd") as writer:
        yield _ParquetSink(pyarrow, writer, fields)


def _schema(pyarrow: Any, fields: Kinds) -> Any:
    kinds = {"number": pyarrow.float64(), "flag": pyarrow.bool_()}
    types = {name: kinds.get(kind, pyarrow.string()) for name, kind in fields.items()}
    types |= {"decided_at": pyarrow.timestamp("us", "UTC"), "observed_on": pyarrow.date32()}
    types["erased"] = pyarrow.bool_()
    types |= dict.fromkeys(("risk_probability", "threshold"), pyarrow.float64())
    return pyarrow.schema([(name, types.get(name, pyarrow.string())) for name in (*BEFORE, *fields, *AFTER)])


_SINKS = {".csv": _csv_sink, ".parquet": _parquet_sink}
