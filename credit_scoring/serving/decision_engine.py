"""From valid applications to decisions: score, apply the policy, name each decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from credit_scoring.application.schemas import Application, Decision
from credit_scoring.decisions.ids import new_id
from credit_scoring.serving.metrics import count_decisions

if TYPE_CHECKING:  # so that the API can be described without scikit-learn
    from credit_scoring.model.scorer import Scorer
    from credit_scoring.policy.evaluator import Ruling

Record = Mapping[str, Any]


@dataclass(frozen=True)
class DecisionDesk:
    """Decides applications with one scorer, known to clients by its `tag` in the model store."""

    scorer: "Scorer"
    tag: str

    def decide(self, applications: Sequence[Application]) -> list[Decision]:
        """One decision per application, in order; all are scored together."""
        if not applications:
            return []
        records = [application.__dict__ for application in applications]
        risks, rulings = self.scorer.decide(records)
        outside = self.scorer.unknowns.outside_training(records)
        decisions = list(map(self._decision, records, rulings, risks.tolist(), outside))
        count_decisions(rulings)
        return decisions

    def _decision(self, record: Record, ruling: "Ruling", risk: float, outside: tuple[str, ...]) -> Decision:
        policy = self.scorer.policy
        return Decision(
            decision=ruling.answer,
            risk_probability=risk,
            threshold=policy.threshold,
            decision_id=new_id(),
            model=self.tag,
            policy_version=policy.version,
            rules=list(ruling.rules),
            missing=list(self.scorer.unknowns.missing(record)),
            outside_training=list(outside),
        )
