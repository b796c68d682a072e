"""Decisions that wait for their reasons: together, in turn, and not too many of them."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack

import pytest

from credit_scoring.application.schemas import Answer
from credit_scoring.errors import DecisionLogError, OverloadedError
from credit_scoring.explanation.explanation import Given
from credit_scoring.serving.reason_queue import MOST_APPLICATIONS, MOST_ASKING, MOST_TOGETHER, ReasonQueue, Wanted


def wanted(name: str) -> Wanted:
    return Wanted(Given({}, name, Answer.DENIED, 0.5, ()), "")


class Giver:
    """Gives each decision its id as its reasons, once it may; fails for those named `bad`."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.may_give = asyncio.Event()
        self.may_give.set()

    async def give(self, wanted: Sequence[Wanted]) -> list[str]:
        self.groups.append([each.given.decision_id for each in wanted])
        await self.may_give.wait()
        if "bad" in self.groups[-1]:
            raise DecisionLogError("The decision log failed.", ValueError())
        return self.groups[-1]


async def begun(giver: Giver, queue: ReasonQueue, *names: str) -> list[asyncio.Task[list[str]]]:
    """A request for each of these names, the first of which is being given when the others come."""
    tasks = []
    for name in names:
        tasks.append(asyncio.create_task(queue.texts([wanted(name)])))
        while not giver.groups:
            await asyncio.sleep(0)
    return tasks


def test_those_that_come_while_others_are_given_are_given_together() -> None:
    async def scenario() -> None:
        giver = Giver()
        giver.may_give.clear()
        tasks = await begun(giver, ReasonQueue(giver.give), "a", "b", "c", "d")
        await asyncio.sleep(0)
        giver.may_give.set()
        assert await asyncio.gather(*tasks) == [["a"], ["b"], ["c"], ["d"]]
        assert giver.groups == [["a"], ["b", "c", "d"]]

    asyncio.run(scenario())


def test_of_very_many_in_one_request_some_are_given_at_a_time_and_others_come_between() -> None:
    async def scenario() -> None:
        giver = Giver()
        queue = ReasonQueue(giver.give)
        names = [str(number) for number in range(3 * MOST_TOGETHER)]
        many = asyncio.create_task(queue.texts([wanted(name) for name in names]))
        (single,) = await begun(giver, queue, "single")
        assert await single == ["single"]
        assert await many == names
        place = next(number for number, group in enumerate(giver.groups) if "single" in group)
        assert place < len(giver.groups) - 1
        assert max(map(len, giver.groups)) <= MOST_TOGETHER

    asyncio.run(scenario())


def test_a_failure_is_that_of_those_who_waited_together_and_of_nobody_after_them() -> None:
    async def scenario() -> None:
        giver = Giver()
        queue = ReasonQueue(giver.give)
        failed = await asyncio.gather(queue.texts([wanted("bad")]), queue.texts([wanted("b")]), return_exceptions=True)
        assert [type(each) for each in failed] == [DecisionLogError, DecisionLogError]
        assert await queue.texts([wanted("c")]) == ["c"]

    asyncio.run(scenario())


def test_a_request_that_is_given_up_takes_nothing_from_the_others() -> None:
    async def scenario() -> None:
        giver = Giver()
        giver.may_give.clear()
        first, gone, other = await begun(giver, ReasonQueue(giver.give), "a", "gone", "b")
        await asyncio.sleep(0)
        gone.cancel()
        giver.may_give.set()
        assert [*await asyncio.gather(first, other)] == [["a"], ["b"]]

    asyncio.run(scenario())


def test_too_many_applications_of_several_requests_are_refused_and_those_of_one_are_not() -> None:
    queue = ReasonQueue(lambda wanted: asyncio.sleep(0, []))
    refused = pytest.raises(OverloadedError, match="nothing was decided")
    with queue.place(MOST_APPLICATIONS - 1), queue.place(1), refused, queue.place():
        pass
    with queue.place(MOST_APPLICATIONS + 1):
        pass


def test_too_many_who_ask_at_once_are_refused_until_one_has_left() -> None:
    queue = ReasonQueue(lambda wanted: asyncio.sleep(0, []))
    with ExitStack() as asking:
        for _ in range(MOST_ASKING - 1):
            asking.enter_context(queue.place())
        with queue.place(), pytest.raises(OverloadedError, match="nothing was decided"), queue.place():
            pass
        with queue.place():
            pass
