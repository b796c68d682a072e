"""One hot route answered inside uvicorn's HTTP protocol: no ASGI messages, no task and no future for each request.

uvicorn parses; what is not plain (another path or method, a chunked body, another content type, a wait for "100
Continue") goes the ordinary way through the ASGI app. docs/adr/0007 says what this buys.
"""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any, ClassVar

from pydantic_core import to_json

from credit_scoring.decisions.ids import new_id
from credit_scoring.errors import RequestError, UnavailableError
from credit_scoring.serving.auth import Headers
from credit_scoring.serving.connections import Limits
from credit_scoring.serving.endpoint import Admit, OnRequest, answer_headers, body_too_late
from credit_scoring.serving.guarded import GuardedProtocol
from credit_scoring.serving.ordered import BETWEEN, CLOSING, answer_bytes
from credit_scoring.serving.problems import error_answer
from credit_scoring.serving.request_ids import REQUEST_ID, SAFE_ID, sent_id

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,9})(?:\r\n|$)", re.IGNORECASE)
_SENT_ID = re.compile(rb"\r\n%b: *(%b) *\r\n" % (REQUEST_ID, SAFE_ID), re.IGNORECASE)
_REFUSALS = new_id()[:-12].encode()  # of this worker: a new id for each would take a third of a refusal's time
_refused = count()
_ANY_ID = "~" * len(new_id())
_NEEDS_A_LOOK = re.compile(rb"\r\n(?:connection|expect|transfer-encoding|upgrade):", re.IGNORECASE)


@dataclass(frozen=True)
class HotRoute:
    """POST on one path with a JSON body of at most `limit` bytes that has to arrive within `timeout` seconds.

    `admit` is given the headers and the address of the peer and tells the name of the key; where it raises, the request
    goes the ordinary way, to be refused there. `handle` gets the body and the exchange, which it gives a result or an
    error, now or later; what it raises is the error. `check_admission`, asked once for each read, raises what a request
    is refused with, and `on_refusal` is called with it where a refusal is written. `on_request` gets the status and the
    seconds of every exchange.
    """

    path: bytes
    limit: int
    timeout: float
    admit: Admit
    handle: Callable[[bytes, "Exchange"], None]
    check_admission: Callable[[], None]
    on_refusal: Callable[[UnavailableError], None]
    on_request: OnRequest

    def asked_by(self, headers: Headers, client: tuple[str, int] | None) -> str | None:
        """The name of the key; None where the request is to be refused."""
        try:
            return self.admit(headers, client[0] if client else None)
        except RequestError:
            return None


class Exchange:
    """One request on its way. It stands where uvicorn keeps its own cycle, and is told the result as a future is."""

    message_event: ClassVar[asyncio.Event] = asyncio.Event()  # uvicorn sets it; nobody waits
    __slots__ = (
        "_protocol",
        "_started",
        "asked_by",
        "body",
        "disconnected",
        "keep_alive",
        "more_body",
        "request_id",
        "response_complete",
    )

    def __init__(self, protocol: "HotProtocol", keep_alive: bool, asked_by: str, request_id: bytes | None) -> None:
        self._protocol = protocol
        self.asked_by = asked_by
        self.request_id = request_id
        self._started = time.perf_counter()
        self.keep_alive = keep_alive
        self.body = b""
        self.more_body = True
        self.response_complete = False
        self.disconnected = False

    @property
    def response_started(self) -> bool:
        """As in uvicorn's cycle: an answer is written as a whole."""
        return self.response_complete

    def done(self) -> bool:
        """Whether it is answered, or nobody is there any more to be answered."""
        return self.response_complete or self._protocol.transport.is_closing()

    def set_result(self, result: Any) -> None:
        """Answer 200 with this result as JSON."""
        self._answer(200, answer_headers(self.request_id), to_json(result))

    def set_exception(self, error: Exception) -> None:
        """Answer what this error means."""
        request_id = self.request_id.decode() if self.request_id else new_id()
        self._answer(*error_answer(error, request_id))

    def _answer(self, status: int, headers: list[tuple[bytes, bytes]], content: bytes) -> None:
        if not self.done():
            self.response_complete = True
            self._protocol.write_answer(self.keep_alive, status, headers, content)
            self._protocol.hot_route.on_request(status, time.perf_counter() - self._started)


class HotProtocol(GuardedProtocol):
    """uvicorn's HTTP protocol with a hot route; `with_route` makes the class that uvicorn is given."""

    hot_route: ClassVar[HotRoute]
    _too_late: asyncio.TimerHandle | None = None
    _refused: UnavailableError | None = None  # why what is read now is to be refused

    @classmethod
    def with_route(cls, route: HotRoute, limits: Limits) -> type[GuardedProtocol]:
        """The protocol class for this route, for one server."""
        return cls.within(limits, hot_route=route)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        self._refused = None
        try:
            self.hot_route.check_admission()
        except UnavailableError as error:
            if self._stage == BETWEEN and self.owes_nothing and is_plain_request(data, self.hot_route):
                self._refuse_unread(error, data)
                return
            self._refused = error
        super().data_received(data)
        if isinstance(self.cycle, Exchange) and self.cycle.more_body and self._too_late is None:
            self._too_late = self.loop.call_later(self.hot_route.timeout, self._give_up)

    def _refuse_unread(self, error: UnavailableError, data: bytes) -> None:
        """Answer what this error means, nothing parsed: in a storm of refusals each takes time from a decision."""
        started = time.perf_counter()
        self.transport.write(_whole_refusal(error, data))
        self.on_response_complete()
        self.hot_route.on_refusal(error)
        self.hot_route.on_request(503, time.perf_counter() - started)

    def take_request(self) -> None:
        """The hot way where it is plain, else the ordinary one."""
        headers = dict(self.headers)
        asked_by = self.hot_route.asked_by(headers, self.client) if self._is_plain(headers) else None
        if asked_by is None:
            super().take_request()
        else:
            keep_alive = self.parser.should_keep_alive()
            self.cycle = Exchange(self, keep_alive, asked_by, sent_id(headers))  # type: ignore[assignment]  # in place

    def _is_plain(self, headers: Headers) -> bool:
        route, parser = self.hot_route, self.parser
        if self.url != route.path or parser.get_method() != b"POST" or parser.get_http_version() != "1.1":
            return False
        if self.expect_100_continue or parser.should_upgrade() or not self.owes_nothing:
            return False
        length = headers.get(b"content-length", b"")
        return headers.get(b"content-type") == b"application/json" and length.isdigit() and int(length) <= route.limit

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        if isinstance(self.cycle, Exchange):
            self.cycle.body += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        exchange = self.cycle
        if not isinstance(exchange, Exchange):
            super().on_message_complete()
            return
        self._stage = BETWEEN
        exchange.more_body = False
        self._stop_timer()
        if not exchange.done():
            self._handle(exchange)

    def _handle(self, exchange: Exchange) -> None:
        if self._refused is not None:
            self.hot_route.on_refusal(self._refused)
            exchange.set_exception(self._refused)
            return
        try:
            self.hot_route.handle(exchange.body, exchange)
        except Exception as error:  # the server would log its message, which may hold a value
            exchange.set_exception(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._stop_timer()
        super().connection_lost(exc)

    def write_answer(self, keep_alive: bool, status: int, headers: list[tuple[bytes, bytes]], content: bytes) -> None:
        """Write one whole answer and make ready for the next request."""
        every = (*self.server_state.default_headers, *headers)
        self.transport.write(answer_bytes(status, every if keep_alive else (*every, CLOSING), content))
        if not keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _give_up(self) -> None:
        """The rest of the body did not come; what follows on this connection could not be told from it."""
        self._too_late = None
        if isinstance(self.cycle, Exchange) and self.cycle.more_body:
            self.cycle.keep_alive = False
            self.cycle.set_exception(body_too_late(self.hot_route.timeout))

    def _stop_timer(self) -> None:
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None


def is_plain_request(data: bytes, route: HotRoute) -> bool:
    """Whether these bytes are one whole request to the route with nothing about it that needs a closer look.

    It is for refusing in the thick of an overload, where each refusal takes time from an answer.
    """
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"POST %b HTTP/1.1\r\n" % route.path) or _NEEDS_A_LOOK.search(head):
        return False
    length = _CONTENT_LENGTH.search(head)
    return length is not None and int(length[1]) == len(body)


def _whole_refusal(error: UnavailableError, data: bytes) -> bytes:
    """The refusal of this request, of which nothing is read but what the client calls it."""
    sent = _SENT_ID.search(data)
    if sent is not None:
        return answer_bytes(*error_answer(error, sent[1].decode()))
    kind = type(error)
    around = _around_the_ids(kind, str(error), error.retry_after)  # type: ignore[arg-type]  # to mypy no class is hashable
    return (b"%b%012x" % (_REFUSALS, next(_refused))).join(around)


@cache
def _around_the_ids(kind: type[UnavailableError], sentence: str, retry_after: int) -> list[bytes]:
    """What is the same of each such refusal: all but the id of the request, in header and body."""
    return answer_bytes(*error_answer(kind(sentence, retry_after), _ANY_ID)).split(_ANY_ID.encode())
