"""One connection within bounds: how many there are, how long a client keeps it waiting, how much waits to be read."""

import asyncio
from typing import Any, ClassVar

from credit_scoring.errors import OverloadedError, RequestError
from credit_scoring.serving.connections import BackPressure, Limits, Watch
from credit_scoring.serving.ordered import BETWEEN, HEAD, OrderedProtocol

FULL = OverloadedError("The service has as many connections as it takes. Try again in a moment.")


class GuardedProtocol(OrderedProtocol):
    """One connection; `within` makes the class that uvicorn is given."""

    watch: ClassVar[Watch]

    @classmethod
    def within(cls, limits: Limits, **attributes: Any) -> type["GuardedProtocol"]:
        """The protocol class with these limits, for one server."""
        return type(cls.__name__, (cls,), {"limits": limits, "watch": Watch(limits), **attributes})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Called by the event loop."""
        super().connection_made(transport)
        self.flow = BackPressure(transport)
        self.timeout_keep_alive = self.limits.keep_alive
        self.ws_protocol_class = None  # there are none here, and they would answer out of turn
        if not self.watch.admits(self.connections, self.loop):  # type: ignore[arg-type]  # all of this class
            self.end(FULL)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()  # after a reset uvicorn leaves the timer, which holds this connection

    @property
    def waits_for_client(self) -> bool:
        """Whether nothing goes on until the client sends or reads something; uvicorn ends idle keep-alive itself."""
        if self.transport.is_closing() or self.flow.write_paused:
            return True
        return self.owes_nothing and (self._stage != BETWEEN or self.timeout_keep_alive_task is None)

    def give_up_waiting(self) -> None:
        """Called by the watch."""
        if self.transport.is_closing() or self.flow.write_paused:
            self.transport.abort()
        elif self._stage == HEAD:
            self.end(_head_too_late(self.limits.head_timeout))
        else:
            self.transport.close()

    def resume_writing(self) -> None:
        """Called by the transport."""
        self.sweeps_waiting = 0
        super().resume_writing()


def _head_too_late(timeout: float) -> RequestError:
    return RequestError(408, f"The head of the request did not arrive within {timeout:g} s.", "timeout")
