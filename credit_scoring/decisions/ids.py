"""Identifiers that sort by the time at which they were made."""

import os
import re
import struct
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Lock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RANDOM = 1 << 62  # the last 62 bits are random
_VARIANT = 0b10 << 62
PATTERN = "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"  # as JSON Schema has it


class TimeOrderedIds:
    """UUIDv7 (RFC 9562, section 5.7), each greater than the one before (section 6.2, method 2), in whatever thread.

    Random bytes are fetched many at a time: one system call for each id would be felt.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._steps: Iterator[int] = iter(())
        self._millisecond = self._lower = 0
        self._upper = ""

    def new(self) -> str:
        """The next id, in the canonical form."""
        with self._lock:
            millisecond = time.time_ns() // 1_000_000
            if millisecond > self._millisecond:
                self._begin(millisecond, int.from_bytes(os.urandom(8)) % _RANDOM)
            else:
                self._step()
            upper, lower = self._upper, f"{_VARIANT | self._lower:x}"
        return f"{upper}{lower[:4]}-{lower[4:]}"

    def _begin(self, millisecond: int, lower: int) -> None:
        text = f"{millisecond:012x}"
        self._upper = f"{text[:8]}-{text[8:]}-7{os.urandom(2).hex()[1:]}-"
        self._millisecond, self._lower = millisecond, lower

    def _step(self) -> None:
        """A random step further; in the next millisecond once the random part is used up."""
        step = next(self._steps, None)
        if step is None:
            self._steps = iter(struct.unpack("1024I", os.urandom(4096)))
            step = next(self._steps)
        self._lower += 1 + step
        if self._lower >= _RANDOM:
            self._begin(self._millisecond + 1, step)


new_id = TimeOrderedIds().new


def is_id(text: str) -> bool:
    """Whether this is an id as they are written here."""
    return re.fullmatch(PATTERN, text) is not None


def first_id_at(moment: datetime) -> str:
    """What sorts before every id made from this moment on, and after every earlier one."""
    milliseconds = max(0, (moment - _EPOCH) // timedelta(milliseconds=1))
    text = f"{milliseconds:012x}"
    return f"{text[:8]}-{text[8:]}-7000-8000-000000000000"


def made_at(identifier: str) -> datetime:
    """When an id was made, to the millisecond, in UTC."""
    return datetime.fromtimestamp(int(identifier[:8] + identifier[9:13], 16) / 1000, UTC)
