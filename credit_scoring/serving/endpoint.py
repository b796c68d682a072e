"""One HTTP exchange at the ASGI level: a JSON body in, a JSON answer out, every failure in the one shape."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from credit_scoring.errors import CreditScoringError, NotReadyError, RequestError, UnavailableError
from credit_scoring.serving.auth import Headers
from credit_scoring.serving.problems import FAILED, PROBLEM_TYPE, error_answer, error_response
from credit_scoring.serving.request_ids import REQUEST_ID, id_of, sent_id

Admit = Callable[[Headers, str | None], str]
OnRequest = Callable[[int, float], None]

ANSWERED_WITHIN_S = 4.0  # after the body has arrived; BentoML's own limit, which answers in another shape, is later
_TOO_SLOW = "The answer took too long. Try again in a moment, with the same application_id."
_NOT_READY = (
    "The service is not ready: it has no model that may decide, or no decision log to write to. Its log says why."
)
JSON_TYPE = (b"content-type", b"application/json")


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
        started, sent = time.perf_counter(), dict(scope["headers"])
        try:
            asked = Asked(
                self._admit(sent, peer_of(scope)),
                scope.get("path_params", {}),
                QueryParams(scope["query_string"]),
            )
            body = await self._read(scope, receive)
            status, headers, content = 200, answer_headers(sent_id(sent)), await self._handled(body, asked)
        except _DisconnectedError:
            return
        except Exception as error:  # the server would log its message, which may hold a value
            status, headers, content = error_answer(error, id_of(sent))
        headers.append((b"content-length", b"%d" % len(content)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})
        self._on_request(status, time.perf_counter() - started)

    async def _handled(self, body: bytes, asked: Asked) -> bytes:
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_S) as limit:
                return await self._handle(body, asked)
        except TimeoutError:
            if limit.expired():
                raise UnavailableError(_TOO_SLOW) from None
            raise

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
                app = error_response(error, scope)
        await app(scope, receive, send)


_FOREIGN = {
    405: RequestError(405, "This endpoint takes GET and HEAD only.", "method"),
    503: NotReadyError(_NOT_READY, retry_after=5),
}


class ForeignErrors:
    """ASGI middleware: where BentoML answers these paths with an error, it is told in our shape."""

    def __init__(self, app: ASGIApp, *, paths: frozenset[str]) -> None:
        self._app = app
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3.0)."""
        if scope["type"] != "http" or scope["path"] not in self._paths:
            await self._app(scope, receive, send)
            return
        foreign: list[int] = []

        async def unless_foreign(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400:
                foreign.extend([message["status"]] if PROBLEM_TYPE not in message["headers"] else [])
            if not foreign:
                await send(message)

        await self._app(scope, receive, unless_foreign)
        if foreign:
            response = error_response(_FOREIGN.get(foreign[0], CreditScoringError(FAILED)), scope)
            response.headers.update({"Allow": "GET, HEAD"} if foreign == [405] else {})
            await response(scope, receive, send)


def answer_headers(request_id: bytes | None) -> list[tuple[bytes, bytes]]:
    """The headers of a good answer: the id of the request where the client sent one."""
    return [JSON_TYPE] if request_id is None else [JSON_TYPE, (REQUEST_ID, request_id)]


def peer_of(scope: Scope) -> str | None:
    """The address that a request comes from, where it has one."""
    client: tuple[str, int] | None = scope.get("client")
    return client[0] if client else None


class _DisconnectedError(Exception):
    """The client is gone; there is nobody to answer."""


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
    if not is_within(headers.get(b"content-length", b"0"), limit):
        raise _too_large(limit)


def is_within(length: bytes, limit: int) -> bool:
    """Whether this is a Content-Length of up to so many bytes."""
    try:
        return 0 <= int(length) <= limit
    except ValueError:  # `int` takes no more than 4,300 digits, zeros or not
        return False


def body_too_late(timeout: float) -> RequestError:
    """The error of a body that did not arrive within so many seconds."""
    return RequestError(408, f"The body did not arrive within {timeout:g} s.", "timeout")


def _too_large(limit: int) -> RequestError:
    return RequestError(413, f"The body is larger than {limit:,} bytes.", "too_large")
