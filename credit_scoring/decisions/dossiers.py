"""The dossier of a decision: everything that is on record of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field, JsonValue
from pydantic_core import from_json
from sqlalchemy import Connection, Row, Select, select

from credit_scoring.application.schemas import Answer
from credit_scoring.decisions import explanations, outcomes, reviews
from credit_scoring.decisions.effective import effective
from credit_scoring.decisions.erased import is_erased
from credit_scoring.decisions.ids import is_id
from credit_scoring.decisions.outcomes import OutcomeRecord
from credit_scoring.decisions.replacements import Linked, earlier_ones, later_ones
from credit_scoring.decisions.reviews import ReviewRecord
from credit_scoring.decisions.tables import blocks, decisions, erasures, writers
from credit_scoring.decisions.unknowns import missing_of, names_in
from credit_scoring.errors import RequestError
from credit_scoring.explanation.explanation import Explanation
from credit_scoring.model.catalogues import catalogue_of
from credit_scoring.policy.failures import Failures
from credit_scoring.policy.policy import Policy
from credit_scoring.policy.rules import FailedRule


class Erasure(BaseModel):
    """That the data of a decision were erased: when, why and by whom."""

    erased_at: datetime
    erased_by: str
    reason: str
    legal_basis_ended: str | None = Field(description="Why there was no duty to keep; null where a date said so.")


class Dossier(BaseModel):
    """A decision as it was given, what it was given on, and what came after.

    Of an erased one only its id, time, model and answer are left, and the lower end of its risk's tenth.
    """

    decision_id: str
    decided_at: datetime
    decision: Answer = Field(description="As it was given; it never changes.")
    effective_decision: Answer = Field(description="What counts now, after what people made of it.")
    risk_probability: float
    threshold: float
    model: str
    policy_version: str
    service_version: str
    application_id: str | None
    asked_by: str = Field(description="The key that asked: its name, or owner/name; empty where none was needed.")
    replaces: Linked | None = Field(None, description="The earlier application that this one corrects.")
    replaced_by: list[Linked] = Field([], description="Later ones that correct this one, oldest first.")
    received: dict[str, JsonValue] = Field(description="The application as it came.")
    seen: dict[str, JsonValue] = Field(description="What the model saw of it.")
    rules: list[FailedRule] = Field([], description="Rules of the policy that did not pass.")
    missing: list[str] = Field([], description="Fields that the model uses and the application did not have.")
    outside_training: list[str] = Field([], description="Fields beyond all that the model was trained on.")
    writer: str = Field(description="The worker that decided.")
    batch: int = Field(description="Number of the block in the writer's chain.")
    batch_hash: str
    reasons: Explanation | None = Field(None, description="As they were first given; null where nobody has asked.")
    outcomes: list[OutcomeRecord] = Field([], description="What became of it, oldest report first; the last counts.")
    reviews: list[ReviewRecord] = Field([], description="Reviews by people, oldest step first.")
    erased: Erasure | None = Field(None, description="Null unless the applicant's data were erased.")


def find(decision_id: str, connection: Connection) -> Dossier:
    """The dossier of this decision; raises RequestError (404) where there is none."""
    row = None
    if is_id(decision_id):
        row = connection.execute(records().where(decisions.c.id == decision_id)).first()
    if row is None:
        raise RequestError(404, "No such decision is on record.", "no_decision")
    reported = list(outcomes.history([decision_id], connection))
    found = dossier(row, reported, list(reviews.history(decision_id, connection)))
    known = explanations.given(decision_id, connection)
    more = {
        "erased": _erasure(decision_id, connection) if is_erased(row.received) else None,
        "replaces": earlier_ones([row._mapping], connection).get(decision_id),
        "replaced_by": later_ones([row._mapping], connection).get(decision_id, []),
    }
    return found.model_copy(update={**more, "reasons": known and Explanation.model_validate_json(known)})


def records() -> Select[Any]:
    """Every decision with its block and its writer."""
    return (
        select(
            decisions,
            blocks.c.decided_at,
            blocks.c.hash.label("batch_hash"),
            writers.c.model,
            writers.c.policy_version,
            writers.c.threshold,
            writers.c.features,
            writers.c.service_version,
            writers.c.policy,
            writers.c.catalogue,
        )
        .join(blocks, (blocks.c.writer == decisions.c.writer) & (blocks.c.number == decisions.c.batch))
        .join(writers, writers.c.id == decisions.c.writer)
    )


def dossier(row: Row[Any], reported: list[OutcomeRecord], reviewed: list[ReviewRecord]) -> Dossier:
    """The dossier of a row of `records`."""
    values = dict(row._mapping)
    is_there, failed = not is_erased(values["received"]), _failed(values)
    missing = missing_of(values) if is_there else []
    outside = names_in(values.pop("outside_training"))
    for name in ("rules", "policy", "catalogue", "replaces"):  # `find` adds links, which take more than the row
        del values[name]
    seen = dict(zip(from_json(values.pop("features")), from_json(values.pop("seen")), strict=True))
    received = from_json(values.pop("received"))
    if not is_there:
        seen = received = {}
    return Dossier(
        decision_id=values.pop("id"),
        effective_decision=effective(values["decision"], (each.step for each in reviewed)),
        received=received,
        seen=seen,
        rules=failed,
        missing=missing,
        outside_training=outside,
        outcomes=reported,
        reviews=reviewed,
        **values,
    )


def _erasure(decision_id: str, connection: Connection) -> Erasure | None:
    found = connection.execute(select(erasures).where(erasures.c.decision == decision_id)).mappings().first()
    return Erasure.model_validate({name: found[name] for name in Erasure.model_fields}) if found else None


def _failed(row: Mapping[str, Any]) -> list[FailedRule]:
    """What the rules did that did not pass, by the policy of the day."""
    ids, policy = names_in(row["rules"]), Policy.on_record(row["policy"])
    if policy is None or not ids:
        return [FailedRule(id=id) for id in ids]
    seen = zip(from_json(row["features"]), from_json(row["seen"]), strict=True)
    record = {**from_json(row["received"]), **dict(seen)}
    failures = Failures(policy, catalogue_of(row["model"], row["catalogue"]))
    return [*failures.told(ids, record, row["risk_probability"])]
