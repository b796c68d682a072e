"""From valid applications to decisions: score, apply the policy, name each decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from credit_scoring.application.records import Records
from credit_scoring.application.schemas import Application, Decision
from credit_scoring.decisions.ids import new_id

if TYPE_CHECKING:  # so that the API can be described without scikit-learn
    from credit_scoring.model.scorer import Scorer
    from credit_scoring.policy.evaluator import Ruling

Names = tuple[str, ...]

_DECISIONS = TypeAdapter(list[Decision])  # validated together: one by one takes twice as long


@dataclass(frozen=True)
class DecisionDesk:
    """Decides applications with one scorer, known to clients by its `tag` in the model store."""

    scorer: "Scorer"
    tag: str

    def decide(self, applications: Sequence[Application]) -> list[Decision]:
        """One decision per application, in order; all are scored together."""
        if not applications:
            return []
        records = Records([application.__dict__ for application in applications])
        risks, rulings = self.scorer.decide(records)
        unknowns = self.scorer.unknowns
        told = zip(rulings, risks.tolist(), unknowns.missing(records), unknowns.outside_training(records), strict=True)
        return _DECISIONS.validate_python([self._content(*each) for each in told])

    def _content(self, ruling: "Ruling", risk: float, missing: Names, outside: Names) -> dict[str, Any]:
        policy = self.scorer.policy
        return {
            "decision": ruling.answer,
            "risk_probability": risk,
            "threshold": policy.threshold,
            "decision_id": new_id(),
            "model": self.tag,
            "policy_version": policy.version,
            "rules": ruling.rules,
            "missing": missing,
            "outside_training": outside,
        }
