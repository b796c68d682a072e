"""The OpenAPI document of the whole service, BentoML's own endpoints included."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.schemas import Answer, Application, ErrorAnswer, Fault
from credit_scoring.decisions.lookup import Lookup
from credit_scoring.decisions.outcomes import DecisionId, OutcomeReport
from credit_scoring.decisions.reviews import ReviewStep
from credit_scoring.policy.policy import Policy
from credit_scoring.serving.contents import Content, Json, Model, reference
from credit_scoring.serving.enums import name_enums
from credit_scoring.serving.problem_kinds import EXAMPLE_FAULTS, EXAMPLE_REQUEST_ID, KINDS, Kind
from credit_scoring.serving.problems import MEDIA_TYPE, problem
from credit_scoring.serving.routes import EXAMPLE_DECISION, OPERATIONS, PAGES, QUESTION, Decision, Operation, Page

_KEY = "An API key, made by `credit-scoring keys new`. Where none are set, none is needed."

_RETRY_AFTER = {"schema": {"type": "integer"}, "description": "Seconds to wait."}
_REQUEST_ID = {"schema": {"type": "string"}, "description": "The id of the request: the client's own, or a new one."}

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


_SENT = {model.__name__ for model in (Application, OutcomeReport, ReviewStep)}
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
    schemas = _schemas(catalogue, answers)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Credit decisions",
            "version": version,
            "description": "Send the data of a consórcio client (uma proposta), get a decision and the risk behind it.",
        },
        "tags": [{"name": "decisions"}, {"name": "record"}, {"name": "model"}, {"name": "operation"}],
        "security": [{"key": []}, {}],
        "paths": {
            **{each.path: {each.method.lower(): _operation(each, catalogue)} for each in OPERATIONS},
            **{each.path: {"get": _text(each)} for each in PAGES if each.summary},
        },
        "components": {
            "schemas": schemas,
            "responses": _error_responses(),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": _KEY}},
        },
    }


def _schemas(catalogue: Catalogue, answers: Sequence[Answer]) -> Json:
    """The schemas of all that travels. A policy's version is computed, so that only what is written has it."""
    _, definitions = models_json_schema(
        [
            (
                catalogue.application if model is Application else model,
                "serialization" if model is Policy else "validation",
            )
            for model in _models()
        ],
        ref_template="#/components/schemas/{model}",
    )
    schemas: Json = definitions["$defs"]
    given = schemas[Decision.__name__]["properties"]["decision"]
    given |= {"enum": [*answers], "type": "string"}
    given.pop("$ref")
    _leave_out_defaults(schemas)
    name_enums(schemas, catalogue)
    _tell_reports_apart(schemas)
    return schemas


def _leave_out_defaults(schemas: Json) -> None:
    """Of what may be left out: generators take a property with a default for one that is always there."""
    for name, schema in schemas.items():
        for each in schema.get("properties", {}).values():
            if name in _SENT or each.get("default", ...) is None:
                each.pop("default", None)


def _tell_reports_apart(schemas: Json) -> None:
    """A report by either id is two plain objects: generators do not read `oneOf` beside properties."""
    report = schemas[OutcomeReport.__name__]
    ids = {"OutcomeOfDecision": "decision_id", "OutcomeOfApplication": "application_id"}
    for name, own in ids.items():
        kept = {key: value for key, value in report["properties"].items() if key == own or key not in ids.values()}
        kept[own] = {**kept[own].pop("anyOf")[0], **kept[own]}
        schemas[name] = {**report, "title": name, "properties": kept, "required": [own, *report["required"]]}
        schemas[name].pop("example")
    schemas[OutcomeReport.__name__] = {
        **{key: report[key] for key in ("title", "description", "example")},
        "oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in ids],
    }


def _models() -> list[Model]:
    contents = [content for each in OPERATIONS for content in (each.takes, each.answers) if content]
    return list(dict.fromkeys([ErrorAnswer, *(model for content in contents for model in content.models)]))


def _operation(operation: Operation, catalogue: Catalogue) -> Json:
    parameters = [_PARAMETERS[name] for name in [*re.findall(r"{(\w+)}", operation.path), *operation.query]]
    return {
        "tags": [operation.tag],
        "operationId": operation.name,
        **({"parameters": parameters} if parameters else {}),
        "summary": operation.summary,
        **({"description": operation.description} if operation.description else {}),
        **({"requestBody": {"required": True, **_json(_shown(operation.takes, catalogue))}} if operation.takes else {}),
        "responses": {"200": _answer(operation.answer_description, operation.answers), **_errors(operation.errors)},
    }


def _errors(statuses: Iterable[int]) -> Json:
    return {str(status): {"$ref": f"#/components/responses/Error{status}"} for status in statuses}


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
    levers = {**schema["properties"]["levers"], "items": {"type": "string", "enum": [*catalogue.levers]}}
    return {**schema, "properties": {**schema["properties"], "levers": levers}}


def _text(page: Page) -> Json:
    content = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "tags": ["operation"],
        "operationId": page.path.strip("/"),
        "summary": page.summary,
        **({"security": []} if page.is_open else {}),
        "responses": {"200": {"description": page.answer, "content": content}, **_errors(page.errors)},
    }


def _answer(description: str, content: Content) -> Json:
    return {"description": description, **_json(content)}


def _json(content: Content) -> Json:
    described: dict[str, Any] = {"schema": content.schema}
    if content.example is not None:
        described["example"] = content.example
    return {"content": {"application/json": described}}


def _error_responses() -> Json:
    responses = {f"Error{status}": _error_response(status, text) for status, text in _ERRORS.items()}
    for status in (429, 503):
        responses[f"Error{status}"]["headers"]["Retry-After"] = _RETRY_AFTER
    return responses


def _error_response(status: int, description: str) -> Json:
    """With an example of each kind of error that is answered with this status."""
    kinds = {code: kind for code, kind in KINDS.items() if kind.status == status}
    examples = {code: {"summary": kind.title, "value": _example(code, kind)} for code, kind in kinds.items()}
    content = {MEDIA_TYPE: {"schema": reference(ErrorAnswer), "examples": examples}}
    return {"description": description, "headers": {"X-Request-ID": _REQUEST_ID}, "content": content}


def _example(code: str, kind: Kind) -> Json:
    given = [Fault(field="", message=kind.example, code=code)] if kind.status == 400 else []
    return problem(kind.status, code, kind.example, EXAMPLE_FAULTS.get(code, given), EXAMPLE_REQUEST_ID).model_dump()
