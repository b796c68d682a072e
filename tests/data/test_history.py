"""The service's own decisions as training data: which of them count, as what, and training on them end to end."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import JsonValue

from benchmarks.support.consorcio import CATALOGUE, EXAMPLE_APPLICATION, FIELDS
from benchmarks.support.decision_records import TIMEOUT_S, ask, entry, of_model, put, tamper
from credit_scoring.data.datasets import Dataset
from credit_scoring.data.history import load_decisions
from credit_scoring.decisions import outcomes
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.entries import Entry
from credit_scoring.decisions.outcomes import Outcome, OutcomeReport
from credit_scoring.decisions.queries import Wanted
from credit_scoring.errors import DataError
from credit_scoring.model import store
from credit_scoring.model.card import ModelCard
from credit_scoring.model.manifest import CARD_FILE
from credit_scoring.model.scorer import Scorer
from credit_scoring.training import search
from credit_scoring.training.candidates import CANDIDATE_BY_NAME
from tests.support.command_line import error_here, run_here

NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ENOUGH = 120
DAYS, PER_DAY = 30, 10
TELL_TALE = 87654321.25


@pytest.fixture
def database(tmp_path: Path) -> str:
    """The address of a file that is not there yet."""
    return f"sqlite:///{tmp_path}/decisions.db"


def load(
    address: str,
    since: datetime | None = None,
    model: str | None = None,
    on_progress: Callable[[int], None] = lambda read: None,
) -> Dataset:
    opened = open_database(address, timeout=TIMEOUT_S)
    try:
        return load_decisions(opened, Wanted(since=since, model=model), CATALOGUE, on_progress)
    finally:
        asyncio.run(opened.close())


def report(address: str, became: Mapping[str, Outcome]) -> None:
    """Report of these decisions what became of them."""
    observed_on = datetime.now(UTC).date()
    found = [OutcomeReport(decision_id=each, outcome=became[each], observed_on=observed_on) for each in became]
    ask(address, partial(outcomes.record, found, ""))


def report_on_application(address: str, application_id: str, outcome: Outcome) -> None:
    found = OutcomeReport(application_id=application_id, outcome=outcome, observed_on=datetime.now(UTC).date())
    ask(address, partial(outcomes.record, [found], ""))


def portfolio(address: str, size: int = ENOUGH) -> list[str]:
    """So many decisions on incomes that rise from 1,000; every second client defaulted."""
    made = put(address, [entry(monthly_income=1000.0 + number) for number in range(size)], at=NOON)
    report(address, {each: alternating(number) for number, each in enumerate(made)})
    return made


def applied(fields: Mapping[str, JsonValue]) -> Entry:
    """A decision on the example application with these fields changed, whatever it was."""
    return entry(0.1, "", **fields)


def alternating(number: int) -> Outcome:
    return (Outcome.PAID, Outcome.DEFAULTED)[number % 2]


def incomes(dataset: Dataset) -> list[float]:
    return [float(each) for each in dataset.frame["monthly_income"]]


def outcome_by_income(dataset: Dataset) -> dict[float, bool]:
    return dict(zip(incomes(dataset), dataset.defaulted.tolist(), strict=True))


# Which decisions count


def test_each_decision_with_an_outcome_is_a_row_with_that_outcome(address: str) -> None:
    portfolio(address)
    found = load(address)
    assert outcome_by_income(found) == {1000.0 + number: bool(number % 2) for number in range(ENOUGH)}


def test_a_decision_without_an_outcome_does_not_count(address: str) -> None:
    portfolio(address)
    put(address, [entry(monthly_income=TELL_TALE)])
    found = load(address)
    assert len(found.frame) == ENOUGH
    assert TELL_TALE not in incomes(found)


def test_of_several_outcomes_the_last_one_counts(address: str) -> None:
    paid, defaulted, *_ = portfolio(address)
    report(address, {paid: Outcome.DEFAULTED, defaulted: Outcome.PAID})
    report(address, {paid: Outcome.PAID})
    report(address, {paid: Outcome.DEFAULTED})
    found = outcome_by_income(load(address))
    assert (found[1000.0], found[1001.0], len(found)) == (True, False, ENOUGH)


def test_the_denied_count_too_where_their_outcome_is_known(database: str) -> None:
    portfolio(database)
    (denied,) = put(database, [entry(risk=0.99, monthly_income=TELL_TALE)])
    report(database, {denied: Outcome.DEFAULTED})
    assert outcome_by_income(load(database))[TELL_TALE]


def test_an_application_that_was_sent_again_counts_once(address: str) -> None:
    portfolio(address)
    for times in (2, 1):
        put(address, [entry(application_id="proposta 7", monthly_income=TELL_TALE) for _ in range(times)])
    report_on_application(address, "proposta 7", Outcome.DEFAULTED)
    assert incomes(load(address)).count(TELL_TALE) == 1


def test_an_application_that_two_workers_answered_while_the_log_was_away_counts_once(address: str) -> None:
    portfolio(address)
    for _ in range(2):
        put(address, [entry(application_id="proposta 7", monthly_income=TELL_TALE)], at=NOON)
    report_on_application(address, "proposta 7", Outcome.PAID)
    assert incomes(load(address)).count(TELL_TALE) == 1


def test_two_clients_that_look_alike_both_count_and_it_is_said(database: str) -> None:
    portfolio(database)
    made = put(database, [entry(monthly_income=TELL_TALE), entry(monthly_income=TELL_TALE)])
    report(database, dict.fromkeys(made, Outcome.PAID))
    found = load(database)
    assert incomes(found).count(TELL_TALE) == 2
    assert found.duplicates == 1


def test_what_is_asked_for_is_all_that_is_read(address: str) -> None:
    portfolio(address)
    new = [entry(monthly_income=5000.0 + number) for number in range(ENOUGH)]
    made = put(address, new, at=NOON + DAY, origin=of_model("credit_scoring:new"))
    report(address, {each: alternating(number) for number, each in enumerate(made)})
    assert min(incomes(load(address, model="credit_scoring:new"))) == 5000
    assert min(incomes(load(address, since=NOON + DAY / 2))) == 5000
    assert min(incomes(load(address))) == 1000


def test_an_application_that_this_version_would_refuse_is_left_out_and_told(database: str) -> None:
    _, old, *_ = portfolio(database)
    tamper(database, f"""UPDATE decisions SET received = '{{"sex": "F", "age": 30}}' WHERE id = '{old}'""")
    found = load(database)
    assert len(found.frame) == ENOUGH - 1
    assert 1001 not in incomes(found)
    assert {(bad.line, bad.column) for bad in found.bad_rows} == {(2, "sex"), (2, "credit_letter_value")}


# As what they count


def test_a_row_is_the_application_as_it_was_received_not_as_the_model_saw_it(address: str) -> None:
    portfolio(address)
    sent: dict[str, JsonValue] = {**EXAMPLE_APPLICATION, "monthly_income": TELL_TALE, "housing": None}
    received = applied(sent)
    (made,) = put(address, [received._replace(row=received.row._replace(seen='[1.0, "false"]'))])
    report(address, {made: Outcome.PAID})
    frame = load(address).frame
    row = frame[frame["monthly_income"] == TELL_TALE].iloc[0]
    expected = {name: sent.get(name) for name in frame.columns}
    assert set(frame.columns) == set(FIELDS) - {"application_id"}
    assert {str(name): None if pd.isna(value) else value for name, value in row.items()} == expected


def test_a_field_that_no_application_has_is_no_feature(database: str) -> None:
    made = put(database, [entry(good_type=None, monthly_income=float(number)) for number in range(ENOUGH)])
    report(database, {each: alternating(number) for number, each in enumerate(made)})
    assert "good_type" not in load(database).features
    assert "monthly_income" in load(database).features


def test_rows_come_oldest_first_with_the_day_of_each_decision(address: str) -> None:
    for number in (2, 0, 1):
        clients = [entry(monthly_income=1000.0 * number + each) for each in range(ENOUGH)]
        made = put(address, clients, at=NOON + number * DAY)
        report(address, {each: alternating(place) for place, each in enumerate(made)})
    found = load(address)
    assert found.days is not None
    assert incomes(found) == sorted(incomes(found))
    assert found.days.tolist() == [(NOON + number * DAY).date() for number in range(3) for _ in range(ENOUGH)]


def test_it_says_where_the_rows_came_from_and_that_the_denied_are_missing(database: str) -> None:
    portfolio(database)
    found = load(database)
    assert (found.source, found.bad_rows, found.unused_columns) == ("decisions", (), ())
    assert "those that were denied have no outcome" in found.note


def test_the_hash_is_the_same_until_another_outcome_is_known(database: str) -> None:
    first, *_ = portfolio(database)
    before = load(database).sha256
    put(database, [entry()])
    assert load(database).sha256 == before
    report(database, {first: Outcome.DEFAULTED})
    assert load(database).sha256 != before


def test_every_decision_that_was_read_is_told_whether_it_counts_or_not(database: str) -> None:
    portfolio(database)
    put(database, [entry(), entry()])
    told: list[int] = []
    load(database, on_progress=told.append)
    assert sum(told) == ENOUGH + 2


# What cannot be trained on

TOO_FEW = {
    "no decisions": ([], "0 rows defaulted and 0 paid"),
    "no outcomes": ([None] * 60, "0 rows defaulted and 0 paid"),
    "too few": ([Outcome.PAID, Outcome.DEFAULTED] * 49, "49 rows defaulted and 49 paid"),
    "all paid": ([Outcome.PAID] * 120, "0 rows defaulted and 120 paid"),
    "all defaulted": ([Outcome.DEFAULTED] * 120, "120 rows defaulted and 0 paid"),
}


@pytest.mark.parametrize(("became", "counted"), TOO_FEW.values(), ids=TOO_FEW)
def test_where_an_outcome_is_too_rare_the_error_counts_both_and_says_where_outcomes_come_from(
    database: str, became: Sequence[Outcome | None], counted: str
) -> None:
    made = put(database, [entry() for _ in became])
    report(database, {each: outcome for each, outcome in zip(made, became, strict=True) if outcome})
    with pytest.raises(DataError) as caught:
        load(database)
    message = str(caught.value)
    assert message.startswith(f"Data of source decisions: {counted}; a model needs at least 50 of each.")
    assert "POST /outcomes" in message
    assert "\n" not in message


def test_a_log_without_outcomes_ends_the_command_in_one_line_and_saves_nothing(
    database: str, published: Callable[[], list[str]]
) -> None:
    put(database, [entry(monthly_income=TELL_TALE)])
    found = run_here("train", "--source", "decisions", CREDIT_SCORING_DATABASE_URL=database)
    assert isinstance(found.exception, DataError)
    assert "0 rows defaulted and 0 paid" in str(found.exception)
    assert "\n" not in str(found.exception)
    assert found.stdout == ""
    assert all(stage.endswith(" …") for stage in found.stderr.splitlines())
    assert published() == []


@pytest.mark.parametrize("command", ["train", "data", "evaluate"])
@pytest.mark.parametrize("option", ["--path", "--mapping"])
def test_a_file_cannot_be_given_with_it(
    database: str, tmp_path: Path, model_tag: str, command: str, option: str
) -> None:
    tag = [model_tag] if command == "evaluate" else []
    options = ["--source", "decisions", option, str(tmp_path / "file")]
    message = error_here(command, *tag, *options, CREDIT_SCORING_DATABASE_URL=database)
    assert message == "--source decisions takes no file: it reads the database in CREDIT_SCORING_DATABASE_URL."


def test_an_address_that_is_none_is_told(tmp_path: Path) -> None:
    message = error_here("data", "--source", "decisions", CREDIT_SCORING_DATABASE_URL="mysql://host/decisions")
    assert message.startswith("The decision log cannot be kept at mysql://host/decisions.")


# End to end


@pytest.fixture
def history(database: str, dataset: Dataset) -> str:
    """Thirty days of ten decisions on clients of the embedded data, whose outcomes are known."""
    part, _ = dataset.split(1 - DAYS * PER_DAY / len(dataset.frame), seed=3)
    clients = [_entry(row) for row in part.frame.to_dict(orient="records")]
    for number in range(DAYS):
        rows = slice(number * PER_DAY, (number + 1) * PER_DAY)
        made = put(database, clients[rows], at=NOON + number * DAY)
        bad = part.defaulted[rows].tolist()
        became = zip(made, bad, strict=True)
        report(database, {each: Outcome.DEFAULTED if is_bad else Outcome.PAID for each, is_bad in became})
    return database


def _entry(row: Mapping[Any, Any]) -> Entry:
    return applied({str(name): _as_sent(str(name), value) for name, value in row.items()})


def _as_sent(name: str, value: Any) -> JsonValue:
    if pd.isna(value):
        return None
    sent: JsonValue = bool(value) if FIELDS[name].kind == "flag" else value
    return sent


def test_data_shows_what_training_would_see(history: str) -> None:
    found = run_here("data", "--source", "decisions", CREDIT_SCORING_DATABASE_URL=history)
    assert found.exit_code == 0
    assert "monthly_income" in found.stdout
    assert "2025-" in found.stdout
    assert "decisions: 300 applications" in found.stderr
    assert "those that were denied" in found.stderr


@pytest.mark.slow
def test_a_model_is_trained_on_the_log_and_its_card_says_so(
    history: str, published: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "CANDIDATES", (CANDIDATE_BY_NAME["logistic_regression"],))
    gate = ["--min-auc", "0.5", "--min-recall", "0"]
    options = ["--source", "decisions", "--trials", "1", "--jobs", "1", *gate]
    found = run_here("train", *options, CREDIT_SCORING_DATABASE_URL=history)
    assert found.exit_code == 0, found.output
    (tag,) = published()
    assert found.stdout == f"{tag}\n"
    folder = Path(store.find(tag).path)
    card = ModelCard.model_validate_json((folder / CARD_FILE).read_bytes())
    log = load(history)
    assert (card.data.source, card.data.sha256, card.data.note) == ("decisions", log.sha256, log.note)
    assert (card.data.rows_train, card.data.rows_test, card.data.bad_rows) == (240, 60, 0)
    assert card.data.split == f"out of time, tested from {(NOON + 24 * DAY).date()} on"
    assert card.features == log.features
    assert f"chosen {card.data.split}" in (folder / "card.html").read_text(encoding="utf-8")
    assert card.selection_bias is not None
    assert (card.selection_bias.refused, card.selection_bias.fields, card.selection_bias.study) == (0, (), None)
    assert "Too few were refused to say how they differ." in found.stderr
    assert "not measured: above the cut-off that would have refused the riskiest third, 0 clients" in found.stderr
    risk = Scorer.load(folder).score(log.frame)
    assert ((risk > 0) & (risk < 1)).all()
