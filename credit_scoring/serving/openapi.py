"""The OpenAPI document of the whole service, BentoML's own endpoints included."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.schemas import Answer, Application, ErrorAnswer
from credit_scoring.decisions.lookup import Lookup
from credit_scoring.decisions.outcomes import DecisionId
from credit_scoring.serving.contents import Content, Json, Model, one
from credit_scoring.serving.routes import EXAMPLE_DECISION, OPERATIONS, PAGES, QUESTION, Decision, Operation

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
    429: "The API key asks more often than it may; `Retry-After` says when to come.",
    500: "The service failed; the application was not decided.",
    503: "More requests than can be answered in time, or no decision log to write to; `Retry-After` says when to come.",
}


def _query_parameter(name: str, schema: Json) -> Json:
    """An optional parameter as OpenAPI has it: where it may be left out, it is never null."""
    kinds = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    plain = {"anyOf": kinds} if len(kinds) > 1 else kinds[0]
    plain = {key: value for key, value in plain.items() if key not in ("description", "title")}
    return {"name": name, "in": "query", "required": False, "schema": plain, "description": schema["description"]}


_LOOKUP = Lookup.model_json_schema(ref_template="#/components/schemas/{model}")
_PARAMETERS = {
    "decision_id": {
        "name": "decision_id",
        "in": "path",
        "required": True,
        "schema": TypeAdapter(DecisionId).json_schema(),
        "example": EXAMPLE_DECISION["decision_id"],
    },
    "reasons": {
        "name": "reasons",
        "in": "query",
        "required": False,
        "schema": {"type": "boolean"},
        "description": "Whether the answer has the reasons of the decision.",
    },
    **{name: _query_parameter(name, schema) for name, schema in _LOOKUP["properties"].items()},
}


def document(version: str, catalogue: Catalogue, answers: Sequence[Answer]) -> Json:
    """The document as JSON-ready data, with the applications of this catalogue and the answers that can be given.

    `version` is the service's. A dossier may have answers of earlier policies.
    """
    _, definitions = models_json_schema(
        [(catalogue.application if model is Application else model, "validation") for model in _models()],
        ref_template="#/components/schemas/{model}",
    )
    given = definitions["$defs"][Decision.__name__]["properties"]["decision"]
    given |= {"enum": [*answers], "type": "string"}
    given.pop("$ref")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Credit decisions for consórcio applications",
            "version": version,
            "description": "Send a client's data (uma proposta), get APROVADO or NEGADO and the risk behind it.",
        },
        "tags": [{"name": "decisions"}, {"name": "record"}, {"name": "model"}, {"name": "operation"}],
        "security": [{"key": []}, {}],
        "paths": {
            **{each.path: {each.method.lower(): _operation(each, catalogue)} for each in OPERATIONS},
            **{each.path: {"get": _text(each.summary)} for each in PAGES if each.summary},
        },
        "components": {
            "schemas": definitions["$defs"],
            "responses": _error_responses(),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": _KEY}},
        },
    }


def _models() -> list[Model]:
    contents = [content for each in OPERATIONS for content in (each.takes, each.answers) if content]
    return list(dict.fromkeys([ErrorAnswer, *(model for content in contents for model in content.models)]))


def _operation(operation: Operation, catalogue: Catalogue) -> Json:
    parameters = [_PARAMETERS[name] for name in [*re.findall(r"{(\w+)}", operation.path), *operation.query]]
    errors = {str(status): {"$ref": f"#/components/responses/Error{status}"} for status in operation.errors}
    return {
        "tags": [operation.tag],
        "operationId": operation.name,
        **({"parameters": parameters} if parameters else {}),
        "summary": operation.summary,
        **({"description": operation.description} if operation.description else {}),
        **({"requestBody": {"required": True, **_json(_shown(operation.takes, catalogue))}} if operation.takes else {}),
        "responses": {"200": _answer(operation.answer_description, operation.answers), **errors},
    }


def _shown(content: Content, catalogue: Catalogue) -> Content:
    """What takes applications, with the catalogue's example and, where asked for, its levers."""
    if Application not in content.models:
        return content
    application = catalogue.example
    if content is QUESTION:
        return replace(content, schema=_with_levers(content.schema, catalogue), example={"application": application})
    return replace(content, example=[application] if content.schema.get("type") == "array" else application)


def _with_levers(schema: Json, catalogue: Catalogue) -> Json:
    if not catalogue.levers:
        return schema
    levers = {**schema["properties"]["levers"], "items": {"enum": [*catalogue.levers]}}
    return {**schema, "properties": {**schema["properties"], "levers": levers}}


def _text(summary: str) -> Json:
    content = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "tags": ["operation"],
        "summary": summary,
        "responses": {"200": {"description": "Yes.", "content": content}},
    }


def _answer(description: str, content: Content) -> Json:
    return {"description": description, **_json(content)}


def _json(content: Content) -> Json:
    described: dict[str, Any] = {"schema": content.schema}
    if content.example is not None:
        described["example"] = content.example
    return {"content": {"application/json": described}}


def _error_responses() -> Json:
    answer = one(ErrorAnswer)
    responses = {f"Error{status}": _answer(text, answer) for status, text in _ERRORS.items()}
    seconds = {"schema": {"type": "integer"}, "description": "Seconds to wait."}
    for status in (429, 503):
        responses[f"Error{status}"]["headers"] = {"Retry-After": seconds}
    return responses
