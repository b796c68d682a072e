"""Parquet as CSV, so that one reader checks all files."""

import io
from typing import Any

from credit_scoring.errors import DataError


def csv_of_parquet(content: bytes, name: str) -> tuple[str, frozenset[str]]:
    """The table as CSV, an empty cell for null, and the names of the columns that hold texts.

    Raises DataError where it is none, or without pyarrow.
    """
    try:
        import pyarrow  # noqa: PLC0415 - optional
        from pyarrow import csv, parquet  # noqa: PLC0415 - optional
    except ImportError as error:
        raise DataError(f"{name}: Parquet needs pyarrow. Run `pip install pyarrow`, or give CSV.") from error
    try:
        table = parquet.read_table(io.BytesIO(content))
        written = io.BytesIO()
        csv.write_csv(table, written)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(
            f"{name}: not Parquet of plain columns ({type(error).__name__}). Write the table as CSV."
        ) from error
    texts = (field.name for field in table.schema if _holds_texts(pyarrow.types, field.type))
    return written.getvalue().decode(), frozenset(texts)


def _holds_texts(types: Any, type_: Any) -> bool:
    own = type_.value_type if types.is_dictionary(type_) else type_
    return bool(types.is_string(own) or types.is_large_string(own))
