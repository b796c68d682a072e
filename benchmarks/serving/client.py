"""The load client: raw HTTP/1.1 over keep-alive sockets, in a process of its own on a core of its own.

Chosen by measuring, against (f), the cheapest server there is, with 32 and 128 clients:

- wrk 4.1 gets 9,700 to 10,100 answers/s, this client 8,200 to 12,400: neither is the limit. wrk spends 25 to 30 µs of
  CPU per request, this client 30 to 35. But wrk's percentiles, also those that its Lua `done()` sees, are corrected for
  coordinated omission in its own way: p99 133 and 286 ms at 128 clients where the raw one is 20 and 30. And it has no
  open loop.
- k6 1.1 spends 400 µs per request: a core of it offers about 2,000 requests/s. Beyond that its figures are its own.

Latency runs from the moment a request was due (closed loop: was sent) to the last byte of its answer. In the open loop
a stalled server does not delay the requests after it, so nothing is omitted. Requests of the counted time are counted
even when their answer comes later, up to GRACE_S; those without an answer by then are errors.

The connections of the open loop are opened before it starts, as those of a client's pool would be. That matters: uvloop
accepts one connection per turn of its event loop, so that under overload a burst of new ones waits for seconds.

Takes a `Load` as JSON in its only argument and prints an `Outcome` as JSON, one line per slice.
"""

import asyncio
import gc
import re
import sys
import time
from array import array
from collections.abc import Callable, Coroutine
from itertools import cycle
from pathlib import Path
from typing import cast

import uvloop

from benchmarks.serving.loads import Load, Outcome, percentile, slow_share

HOST = "127.0.0.1"
GRACE_S = 5.0
IDLE_LIMIT_S = 3.0
SPIN_BELOW_S = 0.003
RECONNECT_S = 0.01
SETTLE_S = 1.0  # until the server, too, has accepted the connections of the pool

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)

now = time.perf_counter


class Tally:
    """Counts what becomes of the requests that were due in one slice of the counted time."""

    def __init__(self, start: float, seconds: float) -> None:
        self._start, self._end = start, start + seconds
        self._useful, self._refused, self._lags = array("d"), array("d"), array("d")
        self.sent = self.errors = self.dropped = self._answered = self._in_time = 0

    def send(self, due: float) -> None:
        """A request leaves that was due at this time."""
        self.sent += 1
        self._lags.append(now() - due)

    def arrive(self, status: int) -> None:
        """An answer has come in this slice, whenever its request was due."""
        self._in_time += status == 200

    def answer(self, status: int, due: float) -> None:
        """The last byte of the answer has come to a request that was due in this slice."""
        arrived = now()
        self._answered += 1
        if status == 200:
            self._useful.append(arrived - due)
        elif status == 503:
            self._refused.append(arrived - due)
        else:
            self.errors += 1

    @property
    def waiting(self) -> bool:
        """Whether an answer may still come."""
        return self._answered < self.sent

    def outcome(self, answered_in_all: int, most_connections: int) -> Outcome:
        """The tally in figures; requests still open are errors."""
        useful, refused, lags = (sorted(1000 * s for s in each) for each in (self._useful, self._refused, self._lags))
        seconds = self._end - self._start
        return Outcome(
            seconds=seconds,
            sent=self.sent,
            useful=len(useful),
            useful_per_s=self._in_time / seconds,
            p50=percentile(useful, 0.5),
            p99=percentile(useful, 0.99),
            p999=percentile(useful, 0.999),
            slowest=useful[-1] if useful else None,
            slow_share=slow_share(useful),
            refused=len(refused),
            refused_p99=percentile(refused, 0.99),
            errors=self.sent - len(useful) - len(refused),
            dropped=self.dropped,
            lag_p99=percentile(lags, 0.99),
            answered_in_all=answered_in_all,
            most_connections=most_connections,
        )


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request on its way."""

    def __init__(self, on_answer: "OnAnswer", on_lost: "OnLost") -> None:
        self._on_answer, self._on_lost = on_answer, on_lost
        self._buffer = b""
        self.due = 0.0
        self.busy = False
        self.idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast(asyncio.Transport, transport)
        self.idle_since = now()

    def send(self, request: bytes, due: float) -> None:
        """Send a request that is due at this time."""
        self.due, self.busy = due, True
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop; an answer nearly always comes in one piece."""
        if self._buffer:
            data = self._buffer + data
        if not _is_whole(data):
            self._buffer = data
            return
        self._buffer, self.busy = b"", False
        self.idle_since = now()
        self._on_answer(self, int(data[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the event loop."""
        self._on_lost(self)

    def close(self) -> None:
        """Close it at once."""
        self._transport.abort()


OnAnswer = Callable[[Connection, int], None]
OnLost = Callable[[Connection], None]


def _is_whole(data: bytes) -> bool:
    """Whether an answer is complete; every server here sends Content-Length."""
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return False
    found = _CONTENT_LENGTH.search(data, 0, head)
    if found is None:
        raise SystemExit("An answer has no Content-Length; this client does not read chunked ones.")
    return len(data) >= head + 4 + int(found[1])


class ClosedLoop:
    """Clients that send their next request when they have the answer to the last."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._requests = cycle(_requests(load))
        self._open: set[Connection] = set()
        self._in_all = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Load the server and print the outcome."""
        self._begin = now() + self._load.warm_up
        self._end = self._begin + self._load.seconds
        self._tally = Tally(self._begin, self._load.seconds)
        await asyncio.gather(*(self._connect() for _ in range(self._load.clients)))
        await asyncio.sleep(self._end - now())
        await self._drain()
        print(self._tally.outcome(self._in_all, self._load.clients).model_dump_json(), flush=True)

    async def _connect(self) -> None:
        while now() < self._end:
            try:
                connection = await _connect(self._load.port, self._answered, self._lost)
            except OSError:
                await asyncio.sleep(RECONNECT_S)
            else:
                self._open.add(connection)
                return self._next(connection)

    async def _drain(self) -> None:
        deadline = now() + GRACE_S
        while any(connection.busy for connection in self._open) and now() < deadline:
            await asyncio.sleep(0.01)

    def _next(self, connection: Connection) -> None:
        due = now()
        if due < self._end:
            if due >= self._begin:
                self._tally.send(due)
            connection.send(next(self._requests), due)

    def _answered(self, connection: Connection, status: int) -> None:
        self._in_all += 1
        if self._begin <= now() < self._end:
            self._tally.arrive(status)
        if connection.due >= self._begin:
            self._tally.answer(status, connection.due)
        self._next(connection)

    def _lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        task = asyncio.get_running_loop().create_task(self._connect())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class OpenLoop:
    """Requests that start on schedule, each on a connection that is free, or on a new one."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._requests = cycle(_requests(load))
        self._idle: list[Connection] = []
        self._connections = self._most = self._in_all = self._sent = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._slice_s = load.seconds / load.slices

    async def run(self) -> None:
        """Load the server and print the outcome of each slice once its answers can no longer come."""
        await self._fill_pool()
        self._start = now()
        begin = self._start + self._load.warm_up
        self._begin, self._end = begin, begin + self._load.seconds
        self._tallies = [Tally(begin + i * self._slice_s, self._slice_s) for i in range(self._load.slices)]
        self._uncounted = Tally(self._start, self._load.warm_up)
        self._send_what_is_due()
        for i in range(self._load.slices):
            await asyncio.sleep(begin + (i + 1) * self._slice_s - now())
            await self._print(self._tallies[i])
            self._tallies[i] = self._uncounted

    async def _fill_pool(self) -> None:
        while self._connections < self._load.connections:
            self._idle.append(await _connect(self._load.port, self._answered, self._lost))
            self._connections += 1
        await asyncio.sleep(SETTLE_S)

    async def _print(self, tally: Tally) -> None:
        deadline = now() + GRACE_S
        while tally.waiting and now() < deadline:
            await asyncio.sleep(0.02)
        print(tally.outcome(self._in_all, self._most).model_dump_json(), flush=True)

    def _send_what_is_due(self) -> None:
        """Send, then sleep or, close before the next request is due, spin: timers are good to a millisecond only."""
        while (due := self._start + self._sent / self._load.rate) <= (current := now()):
            if due >= self._end:
                return
            self._sent += 1
            self._dispatch(due)
        loop = asyncio.get_running_loop()
        if due - current > SPIN_BELOW_S:
            loop.call_later(due - current - SPIN_BELOW_S / 2, self._send_what_is_due)
        else:
            loop.call_soon(self._send_what_is_due)

    def _tally(self, time: float) -> Tally:
        """The slice that a time falls in."""
        if self._begin <= time < self._end:
            return self._tallies[min(int((time - self._begin) / self._slice_s), len(self._tallies) - 1)]
        return self._uncounted

    def _dispatch(self, due: float) -> None:
        connection = self._free_connection()
        self._most = max(self._most, self._connections - len(self._idle))
        if connection is not None:
            self._tally(due).send(due)
            connection.send(next(self._requests), due)
        elif self._connections < self._load.connections:
            self._tally(due).send(due)
            self._connections += 1
            self._keep(self._connect_and_send(due))
        else:
            self._tally(due).dropped += 1

    def _free_connection(self) -> Connection | None:
        """The one used last; one that the server may be about to close for its idleness is closed here."""
        while self._idle:
            connection = self._idle.pop()
            if now() - connection.idle_since < IDLE_LIMIT_S:
                return connection
            connection.close()
        return None

    async def _connect_and_send(self, due: float) -> None:
        try:
            connection = await _connect(self._load.port, self._answered, self._lost)
        except OSError:
            self._connections -= 1
        else:
            connection.send(next(self._requests), due)

    def _keep(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _answered(self, connection: Connection, status: int) -> None:
        self._in_all += 1
        self._tally(now()).arrive(status)
        self._tally(connection.due).answer(status, connection.due)
        self._idle.append(connection)

    def _lost(self, connection: Connection) -> None:
        self._connections -= 1
        if connection in self._idle:
            self._idle.remove(connection)


async def _connect(port: int, on_answer: OnAnswer, on_lost: OnLost) -> Connection:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: Connection(on_answer, on_lost), HOST, port)
    return connection


def _requests(load: Load) -> list[bytes]:
    """The whole bytes of each request, ready to be written."""
    head = (
        f"POST {load.path} HTTP/1.1\r\nHost: {HOST}:{load.port}\r\nContent-Type: application/json\r\nContent-Length: "
    )
    bodies = Path(load.bodies).read_bytes().splitlines()
    return [b"%s%d\r\n\r\n%s" % (head.encode(), len(body), body) for body in bodies]


def main() -> None:
    """Run the load that the argument describes."""
    load = Load.model_validate_json(sys.argv[1])
    loop = ClosedLoop(load) if load.kind == "closed" else OpenLoop(load)
    gc.disable()
    uvloop.run(loop.run())


if __name__ == "__main__":
    main()
