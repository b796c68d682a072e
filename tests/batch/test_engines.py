"""Both engines on the same input: the same rows, to the last bit, whatever is wrong with some of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from credit_scoring.batch import csv_chunks, local
from credit_scoring.data.datasets import Dataset
from tests.support.batch import Row, applications, job_of, read, write_csv, write_parquet
from tests.support.spark import require_spark, session_on

batch = require_spark()

BAD: dict[int, Row] = {
    3: {"age": 17.0},
    7: {"credit_letter_value": None},
    11: {"good_type": "YACHT", "term_months": 0.5},
    13: {"monthly_income": -1.0, "application_id": "a" * 65},
}
MISSING: Row = {"application_id": None, "housing": None}


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    with session_on("local[2]") as session:
        yield session


@pytest.fixture(scope="module")
def mixed(dataset: Dataset) -> list[Row]:
    rows = enumerate(applications(dataset, 700), start=1)
    return [{**row, **BAD.get(number, MISSING if number == 20 else {})} for number, row in rows]


def in_order(folder: Path) -> list[Row]:
    return sorted(read(folder), key=lambda row: (row["source_file"], row["source_row"]))


def spoil(path: Path) -> None:
    """A cell too few, one too many, blank lines, quotes, and texts that are no numbers."""
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[30] = lines[30].rpartition(",")[0]
    lines[31] += ","
    lines[32] = ",".join(f'"{cell}"' for cell in lines[32].split(","))
    lines[33] = lines[33].replace(lines[33].split(",")[1], "1e3,5,x", 1)
    lines[34] += "\n"
    path.write_text("\r\n".join(lines), encoding="utf-8")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_both_engines_write_the_same_rows_under_the_same_columns(
    session: Any, mixed: list[Row], model_tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(csv_chunks, "CHUNK_CHARACTERS", 20_000)
    source = tmp_path / "propostas são 100%"
    source.mkdir()
    for name, rows in ((f"a b.{kind}", mixed[:500]), (f"é.{kind}", mixed[500:])):
        path = write_csv(source / name, rows) if kind == "csv" else write_parquet(source / name, rows)
        if kind == "csv":
            spoil(path)
    here = local.score(job_of(source, tmp_path / "here", model_tag), jobs=2)
    there = batch.score(session, job_of(source, tmp_path / "there", model_tag, partitions=5))
    for name in ("decisions", "rejected"):
        assert in_order(tmp_path / "here" / name) == in_order(tmp_path / "there" / name)
        assert _schema(tmp_path / "here" / name) == _schema(tmp_path / "there" / name)
    assert len(read(tmp_path / "here" / "rejected")) >= len(BAD)
    assert {*here.reasons} >= {("age: Input should be greater than or equal to 18", 1)}
    assert (here.manifest.rows, here.manifest.decided) == (there.manifest.rows, there.manifest.decided)


def _schema(folder: Path) -> Any:
    return pyarrow.parquet.read_schema(next(folder.glob("*.parquet"))).remove_metadata()
