"""What a verification has found, and how it reads tables that do not fit into memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select

ROWS_AT_A_TIME = 5_000
MOST_PROBLEMS = 50

OnProgress = Callable[[int, int], None]


@dataclass
class Verdict:
    """What was found: `problems` in full sentences.

    `erased` counts decisions of which only a remainder is left. `unchained` counts outcomes and reviews that a service
    of an earlier version stored without an event.
    """

    decisions: int = 0
    blocks: int = 0
    purged: int = 0
    erased: int = 0
    unchained: int = 0
    problems: list[str] = field(default_factory=list)

    def note(self, problem: str) -> None:
        """One more problem; of very many only the first are kept."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)
        elif len(self.problems) == MOST_PROBLEMS:
            self.problems.append("There are more problems than are listed.")


def stream(statement: Select[Any], connection: Connection) -> Iterator[Any]:
    """Rows, of which few are in memory at a time."""
    yield from connection.execute(statement, execution_options={"yield_per": ROWS_AT_A_TIME})
