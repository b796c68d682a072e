"""The two languages of a page: which text to show, and how numbers are written."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Self

from credit_scoring.model.card import Interval

_SWAPPED = str.maketrans(",.", ".,")
_SPACE = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Language:
    """Brazilian Portuguese or English."""

    code: str
    name: str

    @property
    def is_portuguese(self) -> bool:
        """Whether it is."""
        return self.code.startswith("pt")

    def say(self, portuguese: str, english: str) -> str:
        """The text in this language."""
        return portuguese if self.is_portuguese else english

    def number(self, value: float, digits: int = 0) -> str:
        """With the language's own separators."""
        return self.localised(f"{value:,.{digits}f}")

    def localised(self, number: str) -> str:
        """A number as Python writes it, with the language's own separators."""
        text = number.replace("-", "−")
        return text.translate(_SWAPPED) if self.is_portuguese else text

    def percent(self, value: float, digits: int = 1) -> str:
        """A share as per cent."""
        return f"{self.number(100 * value, digits)}{_SPACE}%"

    def shares(self, found: Interval) -> str:
        """A share with its interval."""
        return f"{self.percent(found.value)} {self._ends(100 * found.low, 100 * found.high, 1)}"

    def reais(self, value: float) -> str:
        """An amount without cents."""
        return f"{'−' if value < 0 else ''}R${_SPACE}{self.number(abs(value))}"

    def amounts(self, found: Interval) -> str:
        """An amount with its interval."""
        return f"{self.reais(found.value)} {self._ends(found.low, found.high, 0)}"

    def unit(self, unit: "MoneyUnit") -> str:
        """The name of a unit."""
        return self.say(unit.portuguese, unit.english)

    def scaled(self, found: Interval, unit: "MoneyUnit") -> str:
        """An amount with its interval, in this unit."""
        low, value, high = (each / unit.divisor for each in (found.low, found.value, found.high))
        return f"{self.number(value, unit.digits)} {self._ends(low, high, unit.digits)}"

    def _ends(self, low: float, high: float, digits: int) -> str:
        between = f";{_SPACE}" if self.is_portuguese else f",{_SPACE}"
        return f"[{self.number(low, digits)}{between}{self.number(high, digits)}]"


class MoneyUnit(NamedTuple):
    """What amounts are divided by, and shown with how many digits, so that they stay short."""

    divisor: float
    portuguese: str
    english: str
    digits: int = 0

    @classmethod
    def of(cls, amounts: Iterable[float]) -> Self:
        """The unit for amounts of which the largest is as large as these."""
        largest = max(map(abs, amounts), default=0.0)
        found = next((each for each in _UNITS if largest >= each[0]), _UNITS[-1])
        return cls(*found, digits=2 if largest < 100 * found[0] and found[0] > 1 else 0)


_UNITS = ((1e6, "R$ milhões", "R$ million"), (1e3, "R$ mil", "R$ thousand"), (1.0, "R$", "R$"))

PORTUGUESE, ENGLISH = Language("pt-BR", "Português"), Language("en", "English")
