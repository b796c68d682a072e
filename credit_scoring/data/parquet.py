"""Parquet as CSV, so that one reader checks all files."""

import io

from credit_scoring.errors import DataError


def csv_of_parquet(content: bytes, name: str) -> bytes:
    """The table as CSV in UTF-8, an empty cell for null; raises DataError where it is none, or without pyarrow."""
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
    return written.getvalue()
