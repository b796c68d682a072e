"""Identifiers that sort by the time at which they were made."""

import os
import re
import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RANDOM_BITS = 62
_STEP_BITS = 32
PATTERN = "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"  # as JSON Schema has it


class TimeOrderedIds:
    """UUIDv7 (RFC 9562, section 5.7), each greater than the one before (section 6.2, method 2).

    Random bytes are fetched many at a time: one system call for each id would be felt.
    """

    def __init__(self) -> None:
        self._pool = b""
        self._last = 0

    def new(self) -> str:
        """The next id, in the canonical form."""
        milliseconds = time.time_ns() // 1_000_000
        if milliseconds > self._last >> 80:
            random = self._bits(10)
            upper, lower = random >> _RANDOM_BITS & 0xFFF, random & (1 << _RANDOM_BITS) - 1
            self._last = milliseconds << 80 | 0x7 << 76 | upper << 64 | 0b10 << _RANDOM_BITS | lower
        else:
            self._last = self._after(self._last)
        text = f"{self._last:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def _after(self, last: int) -> int:
        """A random step further; in the next millisecond once the random part is used up."""
        step = 1 + self._bits(_STEP_BITS // 8)
        lower = (last & (1 << _RANDOM_BITS) - 1) + step
        if lower < 1 << _RANDOM_BITS:
            return last + step
        return (last >> 80) + 1 << 80 | 0x7 << 76 | 0b10 << _RANDOM_BITS | step

    def _bits(self, count: int) -> int:
        if len(self._pool) < count:
            self._pool = os.urandom(4096)
        taken, self._pool = self._pool[:count], self._pool[count:]
        return int.from_bytes(taken, "big")


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
