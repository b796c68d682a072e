"""Performance by cohort, the month of the decision: realised where outcomes are known, else estimated.

A cohort is complete when every decision in it is older than `maturity`. In an incomplete one only some outcomes are
known, and defaults are reported with another delay than payments. Unknown outcomes are estimated: with the calibrated
risk p as probability of default, and the shares D and P of defaults and payments that complete cohorts had reported at
the same age, an approved client without an outcome defaults with probability p (1 − D) / (p (1 − D) + (1 − p)(1 − P))
(Bayes' rule). A denied client will never have an outcome, so the estimate is the risk itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from credit_scoring.application.arrays import Flags, Floats
from credit_scoring.evaluation.approved import measure_approved, weighted_auc
from credit_scoring.model.card import Interval

DayCounts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Decided:
    """Decisions by one model, as arrays of equal length.

    `days` counts from 1970-01-01; `delays` are the days until a decision's outcome was reported, -1 where none was.
    `denied` are those that the model denied or that people, who looked at them, did not approve.
    """

    days: DayCounts
    risk: Floats
    denied: Flags
    defaulted: Flags
    delays: DayCounts

    def only(self, rows: Flags) -> "Decided":
        """The decisions of these rows."""
        return Decided(self.days[rows], self.risk[rows], self.denied[rows], self.defaulted[rows], self.delays[rows])

    @property
    def known(self) -> Flags:
        """Which decisions have a known outcome."""
        return self.delays >= 0


class Cohort(BaseModel):
    """One cohort of one model's decisions; a figure is None if there are too few outcomes for it."""

    model: str
    start: date
    complete: bool
    decisions: int
    denied: int = Field(description="By the model; or, after analysis or a review, not approved by people.")
    known: int = Field(description="Approved clients whose outcome is known.")
    defaulted: int = Field(description="Of those, how many defaulted.")
    default_rate: Interval | None = Field(description="Of approved clients whose outcome is known.")
    calibration_ratio: Interval | None = Field(description="Defaults known over defaults predicted, for them.")
    auc: Interval | None = Field(description="Ranking of approved clients whose outcome is known.")
    recall: Interval | None = Field(
        description="Share of defaults that were denied; defaults of denied clients are estimated by their risk."
    )
    estimated_default_rate: float
    estimated_auc: float | None
    estimated_recall: float | None

    @property
    def coverage(self) -> float | None:
        """Share of approved clients whose outcome is known; None if no client was approved."""
        approved = self.decisions - self.denied
        return self.known / approved if approved else None


def cohorts(model: str, decided: Decided, today: date, maturity: timedelta) -> Iterator[Cohort]:
    """The cohorts of a model, oldest first."""
    now = _day(today)
    months = decided.days.astype("datetime64[D]").astype("datetime64[M]")
    known_by = reporting_delays(decided, now - maturity.days)
    for month in np.unique(months):
        members = decided.only(months == month)
        complete = bool(members.days.max() <= now - maturity.days)
        yield _cohort(
            model, month.astype("datetime64[D]").item(), members, complete, _likelihood(members, now, known_by)
        )


@dataclass(frozen=True)
class Delays:
    """Days until an outcome is known, sorted, in complete cohorts: of defaults and of payments."""

    defaults: DayCounts
    payments: DayCounts

    @staticmethod
    def known_share(delays: DayCounts, age: DayCounts) -> Floats:
        """Share of outcomes that are known at each age; 0 if there is no complete cohort."""
        if not len(delays):
            return np.zeros(len(age))
        return np.searchsorted(delays, age, side="right") / len(delays)


def reporting_delays(decided: Decided, last_complete_day: int) -> Delays:
    """Delays of outcomes among approved clients of complete cohorts."""
    complete = decided.known & ~decided.denied & (decided.days <= last_complete_day)
    bad, good = (np.sort(decided.delays[complete & side]) for side in (decided.defaulted, ~decided.defaulted))
    return Delays(bad, good)


def _likelihood(members: Decided, now: int, known_by: Delays) -> Floats:
    """Probability of default of each member given what is known of it."""
    age = now - members.days
    unknown_bad = members.risk * (1 - Delays.known_share(known_by.defaults, age))
    unknown_good = (1 - members.risk) * (1 - Delays.known_share(known_by.payments, age))
    both = unknown_bad + unknown_good
    estimated = np.divide(unknown_bad, both, out=members.risk.copy(), where=(both > 0) & ~members.denied)
    return np.where(members.known, members.defaulted.astype(np.float64), estimated)


def _cohort(model: str, start: date, members: Decided, complete: bool, likelihood: Floats) -> Cohort:
    realised = measure_approved(members.risk, members.denied, members.defaulted, members.known)
    return Cohort(
        model=model,
        start=start,
        complete=complete,
        decisions=len(members.risk),
        denied=int(members.denied.sum()),
        known=realised.known,
        defaulted=realised.defaulted,
        default_rate=realised.default_rate,
        calibration_ratio=realised.calibration_ratio,
        auc=realised.auc,
        recall=realised.recall,
        estimated_default_rate=float(likelihood.mean()),
        estimated_auc=weighted_auc(members.risk, likelihood),
        estimated_recall=_ratio(float(likelihood[members.denied].sum()), float(likelihood.sum())),
    )


def latest_complete(found: Sequence[Cohort]) -> Mapping[str, Cohort]:
    """The newest cohort of each model that is complete."""
    return {each.model: each for each in sorted(found, key=lambda one: one.start) if each.complete}


def _ratio(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator > 0 else None


def _day(day: date) -> int:
    return (day - date(1970, 1, 1)).days
