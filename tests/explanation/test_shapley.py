"""Shapley values of groups of fields, in whole numbers that add up."""

from collections.abc import Mapping, Sequence
from itertools import permutations
from math import factorial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.support.kinds import KINDS, calibrated_otherwise
from credit_scoring.application.arrays import Floats
from credit_scoring.explanation.groups import reason_groups
from credit_scoring.explanation.reasons import reference_values
from credit_scoring.explanation.shapley import Contributions, coalitions, contributions, weights
from credit_scoring.model.calibration import CALIBRATORS
from credit_scoring.model.scorer import Scorer
from tests.support.applications import APPLICATIONS, value_of

Record = Mapping[str, Any]


@pytest.fixture(scope="module", params=[(kind, way) for kind in KINDS for way in CALIBRATORS], ids="-".join)
def scorer(request: pytest.FixtureRequest) -> Scorer:
    """Every candidate and the ensemble, calibrated in every way."""
    return calibrated_otherwise(*request.param)


def explained(scorer: Scorer, client: Record, reference: Record) -> Contributions:
    groups = [group.fields for group in reason_groups(scorer.catalogue, scorer.card.features)]
    (found,) = contributions(scorer.log_odds, groups, [client], reference)
    return found


@settings(max_examples=25)
@given(client=APPLICATIONS, reference=APPLICATIONS)
def test_the_parts_of_any_two_applications_add_up_to_the_last_digit(
    scorer: Scorer, client: dict[str, Any], reference: dict[str, Any]
) -> None:
    found = explained(scorer, client, reference)
    first, last = scorer.log_odds([reference, client]).tolist()
    assert (found.reference, found.client) == (round(1e6 * first), round(1e6 * last))
    assert sum(found.numerators) == factorial(len(found.numerators)) * (found.client - found.reference)


@pytest.mark.parametrize("kind", KINDS)
def test_the_calibration_changes_no_part(kind: str) -> None:
    ways = [calibrated_otherwise(kind, name) for name in CALIBRATORS]
    client, reference = ways[0].reference.rows[7], ways[0].reference.rows[9]
    first, *others = [explained(scorer, client, reference) for scorer in ways]
    assert others == [first] * 3
    assert len({scorer.score_records([client])[0] for scorer in ways}) > 1


def no_worse_than(name: str, value: Any, moves: str | None) -> st.SearchStrategy[Any]:
    """Values of a field that are no worse than this one in its declared direction; this one where it has none."""
    if moves is None:
        return st.just(value)
    if value is None:
        return value_of(name)
    better = max if moves == "down" else min
    return value_of(name).map(lambda each: value if each is None else better(each, value))


@settings(max_examples=60)
@given(data=st.data())
def test_a_group_that_is_nowhere_worse_than_the_reference_never_counts_against_the_client(
    scorer: Scorer, data: st.DataObject
) -> None:
    reference, fields = reference_values(scorer), scorer.catalogue.fields
    groups = reason_groups(scorer.catalogue, scorer.card.features)
    place = data.draw(st.sampled_from(range(len(groups))))
    better = {
        name: data.draw(no_worse_than(name, reference[name], fields[name].risk_moves)) for name in groups[place].fields
    }
    found = explained(scorer, {**data.draw(APPLICATIONS), **better}, reference)
    assert found.numerators[place] <= 0


def test_numerators_are_those_of_the_definition_over_all_orders() -> None:
    generator = np.random.default_rng(1)
    for players in range(1, 6):
        values = generator.integers(-1000, 1000, 2**players)
        expected = [
            sum(
                int(values[before | 1 << player] - values[before])
                for order in permutations(range(players))
                for before in [sum(1 << each for each in order[: order.index(player)])]
            )
            for player in range(players)
        ]
        assert (weights(players) @ values).tolist() == expected


def test_eleven_groups_add_up_as_exactly() -> None:
    values = np.random.default_rng(2).integers(-(10**8), 10**8, 2**11)
    assert sum((weights(11) @ values).tolist()) == factorial(11) * int(values[-1] - values[0])


def test_every_coalition_switches_its_groups_and_no_other() -> None:
    client, reference = {"a": 1, "b": 2, "c": 3}, {"a": -1, "b": -2, "c": -3}
    rows = coalitions([("a", "c"), ("b",)], client, reference)
    assert [(row["a"], row["b"], row["c"]) for row in rows] == [(-1, -2, -3), (1, -2, 3), (-1, 2, -3), (1, 2, 3)]


def product(records: Sequence[Record]) -> Floats:
    return np.array([record["a"] * record["b"] + record["c"] for record in records], dtype=np.float64)


def test_groups_that_act_together_share_what_they_do_together() -> None:
    client, reference = {"a": 2, "b": 3, "c": 1}, {"a": 0, "b": 0, "c": 1}
    (found,) = contributions(product, [("a",), ("b",), ("c",)], [client], reference)
    assert [each / factorial(3) for each in found.numerators] == [3e6, 3e6, 0]
    assert found.alone == {"a": 1_000_000, "b": 1_000_000}


def test_a_client_who_is_the_reference_has_no_parts() -> None:
    same = {"a": 1, "b": 1, "c": 1}
    (found,) = contributions(product, [("a", "b"), ("c",)], [same], same)
    assert (found.numerators, found.client, dict(found.alone)) == ((0, 0), 2_000_000, {})
