"""Decisions on record, explained by the model and the policy that gave them."""

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic_core import from_json
from sqlalchemy import Connection, RowMapping

from credit_scoring.application.schemas import Answer
from credit_scoring.decisions import dossiers, explanations
from credit_scoring.decisions.erased import erased_error, is_erased
from credit_scoring.decisions.ids import is_id
from credit_scoring.decisions.tables import decisions
from credit_scoring.decisions.unknowns import names_in
from credit_scoring.errors import RequestError
from credit_scoring.explanation.explanation import Explanation, Given, explained
from credit_scoring.policy.policy import Policy

if TYPE_CHECKING:  # so that the API can be described without scikit-learn
    from credit_scoring.model.scorer import Scorer


def on_record(decision_id: str, connection: Connection) -> tuple[str | None, RowMapping]:
    """The reasons that were given, and the decision; raises RequestError: 404 where there is none, 409 if erased."""
    row = None
    if is_id(decision_id):
        found = connection.execute(dossiers.records().where(decisions.c.id == decision_id))
        row = found.mappings().first()
    if row is None:
        raise RequestError(404, "No such decision is on record.", "no_decision")
    if is_erased(row["received"]):
        raise erased_error()
    return explanations.given(decision_id, connection), row


def explained_again(row: RowMapping, scorer: "Scorer") -> Explanation:
    """The reasons of a decision on record, `scorer` being the model that gave it, under whatever policy.

    Raises ExplanationError.
    """
    if row["policy"] is not None and row["policy_version"] != scorer.policy.version:
        scorer = replace(scorer, policy=Policy.model_validate_json(row["policy"]))
    seen = zip(from_json(row["features"]), from_json(row["seen"]), strict=True)
    record = {**from_json(row["received"]), **dict(seen)}
    given = Given(record, row["id"], Answer(row["decision"]), row["risk_probability"], names_in(row["rules"]))
    return next(explained(scorer, [given]))
