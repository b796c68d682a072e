"""How a file is written is told from it where that is certain, and asked for where it is not."""

import csv
import io
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.data.datasets import load_csv
from credit_scoring.data.layout import DELIMITERS, UNTOLD, Layout, certain_decimal, decimal_sign, decimals_of, number_of
from credit_scoring.data.tables import Table, read_table
from credit_scoring.errors import DataError

ENCODINGS = ("utf-8", "utf-8-sig", "windows-1252", "latin-1", "utf-16")
PORTUGUESE = st.text("abçãéíôúÇÃÉ ;,|\t\"'\n", min_size=1, max_size=8) | st.sampled_from(["1ª", "nº 2", "São João"])


def written(header: list[str], rows: list[list[str]], encoding: str = "utf-8", delimiter: str = ",") -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows([header, *rows])
    return text.getvalue().encode(encoding)


def read(content: bytes, layout: Layout | None = None) -> Table:
    return read_table(content, ".csv", "File x", layout or Layout())


def lines_told(error: pytest.ExceptionInfo[DataError]) -> list[str]:
    return re.findall(r'\w+ = "[^"]+"', str(error.value))


@given(
    st.lists(st.tuples(PORTUGUESE, st.decimals(-9999, 9999, places=2)), min_size=1, max_size=8),
    st.sampled_from(ENCODINGS),
    st.sampled_from(DELIMITERS),
    st.sampled_from(",."),
)
def test_a_table_reads_back_the_same_however_it_is_written(
    rows: list[tuple[str, float]], encoding: str, delimiter: str, decimal: str
) -> None:
    cells = [[text, str(number).replace(".", decimal)] for text, number in rows]
    found = read(written(["situação", "valor"], cells, encoding, delimiter))
    assert found.header == ("situação", "valor")
    assert [list(row.values()) for _, row in found.rows()] == cells
    assert found.decimal(["valor"]) == decimal


@given(st.lists(st.sampled_from(["1.234", "5", "R$ 9.876", "-1.000"]), min_size=1).filter(lambda each: each != ["5"]))
def test_numbers_that_may_be_thousands_or_decimals_are_asked_for(texts: list[str]) -> None:
    found = read(written(["valor", "outro"], [[text, "x"] for text in texts]))
    if {*texts} == {"5"}:
        assert found.decimal(["valor"]) == "."
        return
    with pytest.raises(DataError, match="may be a thousand") as caught:
        found.decimal(["valor"])
    assert lines_told(caught) == ['decimal = ","', 'decimal = "."']


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("1,5", ","),
        ("R$ 1.234,50", ","),
        ("1.234.567", ","),
        ("0,125", ","),
        ("1.5", "."),
        ("0.125", "."),
        ("1234.567", "."),
        ("1.234", ""),
        ("1,234", ""),
        ("R$ 1.234", ""),
        ("1,234.56", None),
        ("12.03.2025", None),
        ("123.456.789-00", None),
        ("a, b", None),
    ],
)
def test_the_decimal_sign_of_a_number_is_told_where_only_one_fits(text: str, sign: str | None) -> None:
    assert decimal_sign(text) == sign


@pytest.mark.parametrize(
    ("text", "number"),
    [("1.234", None), ("R$ 1.234", None), ("1,234", None), ("1,5", None), ("1234", 1234.0), ("0.125", 0.125)],
)
def test_while_the_decimal_sign_is_untold_a_number_is_one_that_has_but_one_reading(
    text: str, number: float | None
) -> None:
    assert number_of(text, UNTOLD) == number


@pytest.mark.parametrize(
    ("commas", "points", "sign"), [(1000, 0, ","), (1000, 4, ","), (4, 1000, "."), (1000, 40, None), (1, 1, None)]
)
def test_a_few_typing_errors_leave_the_decimal_sign_certain(commas: int, points: int, sign: str | None) -> None:
    rows = [{"valor": "1,5"}] * commas + [{"valor": "1.5"}] * points
    assert certain_decimal(decimals_of(rows, ["valor"])) == sign


def test_a_column_of_texts_says_nothing_of_the_decimal_sign() -> None:
    rows = [{"obs": f"deve {number},5 parcelas" if number % 3 else "1,5", "valor": "2.5"} for number in range(30)]
    assert certain_decimal(decimals_of(rows, ["obs", "valor"])) == "."


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ("situação;valor\npróprio;1\n".encode("cp850"), "encoding"),
        ("nome;valor\nJosé;1\n".encode() + "José;2\n".encode("latin-1"), "encoding"),
        ("nome;valor\nSão Paulo;1\n".encode() + "São Paulo;2\n".encode("latin-1"), "encoding"),
        (b"a;b\0\n1;2\n", "encoding"),
        ("a;b\n1;2\n".encode("utf-16-le"), "encoding"),
        (b"nome;renda,mensal;x\nAna;1000,00;1\n", "delimiter"),
    ],
)
def test_what_is_not_certain_is_asked_for_in_lines_that_can_be_pasted(content: bytes, key: str) -> None:
    with pytest.raises(DataError) as caught:
        read(content)
    lines = lines_told(caught)
    assert len(lines) > 1
    assert all(tomllib.loads(line).keys() == {key} for line in lines)
    assert "--mapping" in str(caught.value)


def test_a_pasted_line_alone_is_a_mapping_and_reads_the_file(tmp_path: Path) -> None:
    rows = [[str(1000 + n), "PAID" if n % 2 else "DEFAULTED", "próprio"] for n in range(200)]
    path, mapping = tmp_path / "own.csv", tmp_path / "mapping.toml"
    path.write_bytes(written(["credit_letter_value", "outcome", "nota"], rows, "cp850", ";"))
    with pytest.raises(DataError) as caught:
        load_csv(path, CATALOGUE)
    mapping.write_text(lines_told(caught)[1], encoding="utf-8")
    assert len(load_csv(path, CATALOGUE, mapping).frame) == 200


def test_a_delimiter_within_a_name_does_not_hide_the_one_that_all_rows_have() -> None:
    found = read(b"nome;renda, mensal;x\nAna;1000;1\nRui;2000;0\n")
    assert found.header == ("nome", "renda, mensal", "x")


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf-8-sig"])
def test_the_mark_that_windows_puts_before_a_text_in_utf_8_is_no_part_of_it(encoding: str) -> None:
    for marked in ("utf-8", "utf-8-sig"):
        assert read(written(["valor"], [["1"]], marked), Layout(encoding=encoding)).header == ("valor",)


def test_a_file_of_one_column_has_no_delimiter() -> None:
    assert read(b"valor\n1\n").header == ("valor",)


def test_what_the_mapping_says_is_not_second_guessed() -> None:
    content = b"a;b\n1,5;2\n"
    found = read(content, Layout(delimiter=",", decimal="."))
    assert (found.header, found.decimal(["a;b"])) == (("a;b",), ".")


@given(st.binary(max_size=60))
def test_any_bytes_are_a_table_or_refused(content: bytes) -> None:
    try:
        found = read(content)
        rows, decimal = list(found.rows()), found.decimal(found.header)
    except DataError:
        return
    assert decimal in (",", ".")
    assert all({*found.header} <= {*row} for _, row in rows)


def test_no_error_shows_a_cell() -> None:
    for content in (b"a,b;c\n9876543,9.876;1\n", b"a,b\n9.876,1\n", "a,b\n9876543\x87".encode("latin-1")):
        with pytest.raises(DataError) as caught:
            read(content).decimal(["a"])
        assert "876" not in str(caught.value)
