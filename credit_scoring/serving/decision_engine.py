"""From valid applications to decisions: score, apply the policy, name each decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from credit_scoring.application.schemas import Application, Decision
from credit_scoring.decisions.ids import new_id
from credit_scoring.serving.metrics import count_decisions

if TYPE_CHECKING:  # so that the API can be described without scikit-learn
    from credit_scoring.model.scorer import Scorer


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
            decision_id=new_id(),
            model=self.tag,
            policy_version=policy.version,
        )
