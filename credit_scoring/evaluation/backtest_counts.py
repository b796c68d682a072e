"""Counts of re-decided clients: by rule, by risk below which to approve, and by audit group."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from credit_scoring.application.arrays import Flags, Floats
from credit_scoring.decisions.redecision import Redecided
from credit_scoring.evaluation.backtest_results import CutOff, GroupApproval, RuleCount
from credit_scoring.evaluation.fairness import FOUR_FIFTHS, SMALLEST_GROUP, group_labels
from credit_scoring.evaluation.performance import share
from credit_scoring.policy.costs import THRESHOLDS, CostMatrix
from credit_scoring.policy.evaluator import DENY, PASS, REVIEW, Codes

THRESHOLD, RULES = "threshold", "rules"


class Funnel:
    """How many applications the risk by itself, each rule, and all rules together do not let pass."""

    def __init__(self, rules: Sequence[str]) -> None:
        self._names = (THRESHOLD, *rules, *([RULES] if rules else []))
        self._counts = np.zeros((len(self._names), 4), dtype=np.int64)

    def add(self, severities: Codes, was_approved: Flags) -> None:
        """What the risk and each rule say to these, and whether they were approved."""
        fails = severities > PASS
        failing = fails.sum(axis=1)
        for place, said in enumerate(severities.T):
            self._count(place, said, fails[:, place] & (failing == 1), was_approved)
        if len(self._names) > 1:
            together = severities[:, 1:].max(axis=1)
            self._count(-1, together, (together > PASS) & ~fails[:, 0], was_approved)

    def _count(self, place: int, said: Codes, alone: Flags, was_approved: Flags) -> None:
        counts = (said == DENY, said == REVIEW, alone, alone & was_approved)
        self._counts[place] += [int(each.sum()) for each in counts]

    def result(self) -> tuple[RuleCount, ...]:
        """The risk first, then each rule, all rules last."""
        rows = zip(self._names, self._counts.tolist(), strict=True)
        names = ("denies", "reviews", "alone", "newly")
        return tuple(RuleCount(id=id, **dict(zip(names, row, strict=True))) for id, row in rows)


class CutOffs:
    """What the new rules would do with other thresholds, from the clients that pass all of them by their risk."""

    def __init__(self, costs: CostMatrix) -> None:
        self._costs = costs
        self._sums = np.zeros((3, len(THRESHOLDS) + 1))  # clients, defaulters, R$

    def add(self, chunk: Redecided, likelihood: Floats) -> None:
        """These clients, who default with this likelihood."""
        passes = (chunk.severities[:, 1:] == PASS).all(axis=1)
        place = np.searchsorted(THRESHOLDS, chunk.risk[passes], side="right")
        bad, exposure = likelihood[passes], chunk.exposure[passes]
        earned = exposure * (self._costs.margin * (1 - bad) - self._costs.loss_given_default * bad)
        weights = (np.ones(len(bad)), bad, earned)
        self._sums += [np.bincount(place, each, self._sums.shape[1]) for each in weights]

    def result(self, decisions: int) -> Iterator[CutOff]:
        """One for each whole per cent; `decisions` is how many there were in all."""
        approved, defaulted, earned = np.cumsum(self._sums, axis=1)[:, :-1]
        for place, risk in enumerate(THRESHOLDS.tolist()):
            yield CutOff(
                risk=risk,
                approval_rate=float(approved[place]) / decisions,
                default_rate=float(defaulted[place] / approved[place]) if approved[place] else None,
                money=float(earned[place]),
            )


class GroupCounts:
    """Approvals before and after, of each group of the audit fields."""

    def __init__(self) -> None:
        self._counts: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])

    def add(self, chunk: Redecided, is_approved: Flags) -> None:
        """These clients, and whether the new policy approves them."""
        both = pd.DataFrame({"clients": True, "before": chunk.was == PASS, "after": is_approved})
        audited = pd.DataFrame(dict(chunk.audit))
        for field in audited:
            for group, counts in both.groupby(group_labels(audited, str(field))).sum().iterrows():
                held = self._counts[str(field), str(group)]
                held[:] = [before + int(now) for before, now in zip(held, counts, strict=True)]

    def result(self) -> tuple[GroupApproval, ...]:
        """By field and group."""
        return tuple(self._group(*key) for key in sorted(self._counts))

    def _group(self, field: str, group: str) -> GroupApproval:
        clients, before, after = self._counts[field, group]
        rates = [held[2] / held[0] for (name, _), held in self._counts.items() if name == field and _is_large(held)]
        found = share(after, clients)
        return GroupApproval(
            field=field,
            group=group,
            clients=clients,
            before=share(before, clients),
            after=found,
            is_below_four_fifths=clients >= SMALLEST_GROUP and found.high < FOUR_FIFTHS * max(rates),
        )


def _is_large(counts: Sequence[int]) -> bool:
    return counts[0] >= SMALLEST_GROUP
