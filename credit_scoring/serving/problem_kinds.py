"""Every kind of error that clients get, by its code: status, title, and a sentence that it may be told in."""

from http import HTTPStatus
from typing import NamedTuple

from credit_scoring.application.schemas import Fault

EXAMPLE_REQUEST_ID = "019ab2f0-6f3e-7d42-9c1b-5a8d3c2e1f01"


class Kind(NamedTuple):
    """What is always the same of an error, and an example of its sentence."""

    status: int
    title: str
    example: str


KINDS = {
    "invalid_application": Kind(400, "Invalid application", "The application was not decided: 2 faults."),
    "invalid_body": Kind(400, "Invalid body", "Nothing was recorded: 1 fault."),
    "json_invalid": Kind(400, "Invalid JSON", "Invalid JSON: EOF while parsing an object at line 1 column 27"),
    "list_type": Kind(400, "Not an array", "The body should be an array of applications."),
    "too_long": Kind(400, "Too many fields or items", "At most 1,000 applications at a time, found 1,001."),
    "repeated_field": Kind(400, "Repeated field", "A field stands more than once in the same object."),
    "reasons": Kind(400, "Invalid query", "reasons should be true or false, found 'yes'."),
    "query": Kind(400, "Invalid query", "limit: Input should be less than or equal to 100."),
    "no_levers": Kind(400, "No levers", "levers: none is named; expected some of credit_letter_value, term_months."),
    "unknown_lever": Kind(400, "Unknown lever", "levers: 'age' is no lever; expected some of credit_letter_value."),
    "invalid_http": Kind(400, "Invalid HTTP", "This is not a valid HTTP/1.1 request."),
    "no_key": Kind(401, "API key needed", "An API key is needed, in the header `Authorization: Bearer …`."),
    "unknown_key": Kind(401, "Unknown API key", "The API key is not known."),
    "expired_key": Kind(401, "Expired API key", "The API key erp expired on 2026-01-31 00:00 UTC. Ask for a new one."),
    "no_keys": Kind(401, "This machine only", "No API keys are set, so only this machine is answered."),
    "scope": Kind(403, "Missing scope", "The key erp is not for this: it lacks the scope outcomes."),
    "not_found": Kind(404, "Unknown endpoint", "No such endpoint. GET / shows what there is."),
    "no_decision": Kind(404, "Unknown decision", "No such decision is on record."),
    "no_decision_log": Kind(404, "No decision log", "Nothing is on record: CREDIT_SCORING_DECISION_LOG=off."),
    "method": Kind(405, "Method not allowed", "This endpoint takes POST only."),
    "timeout": Kind(408, "Request too slow", "The body did not arrive within 1 s."),
    "repeated_application_id": Kind(
        409, "Application id in use", "This application_id was used before, for an application with other content."
    ),
    "unknown_replaced": Kind(
        409, "Unknown replaced application", "replaces names no application that was decided for this owner."
    ),
    "erased": Kind(409, "Erased decision", "The data of this decision were erased; its dossier says when and why."),
    "no_reasons": Kind(409, "No reasons", "The model has no reference applicant to compare with. Train a new one."),
    "no_model": Kind(
        409, "Model not here", "Model credit_scoring:a, which decided, is not in the store of this service."
    ),
    "review_order": Kind(409, "Step out of order", "No review is open."),
    "review_changed": Kind(409, "Review changed meanwhile", "Somebody else has recorded a step meanwhile."),
    "four_eyes": Kind(409, "Two people needed", "A verdict needs two people (CREDIT_SCORING_FOUR_EYES): use /mesa."),
    "same_person": Kind(409, "Second person needed", "The second person may not be the first."),
    "observed_in_future": Kind(409, "Outcome in the future", "The outcome was observed in the future."),
    "observed_before_decision": Kind(
        409, "Outcome before the decision", "The outcome was observed before the decision was given."
    ),
    "too_large": Kind(413, "Body too large", "The body is larger than 65,536 bytes."),
    "content_type": Kind(415, "Unsupported content type", "The content type must be application/json."),
    "rate_limit": Kind(429, "Too many requests", "At most 60 simulations a minute for a key."),
    "head": Kind(431, "Head too large", "The head of the request is larger than 65,536 bytes."),
    "internal": Kind(500, "Internal error", "The service failed; the application was not decided."),
    "unreadable_decision": Kind(500, "Unreadable decision", "The decision on record under this id cannot be read."),
    "overloaded": Kind(503, "Overloaded", "More requests wait than can be answered in time. Try again in a moment."),
    "not_ready": Kind(503, "Not ready", "The service has no model that may decide. Its log says why."),
    "not_stored": Kind(503, "Not stored", "The decision could not be stored in time, so it is not given."),
    "decision_log": Kind(503, "No decision log", "The decision log cannot be reached. Try again in a moment."),
    "unavailable": Kind(503, "Unavailable", "The service cannot answer now. Try again in a moment."),
}

EXAMPLE_FAULTS = {
    "invalid_application": [
        Fault(field="monthly_incom", message="Unknown field; did you mean monthly_income?", code="unknown_field"),
        Fault(field="age", message="Input should be greater than or equal to 18", code="greater_than_equal"),
    ],
    "invalid_body": [Fault(field="outcome", message="Input should be 'PAID' or 'DEFAULTED'", code="enum")],
}


def title_of(code: str, status: int) -> str:
    """The title of a kind of error; of what a library answers, that of the status."""
    return KINDS[code].title if code in KINDS else HTTPStatus(status).phrase
