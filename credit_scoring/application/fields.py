"""What a catalogue says of one field, of one derived field, and of a group of fields."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from credit_scoring.application.arrays import Floats
from credit_scoring.application.expressions import Expression, quiet

Kind = Literal["number", "integer", "flag", "category", "text"]
RiskMoves = Literal["up", "down"]
IfMissing = Literal["worst", "median"]

REAIS = "BRL"
MAX_VALUES = 200
MAX_TEXT = 64
TEXT_PATTERN = r"^[^\x00-\x1f\x7f]*$"

_Text = Annotated[str, Field(min_length=1, max_length=200)]


def _is_empty(value: Any) -> bool:
    return not value


class Role(StrEnum):
    """What a field is for: an input of the model, rules alone, audits alone, or the envelope of the request."""

    FEATURE = "feature"
    POLICY = "policy"
    AUDIT = "audit"
    ENVELOPE = "envelope"


class _Entry(BaseModel):
    """What all entries of a catalogue have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    title: Annotated[str, Field(min_length=1, max_length=80)]


class Group(_Entry):
    """Fields that make one reason; `weak` and `missing` are what a refused client reads."""

    weak: _Text
    missing: _Text


class Meaning(BaseModel):
    """What a value stands for, and who or what goes there where that is not plain; in both languages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pt: _Text
    en: _Text


class Lever(BaseModel):
    """How far a client can change a number: from `at_least` to `at_most`, by `step`; large values by more."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    at_least: Annotated[int | float, Field(ge=0)]
    at_most: Annotated[int | float, Field(gt=0, le=1e12)]
    step: Annotated[int | float, Field(ge=0.01)]


class ApplicationField(_Entry):
    """A field that a client of the API sends. A value keeps to `above`, `at_least`, `at_most` or `values`.

    Where the risk has a direction, a missing value counts as the worst one, or `if_missing` as the median or worse;
    where it has none, as the median or the commonest value, or worse.
    """

    name: str
    description: Annotated[str, Field(max_length=500)] = ""
    kind: Kind
    role: Role = Role.FEATURE
    unit: Annotated[str, Field(max_length=20)] | None = None
    above: int | float | None = None
    at_least: int | float | None = None
    at_most: int | float | None = None
    values: Annotated[dict[str, str], Field(max_length=MAX_VALUES)] = {}
    required: bool = False
    risk_moves: RiskMoves | None = None
    if_missing: IfMissing = "worst"
    group: str | None = None
    source: Annotated[str, Field(max_length=80)] | None = None
    lever: Lever | None = None
    example: JsonValue = None
    # Left out where not given, so that the hash of a catalogue that was stored before stays as it is on record.
    title_en: Annotated[str, Field(min_length=1, max_length=80, exclude_if=_is_empty)] = ""
    meanings: Annotated[dict[str, Meaning], Field(max_length=MAX_VALUES, exclude_if=_is_empty)] = {}

    @property
    def is_number(self) -> bool:
        """Whether it is a number of either kind."""
        return self.kind in ("number", "integer")

    @property
    def is_numeric(self) -> bool:
        """Whether it is computed with: a number, or a flag as 0 and 1."""
        return self.is_number or self.kind == "flag"

    @property
    def categories(self) -> tuple[str, ...]:
        """The values of a category."""
        return tuple(self.values)

    def problems(self) -> Iterator[str]:
        """What is wrong with this entry by itself."""
        bounds = {name: getattr(self, name) for name in ("above", "at_least", "at_most")}
        if not self.is_number and (given := [name for name, bound in bounds.items() if bound is not None]):
            yield f"{given[0]} is for numbers, but kind is '{self.kind}'; remove it"
        low = [bound for bound in (self.above, self.at_least) if bound is not None]
        if low and self.at_most is not None and max(low) > self.at_most:
            yield f"its range is upside down: at least {max(low):g}, at most {self.at_most:g}; exchange them"
        if self.kind == "category" and not self.values:
            yield "a category needs [fields.NAME.values], a title for each value"
        if self.kind != "category" and self.values:
            yield f"values are for a category, but kind is '{self.kind}'; remove them or make it a category"
        if unknown := [value for value in self.meanings if value not in self.values]:
            yield f"meanings: '{unknown[0][:40]}' is not among the values; correct it, or add it there"
        if self.kind in ("category", "text") and self.risk_moves:
            yield f"risk_moves = '{self.risk_moves}' is for numbers and flags, not for a {self.kind}; remove it"
        if self.kind == "text" and self.role is Role.FEATURE:
            yield "a text cannot be a feature; make it a category, or give it role = 'audit'"
        if self.role is Role.ENVELOPE:
            yield "role 'envelope' is for application_id alone; expected feature, policy or audit"
        if self.role is Role.AUDIT and self.risk_moves:
            yield "an audit field is never scored, so that it has no risk_moves; remove it"
        if self.required and self.example is None:
            yield "a required field needs an example; add one"


class Derived(_Entry):
    """A number that is computed from fields, and from derived fields above it."""

    expression: Annotated[str, Field(min_length=1)]
    unit: Annotated[str, Field(max_length=20)] | None = None
    risk_moves: RiskMoves | None = None
    if_missing: IfMissing = "worst"


@dataclass(frozen=True)
class DerivedField:
    """A derived field, parsed; `inputs` are the raw fields that it is computed from, directly or by another one."""

    name: str
    expression: Expression
    inputs: tuple[str, ...]
    risk_moves: RiskMoves | None = None


def derive(fields: Iterable[DerivedField], columns: Mapping[str, Floats]) -> dict[str, Floats]:
    """These columns and the derived ones, each of shape (rows,); every derived one may use those before it."""
    known = dict(columns)
    with quiet():
        for field in fields:
            known[field.name] = field.expression.compute(known)
    return known


APPLICATION_ID = ApplicationField(
    name="application_id",
    title="Id da proposta",
    description="Your own id of the application; no control characters.",
    kind="text",
    role=Role.ENVELOPE,
)
