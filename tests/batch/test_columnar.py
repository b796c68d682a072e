"""Applications by the column: refused and decided exactly as one by one, whatever the files hold."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from benchmarks.support.consorcio import (
    CATALOGUE,
    EXAMPLE_APPLICATION,
    FEATURES,
    FIELDS,
    MAPPABLE,
    ConsorcioApplication,
)
from credit_scoring.application.schemas import Application, Fault, faults
from credit_scoring.batch.arrow import ID, MISSHAPEN, TextSource, TypedSource, column_kind
from credit_scoring.batch.columnar import decide, examine
from credit_scoring.batch.task import BLOCK, FILE, RowNumbers
from credit_scoring.data.computed import Count
from credit_scoring.data.datasets import SOURCES_FOLDER, Dataset
from credit_scoring.data.layout import UNTOLD
from credit_scoring.data.mapping import ColumnMapping
from credit_scoring.errors import DataError
from credit_scoring.model.features import application_frame
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.policy import Policy
from credit_scoring.policy.rules import Rule
from credit_scoring.serving.decision_engine import DecisionDesk

NAMES = (ID, *MAPPABLE)
TYPES = {"number": pyarrow.float64(), "integer": pyarrow.float64(), "flag": pyarrow.bool_()}

RULES = tuple(
    Rule.model_validate({"id": id, "when": when, "if_missing": "review", "then": then, "reason": "Motivo"})
    for id, when, then in (
        ("RATIO", {"field": "instalment_over_income", "above": 0.1}, "deny"),
        ("JOB", {"field": "job_type", "not_in": ["PERMANENT"]}, "review"),
        ("RECORD", {"field": "has_negative_record", "in": [True]}, "deny"),
        (
            "ANY",
            {"any": [{"field": "assets_value", "is_missing": True}, {"field": "term_months", "above": 48}]},
            "review",
        ),
    )
)
good_numbers = {"term_months": 48.0, "age": 37.0}
numbers = st.sampled_from([-1.0, -0.0, 0.0, 5e-324, 17.0, 18.0, 48.5, 60.0, 60.1, 120.0, 121.0, 420.0, 421.0, 1e308])
texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\N{REPLACEMENT CHARACTER}"), max_size=3
) | st.sampled_from(["", "a" * 64, "a" * 65, "á" * 64, "a\n", "\x7f", "a\x00b", "p-1"])
values: dict[str, st.SearchStrategy[Any]] = {
    "number": numbers | st.floats() | st.none(),
    "integer": numbers | st.floats() | st.none(),
    "flag": st.booleans() | st.none(),
    "text": texts | st.none(),
}


def value_of(name: str) -> st.SearchStrategy[Any]:
    """Mostly what is right, so that some rows are."""
    categories = st.sampled_from([*FIELDS[name].categories, "UNSEEN", "", None])
    return st.just(EXAMPLE_APPLICATION.get(name)) | values.get(FIELDS[name].kind, categories)


records = st.lists(st.fixed_dictionaries({name: value_of(name) for name in NAMES}), min_size=1, max_size=12)


def typed(rows: Sequence[Mapping[str, Any]], names: Sequence[str] = NAMES) -> Any:
    """The rows as a batch of typed columns."""
    kinds = {name: TYPES.get(FIELDS[name].kind, pyarrow.string()) for name in names}
    arrays = {name: pyarrow.array([row.get(name) for row in rows], type_) for name, type_ in kinds.items()}
    return pyarrow.RecordBatch.from_pydict(arrays)


def texts_of(rows: Sequence[Mapping[str, str]]) -> Any:
    """The rows as a batch of cells."""
    arrays = {name: pyarrow.array([row[name] for row in rows], pyarrow.string()) for name in rows[0]}
    return pyarrow.RecordBatch.from_pydict({**arrays, MISSHAPEN: pyarrow.array([False] * len(rows))})


def one_by_one(sent: Sequence[Mapping[str, Any]]) -> tuple[dict[int, Application], dict[int, list[Fault]]]:
    """What the API makes of each record: applications and faults, by row."""
    applications, refused = {}, {}
    for row, record in enumerate(sent):
        try:
            applications[row] = ConsorcioApplication.model_validate(record)
        except ValidationError as error:
            refused[row] = faults(error, FIELDS)
    return applications, refused


def agree(batch: Any, source: Any, sent: Sequence[Mapping[str, Any]]) -> None:
    applications, refused = one_by_one(sent)
    examined = examine(batch, source, CATALOGUE, FEATURES)
    assert examined.faults == refused
    for row, application in applications.items():
        for name, column in examined.columns.items():
            expected, found = getattr(application, name), column[row]
            missing = found is None or found != found  # noqa: PLR0124 - NaN
            assert missing if expected is None else found == expected


# As the API


@given(records)
def test_typed_rows_are_refused_where_the_api_would_and_with_the_same_faults(rows: list[dict[str, Any]]) -> None:
    sent = [{name: value for name, value in row.items() if value is not None} for row in rows]
    agree(typed(rows), TypedSource(NAMES), sent)


def test_an_empty_id_is_refused_in_a_typed_row_and_is_none_in_a_cell() -> None:
    refused = examine(typed([{**EXAMPLE_APPLICATION, ID: ""}]), TypedSource(NAMES), CATALOGUE, FEATURES).faults
    assert [(fault.field, fault.code) for fault in refused[0]] == [(ID, "string_too_short")]
    cell = {name: str(EXAMPLE_APPLICATION.get(name, "")) for name in NAMES}
    found = examine(texts_of([cell]), TextSource.of(NAMES, CATALOGUE), CATALOGUE, FEATURES)
    assert (found.faults, found.columns[ID].tolist()) == ({}, [None])


cells = (
    st.sampled_from(["", "NA", " ", "-", "abc", "CAR", "car", "carro", "\tCAR", "OWNER", "true", "No", "casa própria"])
    | st.sampled_from(["0", "-0", "1", "18", " 48 ", "48.0", "48.5", "99999999", "1.234,56", "1.5,2", "٣٧", "\x1c48"])
    | st.sampled_from(["1.234", "R$ 60.000", "-9.000", "0.125"])
    | st.sampled_from(["1e3", "1E400", "+5", "1_000", "1.", ".5", "inf", "nan", "48\u2003", "9" * 20, "0." + "1" * 30])
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\N{REPLACEMENT CHARACTER}"), max_size=4)
)
rows_of_cells = st.lists(
    st.fixed_dictionaries(
        {name: cells | st.just(str(EXAMPLE_APPLICATION.get(name, ""))) for name in NAMES},
    ),
    min_size=1,
    max_size=8,
)
OWN = ColumnMapping.of_own_names(NAMES, CATALOGUE)
MAPPINGS = [
    OWN,
    OWN.model_copy(update={"decimal": ","}),
    OWN.model_copy(update={"decimal": UNTOLD}),
    OWN.model_copy(
        update={
            "columns": {
                name: name for name in OWN.columns if name not in ("good_type", "term_months", "has_negative_record")
            },
            "constants": {"good_type": "CAR", "term_months": 60, "has_negative_record": True},
        }
    ),
    OWN.model_copy(
        update={
            "columns": {name: name for name in OWN.columns if name != "term_months"},
            "constants": {"term_months": "sixty"},
        }
    ),
    OWN.model_copy(update={"factors": {"monthly_income": 1 / 12, "good_value": 0.1}, "missing": ("", "-", "0")}),
    OWN.model_copy(
        update={
            "columns": {
                name: name
                for name in OWN.columns
                if name not in ("good_value", "monthly_income", "term_months", "has_negative_record")
            },
            "first_of": {"good_value": ("good_value", "assets_value")},
            "formulas": {"monthly_income": "monthly_income / 12 + has_negative_record"},
            "counts": {
                "term_months": Count(columns=("good_type", "housing"), values=("CAR", "OWNER")),
                "has_negative_record": Count(columns=("term_months",), at_least=1, if_missing="no"),
            },
        }
    ),
    OWN.model_copy(
        update={"values": {"monthly_income": {"99999999": ""}, "good_type": {"carro": "CAR"}, "housing": {"-": ""}}}
    ),
]


@pytest.mark.parametrize(
    "mapping",
    MAPPINGS,
    ids=["own", "decimal comma", "untold sign", "constants", "wrong constant", "factors", "computed", "values"],
)
@given(rows=rows_of_cells)
def test_cells_are_read_as_training_data_is_and_refused_as_the_api_would(
    mapping: ColumnMapping, rows: list[dict[str, str]]
) -> None:
    sent = []
    for row in rows:
        client_id = row[ID].strip()
        sent.append({**mapping.record(row), **({} if client_id in mapping.missing else {ID: client_id})})
    agree(texts_of(rows), TextSource(mapping, ID), sent)


@pytest.mark.parametrize("rules", [(), RULES], ids=["as trained", "with rules"])
def test_what_is_decided_is_what_the_service_decides_to_the_last_bit(
    dataset: Dataset, scorer: Scorer, rules: tuple[Rule, ...]
) -> None:
    policy = Policy(threshold=scorer.policy.threshold, costs=scorer.policy.costs, rules=rules)
    compiled = replace(scorer, policy=policy).with_compiled_form()
    sent = [_sent(row) for row in dataset.frame.head(1000).to_dict("records")]
    answers = DecisionDesk(compiled, "tag").decide([ConsorcioApplication.model_validate(each) for each in sent])
    batch = typed(sent)
    for parts in ([batch], [batch.slice(0, 1), batch.slice(1, 700), batch.slice(701)]):
        decided = pyarrow.Table.from_batches([decide(each, TypedSource(NAMES), compiled) for each in parts])
        assert decided["risk_probability"].to_pylist() == [each.risk_probability for each in answers]
        assert decided["decision"].to_pylist() == [each.decision.value for each in answers]
        for name in ("rules", "missing", "outside_training"):
            assert decided[name].to_pylist() == [getattr(each, name) for each in answers]


def test_minus_zero_is_decided_as_zero_is_by_service_batch_and_training(scorer: Scorer) -> None:
    policy = Policy(threshold=scorer.policy.threshold, costs=scorer.policy.costs, rules=RULES)
    compiled = replace(scorer, policy=policy).with_compiled_form()
    zero, minus = ({**EXAMPLE_APPLICATION, "monthly_income": income} for income in (0.0, -0.0))
    sent = [ConsorcioApplication.model_validate(each) for each in (zero, minus)]
    expected, answer = DecisionDesk(compiled, "tag").decide(sent)
    assert "RATIO" in expected.rules
    cells = {name: str(minus.get(name, "")) for name in NAMES}
    (of_types,) = decide(typed([minus]), TypedSource(NAMES), compiled).to_pylist()
    (of_cells,) = decide(texts_of([cells]), TextSource(OWN, ID), compiled).to_pylist()
    for found in (answer.model_dump(), of_types, of_cells):
        assert (found["risk_probability"], found["rules"]) == (expected.risk_probability, expected.rules)
    for record in (minus, OWN.record(cells)):
        frame = application_frame([record], CATALOGUE, scorer.card.features)
        assert scorer.score(frame).tolist() == [expected.risk_probability]


def _sent(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row of the training frame as a client would send it."""
    values = {name: value for name, value in row.items() if not pd.isna(value)}
    return {name: bool(value) if FIELDS[name].kind == "flag" else value for name, value in values.items()}


def test_a_refused_row_takes_the_place_of_its_decision(scorer: Scorer) -> None:
    rows = [EXAMPLE_APPLICATION, {**EXAMPLE_APPLICATION, "age": 17.0}, EXAMPLE_APPLICATION]
    decided = decide(typed(rows), TypedSource(NAMES), scorer.with_compiled_form()).to_pylist()
    assert [row["decision"] is None for row in decided] == [False, True, False]
    assert [row["risk_probability"] is None for row in decided] == [False, True, False]
    (fault,) = decided[1]["faults"]
    assert fault["field"] == "age"


def test_a_batch_of_refused_rows_only_has_no_decision(scorer: Scorer) -> None:
    decided = decide(typed([{"age": 17.0}]), TypedSource(NAMES), scorer.with_compiled_form()).to_pylist()
    assert decided[0]["decision"] is None
    assert [fault["field"] for fault in decided[0]["faults"]] == ["credit_letter_value", "age"]


def test_a_field_that_the_file_lacks_is_missing_in_each_row(scorer: Scorer) -> None:
    needed = ("credit_letter_value", "age")
    batch = typed([EXAMPLE_APPLICATION], needed)
    decided = decide(batch, TypedSource(needed), scorer.with_compiled_form()).to_pylist()
    alone = {name: EXAMPLE_APPLICATION[name] for name in needed}
    expected = DecisionDesk(scorer.with_compiled_form(), "tag").decide([ConsorcioApplication.model_validate(alone)])
    assert decided[0]["risk_probability"] == expected[0].risk_probability
    assert decided[0][ID] is None


def test_the_mapping_of_the_embedded_data_reads_as_training_did(dataset: Dataset) -> None:
    path = Path(__file__).parent.parent.parent / "data" / "raw" / "credit_data.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    mapping = ColumnMapping.read(SOURCES_FOLDER / "embedded.toml", CATALOGUE)
    rows = [{str(name): cell for name, cell in row.items()} for row in frame.to_dict("records")]
    examined = examine(texts_of(rows), TextSource(mapping), CATALOGUE, FEATURES)
    assert len(frame) == len(dataset.frame)
    assert not examined.faults
    for name in dataset.features:
        pd.testing.assert_series_equal(pd.Series(examined.columns[name], name=name), dataset.frame[name])


# Rows that are none


def test_a_row_of_the_wrong_length_is_refused_without_a_look_at_its_cells() -> None:
    batch = texts_of([{name: str(EXAMPLE_APPLICATION.get(name, "")) for name in NAMES}])
    misshapen = batch.set_column(batch.num_columns - 1, MISSHAPEN, pyarrow.array([True]))
    found = examine(misshapen, TextSource(OWN, ID), CATALOGUE, FEATURES).faults
    assert found[0][0].message == "More or fewer cells than the header has"


def test_an_id_that_could_not_be_decoded_is_refused() -> None:
    cells = {name: str(EXAMPLE_APPLICATION.get(name, "")) for name in NAMES}
    found = examine(
        texts_of([{**cells, ID: "p\N{REPLACEMENT CHARACTER}1"}]), TextSource(OWN, ID), CATALOGUE, FEATURES
    ).faults
    assert found[0] == [Fault(field=ID, message="Not readable in the encoding of the file", code="encoding")]


# Columns


def kinds(**changes: str) -> dict[str, str]:
    own = {name: column_kind(FIELDS[name]) for name in NAMES}
    return {**own, **changes}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (["credit_letter_value"], "No column age; found credit_letter_value"),
        (
            ["age", "credit_letter_value", "Monthly_incme", "colour"],
            r"Unknown columns Monthly_incme, colour. Did you mean monthly_income by Monthly_incme\? Rename",
        ),
        (
            ["age", "credit_leter_value"],
            r"found .*\. Did you mean credit_letter_value by credit_leter_value\? Name the",
        ),
        (["age", "credit_letter_value", "sexo"], "Unknown columns sexo. Refused: sex may never enter"),
        (["age", "age", "credit_letter_value"], "More than one column is named age"),
        (["37", "24000.0"], "found a first line that is no list of names"),
        ([], "found nothing"),
    ],
)
def test_a_header_that_cannot_be_used_is_an_error(header: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        TextSource.of(header, CATALOGUE)


def test_a_column_of_another_kind_is_an_error() -> None:
    with pytest.raises(DataError, match="Column age holds values of kind text, expected number"):
        TypedSource.of(kinds(age="text"), CATALOGUE)


def test_a_column_without_values_may_be_of_any_kind() -> None:
    assert "housing" in TypedSource.of(kinds(housing="nothing"), CATALOGUE).fields


def test_what_an_export_of_decisions_has_besides_is_known() -> None:
    assert TypedSource.of(
        {**kinds(), "decision": "text", "outcome": "text", "decided_at": "timestamp"}, CATALOGUE
    ).fields


def test_an_id_column_that_is_not_there_is_an_error() -> None:
    with pytest.raises(DataError, match="No column proposta, which --id-column names"):
        TextSource.of(NAMES, CATALOGUE, id_column="proposta")


# Row numbers


def test_rows_are_numbered_through_the_blocks_of_each_file() -> None:
    first_rows = {("a", 0): 1, ("a", 100): 4, ("b", 0): 1}
    places = [("a", 100), ("a", 100), ("b", 0), ("a", 0), ("a", 0), ("a", 0), ("b", 0)]
    rows = RowNumbers(first_rows)
    found: list[int] = []
    for part in (places[:1], places[1:5], places[5:]):
        files, blocks = (pyarrow.array(values) for values in zip(*part, strict=True))
        found += rows.of(pyarrow.RecordBatch.from_arrays([files, blocks], [FILE, BLOCK])).to_pylist()
    assert found == [4, 5, 1, 1, 2, 3, 2]
    assert np.all(np.array(found) > 0)
