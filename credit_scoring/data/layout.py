"""How a file is written: what a mapping says of it, and what can be told from its content with certainty."""

import codecs
import csv
import io
import json
import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from credit_scoring.application.schemas import Fault, faults_of_file
from credit_scoring.application.suggestions import ended
from credit_scoring.errors import DataError

DELIMITERS = (";", ",", "\t", "|")
SAMPLE = 200  # rows that are compared in width
TYPING_ERRORS = 0.005  # of a file's numbers may be written the other way, and are then reported as bad rows
UNTOLD = ""  # the decimal sign of files in which nothing tells it

_DECIMAL_COMMA = re.compile(r"-?(\d+|[1-9]\d{0,2}(\.\d{3})+)(,\d+)?([eE][+-]?\d+)?")
EITHER = re.compile(r"-?[1-9]\d{0,2}[.,]\d{3}")  # 1.234: thousands, or three decimals
# Characters that neither Portuguese nor a person's name needs, and UTF-8 beside another encoding.
_NOT_WESTERN = re.compile(r"[^\t\r\n\x20-~À-ÄÇ-ÏÑ-ÖÙ-Üà-äç-ïñ-öù-üßŠšŽžª°º§²³´·–—‘’“”•…€®™\xa0]")
_UTF_8 = re.compile(rb"\xc3[\x80-\xbf]")
_SIGNS = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar", ".": "point"}

Key = TypeVar("Key", str, int)


class Layout(BaseModel):
    """How a file is written; of a CSV file, what is not set is told from the file where that is certain.

    Without a `header`, columns are named by their position: "1", "2" and so on. `sheet` is for Excel.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoding: str = "utf-8-sig"
    delimiter: str = Field(",", min_length=1, max_length=1)
    decimal: str = Field(".", pattern="^[.,]$")
    header: bool = True
    sheet: str | None = None
    date_format: str | None = Field(None, description="As in strptime; None is ISO 8601.")

    @field_validator("encoding")
    @classmethod
    def _with_or_without_mark(cls, encoding: str) -> str:
        """UTF-8 may begin with a mark, as Windows writes it; a name of no encoding is told when a file is read."""
        try:
            return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
        except LookupError:
            return encoding

    def names_in(self, first: Sequence[str]) -> list[str]:
        """The names of the columns of a file with this first row."""
        return [*first] if self.header else [str(place) for place, _ in enumerate(first, start=1)]

    @property
    def summary(self) -> str:
        """What is known of it in a few words."""
        known = self.model_dump(include={"sheet", "encoding", "delimiter", "decimal"} & self.model_fields_set)
        return ", ".join(f"{key} {_SIGNS.get(value, value)}" for key, value in known.items())

    @classmethod
    def of_file(cls, path: Path, **more: Any) -> Self:
        """What a TOML file says, and `more`; raises DataError when the file is missing or wrong."""
        try:
            return cls.model_validate({**tomllib.loads(path.read_text(encoding="utf-8")), **more})
        except OSError as error:
            raise DataError(f"Mapping file {path}: cannot be read ({error.strerror}).") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise DataError(f"Mapping file {path}: not valid TOML: {error}.") from error
        except ValidationError as error:
            told = "; ".join(map(_problem, faults_of_file(error, cls)))
            raise DataError(ended(f"Mapping file {path}: {told}")) from error


def _problem(fault: Fault) -> str:
    """The text of a fault of a mapping file; a fault of the whole file names no entry."""
    message = fault.message.removeprefix("Value error, ")
    return f"{fault.field}: {message}" if fault.field else message


def number_of(text: str, decimal: str) -> float | None:
    """The number that a text stands for, as `R$ 3.500,00` does with a decimal comma; None where it stands for none.

    With an untold decimal sign, one that may be a thousand or have three decimals stands for none.
    """
    text = text.removeprefix("R$").strip()
    if decimal == UNTOLD and EITHER.fullmatch(text):
        return None
    if decimal == "," and _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(".", "").replace(",", ".")
    elif decimal == "," or "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def decoded(content: bytes) -> tuple[str, str] | None:
    """The encoding and the text of a file in UTF-8, UTF-16 or Windows-1252; None where it is not plainly one of them.

    A text in Latin-1 is one in Windows-1252.
    """
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and len(content) > 2
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "windows-1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        odd = "\0" in text or (encoding == "windows-1252" and (_NOT_WESTERN.search(text) or _UTF_8.search(content)))
        return None if odd else (encoding, text)
    return None


def delimiters_of(text: str) -> list[str]:
    """What may separate the cells: one where it is certain, none where there is but one column."""
    widths = {delimiter: list(_widths(text, delimiter)) for delimiter in DELIMITERS}
    possible = [delimiter for delimiter, found in widths.items() if found[0] > 1]
    if len(possible) > 1:
        return [delimiter for delimiter in possible if len({*widths[delimiter]}) == 1] or possible
    return possible


def _widths(text: str, delimiter: str) -> Iterator[int]:
    """The number of cells of the first rows; 0 of what is no row."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        found = [len(row) for row in islice(rows, SAMPLE) if row]
    except csv.Error:
        found = []
    yield from found or [0]


def decimal_among(rows: Iterable[Mapping[Key, str]], columns: Collection[Key], name: str, layout: Layout) -> str:
    """The decimal sign that `layout` says, or that of the numbers in these columns; raises DataError if uncertain."""
    if "decimal" in layout.model_fields_set:
        return layout.decimal
    return decimal_of(decimals_of(rows, columns), name)


def decimal_of(found: Counter[str], name: str) -> str:
    """The decimal sign of a file with such numbers; raises DataError if uncertain."""
    if sign := certain_decimal(found):
        return sign
    problem = (
        f"{found[',']:,} numbers have a decimal comma and {found['.']:,} a point"
        if found[","]
        else f"{found['']:,} numbers are like 1.234, which may be a thousand or have three decimals"
    )
    raise uncertain(name, problem, "decimal", (",", "."))


def uncertain(name: str, problem: str, key: str, values: Sequence[str]) -> DataError:
    """The error about a file that has to be told how it is written: one of these values for this key of a mapping."""
    lines = " or ".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for value in values)
    return DataError(
        f"{name}: {problem}. Put one of these lines first in the mapping file; a file with this line alone is one, too "
        f"(--mapping): {lines}"
    )


def decimals_of(rows: Iterable[Mapping[Key, str]], columns: Collection[Key]) -> Counter[str]:
    """How many numbers of these columns have a decimal comma, how many a point, and how many may have either ("")."""
    signs: dict[Key, Counter[str | None]] = {column: Counter() for column in columns}
    for row in rows:
        for column, found in signs.items():
            text = row[column] or ""
            if "," in text or "." in text:
                found[decimal_sign(text.strip())] += 1
    of_numbers = [found for found in signs.values() if found.total() > 2 * found[None]]  # the others are texts
    return Counter({sign: sum(found[sign] for found in of_numbers) for sign in (",", ".", "")})


def decimal_sign(text: str) -> str | None:
    """The decimal sign of a text with a comma or a point: "" where it may be either, None where it is no number."""
    if EITHER.fullmatch(text.removeprefix("R$").strip()):
        return ""
    return next((sign for sign in ",." if number_of(text, sign) is not None), None)


def certain_decimal(found: Counter[str]) -> str | None:
    """The decimal sign of a file with such numbers; None where it is not certain."""
    commas, points = found[","], found["."]
    if not commas + points:
        return None if found[""] else "."
    if min(commas, points) > TYPING_ERRORS * (commas + points):
        return None
    return "," if commas > points else "."
