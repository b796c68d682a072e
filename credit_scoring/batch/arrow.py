"""Columns of files as fields of applications: typed ones as they are, texts as a mapping reads them; Arrow arrays."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import pyarrow
import pyarrow.compute

from credit_scoring.application.arrays import Flags
from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.fields import APPLICATION_ID, ApplicationField
from credit_scoring.application.forbidden import forbidden_reason
from credit_scoring.application.schemas import Fault
from credit_scoring.application.suggestions import did_you_mean
from credit_scoring.data.layout import EITHER, UNTOLD
from credit_scoring.data.mapping import ColumnMapping, names_found, repeated_names
from credit_scoring.errors import DataError

ID = APPLICATION_ID.name
MISSHAPEN = "_misshapen"

_TYPES = {"number": pyarrow.float64(), "integer": pyarrow.float64(), "flag": pyarrow.bool_()}
_PLAIN_NUMBER = r"^-?[0-9]{1,15}(\.[0-9]{1,17})?$"  # Arrow reads these as Python does
_EITHER = rf"^{EITHER.pattern}$"
_CELLS = Fault(field="", message="More or fewer cells than the header has", code="cells")
_UNREADABLE = Fault(field=ID, message="Not readable in the encoding of the file", code="encoding")


class Source(Protocol):
    """How a batch of one kind of file becomes fields of applications."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that the file has."""

    def column(self, batch: Any, name: str) -> tuple[Any, Flags]:
        """A field's typed values as an Arrow array, null where missing, and where they have to be looked at."""

    def record(self, batch: Any, row: int) -> dict[str, Any]:
        """One row as the API would be sent it."""

    def broken(self, batch: Any) -> dict[int, list[Fault]]:
        """Rows that are none, by their number, and why."""


@dataclass(frozen=True)
class TypedSource:
    """A batch whose columns are fields already: number as float64, flag as bool, the rest as text."""

    fields: tuple[str, ...]

    @classmethod
    def of(cls, kinds: Mapping[str, str], catalogue: Catalogue, id_column: str | None = None) -> Self:
        """The source of a file with these columns, each of kind number, flag, text or another; raises DataError."""
        mapping = ColumnMapping.of_own_names([*kinds], catalogue)
        client_id = _id_column([*kinds], id_column)
        _check_names([*kinds], mapping, client_id, strict=True)
        for name in mapping.columns:
            expected = column_kind(catalogue.fields[name])
            if kinds[name] not in (expected, "nothing"):
                raise DataError(f"Column {name} holds values of kind {kinds[name]}, expected {expected}.")
        return cls((*([ID] if client_id else []), *mapping.columns))

    def column(self, batch: Any, name: str) -> tuple[Any, Flags]:
        """The column as it is."""
        return batch.column(name), np.zeros(batch.num_rows, dtype=np.bool_)

    def record(self, batch: Any, row: int) -> dict[str, Any]:
        """The row's values; null is left out."""
        values = ((name, batch.column(name)[row].as_py()) for name in self.fields)
        return {name: value for name, value in values if value is not None}

    def broken(self, batch: Any) -> dict[int, list[Fault]]:
        """None."""
        return {}


@dataclass(frozen=True)
class TextSource:
    """A batch of texts, read by a mapping as training data is; `id_column` is where the client's own id stands."""

    mapping: ColumnMapping
    id_column: str | None = None

    @classmethod
    def of(
        cls,
        header: Sequence[str],
        catalogue: Catalogue,
        mapping: ColumnMapping | None = None,
        id_column: str | None = None,
    ) -> Self:
        """The source of a file with this header, its columns named as fields or mapped; raises DataError."""
        if problem := repeated_names(header):
            raise DataError(problem[0].upper() + problem[1:])
        client_id = _id_column(header, id_column)
        used = (mapping or ColumnMapping(catalogue=catalogue)).for_header(header)
        _check_names(header, used, client_id, strict=mapping is None)
        return cls(used, client_id)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that are mapped, and the id where there is one."""
        return (*([ID] if self.id_column else []), *self.mapping.mapped, *self.mapping.constants)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the file that are read."""
        return tuple(dict.fromkeys([*([self.id_column] if self.id_column else []), *self.mapping.used_columns]))

    def column(self, batch: Any, name: str) -> tuple[Any, Flags]:
        """What the mapping makes of the column; texts that are no value of its kind have to be looked at."""
        if name in self.mapping.constants:
            return self._constant(name, batch.num_rows)
        if name != ID and name not in self.mapping.columns:
            return self._each_row(name, batch)
        texts = self._texts(batch, name)
        if name == ID:
            return self._ids(texts)
        if (
            self.mapping.catalogue.fields[name].is_number
            and self.mapping.decimal != ","
            and name not in self.mapping.values
        ):
            return self._plain_numbers(name, texts)
        return self._each_text_once(name, texts)

    def record(self, batch: Any, row: int) -> dict[str, Any]:
        """What the mapping makes of the row."""
        cells = {column: batch.column(column)[row].as_py() or "" for column in self.mapping.used_columns}
        record = self.mapping.record(cells)
        client_id = self._texts(batch, ID)[row].as_py().strip() if self.id_column else ""
        return record if client_id in self.mapping.missing else {**record, ID: client_id}

    def broken(self, batch: Any) -> dict[int, list[Fault]]:
        """Rows with too many or too few cells, or with an id that could not be decoded."""
        found = {int(row): [_CELLS] for row in np.flatnonzero(flags_of(batch.column(MISSHAPEN)))}
        if self.id_column:
            mangled = pyarrow.compute.match_substring(self._texts(batch, ID), "\N{REPLACEMENT CHARACTER}")
            found.update({int(row): [_UNREADABLE] for row in np.flatnonzero(flags_of(mangled))})
        return found

    def _constant(self, name: str, rows: int) -> tuple[Any, Flags]:
        field, value = self.mapping.catalogue.fields[name], self.mapping.constants[name]
        try:
            found = pyarrow.array([_exact(value)] * rows, _TYPES.get(field.kind, pyarrow.string()))
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError):
            return pyarrow.nulls(rows, _TYPES.get(field.kind, pyarrow.string())), np.ones(rows, dtype=np.bool_)
        return found, np.zeros(rows, dtype=np.bool_)

    def _texts(self, batch: Any, name: str) -> Any:
        column = self.id_column if name == ID else self.mapping.columns[name]
        return batch.column(column).fill_null("")

    def _ids(self, texts: Any) -> tuple[Any, Flags]:
        trimmed = pyarrow.compute.utf8_trim_whitespace(texts)
        return _without(trimmed, self._missing(trimmed)), np.zeros(len(texts), dtype=np.bool_)

    def _plain_numbers(self, name: str, texts: Any) -> tuple[Any, Flags]:
        trimmed = pyarrow.compute.utf8_trim(texts, " ")
        missing = self._missing(trimmed)
        plain = pyarrow.compute.match_substring_regex(trimmed, _PLAIN_NUMBER)
        if self.mapping.decimal == UNTOLD:
            plain = pyarrow.compute.and_not(plain, pyarrow.compute.match_substring_regex(trimmed, _EITHER))
        read = pyarrow.compute.and_not(plain, missing)
        numbers = pyarrow.compute.cast(_without(trimmed, pyarrow.compute.invert(read)), pyarrow.float64())
        factor = self.mapping.factors.get(name, 1.0)
        return pyarrow.compute.multiply(numbers, factor), ~flags_of(plain) & ~flags_of(missing)

    def _each_text_once(self, name: str, texts: Any) -> tuple[Any, Flags]:
        """The mapping itself on each distinct text."""
        encoded = texts.dictionary_encode()
        column, rows = self.mapping.columns[name], encoded.indices
        values, strange = self._typed(name, [{column: text} for text in encoded.dictionary.to_pylist()])
        return values.take(rows), strange[rows.to_numpy()]

    def _each_row(self, name: str, batch: Any) -> tuple[Any, Flags]:
        """The mapping itself on each row, of a field that it makes from several columns."""
        columns = {column: batch.column(column).fill_null("") for column in self.mapping.columns_of(name)}
        return self._typed(name, pyarrow.table(columns).to_pylist())

    def _typed(self, name: str, rows: Sequence[Mapping[str, str]]) -> tuple[Any, Flags]:
        """The field in each of these rows, and where it is a text in place of its kind."""
        values = [self.mapping.value(name, row) for row in rows]
        type_ = _TYPES.get(self.mapping.catalogue.fields[name].kind, pyarrow.string())
        strange = np.array([isinstance(value, str) for value in values], dtype=np.bool_) & (type_ != pyarrow.string())
        typed = [None if odd else _exact(value) for value, odd in zip(values, strange, strict=True)]
        return pyarrow.array(typed, type_), strange

    def _missing(self, texts: Any) -> Any:
        return pyarrow.compute.is_in(texts, pyarrow.array(self.mapping.missing, pyarrow.string()))


def column_kind(field: ApplicationField) -> str:
    """The kind of column that holds this field: number, flag or text."""
    if field.is_number:
        return "number"
    return "flag" if field.kind == "flag" else "text"


def _exact(value: Any) -> Any:
    """A whole number of a mapping may be larger than what Arrow makes a float of."""
    return float(value) if type(value) is int else value


def _without(array: Any, rows: Any) -> Any:
    return pyarrow.compute.if_else(rows, pyarrow.scalar(None, array.type), array)


def flags_of(array: Any) -> Flags:
    """An Arrow array of bool, without nulls, as a NumPy array."""
    flags: Flags = array.to_numpy(zero_copy_only=False).astype(np.bool_)
    return flags


def _id_column(header: Collection[str], wanted: str | None) -> str | None:
    if wanted and wanted not in header:
        raise DataError(f"No column {wanted}, which --id-column names; found {names_found(header)}.")
    return wanted or (ID if ID in header else None)


def _check_names(header: Collection[str], mapping: ColumnMapping, client_id: str | None, *, strict: bool) -> None:
    """Raises DataError where a needed column is missing or, if `strict`, where one is not known: it may be misspelt."""
    needed = {
        *mapping.used_columns,
        *(name for name in mapping.catalogue.required if name not in {*mapping.mapped, *mapping.constants}),
    }
    known = {*mapping.used_columns, *mapping.ignore, mapping.target.column, mapping.date_column, client_id}
    unknown = [name for name in header if name not in known]
    if missing := sorted(needed - {*header}):
        advice = (
            "Name the columns as the API does, or give a --mapping file for CSV." if strict else "Correct the mapping."
        )
        raise DataError(
            f"No column {', '.join(missing)}; found {names_found(header)}.{did_you_mean(unknown, missing)} {advice}"
        )
    if unknown and strict:
        refused = [reason for name in unknown if (reason := forbidden_reason(name))]
        meant = did_you_mean(unknown, {*mapping.catalogue.all_fields} - {*header})
        raise DataError(
            f"Unknown columns {names_found(unknown)}.{meant} {refused[0] if refused else 'Rename or remove them'}, "
            "or name them under `ignore` in a --mapping file for CSV."
        )
