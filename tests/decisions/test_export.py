"""Decisions as a file: what is read back is what was written, and a file is whole or not there."""

import csv
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.support.consorcio import CATALOGUE, EXAMPLE_APPLICATION, FIELDS, MAPPABLE
from credit_scoring.data.datasets import Dataset, load_csv
from credit_scoring.decisions import export as exporting
from credit_scoring.decisions import queries
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.queries import AFTER, BEFORE, Record
from credit_scoring.decisions.replacements import Linked
from credit_scoring.errors import ConfigurationError, DecisionLogError

KINDS = [".csv", ".parquet"]
NUMBERS = {
    "risk_probability",
    "threshold",
    *(name for name, field in FIELDS.items() if field.is_numeric),
}
COLUMNS = (*BEFORE, *MAPPABLE, *AFTER)
TEXTS = [name for name in COLUMNS if name not in NUMBERS]
FIELD_KINDS = {
    name: "text" if name in TEXTS else "flag" if FIELDS[name].kind == "flag" else "number" for name in MAPPABLE
}

LATER = Linked(application_id=None, decision_id=new_id())

numbers = st.floats(min_value=0, allow_infinity=False) | st.integers(0, 2**53)
application_ids = st.text(st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs"]))
values = {"number": numbers, "integer": numbers, "flag": st.booleans()}
applications = st.fixed_dictionaries(
    {},
    optional={
        name: values.get(FIELDS[name].kind, st.sampled_from(FIELDS[name].categories or ("",))) | st.none()
        for name in MAPPABLE
    },
)
moments = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))


@st.composite
def records(draw: st.DrawFn) -> Record:
    """A decision as an excerpt gives it."""
    return {
        "id": new_id(),
        "decided_at": draw(moments),
        "application_id": draw(st.none() | application_ids.filter(bool)),
        "decision": "NEGADO",
        "risk_probability": draw(st.floats(0, 1)),
        "threshold": draw(st.floats(0, 1)),
        "model": "credit_scoring:a",
        "policy_version": "policy-1",
        "service_version": "0.1.0",
        "asked_by": draw(st.sampled_from(["gateway", "ombudsman-2"])),
        "rules": draw(st.sampled_from([None, '["PARCELA_RENDA","RESTRICAO"]'])),
        "outside_training": draw(st.sampled_from([None, '["credit_letter_value"]'])),
        "replaces": draw(st.none() | application_ids.filter(bool)),
        "replaced_by": draw(st.sampled_from([[], [LATER], [LATER, LATER]])),
        "received": json.dumps(draw(applications)),
        "effective_decision": draw(st.sampled_from(["APROVADO", "NEGADO"])),
        "outcome": draw(st.sampled_from(["PAID", "DEFAULTED", None])),
        "observed_on": draw(st.none() | st.dates(date(1900, 1, 1), date(2200, 1, 1))),
    }


def row(outcome: str | None = None, **fields: Any) -> Record:
    """One row to export."""
    common = {"decided_at": datetime(2026, 11, 24, 12, tzinfo=UTC), "decision": "APROVADO", "risk_probability": 0.1}
    of_model = {"threshold": 0.3, "model": "credit_scoring:a", "policy_version": "policy-1", "service_version": "0"}
    known = {
        "effective_decision": "APROVADO",
        "outcome": outcome,
        "observed_on": date(2026, 5, 31) if outcome else None,
    }
    received = json.dumps({**EXAMPLE_APPLICATION, **fields})
    record = {"id": new_id(), "application_id": None, "asked_by": "", "received": received}
    record |= {"rules": '["PARCELA_RENDA","RESTRICAO"]', "outside_training": None, "replaces": None}
    return queries.flat({**record, **common, **of_model, **known, "replaced_by": []}, MAPPABLE)


def export(path: Path, *pages: list[Record]) -> None:
    with exporting.sink(path, FIELD_KINDS) as sink:
        for page in pages:
            sink.write(page)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exports")


# Round trips


@given(st.lists(records(), max_size=3), st.lists(records(), max_size=3))
def test_parquet_gives_back_every_value_as_it_was(folder: Path, page: list[Record], other: list[Record]) -> None:
    path = folder / "decisions.parquet"
    rows = [[queries.flat(record, MAPPABLE) for record in each] for each in (page, other)]
    export(path, *rows)
    found = pyarrow.parquet.read_table(path)
    assert tuple(found.column_names) == COLUMNS
    assert found.to_pylist() == [*rows[0], *rows[1]]


@given(st.lists(records(), max_size=3), st.lists(records(), max_size=3))
def test_csv_gives_back_every_value_as_it_was(folder: Path, page: list[Record], other: list[Record]) -> None:
    path = folder / "decisions.csv"
    rows = [[queries.flat(record, MAPPABLE) for record in each] for each in (page, other)]
    export(path, *rows)
    assert list(read_csv(path)) == [
        each | {name: as_text(each[name]) for name in ("application_id", "replaces")} for each in (*rows[0], *rows[1])
    ]


FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")


def as_text(value: str | None) -> str | None:
    """A text as it is in CSV, where a spreadsheet must not take it for a formula."""
    return f"'{value}" if value and value.startswith(FORMULAS) else value


def read_csv(path: Path) -> Iterator[Record]:
    """As pandas reads it: an empty cell is a missing value, a number the nearest one there is."""
    options: dict[str, Any] = {"keep_default_na": False, "na_values": [""], "float_precision": "round_trip"}
    frame: pd.DataFrame = pd.read_csv(path, dtype=dict.fromkeys(TEXTS, object), **options)
    assert tuple(frame.columns) == COLUMNS
    for record in frame.to_dict("records"):
        found = {str(name): None if pd.isna(value) else value for name, value in record.items()}
        found["decided_at"] = datetime.fromisoformat(str(found["decided_at"]))
        if found["observed_on"] is not None:
            found["observed_on"] = date.fromisoformat(str(found["observed_on"]))
        yield found


@pytest.mark.parametrize("kind", KINDS)
def test_no_decisions_are_a_file_of_the_columns_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"decisions{kind}"
    export(path)
    found = pd.read_csv(path) if kind == ".csv" else pd.read_parquet(path)
    assert (tuple(found.columns), len(found)) == (COLUMNS, 0)


def test_an_application_id_cannot_break_out_of_its_cell(tmp_path: Path) -> None:
    path = tmp_path / "decisions.csv"
    hostile = 'a","b;c\'d\t=1+1'
    export(path, [{**row(), "application_id": hostile}])
    assert [each["application_id"] for each in read_csv(path)] == [hostile]


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://a")'])
def test_a_text_that_a_spreadsheet_would_run_as_a_formula_is_text_in_csv(tmp_path: Path, formula: str) -> None:
    path = tmp_path / "decisions.csv"
    export(path, [{**row(), "application_id": formula, "asked_by": formula}])
    (found,) = read_csv(path)
    assert (found["application_id"], found["asked_by"]) == (f"'{formula}", f"'{formula}")


def test_a_negative_number_is_a_number_in_csv(tmp_path: Path) -> None:
    path = tmp_path / "decisions.csv"
    export(path, [{**row(), "monthly_income": -1.5}])
    (found,) = read_csv(path)
    assert found["monthly_income"] == -1.5


def test_parquet_has_texts_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "decisions.parquet"
    export(path, [{**row(), "application_id": "=1+1"}])
    assert pyarrow.parquet.read_table(path).to_pylist()[0]["application_id"] == "=1+1"


def test_flags_numbers_and_times_are_written_in_csv_as_json_and_iso_8601_have_them(tmp_path: Path) -> None:
    path = tmp_path / "decisions.csv"
    export(path, [row("PAID", has_negative_record=False, monthly_income=1e22, term_months=48)])
    with path.open(encoding="utf-8", newline="") as file:
        (found,) = csv.DictReader(file)
    assert (found["has_negative_record"], found["monthly_income"], found["term_months"]) == ("false", "1e+22", "48")
    assert (found["decided_at"], found["observed_on"]) == ("2026-11-24T12:00:00+00:00", "2026-05-31")


# Back into training


def test_a_csv_with_outcomes_is_training_data(tmp_path: Path, dataset: Dataset) -> None:
    path = tmp_path / "decisions.csv"
    sample = dataset.frame.sample(300, random_state=7)
    defaulted = dataset.defaulted[sample.index.to_numpy()].tolist()
    clients = [
        {
            name: bool(value) if FIELDS[name].kind == "flag" else value
            for name, value in each.items()
            if value is not None
        }
        for each in json.loads(sample.to_json(orient="records", double_precision=15))
    ]
    names = {True: "DEFAULTED", False: "PAID"}
    rows = [
        {**row(names[known]), **dict.fromkeys(MAPPABLE), **client}
        for client, known in zip(clients, defaulted, strict=True)
    ]
    export(path, rows)
    found = load_csv(path, CATALOGUE)
    assert found.defaulted.tolist() == defaulted
    assert found.bad_rows == ()
    pd.testing.assert_frame_equal(found.frame, sample.reset_index(drop=True), check_dtype=False)


# Whole or not at all


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_appears_once_all_of_it_is_written(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"decisions{kind}"
    with exporting.sink(path, FIELD_KINDS) as sink:
        sink.write([row()])
        assert not path.exists()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("failure", [DecisionLogError, KeyboardInterrupt])
@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_leaves_no_file_behind(tmp_path: Path, kind: str, failure: type[BaseException]) -> None:
    def export_half() -> None:
        with exporting.sink(tmp_path / f"decisions{kind}", FIELD_KINDS) as sink:
            sink.write([row()])
            raise failure("The database is gone.")

    with pytest.raises(failure):
        export_half()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_leaves_an_earlier_file_as_it_was(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"decisions{kind}"
    export(path, [row()])
    before = path.read_bytes()

    def export_half() -> None:
        with exporting.sink(path, FIELD_KINDS) as sink:
            sink.write([row(), row()])
            raise DecisionLogError("The database is gone.")

    with pytest.raises(DecisionLogError):
        export_half()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", KINDS)
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, kind: str) -> None:
    missing, taken = tmp_path / "nowhere" / f"decisions{kind}", tmp_path / f"folder{kind}"
    taken.mkdir()
    for path in (missing, taken):
        with pytest.raises(DecisionLogError) as caught:
            export(path, [row()])
        assert str(caught.value).startswith(f"{path} cannot be written (")
    assert list(tmp_path.iterdir()) == [taken]


@pytest.mark.parametrize("name", ["decisions", "decisions.xlsx", "decisions.CSV", ".csv", "decisions.csv.gz"])
def test_another_kind_of_file_is_refused_with_those_there_are(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        export(tmp_path / name)
    assert str(caught.value) == f"--output {tmp_path / name}: expected a name that ends in .csv or .parquet."
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("income", [2**53 + 1, 2**70, 10**300])
def test_a_whole_number_that_json_allows_and_a_float_does_not_hold_is_exported(tmp_path: Path, income: int) -> None:
    export(tmp_path / "decisions.parquet", [row(monthly_income=income)])
