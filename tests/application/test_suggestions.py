"""What a misspelt column may have been meant to be."""

import pytest

from credit_scoring.application.suggestions import did_you_mean

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
