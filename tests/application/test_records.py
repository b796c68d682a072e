"""Numbers of records by the column, read and derived once."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.application.fields import derive
from credit_scoring.application.records import Records, getter

NUMERIC = tuple(name for name, field in CATALOGUE.fields.items() if field.is_numeric)
DERIVED = tuple(CATALOGUE.derived_from(NUMERIC))

numbers = st.none() | st.booleans() | st.integers(0, 10**9) | st.floats(0, 1e12)
rows = st.lists(st.fixed_dictionaries(dict.fromkeys(NUMERIC, numbers)), min_size=1, max_size=5)


class CountedRow(dict[str, Any]):
    """A record that counts how often a value of it is read."""

    reads = 0

    def __getitem__(self, name: str) -> Any:
        CountedRow.reads += 1
        return super().__getitem__(name)


def _columns(found: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    for name in NUMERIC:
        yield name, np.array([row[name] for row in found], dtype=np.float64)


@given(rows)
def test_columns_are_the_bits_that_each_field_and_each_expression_has_by_itself(found: list[dict[str, Any]]) -> None:
    columns = Records(found).columns(NUMERIC, DERIVED)
    expected = derive(DERIVED, dict(_columns(found)))
    assert DERIVED
    for name in (*NUMERIC, *(field.name for field in DERIVED)):
        assert columns[name].tobytes() == expected[name].tobytes()


def test_a_number_is_read_once_whoever_asks_for_it_and_in_whatever_order() -> None:
    records = Records([CountedRow(dict.fromkeys(NUMERIC, 1.0))] * 3)
    CountedRow.reads = 0
    table = records.table(NUMERIC)
    assert records.table(NUMERIC) is table
    records.columns(NUMERIC[::-1], DERIVED)
    assert CountedRow.reads == 3 * len(NUMERIC)


def test_a_missing_number_is_nan_and_no_names_make_a_table_without_columns() -> None:
    records = Records([{"a": None, "b": 2}, {"a": True, "b": None}])
    np.testing.assert_array_equal(records.table(("a", "b")), [[np.nan, 2.0], [1.0, np.nan]])
    assert records.table(()).shape == (2, 0)
    assert Records([]).table(("a", "b")).shape == (0, 2)


def test_records_of_records_are_the_same_object() -> None:
    records = Records([{"a": 1}])
    assert Records.of(records) is records
    assert Records.of([{"a": 1}]) == records


def test_a_getter_of_one_name_gives_a_tuple_as_one_of_many_does() -> None:
    assert getter(("a",))({"a": 1}) == (1,)
    assert getter(("a", "b"))({"a": 1, "b": 2}) == (1, 2)
    assert getter(())({"a": 1}) == ()
