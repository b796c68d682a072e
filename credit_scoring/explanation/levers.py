"""The values that a lever may take for one client, in the order in which they are tried."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum, auto
from functools import cache
from itertools import accumulate, repeat
from operator import mul
from typing import Any, Self

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.fields import ApplicationField, Lever
from credit_scoring.application.suggestions import or_nearest
from credit_scoring.errors import RequestError

MOST_STEPS = 100  # a value has at most so many steps: beyond, steps grow to 2, 5, 10, 20 … times the lever's own

Number = int | float


class Way(Enum):
    """How a lever is moved."""

    BETTER = auto()  # the one way in which the risk never rises
    LETTER = auto()  # the exposure: up from its lowest value, the one asked for among them
    EITHER = auto()  # no direction is declared: the nearest values first


@dataclass(frozen=True)
class Path:
    """A lever of one client. `values` are tried in turn: the smallest change first, of a letter the lowest value."""

    field: ApplicationField
    way: Way
    before: Number | None
    values: tuple[Number, ...]

    @classmethod
    def of(cls, field: ApplicationField, way: Way, before: Number | None) -> Self:
        """The lever of this field for a client whose value is `before`."""
        values = grid(field.lever, field.kind == "integer") if field.lever else ()
        if way is Way.BETTER:
            return cls(field, way, before, _better(values, before, up=field.risk_moves == "down"))
        if way is Way.EITHER:
            return cls(field, way, before, _nearest(values, before))
        return cls(field, way, before, tuple(sorted({*values, before})) if before is not None else values)

    @property
    def name(self) -> str:
        """The field's name."""
        return self.field.name

    def thinned(self, most: int) -> Self:
        """The same lever with so many values at most, the last one among them."""
        size = len(self.values)
        places = sorted({size * (place + 1) // most - 1 for place in range(most)}) if size > most else range(size)
        return replace(self, values=tuple(self.values[place] for place in places))

    def effort(self, after: Number) -> float:
        """How large a change is, from 0 to 1, so that changes of unlike fields can be compared."""
        before = self.before
        if before is None:
            return (self.values.index(after) + 1) / len(self.values)
        return abs(after - before) / max(abs(after), abs(before))


def paths(
    record: Mapping[str, Any], catalogue: Catalogue, names: Collection[str], undirected: Collection[str]
) -> list[Path]:
    """These levers for one client, in the catalogue's order; those that have nowhere to go have no values."""

    def way(field: ApplicationField) -> Way:
        if field.name == catalogue.exposure:
            return Way.LETTER
        return Way.BETTER if field.name in catalogue.directed and field.name not in undirected else Way.EITHER

    return [Path.of(catalogue.fields[name], way(catalogue.fields[name]), record.get(name)) for name in names]


def chosen(catalogue: Catalogue, names: Collection[str] | None) -> list[str]:
    """The levers asked for, all without names; raises RequestError where a name is no lever of this catalogue."""
    known = [*catalogue.levers]
    if not known:
        missing = f"The field catalogue {catalogue.name} of this model has no levers"
        raise RequestError(400, f"{missing}; train with one that has (docs/fields.md).", "no_levers")
    if names is None:
        return known
    listed = ", ".join(known)
    for name in names:
        if name not in known:
            told = or_nearest(name, known) or f"; expected some of {listed}."
            raise RequestError(400, f"levers: '{name[:40]}' is no lever{told}", "unknown_lever")
    if not names:
        raise RequestError(400, f"levers: none is named; expected some of {listed}, or leave levers out.", "no_levers")
    return [name for name in known if name in names]


@cache
def grid(lever: Lever, whole: bool) -> tuple[Number, ...]:
    """The values of a lever, ascending: both bounds, and between them multiples of a step of at least 1 % of the value.

    R$ 100 up to R$ 10,000, then R$ 200, above R$ 20,000 R$ 500, and so on.
    """
    step, low, high = (Decimal(str(each)) for each in (lever.step, lever.at_least, lever.at_most))
    found, steps = [low], int(low // step)
    while True:
        scale = _scale(steps)
        steps = (steps // scale + 1) * scale
        if steps * step >= high:
            break
        found.append(steps * step)
    number: type[int] | type[float] = int if whole else float
    return tuple(number(each) for each in [*found, high])


def _scale(steps: int) -> int:
    """The least of 1, 2, 5, 10, 20 … of which `steps` has fewer than MOST_STEPS."""
    scales = (digit * power for power in accumulate(repeat(10), mul, initial=1) for digit in (1, 2, 5))
    return next(scale for scale in scales if steps < MOST_STEPS * scale)


def _better(values: Sequence[Number], before: Number | None, up: bool) -> tuple[Number, ...]:
    ordered = values if up else values[::-1]
    return tuple(each for each in ordered if before is None or (each > before if up else each < before))


def _nearest(values: Sequence[Number], before: Number | None) -> tuple[Number, ...]:
    """A missing value is near to none: they are tried from the lowest."""
    if before is None:
        return tuple(values)
    return tuple(sorted((each for each in values if each != before), key=lambda each: (abs(each - before), each)))
