"""Errors as clients get them: problems of RFC 9457, each with a stable code. docs/adr/0022 says why in this shape."""

import logging
from functools import lru_cache

from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import Scope

from credit_scoring.application.schemas import ErrorAnswer, Fault, InvalidApplicationError, InvalidBodyError
from credit_scoring.errors import (
    CreditScoringError,
    DecisionLogError,
    RateLimitError,
    RequestError,
    UnavailableError,
    place_of,
)
from credit_scoring.serving.bodies import fault_sentence
from credit_scoring.serving.problem_kinds import title_of
from credit_scoring.serving.request_ids import REQUEST_ID, id_of

MEDIA_TYPE = "application/problem+json"
PROBLEM_TYPE = (b"content-type", MEDIA_TYPE.encode())
TYPE = "urn:credit-scoring:problem:"
NOT_DECIDED = "The application was not decided"
NOT_RECORDED = "Nothing was recorded"
NO_LOG = "The decision log cannot be reached. Try again in a moment."
NO_JSON = "json_invalid"
FAILED = "The service failed; the application was not decided."

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]

logger = logging.getLogger(__name__)


def error_answer(error: Exception, request_id: str) -> Answer:
    """Status, headers and body that tell a client what went wrong, and the log what we did wrong."""
    _log(error, request_id)
    status, code, sentence, found = _told(error)
    more = [(b"www-authenticate", b"Bearer")] if status == 401 else []
    if isinstance(error, RateLimitError | UnavailableError):
        more.append((b"retry-after", b"%d" % error.retry_after))
    elif isinstance(error, DecisionLogError):
        more.append((b"retry-after", b"1"))
    sent = request_id.encode()
    return status, [PROBLEM_TYPE, *more, (REQUEST_ID, sent)], _body(status, code, sentence, found, sent)


def error_response(error: Exception, scope: Scope) -> Response:
    """What tells a client of this error, where starlette wants a response."""
    status, headers, content = error_answer(error, id_of(dict(scope["headers"])))
    return Response(content, status, {name.decode(): value.decode() for name, value in headers})


def problem(status: int, code: str, sentence: str, found: list[Fault], request_id: str) -> ErrorAnswer:
    """The problem of this code, in this sentence."""
    return ErrorAnswer(
        type=f"{TYPE}{code}",
        title=title_of(code, status),
        status=status,
        code=code,
        detail=sentence,
        instance=request_id,
        faults=found,
    )


def _told(error: Exception) -> tuple[int, str, str, list[Fault]]:
    """Status, code, sentence and faults."""
    if isinstance(error, InvalidBodyError):
        consequence = NOT_DECIDED if isinstance(error, InvalidApplicationError) else NOT_RECORDED
        return 400, _code(error.faults, error.kind), fault_sentence(error.faults, consequence), error.faults
    if isinstance(error, RequestError):
        found = [Fault(field="", message=str(error), code=error.kind)] if error.status == 400 else []
        return error.status, error.kind, str(error), found
    if isinstance(error, UnavailableError):
        return 503, error.kind, str(error), []
    if isinstance(error, DecisionLogError):
        return 503, "decision_log", NO_LOG, []
    return 500, "internal", FAILED, []


def _code(found: list[Fault], code: str) -> str:
    """`code`, or that of what is no JSON at all."""
    return NO_JSON if found[0].code == NO_JSON else code


def _log(error: Exception, request_id: str) -> None:
    if isinstance(error, DecisionLogError):
        logger.error("%s (request %s)", error, request_id)
    elif not isinstance(error, CreditScoringError):
        logger.error("Unexpected %s at %s (request %s)", type(error).__name__, place_of(error), request_id)


def _body(status: int, code: str, sentence: str, found: list[Fault], request_id: bytes) -> bytes:
    if found:
        return to_json(problem(status, code, sentence, found, request_id.decode()))
    before, after = _around_the_id(status, code, sentence)
    return before + request_id + after


@lru_cache(maxsize=256)
def _around_the_id(status: int, code: str, sentence: str) -> tuple[bytes, bytes]:
    """What of a body is the same each time: under overload most answers are refusals."""
    before, _, after = to_json(problem(status, code, sentence, [], "\0")).partition(to_json("\0")[1:-1])
    return before, after
