"""The micro-batcher, driven on a real event loop."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_scoring.errors import OverloadedError, ScoringError
from credit_scoring.serving.batching import TURN_SHARE, Caller, MicroBatcher

AMPLE = 1e9
SOON = 20.0
MARKER = "987654321.25"


@dataclass
class Doubler:
    """A score function that doubles its items, fails on some of them and remembers each call."""

    failing: frozenset[int] = frozenset()
    calls: list[list[int]] = field(default_factory=list)

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.calls.append(list(items))
        if self.failing.intersection(items):
            raise ValueError(f"cannot score {MARKER}")
        return [2 * item for item in items]

    @property
    def scored(self) -> list[int]:
        return [item for call in self.calls for item in call]


@dataclass(frozen=True)
class Client:
    """One submit: how many turns of the loop it comes late, and whether it gives up in the turn it came."""

    turns_late: int
    gives_up: bool
    fails: bool


def batcher(
    score: Callable[[Sequence[int]], Sequence[int]], max_batch_size: int = 64, budget: float = AMPLE
) -> MicroBatcher[int, int]:
    return MicroBatcher(score, max_batch_size=max_batch_size, budget=budget)


async def submit(to: MicroBatcher[int, int], item: int) -> int:
    """What the caller of this item is given."""
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    to.put(item, answer)
    return await answer


async def submit_all(to: MicroBatcher[int, int], items: Sequence[int]) -> list[int | BaseException]:
    answers = asyncio.gather(*(submit(to, item) for item in items), return_exceptions=True)
    return await asyncio.wait_for(answers, SOON)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_concurrent_submits_are_scored_in_one_call() -> None:
    score = Doubler()
    assert asyncio.run(submit_all(batcher(score), range(10))) == [2 * item for item in range(10)]
    assert score.calls == [list(range(10))]


def test_a_batch_never_exceeds_its_size_and_nobody_is_left_over() -> None:
    score = Doubler()
    assert asyncio.run(submit_all(batcher(score, max_batch_size=4), range(10))) == [2 * item for item in range(10)]
    assert [len(call) for call in score.calls] == [4, 4, 2]


def test_items_are_scored_in_the_order_in_which_they_came() -> None:
    score = Doubler()
    items = [5, 3, 9, 1, 7, 3]
    asyncio.run(submit_all(batcher(score, max_batch_size=4), items))
    assert score.scored == items


def test_a_single_submit_is_scored_without_waiting_for_company() -> None:
    async def one() -> bool:
        task = asyncio.create_task(submit(batcher(Doubler()), 21))
        await turns(4)
        return task.done() and task.result() == 42

    assert asyncio.run(one())


def test_a_batcher_works_on_after_its_queue_ran_empty() -> None:
    async def twice() -> list[int]:
        one = batcher(Doubler())
        return [await submit(one, 1), await submit(one, 2)]

    assert asyncio.run(twice()) == [2, 4]


def test_an_item_that_raises_fails_alone() -> None:
    answers = asyncio.run(submit_all(batcher(Doubler(failing=frozenset({2}))), range(5)))
    assert isinstance(answers.pop(2), ScoringError)
    assert answers == [0, 2, 6, 8]


def test_a_failure_tells_neither_caller_nor_log_what_the_exception_said(caplog: pytest.LogCaptureFixture) -> None:
    (answer,) = asyncio.run(submit_all(batcher(Doubler(failing=frozenset({7}))), [7]))
    assert MARKER not in str(answer)
    assert "ValueError" in caplog.text
    assert MARKER not in caplog.text


def test_when_results_are_missing_every_caller_is_told() -> None:
    answers = asyncio.run(submit_all(batcher(lambda items: list(items)[:-1]), range(3)))
    assert [type(answer) for answer in answers] == [ScoringError] * 3


def test_when_a_batch_loses_a_result_nobody_gets_the_result_of_another() -> None:
    def forgetful(items: Sequence[int]) -> list[int]:
        return [2 * item for item in items][: max(1, len(items) - 1)]

    assert asyncio.run(submit_all(batcher(forgetful), range(4))) == [0, 2, 4, 6]


def test_when_there_are_too_many_results_nobody_gets_one_silently() -> None:
    answers = asyncio.run(submit_all(batcher(lambda items: [*items, 0]), range(3)))
    assert [type(answer) for answer in answers] == [ScoringError] * 3


def test_when_delivering_raises_every_caller_gets_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    def deliver(items: Sequence[int], callers: Sequence[Caller[int]], results: Sequence[int]) -> None:
        callers[0].set_result(results[0])
        raise ValueError(f"cannot deliver {MARKER}")

    shared = MicroBatcher(Doubler(), max_batch_size=3, budget=AMPLE, deliver=deliver)
    first, *others = asyncio.run(submit_all(shared, range(3)))
    assert first == 0
    assert [type(answer) for answer in others] == [ScoringError] * 2
    assert "ValueError" in caplog.text
    assert MARKER not in caplog.text


def test_a_caller_that_raises_keeps_no_other_from_its_answer(caplog: pytest.LogCaptureFixture) -> None:
    class Raising(asyncio.Future[int]):
        def set_result(self, result: int) -> None:
            raise OSError(MARKER)

    async def among_others() -> list[int | BaseException]:
        shared = batcher(Doubler(), max_batch_size=3)
        loop = asyncio.get_running_loop()
        callers = [loop.create_future(), Raising(), loop.create_future()]
        for item, caller in enumerate(callers):
            shared.put(item, caller)
        return await asyncio.wait_for(asyncio.gather(*callers, return_exceptions=True), SOON)

    first, raising, last = asyncio.run(among_others())
    assert (first, type(raising), last) == (0, ScoringError, 4)
    assert "OSError" in caplog.text
    assert MARKER not in caplog.text


@pytest.mark.parametrize("max_batch_size", [2, 64], ids=["a full batch", "the end of the turn"])
def test_an_observer_that_raises_keeps_nobody_from_an_answer(max_batch_size: int) -> None:
    def on_batch(size: int, oldest_wait: float) -> None:
        raise ValueError(MARKER)

    shared = MicroBatcher(Doubler(), max_batch_size=max_batch_size, budget=AMPLE, on_batch=on_batch)
    assert asyncio.run(submit_all(shared, range(2))) == [0, 2]


def test_a_cancelled_submit_is_not_scored() -> None:
    score = Doubler()

    async def one_gives_up() -> tuple[int | BaseException, int | BaseException]:
        shared = batcher(score)
        staying, leaving = (asyncio.create_task(submit(shared, item)) for item in (1, 2))
        await turns(1)
        leaving.cancel()
        return await asyncio.gather(staying, leaving, return_exceptions=True)

    stayed, left = asyncio.run(one_gives_up())
    assert stayed == 2
    assert isinstance(left, asyncio.CancelledError)
    assert score.scored == [1]


@dataclass
class Clock:
    """A clock that a test sets."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def admissions(at: Sequence[float], budget: float = 100.0) -> list[bool]:
    """Whether an item is admitted at each of these times of a single turn of the event loop."""

    async def one_turn() -> list[bool]:
        clock = Clock()
        shared = MicroBatcher(Doubler(), max_batch_size=64, budget=budget, clock=clock, processor_time=clock)
        found = []
        for clock.now in at:
            try:
                shared.check_admission()
            except OverloadedError:
                found.append(False)
            else:
                found.append(True)
        return found

    return asyncio.run(one_turn())


def test_once_a_turn_has_taken_its_share_of_the_budget_newcomers_are_refused_until_it_ends() -> None:
    share = 100 * TURN_SHARE
    assert admissions([7, 7, 6.5 + share, 7.5 + share, 30 + share, 1000]) == [True, True, True, False, False, False]


def test_a_turn_that_was_off_the_processor_for_longer_than_the_budget_refuses_nobody() -> None:
    async def one_turn() -> None:
        shared = batcher(Doubler(), budget=0.1)
        shared.check_admission()
        threading.Event().wait(0.2)  # the whole loop stands still, as when other processes have its core
        for _ in range(3):
            shared.check_admission()

    asyncio.run(one_turn())


def test_a_turn_that_has_worked_for_longer_than_its_share_refuses_newcomers() -> None:
    async def one_turn() -> None:
        shared = batcher(Doubler(), budget=0.1)
        shared.check_admission()
        until = time.thread_time() + 0.06
        while time.thread_time() < until:
            pass
        shared.check_admission()

    with pytest.raises(OverloadedError):
        asyncio.run(one_turn())


def test_the_next_turn_admits_again() -> None:
    async def two_turns() -> list[int]:
        clock = Clock()
        shared = MicroBatcher(Doubler(), max_batch_size=64, budget=100.0, clock=clock, processor_time=clock)
        shared.check_admission()
        clock.now = 60.0
        await turns(1)
        shared.check_admission()
        return [await submit(shared, 1), await submit(shared, 2)]

    assert asyncio.run(two_turns()) == [2, 4]


def test_a_full_batch_is_scored_at_once() -> None:
    async def fill() -> list[list[int]]:
        score = Doubler()
        shared = batcher(score, max_batch_size=3)
        for item in range(7):
            shared.put(item, asyncio.get_running_loop().create_future())
        return score.calls.copy()

    assert asyncio.run(fill()) == [[0, 1, 2], [3, 4, 5]]


def test_nobody_is_refused_while_the_budget_is_ample() -> None:
    answers = asyncio.run(submit_all(batcher(Doubler(), max_batch_size=2), range(500)))
    assert answers == [2 * item for item in range(500)]


@settings(deadline=None)
@given(
    clients=st.lists(st.builds(Client, st.integers(0, 4), st.booleans(), st.booleans()), max_size=24),
    max_batch_size=st.integers(1, 6),
)
def test_however_clients_come_and_go_each_gets_its_own_answer(clients: list[Client], max_batch_size: int) -> None:
    score = Doubler(failing=frozenset(number for number, client in enumerate(clients) if client.fails))
    answers = asyncio.run(_serve(batcher(score, max_batch_size), clients))
    for number, (client, answer) in enumerate(zip(clients, answers, strict=True)):
        if client.gives_up:
            assert isinstance(answer, asyncio.CancelledError)
        elif client.fails:
            assert isinstance(answer, ScoringError)
        else:
            assert answer == 2 * number
    assert all(0 < len(call) <= max_batch_size for call in score.calls)
    assert set(score.scored) == {number for number, client in enumerate(clients) if not client.gives_up}


async def _serve(shared: MicroBatcher[int, int], clients: Sequence[Client]) -> list[int | BaseException]:
    visits: list[Awaitable[int]] = [_visit(shared, number, client) for number, client in enumerate(clients)]
    return await asyncio.gather(*visits, return_exceptions=True)


async def _visit(shared: MicroBatcher[int, int], number: int, client: Client) -> int:
    await turns(client.turns_late)
    submitting = asyncio.ensure_future(submit(shared, number))
    if client.gives_up:
        submitting.cancel()
    return await submitting
