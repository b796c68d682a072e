"""Requests that a turn of the event loop has read but had no time for: taken up in the next turn, or refused.

A refusal costs half of an answer, so not all are refused at once: whoever asks for more than there is time for waits up
to a second to be told so, and so asks less often. docs/adr/0026 has the figures.
"""

import asyncio
from collections import deque
from math import ceil
from typing import Protocol

REFUSED_WITHIN_S = 1.0
REFUSED_AT_LEAST = 64  # in a turn


class Late(Protocol):
    """A connection whose request waits."""

    def take_up(self) -> bool:
        """Whether there is time for the request in this turn; then it is dealt with."""

    def refuse(self) -> None:
        """Answer that there is no time."""


class Backlog:
    """What one server has read and not yet dealt with, in the order of reading."""

    def __init__(self) -> None:
        self._fresh: deque[Late] = deque()
        self._stale: deque[Late] = deque()
        self._refused_at = 0.0
        self._most = 0  # to be refused, since there was nobody last

    def add(self, late: Late, loop: asyncio.AbstractEventLoop) -> None:
        """Put a request off to the next turn; called after the end of this turn was scheduled."""
        if not self._fresh:
            loop.call_soon(self._take_up, loop)
        self._fresh.append(late)

    def _take_up(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self._take_up_some()
        finally:
            if self._fresh:
                self._to_be_refused(loop)

    def _take_up_some(self) -> None:
        while self._fresh:
            late = self._fresh.popleft()
            if not late.take_up():
                self._fresh.appendleft(late)
                return

    def _to_be_refused(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._stale:
            self._most, self._refused_at = 0, loop.time()
            loop.call_soon(self._refuse_some, loop)
        self._stale.extend(self._fresh)
        self._fresh.clear()
        self._most = max(self._most, len(self._stale))

    def _refuse_some(self, loop: asyncio.AbstractEventLoop) -> None:
        share, self._refused_at = (loop.time() - self._refused_at) / REFUSED_WITHIN_S, loop.time()
        some = min(len(self._stale), max(REFUSED_AT_LEAST, ceil(share * self._most)))
        try:
            for _ in range(some):
                self._stale.popleft().refuse()
        finally:
            if self._stale:
                loop.call_soon(self._refuse_some, loop)
