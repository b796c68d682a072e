"""From valid applications to decisions: score, apply the policy, name each decision."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from credit_scoring.metrics import count_decisions
from credit_scoring.schemas import Application, Decision

if TYPE_CHECKING:  # so that the API can be described without scikit-learn
    from credit_scoring.scorer import Scorer


@dataclass(frozen=True)
class DecisionDesk:
    """Decides applications with one scorer, known to clients by its `tag` in the model store."""

    scorer: "Scorer"
    tag: str

    def decide(self, applications: Sequence[Application]) -> list[Decision]:
        """One decision per application, in order; all are scored together."""
        if not applications:
            return []
        risks = self.scorer.score_records([application.__dict__ for application in applications])
        decisions = [self._decision(risk) for risk in risks.tolist()]
        count_decisions([decision.decision for decision in decisions])
        return decisions

    def _decision(self, risk: float) -> Decision:
        policy = self.scorer.policy
        return Decision(
            decision=policy.answer(risk),
            risk_probability=risk,
            threshold=policy.threshold,
            decision_id=new_decision_id(),
            model=self.tag,
            policy_version=policy.version,
        )


class _RandomBytes:
    """The system's random bytes, fetched many at a time: one system call for each id would be felt."""

    def __init__(self) -> None:
        self._pool = b""

    def take(self, count: int) -> bytes:
        if len(self._pool) < count:
            self._pool = os.urandom(4096)
        taken, self._pool = self._pool[:count], self._pool[count:]
        return taken


_random_bytes = _RandomBytes()


def new_decision_id() -> str:
    """A UUIDv7 (RFC 9562, section 5.7): ids sort by the millisecond in which they were made."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(_random_bytes.take(10), "big")
    value = (milliseconds << 80) | random
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return str(UUID(int=value))
