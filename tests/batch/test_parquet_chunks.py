"""Parquet in chunks: columns of whatever type that holds such values become fields, others are an error."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.batch import parquet_chunks
from credit_scoring.batch.parquet_chunks import ParquetForm
from credit_scoring.errors import DataError

NEEDED = {"age": pyarrow.array([37.0, 40.0]), "credit_letter_value": pyarrow.array([24000.0, 1.5])}


def file(folder: Path, **columns: Any) -> Path:
    path = folder / "in.parquet"
    pyarrow.parquet.write_table(pyarrow.table({**NEEDED, **columns}), path)
    return path


def column(path: Path, name: str, id_column: str | None = None) -> list[Any]:
    form = ParquetForm.of(path, CATALOGUE, id_column)
    (chunk,) = form.chunks(path, 0)
    found: list[Any] = form.batch(chunk.content).column(name).to_pylist()
    return found


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("age", pyarrow.array([37, 2**53 + 1], pyarrow.int64()), [37.0, 2.0**53]),
        ("age", pyarrow.array([37, None], pyarrow.uint8()), [37.0, None]),
        ("monthly_income", pyarrow.array([1.5, None], pyarrow.float32()), [1.5, None]),
        ("monthly_income", pyarrow.array([Decimal("3210.99"), Decimal("0.10")]), [3210.99, 0.1]),
        ("good_type", pyarrow.array(["CAR", None]).dictionary_encode(), ["CAR", None]),
        ("good_type", pyarrow.array(["CAR", None], pyarrow.large_string()), ["CAR", None]),
        ("good_type", pyarrow.nulls(2), [None, None]),
        ("good_type", pyarrow.array([None, None], pyarrow.float64()), [None, None]),
        ("has_negative_record", pyarrow.array([True, None]), [True, None]),
    ],
)
def test_values_are_taken_from_any_type_that_holds_them(
    tmp_path: Path, name: str, values: Any, expected: list[Any]
) -> None:
    assert column(file(tmp_path, **{name: values}), name) == expected


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("age", pyarrow.array(["37", "40"]), "Column age holds values of kind text, expected number"),
        (
            "has_negative_record",
            pyarrow.array([1, 0]),
            "has_negative_record holds values of kind number, expected flag",
        ),
        ("application_id", pyarrow.array([1.0, 2.0]), "application_id holds values of kind double, expected text or"),
        ("monthly_incme", pyarrow.array([1.0, 2.0]), "Unknown columns monthly_incme"),
    ],
)
def test_a_column_of_another_kind_is_an_error(tmp_path: Path, name: str, values: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        column(file(tmp_path, **{name: values}), name)


def test_an_id_may_be_a_whole_number(tmp_path: Path) -> None:
    assert column(file(tmp_path, proposta=pyarrow.array([7, None])), "application_id", "proposta") == ["7", None]


def test_what_is_no_parquet_is_an_error_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    path.write_text("age,credit_letter_value\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"in.parquet: not readable as Parquet \(ArrowInvalid\)\.$"):
        column(path, "age")


def test_rows_keep_their_order_and_numbers_over_chunks_and_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_chunks, "CHUNK_ROWS", 7)
    ages = [float(age) for age in range(18, 68)]
    table = pyarrow.table({"age": ages, "credit_letter_value": ages})
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet", row_group_size=20)
    form = ParquetForm.of(tmp_path / "in.parquet", CATALOGUE, None)
    chunks = [*form.chunks(tmp_path / "in.parquet", 1000)]
    assert [age for chunk in chunks for age in form.batch(chunk.content).column("age").to_pylist()] == ages
    assert [chunk.first_row for chunk in chunks] == [
        1 + sum(each.rows for each in chunks[:n]) for n in range(len(chunks))
    ]
    assert max(chunk.rows for chunk in chunks) == 7
    assert chunks[-1].done == 1000 + (tmp_path / "in.parquet").stat().st_size
