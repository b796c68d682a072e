"""How fast newcomers are accepted, on a real server whose event loop was busy while they came."""

import asyncio
import gc
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvicorn
import uvloop

from credit_scoring.serving.accepting import ACCEPTED_IN_A_TURN, EagerServer
from credit_scoring.serving.connections import Limits
from credit_scoring.serving.guarded import GuardedProtocol
from tests.conftest import RunningService

NEWCOMERS = 3 * ACCEPTED_IN_A_TURN
SOON = 20.0
PATIENT = Limits(head_timeout=10 * SOON)  # so that nobody is sent away for being slow


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


@contextmanager
def crowd(number: int) -> Iterator[tuple[socket.socket, list[socket.socket]]]:
    """A listening socket, and so many clients whom nobody has accepted yet."""
    with ExitStack() as stack:
        listening = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0), backlog=number)))
        address = listening.getsockname()
        yield listening, [
            stack.enter_context(closing(socket.create_connection(address, timeout=SOON))) for _ in range(number)
        ]


async def started(listening: socket.socket, **options: Any) -> EagerServer:
    config = uvicorn.Config(
        lambda *_: None, http=GuardedProtocol.within(PATIENT), lifespan="off", log_level="critical", **options
    )
    config.load()
    server = EagerServer(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup([listening])
    return server


def test_a_stopping_server_ends_the_connections_that_it_was_just_making_and_accepts_nobody_more() -> None:
    async def scenario() -> None:
        with crowd(5) as (listening, clients):
            server = await started(listening)
            server._accept(server._doors[0], asyncio.get_running_loop())
            assert len(server._greeting) == len(clients)
            async with asyncio.timeout(SOON):
                await server.shutdown([listening])
            assert [client.recv(1) for client in clients] == [b""] * len(clients)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(clients[0].getpeername(), timeout=SOON)

    uvloop.run(scenario())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("tls")
    files = {"ssl_keyfile": str(folder / "key.pem"), "ssl_certfile": str(folder / "certificate.pem")}
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    made = [*command, "-keyout", files["ssl_keyfile"], "-out", files["ssl_certfile"]]
    subprocess.run(made, check=True, capture_output=True)
    return files


def test_a_client_that_fails_at_tls_leaves_nothing_in_the_log(certificate: dict[str, str]) -> None:
    told: list[dict[str, Any]] = []

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context))
        with crowd(3) as (listening, clients):
            server = await started(listening, **certificate)
            server._accept(server._doors[0], loop)
            for client in clients:
                client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            await asyncio.wait(server._greeting, timeout=SOON)
            await server.shutdown([listening])
        del server
        gc.collect()

    uvloop.run(scenario())
    assert told == []


def test_a_client_speaks_tls_to_whichever_listening_took_it(certificate: dict[str, str]) -> None:
    async def scenario() -> None:
        with crowd(1) as (listening, (client,)):
            server = await started(listening, **certificate)
            server._accept(server._doors[0], asyncio.get_running_loop())
            context = ssl.create_default_context(cafile=certificate["ssl_certfile"])
            client.setblocking(False)
            async with asyncio.timeout(SOON):
                reader, writer = await asyncio.open_connection(sock=client, ssl=context, server_hostname="localhost")
                writer.write(b"GARBAGE\r\n\r\n")
                assert (await reader.readline()).startswith(b"HTTP/1.1 400")
            writer.close()
            await server.shutdown([listening])

    uvloop.run(scenario())


def test_each_worker_of_the_service_accepts_like_that(service: RunningService) -> None:
    """It watches its listening socket by two descriptors: uvicorn's and ours."""
    workers = psutil.Process(service.process.pid).children(recursive=True)
    assert 2 in [listened_by(worker.pid, int(service.url.rpartition(":")[2])) for worker in workers]


def listened_by(process: int, port: int) -> int:
    """How many descriptors of a process are the socket that listens on this port."""
    ours = [each for each in psutil.net_connections("inet") if each.laddr[1:] == (port,) and not each.raddr]
    socket_of = Path(f"/proc/{ours[0].pid}/fd/{ours[0].fd}").readlink()
    try:
        return sum(each.readlink() == socket_of for each in Path(f"/proc/{process}/fd").iterdir())
    except OSError:  # a descriptor was closed meanwhile
        return listened_by(process, port)
