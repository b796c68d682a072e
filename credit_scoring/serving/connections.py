"""How many connections a worker holds, and for how long one may keep it waiting."""

import asyncio
import logging
import resource
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from uvicorn.protocols.http.flow_control import FlowControl

RESERVED_FILES = 256  # for what a worker opens itself, and for newcomers of two turns who are still to be refused
SWEEPS = 5  # within the head timeout

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """Bounds on what is taken from a client before its request is known; times are in seconds.

    `keep_alive` is how long a connection may be idle after an answer. A proxy that keeps it longer would send a request
    on a connection that is being closed: ingress-nginx and AWS's load balancer keep them for 60 s, uvicorn for 5.
    """

    connections: int = 4096
    head_bytes: int = 16 * 1024
    head_timeout: float = 5.0
    keep_alive: int = 75


class Connection(Protocol):
    """What is watched."""

    sweeps_waiting: int

    @property
    def waits_for_client(self) -> bool:
        """Whether nothing goes on until the client sends or reads something."""

    def give_up_waiting(self) -> None:
        """Close it."""


class Watch:
    """Bounds the connections of one server and closes those whose clients keep it waiting.

    One timer sweeps over all of them. Waiting is counted in sweeps, not by the clock: after a standstill of the whole
    worker everybody would look late.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._refused = 0
        self._is_sweeping = False

    def admits(self, connections: Collection[Connection], loop: asyncio.AbstractEventLoop) -> bool:
        """Whether the newest of these connections is not one too many."""
        if not self._is_sweeping:
            self._is_sweeping = True
            self._sweep_later(connections, loop)
        if len(connections) <= self._limits.connections:
            return True
        self._refused += 1
        return False

    def _sweep_later(self, connections: Collection[Connection], loop: asyncio.AbstractEventLoop) -> None:
        loop.call_later(self._limits.head_timeout / SWEEPS, self._sweep, connections, loop)

    def _sweep(self, connections: Collection[Connection], loop: asyncio.AbstractEventLoop) -> None:
        for each in tuple(connections):
            each.sweeps_waiting = each.sweeps_waiting + 1 if each.waits_for_client else 0
            if each.sweeps_waiting > SWEEPS:
                each.give_up_waiting()
        self._log_refused()
        self._is_sweeping = bool(connections)
        if connections:
            self._sweep_later(connections, loop)

    def _log_refused(self) -> None:
        if self._refused:
            logger.warning(
                "%d connections rejected: %d are open, the limit of CREDIT_SCORING_MAX_CONNECTIONS and `ulimit -n`.",
                self._refused,
                self._limits.connections,
            )
            self._refused = 0


def affordable_connections(wanted: int) -> int:
    """As many of the connections wanted as this process may open files for."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    affordable = (
        wanted if files == resource.RLIM_INFINITY else min(wanted, max(1, files - min(RESERVED_FILES, files // 2)))
    )
    if affordable < wanted:
        logger.warning(
            "CREDIT_SCORING_MAX_CONNECTIONS=%d is more than `ulimit -n` of %d allows: at most %d connections are open. "
            "Raise the latter or lower the former.",
            wanted,
            files,
            affordable,
        )
    return affordable


class BackPressure(FlowControl):
    """uvicorn's flow control that also reads nothing while the client does not read what was written."""

    def pause_reading(self) -> None:
        """For uvicorn's own reasons."""
        if not self.read_paused:
            self.read_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Unless writing waits."""
        self.read_paused = False
        if not self.write_paused:
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        """And reading with it."""
        super().pause_writing()
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """And reading with it, unless uvicorn has reasons of its own."""
        super().resume_writing()
        if not self.read_paused:
            self._transport.resume_reading()
