"""What a misspelt name of a field or column may have been meant to be."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.fields import ApplicationField
from credit_scoring.application.suggestions import did_you_mean, ended, names_at, nearest, or_known, or_nearest
from credit_scoring.data.mapping import ColumnMapping, Target
from credit_scoring.decisions.outcomes import OutcomeReport
from credit_scoring.policy.file import PolicyFile
from credit_scoring.policy.rules import Rule

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


def test_a_sentence_about_a_name_ends_with_the_near_one_or_with_all() -> None:
    assert or_nearest("agee", KNOWN) == or_known("agee", KNOWN) == "; did you mean age?"
    assert (or_nearest("colour", KNOWN), or_known("colour", [])) == ("", "")
    assert or_known("colour", KNOWN) == "; the known ones are monthly_income, age, good_type"
    assert [ended(each) for each in ("a", "a.", "a?")] == ["a.", "a.", "a?"]


@pytest.mark.parametrize(
    ("model", "place", "names"),
    [
        (OutcomeReport, [], OutcomeReport.model_fields),
        (Catalogue, ["fields", "x"], ApplicationField.model_fields),
        (Catalogue, ["fields", "x", "lever"], ["at_least", "at_most", "step"]),
        (PolicyFile, ["rule", 3], Rule.model_fields),
        (PolicyFile, ["case", 0, "expect"], ["decision", "rules"]),
        (ColumnMapping, ["target"], Target.model_fields),
        (ColumnMapping, [], [name for name in ColumnMapping.model_fields if name != "catalogue"]),
    ],
)
def test_the_names_at_a_place_are_those_that_the_model_takes_there(
    model: type[BaseModel], place: list[str | int], names: Iterable[str]
) -> None:
    assert {*names_at(model, place)} == {*names}


def test_a_predicate_is_written_with_its_keys_as_the_file_has_them() -> None:
    assert {"in", "not_in", "between"} <= {*names_at(PolicyFile, ["rule", 0, "when", "all", 0])}


@given(name=st.text(max_size=64), known=st.lists(st.text(min_size=1, max_size=20), max_size=10))
def test_what_is_near_is_a_known_name(name: str, known: list[str]) -> None:
    assert nearest(name, known) in {*known, None}


@given(known=st.lists(st.from_regex(r"[a-z_]{3,20}", fullmatch=True), min_size=1, unique=True))
def test_a_known_name_in_capitals_is_nearest_to_itself(known: list[str]) -> None:
    assert all(nearest(f" {name.upper()} ", known) == name for name in known)
