"""Excel as training data: read as the CSV file of the same table is, or refused in a line."""

import os
import re
import sys
import zipfile
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.data.datasets import BadRow, load_csv
from credit_scoring.data.layout import Layout
from credit_scoring.data.profile import profile
from credit_scoring.data.tables import MOST_BYTES, read_table
from credit_scoring.errors import DataError
from tests.support.excel import Cell, Sheets, write_excel

HEADER: list[Cell] = ["credit_letter_value", "has_negative_record", "good_type", "outcome", "decided_at"]
ROWS: list[list[Cell]] = [
    [
        1000.5 + row,
        row % 3 == 0,
        "CAR" if row % 2 else None,
        "PAID" if row % 3 else "DEFAULTED",
        date(2025, 1, 1) + timedelta(days=row),
    ]
    for row in range(200)
]


def book(tmp_path: Path, sheets: Sheets, hidden: tuple[str, ...] = ()) -> Path:
    return write_excel(tmp_path / "own.xlsx", sheets, hidden)


def mapping(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mapping.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(path: Path, *, told: Path | None = None) -> str:
    with pytest.raises(DataError) as caught:
        load_csv(path, CATALOGUE, told)
    return str(caught.value)


def test_a_sheet_gives_what_the_same_table_gives_as_csv(tmp_path: Path) -> None:
    pd.DataFrame(ROWS, columns=[str(name) for name in HEADER]).to_csv(tmp_path / "own.csv", index=False)
    found = load_csv(book(tmp_path, {"Propostas": [HEADER, *ROWS]}), CATALOGUE)
    expected = load_csv(tmp_path / "own.csv", CATALOGUE)
    pd.testing.assert_frame_equal(found.frame, expected.frame)
    assert (found.defaulted == expected.defaulted).all()
    assert found.days is not None
    assert expected.days is not None
    assert (found.days == expected.days).all()
    assert found.bad_rows == ()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5), st.sampled_from(",."))
def test_a_number_is_read_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[float], decimal: str
) -> None:
    path = write_excel(
        tmp_path_factory.mktemp("excel") / "own.xlsx", {"A": [["x", "y"], *([each, 1.5] for each in numbers)]}
    )
    table = read_table(path.read_bytes(), ".xlsx", "File x", Layout(decimal=decimal))
    assert [float(row["x"].replace(",", ".")) for _, row in table.rows()] == numbers


def test_numbers_as_text_with_a_decimal_comma_stand_beside_real_numbers(tmp_path: Path) -> None:
    rows = [["R$ 1.234,50" if row[1] else row[0], *row[1:]] for row in ROWS]
    found = load_csv(book(tmp_path, {"A": [HEADER, *rows]}), CATALOGUE)
    assert found.frame["credit_letter_value"].tolist()[:3] == [1234.5, 1001.5, 1002.5]


def test_real_dates_are_read_whatever_the_mapping_says_of_written_ones(tmp_path: Path) -> None:
    told = mapping(tmp_path, 'date_column = "decided_at"\ndate_format = "%d/%m/%Y"')
    rows = [*ROWS[1:], [*ROWS[0][:4], "31/12/2024"]]
    found = load_csv(book(tmp_path, {"A": [HEADER, *rows]}), CATALOGUE, told)
    assert found.days is not None
    assert (found.days.min(), found.bad_rows) == (pd.Timestamp("2024-12-31"), ())


def test_a_bad_row_is_reported_by_its_number_in_the_sheet(tmp_path: Path) -> None:
    broken: list[Cell] = [-1.0, None, "CAR\nnovo", "PAID", date(2025, 1, 1)]
    found = load_csv(book(tmp_path, {"A": [HEADER, *ROWS[:1], [], *ROWS[1:150], broken, *ROWS[150:]]}), CATALOGUE)
    assert {bad.line for bad in found.bad_rows} == {153}
    assert BadRow(153, "credit_letter_value", "Input should be greater than 0") in found.bad_rows


def test_the_sheet_with_rows_is_read_and_hidden_ones_are_not_looked_at(tmp_path: Path) -> None:
    sheets: Sheets = {"Leia-me": [["Notas"]], "Propostas": [HEADER, *ROWS], "Cálculo": [HEADER, *ROWS[:9]], "Vazia": []}
    assert len(load_csv(book(tmp_path, sheets, ("Cálculo",)), CATALOGUE).frame) == 200


def test_several_sheets_with_rows_are_asked_about_and_the_answer_is_a_line(tmp_path: Path) -> None:
    path = book(tmp_path, {"2024": [HEADER, *ROWS], '2025 "b"': [HEADER, *ROWS[:180]]})
    said = refused(path)
    assert "2 of its sheets have rows" in said
    line = said.split(" or ")[-1]
    assert line == 'sheet = "2025 \\"b\\""'
    assert len(load_csv(path, CATALOGUE, mapping(tmp_path, line)).frame) == 180
    assert profile(path, layout=Layout(sheet="2024")).rows == 200


def test_a_sheet_that_is_not_there_is_named_beside_those_that_are(tmp_path: Path) -> None:
    path = book(tmp_path, {"Propostas": [HEADER, *ROWS]})
    said = refused(path, told=mapping(tmp_path, 'sheet = "2024"'))
    assert "no sheet 2024, which the mapping names; found Propostas" in said


@pytest.mark.parametrize("sheets", [{"A": []}, {"A": [HEADER]}, {"A": [["x"], ["y"]]}])
def test_a_sheet_without_applications_is_refused(tmp_path: Path, sheets: Sheets) -> None:
    assert re.search("no column|no rows below", refused(book(tmp_path, sheets)))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\xd0\xcf\x11\xe0" + b"\0" * 600, b"credit_letter_value\n"])
def test_what_is_no_excel_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "own.xlsx"
    path.write_bytes(content)
    assert "own.xlsx: not an .xlsx file that can be read" in refused(path)


@given(st.data())
def test_a_damaged_file_is_read_or_refused_and_never_anything_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = write_excel(tmp_path_factory.mktemp("excel") / "own.xlsx", {"A": [HEADER, *ROWS[:5]]}).read_bytes()
    start = data.draw(st.integers(0, len(whole)))
    content = whole[:start] + data.draw(st.binary(max_size=4)) + whole[start + data.draw(st.integers(0, 40)) :]
    try:
        table = read_table(content, ".xlsx", "File x", Layout())
    except DataError:
        return
    assert list(table.header) in ([], HEADER)


def test_a_cell_far_out_is_refused_before_the_cells_between_take_memory(tmp_path: Path) -> None:
    path = book(tmp_path, {"A": [HEADER, *ROWS]})
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    parts["xl/worksheets/sheet1.xml"] = parts["xl/worksheets/sheet1.xml"].replace(b"</sheetData>", far)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    assert "a sheet of 17,179,869,184 cells; 10,000,000 are allowed. Save the sheet as CSV" in refused(path)


def test_a_file_that_unpacks_to_more_than_memory_holds_is_refused_by_what_it_says_of_itself(tmp_path: Path) -> None:
    path = book(tmp_path, {"A": [HEADER, *ROWS]})
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = (2**31).to_bytes(4, "little")
    path.write_bytes(content)
    assert "larger than 1,073,741,824 bytes unpacked" in refused(path)


def test_an_older_kind_of_excel_file_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "own.xls").write_bytes(b"\xd0\xcf\x11\xe0")
    assert "a .xls file; expected .xlsx, .parquet or CSV" in refused(tmp_path / "own.xls")


@pytest.mark.parametrize("suffix", ["xlsx", "csv"])
def test_a_huge_file_is_refused_unread(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"own.{suffix}"
    path.touch()
    os.truncate(path, MOST_BYTES + 1)
    assert f"own.{suffix}: larger than 2,147,483,648 bytes" in refused(path)


def test_without_its_library_excel_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    said = refused(book(tmp_path, {"A": [HEADER, *ROWS]}))
    assert said.endswith("Excel needs python-calamine. Run `make install`, or save the sheet as CSV.")
