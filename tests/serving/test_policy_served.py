"""A service under a lender's own policy, over HTTP: rules, the third answer, and what the model did not know."""

import re
import signal
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.support.consorcio import EXAMPLE_APPLICATION
from benchmarks.support.waiting import wait_for
from tests.conftest import RunningService, wait_until_ready
from tests.test_service import is_ready, served

Json = dict[str, Any]

POLICY = """
[policy]
name = "own"
valid_until = 2999-01-01

[threshold]
deny_at = 0.99

[[rule]]
id = "TERM"
when = {{ field = "term_months", above = {term} }}
if_missing = "review"
then = "deny"
reason = "Prazo acima do permitido"
basis = "Regulamento, cláusula 3"

[[case]]
name = "prazo longo"
application = {{ credit_letter_value = 60000, term_months = 200, age = 30 }}
expect = {{ decision = "{expected}", rules = ["TERM"] }}
"""
GOOD = {**EXAMPLE_APPLICATION, "term_months": 48}


def write(path: Path, term: int = 120, expected: str = "NEGADO") -> None:
    path.write_text(POLICY.format(term=term, expected=expected), encoding="utf-8")


@pytest.fixture(scope="module")
def policy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policy") / "policy.toml"
    write(path)
    return path


@pytest.fixture(scope="module")
def governed(policy_file: Path, model_tag: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("governed")
    settings = {
        "CREDIT_SCORING_POLICY_FILE": str(policy_file),
        "CREDIT_SCORING_DATABASE_URL": f"sqlite:///{folder}/decisions.db",
    }
    with served(folder, CREDIT_SCORING_MODEL=model_tag, **settings) as running:
        wait_until_ready(running)
        yield running


def decide(running: RunningService, application: Json) -> Json:
    answer = httpx.post(f"{running.url}/predict", json=application, timeout=30)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


@pytest.mark.parametrize(
    ("term", "decision", "rules"), [(48, "APROVADO", []), (121, "NEGADO", ["TERM"]), (None, "EM_ANALISE", ["TERM"])]
)
def test_a_rule_denies_sends_to_review_or_passes(
    governed: RunningService, term: int | None, decision: str, rules: list[str]
) -> None:
    application = {**GOOD, "term_months": term}
    found = decide(governed, application)
    assert (found["decision"], found["rules"], found["threshold"]) == (decision, rules, 0.99)
    (among_many,) = httpx.post(f"{governed.url}/predict_many", json=[application], timeout=30).json()
    assert {**among_many, "decision_id": ""} == {**found, "decision_id": ""}


def test_the_answer_names_what_was_not_sent_and_what_lies_beyond_training(governed: RunningService) -> None:
    application = {**GOOD, "credit_letter_value": 9e11}
    del application["has_negative_record"]
    found = decide(governed, application)
    assert found["missing"] == ["has_negative_record"]
    assert found["outside_training"] == ["credit_letter_value"]
    told = decide(governed, {**application, "has_negative_record": False, "credit_letter_value": 24000.0})
    assert (told["missing"], told["outside_training"]) == ([], [])


def test_the_dossier_has_the_words_of_the_policy_of_the_day_and_the_sources(governed: RunningService) -> None:
    sources = {"monthly_income": {"source": "Holerite", "consulted_at": "2026-11-20"}}
    found = decide(governed, {**GOOD, "term_months": 121, "credit_letter_value": 9e11, "sources": sources})
    dossier = httpx.get(f"{governed.url}/decisions/{found['decision_id']}", timeout=30).json()
    (failed,) = dossier["rules"]
    assert failed == {
        "id": "TERM",
        "then": "deny",
        "reason": "Prazo acima do permitido",
        "basis": "Regulamento, cláusula 3",
        "missing": [],
    }
    assert dossier["outside_training"] == found["outside_training"] == ["credit_letter_value", "term_months"]
    assert dossier["received"]["sources"] == sources
    assert "sources" not in dossier["seen"]


def test_the_reasons_and_the_dossier_tell_a_missing_datum_as_such_and_what_the_rule_did_for_it(
    governed: RunningService,
) -> None:
    found = httpx.post(f"{governed.url}/predict?reasons=true", json={**GOOD, "term_months": None}, timeout=60).json()
    failed = {
        "id": "TERM",
        "then": "review",
        "reason": "Dado não informado: Prazo",
        "basis": "Regulamento, cláusula 3",
        "missing": ["term_months"],
    }
    assert (found["decision"], found["reasons"]["rules"]) == ("EM_ANALISE", [failed])
    dossier = httpx.get(f"{governed.url}/decisions/{found['decision_id']}", timeout=30).json()
    assert dossier["rules"] == [failed]


@pytest.mark.parametrize(
    "sources",
    [
        {"salary": {"source": "Holerite"}},
        {"monthly_income": {"source": ""}},
        {"monthly_income": {"source": "Holerite", "consulted_at": "yesterday"}},
        {"monthly_income": {}},
        ["monthly_income"],
    ],
)
def test_a_source_of_no_field_or_of_no_day_is_refused(governed: RunningService, sources: Any) -> None:
    answer = httpx.post(f"{governed.url}/predict", json={**GOOD, "sources": sources}, timeout=30)
    assert answer.status_code == 400
    assert all(fault["field"].startswith("sources") for fault in answer.json()["faults"])
    assert "yesterday" not in answer.text


def test_an_application_sent_again_gets_the_answer_that_was_given_before(governed: RunningService) -> None:
    application = {**GOOD, "application_id": "again", "term_months": None, "credit_letter_value": 9e11}
    first = decide(governed, application)
    assert first["rules"] == ["TERM"]
    assert first["missing"] == ["term_months"]
    assert decide(governed, application) == first


def test_openapi_shows_the_third_answer_only_where_the_policy_can_give_it(
    governed: RunningService, service: RunningService
) -> None:
    def answers(running: RunningService) -> Any:
        document = httpx.get(f"{running.url}/docs.json", timeout=30).json()
        return document["components"]["schemas"]["DecisionAnswer"]["enum"]

    assert answers(governed) == ["APROVADO", "EM_ANALISE", "NEGADO"]
    assert answers(service) == ["APROVADO", "NEGADO"]


def test_metrics_count_the_failures_of_each_rule(governed: RunningService) -> None:
    def failures() -> float:
        lines = httpx.get(f"{governed.url}/metrics", timeout=30).text.splitlines()
        return sum(
            float(line.split()[-1])
            for line in lines
            if line.startswith('credit_scoring_rules_failed_total{rule="TERM"}')
        )

    before = failures()
    decide(governed, {**GOOD, "term_months": 121})
    assert failures() == before + 1


def test_metrics_say_when_the_policy_ends(governed: RunningService) -> None:
    version = decide(governed, GOOD)["policy_version"]
    text = httpx.get(f"{governed.url}/metrics", timeout=30).text
    (end,) = re.findall(rf'^credit_scoring_policy_end_timestamp_seconds{{policy="{version}"}} (\S+)$', text, re.M)
    last_second = datetime(2999, 1, 1, 23, 59, 59, tzinfo=timezone(timedelta(hours=-3)))
    assert float(end) == last_second.timestamp()


@pytest.mark.slow
def test_a_policy_whose_case_fails_is_not_served_the_one_before_stays_and_a_good_one_takes_its_place(
    governed: RunningService, policy_file: Path
) -> None:
    def count(text: str) -> int:
        return governed.log_text().count(text)

    version = decide(governed, GOOD)["policy_version"]
    write(policy_file, expected="APROVADO")
    governed.process.send_signal(signal.SIGHUP)
    wait_for(lambda: count("The workers stay as they are"), "the refusal", within=300)
    assert "case 'prazo longo': came to NEGADO by TERM, expected APROVADO by TERM" in governed.log_text()
    assert is_ready(governed)
    assert decide(governed, GOOD)["policy_version"] == version
    write(policy_file, term=24)
    governed.process.send_signal(signal.SIGHUP)
    wait_for(lambda: count("All workers have been replaced"), "new workers", within=300)
    changed = decide(governed, GOOD)
    assert changed["policy_version"] != version
    assert changed["rules"] == ["TERM"]


@pytest.mark.slow
def test_a_service_whose_policy_is_refused_never_becomes_ready_and_says_why(model_tag: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text('[policy]\nname = "later"\nvalid_from = 2999-01-01\n', encoding="utf-8")
    settings = {"CREDIT_SCORING_MODEL": model_tag, "CREDIT_SCORING_POLICY_FILE": str(path)}
    with served(tmp_path, **settings) as running:
        wait_for(lambda: "decides nothing and will not be ready" in running.log_text(), "the message")
        assert "it is valid from 2999-01-01, and today is" in running.log_text()
        assert not is_ready(running)
