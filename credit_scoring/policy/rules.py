"""The rules of a policy as data: predicates over fields, what a rule does when they hold, and worked cases."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from credit_scoring.application.schemas import Answer

RISK = "risk_probability"

MAX_PREDICATES = 20
MAX_VALUES = 200

Severity = Literal["pass", "review", "deny"]

_OPERATORS = ("above", "at_least", "below", "at_most", "between", "in_", "not_in", "is_missing")


class PolicyPart(BaseModel):
    """What all parts of a policy file have in common."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, validate_by_name=True, serialize_by_alias=True
    )


_Value = bool | Annotated[str, Field(max_length=64)]
_Values = Annotated[tuple[_Value, ...], Field(min_length=1, max_length=MAX_VALUES)]


class Predicate(PolicyPart):
    """One condition on a field, a derived field or the risk; `between` includes both ends."""

    field: Annotated[str, Field(min_length=1, max_length=40)]
    unit: Annotated[str, Field(max_length=20)] | None = None
    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None
    between: tuple[float, float] | None = None
    in_: Annotated[_Values | None, Field(alias="in")] = None
    not_in: _Values | None = None
    is_missing: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        if len(given := self.operators) != 1:
            listed = ", ".join(name.rstrip("_") for name in _OPERATORS)
            found = " and ".join(name.rstrip("_") for name in given) or "none"
            raise ValueError(f"field '{self.field}' has {found}; expected exactly one of {listed}")
        return self

    @property
    def operators(self) -> list[str]:
        """The names of the conditions that are given."""
        return [name for name in _OPERATORS if getattr(self, name) is not None]

    @property
    def chosen(self) -> frozenset[bool | str]:
        """The values of `in` or `not_in`."""
        return frozenset(self.in_ or self.not_in or ())

    @property
    def bounds(self) -> tuple[float, ...]:
        """The numbers that it compares with."""
        ends = [self.above, self.at_least, self.below, self.at_most, *(self.between or ())]
        return tuple(end for end in ends if end is not None)


_OF_PREDICATES = frozenset(("field", "in", *_OPERATORS))
_Predicates = Annotated[tuple[Predicate, ...], Field(min_length=1, max_length=MAX_PREDICATES)]


class When(PolicyPart):
    """All of these predicates, or any of them; a single one may stand by itself."""

    all: _Predicates | None = None
    any: _Predicates | None = None

    @model_validator(mode="before")
    @classmethod
    def _single(cls, content: Any) -> Any:
        single = isinstance(content, Mapping) and not _OF_PREDICATES.isdisjoint(content)
        return {"all": [content]} if single else content

    @model_validator(mode="after")
    def _one_list(self) -> Self:
        if (self.all is None) == (self.any is None):
            raise ValueError("expected either all = [...] or any = [...], or one predicate by itself")
        return self

    @property
    def predicates(self) -> tuple[Predicate, ...]:
        """The predicates, whichever way they are joined."""
        return self.all or self.any or ()


class Rule(PolicyPart):
    """Denies or sends to review where `when` holds; `if_missing` is what it does where a missing value decides it.

    `reason` is what a refused client reads, `basis` the norm or contract that it follows from.
    """

    id: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,39}$")]
    when: When
    if_missing: Severity | None = None
    then: Literal["deny", "review"]
    reason: Annotated[str, Field(min_length=1, max_length=200)]
    basis: Annotated[str, Field(max_length=300)] = ""

    @model_validator(mode="after")
    def _missing_decided(self) -> Self:
        if self.if_missing is None and any(not each.is_missing for each in self.when.predicates):
            raise ValueError(
                f"rule {self.id}: if_missing is not given; a missing value is never silently either, so say "
                "'pass', 'review' or 'deny'"
            )
        return self


class FailedRule(BaseModel):
    """A rule that an application did not pass, in the words of the policy that was applied."""

    model_config = ConfigDict(frozen=True)

    id: str
    then: str = Field(
        "", description="What it did: deny or review; empty where only the model that decided, now gone, could tell."
    )
    reason: str = Field("", description="What the client reads: the rule's reason, or which data were missing.")
    basis: str = Field("", description="The norm or contract that it follows from.")
    missing: tuple[str, ...] = Field(
        (), description="The fields that were missing, where that and not its condition made the rule fail."
    )


class Expected(PolicyPart):
    """What a case has to come to."""

    decision: Answer
    rules: tuple[str, ...] = ()


class Case(PolicyPart):
    """A worked example that the policy is tried on before it is used."""

    name: Annotated[str, Field(min_length=1, max_length=120)]
    application: Annotated[dict[str, JsonValue], Field(max_length=500)]
    expect: Expected
