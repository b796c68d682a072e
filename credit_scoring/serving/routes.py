"""The route table: both the routes of the service and its OpenAPI document are made from it."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from credit_scoring.application import schemas
from credit_scoring.application.schemas import Application, ItemError
from credit_scoring.decisions.dossiers import Dossier
from credit_scoring.decisions.lookup import FoundDecisions, Lookup
from credit_scoring.decisions.outcomes import EXAMPLE_OUTCOME, OutcomeReport, RecordedOutcome
from credit_scoring.decisions.reviews import EXAMPLE_REVIEW, ReviewRecord, ReviewStep
from credit_scoring.explanation.explanation import Explanation
from credit_scoring.explanation.simulation import WhatIf
from credit_scoring.model.card import ModelCard
from credit_scoring.policy.policy import Policy
from credit_scoring.serving.auth import Scope
from credit_scoring.serving.contents import Content, many, one, one_or_many, reference

MAX_APPLICATIONS = 1000
MAX_OUTCOMES = 1000

EXAMPLE_DECISION = {
    "decision": "APROVADO",
    "risk_probability": 0.0831,
    "threshold": 0.27,
    "decision_id": "019ab2f0-6f3e-7d42-9c1b-5a8d3c2e1f00",
    "model": "credit_scoring:3xk5q2ua6kz7dqwe",
    "policy_version": "policy-9cb39c3846",
    "rules": [],
    "missing": ["assets_value"],
    "outside_training": [],
}

_ALWAYS = {401, 500, 503}
_WITH_SCOPE = {403}
_WITH_BODY = {400, 408, 413, 415}


class Decision(schemas.RepeatedDecision):
    """The answer to one application: what produced it, what people made of it, and its reasons where asked for."""

    reasons: Explanation | None = Field(
        None,
        title="Motivos",
        description="Only with `?reasons=true`. null: the model or the policy that decided gives none here, as when an "
        "application is repeated that was decided by a model which this service does not have.",
    )


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An endpoint that answers JSON.

    `name` is its handler's and its operationId, `label` names it in metrics, `query` are its parameters, `limit` is the
    setting that bounds its body. `own_errors` are the statuses that not every endpoint with such a scope and body
    answers. Where it `sheds_load`, a request is refused that could not be answered in time.
    """

    name: str
    label: str
    method: Literal["GET", "POST"]
    path: str
    scope: Scope | None
    tag: str
    summary: str
    description: str = ""
    takes: Content | None = None
    query: tuple[str, ...] = ()
    answers: Content
    answer_description: str
    own_errors: frozenset[int] = frozenset()
    limit: Literal["max_body_bytes", "max_many_bytes"] = "max_many_bytes"
    sheds_load: bool = False

    @property
    def errors(self) -> list[int]:
        """Every status but 200 that it answers."""
        with_scope = _WITH_SCOPE if self.scope else set()
        with_body = _WITH_BODY if self.takes else set()
        return sorted(_ALWAYS | with_scope | with_body | self.own_errors)


@dataclass(frozen=True)
class Page:
    """A path that is read by GET and answers no JSON of ours; without a `summary` it is not on the document.

    `name` is its handler's; without one BentoML answers it. What `is_open` needs no key, whoever asks.
    """

    path: str
    name: str = ""
    summary: str = ""
    answer: str = ""
    errors: tuple[int, ...] = ()
    is_open: bool = False


_HOW_TO_PREDICT = """\
**Idempotency.** Send your own `application_id`. The same id and content, by a key of the same owner, gets the answer
that was given before, `decision_id` included; it says what counts now where people have decided otherwise. The same
id with other content is a 409. Without an id, each request is a new decision.

**Retries.** After a timeout, a broken connection, 408 or 503, send the same body again: with an `application_id`
nothing is decided twice. Wait the seconds of `Retry-After`, then twice as long each time, with some jitter; stop
after five. Of the other errors, retry a 500 once; 400, 401, 403, 409, 413 and 415 want another request: `code` and
`faults` say what.

**Time limits.** Connect within 1 s and wait 5 s for the answer. The body has to arrive within 1 s (else 408), a
request that would take more than 100 ms under load is refused (503 `overloaded`), and a decision that is not stored
within 0.9 s is not given (503 `not_stored`). These are the service's defaults.

**At 503** there is no decision yet: keep the application and ask again; never take it as a denial.

**Request id.** `X-Request-ID` (1 to 64 letters, digits, `.`, `_`, `~`, `-`) comes back in the answer, in `instance`
of an error, and in the service's log."""

PREDICT = Operation(
    name="predict",
    label="predict",
    method="POST",
    path="/predict",
    scope=Scope.PREDICT,
    tag="decisions",
    summary="Decide one application",
    description=_HOW_TO_PREDICT,
    takes=one(Application),
    query=("reasons",),
    answers=one(Decision, EXAMPLE_DECISION),
    answer_description="The decision.",
    own_errors=frozenset({409}),
    limit="max_body_bytes",
    sheds_load=True,
)

QUESTION = Content(
    {
        "type": "object",
        "required": ["application"],
        "additionalProperties": False,
        "properties": {
            "application": reference(Application),
            "levers": {
                "type": ["array", "null"],
                "minItems": 1,
                "items": {"type": "string"},
                "description": "Fields that may move; without them all that the catalogue says a client can.",
            },
        },
    },
    (Application,),
)

_PREDICT_MANY = Operation(
    name="predict_many",
    label="predict_many",
    method="POST",
    path="/predict_many",
    scope=Scope.PREDICT,
    tag="decisions",
    summary=f"Decide up to {MAX_APPLICATIONS:,} applications",
    description="A bad application gets an error in its place; the others get their decisions.",
    takes=many(Application, most=MAX_APPLICATIONS),
    query=("reasons",),
    answers=many(Decision, ItemError, most=MAX_APPLICATIONS, example=[EXAMPLE_DECISION]),
    answer_description="A decision or an error for each application, in order.",
    own_errors=frozenset({409}),
    sheds_load=True,
)

_REASONS = Operation(
    name="reasons",
    label="reasons",
    method="GET",
    path="/decisions/{decision_id}/reasons",
    scope=Scope.READ,
    tag="record",
    summary="Why a decision was given: the rules that did not pass, and what counted in the score",
    description="By the model and the policy of its day. Kept when first given, so the same bytes each time.",
    answers=one(Explanation),
    answer_description="The reasons.",
    own_errors=frozenset({404, 409}),
)

_WHAT_IF = Operation(
    name="what_if",
    label="what_if",
    method="POST",
    path="/what_if",
    scope=Scope.WHAT_IF,
    tag="decisions",
    summary="Simulate what would have to change for an application to be approved",
    description="The largest letter, the smallest change of each lever, or of two, or a proof that there is none. "
    "Nothing is decided, and nothing kept; a promise it is not.",
    takes=QUESTION,
    answers=one(WhatIf),
    answer_description="What was found.",
    own_errors=frozenset({429}),
)

_DOSSIER = Operation(
    name="dossier",
    label="decisions",
    method="GET",
    path="/decisions/{decision_id}",
    scope=Scope.READ,
    tag="record",
    summary="Everything on record of a decision: what it was given on, and what came after",
    answers=one(Dossier),
    answer_description="The dossier.",
    own_errors=frozenset({404}),
)

_LOOKUP = Operation(
    name="lookup",
    label="lookup",
    method="GET",
    path="/decisions",
    scope=Scope.READ,
    tag="record",
    summary="Look decisions up, newest first",
    description="A page looks at a bounded number of decisions, so it may have fewer than `limit`: follow `next`.",
    query=tuple(Lookup.model_fields),
    answers=one(FoundDecisions),
    answer_description="A page of decisions.",
    own_errors=frozenset({400, 404}),
)

_REVIEW = Operation(
    name="review",
    label="review",
    method="POST",
    path="/decisions/{decision_id}/review",
    scope=Scope.OUTCOMES,
    tag="record",
    summary="A step of a review by people: requested, upheld or reversed; or approved or denied after analysis",
    description="Sent again unchanged it changes nothing. The decision itself stays as it was given.",
    takes=one(ReviewStep, EXAMPLE_REVIEW),
    answers=one(ReviewRecord),
    answer_description="The step as it was kept.",
    own_errors=frozenset({404, 409}),
)

_OUTCOMES = Operation(
    name="outcomes",
    label="outcomes",
    method="POST",
    path="/outcomes",
    scope=Scope.OUTCOMES,
    tag="record",
    summary=f"What became of a decision, or of up to {MAX_OUTCOMES:,} in an array",
    description="Sent again unchanged it changes nothing. A correction counts, what it corrects is kept.",
    takes=one_or_many(OutcomeReport, most=MAX_OUTCOMES, example=EXAMPLE_OUTCOME),
    answers=one_or_many(RecordedOutcome, ItemError, most=MAX_OUTCOMES),
    answer_description="What became of the report; of several, in order.",
    own_errors=frozenset({404, 409}),
)

_MODEL_IN_USE = Content(
    {
        "type": "object",
        "required": ["model", "policy", "card"],
        "properties": {
            "model": {"type": "string", "description": "Tag in the BentoML model store."},
            "policy": reference(Policy),
            "card": reference(ModelCard),
        },
    },
    (Policy, ModelCard),
)

_MODEL = Operation(
    name="model",
    label="model",
    method="GET",
    path="/model",
    scope=None,
    tag="model",
    summary="The model in use: its card and its policy",
    answers=_MODEL_IN_USE,
    answer_description="The model card.",
)

OPERATIONS = (PREDICT, _PREDICT_MANY, _WHAT_IF, _LOOKUP, _DOSSIER, _REASONS, _REVIEW, _OUTCOMES, _MODEL)

PAGES = (
    Page("/livez", summary="Whether the process is alive.", answer="It is.", is_open=True),
    Page(
        "/readyz",
        summary="Whether the model is loaded and has proved its scores, and decisions can be stored.",
        answer="Yes.",
        errors=(503,),
        is_open=True,
    ),
    Page("/healthz"),
    Page("/schema.json"),
    Page("/metrics", "metrics", "Metrics in Prometheus' text format.", "The metrics.", errors=(401, 403)),
    Page("/docs.json", "docs"),
    Page("/", "swagger"),
)
