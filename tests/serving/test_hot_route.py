"""The hot route at the wire, byte by byte, on a real uvicorn."""

import asyncio
import gc
import json
import select
import socket
import struct
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

import httpx
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st

from credit_scoring.application.schemas import ErrorAnswer
from credit_scoring.decisions.ids import is_id
from credit_scoring.errors import NotReadyError, OverloadedError, RequestError, ScoringError, UnavailableError
from credit_scoring.serving.backlog import Backlog, Late
from credit_scoring.serving.batching import READING_SHARE, TURN_SHARE
from credit_scoring.serving.connections import Limits
from credit_scoring.serving.exchange import Exchange, HotRoute
from credit_scoring.serving.guarded import GuardedProtocol
from credit_scoring.serving.hot_route import HotProtocol
from credit_scoring.serving.refusals import is_plain_request
from credit_scoring.settings import ServiceSettings

LIMIT = 1000
TIMEOUT = 0.3
BUFFERS = (socket.SO_SNDBUF, socket.SO_RCVBUF)
LARGEST_HEAD = 16 * 1024
MOST_SENT = 32 * 1024 * 1024
MOST_WAITING = 2 * 1024 * 1024
SOON = 20.0
REQUEST = b'POST /hot HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n"a'
HEAD, BODY = REQUEST.split(b"\r\n\r\n")
CHUNKED = b"POST /cold HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"


@dataclass
class Desk:
    """Answers b"ok"; other bodies get an error, or an answer when the test gives it. Remembers what it was told."""

    overloaded: bool = False
    refused_reads: int = 0  # so many are refused, whatever comes then
    limits: Limits = field(default_factory=lambda: Limits(head_timeout=SOON))
    handled: list[bytes] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    kept: list[Exchange] = field(default_factory=list)
    reads: list[HotProtocol] = field(default_factory=list)
    held: list["Held"] = field(default_factory=list)
    refusals: list[UnavailableError] = field(default_factory=list)
    scopes: list[dict[str, Any]] = field(default_factory=list)
    backlog: Backlog | None = None
    unready: bool = False
    shares: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def protocol(self) -> type[GuardedProtocol]:
        """The protocol under test, which notes each time that it has read something."""
        desk = self

        class Noting(HotProtocol):
            def data_received(self, data: bytes) -> None:
                super().data_received(data)
                desk.reads.append(self)

        made = Noting.with_route(desk.route(), self.limits)
        if self.backlog:
            made.backlog = self.backlog  # type: ignore[attr-defined]
        return made

    def route(self) -> HotRoute:
        return HotRoute(
            b"/hot",
            LIMIT,
            TIMEOUT,
            self.admit,
            self.handle,
            self.check_admission,
            on_refusal=self.refusals.append,
            on_request=self.on_request,
        )

    def admit(self, headers: Mapping[bytes, bytes], peer: str | None) -> str:
        if headers.get(b"authorization") == b"Bearer wrong":
            raise RequestError(401, "The API key is not known.", "unknown_key")
        return f"{headers.get(b'authorization', b'').decode()} from {peer}"

    def handle(self, body: bytes, exchange: Exchange) -> None:
        self.handled.append(body)
        if body == b"no":
            raise ScoringError("no")
        if body == b"??":
            raise RuntimeError("Segredo")
        if body == b"ok":
            exchange.set_result("ok")
        else:
            self.kept.append(exchange)

    def check_admission(self, share: float) -> None:
        self.shares.append(share)
        self.refused_reads -= 1
        if self.unready:
            raise NotReadyError("Not now.")
        if self.overloaded or self.refused_reads >= 0:
            raise OverloadedError("Too much.", retry_after=3)

    def on_request(self, status: int, seconds: float) -> None:
        assert 0 <= seconds < SOON
        self.seen.append(status)
        self.seconds.append(seconds)

    async def ordinary(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """An ASGI app that says that the request came the ordinary way; on /held the test lets the answer end."""
        self.scopes.append(scope)
        await receive()
        await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"3")]})
        if scope["path"] == "/held":
            await send({"type": "http.response.body", "body": b"w", "more_body": True})
            self.held.append(Held(asyncio.get_running_loop()))
            await self.held[-1].released.wait()
            await send({"type": "http.response.body", "body": b"ay"})
        else:
            await send({"type": "http.response.body", "body": b"way"})


class Held:
    """An answer half given."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.released = asyncio.Event()
        self._loop = loop

    def release(self) -> None:
        self._loop.call_soon_threadsafe(self.released.set)


@contextmanager
def serving(desk: Desk) -> Iterator[tuple[str, int]]:
    """Host and port of a real uvicorn with the hot route, in a thread of this process."""
    config = uvicorn.Config(
        desk.ordinary,
        interface="asgi3",
        http=desk.protocol(),
        lifespan="off",
        log_level="critical",
        timeout_keep_alive=10 * int(SOON),  # of no effect: limits say it
    )
    listening = socket.create_server(("127.0.0.1", 0))
    for buffer in BUFFERS:  # so that little fills them
        listening.setsockopt(socket.SOL_SOCKET, buffer, 4096)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield listening.getsockname()
    finally:
        server.should_exit = True
        thread.join(SOON)
        listening.close()
    assert not thread.is_alive()


@contextmanager
def connected(desk: Desk) -> Iterator[socket.socket]:
    with serving(desk) as address, closing(socket.create_connection(address, timeout=SOON)) as client:
        yield client


def read_answer(client: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the next answer on this connection."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = client.recv(1)
        assert byte, f"closed after {head!r}"
        head += byte
    status_line, *lines = head.decode().strip().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    body = b""
    while len(body) < int(headers["content-length"]):
        body += client.recv(int(headers["content-length"]) - len(body))
    return int(status_line.split()[1]), headers, body


def request(body: bytes, *more: bytes, path: bytes = b"/hot") -> bytes:
    head = b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d" % (path, len(body))
    return b"\r\n".join([head, *more]) + b"\r\n\r\n" + body


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def protocol_of(exchange: Exchange) -> HotProtocol:
    return cast(HotProtocol, exchange._protocol)


def answer_later(exchange: Exchange) -> None:
    """Give it its result on the server's own loop."""
    protocol_of(exchange).loop.call_soon_threadsafe(exchange.set_result, "late")


def test_a_plain_request_is_answered_on_the_spot() -> None:
    desk = Desk()
    with connected(desk) as client:
        client.sendall(request(b"ok"))
        status, headers, body = read_answer(client)
    assert (status, body) == (200, b'"ok"')
    assert headers["content-type"] == "application/json"
    assert "date" in headers
    assert desk.seen == [200]


def assert_problem(headers: dict[str, str], body: bytes, status: int, code: str = "", detail: str = "") -> None:
    """The answer is an error in the one shape; with this code and detail where they are given."""
    assert headers["content-type"] == "application/problem+json"
    problem = ErrorAnswer.model_validate_json(body)
    assert (problem.status, problem.instance) == (status, headers["x-request-id"])
    assert problem.code == (code or problem.code)
    assert problem.detail == (detail or problem.detail)


@pytest.mark.parametrize("overloaded", [False, True])
@pytest.mark.parametrize("body", [b"ok", b"no"])
def test_an_answer_bears_the_id_that_the_client_gave_its_request(body: bytes, overloaded: bool) -> None:
    with connected(Desk(overloaded=overloaded)) as client:
        client.sendall(request(body, b"X-Request-Id: loja-1.7_a~b"))
        _, headers, content = read_answer(client)
    assert headers["x-request-id"] == "loja-1.7_a~b"
    assert (b'"instance":"loja-1.7_a~b"' in content) == (overloaded or body == b"no")


@pytest.mark.parametrize("overloaded", [False, True])
@pytest.mark.parametrize("sent", [b"", b"a b", b"a\tb", b'"', b"x" * 65, "é".encode()])
def test_an_error_bears_an_id_of_its_own_where_the_client_gave_none_that_is_safe(sent: bytes, overloaded: bool) -> None:
    found = []
    with connected(Desk(overloaded=overloaded)) as client:
        for _ in range(2):
            client.sendall(request(b"no", b"X-Request-ID: " + sent))
            status, headers, body = read_answer(client)
            assert_problem(headers, body, status)
            found.append(headers["x-request-id"])
    assert all(is_id(each) for each in found)
    assert found[0] != found[1]


def test_a_good_answer_bears_no_id_that_nobody_asked_for() -> None:
    with connected(Desk()) as client:
        client.sendall(request(b"ok"))
        assert "x-request-id" not in read_answer(client)[1]


def test_a_connection_serves_request_after_request() -> None:
    with connected(Desk()) as client:
        for _ in range(20):
            client.sendall(request(b"ok"))
            assert read_answer(client)[0] == 200


@pytest.mark.parametrize("cut", [1, 10, len(HEAD), len(HEAD) + 2, len(HEAD) + 4, len(request(b"ok")) - 1])
def test_a_request_may_come_in_pieces(cut: int) -> None:
    whole, desk = request(b"ok"), Desk()
    with connected(desk) as client:
        for _ in range(3):
            desk.reads.clear()
            client.sendall(whole[:cut])
            wait_for(lambda: bool(desk.reads), "the first piece to be read")
            client.sendall(whole[cut:])
            assert read_answer(client)[::2] == (200, b'"ok"')


def test_requests_sent_ahead_of_their_answers_are_answered_in_order() -> None:
    desk = Desk()
    with connected(desk) as client:
        client.sendall(request(b"ok") + request(b"no") + request(b"ok", path=b"/cold") + request(b"ok"))
        assert [read_answer(client)[0] for _ in range(4)] == [
            200,
            500,
            202,
            202,
        ]  # the last while the third is under way


def test_a_request_sent_ahead_waits_for_the_answer_that_is_still_due() -> None:
    desk = Desk()
    with connected(desk) as client:
        client.sendall(request(b"later") + request(b"ok"))
        wait_for(lambda: bool(desk.kept), "the first request")
        answer_later(desk.kept[0])
        assert read_answer(client)[::2] == (200, b'"late"')
        assert read_answer(client)[0] == 202  # goes the ordinary way: the hot one takes one at a time


@pytest.mark.parametrize(
    "raw",
    [
        request(b"ok", path=b"/cold"),
        request(b"ok", path=b"/hot?x=1"),
        request(b"ok").replace(b"POST", b"PUT"),
        request(b"ok").replace(b"HTTP/1.1", b"HTTP/1.0"),
        request(b"ok").replace(b"application/json", b"application/json; charset=utf-8"),
        request(b"ok").replace(b"content-type: application/json\r\n", b""),
        request(b"x" * (LIMIT + 1)),
        HEAD.replace(b"content-length: 2", b"transfer-encoding: chunked") + b"\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        HEAD.replace(b"content-length: 2", b"content-length: %b2" % (b"0" * 5000)) + b"\r\n\r\nok",
    ],
)
def test_what_is_not_plain_goes_the_ordinary_way(raw: bytes) -> None:
    desk = Desk()
    with connected(desk) as client:
        client.sendall(raw)
        assert read_answer(client)[::2] == (202, b"way")
    assert desk.handled == []


def test_who_waits_for_100_continue_goes_the_ordinary_way() -> None:
    with connected(Desk()) as client:
        client.sendall(request(b"ok", b"expect: 100-continue"))
        assert client.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert read_answer(client)[0] == 202


def test_a_client_that_asks_for_it_finds_the_connection_closed_after_its_answer() -> None:
    with connected(Desk()) as client:
        client.sendall(request(b"ok", b"connection: close"))
        status, headers, _ = read_answer(client)
        assert (status, headers["connection"]) == (200, "close")
        assert client.recv(1) == b""


def test_an_error_is_answered_in_the_one_shape_and_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    with connected(desk) as client:
        for body in (b"no", b"??"):
            client.sendall(request(body))
            status, _, answer = read_answer(client)
            assert status == 500
            assert json.loads(answer)["code"] == "internal"
            assert b"Segredo" not in answer
    assert desk.seen == [500, 500]
    assert "RuntimeError" in caplog.text
    assert f"(request {json.loads(answer)['instance']})" in caplog.text
    assert "Segredo" not in caplog.text


def test_a_body_that_does_not_come_is_refused_and_the_connection_closed() -> None:
    desk = Desk()
    with connected(desk) as client:
        client.sendall(request(b"ok")[:-1])
        status, headers, _ = read_answer(client)
        assert (status, headers["connection"]) == (408, "close")
        assert client.recv(1) == b""
    assert desk.handled == []
    assert desk.seen == [408]


def test_a_body_that_came_in_the_end_leaves_no_timer_for_the_next_request() -> None:
    desk = Desk()
    with connected(desk) as client:
        client.sendall(request(b"ok")[:-1])
        wait_for(lambda: bool(desk.reads), "the first piece to be read")
        assert desk.reads[0]._too_late is not None
        client.sendall(b"k")
        assert read_answer(client)[0] == 200
        assert desk.reads[0]._too_late is None


def test_a_client_that_is_gone_is_known_to_be_gone_and_not_answered() -> None:
    desk = Desk()
    with serving(desk) as address:
        with closing(socket.create_connection(address, timeout=SOON)) as client:
            client.sendall(request(b"later"))
            wait_for(lambda: bool(desk.kept), "the request")
            assert not desk.kept[0].done()
        wait_for(desk.kept[0].done, "the end of the connection")
        answer_later(desk.kept[0])
        assert httpx.post(f"http://{address[0]}:{address[1]}/cold").status_code == 202
    assert desk.seen == []


def test_a_stopping_server_gives_the_answers_that_are_due_and_then_closes() -> None:
    desk = Desk()
    with serving(desk) as address, closing(socket.create_connection(address, timeout=SOON)) as client:
        client.sendall(request(b"later"))
        wait_for(lambda: bool(desk.kept), "the request")
        protocol = protocol_of(desk.kept[0])
        loop = protocol.loop
        loop.call_soon_threadsafe(protocol.shutdown)
        loop.call_soon_threadsafe(desk.kept[0].set_result, "late")
        status, headers, body = read_answer(client)
        assert (status, headers["connection"], body) == (200, "close", b'"late"')
        assert client.recv(1) == b""


def test_under_overload_a_plain_request_is_refused_unread_and_the_connection_lives_on() -> None:
    desk = Desk(overloaded=True)
    with connected(desk) as client:
        for _ in range(3):
            client.sendall(request(b"ok"))
            status, headers, body = read_answer(client)
            assert (status, headers["retry-after"]) == (503, "3")
            assert_problem(headers, body, 503, "overloaded", "Too much.")
        assert desk.handled == []
        desk.overloaded = False
        client.sendall(request(b"ok"))
        assert read_answer(client)[0] == 200
    assert desk.seen == [503, 503, 503, 200]
    assert len(desk.refusals) == 3


def test_a_request_that_its_turn_has_no_time_for_is_taken_up_in_the_next() -> None:
    desk = Desk(refused_reads=1)
    with connected(desk) as client:
        client.sendall(request(b"ok"))
        assert read_answer(client)[::2] == (200, b'"ok"')
    assert (desk.seen, desk.refusals) == ([200], [])


@pytest.mark.parametrize("more", [b"connection: keep-alive", b"connection: close", b"x-other: 1"])
def test_whatever_else_its_head_says_a_request_can_be_put_off(more: bytes) -> None:
    desk = Desk(refused_reads=1)
    with connected(desk) as client:
        client.sendall(request(b"ok", more))
        assert read_answer(client)[::2] == (200, b'"ok"')
    assert desk.shares == [READING_SHARE, READING_SHARE]


def test_what_does_not_begin_a_request_has_a_larger_share_of_the_turn() -> None:
    desk = Desk()
    with connected(desk) as client:
        whole = request(b"ok")
        client.sendall(whole[:10])
        wait_for(lambda: bool(desk.reads), "the first piece to be read")
        desk.shares.clear()
        client.sendall(whole[10:])
        assert read_answer(client)[0] == 200
    assert set(desk.shares) == {TURN_SHARE}


def test_what_is_too_large_to_keep_cannot_wait() -> None:
    desk = Desk()
    with connected(desk) as client:
        client.sendall(request(b"ok"))
        assert read_answer(client)[0] == 200
        largest = desk.limits.head_bytes + LIMIT
        assert desk.reads[0]._can_wait(REQUEST.ljust(largest))
        assert not desk.reads[0]._can_wait(REQUEST.ljust(largest + 1))


class HeldBacklog(Backlog):
    """Requests wait in it until the test says what becomes of them."""

    def __init__(self) -> None:
        super().__init__()
        self.late: list[Late] = []

    def add(self, late: Late, loop: asyncio.AbstractEventLoop) -> None:
        self.late.append(late)


@contextmanager
def waiting(desk: Desk, *more: bytes) -> Iterator[tuple[socket.socket, HotProtocol]]:
    """A client whose request waits in the backlog, and so does what it has sent since; there is time now."""
    desk.overloaded, desk.backlog = True, HeldBacklog()
    with connected(desk) as client:
        client.sendall(request(b"ok"))
        for number, each in enumerate(more):
            wait_for(lambda: len(desk.reads) > number, "the request before to be read")  # noqa: B023 - called here
            client.sendall(each)
        wait_for(lambda: len(desk.reads) > len(more), "all to be read")
        desk.overloaded = False
        yield client, desk.reads[0]


@pytest.mark.parametrize(("end", "expected"), [(HotProtocol.take_up, 200), (HotProtocol.refuse, 503)])
def test_what_a_client_sends_while_its_request_waits_is_dealt_with_after_it(
    end: Callable[[HotProtocol], object], expected: int
) -> None:
    desk = Desk()
    with waiting(desk, request(b"no")) as (client, protocol):
        protocol.loop.call_soon_threadsafe(end, protocol)
        status, headers, body = read_answer(client)
        assert status == expected
        if expected == 503:
            assert_problem(headers, body, 503, "overloaded", "Too much.")
        assert read_answer(client)[0] == (500 if expected == 200 else 503)
        client.sendall(request(b"ok"))
        assert read_answer(client)[0] == 200


def test_a_client_that_sends_more_and_more_while_its_request_waits_is_not_read() -> None:
    desk = Desk()
    with waiting(desk, b"x") as (_, protocol):
        assert protocol.flow.read_paused


@pytest.mark.parametrize(("end", "expected"), [(HotProtocol.take_up, 200), (HotProtocol.refuse, 503)])
def test_the_time_that_a_request_has_waited_is_part_of_what_its_answer_took(
    end: Callable[[HotProtocol], object], expected: int
) -> None:
    desk = Desk()
    with waiting(desk) as (client, protocol):
        waited = time.perf_counter()
        wait_for(lambda: time.perf_counter() - waited > 0.05, "time to pass")
        protocol.loop.call_soon_threadsafe(end, protocol)
        assert read_answer(client)[0] == expected
    assert desk.seen == [expected]
    assert desk.seconds[0] >= 0.05


def test_the_time_that_a_request_for_the_ordinary_way_has_waited_is_no_part_of_the_next() -> None:
    desk = Desk(refused_reads=1)
    with connected(desk) as client:
        client.sendall(request(b"ok", b"authorization: Bearer wrong"))
        assert read_answer(client)[0] == 202
        waited = time.perf_counter()
        wait_for(lambda: time.perf_counter() - waited > 1.0, "time to pass")
        client.sendall(request(b"ok"))
        assert read_answer(client)[0] == 200
    assert desk.seconds[0] < 1.0


def test_a_request_that_waited_while_the_log_was_lost_is_told_so() -> None:
    desk = Desk()
    with waiting(desk) as (client, protocol):
        desk.unready = True
        found: list[bool] = []
        protocol.loop.call_soon_threadsafe(lambda: found.append(protocol.take_up()))
        wait_for(lambda: found == [False], "the request to be looked at")
        protocol.loop.call_soon_threadsafe(protocol.refuse)
        _, headers, body = read_answer(client)
        assert_problem(headers, body, 503, "not_ready", "Not now.")


def test_a_client_that_reads_nothing_is_disconnected_though_its_request_waits() -> None:
    desk = Desk(limits=Limits(head_timeout=0.2))
    with waiting(desk) as (_, protocol):
        protocol.loop.call_soon_threadsafe(protocol.flow.pause_writing)
        wait_for(protocol.transport.is_closing, "the end of the connection")


@pytest.mark.parametrize("end", [HotProtocol.take_up, HotProtocol.refuse])
def test_a_client_that_is_gone_while_its_request_waits_is_not_answered(end: Callable[[HotProtocol], object]) -> None:
    desk = Desk()
    with waiting(desk) as (client, protocol):
        client.close()
        wait_for(protocol.transport.is_closing, "the end of the connection")
        done = threading.Event()
        protocol.loop.call_soon_threadsafe(end, protocol)
        protocol.loop.call_soon_threadsafe(done.set)
        assert done.wait(SOON)
    assert (desk.handled, desk.seen) == ([], [])


def test_a_stopping_server_refuses_what_waits() -> None:
    with waiting(Desk()) as (client, protocol):
        protocol.loop.call_soon_threadsafe(protocol.shutdown)
        assert read_answer(client)[0] == 503
        assert client.recv(1) == b""


def test_a_client_whose_request_waits_is_not_taken_for_one_that_keeps_the_service_waiting() -> None:
    desk = Desk(limits=Limits(head_timeout=0.2))
    with waiting(desk) as (client, protocol):
        with closing(socket.create_connection(client.getpeername(), timeout=SOON)) as slow:
            slow.sendall(HEAD[:10])
            assert read_answer(slow)[0] == 408  # so much time has passed
        protocol.loop.call_soon_threadsafe(protocol.take_up)
        assert read_answer(client)[0] == 200


@pytest.mark.parametrize("linger", [struct.pack("ii", 0, 0), struct.pack("ii", 1, 0)], ids=["by a FIN", "by an RST"])
@pytest.mark.parametrize("path", [b"/hot", b"/cold"])
def test_a_closed_connection_leaves_nothing_to_be_collected(path: bytes, linger: bytes) -> None:
    """Collecting the circles of thousands of connections holds up a worker for a tenth of a second."""
    desk = Desk()
    gc.disable()
    try:
        with serving(desk) as address:
            with closing(socket.create_connection(address, timeout=SOON)) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                client.sendall(request(b"ok", path=path))
                assert read_answer(client)[0] in (200, 202)
            left = weakref.ref(desk.reads.pop())
            wait_for(lambda: left() is None, "the connection to be gone")
    finally:
        gc.enable()


def test_under_overload_the_rest_of_a_request_half_read_before_is_not_taken_for_a_new_one() -> None:
    desk = Desk()
    inner = request(b"ok")
    outer = request(inner)
    with connected(desk) as client:
        client.sendall(outer[: -len(inner)])
        wait_for(lambda: bool(desk.reads), "the head to be read")
        desk.overloaded = True
        client.sendall(inner)
        assert read_answer(client)[0] == 503
        desk.overloaded = False
        client.sendall(request(b"ok"))
        assert read_answer(client)[0] == 200
    assert (desk.handled, len(desk.refusals)) == ([b"ok"], 1)


def test_under_overload_a_refusal_waits_for_the_answer_that_is_still_due() -> None:
    desk = Desk()
    with connected(desk) as client:
        client.sendall(request(b"later"))
        wait_for(lambda: bool(desk.kept), "the first request")
        desk.overloaded = True
        read = len(desk.reads)
        client.sendall(request(b"ok"))
        wait_for(lambda: len(desk.reads) > read, "the second request to be read")
        answer_later(desk.kept[0])
        assert read_answer(client)[::2] == (200, b'"late"')
        assert read_answer(client)[0] == 202  # its turn came the ordinary way, where the app refuses it
    assert desk.seen == [200]


def test_under_overload_no_refusal_stands_inside_an_answer_that_is_half_given() -> None:
    desk = Desk()
    with connected(desk) as client:
        client.sendall(request(b"ok", path=b"/held"))
        wait_for(lambda: bool(desk.held), "the first half of the answer")
        desk.overloaded = True
        read = len(desk.reads)
        client.sendall(request(b"ok"))
        wait_for(lambda: len(desk.reads) > read, "the second request to be read")
        desk.held[0].release()
        assert [read_answer(client)[::2] for _ in range(2)] == [(202, b"way"), (202, b"way")]
    assert desk.seen == []


def test_under_overload_other_paths_are_served_and_count_as_no_refusal() -> None:
    desk = Desk(overloaded=True)
    with connected(desk) as client:
        client.sendall(request(b"ok", path=b"/cold"))
        assert read_answer(client)[0] == 202
    assert desk.refusals == []


def test_under_overload_a_request_that_comes_in_pieces_is_refused_and_counted_once() -> None:
    desk = Desk(overloaded=True)
    whole = request(b"ok")
    with connected(desk) as client:
        for cut in (10, len(whole) - 1):
            desk.reads.clear()
            client.sendall(whole[:cut])
            wait_for(lambda: bool(desk.reads), "the first piece to be read")
            client.sendall(whole[cut:])
            assert read_answer(client)[0] == 503
    assert (desk.handled, desk.seen, len(desk.refusals)) == ([], [503, 503], 2)


def test_what_follows_a_request_that_asks_to_close_is_not_handled() -> None:
    desk = Desk()
    with connected(desk) as client:
        client.sendall(request(b"ok", b"connection: close") + request(b"later"))
        assert read_answer(client)[0] == 200
        assert client.recv(1) == b""
    assert desk.handled == [b"ok"]


def test_what_follows_the_last_answer_of_a_stopping_server_does_not_reach_the_app() -> None:
    desk = Desk()
    with connected(desk) as client:
        client.sendall(request(b"ok")[:-1])
        wait_for(lambda: bool(desk.reads), "the first piece to be read")
        protocol = desk.reads[0]
        protocol.loop.call_soon_threadsafe(protocol.shutdown)
        wait_for(lambda: not protocol.cycle.keep_alive, "the server to stop")
        client.sendall(b"k" + request(b"ok", path=b"/cold"))
        assert read_answer(client)[0] == 200
        assert client.recv(1) == b""
        with closing(socket.create_connection(client.getpeername(), timeout=SOON)) as other:
            other.sendall(request(b"ok", path=b"/other"))
            assert read_answer(other)[0] == 202
    assert [scope["path"] for scope in desk.scopes] == ["/other"]


# Garbage


def assert_refused_and_closed(client: socket.socket, expected: int) -> None:
    status, headers, body = read_answer(client)
    assert (status, headers["connection"]) == (expected, "close")
    assert_problem(headers, body, expected)
    assert client.recv(1) == b""


def test_garbage_is_refused_in_the_one_shape() -> None:
    with connected(Desk()) as client:
        client.sendall(b"GARBAGE\r\n\r\n")
        assert_refused_and_closed(client, 400)


@pytest.mark.parametrize("together", [True, False], ids=["in one read", "in another read"])
def test_garbage_after_a_request_is_refused_after_its_answer(together: bool) -> None:
    desk = Desk()
    with connected(desk) as client:
        client.sendall(request(b"later") + (b"GARBAGE\r\n\r\n" if together else b""))
        wait_for(lambda: bool(desk.kept), "the request")
        if not together:
            client.sendall(b"GARBAGE\r\n\r\n")
            wait_for(lambda: len(desk.reads) == 2, "the garbage to be read")
        answer_later(desk.kept[0])
        assert read_answer(client)[::2] == (200, b'"late"')
        assert_refused_and_closed(client, 400)


def test_garbage_does_not_stand_inside_an_answer_that_is_half_given() -> None:
    desk = Desk()
    with connected(desk) as client:
        client.sendall(request(b"ok", path=b"/held"))
        wait_for(lambda: bool(desk.held), "the first half of the answer")
        client.sendall(b"GARBAGE\r\n\r\n")
        wait_for(lambda: len(desk.reads) == 2, "the garbage to be read")
        desk.held[0].release()
        assert read_answer(client)[::2] == (202, b"way")
        assert_refused_and_closed(client, 400)


def test_a_request_whose_body_turns_into_garbage_is_refused_in_its_turn() -> None:
    desk = Desk()
    chunked = HEAD.replace(b"content-length: 2", b"transfer-encoding: chunked") + b"\r\n\r\n2\r\nok\r\nGARBAGE\r\n"
    with connected(desk) as client:
        client.sendall(request(b"later") + request(b"ok", path=b"/cold") + chunked)
        wait_for(lambda: bool(desk.kept), "the first request")
        answer_later(desk.kept[0])
        assert [read_answer(client)[0] for _ in range(2)] == [200, 202]
        assert_refused_and_closed(client, 400)


def test_a_request_to_become_a_websocket_is_answered_in_its_turn() -> None:
    desk = Desk()
    upgrade = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    with connected(desk) as client:
        client.sendall(request(b"later") + upgrade)
        wait_for(lambda: bool(desk.kept), "the first request")
        answer_later(desk.kept[0])
        assert [read_answer(client)[0] for _ in range(2)] == [200, 202]


# Bounds


def padded(size: int) -> bytes:
    """A request whose header lines hold so many bytes more than those of a plain one."""
    return request(b"ok", b"x: " + b"y" * size)


@pytest.mark.parametrize("size", [LARGEST_HEAD, 60_000, 2_000_000])
def test_a_head_of_more_than_16_kb_is_refused(size: int) -> None:
    desk = Desk()
    with connected(desk) as client:
        with suppress(ConnectionError):  # it is refused before all of it is sent
            client.sendall(padded(size))
        with suppress(ConnectionResetError):
            assert read_answer(client)[0] == 431
    assert desk.handled == []


@pytest.mark.parametrize(
    "body", [b"transfer-encoding: chunked\r\n\r\nno chunk", b"x: " + b"y" * LARGEST_HEAD + b"\r\n\r\n"]
)
def test_a_request_that_cannot_be_read_to_its_end_keeps_the_name_that_its_client_gave_it(body: bytes) -> None:
    with connected(Desk()) as client:
        client.sendall(b"POST /other HTTP/1.1\r\nhost: here\r\nx-request-id: crm-7\r\n" + body)
        status, _, content = read_answer(client)
    assert status in (400, 431)
    assert json.loads(content)["instance"] == "crm-7"


def test_a_head_of_nearly_16_kb_is_taken_in_one_piece_or_many() -> None:
    whole, desk = padded(LARGEST_HEAD - 200), Desk()
    with connected(desk) as client:
        client.sendall(whole)
        assert read_answer(client)[0] == 200
        for start in range(0, len(whole), 5000):
            desk.reads.clear()
            client.sendall(whole[start : start + 5000])
            wait_for(lambda: bool(desk.reads), "the piece to be read")
        assert read_answer(client)[0] == 200


def test_a_large_body_and_the_beginning_of_the_next_head_pass_for_no_large_head() -> None:
    desk = Desk()
    large, following = request(b"x" * 100_000, path=b"/cold"), request(b"ok")
    with connected(desk) as client:
        client.sendall(large + following[:20])
        assert read_answer(client)[0] == 202
        client.sendall(following[20:])
        assert read_answer(client)[0] in (200, 202)  # the ordinary way while the first answer is under way


@pytest.mark.parametrize("size", [LARGEST_HEAD, LARGEST_HEAD + 1])
@pytest.mark.parametrize("line", [b"ab: cd\r\n", b"ab: " + b"c" * 2 * LARGEST_HEAD], ids=["many", "one without end"])
def test_trailers_of_more_than_16_kb_are_refused_and_none_are_kept(line: bytes, size: int) -> None:
    desk = Desk()
    with connected(desk) as client:
        client.sendall(CHUNKED + b"0\r\n")
        wait_for(lambda: bool(desk.reads), "the last chunk to be read")
        client.sendall((line * LARGEST_HEAD)[: size - 4])
        client.sendall(b"\r\n\r\n" if size == LARGEST_HEAD else b"more")
        if size == LARGEST_HEAD:
            assert read_answer(client)[0] == 202
        else:
            assert_refused_and_closed(client, 431)
        assert len(desk.reads[0].headers) == 3


def test_trailers_without_end_after_an_answer_end_the_connection() -> None:
    with connected(Desk()) as client:
        client.sendall(CHUNKED + b"2\r\nok\r\n0\r\n")
        assert read_answer(client)[0] == 202
        client.sendall((b"ab: cd\r\n" * LARGEST_HEAD)[: LARGEST_HEAD + 1])
        assert client.recv(1) == b""


def test_a_trailer_is_no_header() -> None:
    desk = Desk()
    with connected(desk) as client:
        client.sendall(CHUNKED + b"2\r\nok\r\n0\r\nauthorization: Bearer other\r\nhost: y\r\nx-request-id: z\r\n\r\n")
        assert read_answer(client)[0] == 202
        client.sendall(request(b"ok"))
        assert read_answer(client)[0] == 200
    (scope,) = desk.scopes
    assert [name for name, _ in scope["headers"]] == [b"host", b"content-type", b"transfer-encoding"]
    assert dict(scope["headers"])[b"host"] == b"x"


def test_a_request_whose_trailers_are_garbage_keeps_the_name_that_its_head_gave_it() -> None:
    with connected(Desk()) as client:
        head = CHUNKED.replace(b"host: x", b"host: x\r\nx-request-id: crm-7")
        client.sendall(head + b"0\r\nx-request-id: other\r\na: b\r\nGARBAGE\r\n")
        status, _, content = read_answer(client)
    assert (status, json.loads(content)["instance"]) == (400, "crm-7")


def test_chunks_whose_sizes_come_before_their_data_pass_for_no_trailers() -> None:
    desk, size = Desk(), LARGEST_HEAD + 1
    with connected(desk) as client:
        client.sendall(CHUNKED)
        for _ in range(3):
            desk.reads.clear()
            client.sendall(b"%x\r\n" % size)
            wait_for(lambda: bool(desk.reads), "the size to be read")
            client.sendall(b"x" * size + b"\r\n")
        client.sendall(b"0\r\n\r\n")
        assert read_answer(client)[0] == 202
        client.sendall(request(b"ok"))
        assert read_answer(client)[0] == 200


@pytest.mark.parametrize("sent", [HEAD[:30], request(b"ok") + HEAD[:30]], ids=["at first", "after an answer"])
def test_a_head_that_is_not_sent_to_its_end_is_refused_and_the_connection_closed(sent: bytes) -> None:
    with connected(Desk(limits=Limits(head_timeout=0.2))) as client:
        client.sendall(sent)
        if sent.startswith(HEAD):
            assert read_answer(client)[0] == 200
        assert_refused_and_closed(client, 408)


@pytest.mark.parametrize(
    "sent", [b"", b"\r\n", request(b"ok") + b"\r\n"], ids=["nothing", "a line", "an answer, a line"]
)
def test_a_connection_that_sends_no_request_is_closed(sent: bytes) -> None:
    desk = Desk(limits=Limits(head_timeout=0.2, keep_alive=1))
    with connected(desk) as client:
        client.sendall(sent)
        if desk.handled or sent.startswith(HEAD):
            assert read_answer(client)[0] == 200
        assert client.recv(1) == b""


@pytest.mark.parametrize("path", [b"/hot", b"/ordinary"])
def test_an_idle_connection_is_closed_when_the_limits_say(path: bytes) -> None:
    with connected(Desk(limits=Limits(head_timeout=SOON, keep_alive=1))) as client:
        client.sendall(request(b"ok", path=path))
        assert read_answer(client)[0] in (200, 202)
        assert client.recv(1) == b""


def test_an_idle_connection_outlasts_those_of_proxies_that_keep_them_for_60_s() -> None:
    assert ServiceSettings().keep_alive_s == Limits().keep_alive > 60


def test_a_connection_that_waits_for_its_answer_is_not_closed() -> None:
    desk = Desk(limits=Limits(head_timeout=0.01))
    with connected(desk) as client:
        client.sendall(request(b"later"))
        wait_for(lambda: bool(desk.kept), "the request")
        with closing(socket.create_connection(client.getpeername(), timeout=SOON)) as silent:
            assert silent.recv(1) == b""  # six sweeps later
        answer_later(desk.kept[0])
        assert read_answer(client)[0] == 200


def test_one_connection_too_many_is_refused_until_another_one_ends(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(limits=Limits(connections=2))
    with serving(desk) as address, ExitStack() as stack:
        first, second = [stack.enter_context(closing(socket.create_connection(address, timeout=SOON))) for _ in "12"]
        for client in (first, second):
            client.sendall(request(b"later"))
        wait_for(lambda: len(desk.kept) == 2, "both requests")
        with closing(socket.create_connection(address, timeout=SOON)) as third:
            assert_refused_and_closed(third, 503)
        wait_for(lambda: "CREDIT_SCORING_MAX_CONNECTIONS" in caplog.text, "a line in the log")
        first.close()
        wait_for(desk.kept[0].done, "the end of the first")
        with closing(socket.create_connection(address, timeout=SOON)) as fourth:
            fourth.sendall(request(b"ok"))
            assert read_answer(fourth)[0] == 200


@contextmanager
def deaf_client(desk: Desk) -> Iterator[tuple[socket.socket, int]]:
    """One that reads no answer and sends requests until the server reads no more; and how many it has sent."""
    one, sent = request(b"ok"), 0
    with serving(desk) as address, closing(socket.socket()) as client:
        for buffer in BUFFERS:
            client.setsockopt(socket.SOL_SOCKET, buffer, 4096)
        client.settimeout(SOON)
        client.connect(address)
        client.setblocking(False)
        while not desk.reads or desk.reads[0].transport.is_reading():
            assert sent < MOST_SENT, "the server reads on and on"
            if select.select([], [client], [], 0.05)[1]:
                sent += client.send((one * 1000)[sent % len(one) :])
        client.settimeout(SOON)
        yield client, sent // len(one)


def test_a_client_that_reads_nothing_is_not_read_from_until_it_does() -> None:
    desk = Desk()
    with deaf_client(desk) as (client, requests):
        assert desk.reads[0].transport.get_write_buffer_size() < MOST_WAITING
        stream = client.makefile("rb")
        for _ in range(requests):
            length = next(int(line.split()[1]) for line in stream if line.startswith(b"content-length"))
            assert stream.read(2 + length) == b'\r\n"ok"'
    assert len(desk.handled) == requests


def test_a_client_that_goes_on_reading_nothing_is_disconnected() -> None:
    desk = Desk(limits=Limits(head_timeout=0.2))
    with deaf_client(desk):
        wait_for(lambda: not desk.reads[0].connections, "the end of the connection")


@given(cut=st.integers(0, len(REQUEST)), more=st.binary(max_size=5))
def test_only_a_whole_request_and_nothing_but_it_passes_for_plain(cut: int, more: bytes) -> None:
    route = Desk().route()
    assert is_plain_request(REQUEST, route.path)
    assert is_plain_request(REQUEST[:cut], route.path) == (cut == len(REQUEST))
    assert is_plain_request(REQUEST + more, route.path) == (more == b"")


@pytest.mark.parametrize("header", ["Connection: close", "Expect: 100-continue", "Transfer-Encoding: chunked"])
def test_a_request_with_a_say_in_how_it_is_answered_is_not_plain(header: str) -> None:
    route = Desk().route()
    assert not is_plain_request(request(b"ok", header.encode()), route.path)
