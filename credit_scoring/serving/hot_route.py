"""One hot route answered inside uvicorn's HTTP protocol: no ASGI messages, no task and no future for each request.

uvicorn parses; what is not plain (another path or method, a chunked body, another content type, a wait for "100
Continue") goes the ordinary way through the ASGI app. docs/adr/0007 says what this buys.
"""

import asyncio
import time
from typing import ClassVar

from credit_scoring.errors import OverloadedError, UnavailableError
from credit_scoring.serving.auth import Headers
from credit_scoring.serving.backlog import Backlog
from credit_scoring.serving.batching import READING_SHARE, TURN_SHARE
from credit_scoring.serving.connections import Limits
from credit_scoring.serving.endpoint import body_too_late, is_within
from credit_scoring.serving.exchange import Exchange, HotRoute
from credit_scoring.serving.guarded import GuardedProtocol
from credit_scoring.serving.ordered import BETWEEN, CLOSING, answer_bytes
from credit_scoring.serving.refusals import is_plain_request, whole_refusal
from credit_scoring.serving.request_ids import sent_id


class HotProtocol(GuardedProtocol):
    """uvicorn's HTTP protocol with a hot route; `with_route` makes the class that uvicorn is given."""

    hot_route: ClassVar[HotRoute]
    backlog: ClassVar[Backlog]
    _too_late: asyncio.TimerHandle | None = None
    _refused: UnavailableError | None = None  # why what is read now is to be refused
    _late = b""  # a request that waits in the backlog, and what has come after it
    _late_for: UnavailableError
    _since: float | None = None  # when it was read

    @classmethod
    def with_route(cls, route: HotRoute, limits: Limits) -> type[GuardedProtocol]:
        """The protocol class for this route, for one server."""
        return cls.within(limits, hot_route=route, backlog=Backlog())

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        if self._late:
            self._late += data
            self.flow.pause_reading()
        elif not self._can_wait(data):
            self._read(data, self._refusal(TURN_SHARE))
        elif refusal := self._refusal(READING_SHARE):
            self._put_off(refusal, data)
        else:
            self._read(data, None)

    def _can_wait(self, data: bytes) -> bool:
        """Whether this begins a request to the route, and is of a size worth keeping."""
        if self._stage != BETWEEN or not self.owes_nothing or not data.startswith(self.hot_route.beginning):
            return False
        return len(data) <= self.limits.head_bytes + self.hot_route.limit

    def _refusal(self, share: float) -> UnavailableError | None:
        try:
            self.hot_route.check_admission(share)
        except UnavailableError as error:
            return error.with_traceback(None)  # which would refer to this connection
        return None

    def _put_off(self, refusal: UnavailableError, data: bytes) -> None:
        """For want of time, to the next turn; other reasons to refuse it will not have passed by then."""
        self._since = time.perf_counter()
        if isinstance(refusal, OverloadedError):
            self._late, self._late_for = data, refusal
            self._unset_keepalive_if_required()
            self.backlog.add(self, self.loop)
        else:
            self._refuse(data, refusal)

    def take_up(self) -> bool:
        """Called by the backlog."""
        if not self.transport.is_closing() and (refusal := self._refusal(READING_SHARE)):
            self._late_for = refusal
            return False
        if data := self._taken():
            self._read(data, None)
        return True

    def refuse(self) -> None:
        """Called by the backlog."""
        if data := self._taken():
            self._refuse(data, self._late_for)

    def shutdown(self) -> None:
        """Called by the server when it stops: nobody is left without an answer."""
        self.refuse()
        super().shutdown()

    @property
    def waits_for_client(self) -> bool:
        """Not while a request waits in the backlog, unless its answer could not be written."""
        owes = self._late and not self.transport.is_closing() and not self.flow.write_paused
        return not owes and super().waits_for_client

    def _taken(self) -> bytes:
        """What has waited, if anybody still waits for an answer; from here on the client is read as before."""
        data, self._late = self._late, b""
        if not data or self.transport.is_closing():
            return b""
        if self.flow.read_paused:
            self.flow.resume_reading()
        return data

    def _refuse(self, data: bytes, error: UnavailableError) -> None:
        if not is_plain_request(data, self.hot_route.path):
            self._read(data, error)
            return
        self.transport.write(whole_refusal(error, data))
        self.on_response_complete()
        self.hot_route.on_refusal(error)
        self.hot_route.on_request(503, time.perf_counter() - self._began())

    def _read(self, data: bytes, refusal: UnavailableError | None) -> None:
        self._refused = refusal
        super().data_received(data)
        if isinstance(self.cycle, Exchange) and self.cycle.more_body and self._too_late is None:
            self._too_late = self.loop.call_later(self.hot_route.timeout, self._give_up)

    def _began(self) -> float:
        """When the request that is being read was read first."""
        since, self._since = self._since, None
        return since or time.perf_counter()

    def take_request(self) -> None:
        """The hot way where it is plain, else the ordinary one."""
        headers, began = dict(self.headers), self._began()
        asked_by = self.hot_route.asked_by(headers, self.client) if self._is_plain(headers) else None
        if asked_by is not None:
            keep_alive = self.parser.should_keep_alive()
            exchange = Exchange(self, keep_alive, asked_by, sent_id(headers), began)
            self.cycle = exchange  # type: ignore[assignment]  # in its place
        elif not self.transport.is_closing():  # as it is after the last answer of a stopping server, in the same read
            super().take_request()

    def _is_plain(self, headers: Headers) -> bool:
        route, parser = self.hot_route, self.parser
        if self.url != route.path or parser.get_method() != b"POST" or parser.get_http_version() != "1.1":
            return False
        if self.expect_100_continue or parser.should_upgrade() or not self.owes_nothing:
            return False
        if headers.get(b"content-type") != b"application/json":
            return False
        return is_within(headers.get(b"content-length", b""), route.limit)

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
        if isinstance(self.cycle, Exchange):
            self.cycle = None  # it refers to this connection: a circle to be collected

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
