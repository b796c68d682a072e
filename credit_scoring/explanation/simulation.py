"""What a simulation answers, and how it is told to a client."""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, computed_field

from credit_scoring.application.fields import REAIS, ApplicationField
from credit_scoring.explanation.levers import Number, Path, Way

NOTICE = (
    "Simulação, sem promessa de aprovação: parte dos dados informados e das regras de hoje. "
    "A nova proposta será analisada por inteiro, e o que for informado terá de ser comprovado."
)
INTERRUPTED = "A simulação foi interrompida antes do fim; pode haver outras alternativas. "

_UNITS = {"months": ("mês", "meses"), "years": ("ano", "anos")}


class Holds(StrEnum):
    """For which values beside its own a change leads to approval, all else as in the plan."""

    EVERY_BETTER_VALUE = "every_better_value"
    EVERY_LOWER_GRID_VALUE = "every_lower_grid_value"
    THIS_VALUE = "this_value"


class Extent(StrEnum):
    """What a proof covers: every combination of the levers that it names, or at most two of them at a time."""

    ANY_COMBINATION = "any_combination"
    ALONE_OR_IN_PAIRS = "alone_or_in_pairs"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Change(_Part):
    """One lever moved; `before` is null where the application does not say."""

    field: str
    title: str
    before: int | float | None
    after: int | float
    holds: Holds

    @classmethod
    def of(cls, path: Path, after: Number) -> Self:
        """A lever moved to a value."""
        return cls(field=path.name, title=path.field.title, before=path.before, after=after, holds=_HOLDS[path.way])


class Plan(_Part):
    """Changes with which the application as a whole is approved; all else stays."""

    changes: Annotated[tuple[Change, ...], Field(min_length=1, max_length=2)]
    text: str

    @classmethod
    def of(cls, moves: Sequence[tuple[Path, Number]]) -> Self:
        """The plan of these moves, in the catalogue's order."""
        return cls(
            changes=tuple(Change.of(path, after) for path, after in moves),
            text=f"Aprovada na simulação com {' e '.join(_changed(path, after) for path, after in moves)}.",
        )


class LargestLetter(_Part):
    """The largest value of the letter below which every value of the grid is approved; null where none is."""

    field: str
    value: int | float | None
    text: str

    @classmethod
    def of(cls, path: Path, value: Number | None) -> Self:
        """What the search along the letter has found."""
        title = path.field.title
        if value is None:
            text = f"{title}: sem aprovação na simulação já com o mínimo, {amount(path.field, path.values[0])}."
        else:
            text = f"{title}, máximo aprovado na simulação: {amount(path.field, value)}."
        return cls(field=path.name, value=value, text=text)


class NoPlan(_Part):
    """No single lever and no pair leads to approval.

    That is proven for the levers in `proven`, by the direction in which risk moves, to the `extent` said. Those in
    `tried` have no direction: their values of a grid were evaluated, all of them alone, some of them in pairs; of the
    letter those up to the first that is refused. What lies between, and three levers at once, is open.
    """

    proven: tuple[str, ...]
    extent: Extent
    tried: tuple[str, ...]
    text: str

    @classmethod
    def of(cls, proven: Sequence[Path], extent: Extent, tried: Sequence[Path]) -> Self:
        """What is known after every search has come back without a plan."""
        combined = "em qualquer combinação" if extent is Extent.ANY_COMBINATION else "isoladas ou duas a duas"
        told = []
        if proven:
            limits = "não levam à aprovação dentro dos limites simulados"
            told.append(f"Mudanças em {_listed(proven)}, {combined}, {limits}.")
        if tried:
            told.append(f"Com {_listed(tried)}, a simulação não encontrou alternativa.")
        return cls(
            proven=tuple(path.name for path in proven),
            extent=extent,
            tried=tuple(path.name for path in tried),
            text=" ".join(told),
        )


class WhatIf(_Part):
    """The answer. `single` and `pair` are empty for an approved application, `pair` also where a single lever suffices.

    An answer that is not `complete` ran out of its budget: what it gives holds, what it does not give is unknown.
    """

    approved: bool
    largest_letter: LargestLetter | None = None
    single: tuple[Plan, ...] = ()
    pair: Plan | None = None
    none: NoPlan | None = None
    complete: bool
    evaluations: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def notice(self) -> str:
        """What a client reads under every answer."""
        return NOTICE if self.complete else INTERRUPTED + NOTICE


def amount(field: ApplicationField, value: Number) -> str:
    """A value in Brazilian notation with its unit, such as R$ 1.234,50 or 48 meses; what is no money is exact."""
    if field.unit == REAIS:
        return f"R$ {_brazilian(f'{value:,.{0 if value == int(value) else 2}f}')}"
    singular, plural = _UNITS.get(field.unit or "", (field.unit or "",) * 2)
    return f"{exact(value)} {singular if value == 1 else plural}".strip()


def exact(value: Number) -> str:
    """A number in Brazilian notation, such as 1.234,5: all its digits, and no more."""
    return _brazilian(f"{Decimal(int(value) if value == int(value) else repr(value)):,f}")


def _brazilian(number: str) -> str:
    return number.translate(str.maketrans(",.", ".,"))


def _changed(path: Path, after: Number) -> str:
    now = "hoje sem informação" if path.before is None else f"hoje {amount(path.field, path.before)}"
    limit = _LIMITS[path.field.risk_moves] if path.way is Way.BETTER else ""
    return f"{lowered(path.field.title)} de {limit}{amount(path.field, after)} ({now})"


def _listed(paths: Sequence[Path]) -> str:
    *others, last = [lowered(path.field.title) for path in paths]
    return f"{', '.join(others)} e {last}" if others else last


def lowered(title: str) -> str:
    """A title within a sentence; abbreviations stay as they are."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


_LIMITS = {"down": "pelo menos ", "up": "no máximo ", None: ""}
_HOLDS = {
    Way.BETTER: Holds.EVERY_BETTER_VALUE,
    Way.LETTER: Holds.EVERY_LOWER_GRID_VALUE,
    Way.EITHER: Holds.THIS_VALUE,
}
