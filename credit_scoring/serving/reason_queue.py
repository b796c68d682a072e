"""Decisions that wait for their reasons: those that came meanwhile are explained and stored together."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from credit_scoring.errors import OverloadedError
from credit_scoring.explanation.explanation import Given

MOST_ASKING = 128  # requests
MOST_APPLICATIONS = 2000  # of all requests, unless one request has them all; reasons of so many take about 2 s
MOST_TOGETHER = 64
TOO_MANY = "Too many reasons are asked for, so that nothing was decided. Try again in a moment, or without reasons."


class Wanted(NamedTuple):
    """A decision whose reasons are wanted, and the name of the key that asked, empty where none did."""

    given: Given
    asked_by: str


Give = Callable[[Sequence[Wanted]], Awaitable[Sequence[str]]]


class ReasonQueue:
    """Has `give` explain what waits, in turn; it returns a text for each decision.

    A transaction for each decision would cost more than its reasons. One instance belongs to one event loop.
    """

    def __init__(self, give: Give) -> None:
        self._give = give
        self._asking = self._applications = 0
        self._waiting: deque[tuple[Wanted, asyncio.Future[str]]] = deque()
        self._giving: asyncio.Task[None] | None = None

    @contextmanager
    def place(self, applications: int = 1) -> Iterator[None]:
        """For a request that will want the reasons of so many decisions.

        Raises OverloadedError, before anything is decided, where too many are wanted already.
        """
        if self._asking >= MOST_ASKING or (self._asking and self._applications + applications > MOST_APPLICATIONS):
            raise OverloadedError(TOO_MANY)
        self._asking += 1
        self._applications += applications
        try:
            yield
        finally:
            self._asking -= 1
            self._applications -= applications

    async def texts(self, wanted: Sequence[Wanted]) -> list[str]:
        """One for each; of very many, some at a time wait, so that other requests come between."""
        found: list[str] = []
        for start in range(0, len(wanted), MOST_TOGETHER):
            found += await asyncio.gather(*map(self._text, wanted[start : start + MOST_TOGETHER]))
        return found

    def _text(self, wanted: Wanted) -> asyncio.Future[str]:
        loop = asyncio.get_running_loop()
        text: asyncio.Future[str] = loop.create_future()
        self._waiting.append((wanted, text))
        self._giving = self._giving or loop.create_task(self._give_waiting())
        return text

    async def _give_waiting(self) -> None:
        while self._waiting:
            taken = [self._waiting.popleft() for _ in range(min(MOST_TOGETHER, len(self._waiting)))]
            wanted, futures = zip(*taken, strict=True)
            try:
                texts: Sequence[str | Exception] = await self._give(wanted)
            except Exception as error:  # of any kind: it must not end the task that everybody waits for
                texts = [error] * len(futures)
            for future, text in zip(futures, texts, strict=True):
                _settle(future, text)
        self._giving = None


def _settle(future: "asyncio.Future[str]", text: str | Exception) -> None:
    if future.done():  # the request was given up
        return
    if isinstance(text, Exception):
        future.set_exception(text)
    else:
        future.set_result(text)
