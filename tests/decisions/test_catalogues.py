"""Decisions by models with different fields, in one log: each is read, exported and replayed with its own."""

from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.support.consorcio import CATALOGUE, EXAMPLE_APPLICATION
from benchmarks.support.decision_records import ask, decided_by, origin_of, put
from benchmarks.support.made_up import made_up, quickly_trained
from credit_scoring.application.schemas import Application
from credit_scoring.decisions import export as exporting
from credit_scoring.decisions import queries
from credit_scoring.decisions.queries import Record, Wanted
from credit_scoring.decisions.replay import Finding, replay
from credit_scoring.model.scorer import Scorer
from tests.conftest import make_sqlite_log

OURS, THEIRS = "credit_scoring:ours", "credit_scoring:theirs"


@pytest.fixture(scope="module")
def other() -> Scorer:
    """A scorer whose applications have twelve numbers and nothing of a consórcio."""
    return quickly_trained(made_up(12, rows=400))


@pytest.fixture(scope="module")
def records(scorer: Scorer, other: Scorer, tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    address = make_sqlite_log(tmp_path_factory.mktemp("catalogues"))
    put(address, decided_by(scorer, OURS, [_ours(1), _ours(2)]), origin=origin_of(scorer, OURS))
    theirs = other.catalogue.application.model_validate({f"number_{place}": place / 7 for place in range(11)})
    put(address, decided_by(other, THEIRS, [theirs]), origin=origin_of(other, THEIRS))
    return ask(address, partial(queries.latest, Wanted(), 10), reading=True)[::-1]


def _ours(times: int) -> Application:
    return CATALOGUE.application.model_validate({**EXAMPLE_APPLICATION, "monthly_income": 3000.0 * times})


def test_each_is_replayed_by_its_own_model_with_its_own_fields(
    scorer: Scorer, other: Scorer, records: list[Record], tmp_path: Path
) -> None:
    other.save(tmp_path)
    scorers = {OURS: scorer, THEIRS: Scorer.load(tmp_path)}
    assert [each.finding for each in replay(records, lambda tag: scorers[tag])] == [Finding.SAME] * 3


@pytest.mark.parametrize("kind", [".csv", ".parquet"])
def test_an_export_has_the_fields_of_both(records: list[Record], tmp_path: Path, kind: str) -> None:
    fields, path = exporting.kinds_of(records, {}), tmp_path / f"decisions{kind}"
    with exporting.sink(path, fields) as sink:
        sink.write([queries.flat(record, fields) for record in records])
    found = pd.read_csv(path, float_precision="round_trip") if kind == ".csv" else pd.read_parquet(path)
    assert found["monthly_income"].tolist()[:2] == [3000, 6000]
    assert found["number_3"].isna().tolist() == [True, True, False]
    assert found["number_3"].iloc[2] == 3 / 7
    assert "number_11" not in found
