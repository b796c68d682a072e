"""What goes to the decision log, and what comes back."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from credit_scoring.application.schemas import Application, Decision
from credit_scoring.decisions.chain import Row
from credit_scoring.errors import RequestError


class Entry(NamedTuple):
    """One decision to be stored, with the application that it answers."""

    row: Row
    application: Application
    decision: Decision


Settled = Decision | RequestError


class Log(Protocol):
    """Where decisions are stored; whatever its methods raise counts as an outage of it."""

    @property
    def seconds(self) -> float:
        """How long the last transaction took, measured where it was made."""

    def store_at_once(self, entries: Sequence[Entry]) -> list[Settled] | None:
        """Store them in one transaction; for each the answer to give. None where that might take long, or fails."""

    async def store(self, entries: Sequence[Entry]) -> list[Settled]:
        """The same, however long it takes; raises DecisionLogError. Cancelled, it stops what it still can."""

    def check(self) -> None:
        """Raises DecisionLogError where it is plain, without asking the database, that nothing can be stored."""

    async def close(self) -> None:
        """Wait for what is being stored, then close."""
