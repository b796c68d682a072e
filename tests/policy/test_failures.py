"""What rules did to an application: by their condition only where that held, else by the datum that was missing."""

from collections.abc import Mapping
from typing import Any

import pytest

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.policy.costs import CostMatrix
from credit_scoring.policy.failures import Failures
from credit_scoring.policy.policy import Policy
from credit_scoring.policy.rules import FailedRule, Rule

SHARE = {"field": "instalment_over_income", "above": 0.3}
TERM = {"field": "term_months", "above": 120}
CLIENT = {"credit_letter_value": 60_000.0, "term_months": 60, "monthly_income": 2000.0}


def rule(when: Mapping[str, Any], if_missing: str | None = "review", then: str = "deny", id: str = "R") -> Rule:
    content = {"id": id, "when": when, "then": then, "if_missing": if_missing, "reason": "Motivo", "basis": "Norma"}
    return Rule.model_validate(content)


def told(*rules: Rule, known: bool = True, **changes: Any) -> tuple[FailedRule, ...]:
    policy = Policy(threshold=0.5, costs=CostMatrix(), rules=rules)
    failures = Failures(policy, CATALOGUE if known else None)
    return failures.told([each.id for each in rules], {**CLIENT, **changes}, 0.1)


def test_a_rule_whose_condition_held_did_what_it_says_for_its_own_reason() -> None:
    (found,) = told(rule(SHARE))
    assert found == FailedRule(id="R", then="deny", reason="Motivo", basis="Norma")


@pytest.mark.parametrize("absent", [None, float("nan")])
@pytest.mark.parametrize(("if_missing", "then"), [("review", "deny"), ("deny", "review"), ("deny", "deny")])
def test_a_rule_that_a_missing_datum_made_fail_did_what_is_said_for_that_and_names_the_datum(
    absent: float | None, if_missing: str, then: str
) -> None:
    (found,) = told(rule(SHARE, if_missing, then), monthly_income=absent)
    assert found == FailedRule(
        id="R",
        then=if_missing,
        reason="Dado não informado: Renda mensal",
        basis="Norma",
        missing=("monthly_income",),
    )


def test_a_field_that_the_record_does_not_even_name_is_missing() -> None:
    policy = Policy(threshold=0.5, costs=CostMatrix(), rules=(rule(SHARE),))
    (found,) = Failures(policy, CATALOGUE).told(["R"], {"credit_letter_value": 60_000.0, "term_months": 60}, 0.1)
    assert found.missing == ("monthly_income",)


def test_of_several_data_each_that_is_missing_is_named_once() -> None:
    (found,) = told(rule({"any": [SHARE, TERM]}), monthly_income=None, term_months=None)
    assert found.reason == "Dados não informados: Prazo, Renda mensal"


def test_a_missing_datum_that_other_conditions_make_idle_is_not_told() -> None:
    (found,) = told(rule({"any": [SHARE, TERM]}), monthly_income=None, term_months=121)
    assert (found.then, found.reason, found.missing) == ("deny", "Motivo", ())


def test_a_rule_that_asks_whether_a_datum_is_missing_says_so_in_its_own_words() -> None:
    (found,) = told(rule({"field": "monthly_income", "is_missing": True}, None, "review"), monthly_income=None)
    assert (found.then, found.reason) == ("review", "Motivo")


def test_each_rule_is_told_by_itself() -> None:
    first, second = told(rule(SHARE, id="A"), rule(TERM, "pass", id="B"), monthly_income=None, term_months=121)
    assert (first.then, second.then) == ("review", "deny")


@pytest.mark.parametrize(("if_missing", "then"), [("pass", "deny"), ("review", ""), ("deny", "")])
def test_without_the_catalogue_only_what_is_certain_is_told(if_missing: str, then: str) -> None:
    (found,) = told(rule(SHARE, if_missing), known=False, monthly_income=None)
    assert (found.then, found.missing) == (then, ())


def test_of_an_application_that_was_altered_on_record_only_what_is_certain_is_told() -> None:
    (found,) = told(rule(SHARE), monthly_income="much")
    assert found.then == ""


def test_a_rule_that_the_policy_does_not_have_has_its_id_alone() -> None:
    policy = Policy(threshold=0.5, costs=CostMatrix())
    assert Failures(policy, CATALOGUE).told(["GONE"], CLIENT, 0.1) == (FailedRule(id="GONE"),)
