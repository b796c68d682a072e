"""What the two wrong answers cost, and the threshold that costs least."""

from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from credit_scoring.application.arrays import Flags, Floats
from credit_scoring.errors import ConfigurationError

THRESHOLDS = np.round(np.arange(0.01, 1.0, 0.01), 2)


class CostMatrix(BaseModel):
    """What the two wrong answers cost, as shares of the exposure (the value of a letter); the right ones cost nothing.

    Approving a client who defaults loses `loss_given_default`; refusing one who would have paid loses `margin`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    loss_given_default: Annotated[float, Field(gt=0, le=1)] = 0.45
    margin: Annotated[float, Field(gt=0, le=1)] = 0.20

    @property
    def break_even(self) -> float:
        """The default probability at which approving and refusing cost the same (Elkan 2001, eq. 2)."""
        return self.margin / (self.margin + self.loss_given_default)

    def cost(self, defaulted: Flags, denied: Flags, exposure: Floats) -> float:
        """Cost in R$ of these answers."""
        approved_bad = exposure[defaulted & ~denied].sum() * self.loss_given_default
        denied_good = exposure[~defaulted & denied].sum() * self.margin
        return float(approved_bad + denied_good)


class Limits(BaseModel):
    """What a threshold has to keep to, whatever it earns: shares of defaulters denied and of applications approved."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_recall: Annotated[float, Field(ge=0, le=1)] | None = None
    max_approval_rate: Annotated[float, Field(ge=0, le=1)] | None = None

    def hold(self, defaulted: Flags, denied: Flags) -> bool:
        """Whether these answers keep to them."""
        missed = (defaulted & ~denied).sum() / max(defaulted.sum(), 1)
        enough = self.min_recall is None or 1 - missed >= self.min_recall
        return bool(enough and (self.max_approval_rate is None or 1 - denied.mean() <= self.max_approval_rate))


NO_LIMITS = Limits()


def choose_threshold(
    defaulted: Flags, risk: Floats, exposure: Floats, costs: CostMatrix, limits: Limits = NO_LIMITS
) -> float:
    """The threshold, in whole per cent, at which these out-of-fold risks would have cost least within the limits.

    Of thresholds that cost the same, the one nearest to the break-even probability. Raises ConfigurationError when
    no threshold keeps to the limits.
    """
    allowed = [each for each in THRESHOLDS if limits.hold(defaulted, risk >= each)]
    if not allowed:
        denied = risk >= THRESHOLDS[0]
        recall = (denied & defaulted).sum() / max(defaulted.sum(), 1)
        raise ConfigurationError(
            f"No threshold keeps to {limits.model_dump(exclude_none=True)}: the strictest, {THRESHOLDS[0]:g}, denies "
            f"{recall:.0%} of defaulters and approves {1 - denied.mean():.0%} of applications. "
            "Lower --threshold-min-recall, raise --threshold-max-approval-rate, or search longer (--trials)."
        )
    ordered = sorted(allowed, key=lambda threshold: abs(threshold - costs.break_even))
    return float(min(ordered, key=lambda threshold: costs.cost(defaulted, risk >= threshold, exposure)))
