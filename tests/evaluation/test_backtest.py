"""What a backtest adds up: held against sums over the clients themselves."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_scoring.application.arrays import Floats
from credit_scoring.decisions.policy_of_the_day import History
from credit_scoring.decisions.redecision import Redecided
from credit_scoring.decisions.writer import Origin
from credit_scoring.evaluation.backtest import Tally
from credit_scoring.evaluation.backtest_money import Cells, StressedRisks
from credit_scoring.evaluation.backtest_results import QUADRANTS, Backtest
from credit_scoring.policy.costs import CostMatrix
from credit_scoring.policy.evaluator import DENY, PASS, REVIEW
from credit_scoring.policy.policy import Policy
from credit_scoring.policy.rules import Rule

COSTS = CostMatrix()
THRESHOLD = 0.4
IDS = ("LOW", "SHORT")
MODEL = "credit_scoring:one"


def rule(id: str) -> Rule:
    when = {"field": "monthly_income", "below": 1000}
    content = {"id": id, "when": when, "then": "deny", "if_missing": "pass", "reason": "Motivo"}
    return Rule.model_validate(content)


POLICY = Policy(name="nova", threshold=THRESHOLD, costs=COSTS, rules=tuple(rule(id) for id in IDS))


class Counted:
    """What history came to, where nothing was scored again."""

    rescored = rejected = 0

    def __init__(self, decisions: int) -> None:
        self.history = History()
        self.history.add(Origin(MODEL, "policy-1", 0.3, (), ""), decisions, [])


def clients(rows: int, seed: int = 0, **changes: Any) -> Redecided:
    """Made-up clients: rules that fail at random, outcomes of half of those that were approved, who are of low risk."""
    random = np.random.default_rng(seed)
    risk = random.beta(1.2, 3, rows)
    bands = np.where(risk >= THRESHOLD, DENY, PASS).astype(np.int8)
    said = random.choice([PASS, PASS, PASS, REVIEW, DENY], (rows, len(IDS))).astype(np.int8)
    was = np.where(risk >= 0.3, DENY, PASS).astype(np.int8)
    known = (was == PASS) & (random.random(rows) < 0.5)
    content: dict[str, Any] = {
        "was": was,
        "severities": np.column_stack([bands, said]),
        "risk": risk,
        "defaulted": np.where(known, random.random(rows) < risk, np.nan),
        "exposure": np.round(np.exp(random.normal(11, 0.8, rows)), 2),
        "audit": {"age": random.integers(18, 90, rows).astype(np.float64)},
    }
    return Redecided(**{**content, **changes})


def found(*chunks: Redecided, policy: Policy = POLICY) -> Backtest:
    tally = Tally(policy)
    for chunk in chunks:
        tally.add(chunk)
    redecision: Any = Counted(tally.decisions)
    return tally.result(MODEL, None, None, redecision)


def part(chunk: Redecided, rows: slice) -> Redecided:
    audit = {name: values[rows] for name, values in chunk.audit.items()}
    names = ("was", "severities", "risk", "defaulted", "exposure")
    return Redecided(**{name: getattr(chunk, name)[rows] for name in names}, audit=audit)


def likelihood(chunk: Redecided) -> Floats:
    return np.where(np.isnan(chunk.defaulted), chunk.risk, chunk.defaulted)


def earned(chunk: Redecided) -> Floats:
    """What approving each client earns."""
    bad = likelihood(chunk)
    return chunk.exposure * (COSTS.margin * (1 - bad) - COSTS.loss_given_default * bad)


def members(chunk: Redecided) -> dict[str, Any]:
    """Who is in which quadrant."""
    before, after = chunk.was == PASS, chunk.severities.max(axis=1) == PASS
    return dict(zip(QUADRANTS, (before & after, before & ~after, ~before & after, ~before & ~after), strict=True))


CHUNKS = st.builds(clients, st.integers(1, 300), st.integers(0, 10_000))


class TestQuadrants:
    @given(CHUNKS)
    def test_every_client_is_in_one_quadrant_with_its_outcome_and_its_money(self, chunk: Redecided) -> None:
        result = found(chunk)
        assert sum(each.clients for each in result.quadrants) == result.decisions == len(chunk.was)
        assert sum(sum(row.values()) for row in result.changes.values()) == result.decisions
        for each in result.quadrants:
            there = members(chunk)[each.name]
            known = there & ~np.isnan(chunk.defaulted)
            assert (each.clients, each.known, each.estimated) == (there.sum(), known.sum(), (there & ~known).sum())
            assert each.defaulted == chunk.defaulted[known].sum()
            assert each.money.value == pytest.approx(earned(chunk)[there].sum(), abs=0.01)
            if there.any():
                assert each.default_rate is not None
                assert each.default_rate.value == pytest.approx(likelihood(chunk)[there].mean())
                assert each.default_rate.low <= each.default_rate.value <= each.default_rate.high
            else:
                assert each.default_rate is None

    @given(CHUNKS)
    def test_the_same_answers_swap_nobody_and_change_no_money(self, chunk: Redecided) -> None:
        same = Redecided(**{**vars(chunk), "was": chunk.severities.max(axis=1)})
        result = found(same)
        assert [result.quadrant(name).clients for name in ("swapped_in", "swapped_out")] == [0, 0]
        assert (result.difference.value, result.difference.low, result.difference.high) == (0, 0, 0)
        assert result.before == result.after

    @given(CHUNKS, st.integers(0, 300))
    def test_it_does_not_matter_how_clients_come_in_chunks(self, chunk: Redecided, cut: int) -> None:
        whole = found(chunk).model_dump()
        parts = [each for each in (part(chunk, slice(0, cut)), part(chunk, slice(cut, None))) if len(each.was)]
        assert _flat(found(*parts).model_dump()) == pytest.approx(_flat(whole), rel=1e-6, abs=1e-6)

    def test_totals_are_those_of_the_quadrants(self) -> None:
        result = found(clients(3000))
        kept, out, into, _ = result.quadrants
        assert result.before.approved == kept.clients + out.clients
        assert result.after.approved == kept.clients + into.clients
        assert result.before.money.value == pytest.approx(kept.money.value + out.money.value)
        assert result.difference.value == pytest.approx(result.after.money.value - result.before.money.value)
        assert result.after.in_analysis == sum(row["EM_ANALISE"] for row in result.changes.values())

    def test_in_analysis_counts_as_out(self) -> None:
        chunk = clients(200, severities=np.full((200, 3), REVIEW, dtype=np.int8))
        result = found(chunk)
        assert result.after.approved == 0
        assert result.quadrant("swapped_out").clients == (chunk.was == PASS).sum()

    def test_risks_that_outcomes_contradict_are_noticed_and_others_are_not(self) -> None:
        chunk = clients(4000)
        assert not found(chunk).quadrant("kept_in").is_off
        assert found(clients(4000, risk=chunk.risk / 2)).quadrant("kept_in").is_off


def _flat(content: Any) -> list[float]:
    """The numbers of a result, in order."""
    if isinstance(content, dict):
        return [number for each in content.values() for number in _flat(each)]
    if isinstance(content, list | tuple):
        return [number for each in content for number in _flat(each)]
    return [float(content)] if isinstance(content, int | float) else []


class TestMoney:
    def test_intervals_are_as_wide_as_those_of_a_bootstrap_over_the_clients_themselves(self) -> None:
        chunk, random = clients(2000), np.random.default_rng(5)
        result = found(chunk)
        gained = members(chunk)["swapped_in"].astype(float) - members(chunk)["swapped_out"]
        drawn = []
        for _ in range(2000):
            rows = random.integers(len(gained), size=len(gained))
            bad = random.random(len(rows)) < likelihood(chunk)[rows]
            value = np.where(bad, -COSTS.loss_given_default, COSTS.margin) * chunk.exposure[rows]
            drawn.append((value * gained[rows]).sum())
        low, high = np.quantile(drawn, [0.025, 0.975])
        assert result.difference.high - result.difference.low == pytest.approx(high - low, rel=0.12)
        assert abs(result.difference.low - low) < 0.1 * (high - low)

    def test_the_same_clients_have_the_same_intervals(self) -> None:
        assert found(clients(500)) == found(clients(500))

    def test_what_is_held_does_not_grow_with_the_clients(self) -> None:
        cells = Cells()
        sizes = []
        for seed in range(3):
            chunk = clients(1000, seed)
            quadrant = np.zeros(1000, dtype=np.intp)
            cells.add(quadrant, ~np.isnan(chunk.defaulted), likelihood(chunk), chunk.exposure)
            sizes.append(cells.clients.nbytes + cells.exposure.nbytes)
        assert len(set(sizes)) == 1
        assert cells.clients.sum() == pytest.approx(3000)


class TestStress:
    @given(st.integers(0, 10_000), st.integers(1, 200), st.floats(0, 1))
    def test_the_swapped_in_earn_nothing_at_the_break_even(self, seed: int, rows: int, share: float) -> None:
        random = np.random.default_rng(seed)
        risk, exposure = random.beta(1, 4, rows), np.exp(random.normal(11, 1, rows))
        known = random.random(rows) < share / 2
        bad = np.where(known, random.random(rows) < risk, risk)
        stressed = StressedRisks(COSTS)
        stressed.add(known, bad, exposure)
        at = stressed.break_even()

        def money(multiplier: float) -> float:
            applied = np.where(known, bad, np.minimum(multiplier * risk, 1))
            return float((exposure * (COSTS.margin * (1 - applied) - COSTS.loss_given_default * applied)).sum())

        if at is None:
            assert money(0) <= 0 or money(1e9) >= 0 or known.all()
        else:
            assert abs(money(at)) < 2e-3 * exposure.sum()
            assert money(0.9 * at) >= money(1.1 * at)

    def test_a_portfolio_at_the_break_even_of_the_costs_bears_no_more_risk(self) -> None:
        stressed = StressedRisks(COSTS)
        stressed.add(np.zeros(3, dtype=bool), np.full(3, COSTS.break_even), np.array([1.0, 2.0, 3.0]))
        assert stressed.break_even() == pytest.approx(1)
        stressed = StressedRisks(COSTS)
        stressed.add(np.zeros(3, dtype=bool), np.full(3, COSTS.break_even / 2), np.array([1.0, 2.0, 3.0]))
        assert stressed.break_even() == pytest.approx(2)

    @pytest.mark.parametrize(
        ("known", "bad"),
        [
            ([True, True], [1.0, 0.0]),  # nobody is without an outcome
            ([True, False], [1.0, 0.0]),  # who is without one has no risk
            ([True, True, True, True, False], [1.0, 1.0, 1.0, 1.0, 0.2]),  # lost whatever the last one does
            ([True, True, True, True, False], [0.0, 0.0, 0.0, 0.0, 0.2]),  # earned whatever the last one does
        ],
    )
    def test_where_risks_change_nothing_there_is_no_break_even(self, known: list[bool], bad: list[float]) -> None:
        stressed = StressedRisks(COSTS)
        stressed.add(np.array(known), np.array(bad), np.ones(len(bad)))
        assert stressed.break_even() is None

    def test_the_curve_starts_without_risk_and_passes_the_break_even(self) -> None:
        result = found(clients(2000))
        assert result.stress.break_even is not None
        at = np.interp(result.stress.break_even, result.stress.money.x, result.stress.money.y)
        assert abs(at) < 0.01 * result.stress.money.y[0]
        assert result.stress.money.x[0] == 0


class TestFunnel:
    @given(CHUNKS)
    def test_a_rule_counts_all_that_it_stops_and_what_nothing_else_does(self, chunk: Redecided) -> None:
        by_id = {each.id: each for each in found(chunk).funnel}
        assert [*by_id] == ["threshold", *IDS, "rules"]
        for place, id in enumerate(["threshold", *IDS]):
            said = chunk.severities[:, place]
            others = np.delete(chunk.severities, place, axis=1).max(axis=1)
            alone = (said > PASS) & (others == PASS)
            counts = ((said == DENY).sum(), (said == REVIEW).sum(), alone.sum(), (alone & (chunk.was == PASS)).sum())
            assert (by_id[id].denies, by_id[id].reviews, by_id[id].alone, by_id[id].newly) == counts
        together = chunk.severities[:, 1:].max(axis=1)
        assert (by_id["rules"].denies, by_id["rules"].reviews) == ((together == DENY).sum(), (together == REVIEW).sum())
        assert by_id["rules"].alone == ((together > PASS) & (chunk.severities[:, 0] == PASS)).sum()

    def test_a_policy_without_rules_has_the_risk_alone(self) -> None:
        chunk = clients(100)
        bare = Redecided(**{**vars(chunk), "severities": chunk.severities[:, :1]})
        (only,) = found(bare, policy=Policy(threshold=THRESHOLD, costs=COSTS)).funnel
        assert (only.id, only.denies, only.alone) == ("threshold", (chunk.risk >= THRESHOLD).sum(), only.denies)


class TestCurve:
    @given(CHUNKS)
    def test_at_the_policys_own_threshold_it_is_the_policy(self, chunk: Redecided) -> None:
        result = found(chunk)
        own = result.nearest
        assert own.risk == THRESHOLD
        assert own.approval_rate == pytest.approx(result.after.approval_rate.value)
        assert own.money == pytest.approx(result.after.money.value, abs=0.01)
        rate = result.after.default_rate
        assert own.default_rate == (None if rate is None else pytest.approx(rate.value))

    @given(CHUNKS)
    def test_a_higher_threshold_never_approves_fewer(self, chunk: Redecided) -> None:
        rates = [each.approval_rate for each in found(chunk).curve]
        assert rates == sorted(rates)

    def test_with_a_band_in_analysis_it_is_read_where_that_begins(self) -> None:
        policy = Policy(threshold=0.5, review_from=0.31, costs=COSTS)
        assert found(clients(100), policy=policy.model_copy(update={"rules": POLICY.rules})).nearest.risk == 0.31


class TestGroups:
    def test_ages_are_compared_in_bands_and_missing_groups_left_out(self) -> None:
        chunk = clients(4, audit={"age": np.array([18, 24, 25, np.nan]), "marital_status": _texts("A", "A", None, "B")})
        counted = {(each.field, each.group): each.clients for each in found(chunk).groups}
        assert counted == {
            ("age", "18–24"): 2,
            ("age", "25–34"): 1,
            ("marital_status", "A"): 2,
            ("marital_status", "B"): 1,
        }

    def test_a_group_far_below_the_highest_is_marked_and_a_small_one_is_not(self) -> None:
        status = _texts(*["A"] * 400, *["B"] * 400, *["C"] * 20)
        severities = np.zeros((820, 3), dtype=np.int8)
        severities[400:700, 1] = severities[800:, 1] = DENY
        groups = found(clients(820, severities=severities, audit={"marital_status": status})).groups
        assert [each.after.value for each in groups] == [1, 0.25, 0]
        assert [each.is_below_four_fifths for each in groups] == [False, True, False]

    def test_a_catalogue_without_audit_fields_has_no_groups(self) -> None:
        assert found(clients(10, audit={})).groups == ()


def _texts(*values: str | None) -> Any:
    return np.array(values, dtype=object)
