"""Parquet as training data: read as the CSV file of the same table is."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.data.datasets import load_csv
from credit_scoring.errors import DataError

TABLE = pd.DataFrame(
    {
        "credit_letter_value": [1000.5 + row for row in range(200)],
        "term_months": pd.array([None if row % 9 == 0 else 1 + row for row in range(200)], dtype="Int64"),
        "has_negative_record": [row % 3 == 0 for row in range(200)],
        "good_type": ["CAR" if row % 2 else None for row in range(200)],
        "outcome": ["PAID" if row % 3 else "DEFAULTED" for row in range(200)],
        "decided_at": pd.date_range("2025-01-01", periods=200),
    }
)
MAPPING = """
delimiter = ";"
decimal = ","
date_column = "decided_at"
[columns]
credit_letter_value = "credit_letter_value"
term_months = "term_months"
has_negative_record = "has_negative_record"
good_type = "good_type"
"""


def test_parquet_gives_what_the_same_table_gives_as_csv(tmp_path: Path) -> None:
    TABLE.to_parquet(tmp_path / "own.parquet")
    TABLE.to_csv(tmp_path / "own.csv", index=False)
    found, expected = load_csv(tmp_path / "own.parquet", CATALOGUE), load_csv(tmp_path / "own.csv", CATALOGUE)
    pd.testing.assert_frame_equal(found.frame, expected.frame)
    assert (found.defaulted == expected.defaulted).all()
    assert found.bad_rows == ()


def test_a_mapping_for_another_way_to_write_csv_reads_parquet_too(tmp_path: Path) -> None:
    TABLE.to_parquet(tmp_path / "own.parquet")
    (tmp_path / "mapping.toml").write_text(MAPPING, encoding="utf-8")
    found = load_csv(tmp_path / "own.parquet", CATALOGUE, tmp_path / "mapping.toml")
    assert found.frame["credit_letter_value"].tolist() == TABLE["credit_letter_value"].tolist()
    assert found.days is not None


@pytest.mark.parametrize("content", [b"", b"PAR1", b"credit_letter_value,outcome\n"])
def test_what_is_no_parquet_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "own.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not Parquet of plain columns"):
        load_csv(path, CATALOGUE)


def test_a_nested_column_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"credit_letter_value": [[1.0]], "outcome": ["PAID"]}).to_parquet(tmp_path / "own.parquet")
    with pytest.raises(DataError, match="plain columns"):
        load_csv(tmp_path / "own.parquet", CATALOGUE)


def test_amounts_as_texts_that_may_be_read_in_two_ways_are_refused(tmp_path: Path) -> None:
    """A mapping's decimal comma is of files without types: by it 60.000 would be read as 60 all the same."""
    table = TABLE.assign(credit_letter_value=TABLE["credit_letter_value"].map("{:.0f}".format).str[:2] + ".000")
    table.to_parquet(tmp_path / "own.parquet")
    (tmp_path / "mapping.toml").write_text('decimal = ","', encoding="utf-8")
    with pytest.raises(DataError, match=r"numbers as texts, like 1\.234 or 1,5, in credit_letter_value\. Store them"):
        load_csv(tmp_path / "own.parquet", CATALOGUE, tmp_path / "mapping.toml")


def test_amounts_as_texts_that_are_plain_are_read(tmp_path: Path) -> None:
    TABLE.assign(credit_letter_value=TABLE["credit_letter_value"].map(str)).to_parquet(tmp_path / "own.parquet")
    found = load_csv(tmp_path / "own.parquet", CATALOGUE)
    assert found.frame["credit_letter_value"].tolist() == TABLE["credit_letter_value"].tolist()
