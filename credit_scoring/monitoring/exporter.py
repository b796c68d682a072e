"""Prometheus exporter of realised performance; runs beside the service."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from credit_scoring.decisions.database import Database
from credit_scoring.errors import DecisionLogError
from credit_scoring.monitoring import track_record
from credit_scoring.monitoring.cohort_metrics import CohortMetrics
from credit_scoring.monitoring.cohorts import Cohort, cohorts

logger = logging.getLogger(__name__)


class Monitor:
    """Reads the decision log periodically and keeps the results as metrics in `registry`.

    A cohort is complete after `maturity`; decisions of the last `history` are read.
    """

    def __init__(self, database: Database, *, maturity: timedelta, history: timedelta) -> None:
        self._database = database
        self._maturity = maturity
        self._history = history
        self.registry = CollectorRegistry()
        self._cohorts = CohortMetrics()
        self.registry.register(self._cohorts)
        self._last_success = Gauge(
            "credit_scoring_monitor_last_success_timestamp_seconds",
            "Time of the last complete reading of the decision log.",
            registry=self.registry,
        )
        self._run_seconds = Gauge(
            "credit_scoring_monitor_run_seconds",
            "Duration of the last reading of the decision log.",
            registry=self.registry,
        )
        self._failures = Counter(
            "credit_scoring_monitor_failures_total", "Failed readings of the decision log.", registry=self.registry
        )

    def run_once(self, today: date | None = None) -> list[Cohort]:
        """Read the log and set the metrics; raises DecisionLogError."""
        started = time.monotonic()
        found = self.read(today or datetime.now(UTC).date())
        self._cohorts.show(found)
        self._run_seconds.set(time.monotonic() - started)
        self._last_success.set_to_current_time()
        return found

    def read(self, today: date) -> list[Cohort]:
        """Every cohort of every model, oldest first, whole months only; raises DecisionLogError."""
        since = datetime.combine((today - self._history).replace(day=1), datetime.min.time(), UTC)
        decided = track_record.read(self._database, since)
        found = [each for model, one in decided.items() for each in cohorts(model, one, today, self._maturity)]
        return sorted(found, key=lambda each: (each.start, each.model))

    def serve(
        self, host: str, port: int, every: timedelta, stopped: threading.Event, on_listening: Callable[[str], None]
    ) -> None:
        """Serve the metrics and read the log at this interval until `stopped` is set; raises OSError.

        `on_listening` gets a message with the address once the port is open.
        """
        server, thread = start_http_server(port, host, self.registry)
        on_listening(
            f"Metrics on http://{host}:{server.server_port}/metrics, updated every {every.total_seconds():g} s."
        )
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
        except DecisionLogError as error:
            self._failures.inc()
            logger.error("%s The next reading tries again.", error)
