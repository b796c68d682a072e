"""From a risk probability to a decision: threshold, bands and the lender's own rules."""

import hashlib
from datetime import date, datetime, time, timedelta, timezone
from functools import cached_property
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, computed_field

from credit_scoring.application.schemas import Answer
from credit_scoring.policy.costs import NO_LIMITS, CostMatrix, Limits
from credit_scoring.policy.rules import Case, Rule

BRASILIA = timezone(timedelta(hours=-3))  # without summer time since 2019
_WHEN_GIVEN = ("rules", "cases")


class Policy(BaseModel):
    """Threshold and rules, and the costs and limits that the threshold was chosen for; its version names this content.

    A risk from `review_from` up to the threshold is EM_ANALISE. Without that and without a rule that sends to review
    the only answers are APROVADO and NEGADO.
    """

    model_config = ConfigDict(frozen=True)

    name: str | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    threshold: Annotated[float, Field(gt=0, lt=1)]
    review_from: Annotated[float, Field(gt=0, lt=1)] | None = None
    costs: CostMatrix
    limits: Limits = NO_LIMITS
    rules: tuple[Rule, ...] = ()
    cases: tuple[Case, ...] = ()

    @classmethod
    def on_record(cls, content: str | None) -> Self | None:
        """The policy of the day from a decision's record; None where there is none, or one of another version."""
        try:
            return cls.model_validate_json(content) if content else None
        except ValidationError:
            return None

    @computed_field  # type: ignore[prop-decorator]
    @cached_property
    def version(self) -> str:
        """Short hash of the policy's content; what is not used does not change it."""
        unused = {name for name in _WHEN_GIVEN if not getattr(self, name)}
        content = self.model_dump_json(exclude={"version", *unused}, exclude_none=True)
        return "policy-" + hashlib.sha256(content.encode()).hexdigest()[:10]

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The answers that it can give."""
        reviews = self.review_from is not None or any("review" in (each.then, each.if_missing) for each in self.rules)
        return (Answer.APPROVED, *([Answer.REVIEW] if reviews else []), Answer.DENIED)

    @property
    def end(self) -> datetime | None:
        """The last second in which it is valid."""
        return datetime.combine(self.valid_until, time(23, 59, 59), BRASILIA) if self.valid_until else None

    @property
    def passes_below(self) -> float:
        """The risk below which nothing but rules stands in the way of APROVADO."""
        return self.threshold if self.review_from is None else self.review_from

    def rule(self, id: str) -> Rule | None:
        """The rule with this id."""
        return self._by_id.get(id)

    @cached_property
    def _by_id(self) -> dict[str, Rule]:
        return {each.id: each for each in self.rules}
