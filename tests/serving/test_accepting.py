"""How fast newcomers are accepted, on a real server whose event loop was busy while they came."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest
import uvicorn

from credit_scoring.serving.accepting import ACCEPTED_IN_A_TURN, EagerServer
from credit_scoring.serving.connections import Limits
from credit_scoring.serving.guarded import GuardedProtocol

NEWCOMERS = 3 * ACCEPTED_IN_A_TURN
SOON = 20.0


class Turns:
    """Counts the turns of an event loop while it runs, and the turn in which each connection was made."""

    def __init__(self) -> None:
        self.number = 0
        self.made: list[int] = []
        self.loop: asyncio.AbstractEventLoop
        self.all_are_there = threading.Event()

    def count(self) -> None:
        self.number += 1
        if not self.all_are_there.is_set():
            self.loop.call_soon(self.count)

    def protocol(self) -> type[GuardedProtocol]:
        turns = self

        class Noting(GuardedProtocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                turns.made.append(turns.number)
                if len(turns.made) == NEWCOMERS:
                    turns.all_are_there.set()

        return Noting.within(Limits())


@contextmanager
def serving(kind: type[uvicorn.Server], turns: Turns) -> Iterator[tuple[str, int]]:
    started = threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] != "lifespan.shutdown":
            assert message["type"] == "lifespan.startup"
            turns.loop = asyncio.get_running_loop()
            await send({"type": "lifespan.startup.complete"})
            turns.loop.call_soon(started.set)
        await send({"type": "lifespan.shutdown.complete"})

    config = uvicorn.Config(app, http=turns.protocol(), loop="uvloop", lifespan="on", log_level="critical")
    listening = socket.create_server(("127.0.0.1", 0), backlog=2 * NEWCOMERS)
    server = kind(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        assert started.wait(SOON)
        yield listening.getsockname()
    finally:
        server.should_exit = True
        thread.join(SOON)
        listening.close()
    assert not thread.is_alive()


@pytest.mark.parametrize(("kind", "most"), [(EagerServer, 6), (uvicorn.Server, NEWCOMERS + 1)])
def test_a_crowd_of_newcomers_is_accepted_in_a_few_turns(kind: type[uvicorn.Server], most: int) -> None:
    """And by uvicorn's own server one in a turn, without which this test would mean nothing."""
    turns = Turns()
    with serving(kind, turns) as address, ExitStack() as clients:
        is_held, go_on = threading.Event(), threading.Event()

        def hold() -> None:
            is_held.set()
            go_on.wait(SOON)
            turns.count()

        turns.loop.call_soon_threadsafe(hold)
        assert is_held.wait(SOON)
        for _ in range(NEWCOMERS):
            clients.enter_context(closing(socket.create_connection(address, timeout=SOON)))
        go_on.set()
        assert turns.all_are_there.wait(SOON)
    taken = turns.made[-1] - turns.made[0] + 1
    assert most // 2 < taken <= most


def test_a_stopping_server_accepts_nobody_more() -> None:
    turns = Turns()
    with serving(EagerServer, turns) as address:
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=SOON)
