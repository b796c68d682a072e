"""Ports of this machine for servers of tests."""

import random
import socket

# Below those that the system gives to clients: one could take the port of a server that a test is about to start again.
_RANGE = range(15_000, 32_000)
_given: set[int] = set()


def free_port() -> int:
    """A port on which nobody listens, another one each time."""
    while True:
        port = random.SystemRandom().choice(_RANGE)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
