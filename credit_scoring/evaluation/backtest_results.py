"""What a backtest found, as types that console, JSON and page are written from.

APROVADO counts as in; EM_ANALISE counts as out, like NEGADO: nobody knows yet what people will decide.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from credit_scoring.evaluation.results import Curve
from credit_scoring.model.card import Interval
from credit_scoring.policy.costs import CostMatrix

SHOWN_STEP = 5  # per cent

QuadrantName = Literal["kept_in", "swapped_out", "swapped_in", "kept_out"]
QUADRANTS: tuple[QuadrantName, ...] = ("kept_in", "swapped_out", "swapped_in", "kept_out")


class PolicyOfTheDay(BaseModel):
    """A policy that history was decided under, and again: with no difference."""

    policy_version: str
    model: str
    decisions: int


class RuleCount(BaseModel):
    """How many applications the risk by itself, or a rule, does not let pass under the new policy."""

    id: str = Field(description="The rule; `threshold` is the risk by itself, `rules` all rules together.")
    denies: int
    reviews: int
    alone: int = Field(description="Of these, those that everything else lets pass.")
    newly: int = Field(description="Of those alone, those that were approved.")


class Quadrant(BaseModel):
    """Clients by whether they were approved, and would be; default rates are None where there is no such client."""

    name: QuadrantName
    clients: int
    known: int = Field(description="Those whose outcome was observed.")
    defaulted: int = Field(description="Of those, how many defaulted.")
    observed_rate: Interval | None = Field(description="Default rate of those, by Wilson's score.")
    predicted_rate: float | None = Field(description="Mean risk of the same clients.")
    estimated: int = Field(description="Clients without an outcome: their calibrated risk counts.")
    estimated_rate: float | None = Field(description="Mean risk of those.")
    default_rate: Interval | None = Field(description="Of all: outcomes where known, risks else; bootstrap.")
    money: Interval = Field(description="R$ that approving all of them earns, compared with denying; bootstrap.")

    @property
    def is_off(self) -> bool:
        """Whether the observed default rate is beyond chance another one than the risks predicted."""
        observed, predicted = self.observed_rate, self.predicted_rate
        return observed is not None and predicted is not None and not observed.low <= predicted <= observed.high


class Portfolio(BaseModel):
    """All applications under one policy."""

    approved: int
    in_analysis: int
    denied: int
    approval_rate: Interval
    default_rate: Interval | None = Field(description="Of the approved; bootstrap.")
    money: Interval = Field(description="R$ compared with denying all; bootstrap.")


class Stress(BaseModel):
    """How wrong the risks of the swapped in may be: their money if risks without an outcome were multiplied."""

    break_even: float | None = Field(description="The multiplier at which they earn nothing; None: at no multiplier.")
    money: Curve = Field(description="Multiplier to R$.")


class GroupApproval(BaseModel):
    """Approval rate of a group of an audit field, before and after."""

    field: str
    group: str
    clients: int
    before: Interval
    after: Interval
    is_below_four_fifths: bool = Field(description="Whether it would be below 4/5 of the highest, beyond chance.")


class CutOff(BaseModel):
    """The new policy with its rules, but APROVADO only below this risk."""

    risk: float
    approval_rate: float
    default_rate: float | None
    money: float = Field(description="R$ compared with denying all.")


class Backtest(BaseModel):
    """Everything that was found."""

    model_config = ConfigDict(frozen=True)

    policy: str
    policy_version: str
    model: str
    threshold: float
    review_from: float | None
    costs: CostMatrix
    since: datetime | None
    until: datetime | None
    history: tuple[PolicyOfTheDay, ...] = Field(description="Decided again with no difference.")
    decisions: int = Field(description="Decisions under the new policy: history less those left out.")
    rescored: int = Field(description="Of these, by another pipeline: scored again by the model.")
    rejected: int = Field(description="Left out: the model's field catalogue does not allow their applications.")
    changes: dict[str, dict[str, int]] = Field(description="Decisions by their answer on record and by the new one.")
    funnel: tuple[RuleCount, ...]
    quadrants: tuple[Quadrant, ...]
    before: Portfolio
    after: Portfolio
    difference: Interval = Field(description="R$ that the new policy earns more; bootstrap.")
    stress: Stress
    groups: tuple[GroupApproval, ...]
    curve: tuple[CutOff, ...]

    @property
    def known(self) -> int:
        """Decisions whose outcome was observed."""
        return sum(each.known for each in self.quadrants)

    @property
    def amounts(self) -> list[float]:
        """The ends of every interval of money, so that one unit can be chosen for all."""
        found = [self.before.money, self.after.money, self.difference, *(each.money for each in self.quadrants)]
        return [end for each in found for end in (each.low, each.high)]

    @property
    def cut_off(self) -> float:
        """The risk below which the new policy approves what passes its rules."""
        return self.threshold if self.review_from is None else self.review_from

    @property
    def nearest(self) -> CutOff:
        """The point of the curve that is nearest to the policy."""
        return min(self.curve, key=lambda each: abs(each.risk - self.cut_off))

    @property
    def shown_curve(self) -> list[CutOff]:
        """The points of the curve for a table: every 5 per cent, and the nearest to the policy."""
        return [each for each in self.curve if round(100 * each.risk) % SHOWN_STEP == 0 or each is self.nearest]

    def quadrant(self, name: QuadrantName) -> Quadrant:
        """The quadrant of this name."""
        return self.quadrants[QUADRANTS.index(name)]
