"""The evaluator against a plain reading of the rules, one application at a time."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.application.schemas import Answer
from credit_scoring.policy.costs import CostMatrix
from credit_scoring.policy.evaluator import ANSWERS, Evaluator, Ruling
from credit_scoring.policy.policy import Policy
from credit_scoring.policy.rules import RISK, Predicate, Rule

COSTS = CostMatrix()
NUMBERS = ("credit_letter_value", "monthly_income", "term_months")
BOUNDS = st.sampled_from([0.0, 0.3, 1.0, 12.0, 60.0, 999.99, 1000.0, 1000.01, 50000.0])
VALUES = BOUNDS | st.floats(0, 1e6)


def rule(when: Mapping[str, Any], id: str = "R", then: str = "deny", if_missing: str = "pass") -> Rule:
    return Rule.model_validate({"id": id, "when": when, "then": then, "if_missing": if_missing, "reason": "Motivo"})


def policy(*rules: Rule, threshold: float = 0.5, review_from: float | None = None) -> Policy:
    return Policy(threshold=threshold, review_from=review_from, costs=COSTS, rules=rules)


def record(**values: Any) -> dict[str, Any]:
    return {**dict.fromkeys(CATALOGUE.fields), **values}


def ruling(of: Policy, application: Mapping[str, Any], risk: float = 0.1) -> Ruling:
    (found,) = Evaluator(of, CATALOGUE).rulings([application], np.array([risk]))
    return found


class TestThreshold:
    @given(st.floats(0.01, 0.99))
    def test_a_risk_at_the_threshold_is_negado_and_one_below_it_aprovado(self, threshold: float) -> None:
        assert ruling(policy(threshold=threshold), {}, threshold).answer is Answer.DENIED
        assert ruling(policy(threshold=threshold), {}, float(np.nextafter(threshold, 0))).answer is Answer.APPROVED

    @pytest.mark.parametrize(("risk", "answer"), [(0.29, "APROVADO"), (0.3, "EM_ANALISE"), (0.5, "NEGADO")])
    def test_a_band_below_the_threshold_is_in_analysis(self, risk: float, answer: str) -> None:
        assert ruling(policy(review_from=0.3), {}, risk).answer == answer


class TestRules:
    @pytest.mark.parametrize(
        ("when", "values", "holds"),
        [
            ({"field": "monthly_income", "above": 1000}, {"monthly_income": 1000.004}, False),
            ({"field": "monthly_income", "above": 1000}, {"monthly_income": 1000.006}, True),
            ({"field": "monthly_income", "at_least": 0.29}, {"monthly_income": 0.29}, True),
            ({"field": "term_months", "between": [12, 24]}, {"term_months": 24}, True),
            ({"field": "term_months", "below": 24}, {"term_months": 24}, False),
            ({"field": "job_type", "in": ["SELF_EMPLOYED", "OTHER"]}, {"job_type": "OTHER"}, True),
            ({"field": "job_type", "not_in": ["PERMANENT"]}, {"job_type": "PERMANENT"}, False),
            ({"field": "has_negative_record", "in": [True]}, {"has_negative_record": True}, True),
            ({"field": "has_negative_record", "in": [True]}, {"has_negative_record": False}, False),
            ({"field": "has_negative_record", "is_missing": True}, {}, True),
            ({"field": "job_type", "is_missing": True}, {"job_type": "OTHER"}, False),
            ({"field": RISK, "at_least": 0.1}, {}, True),
            (
                {"field": "instalment_over_income", "above": 0.3},
                {"credit_letter_value": 60000.0, "term_months": 60, "monthly_income": 3200.0},
                True,
            ),
        ],
    )
    def test_a_predicate_holds_or_does_not(self, when: Any, values: dict[str, Any], holds: bool) -> None:
        assert ruling(policy(rule(when)), record(**values)).rules == (("R",) if holds else ())

    @pytest.mark.parametrize("if_missing", ["pass", "review", "deny"])
    def test_the_rule_decides_what_a_missing_value_means(self, if_missing: str) -> None:
        income = {"field": "monthly_income", "below": 1000}
        found = ruling(policy(rule(income, if_missing=if_missing)), record())
        answer = {"pass": Answer.APPROVED, "review": Answer.REVIEW, "deny": Answer.DENIED}[if_missing]
        assert found == Ruling(answer, () if if_missing == "pass" else ("R",))

    def test_a_false_predicate_settles_all_and_a_true_one_any_whatever_is_missing(self) -> None:
        income, term = {"field": "monthly_income", "below": 1000}, {"field": "term_months", "above": 48}
        short, long = record(term_months=12), record(term_months=60)
        assert ruling(policy(rule({"all": [income, term]}, if_missing="deny")), short).rules == ()
        assert ruling(policy(rule({"any": [income, term]}, if_missing="pass")), long).rules == ("R",)

    def test_every_rule_that_did_not_pass_is_named_and_the_strictest_decides(self) -> None:
        low, long = {"field": "monthly_income", "below": 5000}, {"field": "term_months", "above": 48}
        both = policy(rule(long, "LONG", "review"), rule(low, "LOW"))
        assert ruling(both, record(monthly_income=1.0, term_months=60)) == Ruling(Answer.DENIED, ("LONG", "LOW"))
        assert ruling(both, record(monthly_income=9000.0, term_months=60)) == Ruling(Answer.REVIEW, ("LONG",))

    def test_a_policy_without_rules_needs_no_fields_and_one_with_them_names_those(self) -> None:
        ratio = {"field": "instalment_over_income", "above": 0.3}
        assert Evaluator(policy(), CATALOGUE).fields == ()
        needed = {"credit_letter_value", "term_months", "monthly_income"}
        assert {*Evaluator(policy(rule(ratio)), CATALOGUE).fields} == needed


predicates = st.one_of(
    st.builds(
        lambda field, operator, bound: {"field": field, operator: bound},
        st.sampled_from([*NUMBERS, "instalment", "instalment_over_income", RISK]),
        st.sampled_from(["above", "at_least", "below", "at_most"]),
        BOUNDS,
    ),
    st.builds(
        lambda field, ends: {"field": field, "between": sorted(ends)},
        st.sampled_from(NUMBERS),
        st.tuples(BOUNDS, BOUNDS),
    ),
    st.builds(
        lambda operator, values: {"field": "job_type", operator: values},
        st.sampled_from(["in", "not_in"]),
        st.lists(st.sampled_from(["PERMANENT", "OTHER", "PART_TIME"]), min_size=1, unique=True),
    ),
    st.builds(lambda value: {"field": "has_negative_record", "in": [value]}, st.booleans()),
    st.builds(
        lambda field: {"field": field, "is_missing": True}, st.sampled_from([*NUMBERS, "job_type", "instalment"])
    ),
)
severities = st.sampled_from(["pass", "review", "deny"])
rules = st.lists(
    st.tuples(st.sampled_from(["all", "any"]), st.lists(predicates, min_size=1, max_size=3), severities, severities),
    max_size=8,
)
applications = st.fixed_dictionaries(
    {
        **{name: st.none() | VALUES for name in ("credit_letter_value", "monthly_income")},
        "term_months": st.none() | st.integers(1, 420),
        "job_type": st.none() | st.sampled_from(["PERMANENT", "OTHER", "PART_TIME", "SELF_EMPLOYED"]),
        "has_negative_record": st.none() | st.booleans(),
    }
)


def by_hand(each: Predicate, values: Mapping[str, Any]) -> bool | None:
    """Whether a predicate holds; None where that cannot be known."""
    value = values[each.field]
    if each.is_missing:
        return value is None
    if value is None:
        return None
    if each.chosen:
        return (value in each.chosen) == (each.not_in is None)
    money = each.field in ("credit_letter_value", "monthly_income", "instalment")
    number, ends = (
        (float(np.rint(value * 100)), [float(np.rint(b * 100)) for b in each.bounds]) if money else (value, each.bounds)
    )
    compare = {
        "above": lambda: number > ends[0],
        "at_least": lambda: number >= ends[0],
        "below": lambda: number < ends[0],
        "at_most": lambda: number <= ends[0],
        "between": lambda: ends[0] <= number <= ends[1],
    }
    return bool(compare[each.operators[0]]())


def with_derived(application: Mapping[str, Any], risk: float) -> dict[str, Any]:
    letter, term, income = (application[name] for name in ("credit_letter_value", "term_months", "monthly_income"))
    instalment = None if letter is None or term is None else letter / term
    ratio = None if instalment is None or income is None else _ratio(instalment, income)
    return {**application, "instalment": instalment, "instalment_over_income": ratio, RISK: risk}


def _ratio(numerator: float, denominator: float) -> float:
    if denominator == 0:
        return 0.0 if numerator == 0 else math.inf
    with np.errstate(over="ignore"):
        return float(np.divide(numerator, denominator))


def expected(of: Policy, application: Mapping[str, Any], risk: float) -> Ruling:
    values, failed = with_derived(application, risk), {}
    for each in of.rules:
        found = [by_hand(predicate, values) for predicate in each.when.predicates]
        settled, other = (False, True) if each.when.all is not None else (True, False)
        state = settled if settled in found else (None if None in found else other)
        severity = {True: each.then, None: each.if_missing, False: "pass"}[state]
        if severity != "pass":
            failed[each.id] = severity
    strictest = "deny" if risk >= of.threshold or "deny" in failed.values() else "review"
    answer = Answer.DENIED if strictest == "deny" else (Answer.REVIEW if failed else Answer.APPROVED)
    return Ruling(answer, tuple(sorted(failed)))


@settings(max_examples=300, deadline=None)
@given(rules, st.lists(st.tuples(applications, st.floats(0, 1)), min_size=1, max_size=6))
def test_any_policy_decides_any_applications_as_a_plain_reading_of_it_does(
    drawn: Sequence[Any], sample: list[tuple[dict[str, Any], float]]
) -> None:
    found = [
        rule({joined: these}, f"R{place}", "deny" if then == "pass" else then, missing)
        for place, (joined, these, then, missing) in enumerate(drawn)
    ]
    whole = policy(*found)
    records, risks = [record(**application) for application, _ in sample], [risk for _, risk in sample]
    together = Evaluator(whole, CATALOGUE).rulings(records, np.array(risks))
    assert together == [expected(whole, each, risk) for each, risk in zip(records, risks, strict=True)]
    alone = [ruling(whole, each, risk) for each, risk in zip(records, risks, strict=True)]
    assert together == alone
    said = Evaluator(whole, CATALOGUE).severities(records, np.array(risks))
    assert [ANSWERS[each] for each in said.max(axis=1)] == [each.answer for each in together]
    ids = [each.id for each in found]
    assert [tuple(id for id, code in zip(ids, row[1:], strict=True) if code) for row in said] == [
        each.rules for each in together
    ]
