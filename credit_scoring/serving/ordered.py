"""uvicorn's HTTP protocol with answers in their order: what cannot be read is answered in its turn, as the last one."""

from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from credit_scoring.decisions.ids import new_id
from credit_scoring.errors import RequestError
from credit_scoring.serving.connections import Limits
from credit_scoring.serving.problems import error_answer
from credit_scoring.serving.request_ids import id_of

CLOSING = (b"connection", b"close")
# What the parser has read last of: no request, its body, its head, its trailers (or only the size of a chunk).
BETWEEN, BODY, HEAD, TRAILERS = range(4)
SECTIONS = {HEAD: "head", TRAILERS: "trailer section"}

NOT_HTTP = RequestError(400, "This is not a valid HTTP/1.1 request.", "invalid_http")


class HeadTooLargeError(Exception):
    """Ends the parser; the client is answered what `_last_answer` says."""


class ClosedHead(list[tuple[bytes, bytes]]):
    """The header fields of a request, once its head was read.

    uvicorn adds trailer fields, which would pass for the Authorization or Host of the head; here none is kept.
    """

    def append(self, trailer: tuple[bytes, bytes], /) -> None:
        """Drop it."""


class OrderedProtocol(HttpToolsProtocol):
    """Reads heads up to `limits.head_bytes`; `end` reads no more, and answers an error after all that came before.

    So it reads trailers, of which nothing is kept.
    """

    limits: ClassVar[Limits]
    sweeps_waiting = 0  # the watch counts them; a request that was read begins a new count
    _stage = BETWEEN
    _head_size = 0  # read of this head, or these trailers, in reads before this one; below 0: they began in this read
    _read_size = 0
    _last_answer: Exception | None = None

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        if self._last_answer is not None:
            return
        self._read_size = len(data)
        super().data_received(data)
        if self._stage >= HEAD and self._last_answer is None:
            self._head_size = 0 if self._head_size < 0 else self._head_size + self._read_size
            if self._head_size > self.limits.head_bytes:
                self.end(_too_large(self._stage, self.limits.head_bytes))

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
        if (self._head_size >= 0 or self._read_size > limit) and _size(self.url, self.headers) > limit:
            self._last_answer = _too_large(HEAD, limit)
            raise HeadTooLargeError
        self.take_request()
        self._stage = BODY
        self.sweeps_waiting = 0

    def take_request(self) -> None:
        """Begin to answer the request whose head was read."""
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """Called by the parser, also for the last chunk, which is empty."""
        if not isinstance(self.headers, ClosedHead):
            self.headers = ClosedHead(self.headers)
        self._stage = TRAILERS
        self._head_size = -1

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._stage = BODY
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self._stage = BETWEEN
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Called when the parser fails: in our shape, and not in the place of another answer."""
        self.end(self._last_answer or NOT_HTTP)

    def on_response_complete(self) -> None:
        """Called when an answer is given."""
        is_last = not self.pipeline
        super().on_response_complete()
        if is_last and self._last_answer is not None:
            self._write_last_answer()

    def end(self, error: Exception) -> None:
        """Read no more; answer this error in its turn, then close."""
        self._last_answer = error
        if self._stage in (BODY, TRAILERS):
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

    def _request_id(self) -> str:
        """What the request is called whose head was read; a new id where none was."""
        return id_of(dict(self.headers)) if self._stage != BETWEEN else new_id()

    def _write_last_answer(self) -> None:
        if self._last_answer is not None and not self.transport.is_closing():
            status, headers, content = error_answer(self._last_answer, self._request_id())
            every = (*self.server_state.default_headers, *headers, CLOSING)
            self.transport.write(answer_bytes(status, every, content))
            self.transport.close()


def _too_large(stage: int, limit: int) -> RequestError:
    return RequestError(431, f"The {SECTIONS[stage]} of the request is larger than {limit:,} bytes.", "head")


def _size(url: bytes, headers: Iterable[tuple[bytes, bytes]]) -> int:
    return len(url) + sum(len(name) + len(value) + len(b": \r\n") for name, value in headers)


def answer_bytes(status: int, headers: Iterable[tuple[bytes, bytes]], content: bytes) -> bytes:
    """A whole answer as it is written."""
    lines = b"".join([b"%b: %b\r\n" % pair for pair in headers])
    return b"%b%bcontent-length: %d\r\n\r\n%b" % (_status_line(status), lines, len(content), content)


@cache
def _status_line(status: int) -> bytes:
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
