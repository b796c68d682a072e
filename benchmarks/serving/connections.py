"""Keep-alive connections of the load client: non-blocking sockets on one epoll, no event loop around them."""

import contextlib
import re
import select
import socket
from collections.abc import Iterator
from time import perf_counter as now

HOST = "127.0.0.1"
ANSWER_BYTES = 65536
EVENTS = 1024

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_RETRY_AFTER = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)


class Connection:
    """One connection with at most one request on its way, which was due at `due`."""

    __slots__ = ("_buffer", "_socket", "busy", "due", "idle_since", "number", "receive", "retry_after", "transmit")

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self.number = self._socket.fileno()
        self.receive, self.transmit = self._socket.recv, self._socket.send
        self._buffer = b""
        self.due = 0.0
        self.busy = False
        self.retry_after = 0  # seconds, as the last answer said
        self.idle_since = now()

    def send(self, request: bytes, due: float) -> None:
        """Send a request; an idle connection's buffer takes it whole."""
        self.due, self.busy = due, True
        with contextlib.suppress(ConnectionError):  # reading will find the connection lost
            if self.transmit(request) != len(request):
                raise SystemExit("A request did not fit the socket's buffer; this client sends small ones only.")

    def read(self) -> int | None:
        """The status of the answer if it is complete; raises ConnectionError when the other side is gone."""
        data = self.receive(ANSWER_BYTES)
        if not data:
            raise ConnectionResetError
        if self._buffer:
            data = self._buffer + data
        if not is_whole(data):
            self._buffer = data
            return None
        self._buffer, self.busy = b"", False
        self.idle_since = now()
        status = int(data[9:12])
        if status == 503:
            found = _RETRY_AFTER.search(data)
            self.retry_after = int(found[1]) if found else 0
        return status

    def close(self) -> None:
        """Close it at once."""
        self._socket.close()


def is_whole(data: bytes) -> bool:
    """Whether an answer is complete; every server here sends Content-Length."""
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return False
    found = _CONTENT_LENGTH.search(data, 0, head)
    if found is None:
        raise SystemExit("An answer has no Content-Length; this client does not read chunked ones.")
    return len(data) >= head + 4 + int(found[1])


class Pool:
    """The connections of one load."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._epoll = select.epoll()
        self._open: dict[int, Connection] = {}

    def __len__(self) -> int:
        return len(self._open)

    def open(self) -> Connection:
        """A new connection; raises OSError when there is none to be had."""
        connection = Connection(self._port)
        self._open[connection.number] = connection
        self._epoll.register(connection.number, select.EPOLLIN)
        return connection

    def drop(self, connection: Connection) -> None:
        """Close a connection and forget it."""
        del self._open[connection.number]
        connection.close()

    def answers(self, wait: float) -> Iterator[tuple[Connection, int | None]]:
        """Each connection whose answer is complete, with its status, or None if it was lost; waits so many seconds."""
        for number, _ in self._epoll.poll(wait, EVENTS):
            connection = self._open[number]
            try:
                status = connection.read()
            except OSError:
                self.drop(connection)
                yield connection, None
            else:
                if status is not None:
                    yield connection, status
