"""What a turn of the event loop had no time for, by a loop that the tests turn."""

from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_scoring.errors import OverloadedError
from credit_scoring.serving.backlog import REFUSED_AT_LEAST, REFUSED_WITHIN_S, Backlog
from credit_scoring.serving.batching import MicroBatcher

TURN_S = 0.04


class Loop:
    """An event loop's clock and what it is to call in its next turn, in order."""

    def __init__(self) -> None:
        self.now = 100.0
        self.due: list[Callable[[], None]] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, function: Callable[..., Any], *given: Any) -> None:
        self.due.append(lambda: function(*given))

    def turn(self, seconds: float = TURN_S) -> None:
        self.now += seconds
        due, self.due = self.due, []
        for each in due:
            each()


class Turn:
    """How many requests there is time for, and what became of those that waited."""

    def __init__(self) -> None:
        self.room = 0
        self.ends: list[tuple[int, str]] = []
        self.backlog, self.loop = Backlog(), Loop()

    def add(self, number: int, *, first: int = 0) -> None:
        for each in range(first, first + number):
            self.backlog.add(Request(each, self), cast(AbstractEventLoop, self.loop))

    def of(self, end: str) -> list[int]:
        return [number for number, its_end in self.ends if its_end == end]


class Request:
    def __init__(self, number: int, turn: Turn) -> None:
        self._number = number
        self._turn = turn

    def take_up(self) -> bool:
        if not self._turn.room:
            return False
        self._turn.room -= 1
        self._turn.ends.append((self._number, "taken up"))
        return True

    def refuse(self) -> None:
        self._turn.ends.append((self._number, "refused"))


def test_the_next_turn_takes_up_what_it_has_time_for_in_the_order_of_reading() -> None:
    turn = Turn()
    turn.add(5)
    assert turn.ends == []
    turn.room = 5
    turn.loop.turn()
    assert turn.of("taken up") == [0, 1, 2, 3, 4]
    assert turn.loop.due == []


def test_what_the_next_turn_has_no_time_for_either_is_refused() -> None:
    turn = Turn()
    turn.add(5)
    turn.room = 2
    turn.loop.turn()
    turn.loop.turn()
    assert (turn.of("taken up"), turn.of("refused")) == ([0, 1], [2, 3, 4])


def test_what_is_to_be_refused_is_never_taken_up_before_what_is_newer() -> None:
    turn = Turn()
    turn.add(3 * REFUSED_AT_LEAST)
    turn.loop.turn()
    turn.add(2, first=1000)
    turn.room = 10
    turn.loop.turn()
    assert turn.of("taken up") == [1000, 1001]


def test_a_crowd_is_refused_a_few_in_each_turn() -> None:
    turn = Turn()
    turn.add(10_000)
    turn.loop.turn()
    for number in range(1, 4):
        turn.loop.turn()
        assert len(turn.of("refused")) <= 10_000 * number * TURN_S / REFUSED_WITHIN_S + number
    assert len(turn.of("refused")) > 2 * REFUSED_AT_LEAST


@given(waiting=st.integers(1, 10_000), more=st.integers(0, 300), turn_s=st.floats(0.001, 0.2))
def test_under_lasting_overload_everybody_is_refused_in_time(waiting: int, more: int, turn_s: float) -> None:
    turn = Turn()
    turn.add(waiting)
    begun, turns = turn.loop.now, 0
    while len(turn.of("refused")) < waiting:
        turn.loop.turn(turn_s)
        turns += 1
        if len(turn.of("refused")) < waiting:
            turn.add(more, first=waiting + turns * more)
    assert turn.loop.now - begun <= REFUSED_WITHIN_S + 3 * turn_s
    assert turn.of("refused") == sorted(turn.of("refused"))


def test_one_requests_failure_leaves_the_others_to_be_refused() -> None:
    class Failing(Request):
        def take_up(self) -> bool:
            raise RuntimeError

    turn = Turn()
    turn.backlog.add(Failing(0, turn), cast(AbstractEventLoop, turn.loop))
    turn.add(1, first=1)
    with pytest.raises(RuntimeError):
        turn.loop.turn()
    turn.loop.turn()
    assert turn.ends == [(1, "refused")]


def test_a_turn_is_over_before_the_next_is_asked_for_time_though_a_crowd_is_still_to_be_refused() -> None:
    """With the batcher's own idea of a turn, which ends where the loop calls it to."""
    turn = Turn()
    batcher = MicroBatcher[int, int](
        list, max_batch_size=9, budget=0.1, clock=turn.loop.time, processor_time=turn.loop.time
    )
    batcher._loop = cast(AbstractEventLoop, turn.loop)
    turn.add(10_000)
    turn.loop.turn()

    class Asking(Request):
        def take_up(self) -> bool:
            try:
                batcher.check_admission()
            except OverloadedError:
                return False
            turn.ends.append((self._number, "taken up"))
            return True

    for number in range(3):
        turn.loop.turn()  # refuses some
        batcher.check_admission()  # a request is read; the turn takes too long, so that the next is put off
        turn.loop.now += 0.06
        with pytest.raises(OverloadedError):
            batcher.check_admission()
        turn.backlog.add(Asking(number, turn), cast(AbstractEventLoop, turn.loop))
        turn.loop.turn()
        assert turn.of("taken up") == [*range(number + 1)]
    assert 0 < len(turn.of("refused")) < 10_000
