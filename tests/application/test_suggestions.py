"""What a misspelt name of a field or column may have been meant to be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_scoring.application.suggestions import did_you_mean, nearest

KNOWN = ("monthly_income", "age", "good_type")


@pytest.mark.parametrize(
    ("unknown", "question"),
    [
        (["monthly_incme"], " Did you mean monthly_income by monthly_incme?"),
        (["Good_Type", "agee"], " Did you mean good_type by Good_Type, age by agee?"),
        (["AGE "], " Did you mean age by AGE ?"),
        (["colour", "7.5"], ""),
        ([], ""),
    ],
)
def test_a_name_that_is_nearly_a_known_one_is_asked_about(unknown: list[str], question: str) -> None:
    assert did_you_mean(unknown, KNOWN) == question


@given(name=st.text(max_size=64), known=st.lists(st.text(min_size=1, max_size=20), max_size=10))
def test_what_is_near_is_a_known_name(name: str, known: list[str]) -> None:
    assert nearest(name, known) in {*known, None}


@given(known=st.lists(st.from_regex(r"[a-z_]{3,20}", fullmatch=True), min_size=1, unique=True))
def test_a_known_name_in_capitals_is_nearest_to_itself(known: list[str]) -> None:
    assert all(nearest(f" {name.upper()} ", known) == name for name in known)
