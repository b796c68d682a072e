"""The stages of a training, as they are shown while it runs."""

from collections.abc import Callable
from dataclasses import dataclass

SEARCH = "Search"
COMPARE = "Compare"
TEACH = "Compare with taught candidates"
PRICES = "Price the directions of risk"
CUT_OFF = "Hide outcomes at a past cut-off"
FIT = "Calibrate, fit, test"


@dataclass(frozen=True)
class StageReport:
    """A stage that begins; `seconds` is what it will take, roughly, or at most where `limit` is set.

    None where nothing is known yet: `detail` says what it works on.
    """

    title: str
    detail: str
    seconds: float | None
    limit: bool = False


OnStage = Callable[[StageReport], None]
