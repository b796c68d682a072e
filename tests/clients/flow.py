# mypy: ignore-errors
# The package that it imports is generated when it runs.
"""What an integration does with the generated Python client: from a decision to its outcome."""

import os
import uuid
from datetime import UTC, datetime

from credit_decisions_client import AuthenticatedClient
from credit_decisions_client.api.decisions import predict, predict_many, what_if
from credit_decisions_client.api.model import model
from credit_decisions_client.api.operation import readyz
from credit_decisions_client.api.record import dossier, lookup, outcomes, reasons, review
from credit_decisions_client.models import (
    Application,
    Decision,
    DecisionAnswer,
    Dossier,
    ErrorAnswer,
    Explanation,
    FoundDecisions,
    ItemError,
    JobType,
    ModelResponse200,
    OutcomeOfApplication,
    OutcomeStatus,
    RecordedOutcome,
    ReviewRecord,
    ReviewStep,
    ReviewStepKind,
    Step,
    WhatIf,
    WhatIfBody,
)
from credit_decisions_client.models.outcome import Outcome

client = AuthenticatedClient(base_url=os.environ["CREDIT_SCORING_URL"], token=os.environ["CREDIT_SCORING_KEY"])

application = Application(
    application_id=f"proposta-{uuid.uuid4()}",
    credit_letter_value=24000.0,
    term_months=48,
    monthly_income=3600.0,
    job_type=JobType.PERMANENT,
    has_negative_record=False,
    age=37,
)
decision = predict.sync(client=client, body=application)
assert isinstance(decision, Decision), decision
assert decision.decision in (DecisionAnswer.APROVADO, DecisionAnswer.NEGADO)
print("first decision:", decision.decision, flush=True)

again = predict.sync(client=client, body=application)
assert isinstance(again, Decision)
assert again.decision_id == decision.decision_id

minor = Application(credit_letter_value=24000.0, age=17)
refused = predict.sync_detailed(client=client, body=minor)
assert isinstance(refused.parsed, ErrorAnswer)
assert (refused.status_code, refused.parsed.code) == (400, "invalid_application")
assert refused.parsed.instance == refused.headers["x-request-id"]
assert [fault.field for fault in refused.parsed.faults] == ["age"]

several = predict_many.sync(client=client, body=[application, minor])
assert isinstance(several, list)
assert isinstance(several[0], Decision)
assert isinstance(several[1], ItemError)
assert several[1].code == "invalid_application"

why = reasons.sync(decision.decision_id, client=client)
assert isinstance(why, Explanation)
assert why.decision_id == decision.decision_id

step = ReviewStep(step=ReviewStepKind.REQUESTED, reason="A cliente diz que a renda subiu.")
recorded = review.sync(decision.decision_id, client=client, body=step)
assert isinstance(recorded, ReviewRecord)
assert recorded.step == Step.REQUESTED

report = OutcomeOfApplication(
    application_id=str(application.application_id), outcome=Outcome.PAID, observed_on=datetime.now(UTC).date()
)
outcome = outcomes.sync(client=client, body=report)
assert isinstance(outcome, RecordedOutcome)
assert outcome.status == OutcomeStatus.RECORDED
reports = outcomes.sync(client=client, body=[report])
assert isinstance(reports, list)
assert isinstance(reports[0], RecordedOutcome)
assert reports[0].status == OutcomeStatus.KNOWN

record = dossier.sync(decision.decision_id, client=client)
assert isinstance(record, Dossier)
assert len(record.outcomes) == 1
found = lookup.sync(client=client, application_id=str(application.application_id))
assert isinstance(found, FoundDecisions)
assert len(found.decisions) == 1

simulated = what_if.sync(client=client, body=WhatIfBody(application=application))
assert isinstance(simulated, WhatIf)

in_use = model.sync(client=client)
assert isinstance(in_use, ModelResponse200)
assert in_use.policy.version == decision.policy_version
assert readyz.sync_detailed(client=client).status_code == 200
print("all answered as described", flush=True)
