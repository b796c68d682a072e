"""Fields that a mapping computes from several columns: formulas, counts, the first that is not missing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.application.expressions import Expression
from credit_scoring.data.computed import formula
from credit_scoring.data.datasets import BadRow, Dataset, load_csv
from credit_scoring.data.mapping import ColumnMapping
from credit_scoring.errors import DataError

COLUMN_NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="`"), min_size=1, max_size=12)
NUMBERS = st.floats(-1e9, 1e9).map(lambda number: round(number, 2))
OUTCOMES = ("PAID", "DEFAULTED")


def mapping(**tables: Any) -> ColumnMapping:
    return ColumnMapping.model_validate({"catalogue": CATALOGUE, **tables})


def refusal(**tables: Any) -> str:
    with pytest.raises(ValueError, match=r"mapped|formula|count|give one|has no columns") as caught:
        mapping(**tables)
    return str(caught.value)


def loaded(folder: Path, lines: list[str], text: str) -> Dataset:
    (folder / "own.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
    (folder / "mapping.toml").write_text(text, encoding="utf-8")
    return load_csv(folder / "own.csv", CATALOGUE, folder / "mapping.toml")


@given(COLUMN_NAMES, COLUMN_NAMES, NUMBERS, NUMBERS)
def test_a_formula_computes_what_a_catalogue_s_expression_does_over_columns_of_any_name(
    first: str, second: str, a: float, b: float
) -> None:
    found = formula(f"(`{first}` - 2) / `{second}` + max(`{first}`, 0)")
    assert [*found.columns.values()] == list(dict.fromkeys([first, second]))
    numbers = {"a": a, "b": a if first == second else b}
    columns = {name: np.array([number]) for name, number in numbers.items()}
    expected = Expression("(a - 2) / b + max(a, 0)").evaluate(columns)
    assert found.value({first: numbers["a"], second: numbers["b"]}) == expected[0]


def test_a_formula_takes_the_cells_of_its_columns() -> None:
    found = mapping(decimal=",", formulas={"monthly_income": "salario / 12 + `Bônus (R$)`"})
    assert found.record({"salario": "R$ 24.000,00", "Bônus (R$)": "500,5"}) == {"monthly_income": 2500.5}
    assert found.numeric_columns == found.used_columns == ("salario", "Bônus (R$)")


@pytest.mark.parametrize("cell", ["", "NA", " ", "nenhum"])
def test_a_formula_over_a_missing_cell_is_missing(cell: str) -> None:
    found = mapping(formulas={"monthly_income": "a + b"}, values={"monthly_income": {"nenhum": ""}})
    assert found.record({"a": cell, "b": "1"}) == {}


def test_flags_and_translated_texts_are_numbers_in_a_formula() -> None:
    found = mapping(formulas={"term_months": "a + b + c"}, values={"term_months": {"doze": "12"}})
    assert found.record({"a": "SIM", "b": "não", "c": "doze"}) == {"term_months": 13}


def test_a_missing_cell_may_be_translated_to_a_number() -> None:
    found = mapping(formulas={"monthly_income": "a + b"}, values={"monthly_income": {"": "0"}})
    assert found.record({"a": "5", "b": " "}) == {"monthly_income": 5}


def test_a_cell_that_is_no_number_makes_a_bad_row_that_names_all_columns_of_the_formula(tmp_path: Path) -> None:
    lines = [f"{1000 + n},{OUTCOMES[n % 2]},{n},1" for n in range(200)]
    lines[7] = "1000,PAID,muito,1"
    lines[8] = "1000,PAID,5,0"
    found = loaded(
        tmp_path,
        ["credit_letter_value,outcome,a,b", *lines],
        '[columns]\ncredit_letter_value = "credit_letter_value"\n[formulas]\nmonthly_income = "a / b"',
    )
    assert found.bad_rows == (
        BadRow(9, "a, b", "Input should be a valid number"),
        BadRow(10, "a, b", "Input should be a finite number"),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("__import__('os')", "is not allowed"),
        ("salario +", "cannot be read"),
        ("`Salário Base` +", "`Salário Base`"),
        ("1 + 2", "names no field"),
        ("Salário Base / 12", "stands in backquotes"),
        ("a > 3", "is not allowed"),
    ],
)
def test_what_is_no_formula_is_refused_with_what_is_allowed(text: str, said: str) -> None:
    assert said in refusal(formulas={"monthly_income": text})


@pytest.mark.parametrize("column", ["sexo", "CD_SEXO", "raça/cor", "ESTADO CIVIL", "nacionalidade"])
@pytest.mark.parametrize("road", ["columns", "first_of", "counts", "formulas"])
def test_a_prohibited_column_is_refused_on_every_road(road: str, column: str) -> None:
    roads: dict[str, Any] = {
        "columns": column,
        "first_of": ["renda", column],
        "counts": {"columns": ["renda", column], "at_least": 1},
        "formulas": f"renda * `{column}`",
    }
    said = refusal(**{road: {"monthly_income": roads[road]}})
    assert f"column '{column}' cannot be mapped to monthly_income: Refused: " in said


@pytest.mark.parametrize(
    "tables",
    [
        {"columns": {"monthly_income": "Idade"}},
        {"formulas": {"job_tenure_years": "idade - 18"}},
        {"first_of": {"job_tenure_years": ["anos", "IDADE"]}},
        {"counts": {"job_tenure_years": {"columns": ["nr_idade"], "at_least": 60}}},
    ],
)
def test_age_becomes_no_feature_on_any_road(tables: dict[str, Any]) -> None:
    assert "age never decides" in refusal(**tables)
    assert mapping(columns={"age": "Idade"}).record({"Idade": "40"}) == {"age": 40}


@pytest.mark.parametrize(
    "road", [{"formulas": {"monthly_income": "renda * outcome"}}, {"first_of": {"housing": ["outcome"]}}]
)
def test_the_target_is_no_input_of_a_field(road: dict[str, Any]) -> None:
    assert "column 'outcome' is the target" in refusal(**road)


MONTHS = ["m1", "m2", "m3"]


@pytest.mark.parametrize(
    ("cells", "count"),
    [(["S", "N", "S"], 2), (["N", "N", "N"], 0), (["S", "atrasado", "S"], 3), (["S", "", "N"], None)],
)
def test_a_count_says_in_how_many_columns_a_value_is(cells: list[str], count: int | None) -> None:
    found = mapping(counts={"term_months": {"columns": MONTHS, "values": ["S", "atrasado"]}})
    expected = {} if count is None else {"term_months": count}
    assert found.record(dict(zip(MONTHS, cells, strict=True))) == expected
    assert found.numeric_columns == ()


@given(st.lists(st.none() | st.integers(0, 120), min_size=3, max_size=3), st.integers(1, 90))
def test_a_count_of_numbers_is_of_those_that_reach_the_limit(days: list[int | None], limit: int) -> None:
    count = {"columns": MONTHS, "at_least": limit, "if_missing": "no"}
    row = dict(zip(MONTHS, ["" if each is None else str(each) for each in days], strict=True))
    reached = sum(each is not None and each >= limit for each in days)
    found = mapping(counts={"term_months": count, "has_negative_record": count})
    assert found.record(row) == {"term_months": reached, "has_negative_record": reached > 0}


def test_a_count_over_a_text_that_is_no_number_is_left_for_the_schema_to_refuse() -> None:
    found = mapping(counts={"has_negative_record": {"columns": ["n"], "at_least": 1}})
    with pytest.raises(ValueError, match="has_negative_record"):
        CATALOGUE.application.model_validate({"credit_letter_value": 1, "age": 40, **found.record({"n": "muitas"})})


@pytest.mark.parametrize(
    ("cells", "income"),
    [(["3000", "9"], 3000), (["", "2000"], 2000), (["NA", "2000"], 2000), (["-", "2000"], 2000), (["", " "], None)],
)
def test_the_first_column_that_is_not_missing_is_taken(cells: list[str], income: int | None) -> None:
    found = mapping(
        first_of={"monthly_income": ["comprovada", "declarada"]},
        values={"monthly_income": {"-": ""}},
        factors={"monthly_income": 2},
    )
    expected = {} if income is None else {"monthly_income": income * 2}
    assert found.record(dict(zip(["comprovada", "declarada"], cells, strict=True))) == expected


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"columns": {"term_months": "a"}, "formulas": {"term_months": "b"}}, "has column 'a' and a formula: give one"),
        ({"formulas": {"term_months": "b"}, "constants": {"term_months": 5}}, "has a formula and a constant: give one"),
        ({"first_of": {"housing": []}}, "'housing' has no columns"),
        ({"formulas": {"housing": "a"}}, "housing has a formula, which gives a number, but is a category"),
        ({"counts": {"housing": {"columns": ["a"], "at_least": 1}}}, "housing has a count, but is a category"),
        ({"counts": {"term_months": {"columns": ["a"]}}}, "a count needs either values or at_least"),
        ({"counts": {"term_months": {"columns": [], "at_least": 1}}}, "counts.term_months.columns"),
        ({"formulas": {"term_months": "a"}, "factors": {"term_months": 2}}, "multiply in a formula"),
        ({"formulas": {"salary": "a"}}, "'salary' is not a field that can be mapped"),
    ],
)
def test_a_computed_field_that_cannot_be_one_is_refused(tables: dict[str, Any], said: str) -> None:
    assert said in refusal(**tables)


def test_a_column_that_a_formula_names_and_the_file_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no column salario; found valor, outcome\. Correct the mapping file"):
        loaded(
            tmp_path,
            ["valor,outcome", "1,PAID"],
            '[columns]\ncredit_letter_value = "valor"\n[formulas]\nmonthly_income = "salario / 12"',
        )


NO_HEADER = """
header = false
target.column = "3"
columns.credit_letter_value = "1"
formulas.term_months = "`2` * 12"
"""


def test_a_file_without_a_header_has_columns_by_position(tmp_path: Path) -> None:
    found = loaded(tmp_path, [f"{1000 + n};{1 + n % 5};{OUTCOMES[n % 2]};x" for n in range(200)], NO_HEADER)
    assert found.frame["credit_letter_value"].tolist() == [1000 + n for n in range(200)]
    assert found.frame["term_months"].tolist()[:2] == [12, 24]
    assert found.unused_columns == ("4",)


def test_a_position_that_a_file_without_a_header_lacks_is_told_without_its_first_row(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column 3; found 1 to 2, as it has no header") as caught:
        loaded(tmp_path, ["98765,4"], NO_HEADER)
    assert "98765" not in str(caught.value)
