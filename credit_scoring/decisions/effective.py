"""What counts now: the answer that the model and its policy gave, after what people made of it.

An answer in analysis (EM_ANALISE) becomes APPROVED or DENIED. REVERSED turns what counted until then into its opposite,
UPHELD leaves it, and so does every other step. The record of the answer itself never changes.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Select, select

from credit_scoring.application.schemas import Answer
from credit_scoring.decisions.tables import reviews

VERDICTS = ("UPHELD", "REVERSED", "APPROVED", "DENIED")

_OPPOSITE: Mapping[str, str] = {Answer.APPROVED: Answer.DENIED.value, Answer.DENIED: Answer.APPROVED.value}
_AFTER_ANALYSIS: Mapping[str, str] = {"APPROVED": Answer.APPROVED.value, "DENIED": Answer.DENIED.value}


def effective(answer: str, steps: Iterable[str]) -> str:
    """What counts of this answer after these steps of a review, oldest first."""
    for step in steps:
        if step == "REVERSED":
            answer = _OPPOSITE.get(answer, answer)
        elif answer == Answer.REVIEW:
            answer = _AFTER_ANALYSIS.get(step, answer)
    return answer


def waits(answer: str, steps: Iterable[str]) -> bool:
    """Whether people still have to say something; `waiting.ids` finds the decisions of which this is true."""
    *_, last = [None, *steps]
    return answer == Answer.REVIEW if last is None else last not in VERDICTS


def steps_of(ids: Collection[str], connection: Connection) -> Mapping[str, list[str]]:
    """The steps taken on each of these decisions, oldest first; no entry where nobody has looked."""
    return _by_decision(_STEPS.where(reviews.c.decision.in_(ids)), connection)


def steps_between(first_id: str, last_id: str, connection: Connection) -> Mapping[str, list[str]]:
    """The same for all decisions from one id to another."""
    return _by_decision(_STEPS.where(reviews.c.decision.between(first_id, last_id)), connection)


_STEPS = select(reviews.c.decision, reviews.c.step).order_by(reviews.c.id)


def _by_decision(taken: Select[Any], connection: Connection) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for decision, step in connection.execute(taken):
        found[decision].append(step)
    return found
