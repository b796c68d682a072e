"""The load client: raw HTTP/1.1 over keep-alive sockets, in a process of its own on a core of its own.

An event loop around each socket cost 30 µs per request, which made the client, not the server, the limit; so there is
none. Chosen against wrk 4.1, whose percentiles are corrected for coordinated omission in its own way and which has no
open loop, and k6 1.1, which spends 400 µs per request: a core of it offers about 2,000 requests/s.

Latency runs from the moment a request was due (closed loop: was sent) to the last byte of its answer. In the open loop
a stalled server does not delay the requests after it, so nothing is omitted. Requests of the counted time are counted
even when their answer comes later, up to GRACE_S; those without an answer by then are errors.

The connections of the open loop are opened before it starts, as those of a client's pool would be. That matters: uvloop
by itself accepts one connection per turn of its event loop, so that under overload a burst of new ones waits long.

Takes a `Load` as JSON in its only argument and prints an `Outcome` as JSON, one line per slice.
"""

import gc
import os
import signal
import sys
import time
from collections import deque
from itertools import cycle
from pathlib import Path
from time import perf_counter as now

from benchmarks.serving.connections import HOST, Connection, Pool
from benchmarks.serving.loads import Load
from benchmarks.serving.tally import Tally

GRACE_S = 5.0
IDLE_LIMIT_S = 3.0
NAP_S = 0.0002  # a client that spins takes a fifth of the speed of a server on the sibling hardware thread
TURN_S = 0.05
RECONNECT_S = 0.01
SETTLE_S = 1.0  # until the server, too, has accepted the connections of the pool


class ClosedLoop:
    """Clients that send their next request when they have the answer to the last."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._requests = cycle(_requests(load))
        self._pool = Pool(load.port)
        self._in_all = 0

    def run(self) -> None:
        """Load the server and print the outcome."""
        begin = now() + self._load.warm_up
        self._tally = Tally(begin, self._load.seconds)
        while now() < self._tally.end:
            self._keep_connected()
            self._turn()
        deadline = now() + GRACE_S
        while self._tally.waiting and now() < deadline:
            self._turn()
        print(self._tally.outcome(self._in_all, self._load.clients).model_dump_json(), flush=True)

    def _keep_connected(self) -> None:
        while len(self._pool) < self._load.clients:
            try:
                self._next(self._pool.open())
            except OSError:
                time.sleep(RECONNECT_S)
                return

    def _turn(self) -> None:
        tally = self._tally
        for connection, status in self._pool.answers(TURN_S):
            if status is None:
                continue
            self._in_all += 1
            if tally.start <= now() < tally.end:
                tally.arrive(status)
            if connection.due >= tally.start:
                tally.answer(status, connection.due)
            self._next(connection)

    def _next(self, connection: Connection) -> None:
        due = now()
        if due < self._tally.end:
            if due >= self._tally.start:
                self._tally.send(due)
            connection.send(next(self._requests), due)


class OpenLoop:
    """Requests that start on schedule, each on a connection that is free."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._requests = cycle(_requests(load))
        self._pool = Pool(load.port)
        self._idle: deque[Connection] = deque()
        self._resting: deque[tuple[float, Connection]] = deque()  # refused, until when
        self._most = self._in_all = self._sent = 0

    def run(self) -> None:
        """Load the server and print the outcome of each slice once its answers can no longer come."""
        self._fill_pool()
        self._start = now()
        begin, slice_s = self._start + self._load.warm_up, self._load.seconds / self._load.slices
        self._before = Tally(self._start, self._load.warm_up)
        self._slices = [Tally(begin + i * slice_s, slice_s) for i in range(self._load.slices)]
        self._sending = iter([self._before, *self._slices])
        self._current: Tally | None = next(self._sending)
        for tally in self._slices:
            while now() < tally.end or (tally.waiting and now() < tally.end + GRACE_S):
                self._turn()
            self._print(tally)

    def _print(self, tally: Tally) -> None:
        """Print a slice's outcome; sorting half a million times would stall the load, so a child does it meanwhile."""
        if tally is not self._slices[-1] and os.fork():
            return
        print(tally.outcome(self._in_all, self._most).model_dump_json(), flush=True)
        if tally is not self._slices[-1]:
            os._exit(0)

    def _fill_pool(self) -> None:
        while len(self._pool) < self._load.connections:
            self._idle.append(self._pool.open())
        time.sleep(SETTLE_S)
        for connection in self._idle:
            connection.idle_since = now()

    def _turn(self) -> None:
        """Send what is due and read what has come, then nap: to wait on sockets is good to a millisecond only."""
        self._wake_rested()
        time.sleep(max(0.0, min(self._send_what_is_due() - now(), NAP_S)) or NAP_S)
        for connection, status in self._pool.answers(0.0):
            if status is None:
                self._lost(connection)
            else:
                self._answered(connection, status)

    def _send_what_is_due(self) -> float:
        """The time at which the next request is due."""
        rate = self._load.rate
        while self._current and (due := self._start + self._sent / rate) <= now():
            if due >= self._current.end:
                self._current = next(self._sending, None)
                continue
            self._sent += 1
            self._dispatch(due, self._current)
        return self._start + self._sent / rate

    def _dispatch(self, due: float, tally: Tally) -> None:
        connection = self._free_connection()
        if connection is None:
            tally.dropped += 1
            return
        self._most = max(self._most, len(self._pool) - len(self._idle) - len(self._resting))
        tally.send(due)
        connection.send(next(self._requests), due)

    def _free_connection(self) -> Connection | None:
        """The next one; one that the server may be about to close for its idleness is replaced."""
        if not self._idle:
            return None
        connection = self._idle.popleft() if self._load.rotate else self._idle.pop()
        if now() - connection.idle_since < IDLE_LIMIT_S:
            return connection
        self._pool.drop(connection)
        return self._pool.open()

    def _wake_rested(self) -> None:
        while self._resting and self._resting[0][0] <= now():
            _, connection = self._resting.popleft()
            connection.idle_since = now()
            self._idle.append(connection)

    def _answered(self, connection: Connection, status: int) -> None:
        self._in_all += 1
        if self._load.patient and status == 503:  # all are told the same time, so they wake in this order
            self._resting.append((now() + connection.retry_after, connection))
        else:
            self._idle.append(connection)
        self._slice_of(now()).arrive(status)
        self._slice_of(connection.due).answer(status, connection.due)

    def _lost(self, connection: Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
        self._resting = deque(each for each in self._resting if each[1] is not connection)
        self._idle.append(self._pool.open())

    def _slice_of(self, time: float) -> Tally:
        """The slice that a time falls in; what is not counted falls into the warm-up."""
        place = (time - self._slices[0].start) * self._load.slices // self._load.seconds
        return self._slices[int(place)] if 0 <= place < len(self._slices) else self._before


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
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children that print
    loop.run()


if __name__ == "__main__":
    main()
