"""The OpenAPI document of the whole service, BentoML's own endpoints included."""

from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from credit_scoring.application.schemas import EXAMPLE_APPLICATION, Application, Decision, ErrorAnswer
from credit_scoring.decisions.dossiers import Dossier
from credit_scoring.decisions.outcomes import EXAMPLE_OUTCOME, DecisionId, OutcomeReport, RecordedOutcome
from credit_scoring.decisions.reviews import EXAMPLE_REVIEW, ReviewRecord, ReviewStep
from credit_scoring.model.card import ModelCard
from credit_scoring.policy.policy import Policy

Json = dict[str, Any]

MAX_APPLICATIONS = 1000
MAX_OUTCOMES = 1000

EXAMPLE_DECISION = {
    "decision": "APROVADO",
    "risk_probability": 0.0831,
    "threshold": 0.27,
    "decision_id": "019ab2f0-6f3e-7d42-9c1b-5a8d3c2e1f00",
    "model": "credit_scoring:3xk5q2ua6kz7dqwe",
    "policy_version": "policy-9cb39c3846",
}

_MODELS = (
    Application,
    Decision,
    ErrorAnswer,
    ModelCard,
    Policy,
    Dossier,
    OutcomeReport,
    RecordedOutcome,
    ReviewStep,
    ReviewRecord,
)
_KEY = "An API key, made by `credit-scoring keys new`. Where none are set, none is needed."

_ERRORS = {
    400: "Malformed, out of range, unknown or forbidden fields: every fault at once.",
    401: "No API key, or one that is not known.",
    403: "The API key is not for this.",
    404: "Nothing of that name is on record.",
    408: "The body took too long to arrive.",
    409: "It does not go with what is on record; an application id was used before, for other content.",
    413: "The body is larger than the service accepts.",
    415: "The body is not application/json.",
    500: "The service failed; the application was not decided.",
    503: "More requests than can be answered in time, or no decision log to write to; `Retry-After` says when to come.",
}


def document(version: str) -> Json:
    """The document as JSON-ready data; `version` is the service's."""
    _, definitions = models_json_schema(
        [(model, "validation") for model in _MODELS],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Credit decisions for consórcio applications",
            "version": version,
            "description": "Send a client's data (uma proposta), get APROVADO or NEGADO and the risk behind it.",
        },
        "tags": [{"name": "decisions"}, {"name": "record"}, {"name": "model"}, {"name": "operation"}],
        "security": [{"key": []}, {}],
        "paths": _paths(),
        "components": {
            "schemas": definitions["$defs"],
            "responses": _error_responses(),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": _KEY}},
        },
    }


def _paths() -> Json:
    return {
        "/predict": {"post": _predict()},
        "/predict_many": {"post": _predict_many()},
        "/decisions/{decision_id}": {"get": _dossier()},
        "/decisions/{decision_id}/review": {"post": _review()},
        "/outcomes": {"post": _outcomes()},
        "/model": {"get": _model()},
        "/livez": {"get": _text("Whether the process is alive.")},
        "/readyz": {"get": _text("Whether the model is loaded and has proved its scores.")},
        "/metrics": {"get": _text("Metrics in Prometheus' text format.")},
    }


def _predict() -> Json:
    return {
        "tags": ["decisions"],
        "operationId": "predict",
        "summary": "Decide one application",
        "description": "The same `application_id` and content from the same owner gets the answer given before.",
        "requestBody": _json_body({"$ref": "#/components/schemas/Application"}, EXAMPLE_APPLICATION),
        "responses": {
            "200": _json_answer("The decision.", _schema(Decision), EXAMPLE_DECISION),
            **_errors(400, 401, 403, 408, 409, 413, 415, 500, 503),
        },
    }


def _predict_many() -> Json:
    applications = {
        "type": "array",
        "maxItems": MAX_APPLICATIONS,
        "items": {"$ref": "#/components/schemas/Application"},
    }
    either = {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("Decision", "ErrorAnswer")]}
    return {
        "tags": ["decisions"],
        "operationId": "predict_many",
        "summary": f"Decide up to {MAX_APPLICATIONS:,} applications",
        "description": "A bad application gets an error in its place; the others get their decisions.",
        "requestBody": _json_body(applications, [EXAMPLE_APPLICATION]),
        "responses": {
            "200": _json_answer(
                "A decision or an error for each application, in order.",
                {"type": "array", "maxItems": MAX_APPLICATIONS, "items": either},
                [EXAMPLE_DECISION],
            ),
            **_errors(400, 401, 403, 408, 413, 415, 500, 503),
        },
    }


def _model() -> Json:
    schema = {
        "type": "object",
        "required": ["model", "policy", "card"],
        "properties": {
            "model": {"type": "string", "description": "Tag in the BentoML model store."},
            "policy": {"$ref": "#/components/schemas/Policy"},
            "card": {"$ref": "#/components/schemas/ModelCard"},
        },
    }
    return {
        "tags": ["model"],
        "operationId": "model",
        "summary": "The model in use: its card and its policy",
        "responses": {"200": _json_answer("The model card.", schema), **_errors(401, 500, 503)},
    }


_DECISION_ID = {
    "name": "decision_id",
    "in": "path",
    "required": True,
    "schema": TypeAdapter(DecisionId).json_schema(),
    "example": EXAMPLE_DECISION["decision_id"],
}


def _dossier() -> Json:
    return {
        "tags": ["record"],
        "operationId": "dossier",
        "parameters": [_DECISION_ID],
        "summary": "Everything on record of a decision: what it was given on, and what came after",
        "responses": {
            "200": _json_answer("The dossier.", _schema(Dossier)),
            **_errors(401, 403, 404, 500, 503),
        },
    }


def _review() -> Json:
    return {
        "tags": ["record"],
        "operationId": "review",
        "parameters": [_DECISION_ID],
        "summary": "A step of a review by people: requested, upheld or reversed",
        "description": "Sent again unchanged it changes nothing. The decision itself stays as it was given.",
        "requestBody": _json_body(_schema(ReviewStep), EXAMPLE_REVIEW),
        "responses": {
            "200": _json_answer("The step as it was kept.", _schema(ReviewRecord)),
            **_errors(400, 401, 403, 404, 408, 409, 413, 415, 500, 503),
        },
    }


def _outcomes() -> Json:
    one = _schema(OutcomeReport)
    many = {"type": "array", "maxItems": MAX_OUTCOMES, "items": one}
    settled = {"anyOf": [_schema(RecordedOutcome), _schema(ErrorAnswer)]}
    return {
        "tags": ["record"],
        "operationId": "outcomes",
        "summary": f"What became of a decision, or of up to {MAX_OUTCOMES:,} in an array",
        "description": "Sent again unchanged it changes nothing. A correction counts, what it corrects is kept.",
        "requestBody": _json_body({"oneOf": [one, many]}, EXAMPLE_OUTCOME),
        "responses": {
            "200": _json_answer(
                "What became of the report; of several, in order.",
                {"oneOf": [_schema(RecordedOutcome), {"type": "array", "maxItems": MAX_OUTCOMES, "items": settled}]},
            ),
            **_errors(400, 401, 403, 404, 408, 409, 413, 415, 500, 503),
        },
    }


def _schema(model: type[BaseModel]) -> Json:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _text(summary: str) -> Json:
    content = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "tags": ["operation"],
        "summary": summary,
        "responses": {"200": {"description": "Yes.", "content": content}},
    }


def _json_body(schema: Json, example: Any) -> Json:
    return {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}


def _json_answer(description: str, schema: Json, example: Any = None) -> Json:
    content = {"schema": schema} if example is None else {"schema": schema, "example": example}
    return {"description": description, "content": {"application/json": content}}


def _errors(*statuses: int) -> Json:
    return {str(status): {"$ref": f"#/components/responses/Error{status}"} for status in statuses}


def _error_responses() -> Json:
    schema = {"$ref": "#/components/schemas/ErrorAnswer"}
    responses: Json = {f"Error{status}": _json_answer(text, schema) for status, text in _ERRORS.items()}
    seconds = {"schema": {"type": "integer"}, "description": "Seconds to wait."}
    responses["Error503"]["headers"] = {"Retry-After": seconds}
    return responses
