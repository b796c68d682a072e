"""The time that a training may take, as a whole."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

Now = Callable[[], float]

SEARCH_SHARE = 0.4  # of the time that is left when the search begins; the rest compares, fits and measures
COMPARE_SHARE = 0.4  # of what is left beyond the last fit, as the others
GROWTH_SHARE = 0.25  # of the comparison's
LAST_GROWTH_SHARE = 0.4  # of what is left for the last fit, which takes as long and a quarter more for all rows
PRICES_SHARE = 0.5
CUT_OFF_SHARE = 0.5


@dataclass(frozen=True)
class Clock:
    """Counts down from `seconds`, or for ever where that is None; `began` and `now` are in seconds of one clock."""

    seconds: float | None = None
    now: Now = time.monotonic
    began: float = field(default=-1.0)

    def __post_init__(self) -> None:
        if self.began < 0:
            object.__setattr__(self, "began", self.now())

    @property
    def gone(self) -> float:
        """Seconds since it began."""
        return self.now() - self.began

    @property
    def left(self) -> float:
        """Seconds that are left, infinite without a limit, below 0 where it is exceeded."""
        return float("inf") if self.seconds is None else self.seconds - self.gone

    def share(self, part: float, kept: float = 0.0) -> "Clock":
        """A clock of its own for a stage, which gets this part of what is left beyond the seconds that are `kept`."""
        if self.seconds is None:
            return Clock(None, self.now)
        return Clock(max(0.0, (self.left - kept) * part), self.now)
