"""Applications as mappings of field names to values."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, Self

import numpy as np

from credit_scoring.application.arrays import Floats
from credit_scoring.application.expressions import quiet
from credit_scoring.application.fields import DerivedField

Record = Mapping[str, Any]


@cache
def getter(names: tuple[str, ...]) -> Callable[[Record], tuple[Any, ...]]:
    """What reads these fields of a record, always as a tuple."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda record: tuple(record[name] for name in names)


class Records(list[Record]):
    """Records of one catalogue, whose numbers are read, and derived, once, however many ask for them."""

    def __init__(self, records: Sequence[Record]) -> None:
        super().__init__(records)
        self._tables: dict[tuple[str, ...], Floats] = {}
        self._columns: dict[str, Floats] = {}

    @classmethod
    def of(cls, records: Sequence[Record]) -> Self:
        """These records; the same object where they are such already."""
        return records if isinstance(records, cls) else cls(records)

    def table(self, names: tuple[str, ...]) -> Floats:
        """The numbers in these raw fields, shape (records, names), to be read only; a missing one is NaN."""
        found = self._tables.get(names)
        if found is None:
            read = getter(names)
            found = np.array([read(record) for record in self], dtype=np.float64)
            self._tables[names] = found = found.reshape(len(self), len(names))
        return found

    def columns(self, names: tuple[str, ...], derived: Sequence[DerivedField] = ()) -> dict[str, Floats]:
        """These numbers and what is derived of them, each of shape (records,), among others that were asked for.

        `names` has every raw field that a derived one needs.
        """
        known = self._columns
        for name in names:
            if name not in known:
                known[name] = self._column(name, names)
        wanted = [field for field in derived if field.name not in known]
        if wanted:
            with quiet():
                for field in wanted:
                    known[field.name] = field.expression.compute(known)
        return known

    def _column(self, name: str, names: tuple[str, ...]) -> Floats:
        """One number, of a table that there is, or else of one with all of these names."""
        there = next((each for each in self._tables if name in each), names)
        return self.table(there)[:, there.index(name)]
