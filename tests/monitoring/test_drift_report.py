"""The report on a period: which fields have drifted, performance by month, and nothing of any applicant."""

import asyncio
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import bentoml
import numpy as np
import pandas as pd
import pytest

from benchmarks.support.consorcio import FIELDS, ConsorcioApplication
from benchmarks.support.decision_records import TIMEOUT_S, ask, decided_by, entry, of_model, origin_of, put
from credit_scoring.application.schemas import Application
from credit_scoring.data.datasets import Dataset
from credit_scoring.decisions import outcomes, schema_version
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.erasure import Order, candidates, erase
from credit_scoring.decisions.outcomes import Outcome, OutcomeReport
from credit_scoring.decisions.queries import Wanted
from credit_scoring.errors import ConfigurationError
from credit_scoring.model import store
from credit_scoring.model.reference import RISK
from credit_scoring.model.scorer import Scorer
from credit_scoring.monitoring import drift_report
from credit_scoring.monitoring.cohorts import Cohort
from credit_scoring.monitoring.drift_page import period_page
from credit_scoring.monitoring.drift_report import PeriodReport
from credit_scoring.monitoring.exporter import Monitor
from tests.support.command_line import error_here, run_here

APRIL, SEPTEMBER = datetime(2025, 4, 10, 12, tzinfo=UTC), datetime(2025, 9, 10, 12, tzinfo=UTC)
TODAY = date(2026, 11, 24)
OTHER = "credit_scoring:other"
SIZE = 600
SECRET = {"credit_letter_value": 98765432.5, "outstanding_debt": 87654321.25, "assets_value": 76543219.75}
VOID = {"meta", "br", "hr", "img", "input", "link"}
NAMESPACES = re.compile(r'xmlns(:\w+)?="http://www\.w3\.org/[^"]*"')


@dataclass(frozen=True)
class Log:
    """A decision log: in April as in training, in September incomes three times as high; both have outcomes."""

    address: str
    model: str
    ids: tuple[str, ...]


@pytest.fixture(scope="module")
def served(model_tag: str) -> Scorer:
    """The stored model as a worker has it."""
    return Scorer.load(Path(store.find(model_tag).path))


@pytest.fixture(scope="module")
def log(served: Scorer, model_tag: str, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Log:
    address = f"sqlite:///{tmp_path_factory.mktemp('log')}/decisions.db"
    origin = origin_of(served, model_tag)
    rows = np.random.default_rng(1).choice(len(dataset.frame), SIZE, replace=False)
    clients = dataset.frame.iloc[rows].to_dict(orient="records")
    ids: list[str] = []
    for at, factor, name in ((APRIL, 1.0, "abril"), (SEPTEMBER, 3.0, "setembro")):
        applied = [_application(client, factor, f"proposta-{name}-{number}") for number, client in enumerate(clients)]
        applied[0] = applied[0].model_copy(update=SECRET)
        made = put(address, decided_by(served, model_tag, applied), at=at, origin=origin)
        _report(address, made, dataset.defaulted[rows].tolist(), (at + timedelta(days=90)).date())
        ids += made
    put(address, [entry() for _ in range(5)], at=APRIL, origin=of_model(OTHER))
    return Log(address, model_tag, tuple(ids))


def _application(client: Mapping[Any, Any], factor: float, application_id: str) -> Application:
    values = {str(name): _as_sent(str(name), value) for name, value in client.items() if not pd.isna(value)}
    if "monthly_income" in values:
        values["monthly_income"] *= factor
    return ConsorcioApplication.model_validate({**values, "application_id": application_id})


def _as_sent(name: str, value: Any) -> Any:
    return bool(value) if FIELDS[name].kind == "flag" else value


def _report(address: str, made: Sequence[str], defaulted: Sequence[bool], observed_on: date) -> None:
    reports = [
        OutcomeReport(decision_id=each, outcome=Outcome.DEFAULTED if bad else Outcome.PAID, observed_on=observed_on)
        for each, bad in zip(made, defaulted, strict=True)
    ]
    ask(address, partial(outcomes.record, reports, ""))


def period(log: Log, since: datetime | None = None, until: datetime | None = None) -> PeriodReport:
    """The report on this part of the log, with every cohort in it."""
    database = open_database(log.address, timeout=TIMEOUT_S)
    try:
        monitor = Monitor(database, maturity=timedelta(days=365), history=timedelta(days=1095))
        return drift_report.report(database, Wanted(since, until, log.model), monitor.read(TODAY))
    finally:
        asyncio.run(database.close())


@pytest.fixture(scope="module")
def april(log: Log) -> PeriodReport:
    return period(log, until=SEPTEMBER - timedelta(days=30))


@pytest.fixture(scope="module")
def september(log: Log) -> PeriodReport:
    return period(log, since=SEPTEMBER - timedelta(days=1))


@pytest.fixture(scope="module")
def page(september: PeriodReport) -> str:
    return period_page(september)


class Elements(HTMLParser):
    """What a page is made of; every element is closed in the order in which it was opened."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str, str]] = []
        self.headings: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    @property
    def tags(self) -> set[str]:
        return {tag for tag, _, _ in self.attributes}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in [("", ""), *attrs]]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("h2", "h3"):
            self.headings.append(data)


# What the report says


def test_nothing_has_moved_where_clients_are_as_in_training(april: PeriodReport) -> None:
    assert april.decisions == SIZE
    assert april.moved == []


def test_a_field_that_has_moved_is_named_and_comes_before_all_that_have_not(september: PeriodReport) -> None:
    names = [each.bins.field for each in september.fields]
    moved = [each.bins.field for each in september.moved]
    assert "monthly_income" in moved
    assert set(moved) <= {"monthly_income", RISK}
    assert names[: len(moved)] == moved
    assert all(each.psi > each.limit >= 0.1 for each in september.moved)


def test_every_field_of_the_model_and_its_risk_is_counted_once_for_each_decision(
    september: PeriodReport, served: Scorer
) -> None:
    assert {each.bins.field for each in september.fields} == {*served.card.features, RISK}
    assert {each.decisions for each in september.fields} == {SIZE}


def test_erased_decisions_are_no_decisions_with_missing_values(log: Log, tmp_path: Path) -> None:
    """Their remainder tells nothing of how clients have changed."""
    for path in Path(log.address.removeprefix("sqlite:///")).parent.glob("decisions.db*"):
        shutil.copy(path, tmp_path)
    copy = replace(log, address=f"sqlite:///{tmp_path}/decisions.db")
    found = ask(copy.address, partial(candidates, log.ids[0], None), reading=True)
    ask(copy.address, partial(erase, found, Order("x", "dpo", "Never joined a group."), TODAY))
    counted = period(copy, until=SEPTEMBER)
    assert {each.decisions for each in counted.fields} == {SIZE - 1}


def test_a_period_ends_before_until_and_begins_with_since(log: Log) -> None:
    assert period(log).decisions == 2 * SIZE
    assert period(log, until=APRIL).decisions == 0
    assert period(log, since=APRIL, until=SEPTEMBER).decisions == SIZE


def test_decisions_and_cohorts_of_another_model_are_left_out(log: Log) -> None:
    found = period(log)
    assert [(each.model, each.start, each.decisions) for each in found.cohorts] == [
        (log.model, date(2025, 4, 1), SIZE),
        (log.model, date(2025, 9, 1), SIZE),
    ]


def test_a_model_without_its_training_distribution_is_an_error_that_says_what_to_do(served: Scorer) -> None:
    tag = store.save(replace(served, reference=served.reference.model_copy(update={"drift": None})))
    try:
        with pytest.raises(ConfigurationError) as caught:
            drift_report.stored_reference(tag)
    finally:
        bentoml.models.delete(tag)
    assert str(caught.value) == f"Model {tag} was saved without its training distribution. Retrain it."


# The page


def test_the_same_report_gives_the_same_page(september: PeriodReport, page: str) -> None:
    assert period_page(september) == page


def test_the_page_has_a_picture_of_every_field_and_one_of_the_months(page: str, september: PeriodReport) -> None:
    found = Elements(page)
    fields = [each.bins.field for each in september.fields]
    assert found.headings == ["Performance by month", "Drift by field", *fields]
    labels = [value for tag, name, value in found.attributes if (tag, name) == ("svg", "aria-label")]
    assert labels == ["Performance over time", *fields]


def test_the_page_names_the_fields_that_have_moved(page: str, september: PeriodReport) -> None:
    moved = ", ".join(each.bins.field for each in september.moved)
    assert f"Drifted from the training distribution: {moved}." in page
    assert f"{SIZE} decisions from 2025-09-09 on" in page


def test_the_page_says_so_where_nothing_has_moved(april: PeriodReport) -> None:
    page = period_page(april)
    assert "No field has drifted from the training distribution" in page
    assert f"{SIZE} decisions before 2025-08-11" in page


def test_the_page_tells_of_each_month_what_became_of_it(page: str, september: PeriodReport) -> None:
    rows = re.findall(r"<tr><th scope=\"row\">(\d{4}-\d{2})</th><td>(\w+)</td>(.*?)</tr>", page, re.DOTALL)
    assert [(month, state) for month, state, _ in rows] == [("2025-04", "complete"), ("2025-09", "complete")]
    for (_, _, cells), cohort in zip(rows, september.cohorts, strict=True):
        for interval in (cohort.default_rate, cohort.calibration_ratio, cohort.auc, cohort.recall):
            assert str(interval) in cells


def test_the_page_loads_nothing_from_elsewhere(page: str) -> None:
    found = Elements(page)
    assert found.tags.isdisjoint({"script", "link", "iframe", "img", "object", "embed", "base", "form"})
    pointing = [value for _, name, value in found.attributes if name in ("src", "href", "xlink:href", "srcset")]
    assert all(value.startswith(("#", "data:")) for value in pointing)
    without_namespaces = NAMESPACES.sub("", page)
    assert not re.search(r"https?:|//\w|@import", re.sub(r"<!DOCTYPE[^>]*>", "", without_namespaces))
    assert all(target.startswith("#") for target in re.findall(r"url\(['\"]?([^)'\"]*)", page))


def test_the_page_holds_no_value_and_no_id_of_any_applicant(page: str, log: Log) -> None:
    bare = page.replace(",", "")
    assert "proposta-" not in page
    assert not {each for each in log.ids if each in page}
    for value in SECRET.values():
        assert str(value).partition(".")[0] not in bare
        assert f"{value:.3g}" not in bare


def test_a_period_without_decisions_is_a_page_that_says_so(log: Log) -> None:
    page = period_page(replace(period(log, until=APRIL), cohorts=()))
    assert "There is nothing to compare." in page
    assert "No decision is on record." in page
    assert Elements(page).headings[0] == "Performance by month"


def test_a_month_with_few_outcomes_says_that_they_are_too_few(september: PeriodReport) -> None:
    first, *_ = september.cohorts
    few: Cohort = first.model_copy(update={"auc": None, "recall": None, "calibration_ratio": None})
    assert period_page(replace(september, cohorts=[few])).count("too few") == 3


# The command


def test_the_command_writes_the_page_and_prints_where(log: Log, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    options = ("--since", "2025-09-09", "--html", path)
    found = run_here("monitor", "report", *options, CREDIT_SCORING_DATABASE_URL=log.address)
    assert (found.exit_code, found.stdout, found.stderr) == (0, f"{path}\n", "")
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert f"Decisions by <code>{log.model}</code>" in page
    assert "Drifted from the training distribution: monthly_income" in page


def test_the_command_takes_the_model_of_the_newest_decision_unless_one_is_named(log: Log, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    found = run_here("monitor", "report", "--html", path, "--database", log.address, "--until", "2025-04-30")
    assert "No model credit_scoring:other in the BentoML store." in str(found.exception)
    options = ["--until", "2025-04-30", "--model", log.model]
    found = run_here("monitor", "report", "--html", path, "--database", log.address, *options)
    assert found.exit_code == 0, found.output
    assert f"{SIZE} decisions before 2025-04-30" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "options", [[], ["--since", "2026-01-01"], ["--model", "credit_scoring:none"]], ids=["ever", "since", "by"]
)
def test_no_decision_to_report_on_is_an_error_and_no_page(log: Log, tmp_path: Path, options: list[str]) -> None:
    address = log.address if options else f"sqlite:///{tmp_path}/empty.db"
    ask(address, schema_version.ensure)
    path = tmp_path / "report.html"
    message = error_here("monitor", "report", "--html", path, "--database", address, *options)
    assert message == "No decision on record matches these options."
    assert not path.exists()


def test_a_page_that_cannot_be_written_is_named_with_the_reason(log: Log, tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "no" / "x.html", "No such file or directory"), (tmp_path, "Is a directory")):
        message = error_here("monitor", "report", "--html", path, "--database", log.address, "--model", log.model)
        assert message == f"--html {path}: cannot be written ({reason})."


def test_a_moment_that_is_none_is_named(log: Log) -> None:
    message = error_here("monitor", "report", "--since", "ontem", "--database", log.address)
    assert message.startswith("ontem: expected a day or a time, like 2026-11-24")
