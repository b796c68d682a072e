"""The OpenAPI document of the whole service, BentoML's own endpoints included."""

from typing import Any

from pydantic.json_schema import models_json_schema

from credit_scoring.card import ModelCard
from credit_scoring.policy import Policy
from credit_scoring.schemas import EXAMPLE_APPLICATION, Application, Decision, ErrorAnswer

Json = dict[str, Any]

MAX_APPLICATIONS = 1000

EXAMPLE_DECISION = {
    "decision": "APROVADO",
    "risk_probability": 0.0831,
    "threshold": 0.27,
    "decision_id": "019ab2f0-6f3e-7d42-9c1b-5a8d3c2e1f00",
    "model": "credit_scoring:3xk5q2ua6kz7dqwe",
    "policy_version": "policy-9cb39c3846",
}

_ERRORS = {
    400: "Malformed, out of range, unknown or forbidden fields: every fault at once.",
    408: "The body took too long to arrive.",
    413: "The body is larger than the service accepts.",
    415: "The body is not application/json.",
    500: "The service failed; the application was not decided.",
    503: "The service has more requests than it can answer in time; `Retry-After` says when to come back.",
}


def document(version: str) -> Json:
    """The document as JSON-ready data; `version` is the service's."""
    _, definitions = models_json_schema(
        [(model, "validation") for model in (Application, Decision, ErrorAnswer, ModelCard, Policy)],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Credit decisions for consórcio applications",
            "version": version,
            "description": "Send a client's data (uma proposta), get APROVADO or NEGADO and the risk behind it.",
        },
        "tags": [{"name": "decisions"}, {"name": "model"}, {"name": "operation"}],
        "paths": _paths(),
        "components": {"schemas": definitions["$defs"], "responses": _error_responses()},
    }


def _paths() -> Json:
    return {
        "/predict": {"post": _predict()},
        "/predict_many": {"post": _predict_many()},
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
        "requestBody": _json_body({"$ref": "#/components/schemas/Application"}, EXAMPLE_APPLICATION),
        "responses": {
            "200": _json_answer("The decision.", {"$ref": "#/components/schemas/Decision"}, EXAMPLE_DECISION),
            **_errors(400, 408, 413, 415, 500, 503),
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
            **_errors(400, 408, 413, 415, 500, 503),
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
        "responses": {"200": _json_answer("The model card.", schema), **_errors(500)},
    }


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
