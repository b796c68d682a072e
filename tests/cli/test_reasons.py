"""`credit-scoring decisions reasons` as its users run it."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from benchmarks.support.consorcio import EXAMPLE_APPLICATION, ConsorcioApplication
from benchmarks.support.decision_records import ask, decided_by, origin_of, put, tamper
from credit_scoring.decisions import explanations, schema_version
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.verification import verify
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.policy import Policy
from credit_scoring.policy.rules import Rule
from tests.support.command_line import error_here, run_here

TERM = Rule.model_validate(
    {
        "id": "TERM",
        "when": {"field": "term_months", "above": 24},
        "if_missing": "pass",
        "then": "deny",
        "reason": "Prazo acima do permitido",
    }
)


@pytest.fixture
def address(tmp_path: Path) -> str:
    found = f"sqlite:///{tmp_path}/decisions.db"
    ask(found, schema_version.upgrade)
    return found


@pytest.fixture
def decision(address: str, scorer: Scorer, model_tag: str) -> str:
    """A decision under a policy that is not the stored model's own any more."""
    then = replace(scorer, policy=Policy(threshold=0.01, costs=scorer.policy.costs, rules=(TERM,)))
    applications = [ConsorcioApplication.model_validate(EXAMPLE_APPLICATION)]
    (found,) = put(address, decided_by(then, model_tag, applications), origin=origin_of(then, model_tag))
    return found


def test_a_decision_is_explained_in_the_clients_words_by_the_policy_of_its_day(address: str, decision: str) -> None:
    lines = run_here("decisions", "reasons", decision, "--database", address).stdout.splitlines()
    assert lines[:2] == [f"Decisão {decision}: NEGADO", "Regra TERM: Prazo acima do permitido"]


def test_what_was_given_before_is_shown_as_it_was_and_altering_it_is_found(address: str, decision: str) -> None:
    content = json.loads(run_here("decisions", "reasons", decision, "--database", address, "--json").stdout)
    content["rules"][0]["reason"] = "Como foi dito na época"
    ask(address, partial(explanations.keep, {decision: json.dumps(content)}, {decision: ""}))
    assert (
        "Regra TERM: Como foi dito na época" in run_here("decisions", "reasons", decision, "--database", address).stdout
    )
    assert ask(address, verify).problems == []
    tamper(address, "UPDATE explanations SET content = replace(content, 'Como', 'Assim')")
    (problem,) = ask(address, verify).problems
    assert "reasons" in problem
    assert "was altered" in problem


@pytest.mark.parametrize(
    ("further", "told"),
    [(1, "Outro grupo conta contra, com 3%."), (2, "Outros 2 grupos contam contra, com 3%.")],
)
def test_groups_that_are_not_named_are_counted_and_abbreviations_keep_their_capitals(
    address: str, decision: str, further: int, told: str
) -> None:
    reason = {"group": "bureau", "title": "Birô", "share": 0.97, "field": "scr_total", "field_title": "SCR, saldo"}
    score = {
        "against": [{**reason, "text": "Dívidas"}],
        "further": further,
        "further_share": 0.03,
        "in_favour": [reason],
    }
    content = {"decision_id": decision, "decision": "NEGADO", "rules": [], "score": score}
    ask(address, partial(explanations.keep, {decision: json.dumps(content)}, {decision: ""}))
    lines = run_here("decisions", "reasons", decision, "--database", address).stdout.splitlines()
    assert lines[1:] == [
        "Contra (97%): Dívidas — sobretudo SCR, saldo",
        told,
        "A favor (97%): Birô — sobretudo SCR, saldo",
    ]


def test_reasons_need_a_decision_on_record_and_its_model(address: str, scorer: Scorer) -> None:
    assert "No such decision is on record" in error_here("decisions", "reasons", new_id(), "--database", address)
    assert "No such decision is on record" in error_here("decisions", "reasons", "nonsense", "--database", address)
    applications = [ConsorcioApplication.model_validate(EXAMPLE_APPLICATION)]
    gone = "credit_scoring:gone"
    (decision,) = put(address, decided_by(scorer, gone, applications), origin=origin_of(scorer, gone))
    assert f"No model {gone}" in error_here("decisions", "reasons", decision, "--database", address)
