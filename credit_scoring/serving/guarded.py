"""uvicorn's HTTP protocol with bounds on heads and connections, answers in their order, and back-pressure."""

import asyncio
from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from credit_scoring.errors import OverloadedError, RequestError
from credit_scoring.serving.connections import BackPressure, Limits, Watch
from credit_scoring.serving.endpoint import error_answer

CLOSING = (b"connection", b"close")
BETWEEN, HEAD, BODY = range(3)  # what the parser has read last of: no request, its head, its body

NOT_HTTP = RequestError(400, "This is not a valid HTTP/1.1 request.", "invalid_http")
FULL = OverloadedError("The service has as many connections as it takes. Try again in a moment.")


class HeadTooLargeError(Exception):
    """Ends the parser; the client is answered what `_last_answer` says."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection; `within` makes the class that uvicorn is given."""

    limits: ClassVar[Limits]
    watch: ClassVar[Watch]
    sweeps_waiting = 0
    _stage = BETWEEN
    _head_size = 0  # read of this head in reads before this one; below 0: it began in this read
    _read_size = 0
    _last_answer: Exception | None = None

    @classmethod
    def within(cls, limits: Limits, **attributes: Any) -> type["GuardedProtocol"]:
        """The protocol class with these limits, for one server."""
        return type(cls.__name__, (cls,), {"limits": limits, "watch": Watch(limits), **attributes})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Called by the event loop."""
        super().connection_made(transport)
        self.flow = BackPressure(transport)
        self.ws_protocol_class = None  # there are none here, and they would answer out of turn
        if not self.watch.admits(self.connections, self.loop):  # type: ignore[arg-type]  # all of this class
            self._end(FULL)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        if self._last_answer is not None:
            return
        self._read_size = len(data)
        super().data_received(data)
        if self._stage == HEAD and self._last_answer is None:
            self._head_size = 0 if self._head_size < 0 else self._head_size + self._read_size
            if self._head_size > self.limits.head_bytes:
                self._end(self._head_too_large)

    @property
    def owes_nothing(self) -> bool:
        """Whether every request read has its whole answer: only then may another answer be written."""
        return not self.pipeline and (self.cycle is None or self.cycle.response_complete)

    def on_message_begin(self) -> None:
        """Called by the parser."""
        self._stage = HEAD
        self._head_size = -1
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        limit = self.limits.head_bytes
        if (self._head_size >= 0 or self._read_size > limit) and self._exact_head_size() > limit:
            self._last_answer = self._head_too_large
            raise HeadTooLargeError
        self.take_request()
        self._stage = BODY
        self.sweeps_waiting = 0

    def take_request(self) -> None:
        """Begin to answer the request whose head was read."""
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self._stage = BETWEEN
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Called when the parser fails: in our shape, and not in the place of another answer."""
        self._end(self._last_answer or NOT_HTTP)

    def on_response_complete(self) -> None:
        """Called when an answer is given."""
        is_last = not self.pipeline
        super().on_response_complete()
        if is_last and self._last_answer is not None:
            self._write_last_answer()

    def _end(self, error: Exception) -> None:
        """Read no more; answer this error in its turn, then close."""
        self._last_answer = error
        if self._stage == BODY:
            self._end_in_body()
        elif self.owes_nothing:
            self._write_last_answer()

    def _end_in_body(self) -> None:
        """The request that cannot be read to its end has an answer coming already, or gets this one."""
        if self.pipeline:
            self.pipeline.popleft()  # it is the newest
        elif self.cycle.response_started:
            self.transport.close()
        else:
            self._write_last_answer()

    def _write_last_answer(self) -> None:
        if self._last_answer is not None and not self.transport.is_closing():
            status, headers, content = error_answer(self._last_answer)
            every = (*self.server_state.default_headers, *headers, CLOSING)
            self.transport.write(answer_bytes(status, every, content))
            self.transport.close()

    @property
    def waits_for_client(self) -> bool:
        """Whether nothing goes on until the client sends or reads something; uvicorn ends idle keep-alive itself."""
        if self.transport.is_closing() or self.flow.write_paused:
            return True
        return self.owes_nothing and (self._stage != BETWEEN or self.timeout_keep_alive_task is None)

    def give_up_waiting(self) -> None:
        """Called by the watch."""
        if self.transport.is_closing() or self.flow.write_paused:
            self.transport.abort()
        elif self._stage == HEAD:
            self._end(_head_too_late(self.limits.head_timeout))
        else:
            self.transport.close()

    def resume_writing(self) -> None:
        """Called by the transport."""
        self.sweeps_waiting = 0
        super().resume_writing()

    @property
    def _head_too_large(self) -> RequestError:
        return RequestError(431, f"The head of the request is larger than {self.limits.head_bytes:,} bytes.", "head")

    def _exact_head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + len(b": \r\n") for name, value in self.headers)


def _head_too_late(timeout: float) -> RequestError:
    return RequestError(408, f"The head of the request did not arrive within {timeout:g} s.", "timeout")


def answer_bytes(status: int, headers: Iterable[tuple[bytes, bytes]], content: bytes) -> bytes:
    """A whole answer as it is written."""
    lines = b"".join([b"%b: %b\r\n" % pair for pair in headers])
    return b"%b%bcontent-length: %d\r\n\r\n%b" % (_status_line(status), lines, len(content), content)


@cache
def _status_line(status: int) -> bytes:
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
