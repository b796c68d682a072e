"""The clients of a decision log who have no outcome: who counts, and as what; and the risks of those who have one."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from benchmarks.support.consorcio import EXAMPLE_APPLICATION, FEATURES
from benchmarks.support.decision_records import of_model, put, tamper
from credit_scoring.data.datasets import load_embedded
from credit_scoring.data.past_decisions import PastDecisions
from credit_scoring.decisions.outcomes import Outcome
from credit_scoring.settings import PROJECT_FOLDER
from tests.data.test_history import NOON, database, load, portfolio, report, report_on_application
from tests.decisions.test_effective import APPROVED, DENIED, IN_ANALYSIS, applied, take

__all__ = ["database"]  # a fixture


def past(address: str) -> PastDecisions:
    found = load(address).past
    assert found is not None
    return found


def counted(address: str) -> tuple[list[float], list[float]]:
    """The incomes of the refused and of those whose outcome is open, in the order of their decisions."""
    found = past(address)
    refused, open_ones = (each["monthly_income"].tolist() for each in (found.refused, found.open))
    return refused, open_ones


def test_refused_clients_and_approved_ones_without_an_outcome_are_kept_apart(database: str) -> None:
    portfolio(database)
    incomes = {1.0: DENIED, 2.0: APPROVED, 3.0: DENIED}
    put(database, [applied(answer, monthly_income=income) for income, answer in incomes.items()])
    assert counted(database) == ([1.0, 3.0], [2.0])


def test_whoever_has_an_outcome_is_neither(database: str) -> None:
    portfolio(database)
    (denied,) = put(database, [applied(DENIED, monthly_income=1.0)])
    report(database, {denied: Outcome.PAID})
    assert counted(database) == ([], [])


def test_what_people_decided_counts_and_what_waits_for_them_does_not(database: str) -> None:
    portfolio(database)
    answers = (DENIED, IN_ANALYSIS, IN_ANALYSIS)
    made = put(database, [applied(each, monthly_income=float(income)) for income, each in enumerate(answers)])
    take(database, made[0], "REQUESTED", "REVERSED")
    take(database, made[1], "DENIED")
    assert counted(database) == ([1.0], [0.0])


def test_a_corrected_application_counts_as_its_correction_only(database: str) -> None:
    portfolio(database)
    put(database, [applied(DENIED, application_id="A", monthly_income=1.0)])
    put(database, [applied(APPROVED, application_id="B", replaces="A", monthly_income=2.0)])
    assert counted(database) == ([], [2.0])


def test_an_application_that_was_decided_twice_counts_once(database: str) -> None:
    portfolio(database)
    for income in (1.0, 2.0):
        put(database, [applied(DENIED, application_id="A", asked_by="loja", monthly_income=income)], at=NOON)
    put(database, [applied(DENIED, application_id="A", asked_by="banco", monthly_income=3.0)], at=NOON)
    assert counted(database) == ([1.0, 3.0], [])


def test_one_that_was_decided_twice_and_has_an_outcome_counts_as_one_with_it(database: str) -> None:
    portfolio(database)
    twice = [applied(APPROVED, application_id="A", monthly_income=1.0) for _ in range(2)]
    for each in twice:
        put(database, [each], at=NOON)
    report_on_application(database, "A", Outcome.PAID)
    assert counted(database) == ([], [])
    assert 1.0 in load(database).frame["monthly_income"].tolist()


def test_what_this_catalogue_rejects_is_counted_and_left_out(database: str) -> None:
    portfolio(database)
    first, second = put(database, [applied(DENIED), applied(DENIED, monthly_income=5.0)])
    tamper(database, f"""UPDATE decisions SET received = '{{"sex": "F", "age": 30}}' WHERE id = '{first}'""")
    assert counted(database) == ([5.0], [])
    assert past(database).unusable == 1
    tamper(database, f"""UPDATE decisions SET received = '{{"erased"\\:true}}' WHERE id = '{second}'""")
    assert counted(database) == ([], [])
    assert past(database).unusable == 2


def test_they_have_the_feature_fields_as_they_were_received_and_no_audit_field(database: str) -> None:
    portfolio(database)
    put(database, [applied(DENIED, **{**EXAMPLE_APPLICATION, "housing": None})])
    frame = past(database).refused
    assert tuple(frame) == FEATURES
    assert frame["housing"].tolist() == [None]
    assert frame["monthly_income"].tolist() == [EXAMPLE_APPLICATION["monthly_income"]]
    assert {name: kind.kind for name, kind in frame.dtypes.items()} == {
        name: kind.kind for name, kind in load(database).frame[list(FEATURES)].dtypes.items()
    }


def test_each_row_keeps_the_risk_on_record_and_the_model_that_gave_it(database: str) -> None:
    portfolio(database)
    late = [applied(DENIED, monthly_income=5000.0 + number) for number in range(3)]
    made = put(database, late, at=NOON + timedelta(days=1), origin=of_model("credit_scoring:new"))
    report(database, dict.fromkeys(made, Outcome.PAID))
    whole = load(database)
    newest = whole.rows(np.flatnonzero(whole.frame["monthly_income"] > 4000))
    assert newest.past is not None
    assert newest.past.model.tolist() == ["credit_scoring:new"] * 3
    assert newest.past.risk.tolist() == [each.row.risk_probability for each in late]
    assert {*past(database).model.tolist()} == {"credit_scoring:test", "credit_scoring:new"}


def test_a_sample_keeps_the_rows_and_a_share_of_the_others(database: str) -> None:
    portfolio(database)
    put(database, [applied(answer, monthly_income=float(each)) for each in range(20) for answer in (DENIED, APPROVED)])
    whole = past(database)
    half = whole.sampled(0.5, seed=1)
    assert (len(half.refused), len(half.open), len(half.risk)) == (10, 10, len(whole.risk))
    assert {*half.refused["monthly_income"]} < {*whole.refused["monthly_income"]}


def test_a_file_says_nothing_of_it() -> None:
    assert load_embedded(PROJECT_FOLDER / "data").past is None


@pytest.mark.parametrize("size", [0, 3])
def test_with_chunks_of_any_size_the_same_clients_are_found(
    database: str, size: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    portfolio(database)
    put(database, [applied(DENIED, monthly_income=float(each)) for each in range(10)])
    if size:
        monkeypatch.setattr("credit_scoring.decisions.queries.CHUNK", size)
    assert counted(database) == ([float(each) for each in range(10)], [])
