"""How a foreign table's columns, values and units become application fields; read from a TOML file."""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
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
from pydantic.json_schema import SkipJsonSchema

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.fields import ApplicationField, Role
from credit_scoring.application.forbidden import disguise_reason, forbidden_reason, is_age
from credit_scoring.application.suggestions import did_you_mean
from credit_scoring.data.computed import Count, formula
from credit_scoring.data.layout import Layout, number_of
from credit_scoring.decisions.queries import AFTER, BEFORE

EXAMPLE_MOMENT = datetime(2026, 11, 24, 13, 5, 59)
OWN_DATE = "decided_at"
OWN_OTHERS = tuple(name for name in (*BEFORE, *AFTER) if name not in (OWN_DATE, "application_id", "outcome"))

FLAGS = {
    **dict.fromkeys(("true", "1", "yes", "y", "sim", "s"), True),
    **dict.fromkeys(("false", "0", "no", "n", "não", "nao"), False),
}


NO_NUMBER = "no number"  # which the schema refuses, as it does any text in place of a number
_OF_COLUMNS = frozenset(("columns", "first_of", "counts", "formulas"))


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

    `columns` names the foreign column, `first_of` several of which the first that is not missing is taken, `counts` in
    how many columns something is so, `formulas` computes a number from columns. `values` translates the values of
    columns (to "" for missing), `factors` multiplies their numbers, `constants` gives fields that are the same in every
    row. Columns under `ignore` are known and left out; `note` is shown wherever results on this data are. Where no
    columns are named, they have the API's field names.
    """

    catalogue: SkipJsonSchema[Catalogue]
    note: str = ""
    missing: tuple[str, ...] = ("", "NA")
    target: Target = Target()
    date_column: str | None = Field(
        None, description="The column with the day of the decision; newest rows become the test."
    )
    columns: dict[str, str] = Field({})
    first_of: dict[str, tuple[str, ...]] = Field({})
    counts: dict[str, Count] = Field({})
    formulas: dict[str, str] = Field({})
    values: dict[str, dict[str, str]] = Field({})
    factors: dict[str, float] = Field({})
    constants: dict[str, str | bool | int | float] = Field({})
    ignore: tuple[str, ...] = ()

    @field_validator("columns", "first_of", "counts", "formulas", "values", "factors", "constants")
    @classmethod
    def _known_fields(cls, table: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        fields = info.data["catalogue"].fields
        unknown = [name for name in table if name not in fields]
        refused = {name: reason for name in unknown if (reason := forbidden_reason(name))}
        problems = [f"'{name}' is not a field that can be mapped: {reason}" for name, reason in refused.items()]
        if others := [f"'{name}'" for name in unknown if name not in refused]:
            are = "is not a field" if len(others) == 1 else "are not fields"
            meant = did_you_mean([name for name in unknown if name not in refused], fields)
            problems.append(
                f"{', '.join(others)} {are} that can be mapped: expected one of {', '.join(fields)}.{meant}"
            )
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

    @field_validator("first_of")
    @classmethod
    def _with_columns(cls, table: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        if empty := [name for name, columns in table.items() if not columns]:
            raise ValueError(f"'{empty[0]}' has no columns; list those of which the first that is not missing is taken")
        return table

    @field_validator("formulas")
    @classmethod
    def _formulas(cls, table: dict[str, str]) -> dict[str, str]:
        problems = []
        for name, text in table.items():
            try:
                formula(text)
            except ValueError as error:
                problems.append(f"'{name}': formula {error}")
        if problems:
            raise ValueError("; ".join(problems))
        return table

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if problems := [problem for name in dict.fromkeys(self.mapped) for problem in self._problems(name)]:
            raise ValueError("; ".join(problems))
        return self

    def _problems(self, name: str) -> Iterator[str]:
        """What is wrong with how a field is mapped."""
        field = self.catalogue.fields[name]
        for column in self.columns_of(name):
            if reason := disguise_reason(name, column) or _age_reason(field, column):
                yield f"column '{column}' cannot be mapped to {name}: {reason}"
            if column == self.target.column:
                yield f"column '{column}' is the target, it cannot be mapped to {name} as well"
        ways = [told for told, table in self._ways if name in table]
        if len(ways) > 1:
            column = f"column '{self.columns[name]}'" if name in self.columns else ways[0]
            yield f"{name} has {column} and {' and '.join(ways[1:])}: give one of them"
        if name in self.formulas and not field.is_number:
            yield f"{name} has a formula, which gives a number, but is a {field.kind}; use columns or counts"
        if name in self.counts and not field.is_numeric:
            yield f"{name} has a count, but is a {field.kind}; expected a number or a flag"
        if name in self.factors and (name in self.formulas or name in self.counts):
            yield f"{name} has a factor, which is for numbers of a column; multiply in a formula"

    @property
    def _ways(self) -> tuple[tuple[str, Collection[str]], ...]:
        return (
            ("a column", self.columns),
            ("first_of", self.first_of),
            ("a count", self.counts),
            ("a formula", self.formulas),
            ("a constant", self.constants),
        )

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
        if self.names_columns:
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
        numbers = [name for name in self.mapped if fields[name].is_number and not self._counts_texts(name)]
        return (*overdue, *(column for name in numbers for column in self.columns_of(name)))

    @property
    def names_columns(self) -> bool:
        """Whether it says which columns are read."""
        return not _OF_COLUMNS.isdisjoint(self.model_fields_set)

    @property
    def mapped(self) -> tuple[str, ...]:
        """The fields that are read from columns."""
        return (*self.columns, *self.first_of, *self.counts, *self.formulas)

    @property
    def used_columns(self) -> tuple[str, ...]:
        """The columns that fields are read from, each once."""
        return tuple(dict.fromkeys(column for name in self.mapped for column in self.columns_of(name)))

    def columns_of(self, name: str) -> tuple[str, ...]:
        """The columns that a field is read from."""
        if name in self.columns:
            return (self.columns[name],)
        if name in self.first_of:
            return self.first_of[name]
        return self.counts[name].columns if name in self.counts else (*formula(self.formulas[name]).columns.values(),)

    def record(self, row: Mapping[str, str]) -> dict[str, Any]:
        """The application fields of one row, typed where the text allows it; missing values are left out."""
        record: dict[str, Any] = {**self.constants}
        for name, column in self.columns.items():
            if (text := self._text(name, row[column])) is not None:
                record[name] = self._typed(self.catalogue.fields[name], text)
        for name in (*self.first_of, *self.counts, *self.formulas):
            if (value := self.value(name, row)) is not None:
                record[name] = value
        return record

    def value(self, name: str, row: Mapping[str, str]) -> Any:
        """A field of one row; None where it is missing, a text where the row has no value of its kind."""
        texts = {column: self._text(name, row[column]) for column in self.columns_of(name)}
        if name in self.counts:
            return self._counted(name, texts)
        if name in self.formulas:
            return self._computed(name, texts)
        text = next((text for text in texts.values() if text is not None), None)
        return None if text is None else self._typed(self.catalogue.fields[name], text)

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

    def _text(self, name: str, cell: str) -> str | None:
        """What a cell says of a field, translated; None where that is missing."""
        text = cell.strip()
        translated = self.values.get(name, {}).get(text)
        if translated is None:
            return None if text in self.missing else text
        return translated or None

    def _counts_texts(self, name: str) -> bool:
        return name in self.counts and bool(self.counts[name].values)

    def _counted(self, name: str, texts: Mapping[str, str | None]) -> int | bool | str | None:
        count = self.counts[name]
        known = [text for text in texts.values() if text is not None]
        if len(known) < len(texts) and count.if_missing == "missing":
            return None
        numbers = [] if count.at_least is None else [number_of(text, self.decimal) for text in known]
        if None in numbers:
            return NO_NUMBER
        found = sum(text in count.values for text in known)
        found += sum(number is not None and number >= (count.at_least or 0) for number in numbers)
        return found > 0 if self.catalogue.fields[name].kind == "flag" else found

    def _computed(self, name: str, texts: Mapping[str, str | None]) -> int | float | str | None:
        numbers = {column: self._operand(text) for column, text in texts.items() if text is not None}
        if len(numbers) < len(texts):
            return None
        known = {column: number for column, number in numbers.items() if number is not None}
        if len(known) < len(numbers):
            return NO_NUMBER
        result = formula(self.formulas[name]).value(known)
        return int(result) if result.is_integer() else result

    def _operand(self, text: str) -> float | None:
        flag = FLAGS.get(text.lower())
        return number_of(text, self.decimal) if flag is None else float(flag)

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


def _age_reason(field: ApplicationField, column: str) -> str | None:
    if field.role is Role.FEATURE and is_age(column):
        return "age never decides (Lei 10.741/2003 art. 96); map it to a field for audits or rules"
    return None


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
