"""Counts what becomes of the requests of a load."""

from array import array
from time import perf_counter as now

from benchmarks.serving.loads import Outcome, percentile, slow_share


class Tally:
    """What becomes of the requests that were due in one slice of the counted time."""

    def __init__(self, start: float, seconds: float) -> None:
        self.start, self.end = start, start + seconds
        self._useful, self._refused, self._lags = array("d"), array("d"), array("d")
        self.sent = self.errors = self.dropped = self._answered = self._in_time = 0
        self._longest = 0.0

    def send(self, due: float) -> None:
        """A request leaves that was due at this time."""
        self.sent += 1
        self._lags.append(now() - due)

    def arrive(self, status: int) -> None:
        """An answer has come in this slice, whenever its request was due."""
        self._in_time += status == 200

    def answer(self, status: int, due: float) -> None:
        """The last byte of the answer has come to a request that was due in this slice."""
        arrived = now()
        self._answered += 1
        self._longest = max(self._longest, arrived - due)
        if status == 200:
            self._useful.append(arrived - due)
        elif status == 503:
            self._refused.append(arrived - due)
        else:
            self.errors += 1

    @property
    def waiting(self) -> bool:
        """Whether an answer may still come."""
        return self._answered < self.sent

    def outcome(self, answered_in_all: int, most_connections: int) -> Outcome:
        """The tally in figures; requests still open are errors."""
        useful, refused, lags = (sorted(1000 * s for s in each) for each in (self._useful, self._refused, self._lags))
        seconds = self.end - self.start
        longest = now() - self.start if self.waiting else self._longest
        return Outcome(
            seconds=seconds,
            sent=self.sent,
            useful=len(useful),
            useful_per_s=self._in_time / seconds,
            p50=percentile(useful, 0.5),
            p99=percentile(useful, 0.99),
            p999=percentile(useful, 0.999),
            slowest=useful[-1] if useful else None,
            slow_share=slow_share(useful),
            refused=len(refused),
            refused_p99=percentile(refused, 0.99),
            errors=self.sent - len(useful) - len(refused),
            dropped=self.dropped,
            longest=1000 * longest,
            lag_p99=percentile(lags, 0.99),
            lag_most=lags[-1] if lags else None,
            answered_in_all=answered_in_all,
            most_connections=most_connections,
        )
