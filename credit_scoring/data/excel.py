"""Excel sheets as CSV, so that one reader checks all files; the lines of the CSV are the rows of the sheet."""

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import date, time, timedelta

from credit_scoring.data.layout import Layout, decimal_among, uncertain
from credit_scoring.errors import DataError

MOST_BYTES = 1024**3  # unpacked
MOST_CELLS = 10_000_000  # of a sheet, the empty ones between others as well
MOST_NAMED = 10
OTHERWISE = "Save the sheet as CSV."

Cell = float | str | bool | time | date | timedelta
Rows = list[list[Cell]]

_PLACE = re.compile(rb"""\br\s*=\s*["']([A-Za-z]{0,3})(\d{1,7})["']""")  # of a row or a cell: r="7", r="AB7"
_CHUNK = 1024 * 1024
_LONGEST_PLACE = 64


def csv_of_excel(content: bytes, name: str, layout: Layout) -> tuple[str, str]:
    """The sheet as CSV with commas, and the decimal sign of its numbers; raises DataError where there is none.

    Dates are written as the layout's date_format has it. A cell with an error, such as #N/A, is empty.
    """
    _check_size(content, name)
    rows = _rows(content, name, layout.sheet)
    decimal = decimal_among(_texts(rows), range(max(map(len, rows), default=0)), name, layout)
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\n")
    for row in rows:
        cells = [_text(cell, decimal, layout.date_format) for cell in row]
        writer.writerow(cells if any(cells) else [])
    return written.getvalue(), decimal


def _check_size(content: bytes, name: str) -> None:
    """Raises DataError where the sheets would not fit into memory: a small file may place one cell very far out."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            if sum(each.file_size for each in file.infolist()) > MOST_BYTES:
                raise DataError(f"{name}: larger than {MOST_BYTES:,} bytes unpacked. {OTHERWISE}")
            for entry in file.namelist():
                if entry.endswith(".xml") and (cells := _extent(file, entry)) > MOST_CELLS:
                    raise DataError(f"{name}: a sheet of {cells:,} cells; {MOST_CELLS:,} are allowed. {OTHERWISE}")
    except DataError:
        raise
    except Exception as error:  # zipfile does not wrap those of struct, zlib and seek
        raise _unreadable(name, error) from error


def _extent(file: zipfile.ZipFile, entry: str) -> int:
    """The cells between the first one and the farthest that this part of the file places."""
    rows = columns = 0
    before = b""
    with file.open(entry) as part:
        while chunk := part.read(_CHUNK):
            for letters, number in _PLACE.findall(before + chunk):
                rows, columns = max(rows, int(number)), max(columns, _column(letters))
            before = chunk[-_LONGEST_PLACE:]
    return rows * columns


def _column(letters: bytes) -> int:
    """The number of a column, from 1; 0 of no letters."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - ord("A") + 1
    return number


def _rows(content: bytes, name: str, wanted: str | None) -> Rows:
    try:
        import python_calamine as calamine  # noqa: PLC0415 - optional
    except ImportError as error:
        raise DataError(
            f"{name}: Excel needs python-calamine. Run `make install`, or save the sheet as CSV."
        ) from error
    try:
        with calamine.load_workbook(io.BytesIO(content)) as book:
            kinds = (calamine.SheetVisibleEnum.Visible, calamine.SheetTypeEnum.WorkSheet)
            visible = [each.name for each in book.sheets_metadata if (each.visible, each.typ) == kinds]
            if wanted is not None and wanted not in book.sheet_names:
                raise DataError(f"{name}: no sheet {wanted}, which the mapping names; found {', '.join(visible)}.")
            sheets = [book.get_sheet_by_name(each) for each in ([wanted] if wanted else visible)]
            filled = [sheet for sheet in sheets if sheet.height > 1] or sheets[:1]
            if len(filled) > 1:
                names = [sheet.name for sheet in filled]
                raise uncertain(name, f"{len(names)} of its sheets have rows", "sheet", names[:MOST_NAMED])
            return [row for sheet in filled for row in sheet.to_python(skip_empty_area=False)]
    except calamine.CalamineError as error:
        raise _unreadable(name, error) from error


def _texts(rows: Rows) -> Iterator[dict[int, str]]:
    """The cells that are texts, by column: only they have a decimal sign of their own."""
    return ({place: cell if isinstance(cell, str) else "" for place, cell in enumerate(row)} for row in rows)


def _text(cell: Cell, decimal: str, date_format: str | None) -> str:
    match cell:
        case bool():
            return str(cell).lower()
        case int() | float():
            return str(int(cell)) if float(cell).is_integer() else str(cell).replace(".", decimal)
        case date():
            return cell.strftime(date_format) if date_format else cell.isoformat()
    return " ".join(str(cell).split("\n")) if isinstance(cell, str) else str(cell)


def _unreadable(name: str, error: Exception) -> DataError:
    return DataError(
        f"{name}: not an .xlsx file that can be read ({type(error).__name__}); is it broken, or protected by a "
        f"password? {OTHERWISE}"
    )
