"""The cells that checks look at, against applications of any kind."""

from typing import Any

import numpy as np
from hypothesis import given, settings

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.policy.cells import Domains
from credit_scoring.policy.evaluator import PASS, SEVERITIES, TRUE, Evaluator
from tests.policy.test_evaluator import applications, policy, record, rule, rules

DOMAINS = Domains(CATALOGUE)
SAID = {"APROVADO": PASS, "EM_ANALISE": SEVERITIES["review"], "NEGADO": SEVERITIES["deny"]}


def test_an_amount_that_has_to_be_above_nothing_is_held_to_be_a_cent_at_least() -> None:
    """So a rule that denies whatever is above nothing is refused, though a tenth of a cent would escape it."""
    above_nothing = rule({"field": "credit_letter_value", "above": 0}, "OWN", "deny")
    application = record(credit_letter_value=0.001)
    (ruling,) = Evaluator(policy(above_nothing), CATALOGUE).rulings([application], np.array([0.1]))
    assert ruling.answer == "APROVADO"
    assert DOMAINS.attainable(above_nothing) == {TRUE}


@settings(max_examples=300, deadline=None)
@given(rules, applications)
def test_what_rules_say_to_any_application_is_among_what_the_checks_hold_possible(
    drawn: list[Any], application: dict[str, Any]
) -> None:
    if value := application.get("credit_letter_value"):
        application["credit_letter_value"] = max(value, 0.01)
    elif "credit_letter_value" in application:
        application["credit_letter_value"] = 1.0
    for joined, these, then, missing in drawn:
        own = rule({joined: these}, "OWN", "deny" if then == "pass" else then, missing)
        other = rule({"field": "monthly_income", "below": 1000}, "OTHER", "deny", "review")
        found = [
            Evaluator(policy(each), CATALOGUE).rulings([record(**application)], np.array([0.1]))
            for each in (own, other)
        ]
        said = tuple(SAID[ruling.answer] for (ruling,) in found)
        outcomes = [(PASS, SEVERITIES[each.if_missing or "pass"], SEVERITIES[each.then]) for each in (own, other)]
        possible = {(outcomes[0][a], outcomes[1][b]) for a, b in DOMAINS.attainable_together(own, other)}
        assert said in possible
