"""Searches along levers, many of them in step, so that one batch answers what all of them ask next."""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any

from credit_scoring.application.arrays import Flags
from credit_scoring.explanation.levers import Number, Path, Way

CHUNK = 256  # rows at a time: a scorer takes longer for a row in larger batches
WAYS = 16
FIRST_WAVE = 16

Record = Mapping[str, Any]
Approved = Callable[[Sequence[Record]], Flags]
Search = Generator[list[Record], list[bool], Number | None]


@dataclass(frozen=True)
class Budget:
    """What one simulation may take at most: seconds, and evaluations of an application.

    An answer that the seconds have not cut off is the same each time.
    """

    seconds: float = 1.0
    evaluations: int = 50_000


class OutOfBudgetError(Exception):
    """The simulation has taken what it may."""


class Evaluator:
    """Asks the policy whether it approves applications, within a budget; the first question is always answered."""

    def __init__(self, approved: Approved, budget: Budget, clock: Callable[[], float] = time.monotonic) -> None:
        self._approved, self._clock = approved, clock
        self._most, self._until = budget.evaluations, clock() + budget.seconds
        self.evaluations = 0
        self.exhausted = False

    def ask(self, records: Sequence[Record]) -> list[bool]:
        """Whether each is approved; raises OutOfBudgetError."""
        return [passes for start in range(0, len(records), CHUNK) for passes in self._ask(records[start:][:CHUNK])]

    def _ask(self, records: Sequence[Record]) -> list[bool]:
        late = self._clock() >= self._until or self.evaluations + len(records) > self._most
        if late and self.evaluations:
            self.exhausted = True
            raise OutOfBudgetError
        self.evaluations += len(records)
        found: list[bool] = self._approved(records).tolist()
        return found


def run(searches: Sequence[Search], evaluator: Evaluator) -> list[Number | None]:
    """What each finds, None where it finds nothing or the budget did not suffice (`evaluator.exhausted`)."""
    found: list[Number | None] = [None] * len(searches)
    asked: dict[int, list[Record]] = {}

    def advance(place: int, answers: list[bool] | None) -> None:
        try:
            asked[place] = next(searches[place]) if answers is None else searches[place].send(answers)
        except StopIteration as end:
            asked.pop(place, None)
            found[place] = end.value

    for place in range(len(searches)):
        advance(place, None)
    with suppress(OutOfBudgetError):
        while asked:
            answers = iter(evaluator.ask([record for records in asked.values() for record in records]))
            for place, records in [*asked.items()]:
                advance(place, [*islice(answers, len(records))])
    return found


def search(base: Record, path: Path) -> Search:
    """The first value of a lever with which this application passes; of a letter the last below which all do."""
    return _SEARCHES[path.way](base, path)


def _better(base: Record, path: Path) -> Search:
    """By bisection into WAYS parts: where a value passes, all after it do."""
    values = path.values
    if not values or not (yield [{**base, path.name: values[-1]}])[0]:
        return None
    low, high = 0, len(values) - 1
    while low < high:
        probes = sorted({low + (high - low) * part // WAYS for part in range(WAYS)})
        answers = yield [{**base, path.name: values[probe]} for probe in probes]
        refused = [probe for probe, passes in zip(probes, answers, strict=True) if not passes]
        high = min((probe for probe in probes if probe not in refused), default=high)
        low = max((probe + 1 for probe in refused if probe < high), default=low)
    return values[high]


def _nearest(base: Record, path: Path) -> Search:
    for wave in _waves(path.values):
        answers = yield [{**base, path.name: value} for value in wave]
        if True in answers:
            return wave[answers.index(True)]
    return None


def _letter(base: Record, path: Path) -> Search:
    largest = None
    for wave in _waves(path.values):
        answers = yield [{**base, path.name: value} for value in wave]
        passed = [value for value, _ in takewhile(lambda pair: pair[1], zip(wave, answers, strict=True))]
        largest = passed[-1] if passed else largest
        if len(passed) < len(wave):
            break
    return largest


_SEARCHES = {Way.BETTER: _better, Way.EITHER: _nearest, Way.LETTER: _letter}


def _waves(values: Sequence[Number]) -> list[Sequence[Number]]:
    """The values in parts, each twice as long as the one before it."""
    waves, start, size = [], 0, FIRST_WAVE
    while start < len(values):
        waves.append(values[start : start + size])
        start, size = start + size, 2 * size
    return waves
