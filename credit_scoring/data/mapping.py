"""How a foreign table's columns, values and units become application fields; read from a TOML file."""

import math
import re
import tomllib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.fields import ApplicationField
from credit_scoring.application.forbidden import disguise_reason, forbidden_reason
from credit_scoring.application.schemas import Fault, faults
from credit_scoring.decisions.queries import AFTER, BEFORE
from credit_scoring.errors import DataError

EXAMPLE_MOMENT = datetime(2026, 11, 24, 13, 5, 59)
OWN_DATE = "decided_at"
OWN_OTHERS = tuple(name for name in (*BEFORE, *AFTER) if name not in (OWN_DATE, "application_id", "outcome"))

_DECIMAL_COMMA = re.compile(r"-?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?([eE][+-]?\d+)?")
FLAGS = {
    **dict.fromkeys(("true", "1", "yes", "y", "sim", "s"), True),
    **dict.fromkeys(("false", "0", "no", "n", "não", "nao"), False),
}


class Target(BaseModel):
    """The column that tells what the client did, and what of it means default.

    Rows with a value in `unknown` are left out: their outcome is not known yet. With `overdue_days`, the column holds
    the most days that the client was overdue, and so many or more mean default. A client has to default within
    `window_months` to count; younger decisions had not enough time.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str = "outcome"
    defaulted: tuple[str, ...] = ("DEFAULTED",)
    paid: tuple[str, ...] = ("PAID",)
    unknown: tuple[str, ...] = ()
    overdue_days: float | None = Field(None, gt=0)
    window_months: int | None = Field(None, ge=1, le=120)

    @property
    def expected(self) -> str:
        """What the column may hold, in a few words."""
        if self.overdue_days is not None:
            return "a number of days"
        return f"one of {', '.join(self.defaulted + self.paid + self.unknown)}"


class ColumnMapping(BaseModel):
    """A TOML mapping file; each table is keyed by a field of the catalogue, which the file does not name itself.

    `columns` names the foreign column, `values` translates its values (to "" for missing), `factors` multiplies
    its numbers, `constants` gives fields that are the same in every row. Columns under `ignore` are known and left out;
    `note` is shown wherever results on this data are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    catalogue: Catalogue
    note: str = ""
    encoding: str = "utf-8-sig"
    delimiter: str = Field(",", min_length=1, max_length=1)
    decimal: str = Field(".", pattern="^[.,]$")
    missing: tuple[str, ...] = ("", "NA")
    target: Target = Target()
    date_column: str | None = Field(
        None, description="The column with the day of the decision; newest rows become the test."
    )
    date_format: str | None = Field(None, description="As in strptime; None is ISO 8601.")
    columns: dict[str, str]
    values: dict[str, dict[str, str]] = {}
    factors: dict[str, float] = {}
    constants: dict[str, str | bool | int | float] = {}
    ignore: tuple[str, ...] = ()

    @field_validator("columns", "values", "factors", "constants")
    @classmethod
    def _known_fields(cls, table: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        fields = info.data["catalogue"].fields
        unknown = [name for name in table if name not in fields]
        refused = {name: reason for name in unknown if (reason := forbidden_reason(name))}
        problems = [f"'{name}' is not a field that can be mapped: {reason}" for name, reason in refused.items()]
        if others := [f"'{name}'" for name in unknown if name not in refused]:
            are = "is not a field" if len(others) == 1 else "are not fields"
            problems.append(f"{', '.join(others)} {are} that can be mapped: expected one of {', '.join(fields)}")
        if problems:
            raise ValueError("; ".join(problems))
        return table

    @model_validator(mode="after")
    def _readable_dates(self) -> Self:
        if self.date_format is None:
            return self
        if self.date_column is None:
            raise ValueError("date_format says how date_column is written, which is missing")
        try:
            datetime.strptime(EXAMPLE_MOMENT.strftime(self.date_format), self.date_format)
        except (ValueError, re.error) as error:
            raise ValueError(f"date_format '{self.date_format}' does not read what it writes ({error})") from None
        return self

    @model_validator(mode="after")
    def _no_column_in_disguise(self) -> Self:
        problems = []
        for name, column in self.columns.items():
            if reason := disguise_reason(name, column):
                problems.append(f"column '{column}' cannot be mapped to {name}: {reason}")
            if name in self.constants:
                problems.append(f"{name} has column '{column}' and a constant: give one of them")
            if column == self.target.column:
                problems.append(f"column '{column}' is the target, it cannot be mapped to {name} as well")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @classmethod
    def read(cls, path: Path, catalogue: Catalogue) -> Self:
        """The mapping in a TOML file onto these fields; raises DataError when it is missing or wrong."""
        try:
            return cls.model_validate({**tomllib.loads(path.read_text(encoding="utf-8")), "catalogue": catalogue})
        except OSError as error:
            raise DataError(f"Mapping file {path}: cannot be read ({error.strerror}).") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise DataError(f"Mapping file {path}: not valid TOML: {error}.") from error
        except ValidationError as error:
            raise DataError(f"Mapping file {path}: {'; '.join(map(_problem, faults(error)))}.") from error

    @classmethod
    def of_own_names(cls, header: Sequence[str], catalogue: Catalogue) -> Self:
        """The mapping of a file whose columns already have the API's field names."""
        columns = {name: name for name in catalogue.fields if name in header}
        date_column = OWN_DATE if OWN_DATE in header else None
        others = [name for name in OWN_OTHERS if name in header]
        return cls(catalogue=catalogue, columns=columns, date_column=date_column, ignore=("application_id", *others))

    def record(self, row: Mapping[str, str]) -> dict[str, Any]:
        """The application fields of one row, typed where the text allows it; missing values are left out."""
        record: dict[str, Any] = {**self.constants}
        for name, column in self.columns.items():
            text = row[column].strip()
            translated = self.values.get(name, {}).get(text, text)
            if text not in self.missing and translated != "":
                record[name] = self._typed(self.catalogue.fields[name], translated)
        return record

    def day(self, row: Mapping[str, str]) -> date | None:
        """The day of this row's decision; None where the mapping names none or the text is none."""
        text = row[self.date_column].strip() if self.date_column else ""
        try:
            moment = datetime.strptime(text, self.date_format) if self.date_format else datetime.fromisoformat(text)
        except ValueError:
            return None
        return moment.date()

    def is_unknown(self, row: Mapping[str, str]) -> bool:
        """Whether the outcome of this row is not known yet."""
        return row[self.target.column].strip() in self.target.unknown

    def defaulted(self, row: Mapping[str, str]) -> bool | None:
        """Whether the client of this row defaulted; None when the target's value is neither."""
        value = row[self.target.column].strip()
        if self.target.overdue_days is not None:
            days = number_of(value, self.decimal)
            return None if days is None or math.isnan(days) else days >= self.target.overdue_days
        if value in self.target.defaulted:
            return True
        return False if value in self.target.paid else None

    def _typed(self, field: ApplicationField, text: str) -> Any:
        if field.kind == "flag":
            return FLAGS.get(text.lower(), text)
        if not field.is_number:
            return text
        number = number_of(text, self.decimal)
        if number is None:
            return text
        number *= self.factors.get(field.name, 1.0)
        return int(number) if number.is_integer() else number


def number_of(text: str, decimal: str) -> float | None:
    """The number that a text stands for, as `R$ 3.500,00` does with a decimal comma; None where it stands for none."""
    text = text.removeprefix("R$").strip()
    if decimal == "," and _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(".", "").replace(",", ".")
    elif decimal == "," or "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _problem(fault: Fault) -> str:
    """The text of a fault of a mapping file; a fault of the whole file names no entry."""
    message = fault.message.removeprefix("Value error, ")
    return f"{fault.field}: {message}" if fault.field else message


def repeated_names(header: Collection[str]) -> str | None:
    """What is wrong with a header with repeated names, and what to do; None if all names are unique."""
    twice = sorted(name for name, count in Counter(header).items() if count > 1)
    if twice and _may_be_data(header):
        return "the first line is no list of column names. Put one above the rows."
    return (
        f"more than one column is named {names_found([name or '(empty)' for name in twice])}. Rename them."
        if twice
        else None
    )


def names_found(header: Collection[str]) -> str:
    """The column names, unless the first line holds numbers: then it may be a client's data and is not shown."""
    if _may_be_data(header):
        return "a first line that is no list of names"
    return ", ".join(name[:40] for name in [*header][:30]) or "nothing"


def _may_be_data(header: Collection[str]) -> bool:
    return any(re.search(r"\b\d+\b", name) or not name.isprintable() for name in header)
