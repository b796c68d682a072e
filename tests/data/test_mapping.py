"""Mapping files: from a foreign table's columns, values and units to application fields."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from benchmarks.support.consorcio import (
    AUDIT_FIELDS,
    CATALOGUE,
    EXAMPLE_APPLICATION,
    FEATURES,
    MAPPABLE,
    ConsorcioApplication,
)
from credit_scoring.application.catalogue import shipped
from credit_scoring.data.datasets import SOURCES_FOLDER
from credit_scoring.data.mapping import ColumnMapping, Target, repeated_names
from credit_scoring.errors import DataError


def _mapping(**changes: Any) -> ColumnMapping:
    columns = {"credit_letter_value": "letter", "housing": "home", "has_negative_record": "record", "age": "years"}
    return ColumnMapping.model_validate({"catalogue": CATALOGUE, "columns": columns, **changes})


def _row(**changes: str) -> dict[str, str]:
    return {"letter": "1000", "home": "OWNER", "record": "no", "years": "40", "outcome": "PAID", **changes}


def _read(folder: Path, text: str) -> ColumnMapping:
    path = folder / "mapping.toml"
    path.write_text(text, encoding="utf-8")
    return ColumnMapping.read(path, CATALOGUE)


def test_every_feature_and_audit_field_can_be_mapped() -> None:
    assert set(MAPPABLE) == {*FEATURES, *AUDIT_FIELDS}


def test_columns_become_the_fields_that_they_are_named_for() -> None:
    record = _mapping().record(_row())
    assert record == {"credit_letter_value": 1000, "housing": "OWNER", "has_negative_record": False, "age": 40}


@pytest.mark.parametrize("text", ["", "NA", "  ", " NA "])
def test_an_empty_cell_or_na_is_a_missing_value(text: str) -> None:
    assert "housing" not in _mapping().record(_row(home=text))


def test_other_texts_can_be_declared_missing() -> None:
    record = _mapping(missing=["-9"]).record(_row(letter="-9", home="-9"))
    assert "credit_letter_value" not in record
    assert "housing" not in record


def test_a_value_can_be_translated_to_missing() -> None:
    assert "housing" not in _mapping(values={"housing": {"ignore": ""}}).record(_row(home="ignore"))


def test_values_are_translated_before_they_are_typed() -> None:
    mapping = _mapping(values={"has_negative_record": {"S": "true", "N": "false"}, "housing": {"própria": "OWNER"}})
    record = mapping.record(_row(record="S", home="própria"))
    assert (record["has_negative_record"], record["housing"]) == (True, "OWNER")


@pytest.mark.parametrize(("text", "flag"), [("true", True), ("Yes", True), ("1", True), ("NO", False), ("0", False)])
def test_a_flag_is_read_from_the_usual_words(text: str, flag: bool) -> None:
    assert _mapping().record(_row(record=text))["has_negative_record"] is flag


def test_a_factor_turns_a_foreign_unit_into_reais() -> None:
    record = _mapping(factors={"credit_letter_value": 24.0}).record(_row(letter="12.5"))
    assert record["credit_letter_value"] == pytest.approx(300)


@pytest.mark.parametrize(
    ("text", "number"),
    [("R$ 3.500,00", 3500), ("R$3,5", 3.5), ("1.234,56", 1234.56), ("0,5", 0.5), ("1.000.000", 1_000_000)],
)
def test_a_brazilian_number_is_read_with_a_decimal_comma(text: str, number: float) -> None:
    assert _mapping(decimal=",").record(_row(letter=text))["credit_letter_value"] == pytest.approx(number)


@pytest.mark.parametrize("text", ["12.50", "3.5", "1.23,4", "1.2345", "1,2.3", ".5", "0.123", "-0.250"])
def test_a_dot_that_separates_no_thousands_is_not_dropped_from_a_brazilian_number(text: str) -> None:
    assert _mapping(decimal=",").record(_row(letter=text))["credit_letter_value"] == text


@pytest.mark.parametrize("text", ["mil", "1_000", "R$ mil", "10 R$", "1,000.5", "0x10"])
def test_text_that_is_no_number_stays_text_for_the_schema_to_refuse(text: str) -> None:
    assert _mapping().record(_row(letter=text))["credit_letter_value"] == text


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "1e999"])
def test_a_number_that_is_not_finite_is_left_for_the_schema_to_refuse(text: str) -> None:
    record = _mapping().record(_row(letter=text))
    with pytest.raises(ValueError, match="credit_letter_value"):
        ConsorcioApplication.model_validate(record)


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(".,"))
def test_any_written_number_is_read_back_to_the_last_bit(number: float, decimal: str) -> None:
    text = repr(number).replace(".", decimal)
    assert _mapping(decimal=decimal).record(_row(letter=text))["credit_letter_value"] == number


def test_the_target_says_who_defaulted() -> None:
    mapping = _mapping(target={"column": "status", "defaulted": ["bad", "lost"], "paid": ["good"]})
    found = [mapping.defaulted({"status": text}) for text in ("bad", " lost ", "good", "?", "")]
    assert found == [True, True, False, None, None]


def test_by_default_the_outcome_column_says_paid_or_defaulted() -> None:
    assert Target() == Target(column="outcome", defaulted=("DEFAULTED",), paid=("PAID",))


def test_own_names_map_to_themselves_and_to_nothing_else() -> None:
    mapping = ColumnMapping.of_own_names([*EXAMPLE_APPLICATION, "outcome", "sexo"], CATALOGUE)
    assert mapping.columns == {name: name for name in MAPPABLE}
    assert mapping.ignore == ("application_id",)


def test_a_mapping_without_columns_is_that_of_own_names(tmp_path: Path) -> None:
    mapping = _read(tmp_path, 'decimal = ","\nignore = ["cpf"]\n[constants]\nterm_months = 60')
    found = mapping.for_header(["credit_letter_value", "term_months", "outcome", "decided_at"])
    assert found.columns == {"credit_letter_value": "credit_letter_value"}
    assert (found.decimal, found.date_column, found.ignore) == (",", "decided_at", ("cpf", "application_id"))


def test_a_mapping_with_columns_takes_no_others(tmp_path: Path) -> None:
    mapping = _read(tmp_path, '[columns]\nage = "years"')
    assert mapping.for_header(["credit_letter_value", "years"]) is mapping


def test_a_mapping_file_is_read_whole(tmp_path: Path) -> None:
    mapping = _read(
        tmp_path,
        """
        delimiter = ";"
        decimal = ","
        encoding = "latin-1"
        [columns]
        credit_letter_value = "valor"
        [factors]
        credit_letter_value = 0.01
        [target]
        column = "situacao"
        defaulted = ["inadimplente"]
        paid = ["quitado"]
        """,
    )
    assert mapping.record({"valor": "2.400.000,00"}) == {"credit_letter_value": 24000}
    assert mapping.defaulted({"situacao": "inadimplente"}) is True


@pytest.mark.parametrize(("name", "catalogue"), [("embedded.toml", "consorcio"), ("kaggle.toml", "kaggle")])
def test_the_mapping_of_a_shipped_source_has_a_note_on_its_data(name: str, catalogue: str) -> None:
    assert len(ColumnMapping.read(SOURCES_FOLDER / name, shipped(catalogue)).note) > 40


def test_a_missing_mapping_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.toml: cannot be read"):
        ColumnMapping.read(tmp_path / "nowhere.toml", CATALOGUE)


def test_a_mapping_file_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"mapping\.toml: not valid TOML: .*line 1"):
        _read(tmp_path, "columns: {}")


def test_a_mapping_file_of_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataError, match="not valid TOML"):
        ColumnMapping.read(path, CATALOGUE)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[columns]\nsalary = "income"', "'salary' is not a field that can be mapped: expected one of"),
        ('[columns]\nsexo = "sexo"', r"'sexo' is not a field.*Refused: sex .*Lei 12\.414/2011"),
        ('[columns]\napplication_id = "id"', "'application_id' is not a field that can be mapped"),
        ("[columns]\n[factors]\nsalary = 2", "factors: .*'salary' is not a field"),
        ('[columns]\nmonthly_incme = "a"', r"Did you mean monthly_income by monthly_incme\?$"),
        ('colums = 1\n[columns]\nage = "a"', r"colums: Unknown field; did you mean columns\?$"),
        ('[target]\noverdue_day = 90\n[columns]\nage = "a"', r"overdue_day: .* did you mean overdue_days\?$"),
        ('delimiter = ";;"\n[columns]\nage = "a"', "delimiter: "),
        ('decimal = "x"\n[columns]\nage = "a"', "decimal: "),
        ("[columns]\nage = 3", "columns.age: "),
    ],
)
def test_a_wrong_mapping_file_is_refused_with_the_entry_and_what_was_expected(
    tmp_path: Path, text: str, problem: str
) -> None:
    with pytest.raises(DataError, match=rf"mapping\.toml: .*{problem}"):
        _read(tmp_path, text)


def test_a_misspelt_setting_is_not_answered_with_the_fields_of_an_application(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="delimitr: ") as caught:
        _read(tmp_path, 'delimitr = ";"\n[columns]\nage = "a"')
    assert "marital_status" not in str(caught.value)


@pytest.mark.parametrize("table", ["columns", "factors"])
def test_every_field_that_cannot_be_mapped_is_named_at_once(table: str) -> None:
    content = {"catalogue": CATALOGUE, "columns": {}, table: {"salary": "1", "sexo": "1", "wage": "1"}}
    with pytest.raises(ValueError, match=table) as caught:
        ColumnMapping.model_validate(content)
    problem = str(caught.value)
    assert "'salary', 'wage' are not fields that can be mapped: expected one of good_type, " in problem
    assert "'sexo' is not a field that can be mapped: Refused: sex " in problem


def test_every_column_in_disguise_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        _read(tmp_path, '[columns]\nhousing = "MARITAL_STATUS"\njob_type = "NACIONALITY"\nage = "outcome"')
    problem = str(caught.value)
    assert "column 'MARITAL_STATUS' cannot be mapped to housing: Refused: marital status never decides" in problem
    assert "column 'NACIONALITY' cannot be mapped to job_type: Refused: origin " in problem
    assert "column 'outcome' is the target, it cannot be mapped to age as well" in problem


def test_a_column_about_marital_status_can_be_mapped_to_that_audit_field() -> None:
    mapping = ColumnMapping.model_validate({"catalogue": CATALOGUE, "columns": {"marital_status": "MARITAL_STATUS"}})
    assert mapping.columns == {"marital_status": "MARITAL_STATUS"}


def test_a_column_of_births_can_be_mapped_to_what_is_no_feature() -> None:
    mapping = ColumnMapping.model_validate({"catalogue": CATALOGUE, "columns": {"age": "ano_nascimento"}})
    assert mapping.columns == {"age": "ano_nascimento"}
    with pytest.raises(ValidationError, match="cannot be mapped to job_tenure_years: age never decides"):
        ColumnMapping.model_validate({"catalogue": CATALOGUE, "columns": {"job_tenure_years": "ano_nascimento"}})


@pytest.mark.parametrize(
    "text",
    [
        '[columns]\nhousing = "sexo"',
        '[columns]\nsalary = "income"',
        'date_format = "%Y"\n[columns]\nage = "a"',
        '[columns]\nage = "outcome"',
    ],
)
def test_a_fault_is_told_in_words_of_the_project_alone(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError) as caught:
        _read(tmp_path, text)
    assert "Value error" not in str(caught.value)
    assert ": :" not in str(caught.value)


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (["age", "housing"], None),
        (["age", "housing", "age"], "more than one column is named age. Rename them."),
        (["age", "", ""], "more than one column is named (empty). Rename them."),
        (["37", "24000", "37"], "the first line is no list of column names. Put one above the rows."),
    ],
)
def test_a_header_that_repeats_itself_is_told_with_what_to_do(header: list[str], problem: str | None) -> None:
    assert repeated_names(header) == problem


def test_all_faults_of_a_mapping_file_are_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"delimiter: .*; decimal: .*; missing: "):
        _read(tmp_path, 'delimiter = ""\ndecimal = "x"\nmissing = 3')


@pytest.mark.parametrize(
    ("days", "defaulted"), [("0", False), ("89", False), ("90", True), ("1.200", True), ("x", None)]
)
def test_days_overdue_tell_who_defaulted(days: str, defaulted: bool | None) -> None:
    found = _mapping(decimal=",", target={"column": "dias", "overdue_days": 90})
    assert found.defaulted({"dias": days}) is defaulted


def test_an_outcome_may_be_unknown_yet() -> None:
    found = _mapping(target={"column": "situacao", "unknown": ["em dia"]})
    assert found.is_unknown({"situacao": " em dia "})
    assert not found.is_unknown({"situacao": "PAID"})


def test_a_constant_is_in_every_record() -> None:
    found = _mapping(constants={"good_type": "CAR", "term_months": 60})
    assert {"good_type": "CAR", "term_months": 60}.items() <= found.record(_row()).items()


@pytest.mark.parametrize(
    ("constants", "said"),
    [({"wage": 1}, "'wage' is not a field"), ({"age": 40}, "age has column 'years' and a constant")],
)
def test_a_constant_that_cannot_be_one_is_refused(constants: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        _mapping(constants=constants)
