"""New connections are accepted many in a turn of the event loop, where libuv accepts one.

A turn under load is tens of milliseconds long, so that of a thousand newcomers the last would wait for a minute.
"""

import asyncio
import socket
from collections.abc import Sequence

import uvicorn

ACCEPTED_IN_A_TURN = 64
GREETED_WITHIN_S = 1.0  # when the server stops; a handshake of TLS can take longer


class EagerServer(uvicorn.Server):
    """uvicorn's server, beside whose own listening each socket that it is given is emptied of newcomers."""

    _doors: Sequence[socket.socket] = ()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by `serve`."""
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        self._greeting: set[asyncio.Task[object]] = set()
        self._doors = [each.dup() for each in sockets or ()]  # an event loop watches a descriptor once
        for door in self._doors:
            door.setblocking(False)
            loop.add_reader(door.fileno(), self._accept, door, loop)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by `serve`."""
        for door in self._doors:
            asyncio.get_running_loop().remove_reader(door.fileno())
            door.close()
        for server in self.servers:
            server.close()
        await asyncio.sleep(0)  # whoever was accepted in this turn is a connection in the next, and is told to end
        if self._greeting:
            _, late = await asyncio.wait(self._greeting, timeout=GREETED_WITHIN_S)
            for each in late:
                each.cancel()
        await super().shutdown(sockets)

    def _accept(self, door: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        for _ in range(ACCEPTED_IN_A_TURN):
            try:
                newcomer, _ = door.accept()
            except OSError:  # nobody is left, or no file may be opened, which uvicorn's own listening sees to
                return
            greeting = loop.connect_accepted_socket(self._protocol, newcomer, ssl=self.config.ssl)
            task = loop.create_task(greeting)
            self._greeting.add(task)
            task.add_done_callback(self._greeted)

    def _greeted(self, task: asyncio.Task[object]) -> None:
        self._greeting.discard(task)
        if not task.cancelled():
            task.exception()  # of TLS, where a client gave up: none of our business, and asyncio would log it

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]  # as uvicorn calls it
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
