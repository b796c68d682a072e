"""Ids that sort by time."""

import time
from itertools import pairwise
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from credit_scoring.decisions.ids import TimeOrderedIds, new_id

FAR_FUTURE = 2**47


def test_an_id_is_a_uuid_of_version_7() -> None:
    found = UUID(new_id())
    assert found.version == 7
    assert found.variant == RFC_4122


def test_an_id_is_written_in_the_canonical_form() -> None:
    found = new_id()
    assert found == str(UUID(found))


def test_ids_are_unique() -> None:
    assert len({new_id() for _ in range(10_000)}) == 10_000


def test_each_id_is_greater_than_the_one_before() -> None:
    ids = [new_id() for _ in range(10_000)]
    assert ids == sorted(ids)
    assert UUID(ids[0]).int >> 80 <= UUID(ids[-1]).int >> 80


def test_ids_of_the_same_millisecond_do_not_follow_from_one_another() -> None:
    numbers = [UUID(new_id()).int for _ in range(1_000)]
    assert len({after - before for before, after in pairwise(numbers)}) == 999


@given(last=st.integers(0, 2**62 - 1))
def test_an_id_stays_one_however_full_the_random_part_is(last: int) -> None:
    ids = TimeOrderedIds()
    ids._begin(FAR_FUTURE, last)
    before = UUID(f"{ids._upper}8000-{0:012x}").int | last
    found = UUID(ids.new())
    assert (found.version, found.variant) == (7, RFC_4122)
    assert found.int > before


def test_an_id_tells_the_millisecond_in_which_it_was_made() -> None:
    before = time.time_ns() // 1_000_000
    told = UUID(new_id()).int >> 80
    assert before <= told <= time.time_ns() // 1_000_000
