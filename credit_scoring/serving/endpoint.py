"""One HTTP exchange at the ASGI level: a JSON body in, a JSON answer out, every failure in the one shape."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

from pydantic import ValidationError
from pydantic_core import to_json
from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from credit_scoring.application.schemas import ErrorAnswer, Fault, InvalidApplicationError, faults
from credit_scoring.errors import (
    CreditScoringError,
    DecisionLogError,
    RateLimitError,
    RequestError,
    UnavailableError,
    place_of,
)
from credit_scoring.serving.auth import Headers
from credit_scoring.serving.bodies import fault_sentence

Admit = Callable[[Headers, str | None], str]
OnRequest = Callable[[int, float], None]

logger = logging.getLogger(__name__)

JSON_TYPE = (b"content-type", b"application/json")
NOT_DECIDED = "The application was not decided"
NOT_RECORDED = "Nothing was recorded"
NO_LOG = "The decision log cannot be reached. Try again in a moment."


@dataclass(frozen=True)
class Asked:
    """Who asks, by the name of the key, and the variable parts of the path."""

    by: str
    path: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[bytes, Asked], Awaitable[bytes]]


class JsonEndpoint:
    """An ASGI endpoint around `handle`, which turns a body of at most `limit` bytes into an answer.

    `admit` is given the headers and the address of the peer and tells the name of the key. The body has to arrive
    within `timeout` seconds; `on_request` gets the status and the seconds of every request.
    """

    def __init__(self, handle: Handler, *, admit: Admit, limit: int, timeout: float, on_request: OnRequest) -> None:
        self._handle = handle
        self._admit = admit
        self._limit = limit
        self._timeout = timeout
        self._on_request = on_request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3.0)."""
        started = time.perf_counter()
        try:
            asked = Asked(
                self._admit(dict(scope["headers"]), peer_of(scope)),
                scope.get("path_params", {}),
                QueryParams(scope["query_string"]),
            )
            body = await self._read(scope, receive)
            status, headers, content = 200, [JSON_TYPE], await self._handle(body, asked)
        except _DisconnectedError:
            return
        except Exception as error:  # the server would log its message, which may hold a value
            status, headers, content = error_answer(error)
        headers.append((b"content-length", b"%d" % len(content)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})
        self._on_request(status, time.perf_counter() - started)

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        if scope["method"] in ("GET", "HEAD"):
            return b""
        return await _read_json(scope, receive, self._limit, self._timeout)


class ReaderGate:
    """ASGI middleware: the paths that are not ours to route are answered only where `admit` does not raise."""

    def __init__(self, app: ASGIApp, *, paths: frozenset[str], admit: Callable[[Headers, str | None], None]) -> None:
        self._app = app
        self._paths = paths
        self._admit = admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse one request (ASGI 3.0)."""
        app = self._app
        if scope["type"] == "http" and scope["path"] in self._paths:
            try:
                self._admit(dict(scope["headers"]), peer_of(scope))
            except RequestError as error:
                app = error_response(error)
        await app(scope, receive, send)


def error_response(error: Exception) -> Response:
    """What tells a client of this error, where starlette wants a response."""
    status, headers, content = error_answer(error)
    return Response(content, status, {name.decode(): value.decode() for name, value in headers})


def peer_of(scope: Scope) -> str | None:
    """The address that a request comes from, where it has one."""
    client: tuple[str, int] | None = scope.get("client")
    return client[0] if client else None


def error_answer(error: Exception) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body that tell a client what went wrong, and the log what we did wrong."""
    if isinstance(error, ValidationError):
        found = faults(error)
        return 400, [JSON_TYPE], _body(fault_sentence(found, NOT_RECORDED), found)
    if isinstance(error, InvalidApplicationError):
        return 400, [JSON_TYPE], _body(fault_sentence(error.faults, NOT_DECIDED), error.faults)
    if isinstance(error, RequestError):
        found = [Fault(field="", message=str(error), type=error.kind)] if error.status == 400 else []
        more = [(b"www-authenticate", b"Bearer")] if error.status == 401 else []
        if isinstance(error, RateLimitError):
            more.append((b"retry-after", b"%d" % error.retry_after))
        return error.status, [JSON_TYPE, *more], _body(str(error), found)
    if isinstance(error, UnavailableError):
        return 503, [JSON_TYPE, (b"retry-after", b"%d" % error.retry_after)], _body_without_faults(str(error))
    if isinstance(error, DecisionLogError):
        logger.error("%s", error)
        return error_answer(UnavailableError(NO_LOG))
    if not isinstance(error, CreditScoringError):
        logger.error("Unexpected %s at %s", type(error).__name__, place_of(error))
    return 500, [JSON_TYPE], _body("The service failed; the application was not decided.", [])


class _DisconnectedError(Exception):
    """The client is gone; there is nobody to answer."""


def _body(sentence: str, found: list[Fault]) -> bytes:
    return to_json(ErrorAnswer(error=sentence, detail=found))


@cache
def _body_without_faults(sentence: str) -> bytes:
    """Made once for each sentence of ours: under overload most answers are refusals."""
    return _body(sentence, [])


async def _read_json(scope: Scope, receive: Receive, limit: int, timeout: float) -> bytes:
    _check_headers(dict(scope["headers"]), limit)
    try:
        async with asyncio.timeout(timeout):
            body = await _read_all(receive, limit)
    except TimeoutError:
        raise body_too_late(timeout) from None
    if len(body) > limit:
        raise _too_large(limit)
    return body


async def _read_all(receive: Receive, limit: int) -> bytes:
    body, more = b"", True
    while more and len(body) <= limit:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _DisconnectedError
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _check_headers(headers: Headers, limit: int) -> None:
    sent = headers.get(b"content-type", b"")
    if sent != b"application/json":
        media_type = sent.partition(b";")[0].strip().lower()
        if media_type != b"application/json":
            raise RequestError(415, "The content type must be application/json.", "content_type")
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length) > limit:
        raise _too_large(limit)


def body_too_late(timeout: float) -> RequestError:
    """The error of a body that did not arrive within so many seconds."""
    return RequestError(408, f"The body did not arrive within {timeout:g} s.", "timeout")


def _too_large(limit: int) -> RequestError:
    return RequestError(413, f"The body is larger than {limit:,} bytes.", "too_large")
