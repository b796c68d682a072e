"""CSV in chunks: the rows that training's reader finds, wherever the file is cut."""

import bz2
import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.batch import csv_chunks
from credit_scoring.batch.arrow import MISSHAPEN
from credit_scoring.batch.csv_chunks import CsvForm
from credit_scoring.data.mapping import ColumnMapping
from credit_scoring.errors import ConfigurationError, DataError

HEADER = ("age", "credit_letter_value", "monthly_income")
GOOD = "37,24000,3210\n"


def mapping(**changes: str) -> ColumnMapping:
    return ColumnMapping.of_own_names(HEADER, CATALOGUE).model_copy(update=changes)


def file(folder: Path, text: str, encoding: str = "utf-8", name: str = "in.csv") -> Path:
    path = folder / name
    path.write_bytes((",".join(HEADER) + "\n" + text).encode(encoding))
    return path


def rows_of(path: Path, used: ColumnMapping | None = None) -> list[list[str] | None]:
    """The cells of each row, None where there are too many or too few; fails where rows are numbered otherwise."""
    form = CsvForm.of(path, CATALOGUE, used, None)
    found: list[list[str] | None] = []
    for chunk in form.chunks(path, 0):
        assert chunk.first_row == len(found) + 1
        batch = pyarrow.Table.from_batches([form.batch(chunk.content)])
        assert batch.num_rows == chunk.rows
        cells = zip(*(batch[name].to_pylist() for name in HEADER), strict=True)
        found += [None if odd else [*row] for odd, row in zip(batch[MISSHAPEN].to_pylist(), cells, strict=True)]
    return found


def rows_of_training(text: str) -> list[list[str] | None]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    return [row if len(row) == len(HEADER) else None for row in reader if row]


pieces = st.sampled_from([",", ",", ",", '"', '""', "\n", "\r\n", "\r", " ", "a", "é", "1.5", "\x00", "\u2028"])


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.lists(pieces, max_size=40).map("".join) | st.just(GOOD * 3), size=st.integers(1, 30))
def test_rows_are_those_that_training_reads_wherever_the_file_is_cut(
    text: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_chunks, "CHUNK_CHARACTERS", size)
    path = file(tmp_path, text)
    try:
        expected = rows_of_training(text)
    except csv.Error:
        with pytest.raises(DataError, match=r"in.csv, line \d+: not CSV"):
            rows_of(path)
    else:
        assert rows_of(path) == expected


def test_a_cell_may_have_several_lines(tmp_path: Path) -> None:
    assert rows_of(file(tmp_path, f'37,"24\n000",3210\n{GOOD}')) == [["37", "24\n000", "3210"], ["37", "24000", "3210"]]


def test_the_mark_that_windows_puts_before_a_text_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert rows_of(file(tmp_path, GOOD, "utf-8-sig")) == [["37", "24000", "3210"]]
    named = ColumnMapping.model_validate({"catalogue": CATALOGUE, "encoding": "utf-8"})
    assert rows_of(file(tmp_path, GOOD, "utf-8-sig"), named) == [["37", "24000", "3210"]]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16"])
def test_a_file_is_decoded_as_its_mapping_says(tmp_path: Path, encoding: str) -> None:
    assert rows_of(file(tmp_path, "37,é,1\n", encoding), mapping(encoding=encoding)) == [["37", "é", "1"]]


@pytest.mark.parametrize(("ending", "packed"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
def test_a_packed_file_is_unpacked(tmp_path: Path, ending: str, packed: Callable[[bytes], bytes]) -> None:
    plain = file(tmp_path, GOOD)
    path = tmp_path / f"in.csv{ending}"
    path.write_bytes(packed(plain.read_bytes()))
    assert rows_of(path) == rows_of(plain)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"in.csv.\w+: cannot be read"):
        rows_of(path)


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        (b"37,\xe9,1\n", {}, r"not readable as utf-8-sig \(UnicodeDecodeError\)\. Is it a CSV file\?"),
        (b"37,1,1\n", {"encoding": "klingon"}, r"not readable as klingon \(LookupError\)"),
        (b'37,1,1\n37,1,1\n37,"1"0,1\n', {}, r"line 4: not CSV \('?.+ expected after"),
        (b'37,1,1\n37,"1,1\n', {}, r"line 3: not CSV \(unexpected end of data\)"),
    ],
)
def test_what_is_no_csv_is_an_error_that_says_where(
    tmp_path: Path, text: bytes, changes: dict[str, str], message: str
) -> None:
    path = file(tmp_path, "")
    path.write_bytes(path.read_bytes() + text)
    with pytest.raises(DataError, match=message):
        rows_of(path, mapping(**changes) if changes else None)


def test_a_delimiter_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="delimiter '§': expected one of ASCII"):
        rows_of(file(tmp_path, GOOD), mapping(delimiter="§"))


def test_a_row_with_too_few_or_too_many_cells_keeps_those_that_it_has(tmp_path: Path) -> None:
    path = file(tmp_path, f'{GOOD}"3\n7",1\n{GOOD}1,2,3,4\n')
    form = CsvForm.of(path, CATALOGUE, None, None)
    (chunk,) = form.chunks(path, 0)
    batch = form.batch(chunk.content)
    assert batch.column("age").to_pylist() == ["37", "3\n7", "37", "1"]
    assert batch.column("monthly_income").to_pylist() == ["3210", None, "3210", "3"]
    assert batch.column(MISSHAPEN).to_pylist() == [False, True, False, True]


def test_blank_lines_are_no_rows_and_all_others_are(tmp_path: Path) -> None:
    good = GOOD.strip().split(",")
    assert rows_of(file(tmp_path, f"\n{GOOD}\r\n\n1\n,,,\n{GOOD}")) == [good, None, None, good]
