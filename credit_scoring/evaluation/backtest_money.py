"""Money of re-decided clients: bootstrap intervals and stress, from sums that do not grow with the clients.

Clients are counted in cells by quadrant, outcome and exposure, bins of which are 2 % wide. A client without an outcome
counts by the calibrated risk p: as p of a defaulter and 1 − p of a payer. In a Poisson bootstrap (Hanley & MacGibbon
2006) each client is drawn Poisson(1) times, so that a cell with n clients is drawn Poisson(n) times: one draw for the
cell is the same as one for each client. So intervals cover which clients apply and, where that is not known, who of
them defaults; they do not cover that risks may be wrong, which is what the stress is for.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from credit_scoring.application.arrays import Flags, Floats, Rows
from credit_scoring.evaluation.results import Curve
from credit_scoring.model.card import Interval
from credit_scoring.policy.costs import CostMatrix

REPEATS = 1000
LEAST_EXPOSURE, BIN_RATIO, EXPOSURE_BINS = 0.01, 1.02, 1_700
RISK_BINS = 10_000
STRESS_POINTS = 61
PAID, DEFAULTED = 0, 1


class Cells:
    """Clients by quadrant, by outcome (paid, defaulted; observed, then estimated) and by exposure."""

    shape = (4, 4, EXPOSURE_BINS)

    def __init__(self) -> None:
        self.clients = np.zeros(self.shape)
        self.exposure = np.zeros(self.shape)

    def add(self, quadrant: Rows, known: Flags, likelihood: Floats, exposure: Floats) -> None:
        """These clients, who default with this likelihood; 0 or 1 where that is `known`."""
        place = np.log(exposure / LEAST_EXPOSURE) / np.log(BIN_RATIO)
        column = np.clip(place, 0, EXPOSURE_BINS - 1).astype(np.intp)
        for outcome, weight in ((PAID, 1 - likelihood), (DEFAULTED, likelihood)):
            cell = np.ravel_multi_index((quadrant, np.where(known, 0, 2) + outcome, column), self.shape)
            self.clients += np.bincount(cell, weight, self.clients.size).reshape(self.shape)
            self.exposure += np.bincount(cell, weight * exposure, self.clients.size).reshape(self.shape)

    def resampled(self, costs: CostMatrix, seed: int, repeats: int = REPEATS) -> tuple[Floats, Floats]:
        """Clients by quadrant and outcome, shape (repeats, 4, 2), and money by quadrant, shape (repeats, 4)."""
        generator = np.random.default_rng(seed)
        quadrant, outcome, _ = np.nonzero(self.clients)
        filled = self.clients > 0
        expected, exposure = self.clients[filled], self.exposure[filled] / self.clients[filled]
        drawn = generator.poisson(expected, (repeats, len(expected)))
        earned = np.where(outcome % 2 == DEFAULTED, -costs.loss_given_default, costs.margin) * exposure
        place = quadrant * 2 + outcome % 2
        to_outcome = np.equal.outer(place, np.arange(8)).astype(np.float64)
        to_quadrant = np.equal.outer(quadrant, np.arange(4)) * earned[:, np.newaxis]
        return (drawn @ to_outcome).reshape(repeats, 4, 2), drawn @ to_quadrant

    def money(self, costs: CostMatrix) -> Floats:
        """R$ that approving each quadrant earns, compared with denying it, shape (4,)."""
        paid, defaulted = (self.exposure[:, outcome::2].sum(axis=(1, 2)) for outcome in (PAID, DEFAULTED))
        earned: Floats = costs.margin * paid - costs.loss_given_default * defaulted
        return earned


def interval(value: float, samples: Floats) -> Interval:
    """The 95 % interval of a value by its resamples; it always contains the value."""
    low, high = np.nanquantile(samples, [0.025, 0.975])
    return Interval(value=value, low=min(float(low), value), high=max(float(high), value))


@dataclass
class StressedRisks:
    """Clients by risk, in narrow bins, and what those earn whose outcome was observed."""

    costs: CostMatrix
    observed: float = 0.0

    def __post_init__(self) -> None:
        self._exposure = np.zeros(RISK_BINS + 1)
        self._at_risk = np.zeros(RISK_BINS + 1)

    def add(self, known: Flags, likelihood: Floats, exposure: Floats) -> None:
        """These clients, who default with this likelihood; 0 or 1 where that is `known`."""
        costs = self.costs
        earned = exposure * (costs.margin - (costs.margin + costs.loss_given_default) * likelihood)
        self.observed += float(earned[known].sum())
        place = (likelihood[~known] * RISK_BINS).astype(np.intp)
        self._exposure += np.bincount(place, exposure[~known], RISK_BINS + 1)
        self._at_risk += np.bincount(place, (exposure * likelihood)[~known], RISK_BINS + 1)

    def money(self, multiplier: float) -> float:
        """R$ that they earn if every risk without an outcome is multiplied, up to certain default."""
        costs = self.costs
        lost = np.minimum(multiplier * self._at_risk, self._exposure).sum()
        earned = costs.margin * self._exposure.sum() - (costs.margin + costs.loss_given_default) * lost
        return self.observed + float(earned)

    def break_even(self) -> float | None:
        """The multiplier at which they earn nothing; None where none does, or nobody is without an outcome."""
        at_risk = self._at_risk > 0
        if not at_risk.any():
            return None
        largest = float((self._exposure[at_risk] / self._at_risk[at_risk]).max())
        if self.money(0.0) < 0 or self.money(largest) > 0:
            return None
        return float(brentq(self.money, 0.0, largest, xtol=1e-9))

    def curve(self) -> Curve:
        """Multiplier to R$, until beyond the break-even."""
        end = max(2.0, 1.25 * min(self.break_even() or 2.0, 20.0))
        multipliers = np.linspace(0, end, STRESS_POINTS).tolist()
        return Curve(x=tuple(multipliers), y=tuple(self.money(each) for each in multipliers))
