"""The decimal sign of a batch's CSV files: told from how they begin, asked for where that is not certain."""

import re

import pytest

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.batch import decimals
from credit_scoring.batch.arrow import TextSource
from credit_scoring.batch.decimals import with_decimal
from credit_scoring.data.layout import UNTOLD
from credit_scoring.data.mapping import ColumnMapping
from credit_scoring.errors import DataError

HEADER = ("age", "credit_letter_value", "monthly_income")


def decimal_of(*rows_of_files: str, **written: object) -> str:
    """The decimal sign of files a, b … with these rows, in a mapping that says how they are written."""
    mapping = ColumnMapping.model_validate({"catalogue": CATALOGUE, "delimiter": ";", **written})
    files = [(name, f"{';'.join(HEADER)}\n{rows}".encode()) for name, rows in zip("abc", rows_of_files, strict=False)]
    return with_decimal(TextSource.of(HEADER, CATALOGUE, mapping), HEADER, files).mapping.decimal


@pytest.mark.parametrize(
    ("rows", "sign"),
    [
        ("37;60.000,50;3.500\n", ","),
        ("37;R$ 1.234.567;3.500\n", ","),
        ("37;60000.5;3.500\n", "."),
        ("37;60000;3500\n", UNTOLD),
        ("37;60000;NA\n1\n\n", UNTOLD),
        ("", UNTOLD),
    ],
)
def test_the_decimal_sign_is_told_from_the_numbers_of_a_file(rows: str, sign: str) -> None:
    assert decimal_of(rows) == sign


def test_numbers_that_may_be_thousands_or_decimals_are_asked_for_and_not_shown() -> None:
    with pytest.raises(DataError, match=r"^Input b: 2 numbers are like 1\.234, which may be a thousand") as caught:
        decimal_of("37;60000,5;3500\n", "37;61.000;3.510\n")
    assert re.findall(r'decimal = "."', str(caught.value)) == ['decimal = ","', 'decimal = "."']
    assert "61" not in str(caught.value)


def test_what_the_mapping_says_is_not_second_guessed() -> None:
    assert decimal_of("37;61.000;3.510\n", decimal=",") == ","
    assert decimal_of("37;61000,5;3.510\n", decimal=".") == "."


def test_a_file_that_tells_nothing_is_read_as_the_others_are() -> None:
    assert decimal_of("37;60000;3500\n", "37;60000,5;3500\n", "") == ","


def test_files_of_two_signs_are_refused() -> None:
    with pytest.raises(DataError, match=r"^Input b has a decimal comma, and a has a point\. Score them one by one\.$"):
        decimal_of("37;60000.5;3500\n", "37;60000,5;3500\n")


def test_a_row_that_the_sample_cuts_off_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "37;60000;3500\n37;60000;3.500"  # of 3.5001
    monkeypatch.setattr(decimals, "SAMPLE_BYTES", len(";".join(HEADER)) + 1 + len(rows))
    assert decimal_of(rows) == UNTOLD


def test_without_a_header_the_first_row_tells_as_well() -> None:
    mapping = ColumnMapping.model_validate(
        {"catalogue": CATALOGUE, "header": False, "columns": {"age": "1", "credit_letter_value": "2"}}
    )
    source = TextSource.of(("1", "2"), CATALOGUE, mapping)
    assert with_decimal(source, ("1", "2"), [("a", b"37,60000.5\n")]).mapping.decimal == "."
