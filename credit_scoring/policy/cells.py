"""Values that stand for all values of a field: between the numbers that predicates name, they all say the same.

So a rule that is true, false or unknown for these values is so for every application.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.fields import REAIS, ApplicationField
from credit_scoring.policy.evaluator import FALSE, TRUE, UNKNOWN, interval, is_interval
from credit_scoring.policy.rules import RISK, Predicate, Rule

Values = Sequence[Any]
Pairs = set[tuple[int, int]]

LARGEST = 1e300


class Domains:
    """The values that the fields of a catalogue can have, and what predicates say to them."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        numeric = [name for name, field in catalogue.fields.items() if field.is_numeric]
        self._derived = {field.name: field for field in catalogue.derived_from(numeric)}

    def values(self, name: str, predicates: Iterable[Predicate]) -> Values:
        """One value of each cell that these predicates cut the field into; None is a missing one, money is in cents."""
        field = self._catalogue.fields.get(name)
        missing = [] if self._is_always_there(name) else [None]
        if field is not None and not field.is_number:
            return [*([False, True] if field.kind == "flag" else field.categories), *missing]
        low, high = self._range(name, field)
        ends = [end for each in predicates for end in interval(each, self._scale(name)) if abs(end) < LARGEST]
        points = {low, high, *(near for end in ends for near in self._around(name, field, end))}
        return [*sorted(point for point in points if low <= point <= high), *missing]

    def states(self, predicate: Predicate, values: Values) -> list[int]:
        """TRUE, FALSE or UNKNOWN for each value, as the evaluator would say."""
        if predicate.is_missing:
            return [TRUE if value is None else FALSE for value in values]
        if not is_interval(predicate, self._catalogue):
            chosen, wanted = predicate.chosen, predicate.not_in is None
            return [UNKNOWN if value is None else _code((value in chosen) == wanted) for value in values]
        low, high = interval(predicate, self._scale(predicate.field))
        return [UNKNOWN if value is None else _code(low <= value <= high) for value in values]

    def attainable(self, rule: Rule) -> set[int]:
        """The states that the rule can be in."""
        return {first for first, _ in self.attainable_together(rule, rule)}

    def attainable_together(self, one: Rule, other: Rule) -> Pairs:
        """The pairs of states that two rules can be in for the same application; fields vary independently."""
        by_field = _by_field(one), _by_field(other)
        pairs = {(_neutral(one), _neutral(other))}
        for name in {**by_field[0], **by_field[1]}:
            own, its = by_field[0].get(name, []), by_field[1].get(name, [])
            values = self.values(name, [*own, *its])
            found = set(zip(self._joined(one, own, values), self._joined(other, its, values), strict=True))
            pairs = {(_join(one, a, c), _join(other, b, d)) for a, b in pairs for c, d in found}
        return pairs

    def _joined(self, rule: Rule, predicates: Sequence[Predicate], values: Values) -> list[int]:
        """What these predicates of a rule come to for each value."""
        states = [self.states(each, values) for each in predicates]
        join = min if rule.when.all is not None else max
        return [join(each) for each in zip([_neutral(rule)] * len(values), *states, strict=True)]

    def _is_always_there(self, name: str) -> bool:
        if name == RISK:
            return True
        if derived := self._derived.get(name):
            return all(self._catalogue.fields[each].required for each in derived.inputs)
        return self._catalogue.fields[name].required

    def _scale(self, name: str) -> float:
        entry = self._catalogue.fields.get(name) or self._catalogue.derived.get(name)
        return 100.0 if entry is not None and entry.unit == REAIS else 1.0

    def _range(self, name: str, field: ApplicationField | None) -> tuple[float, float]:
        if name == RISK:
            return 0.0, 1.0
        if field is None:
            return -LARGEST, LARGEST
        scale = self._scale(name)
        low = -LARGEST if field.at_least is None else field.at_least * scale
        if field.above is not None:  # nobody asks for less than half a cent more, which in cents would be as much
            low = max(low, self._around(name, field, field.above * scale)[2])
        return low, LARGEST if field.at_most is None else field.at_most * scale

    def _around(self, name: str, field: ApplicationField | None, end: float) -> tuple[float, float, float]:
        """The greatest value below, the value itself or the next ones where it has none, the least value above."""
        if self._scale(name) == 1.0 and (field is None or field.kind == "number"):
            return float(np.nextafter(end, -np.inf)), end, float(np.nextafter(end, np.inf))
        below, above = np.ceil(end) - 1, np.floor(end) + 1  # whole numbers: months, cents
        return float(below), end if end == np.floor(end) else float(above), float(above)


def _by_field(rule: Rule) -> Mapping[str, list[Predicate]]:
    found: dict[str, list[Predicate]] = {}
    for each in rule.when.predicates:
        found.setdefault(each.field, []).append(each)
    return found


def _code(holds: bool) -> int:
    return TRUE if holds else FALSE


def _neutral(rule: Rule) -> int:
    return TRUE if rule.when.all is not None else FALSE


def _join(rule: Rule, one: int, other: int) -> int:
    return min(one, other) if rule.when.all is not None else max(one, other)
