"""What a load is and what came of it: shared by the clients, the runner and the report."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel

SLOW_MS = 100.0


class Load(BaseModel):
    """One load on one server, for `seconds` after `warm_up` seconds that are not counted.

    Closed loop: `clients` connections, each sends its next request when it has its answer. Open loop: `rate` requests
    start per second whatever happens to the others, on a pool of `connections`; `slices` are reported one by one. With
    `rotate` the connections take turns, so that none is idle for long; else the one used last is used again. A
    `patient` client sends nothing on a connection for as long as a 503's Retry-After says; else it may ask at once.
    """

    kind: Literal["closed", "open"]
    port: int
    path: str
    bodies: str
    seconds: float
    warm_up: float = 0.0
    clients: int = 0
    rate: float = 0.0
    connections: int = 0
    slices: int = 1
    rotate: bool = False
    patient: bool = False


class Outcome(BaseModel):
    """Counts and latencies of a load, or of one of its slices; times in milliseconds, None where there were none.

    `sent` counts the requests that started in the counted time, `useful` those that got 200, `useful_per_s` the 200
    answers that arrived in the counted time. `errors` are other answers, broken connections and missing answers;
    `dropped` were due but not sent, because every connection was busy. `longest` is the longest that a connection
    waited for an answer of any kind, or for none. `lag_p99` and `lag_most` are how late the client was,
    `most_connections` how many were busy at once, `answered_in_all` includes what was not counted.
    """

    seconds: float
    sent: int
    useful: int
    useful_per_s: float
    p50: float | None
    p99: float | None
    p999: float | None
    slowest: float | None
    slow_share: float | None
    refused: int
    refused_p99: float | None
    errors: int
    dropped: int
    longest: float | None = None
    lag_p99: float | None
    lag_most: float | None
    answered_in_all: int
    most_connections: int


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share of the ordered values does not exceed."""
    if not ordered:
        return None
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def slow_share(ordered: Sequence[float]) -> float | None:
    """The share of these latencies (ms) over the limit."""
    return sum(value > SLOW_MS for value in ordered) / len(ordered) if ordered else None
