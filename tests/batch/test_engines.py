"""Both engines on the same input: the same rows, to the last bit, whatever is wrong with some of them."""

import gzip
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from credit_scoring.batch import csv_chunks, local
from credit_scoring.batch.decimals import SAMPLE_BYTES
from credit_scoring.data.datasets import Dataset
from credit_scoring.errors import ConfigurationError, DataError, PolicyError
from credit_scoring.model import store
from credit_scoring.model.scorer import Scorer
from tests.support.batch import (
    Row,
    applications,
    brazilian,
    ended,
    job_of,
    read,
    write_csv,
    write_parquet,
    write_policy,
)
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


@pytest.mark.parametrize(
    ("kind", "with_reasons"), [("csv", False), ("parquet", False), ("csv", True), ("parquet", True)]
)
def test_both_engines_write_the_same_rows_under_the_same_columns(
    session: Any,
    mixed: list[Row],
    model_tag: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    with_reasons: bool,
) -> None:
    monkeypatch.setattr(csv_chunks, "CHUNK_CHARACTERS", 20_000)
    source = tmp_path / "propostas são 100%"
    source.mkdir()
    for name, rows in ((f"a b.{kind}", mixed[:500]), (f"é.{kind}", mixed[500:])):
        path = write_csv(source / name, rows) if kind == "csv" else write_parquet(source / name, rows)
        if kind == "csv":
            spoil(path)
    here = local.score(job_of(source, tmp_path / "here", model_tag, with_reasons=with_reasons), jobs=2)
    job = job_of(source, tmp_path / "there", model_tag, with_reasons=with_reasons, partitions=5)
    there = batch.score(session, job)
    for name in ("decisions", "rejected"):
        assert in_order(tmp_path / "here" / name) == in_order(tmp_path / "there" / name)
        assert _schema(tmp_path / "here" / name) == _schema(tmp_path / "there" / name)
    assert len(read(tmp_path / "here" / "rejected")) >= len(BAD)
    assert with_reasons == all(row.get("reasons") for row in read(tmp_path / "there" / "decisions"))
    assert {*here.reasons} >= {("age: Input should be greater than or equal to 18", 1)}
    assert (here.manifest.rows, here.manifest.decided) == (there.manifest.rows, there.manifest.decided)


def test_both_engines_decide_by_the_policy_in_a_file(
    session: Any, mixed: list[Row], model_tag: str, tmp_path: Path
) -> None:
    policy_file = write_policy(tmp_path / "policy.toml")
    source = write_csv(tmp_path / "in.csv", mixed[:300])
    here = local.score(job_of(source, tmp_path / "here", model_tag, policy_file=policy_file), jobs=2)
    there = batch.score(session, job_of(source, tmp_path / "there", model_tag, policy_file=policy_file, partitions=3))
    assert in_order(tmp_path / "here" / "decisions") == in_order(tmp_path / "there" / "decisions")
    assert any(row["rules"] == ["TERM"] for row in read(tmp_path / "there" / "decisions"))
    assert here.manifest.policy_version == there.manifest.policy_version


def test_spark_refuses_a_model_that_can_give_no_reasons_before_anything_is_read(
    session: Any, scorer: Scorer, published: Callable[[], list[str]], tmp_path: Path
) -> None:
    store.save(replace(scorer, reference=scorer.reference.model_copy(update={"applicants": ()})))
    (tag,) = published()
    with pytest.raises(ConfigurationError, match=f"^--reasons, model {tag}: .* Train a new one with"):
        batch.score(session, job_of(tmp_path / "missing.csv", tmp_path / "out", tag, with_reasons=True))
    assert [*tmp_path.iterdir()] == []


def test_spark_decides_no_row_by_a_policy_that_has_ended(
    session: Any, scorer: Scorer, published: Callable[[], list[str]], tmp_path: Path
) -> None:
    tag = ended(scorer)
    with pytest.raises(PolicyError, match=f"^The policy of model {tag}: it was valid until 2020-01-31, and today is"):
        batch.score(session, job_of(tmp_path / "missing.csv", tmp_path / "out", tag))
    assert published() == [tag]
    assert [*tmp_path.iterdir()] == []


def test_both_engines_read_thousands_and_refuse_rows_that_contradict_how_the_file_begins(
    session: Any, model_tag: str, tmp_path: Path
) -> None:
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('delimiter = ";"\n', encoding="utf-8")
    wrong = {"60000,5": ["60000.5"], "60000": ["60.000", "60.000,5"]}
    for number, (amount, others) in enumerate(wrong.items()):
        source = brazilian(tmp_path / f"{number}.csv", [*[amount] * (SAMPLE_BYTES // 80), *others, amount])
        rejected = []
        for engine, output in ((local.score, tmp_path / "here"), (partial(batch.score, session), tmp_path / "there")):
            engine(job_of(source, output, model_tag, mapping=mapping))
            rejected.append([row["source_row"] for row in in_order(output / "rejected")])
        first = SAMPLE_BYTES // 80 + 1
        assert rejected == [[*range(first, first + len(others))]] * 2
        assert in_order(tmp_path / "here" / "decisions") == in_order(tmp_path / "there" / "decisions")


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_both_engines_ask_for_a_decimal_sign_that_is_not_certain(
    session: Any, model_tag: str, tmp_path: Path, ending: str
) -> None:
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('delimiter = ";"\n', encoding="utf-8")
    source = brazilian(tmp_path / "é 1%.csv", ["60.000"] * 3)
    if ending:
        source = source.rename(f"{source}{ending}")
        source.write_bytes(gzip.compress(source.read_bytes()))
    for engine in (local.score, partial(batch.score, session)):
        with pytest.raises(DataError, match=r"3 numbers are like 1\.234, which may be a thousand"):
            engine(job_of(source, tmp_path / "out", model_tag, mapping=mapping))
    mapping.write_text('delimiter = ";"\ndecimal = ","\n', encoding="utf-8")
    local.score(job_of(source, tmp_path / "here", model_tag, mapping=mapping))
    batch.score(session, job_of(source, tmp_path / "there", model_tag, mapping=mapping))
    assert in_order(tmp_path / "here" / "decisions") == in_order(tmp_path / "there" / "decisions")


def test_both_engines_read_utf_8_with_the_mark_that_windows_puts_before_it(
    session: Any, mixed: list[Row], model_tag: str, tmp_path: Path
) -> None:
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('encoding = "utf-8"\n', encoding="utf-8")
    source = write_csv(tmp_path / "in.csv", mixed[:50], encoding="utf-8-sig")
    local.score(job_of(source, tmp_path / "here", model_tag, mapping=mapping))
    batch.score(session, job_of(source, tmp_path / "there", model_tag, mapping=mapping))
    assert in_order(tmp_path / "here" / "decisions") == in_order(tmp_path / "there" / "decisions")


def _schema(folder: Path) -> Any:
    return pyarrow.parquet.read_schema(next(folder.glob("*.parquet"))).remove_metadata()
