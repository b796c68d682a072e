"""Reasons and simulations over HTTP: with a decision, of one on record, and the same bytes each time."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.support.consorcio import EXAMPLE_APPLICATION, ConsorcioApplication
from benchmarks.support.decision_records import decided_by, origin_of, put
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.verification import verify
from credit_scoring.model import store
from credit_scoring.model.scorer import Scorer
from tests.conftest import RunningService, wait_until_ready
from tests.test_service import assert_error_shape, served

Json = dict[str, Any]

POLICY = """
[policy]
name = "own"

[[rule]]
id = "TERM"
when = { field = "term_months", above = 120 }
if_missing = "pass"
then = "deny"
reason = "Prazo acima do permitido"
"""
WEAK = {
    **EXAMPLE_APPLICATION,
    "monthly_income": 100.0,
    "monthly_expenses": 5000.0,
    "assets_value": 0.0,
    "outstanding_debt": 900_000.0,
    "has_negative_record": True,
    "job_tenure_years": 0.0,
    "credit_history_years": 0.0,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("explaining")


@pytest.fixture(scope="module")
def explaining(model_tag: str, folder: Path) -> Iterator[RunningService]:
    path = folder / "policy.toml"
    path.write_text(POLICY, encoding="utf-8")
    settings = {
        "CREDIT_SCORING_POLICY_FILE": str(path),
        "CREDIT_SCORING_DATABASE_URL": f"sqlite:///{folder}/decisions.db",
        "CREDIT_SCORING_WHAT_IF_PER_MINUTE": "1000",
    }
    with served(folder, CREDIT_SCORING_MODEL=model_tag, **settings) as running:
        wait_until_ready(running)
        yield running


def post(running: RunningService, path: str, content: Any) -> Any:
    answer = httpx.post(f"{running.url}{path}", json=content, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def reasons_of(running: RunningService, decision_id: str) -> bytes:
    answer = httpx.get(f"{running.url}/decisions/{decision_id}/reasons", timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.content


def test_a_refused_client_is_told_at_most_four_reasons_from_the_largest_down(explaining: RunningService) -> None:
    found = post(explaining, "/predict?reasons=true", WEAK)
    assert found["decision"] == "NEGADO"
    reasons = found["reasons"]
    assert (reasons["decision_id"], reasons["decision"], reasons["rules"]) == (found["decision_id"], "NEGADO", [])
    against = reasons["score"]["against"]
    assert 1 <= len(against) <= 4
    assert [each["share"] for each in against] == sorted((each["share"] for each in against), reverse=True)
    assert all(each["text"] for each in against)


def test_the_same_decision_has_the_same_reasons_to_the_byte_however_they_are_asked_for(
    explaining: RunningService,
) -> None:
    asked = httpx.post(f"{explaining.url}/predict?reasons=true", json=WEAK, timeout=60)
    decision_id = asked.json()["decision_id"]
    first = reasons_of(explaining, decision_id)
    assert b'"reasons":' + first + b"}" in asked.content
    assert reasons_of(explaining, decision_id) == first
    later = post(explaining, "/predict", WEAK)["decision_id"]
    found = reasons_of(explaining, later)
    assert found.replace(later.encode(), decision_id.encode()) == first


def test_what_was_given_is_on_record_in_the_dossier_and_in_the_chain(explaining: RunningService, folder: Path) -> None:
    decision_id = post(explaining, "/predict", WEAK)["decision_id"]
    dossier = partial(httpx.get, f"{explaining.url}/decisions/{decision_id}", timeout=60)
    assert dossier().json()["reasons"] is None
    reasons_of(explaining, decision_id)
    assert dossier().json()["reasons"]["decision_id"] == decision_id
    database = open_database(f"sqlite:///{folder}/decisions.db")
    assert database.run_now(verify, reading=True).problems == []


def test_a_client_whom_a_rule_alone_refuses_is_told_the_rule_and_nothing_of_the_score(
    explaining: RunningService,
) -> None:
    strong = {**EXAMPLE_APPLICATION, "term_months": 121, "credit_letter_value": 100.0, "monthly_income": 50_000.0}
    found = post(explaining, "/predict?reasons=true", strong)
    assert found["rules"] == ["TERM"]
    assert found["risk_probability"] < found["threshold"]
    (rule,) = found["reasons"]["rules"]
    assert (rule["id"], rule["reason"]) == ("TERM", "Prazo acima do permitido")
    assert found["reasons"]["score"] is None


def test_an_approved_client_may_know_what_spoke_for_and_against(explaining: RunningService) -> None:
    strong = {**EXAMPLE_APPLICATION, "credit_letter_value": 100.0, "monthly_income": 50_000.0}
    found = post(explaining, "/predict?reasons=true", strong)
    assert found["decision"] == "APROVADO"
    assert found["reasons"]["score"]["in_favour"]


def test_many_are_explained_each_in_its_place(explaining: RunningService) -> None:
    found = post(explaining, "/predict_many?reasons=true", [WEAK, {"age": 1}, EXAMPLE_APPLICATION])
    assert found[0]["reasons"]["decision_id"] == found[0]["decision_id"]
    assert found[1]["code"] == "invalid_application"
    assert found[2]["reasons"]["decision_id"] == found[2]["decision_id"]
    assert all("reasons" not in each for each in post(explaining, "/predict_many", [WEAK]))


def test_an_application_sent_again_is_explained_as_the_decision_that_stands(explaining: RunningService) -> None:
    application = {**WEAK, "application_id": "explained-again"}
    first = post(explaining, "/predict?reasons=true", application)
    assert post(explaining, "/predict?reasons=true", application) == first


@pytest.fixture
def decided_before(explaining: RunningService, scorer: Scorer, folder: Path) -> Json:
    """An application that a model decided which the service does not have."""
    application = {**WEAK, "application_id": "before-the-rollout"}
    gone = "credit_scoring:gone"
    given = decided_by(scorer, gone, [ConsorcioApplication.model_validate(application)])
    put(f"sqlite:///{folder}/decisions.db", given, origin=origin_of(scorer, gone))
    return application


def test_an_application_of_an_earlier_model_gets_its_decision_and_keeps_no_other_from_the_reasons(
    explaining: RunningService, decided_before: Json
) -> None:
    earlier, new = post(explaining, "/predict_many?reasons=true", [decided_before, WEAK])
    assert (earlier["model"], earlier["decision"], earlier["reasons"]) == ("credit_scoring:gone", "NEGADO", None)
    assert new["reasons"]["decision_id"] == new["decision_id"]
    assert post(explaining, "/predict?reasons=true", decided_before) == earlier
    answer = httpx.get(f"{explaining.url}/decisions/{earlier['decision_id']}/reasons", timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (409, "no_model")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/decisions/019ab2f0-6f3e-7d42-9c1b-5a8d3c2e1f00/reasons", 404), ("/decisions/nonsense/reasons", 404)],
)
def test_there_are_no_reasons_of_a_decision_that_is_not_on_record(
    explaining: RunningService, path: str, status: int
) -> None:
    answer = httpx.get(f"{explaining.url}{path}", timeout=60)
    assert answer.status_code == status
    assert_error_shape(answer)


def test_reasons_are_asked_for_by_true_or_not_at_all(explaining: RunningService) -> None:
    answer = httpx.post(f"{explaining.url}/predict?reasons=maybe", json=WEAK, timeout=60)
    assert answer.status_code == 400
    assert "reasons should be true or false" in answer.json()["detail"]


def test_a_plan_sent_back_is_approved(explaining: RunningService) -> None:
    refused = {**EXAMPLE_APPLICATION, "credit_letter_value": 3_000_000.0}
    assert post(explaining, "/predict", refused)["decision"] == "NEGADO"
    found = post(explaining, "/what_if", {"application": refused})
    assert not found["approved"]
    plans = [*found["single"], *([found["pair"]] if found["pair"] else [])]
    assert plans or found["none"]
    for plan in plans:
        changed = {**refused, **{change["field"]: change["after"] for change in plan["changes"]}}
        assert post(explaining, "/predict", changed)["decision"] == "APROVADO"


def test_rules_count_too(explaining: RunningService) -> None:
    refused = {**EXAMPLE_APPLICATION, "term_months": 200, "credit_letter_value": 1000.0}
    found = post(explaining, "/what_if", {"application": refused, "levers": ["term_months"]})
    for plan in found["single"]:
        assert plan["changes"][0]["after"] <= 120


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({}, "application"),
        ({"application": {"age": 30}}, "application.credit_letter_value"),
        ({"application": EXAMPLE_APPLICATION, "levers": ["age"]}, "'age' is no lever"),
        ({"application": EXAMPLE_APPLICATION, "more": 1}, "more"),
        ([], "valid"),
    ],
)
def test_a_wrong_question_is_refused(explaining: RunningService, question: Any, said: str) -> None:
    answer = httpx.post(f"{explaining.url}/what_if", json=question, timeout=60)
    assert answer.status_code == 400
    assert said in answer.text


@pytest.mark.slow
def test_a_key_asks_so_many_simulations_a_minute_and_is_told_when_to_come_back(model_tag: str, tmp_path: Path) -> None:
    settings = {"CREDIT_SCORING_DECISION_LOG": "off", "CREDIT_SCORING_WHAT_IF_PER_MINUTE": "1"}
    with served(tmp_path, CREDIT_SCORING_MODEL=model_tag, **settings) as running:
        wait_until_ready(running)
        question = {"application": EXAMPLE_APPLICATION}
        post(running, "/what_if", question)
        answer = httpx.post(f"{running.url}/what_if", json=question, timeout=60)
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert post(running, "/predict?reasons=true", WEAK)["reasons"]["decision"] == "NEGADO"


@pytest.mark.slow
def test_a_model_that_can_give_no_reasons_decides_nothing_when_asked_for_them(
    scorer: Scorer, published: Callable[[], list[str]], tmp_path: Path
) -> None:
    store.save(replace(scorer, reference=scorer.reference.model_copy(update={"applicants": ()})))
    (tag,) = published()
    database = f"sqlite:///{tmp_path}/decisions.db"
    with served(tmp_path, CREDIT_SCORING_MODEL=tag, CREDIT_SCORING_DATABASE_URL=database) as running:
        wait_until_ready(running)
        answer = httpx.post(f"{running.url}/predict?reasons=true", json=WEAK, timeout=60)
        assert answer.status_code == 409
        assert "Train a new one" in answer.json()["detail"]
        assert httpx.get(f"{running.url}/decisions", timeout=60).json()["decisions"] == []
        assert post(running, "/predict", WEAK)["decision"] == "NEGADO"


@pytest.mark.slow
def test_where_reasons_are_always_given_every_answer_has_them(model_tag: str, tmp_path: Path) -> None:
    settings = {"CREDIT_SCORING_DECISION_LOG": "off", "CREDIT_SCORING_REASONS": "always"}
    with served(tmp_path, CREDIT_SCORING_MODEL=model_tag, **settings) as running:
        wait_until_ready(running)
        assert post(running, "/predict", WEAK)["reasons"]["decision"] == "NEGADO"
        assert "reasons" not in post(running, "/predict?reasons=false", WEAK)
