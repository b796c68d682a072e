"""The monitor's metrics against a log made by hand, on both kinds of database."""

import asyncio
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from benchmarks.support.decision_records import TIMEOUT_S, ask, entry, of_model, put
from credit_scoring.decisions import outcomes
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.ids import made_at
from credit_scoring.decisions.outcomes import Outcome, OutcomeReport
from credit_scoring.errors import DecisionLogError
from credit_scoring.monitoring.cohort_metrics import SHOWN_COHORTS
from credit_scoring.monitoring.exporter import Monitor

TODAY = date(2026, 11, 24)
SEPTEMBER = datetime(2025, 9, 15, 12, tzinfo=UTC)  # complete: older than a year
OCTOBER = datetime(2026, 10, 5, 12, tzinfo=UTC)  # open
DAY = timedelta(days=1)
YEAR, THREE_YEARS = timedelta(days=365), timedelta(days=1095)
READINGS = 30
A, B = "credit_scoring:a", "credit_scoring:b"
LOW, MIDDLE, HIGH = 0.1, 0.2, 0.6  # HIGH is denied
BAD_NEWS_AFTER, GOOD_NEWS_AFTER = 30 * DAY, 200 * DAY


@pytest.fixture
def database(tmp_path: Path) -> str:
    """The address of a file, for what no kind of database would make a difference to."""
    return f"sqlite:///{tmp_path}/decisions.db"


@contextmanager
def monitor_of(address: str, history: timedelta = THREE_YEARS) -> Iterator[Monitor]:
    """A monitor for which a decision is complete after a year."""
    database = open_database(address, timeout=TIMEOUT_S)
    try:
        monitor = Monitor(database, maturity=YEAR, history=history)
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("PROMETHEUS_MULTIPROC_DIR")  # it is there for services; a monitor is one process
            yield monitor
    finally:
        asyncio.run(database.close())


def decide(address: str, at: datetime, model: str, *groups: tuple[int, float, Outcome | None]) -> list[str]:
    """Decisions in groups of so many with this risk, which all became the same; bad news comes before good."""
    risks = [risk for size, risk, _ in groups for _ in range(size)]
    became = [outcome for size, _, outcome in groups for _ in range(size)]
    made = put(address, [entry(risk) for risk in risks], at=at, origin=of_model(model))
    report(address, {each: outcome for each, outcome in zip(made, became, strict=True) if outcome})
    return made


def report(address: str, became: Mapping[str, Outcome]) -> None:
    reports = [
        OutcomeReport(decision_id=each, outcome=outcome, observed_on=(made_at(each) + delay_of(outcome)).date())
        for each, outcome in became.items()
    ]
    ask(address, partial(outcomes.record, reports, ""))


def delay_of(outcome: Outcome) -> timedelta:
    return BAD_NEWS_AFTER if outcome is Outcome.DEFAULTED else GOOD_NEWS_AFTER


def september(address: str) -> list[str]:
    """A complete month: of 100 approved clients 80 have an outcome, of which 40 defaulted; 25 were denied."""
    return decide(
        address,
        SEPTEMBER,
        A,
        *((30, LOW, Outcome.PAID), (10, LOW, Outcome.DEFAULTED)),
        *((10, MIDDLE, Outcome.PAID), (30, MIDDLE, Outcome.DEFAULTED)),
        *((20, LOW, None), (25, HIGH, None)),
    )


def october(address: str, model: str = A) -> list[str]:
    """An open month of which only the bad news is known: 2 of 8 approved clients; 2 were denied."""
    return decide(address, OCTOBER, model, (2, LOW, Outcome.DEFAULTED), (2, HIGH, None), (6, LOW, None))


def value(monitor: Monitor, name: str, **labels: str) -> float | None:
    return monitor.registry.get_sample_value(f"credit_scoring_{name}", labels)


def realised(monitor: Monitor, metric: str) -> Sequence[float]:
    """Value, low and high."""
    found = [value(monitor, "realised", model=A, metric=metric, bound=bound) for bound in ("value", "low", "high")]
    return [each for each in found if each is not None]


def name_and_labels(monitor: Monitor) -> list[str]:
    """Every series that a scrape would see."""
    lines = generate_latest(monitor.registry).decode().splitlines()
    return [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]


def series(monitor: Monitor, name: str) -> list[Mapping[str, str]]:
    """The labels of every series of this metric."""
    families = {family.name: family for family in monitor.registry.collect()}
    return [sample.labels for sample in families[f"credit_scoring_{name}"].samples]


def test_of_the_latest_complete_month_it_tells_what_came_true(address: str) -> None:
    september(address)
    october(address)
    expected = {
        "auc": 0.75,  # of 1,600 pairs 900 are in order and 600 tied
        "recall": 25 * HIGH / (25 * HIGH + 100 * 40 / 80),
        "default_rate": 40 / 80,
        "calibration_ratio": 40 / (40 * LOW + 40 * MIDDLE),
    }
    with monitor_of(address) as monitor:
        monitor.run_once(TODAY)
        for metric, true in expected.items():
            found, low, high = realised(monitor, metric)
            assert found == pytest.approx(true), metric
            assert low < found < high, metric
        assert value(monitor, "realised_coverage", model=A) == 80 / 100
        first = datetime(2025, 9, 1, tzinfo=UTC).timestamp()
        assert value(monitor, "realised_cohort_timestamp_seconds", model=A) == first


def test_of_the_latest_month_it_estimates_what_is_not_known_yet(address: str) -> None:
    """After 50 days all bad news is known, as September shows: who is silent pays, unless nobody waits for its news."""
    september(address)
    october(address)
    with monitor_of(address) as monitor:
        monitor.run_once(TODAY)
        found = {metric: value(monitor, "estimated", model=A, metric=metric) for metric in ("auc", "recall")}
        bad, good = 2 + 2 * HIGH, 6 + 2 * (1 - HIGH)
        in_order, tied = 2 * HIGH * 6, 2 * 6 + 2 * HIGH * 2 * (1 - HIGH)
        expected = {"auc": (in_order + tied / 2) / (bad * good), "recall": 2 * HIGH / bad}
        assert found == {name: pytest.approx(true) for name, true in expected.items()}
        assert value(monitor, "estimated", model=A, metric="default_rate") == pytest.approx(bad / 10)


def test_every_month_has_its_decisions_its_coverage_and_its_default_rates(database: str) -> None:
    september(database)
    october(database)
    with monitor_of(database) as monitor:
        monitor.run_once(TODAY)
        for name, decisions, coverage, known, estimated in (
            ("2025-09", 125, 0.8, 0.5, (40 + 20 * LOW + 25 * HIGH) / 125),  # of the silent only the risk is known
            ("2026-10", 10, 0.25, 1.0, (2 + 2 * HIGH) / 10),
        ):
            cohort = {"model": A, "cohort": name}
            assert value(monitor, "cohort_decisions", **cohort) == decisions
            assert value(monitor, "cohort_coverage", **cohort) == coverage
            assert value(monitor, "cohort_default_rate", kind="known", **cohort) == known
            assert value(monitor, "cohort_default_rate", kind="estimated", **cohort) == pytest.approx(estimated)


def test_without_any_complete_month_nothing_is_realised_and_the_risk_is_the_estimate(database: str) -> None:
    decide(database, OCTOBER, B, (5, LOW, None), (5, HIGH, None))
    with monitor_of(database) as monitor:
        monitor.run_once(TODAY)
        assert series(monitor, "realised") == series(monitor, "realised_coverage") == []
        assert value(monitor, "estimated", model=B, metric="default_rate") == pytest.approx((LOW + HIGH) / 2)
        assert value(monitor, "cohort_default_rate", model=B, cohort="2026-10", kind="known") is None


def test_an_outcome_of_a_denied_client_whom_a_review_approved_changes_nothing_realised(database: str) -> None:
    made = september(database)
    with monitor_of(database) as monitor:
        monitor.run_once(TODAY)
        before = [realised(monitor, metric) for metric in ("auc", "recall", "default_rate", "calibration_ratio")]
        coverage = value(monitor, "realised_coverage", model=A)
        report(database, dict.fromkeys(made[-25:], Outcome.DEFAULTED))
        monitor.run_once(TODAY)
        assert before == [realised(monitor, each) for each in ("auc", "recall", "default_rate", "calibration_ratio")]
        assert value(monitor, "realised_coverage", model=A) == coverage


def test_each_model_answers_for_its_own_decisions(database: str) -> None:
    september(database)
    october(database, B)
    with monitor_of(database) as monitor:
        monitor.run_once(TODAY)
        assert {each["model"] for each in series(monitor, "realised")} == {A}
        assert {each["model"] for each in series(monitor, "estimated")} == {A, B}
        assert {(each["model"], each["cohort"]) for each in series(monitor, "cohort_decisions")} == {
            *((A, "2025-09"), (B, "2026-10")),
        }


def test_a_corrected_outcome_counts_from_the_next_reading_on(address: str) -> None:
    made = september(address)
    with monitor_of(address) as monitor:
        monitor.run_once(TODAY)
        report(address, dict.fromkeys(made[:30], Outcome.DEFAULTED))
        assert realised(monitor, "default_rate")[0] == pytest.approx(40 / 80)
        monitor.run_once(TODAY)
        assert realised(monitor, "default_rate")[0] == pytest.approx(70 / 80)


def test_a_scrape_during_a_reading_sees_every_series(database: str) -> None:
    """Threads are switched as often as Python can, so that scrapes fall between any two steps of a reading."""
    september(database)
    october(database)
    with monitor_of(database) as monitor:
        monitor.run_once(TODAY)
        whole = sorted(name_and_labels(monitor))
        read = threading.Event()
        missed: list[int] = []

        def scrape() -> None:
            while not read.is_set():
                missed.append(len(whole) - len(name_and_labels(monitor)))

        scraper = threading.Thread(target=scrape)
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        scraper.start()
        try:
            for _ in range(READINGS):
                monitor.run_once(TODAY)
        finally:
            read.set()
            scraper.join()
            sys.setswitchinterval(interval)
        assert sorted(name_and_labels(monitor)) == whole
    assert set(missed) == {0}


def test_what_is_too_long_ago_is_told_no_more(database: str) -> None:
    september(database)
    with monitor_of(database) as monitor:
        assert monitor.run_once(TODAY)
        assert monitor.run_once(TODAY + THREE_YEARS) == []
        for name in ("realised", "realised_coverage", "estimated", "cohort_decisions", "cohort_default_rate"):
            assert series(monitor, name) == [], name


def test_decisions_from_before_its_history_do_not_count(database: str) -> None:
    september(database)
    october(database)
    with monitor_of(database, history=60 * DAY) as monitor:
        found = monitor.run_once(TODAY)
        assert [(each.start, each.decisions) for each in found] == [(date(2026, 10, 1), 10)]


def test_no_more_than_the_last_twelve_months_have_series_of_their_own(database: str) -> None:
    months = [datetime(2025 + number // 12, number % 12 + 1, 15, tzinfo=UTC) for number in range(14)]
    for each in months:
        put(database, [entry()], at=each, origin=of_model(A))
    with monitor_of(database) as monitor:
        assert len(monitor.run_once(TODAY)) == 14
        shown = [each["cohort"] for each in series(monitor, "cohort_decisions")]
    assert shown == [f"{each:%Y-%m}" for each in months[-SHOWN_COHORTS:]]


def test_an_empty_log_is_read_to_its_end_and_that_is_told(address: str) -> None:
    before = datetime.now(UTC).timestamp()
    with monitor_of(address) as monitor:
        assert monitor.run_once(TODAY) == []
        told = value(monitor, "monitor_last_success_timestamp_seconds")
        took = value(monitor, "monitor_run_seconds")
    assert told is not None
    assert before <= told <= datetime.now(UTC).timestamp()
    assert took is not None
    assert took > 0


def test_a_reading_that_fails_leaves_what_was_known_before(address: str) -> None:
    september(address)
    with monitor_of(address) as monitor:
        monitor.run_once(TODAY)
        before = generate_latest(monitor.registry)
        ask(address, lambda connection: connection.exec_driver_sql("ALTER TABLE outcomes RENAME TO hidden"))
        with pytest.raises(DecisionLogError):
            monitor.run_once(TODAY)
        assert generate_latest(monitor.registry) == before


def test_no_metric_holds_anything_of_an_applicant(database: str) -> None:
    application = entry(asked_by="branch-7f3b", application_id="proposta-7f3a", monthly_income=87654321.25)
    (made,) = put(database, [application], at=SEPTEMBER, origin=of_model(A))
    with monitor_of(database) as monitor:
        monitor.run_once(TODAY)
        text = generate_latest(monitor.registry).decode()
    assert "2025-09" in text
    for secret in ("7f3a", "7f3b", "87654321", made):
        assert secret not in text
