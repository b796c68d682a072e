"""How pages write what an application gives."""

import pytest
from pydantic import JsonValue

from credit_scoring.review.formats import consulted, value_of


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("2026-11-20", "20/11/2026"),
        ("20261120", "20/11/2026"),
        ("2026-11-20T10:05:00", "20/11/2026 10:05"),
        ("2026-11-21T01:05:00Z", "20/11/2026 22:05"),
        ("0001-01-01T00:00:00+00:00", "0001-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59-12:00"),
        ("ontem", "ontem"),
        ("", ""),
    ],
)
def test_the_moment_of_a_look_up_is_told_as_brazilians_write_it_in_brasilias_time(given: str, told: str) -> None:
    assert consulted(given) == told


@pytest.mark.parametrize(("given", "told"), [(1234.5, "1.234,5"), (True, "Sim"), (None, "não informado"), ("X", "X")])
def test_a_value_of_a_field_that_no_catalogue_knows_is_told_all_the_same(given: JsonValue, told: str) -> None:
    assert value_of(None, given) == told
