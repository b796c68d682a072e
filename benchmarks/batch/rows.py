"""Any number of applications: rows of the embedded data drawn at random, their amounts scattered a little."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet

from benchmarks.support.consorcio import FIELDS, MAPPABLE
from credit_scoring.application.arrays import Floats
from credit_scoring.batch.arrow import column_kind
from credit_scoring.data.datasets import load_embedded
from credit_scoring.settings import PROJECT_FOLDER

NAMES = ("application_id", *MAPPABLE)
CHUNK = 250_000
SCATTER = 0.05  # standard deviation of the logarithm of an amount's factor

_TYPES = {"number": pyarrow.float64(), "flag": pyarrow.bool_(), "text": pyarrow.string()}


def write(path: Path, rows: int, seed: int) -> None:
    """Write these many rows as Parquet, the same for the same seed."""
    schema = pyarrow.schema([(name, _TYPES[column_kind(FIELDS[name])]) for name in NAMES])
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for table in _tables(rows, np.random.default_rng(seed), schema):
            writer.write_table(table)


def _tables(rows: int, random: np.random.Generator, schema: pyarrow.Schema) -> Iterator[pyarrow.Table]:
    known = load_embedded(PROJECT_FOLDER / "data").frame
    for start in range(0, rows, CHUNK):
        count = min(CHUNK, rows - start)
        drawn = known.iloc[random.integers(len(known), size=count)].reset_index(drop=True)
        columns: dict[str, pd.Series[Any]] = {name: _scattered(drawn[name], name, random) for name in MAPPABLE}
        columns["application_id"] = pd.Series([f"b-{number}" for number in range(start, start + count)])
        arrays = [pyarrow.array(columns[name], type_, from_pandas=True) for name, type_ in _types(schema)]
        yield pyarrow.Table.from_arrays(arrays, schema=schema)


def _types(schema: pyarrow.Schema) -> list[tuple[str, pyarrow.DataType]]:
    return [(field.name, field.type) for field in schema]


def _scattered(values: "pd.Series[float]", name: str, random: np.random.Generator) -> "pd.Series[float]":
    field = FIELDS[name]
    if field.kind == "flag":
        return values.map({1.0: True, 0.0: False})
    if field.kind != "number" or field.unit != "BRL":
        return values
    factors: Floats = np.exp(random.normal(0, SCATTER, len(values)))
    return (values * factors).round(2)
