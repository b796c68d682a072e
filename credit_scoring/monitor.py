"""The exporter beside the service: what became of decisions, for Prometheus."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from credit_scoring import track_record
from credit_scoring.card import Interval
from credit_scoring.cohorts import Cohort, cohorts, latest_complete
from credit_scoring.database import Database
from credit_scoring.errors import StorageError

logger = logging.getLogger(__name__)

SHOWN_COHORTS = 12


class Monitor:
    """Reads the decision log again and again and keeps what it found as metrics in `registry`.

    A decision is complete after `maturity`; decisions of the last `history` are looked at.
    """

    def __init__(self, database: Database, *, maturity: timedelta, history: timedelta) -> None:
        self._database = database
        self._maturity = maturity
        self._history = history
        self.registry = CollectorRegistry()
        self._realised = self._gauge(
            "credit_scoring_realised",
            "Of the latest complete cohort; bound is value, or low or high of the 95 % interval.",
            "model",
            "metric",
            "bound",
        )
        self._realised_start = self._gauge(
            "credit_scoring_realised_cohort_timestamp_seconds", "First day of the latest complete cohort.", "model"
        )
        self._realised_coverage = self._gauge(
            "credit_scoring_realised_coverage", "Share of the latest complete cohort with an outcome.", "model"
        )
        self._estimated = self._gauge(
            "credit_scoring_estimated",
            "Of the latest cohort: outcomes where they are known, else what the risk says, adjusted for delay.",
            "model",
            "metric",
        )
        self._decisions = self._gauge("credit_scoring_cohort_decisions", "Decisions of a cohort.", "model", "cohort")
        self._coverage = self._gauge(
            "credit_scoring_cohort_coverage", "Share of a cohort's decisions with an outcome.", "model", "cohort"
        )
        self._default_rate = self._gauge(
            "credit_scoring_cohort_default_rate",
            "Share of defaults in a cohort; kind is known or estimated.",
            "model",
            "cohort",
            "kind",
        )
        self._last_success = self._gauge(
            "credit_scoring_monitor_last_success_timestamp_seconds", "When the log was last read to the end."
        )
        self._run_seconds = self._gauge("credit_scoring_monitor_run_seconds", "How long the last reading took.")
        self._failures = Counter(
            "credit_scoring_monitor_failures_total", "Readings that failed.", registry=self.registry
        )

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(name, meaning, labels, registry=self.registry)

    def run_once(self, today: date | None = None) -> list[Cohort]:
        """Read the log and set the metrics; raises StorageError."""
        started = time.monotonic()
        found = self.read(today or datetime.now(UTC).date())
        for gauge in (self._realised, self._realised_start, self._realised_coverage, self._estimated):
            gauge.clear()
        for gauge in (self._decisions, self._coverage, self._default_rate):
            gauge.clear()
        for cohort in latest_complete(found).values():
            self._tell_realised(cohort)
        for cohort in {each.model: each for each in found}.values():
            self._tell_estimated(cohort)
        self._tell_cohorts(found)
        self._run_seconds.set(time.monotonic() - started)
        self._last_success.set_to_current_time()
        return found

    def read(self, today: date) -> list[Cohort]:
        """Every cohort of every model, oldest first, none of them cut off; raises StorageError."""
        since = datetime.combine((today - self._history).replace(day=1), datetime.min.time(), UTC)
        decided = track_record.read(self._database, since)
        found = [each for model, one in decided.items() for each in cohorts(model, one, today, self._maturity)]
        return sorted(found, key=lambda each: (each.start, each.model))

    def serve(
        self, host: str, port: int, every: timedelta, stopped: threading.Event, tell: Callable[[str], None]
    ) -> None:
        """Serve the metrics and read the log every so often until `stopped` is set; raises OSError."""
        server, thread = start_http_server(port, host, self.registry)
        tell(f"Metrics on http://{host}:{server.server_port}/metrics, read anew every {every.total_seconds():g} s.")
        try:
            while not stopped.is_set():
                self._try_once()
                stopped.wait(every.total_seconds())
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def _try_once(self) -> None:
        try:
            self.run_once()
        except StorageError as error:
            self._failures.inc()
            logger.error("%s It will be tried again.", error)

    def _tell_realised(self, cohort: Cohort) -> None:
        self._realised_start.labels(cohort.model).set(_timestamp(cohort.start))
        self._realised_coverage.labels(cohort.model).set(cohort.coverage)
        for metric in ("auc", "recall", "default_rate", "calibration_ratio"):
            interval: Interval | None = getattr(cohort, metric)
            for bound, value in interval or ():
                self._realised.labels(cohort.model, metric, bound).set(value)

    def _tell_estimated(self, cohort: Cohort) -> None:
        for metric in ("auc", "recall", "default_rate"):
            value: float | None = getattr(cohort, f"estimated_{metric}")
            if value is not None:
                self._estimated.labels(cohort.model, metric).set(value)

    def _tell_cohorts(self, found: Sequence[Cohort]) -> None:
        shown = sorted({each.start for each in found})[-SHOWN_COHORTS:]
        for each in found:
            if each.start not in shown:
                continue
            name = f"{each.start:%Y-%m}"
            self._decisions.labels(each.model, name).set(each.decisions)
            self._coverage.labels(each.model, name).set(each.coverage)
            self._default_rate.labels(each.model, name, "estimated").set(each.estimated_default_rate)
            if each.default_rate:
                self._default_rate.labels(each.model, name, "known").set(each.default_rate.value)


def _timestamp(day: date) -> float:
    return datetime.combine(day, datetime.min.time(), UTC).timestamp()
