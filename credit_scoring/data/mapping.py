"""How a foreign table's columns, values and units become application fields; read from a TOML file."""

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.fields import ApplicationField
from credit_scoring.application.forbidden import disguise_reason, forbidden_reason
from credit_scoring.data.layout import Layout, number_of
from credit_scoring.decisions.queries import AFTER, BEFORE

EXAMPLE_MOMENT = datetime(2026, 11, 24, 13, 5, 59)
OWN_DATE = "decided_at"
OWN_OTHERS = tuple(name for name in (*BEFORE, *AFTER) if name not in (OWN_DATE, "application_id", "outcome"))

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


class ColumnMapping(Layout):
    """A TOML mapping file; each table is keyed by a field of the catalogue, which the file does not name itself.

    `columns` names the foreign column, `values` translates its values (to "" for missing), `factors` multiplies
    its numbers, `constants` gives fields that are the same in every row. Columns under `ignore` are known and left out;
    `note` is shown wherever results on this data are. Without `columns`, the file has the API's field names.
    """

    catalogue: Catalogue
    note: str = ""
    missing: tuple[str, ...] = ("", "NA")
    target: Target = Target()
    date_column: str | None = Field(
        None, description="The column with the day of the decision; newest rows become the test."
    )
    columns: dict[str, str] = Field({})
    values: dict[str, dict[str, str]] = Field({})
    factors: dict[str, float] = Field({})
    constants: dict[str, str | bool | int | float] = Field({})
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
        return cls.of_file(path, catalogue=catalogue)

    @classmethod
    def of_own_names(cls, header: Collection[str], catalogue: Catalogue) -> Self:
        """The mapping of a file whose columns already have the API's field names."""
        return cls(catalogue=catalogue).for_header(header)

    def for_header(self, header: Collection[str]) -> Self:
        """The mapping itself; where it names no columns, that of a file whose columns have the API's field names."""
        if "columns" in self.model_fields_set:
            return self
        taken = {*self.constants, self.target.column}
        columns = {name: name for name in self.catalogue.fields if name in header and name not in taken}
        date_column = self.date_column or (OWN_DATE if OWN_DATE in header else None)
        others = [name for name in OWN_OTHERS if name in header]
        ignore = (*self.ignore, "application_id", *others)
        return self.model_copy(update={"columns": columns, "date_column": date_column, "ignore": ignore})

    @property
    def numeric_columns(self) -> tuple[str, ...]:
        """The columns whose texts are numbers."""
        fields = self.catalogue.fields
        overdue = [self.target.column] if self.target.overdue_days is not None else []
        return (*overdue, *(column for name, column in self.columns.items() if fields[name].is_number))

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
