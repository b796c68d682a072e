"""Why an application was decided as it was: by which rules, and by which groups of fields of the score; never mixed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from credit_scoring.application.schemas import Answer
from credit_scoring.explanation.reasons import Reasons, reasons_of_many
from credit_scoring.policy.failures import Failures
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


class Given(NamedTuple):
    """A decision that was given to an application; every feature of the model is a key of its record."""

    record: Mapping[str, Any]
    decision_id: str
    decision: Answer
    risk: float
    rules: Sequence[str]


def explained(scorer: "Scorer", given: Sequence[Given]) -> Iterator[Explanation]:
    """The reasons of decisions; `scorer` has the model and the policy that gave them. Raises ExplanationError.

    The same decision always has the same reasons, to the byte.
    """
    by_score = [each.decision is Answer.APPROVED or each.risk >= scorer.policy.passes_below for each in given]
    scores = reasons_of_many(
        scorer, [each.record for each, is_by_score in zip(given, by_score, strict=True) if is_by_score]
    )
    failures = Failures(scorer.policy, scorer.catalogue)
    for each, is_by_score in zip(given, by_score, strict=True):
        yield Explanation(
            decision_id=each.decision_id,
            decision=each.decision,
            rules=failures.told(each.rules, each.record, each.risk),
            score=next(scores) if is_by_score else None,
        )
