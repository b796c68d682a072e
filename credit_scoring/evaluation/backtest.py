"""Adds up re-decided clients, chunk by chunk, to what a new policy would have changed."""

from collections.abc import Iterator
from datetime import datetime

import numpy as np
import numpy.typing as npt

from credit_scoring.application.arrays import Floats
from credit_scoring.decisions.policy_of_the_day import History
from credit_scoring.decisions.redecision import Redecided, Redecision
from credit_scoring.evaluation.backtest_counts import CutOffs, Funnel, GroupCounts
from credit_scoring.evaluation.backtest_money import DEFAULTED, Cells, StressedRisks, interval
from credit_scoring.evaluation.backtest_results import (
    QUADRANTS,
    Backtest,
    PolicyOfTheDay,
    Portfolio,
    Quadrant,
    Stress,
)
from credit_scoring.evaluation.performance import share
from credit_scoring.model.card import Interval
from credit_scoring.policy.evaluator import ANSWERS, DENY, PASS, REVIEW
from credit_scoring.policy.policy import Policy

SEED = 0
KEPT_IN, SWAPPED_OUT, SWAPPED_IN, KEPT_OUT = range(len(QUADRANTS))
_GAINED = np.array([0.0, -1.0, 1.0, 0.0])  # what the new policy adds of each quadrant


class Tally:
    """What was added so far; it does not grow with the clients."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._answers = np.zeros((3, 3), dtype=np.int64)
        self._cells = Cells()
        self._swapped_in = StressedRisks(policy.costs)
        self._predicted = np.zeros(4)
        self._funnel = Funnel([rule.id for rule in policy.rules])
        self._curve = CutOffs(policy.costs)
        self._groups = GroupCounts()

    def add(self, chunk: Redecided) -> None:
        """These clients, too."""
        now = chunk.severities.max(axis=1)
        known = ~np.isnan(chunk.defaulted)
        likelihood = np.where(known, chunk.defaulted, chunk.risk)
        quadrant = 2 * (chunk.was != PASS) + (now != PASS)
        np.add.at(self._answers, (chunk.was, now), 1)
        self._cells.add(quadrant, known, likelihood, chunk.exposure)
        swapped = quadrant == SWAPPED_IN
        self._swapped_in.add(known[swapped], likelihood[swapped], chunk.exposure[swapped])
        self._predicted += np.bincount(quadrant[known], chunk.risk[known], 4)
        self._funnel.add(chunk.severities, chunk.was == PASS)
        self._curve.add(chunk, likelihood)
        self._groups.add(chunk, now == PASS)

    @property
    def decisions(self) -> int:
        """How many were added."""
        return int(self._answers.sum())

    def result(self, model: str, since: datetime | None, until: datetime | None, redecision: Redecision) -> Backtest:
        """Everything that was found of them; there must be one at least."""
        policy = self._policy
        clients, money = self._cells.resampled(policy.costs, SEED)
        quadrants = tuple(self._quadrant(place, clients[:, place], money[:, place]) for place in range(4))
        gained = float(self._cells.money(policy.costs) @ _GAINED)
        return Backtest(
            policy=policy.name or policy.version,
            policy_version=policy.version,
            model=model,
            threshold=policy.threshold,
            review_from=policy.review_from,
            costs=policy.costs,
            since=since,
            until=until,
            history=tuple(_lived(redecision.history)),
            decisions=self.decisions,
            rescored=redecision.rescored,
            rejected=redecision.rejected,
            changes=self._changes(),
            funnel=self._funnel.result(),
            quadrants=quadrants,
            before=self._portfolio(self._answers.sum(axis=1), (KEPT_IN, SWAPPED_OUT), clients, money),
            after=self._portfolio(self._answers.sum(axis=0), (KEPT_IN, SWAPPED_IN), clients, money),
            difference=interval(gained, money @ _GAINED),
            stress=Stress(break_even=self._swapped_in.break_even(), money=self._swapped_in.curve()),
            groups=self._groups.result(),
            curve=tuple(self._curve.result(self.decisions)),
        )

    def _changes(self) -> dict[str, dict[str, int]]:
        counts = self._answers.tolist()
        return {was.value: dict(zip(ANSWERS, row, strict=True)) for was, row in zip(ANSWERS, counts, strict=True)}

    def _quadrant(self, place: int, resampled: Floats, money: Floats) -> Quadrant:
        paid, defaulted, *estimated = self._cells.clients[place].sum(axis=1).tolist()
        known, unknown = round(paid + defaulted), round(sum(estimated))
        return Quadrant(
            name=QUADRANTS[place],
            clients=known + unknown,
            known=known,
            defaulted=round(defaulted),
            observed_rate=share(round(defaulted), known) if known else None,
            predicted_rate=float(self._predicted[place]) / known if known else None,
            estimated=unknown,
            estimated_rate=estimated[DEFAULTED] / unknown if unknown else None,
            default_rate=_rate(np.array([paid + estimated[0], defaulted + estimated[DEFAULTED]]), resampled),
            money=interval(float(self._cells.money(self._policy.costs)[place]), money),
        )

    def _portfolio(
        self, answers: npt.NDArray[np.int64], members: tuple[int, int], clients: Floats, money: Floats
    ) -> Portfolio:
        """All applications under the policy that gave these answers, and approved these two quadrants."""
        approved, in_analysis, denied = (int(answers[code]) for code in (PASS, REVIEW, DENY))
        chosen = list(members)
        outcomes = self._cells.clients[chosen].sum(axis=(0, 2)).reshape(2, 2).sum(axis=0)
        earned = float(self._cells.money(self._policy.costs)[chosen].sum())
        return Portfolio(
            approved=approved,
            in_analysis=in_analysis,
            denied=denied,
            approval_rate=share(approved, self.decisions),
            default_rate=_rate(outcomes, clients[:, chosen].sum(axis=1)),
            money=interval(earned, money[:, chosen].sum(axis=1)),
        )


def _lived(history: History) -> Iterator[PolicyOfTheDay]:
    for (version, model), count in history.policies.most_common():
        yield PolicyOfTheDay(policy_version=version, model=model, decisions=count)


def _rate(outcomes: Floats, resampled: Floats) -> Interval | None:
    """Share of defaulters, from how many paid and defaulted; None where there is nobody."""
    if not outcomes.sum():
        return None
    drawn = resampled[resampled.sum(axis=1) > 0]
    samples = drawn[:, DEFAULTED] / drawn.sum(axis=1)
    return interval(float(outcomes[DEFAULTED] / outcomes.sum()), samples if len(samples) else np.array([np.nan]))
