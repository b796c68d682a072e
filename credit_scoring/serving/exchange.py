"""One request on the hot route, and what the route does with it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol

from pydantic_core import to_json

from credit_scoring.decisions.ids import new_id
from credit_scoring.errors import RequestError, UnavailableError
from credit_scoring.serving.auth import Headers
from credit_scoring.serving.endpoint import Admit, OnRequest, answer_headers
from credit_scoring.serving.problems import error_answer


@dataclass(frozen=True)
class HotRoute:
    """POST on one path with a JSON body of at most `limit` bytes that has to arrive within `timeout` seconds.

    `admit` is given the headers and the address of the peer and tells the name of the key; where it raises, the request
    goes the ordinary way, to be refused there. `handle` gets the body and the exchange, which it gives a result or an
    error, now or later; what it raises is the error. `check_admission`, given the share of the budget that a turn may
    take, raises what a request is refused with, and `on_refusal` is called with it where a refusal is written.
    `on_request` gets the status and the seconds of every exchange, from when its request was read first.
    """

    path: bytes
    limit: int
    timeout: float
    admit: Admit
    handle: Callable[[bytes, "Exchange"], None]
    check_admission: Callable[[float], None]
    on_refusal: Callable[[UnavailableError], None]
    on_request: OnRequest

    @cached_property
    def beginning(self) -> bytes:
        """How a request to this route begins."""
        return b"POST %b HTTP/1.1\r\n" % self.path

    def asked_by(self, headers: Headers, client: tuple[str, int] | None) -> str | None:
        """The name of the key; None where the request is to be refused."""
        try:
            return self.admit(headers, client[0] if client else None)
        except RequestError:
            return None


class Answering(Protocol):
    """The connection that a request came on."""

    transport: asyncio.Transport

    @property
    def hot_route(self) -> HotRoute:
        """The route of the request."""

    def write_answer(self, keep_alive: bool, status: int, headers: list[tuple[bytes, bytes]], content: bytes) -> None:
        """Write one whole answer."""


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

    def __init__(
        self, protocol: Answering, keep_alive: bool, asked_by: str, request_id: bytes | None, started: float
    ) -> None:
        self._protocol = protocol
        self.asked_by = asked_by
        self.request_id = request_id
        self._started = started
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
