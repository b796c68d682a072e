"""One evaluator of policies for service, batch, replay and backtest: by the column, the same to the last bit."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from credit_scoring.application.arrays import Flags, Floats
from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.fields import REAIS
from credit_scoring.application.records import Record, Records
from credit_scoring.application.schemas import Answer
from credit_scoring.policy.policy import Policy
from credit_scoring.policy.rules import RISK, Predicate, Rule

Codes = npt.NDArray[np.int8]

PASS, REVIEW, DENY = 0, 1, 2  # places in ANSWERS
SEVERITIES = {"pass": PASS, "review": REVIEW, "deny": DENY}
MISSING = float("nan")
FALSE, UNKNOWN, TRUE = 0, 1, 2  # so that `all` is the least of these and `any` the greatest (Kleene)
ANSWERS = (Answer.APPROVED, Answer.REVIEW, Answer.DENIED)


class Ruling(NamedTuple):
    """An answer, and the ids of the rules that did not pass, in alphabetical order."""

    answer: Answer
    rules: tuple[str, ...] = ()


_RULINGS = tuple(Ruling(answer) for answer in ANSWERS)


class Evaluator:
    """Applies a policy to applications of a catalogue; the policy must have passed its checks."""

    def __init__(self, policy: Policy, catalogue: Catalogue) -> None:
        self._threshold, self._review_from = policy.threshold, policy.review_from
        self._ids = [rule.id for rule in policy.rules]
        self._rules = _CompiledRules(policy.rules, catalogue) if policy.rules else None

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of an application that the rules need."""
        return self._rules.fields if self._rules else ()

    def rulings(self, records: Sequence[Record], risks: Floats) -> list[Ruling]:
        """One for each record, whose keys include `fields`; `risks` has shape (records,)."""
        found = self._by_risk(risks)
        severities = self._rules.severities(records, risks) if self._rules else None
        if severities is not None:
            for row in np.flatnonzero(severities.any(axis=1)).tolist():
                found[row] = self._strictest(found[row].answer, severities[row].tolist())
        return found

    def _by_risk(self, risks: Floats) -> list[Ruling]:
        if self._review_from is not None:
            return [_RULINGS[each] for each in self._bands(risks).tolist()]
        threshold = self._threshold  # in Python: for the few risks of a micro-batch NumPy takes longer
        approved, _, denied = _RULINGS
        return [denied if each >= threshold else approved for each in risks.tolist()]

    def _strictest(self, by_risk: Answer, severities: list[int]) -> Ruling:
        failed = sorted(id for id, severity in zip(self._ids, severities, strict=True) if severity > PASS)
        return Ruling(ANSWERS[max(ANSWERS.index(by_risk), *severities)], tuple(failed))

    def severities(self, records: Sequence[Record], risks: Floats) -> Codes:
        """What the risk by itself and each rule say, shape (records, 1 + rules); the strictest of them decides."""
        bands = self._bands(risks)[:, np.newaxis]
        if self._rules is None:
            return bands
        said = self._rules.severities(records, risks)
        passed = np.zeros((len(records), len(self._ids)), dtype=np.int8)
        return np.hstack([bands, passed if said is None else said])

    def _bands(self, risks: Floats) -> Codes:
        bands = np.where(risks >= self._threshold, np.int8(DENY), np.int8(PASS))
        if self._review_from is None:
            return bands
        return np.maximum(bands, np.where(risks >= self._review_from, np.int8(REVIEW), np.int8(PASS)))


class _CompiledRules:
    """All predicates of all rules compared at once: each is a closed interval of a column, or whether it is missing."""

    def __init__(self, rules: Sequence[Rule], catalogue: Catalogue) -> None:
        ordered = sorted(range(len(rules)), key=lambda place: rules[place].when.all is None)
        self._back = np.argsort(ordered)
        self._all_rules = sum(rule.when.all is not None for rule in rules)
        predicates = [each for place in ordered for each in rules[place].when.predicates]
        counts = [len(rules[place].when.predicates) for place in ordered]
        starts = np.concatenate([[0], np.cumsum(counts)])
        self._all_end = int(starts[self._all_rules])
        self._all_starts = starts[: self._all_rules]
        self._any_starts = starts[self._all_rules : -1] - self._all_end
        self._columns = _Columns(predicates, catalogue)
        ends = [interval(each, self._columns.scale(each)) for each in predicates]
        self._low, self._high = map(np.array, zip(*ends, strict=True))
        self._asks_missing = np.array([each.is_missing is not None for each in predicates])
        telling = [rule.if_missing not in (None, "pass") for rule in (rules[place] for place in ordered)]
        self._asks = self._asks_missing | np.repeat(np.array(telling, dtype=bool), counts)  # where missing is no pass
        self._then = np.array([SEVERITIES[rule.then] for rule in rules], dtype=np.int8)
        outcomes = [(PASS, SEVERITIES[rule.if_missing or "pass"], SEVERITIES[rule.then]) for rule in rules]
        self._outcomes = np.array(outcomes, dtype=np.int8)
        self._places = np.arange(len(rules))

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of an application that they need."""
        return self._columns.fields

    def severities(self, records: Sequence[Record], risks: Floats) -> Codes | None:
        """What each rule says to each record, shape (records, rules); None where all pass all."""
        values = self._columns.values(records, risks)
        missing, hits = np.isnan(values), (values >= self._low) & (values <= self._high)
        if not (missing & self._asks).any():  # what is missing passes as what does not hold does
            if not hits.any() or not (holds := self._held(hits)).any():
                return None
            return holds[:, self._back] * self._then
        states = hits.astype(np.int8) * np.int8(TRUE)
        states[missing] = UNKNOWN
        asked = self._asks_missing
        if asked.any():
            states[:, asked] = missing[:, asked] * np.int8(TRUE)
        joined = np.empty((len(records), len(self._places)), dtype=np.int8)
        if self._all_rules:
            np.minimum.reduceat(states[:, : self._all_end], self._all_starts, axis=1, out=joined[:, : self._all_rules])
        if len(self._any_starts):
            np.maximum.reduceat(states[:, self._all_end :], self._any_starts, axis=1, out=joined[:, self._all_rules :])
        severities: Codes = self._outcomes[self._places, joined[:, self._back]]
        return severities

    def _held(self, hits: Flags) -> Flags:
        """Whether each rule holds for each record, those with `all` before those with `any`."""
        together = np.logical_and.reduceat(hits[:, : self._all_end], self._all_starts, axis=1)
        if not len(self._any_starts):
            return together
        return np.hstack([together, np.logical_or.reduceat(hits[:, self._all_end :], self._any_starts, axis=1)])


class _Columns:
    """The values that predicates compare, a column for each of them; missing is NaN, money is in cents."""

    def __init__(self, predicates: Sequence[Predicate], catalogue: Catalogue) -> None:
        units = {name: field.unit for name, field in catalogue.fields.items()}
        units |= {name: derived.unit for name, derived in catalogue.derived.items()}
        self._in_cents = {name for name, unit in units.items() if unit == REAIS}
        names = {each.field for each in predicates if is_interval(each, catalogue)}
        chosen = [each for each in predicates if not is_interval(each, catalogue)]
        numeric = [name for name, field in catalogue.fields.items() if field.is_numeric]
        every = {field.name: field for field in catalogue.derived_from(numeric)}
        derived = [name for name in names if name in every]
        self._derived = tuple(_needed(derived, every))
        inputs = {name for each in self._derived for name in each.inputs}
        self._numbers = tuple(name for name in numeric if name in names | inputs)
        self._sources = [*self._numbers, *(each.name for each in self._derived), RISK]
        self._choices = [(each.field, _membership(each, catalogue)) for each in chosen]
        places = {name: place for place, name in enumerate(self._sources)}
        choices = iter(range(len(self._sources), len(self._sources) + len(chosen)))
        self._place = np.array([places[p.field] if is_interval(p, catalogue) else next(choices) for p in predicates])
        self._cents = [places[name] for name in self._sources if name in self._in_cents]
        self.fields = (*self._numbers, *dict.fromkeys(each.field for each in chosen))

    def scale(self, predicate: Predicate) -> float:
        """What its numbers are multiplied with before they are compared."""
        return 100.0 if predicate.field in self._in_cents else 1.0

    def values(self, records: Sequence[Record], risks: Floats) -> Floats:
        """Shape (records, predicates)."""
        table = np.empty((len(records), len(self._sources) + len(self._choices)))
        columns = Records.of(records).columns(self._numbers, self._derived)
        for place, name in enumerate(self._sources[:-1]):
            table[:, place] = columns[name]
        table[:, len(self._sources) - 1] = risks
        table[:, self._cents] = np.rint(table[:, self._cents] * 100)
        for place, (name, member) in enumerate(self._choices, start=len(self._sources)):
            table[:, place] = [member.get(record[name], MISSING) for record in records]
        return table[:, self._place]


def is_interval(predicate: Predicate, catalogue: Catalogue) -> bool:
    """Whether it is asked of a number, a flag's presence or the risk, and not which value a flag or category has."""
    if predicate.chosen:
        return False
    field = catalogue.fields.get(predicate.field)
    return field is None or field.is_numeric


def interval(predicate: Predicate, scale: float) -> tuple[float, float]:
    """The closed interval in which it holds; the end that `above` and `below` leave out is one float away."""
    if predicate.between is not None:
        low, high = predicate.between
        return _scaled(low, scale), _scaled(high, scale)
    if predicate.chosen:
        return 1.0, 1.0
    if predicate.is_missing:  # asked of the value itself
        return np.inf, -np.inf
    if predicate.above is not None:
        return float(np.nextafter(_scaled(predicate.above, scale), np.inf)), np.inf
    if predicate.below is not None:
        return -np.inf, float(np.nextafter(_scaled(predicate.below, scale), -np.inf))
    low = -np.inf if predicate.at_least is None else _scaled(predicate.at_least, scale)
    return low, np.inf if predicate.at_most is None else _scaled(predicate.at_most, scale)


def _scaled(number: float, scale: float) -> float:
    return number if scale == 1.0 else float(np.rint(number * scale))


def _membership(predicate: Predicate, catalogue: Catalogue) -> dict[Any, float]:
    """1 for values that it holds for, 0 for others, NaN for a missing one."""
    field = catalogue.fields[predicate.field]
    values: Iterable[Any] = (False, True) if field.kind == "flag" else field.categories
    wanted = predicate.not_in is None
    held = {value: float((value in predicate.chosen) == wanted) for value in values}
    return {**held, None: MISSING}


def _needed(names: Sequence[str], every: Mapping[str, Any]) -> list[Any]:
    """These derived fields and those that they are computed from, in the catalogue's order."""
    wanted = set(names)
    for name in reversed([*every]):
        if name in wanted:
            wanted |= {used for used in every[name].expression.names if used in every}
    return [every[name] for name in every if name in wanted]
