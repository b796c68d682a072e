"""From valid applications to decisions: score, apply the policy, name each decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from credit_scoring.application.schemas import Answer, Application, Decision
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
        scorer = self.scorer
        risks = scorer.score_records([application.__dict__ for application in applications])
        answers = scorer.policy.answers(risks)
        decisions = list(map(self._decision, answers, risks.tolist()))
        count_decisions(answers)
        return decisions

    def _decision(self, answer: Answer, risk: float) -> Decision:
        policy = self.scorer.policy
        return Decision(
            decision=answer,
            risk_probability=risk,
            threshold=policy.threshold,
            decision_id=new_id(),
            model=self.tag,
            policy_version=policy.version,
        )
