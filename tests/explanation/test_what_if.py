"""Every plan is approved when its application is sent anew, none is larger than it has to be, and a proof is one."""

import json
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.serving.applications import sample_of
from benchmarks.support.consorcio import AUDIT_FIELDS, CATALOGUE, EXAMPLE_APPLICATION, FIELDS
from credit_scoring.application.arrays import Flags
from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.schemas import Answer
from credit_scoring.data.datasets import Dataset
from credit_scoring.errors import RequestError
from credit_scoring.explanation.levers import grid
from credit_scoring.explanation.searches import Approved, Budget, Record
from credit_scoring.explanation.simulation import Change, Extent, Holds, Plan, WhatIf
from credit_scoring.explanation.what_if import what_if
from credit_scoring.model.scorer import Scorer

CLIENTS = 150
DIRECTED = ("monthly_income", "outstanding_debt")
LARGEST = {"job_tenure_years": 60.0, "credit_history_years": 60.0, "age": 120, "term_months": 420}


@pytest.fixture(scope="module")
def policy(scorer: Scorer) -> Approved:
    """A whole policy: the model's risk, an instalment of 30 % of the income at most, and legal capacity."""
    served = scorer.with_compiled_form()

    def approved(records: Sequence[Record]) -> Flags:
        passes = np.array([ruling.answer is Answer.APPROVED for ruling in served.decide(records)[1]])
        within = np.array([_within_the_rules(record) for record in records])
        return np.array([*map(all, zip(passes, within, strict=True))])

    return approved


def _within_the_rules(record: Record) -> bool:
    letter, term, income = (record[name] for name in ("credit_letter_value", "term_months", "monthly_income"))
    return bool(income and term and letter / term <= 0.3 * income and record["age"] >= 18)


@pytest.fixture(scope="module")
def refused(scorer: Scorer, dataset: Dataset, policy: Approved) -> list[dict[str, Any]]:
    """Clients of the demo data whom the policy refuses, as valid applications."""
    clients = sample_of(scorer, dataset.frame.sample(4 * CLIENTS, random_state=1))
    records = [_valid(json.loads(body)) for body in clients.bodies]
    found = [record for record, passes in zip(records, policy(records), strict=True) if not passes]
    assert len(found) >= CLIENTS
    return found[:CLIENTS]


@pytest.fixture(scope="module")
def answers(refused: Sequence[Record], policy: Approved) -> list[WhatIf]:
    return [what_if(record, CATALOGUE, policy) for record in refused]


def _valid(content: Mapping[str, Any]) -> dict[str, Any]:
    """An application as the service sees it, that has passed validation."""
    return dict(CATALOGUE.application.model_validate_json(json.dumps({**content})).__dict__)


def plans(answer: WhatIf) -> list[Plan]:
    return [*answer.single, *([answer.pair] if answer.pair else [])]


def with_plan(record: Record, plan: Plan) -> dict[str, Any]:
    return {**record, **{change.field: change.after for change in plan.changes}}


def test_every_plan_is_approved_when_it_is_sent_anew_and_alone(
    refused: Sequence[Record], answers: Sequence[WhatIf], policy: Approved
) -> None:
    sent = [(record, plan) for record, answer in zip(refused, answers, strict=True) for plan in plans(answer)]
    assert len(sent) > CLIENTS / 2
    assert all(policy([_valid(with_plan(record, plan))])[0] for record, plan in sent)
    assert {len(plan.changes) for _, plan in sent} == {1, 2}


def test_plans_move_levers_only_and_within_their_bounds(refused: Sequence[Record], answers: Sequence[WhatIf]) -> None:
    for record, answer in zip(refused, answers, strict=True):
        for change in (change for plan in plans(answer) for change in plan.changes):
            lever = CATALOGUE.levers[change.field]
            assert change.field not in AUDIT_FIELDS
            assert change.before == record[change.field] != change.after
            assert lever.at_least <= change.after <= lever.at_most


def test_every_answer_has_plans_or_a_proof(answers: Sequence[WhatIf]) -> None:
    for answer in answers:
        assert not answer.approved
        assert answer.complete
        assert bool(answer.single) + (answer.pair is not None) + (answer.none is not None) == 1
    assert any(answer.none for answer in answers)


def test_a_smaller_change_of_a_single_lever_is_refused(
    refused: Sequence[Record], answers: Sequence[WhatIf], policy: Approved
) -> None:
    seen = set()
    for record, answer in zip(refused, answers, strict=True):
        for plan in answer.single:
            (change,) = plan.changes
            nearer = _nearer(change)
            seen.add(change.holds)
            if nearer and change.holds is not Holds.EVERY_LOWER_GRID_VALUE:
                assert not policy([{**record, change.field: value} for value in nearer]).any()
    assert seen == {*Holds}


def _nearer(change: Change) -> list[float]:
    """The grid values that would be a smaller change."""
    values = grid(CATALOGUE.levers[change.field], FIELDS[change.field].kind == "integer")
    if change.before is None:
        up = FIELDS[change.field].risk_moves != "up"
        return [value for value in values if (value < change.after if up else value > change.after)]
    distance = abs(change.after - change.before)
    return [value for value in values if abs(value - change.before) < distance and value != change.before]


def test_every_better_value_of_a_directed_lever_is_approved_too(
    refused: Sequence[Record], answers: Sequence[WhatIf], policy: Approved
) -> None:
    for record, answer in zip(refused, answers, strict=True):
        for plan in plans(answer):
            for change in plan.changes:
                if change.holds is Holds.EVERY_BETTER_VALUE:
                    assert policy([{**with_plan(record, plan), change.field: each} for each in _better(change)]).all()


def _better(change: Change) -> list[float]:
    up = FIELDS[change.field].risk_moves == "down"
    values = grid(CATALOGUE.levers[change.field], False)
    return [value for value in values if (value >= change.after if up else value <= change.after)]


def test_below_the_largest_letter_every_value_of_the_grid_is_approved_and_the_next_one_is_not(
    refused: Sequence[Record], answers: Sequence[WhatIf], policy: Approved
) -> None:
    values = grid(CATALOGUE.levers["credit_letter_value"], False)
    for record, answer in zip(refused, answers, strict=True):
        letter = answer.largest_letter
        assert letter is not None
        largest = 0 if letter.value is None else letter.value
        passes = policy([{**record, "credit_letter_value": value} for value in values])
        lower = [value for value in values if value <= largest]
        assert passes[: len(lower)].all()
        assert values[len(lower)] > record["credit_letter_value"] or not passes[len(lower)]
        assert largest < record["credit_letter_value"]


def test_a_pair_is_given_only_where_no_single_lever_suffices_and_needs_both(
    refused: Sequence[Record], answers: Sequence[WhatIf], policy: Approved
) -> None:
    for record, answer in zip(refused, answers, strict=True):
        if answer.pair:
            assert not answer.single
            first, second = answer.pair.changes
            alone = [{**record, change.field: change.after} for change in (first, second)]
            assert not policy(alone).any()


def test_where_it_is_proven_that_no_plan_exists_a_grid_over_all_directed_levers_finds_none(
    refused: Sequence[Record], answers: Sequence[WhatIf], policy: Approved
) -> None:
    proven = [(record, answer.none) for record, answer in zip(refused, answers, strict=True) if answer.none]
    assert proven
    for record, none in proven[:20]:
        assert (none.proven, none.extent) == (DIRECTED, Extent.ANY_COMBINATION)
        grids = [grid(CATALOGUE.levers[name], False)[::17] for name in DIRECTED]
        tried = [{**record, **dict(zip(DIRECTED, values, strict=True))} for values in product(*grids)]
        best = {**record, "monthly_income": 100_000.0, "outstanding_debt": 0.0}
        assert not policy([*tried, best]).any()
        for name in none.tried:
            values = grid(CATALOGUE.levers[name], FIELDS[name].kind == "integer")
            # of the letter a value alone may pass, with refused ones below it
            if name != "credit_letter_value":
                assert not policy([{**record, name: value} for value in values]).any()


def test_an_answer_is_the_same_each_time(
    refused: Sequence[Record], policy: Approved, answers: Sequence[WhatIf]
) -> None:
    again = [what_if(record, CATALOGUE, policy) for record in refused[:20]]
    assert [each.model_dump_json() for each in again] == [each.model_dump_json() for each in answers[:20]]


def test_an_approved_application_is_told_its_largest_letter_and_no_changes(policy: Approved) -> None:
    answer = what_if(_valid(EXAMPLE_APPLICATION), CATALOGUE, policy)
    assert answer.approved
    assert (answer.single, answer.pair, answer.none) == ((), None, None)
    assert answer.largest_letter is not None
    assert answer.largest_letter.value is not None
    assert answer.largest_letter.value >= EXAMPLE_APPLICATION["credit_letter_value"]  # type: ignore[operator]


def present(name: str) -> st.SearchStrategy[Any]:
    field = FIELDS[name]
    if field.kind == "category":
        return st.sampled_from(field.categories)
    if field.kind == "flag":
        return st.booleans()
    low = field.at_least or (1 if field.kind == "integer" else 0.01 if field.above is not None else 0)
    large = LARGEST.get(name, 1e7)
    if field.kind == "integer":
        return st.integers(int(low), int(large))
    return st.floats(low, large) | st.floats(low, max(large / 1000, 1))


APPLICATIONS = st.fixed_dictionaries(
    {
        name: present(name) if field.required else st.none() | present(name)
        for name, field in FIELDS.items()
        if name != "application_id"
    }
)


@settings(max_examples=150)
@given(content=APPLICATIONS, levers=st.none() | st.sets(st.sampled_from([*CATALOGUE.levers]), min_size=1))
def test_whatever_the_application_its_plans_are_approved_and_move_what_may_move(
    policy: Approved, content: dict[str, Any], levers: set[str] | None
) -> None:
    record = _valid(content)
    answer = what_if(record, CATALOGUE, policy, levers=levers)
    assert answer.complete
    assert answer.approved == policy([record])[0]
    for plan in plans(answer):
        assert {change.field for change in plan.changes} <= (levers or {*CATALOGUE.levers})
        assert policy([_valid(with_plan(record, plan))])[0]
    if answer.largest_letter and answer.largest_letter.value:
        assert policy([{**record, "credit_letter_value": answer.largest_letter.value}])[0]


@pytest.mark.parametrize("name", [*CATALOGUE.levers])
def test_a_lever_whose_value_is_missing_can_be_told(policy: Approved, name: str) -> None:
    if FIELDS[name].required:
        return
    record = _valid({**EXAMPLE_APPLICATION, "monthly_income": 900.0, name: None})
    answer = what_if(record, CATALOGUE, policy)
    changes = [change for plan in plans(answer) for change in plan.changes if change.field == name]
    assert all(change.before is None for change in changes)
    assert all(policy([with_plan(record, plan)])[0] for plan in plans(answer))


def test_a_missing_income_that_a_rule_asks_for_is_the_change_that_is_needed(policy: Approved) -> None:
    record = _valid({**EXAMPLE_APPLICATION, "monthly_income": None})
    answer = what_if(record, CATALOGUE, policy)
    assert "renda mensal de pelo menos R$" in answer.single[0].text
    assert "(hoje sem informação)" in answer.single[0].text


def needing(*names: str) -> Approved:
    """Approves where each of these levers is at its best or beyond."""
    best = {"monthly_income": 5000.0, "outstanding_debt": -1000.0, "term_months": 60}
    sign = {"outstanding_debt": -1}
    return lambda records: np.array([all(sign.get(n, 1) * r[n] >= best[n] for n in names) for r in records])


POOR = {**EXAMPLE_APPLICATION, "monthly_income": 2000.0, "outstanding_debt": 9000.0, "term_months": 48}


def test_a_pair_of_directed_levers_moves_each_as_little_as_it_has_to() -> None:
    answer = what_if(POOR, CATALOGUE, needing("monthly_income", "outstanding_debt"))
    assert answer.pair is not None
    assert [(change.field, change.after) for change in answer.pair.changes] == [
        ("monthly_income", 5000.0),
        ("outstanding_debt", 1000.0),
    ]


def test_where_three_levers_are_needed_the_proof_is_of_pairs_only() -> None:
    answer = what_if(POOR, CATALOGUE, needing("monthly_income", "outstanding_debt", "term_months"))
    assert answer.none is not None
    assert answer.none.extent is Extent.ANY_COMBINATION
    fields = {name: {**FIELDS[name].model_dump(), "group": None} for name in ("term_months", *DIRECTED)}
    fields["term_months"]["risk_moves"] = "down"
    three = Catalogue.model_validate({"name": "three", "fields": fields})
    answer = what_if(POOR, three, needing("monthly_income", "outstanding_debt", "term_months"))
    assert answer.none is not None
    assert (answer.none.extent, answer.none.proven) == (Extent.ALONE_OR_IN_PAIRS, ("term_months", *DIRECTED))


def test_of_a_lever_on_which_a_rule_depends_in_another_direction_nothing_is_proven() -> None:
    """A rule that refuses incomes above 6,000 would make the best income a proof of what is not so."""

    def approved(records: Sequence[Record]) -> Flags:
        return np.array([5000 <= record["monthly_income"] <= 6000 for record in records])

    answer = what_if(POOR, CATALOGUE, approved, undirected=["monthly_income"])
    (change,) = answer.single[0].changes
    assert (change.field, change.after, change.holds) == ("monthly_income", 5000.0, Holds.THIS_VALUE)


@pytest.mark.parametrize("evaluations", range(0, 600, 40))
def test_an_answer_that_ran_out_of_budget_says_so_and_claims_no_more_than_it_knows(evaluations: int) -> None:
    asked: list[Record] = []

    def approved(records: Sequence[Record]) -> Flags:
        asked.extend(records)
        return np.zeros(len(records), dtype=np.bool_)

    answer = what_if(POOR, CATALOGUE, approved, budget=Budget(evaluations=evaluations))
    assert answer.evaluations == len(asked) <= max(evaluations, 2)
    assert not answer.complete
    assert (answer.none, answer.largest_letter, answer.pair) == (None, None, None)
    assert answer.notice.startswith("A simulação foi interrompida antes do fim")


def test_no_time_at_all_still_says_whether_the_application_is_approved(policy: Approved) -> None:
    answer = what_if(_valid(EXAMPLE_APPLICATION), CATALOGUE, policy, budget=Budget(seconds=0))
    assert answer.approved
    assert not answer.complete
    assert answer.largest_letter is None


def test_without_the_letter_among_the_levers_its_largest_value_is_not_answered(policy: Approved) -> None:
    assert what_if(POOR, CATALOGUE, policy, levers=["term_months"]).largest_letter is None


@pytest.mark.parametrize("name", ["age", "job_tenure_years", "has_negative_record", "nothing"])
def test_what_is_no_lever_is_refused_before_anything_is_evaluated(name: str) -> None:
    def approved(records: Sequence[Record]) -> Flags:
        raise AssertionError("evaluated")

    with pytest.raises(RequestError, match=f"levers: '{name}' is no lever; expected some of credit_letter_value"):
        what_if(POOR, CATALOGUE, approved, levers=[name])
