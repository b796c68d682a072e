"""Why an application was decided as it was: by which rules, and by which groups of fields of the score; never mixed."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from credit_scoring.application.schemas import Answer
from credit_scoring.explanation.reasons import Reasons, reasons
from credit_scoring.policy.rules import FailedRule

if TYPE_CHECKING:  # so that the API can be described without scikit-learn and pandas
    from credit_scoring.model.scorer import Scorer


class Explanation(BaseModel):
    """The reasons of a decision, from the component that failed: rules name rules, the score names groups of fields."""

    model_config = ConfigDict(frozen=True)

    decision_id: str
    decision: Answer
    rules: tuple[FailedRule, ...] = Field(description="Rules of the policy that did not pass.")
    score: Reasons | None = Field(
        description="What counts for and against the client in the score; null where rules alone decided."
    )


def explained(
    scorer: "Scorer", record: Mapping[str, Any], decision_id: str, decision: Answer, risk: float, rules: Sequence[str]
) -> Explanation:
    """The reasons of this decision; `scorer` has the model and the policy that gave it. Raises ExplanationError.

    Every feature of the model is a key of the record. The same decision always has the same reasons, to the byte.
    """
    policy = scorer.policy
    failed = [policy.rule(id) for id in rules]
    score_decided = decision is Answer.APPROVED or risk >= policy.passes_below
    return Explanation(
        decision_id=decision_id,
        decision=decision,
        rules=tuple(FailedRule.model_validate(each.model_dump()) for each in failed if each),
        score=reasons(scorer, record) if score_decided else None,
    )
