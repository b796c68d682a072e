"""The hashes that tie the decision log together: whatever is changed, they change."""

import hashlib
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from math import copysign, nextafter
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from credit_scoring.decisions.chain import (
    Event,
    Head,
    Introduction,
    Row,
    RowsHash,
    block_hash,
    content_hash,
    event_hash,
    moment,
    rows_hash,
    writer_hash,
)

# No value holds the characters that end values and rows: JSON escapes them, an application id may not have any.
texts = st.text(st.characters(exclude_characters="\x00\x1e\x1f", exclude_categories=["Cs"]))
risks = st.floats(0, 1)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(1000, 1, 3), datetime(9998, 12, 30), timezones=zones)
absent_or_text = st.none() | texts
rows = st.builds(Row, texts, absent_or_text, texts, texts, risks, texts, texts, absent_or_text, absent_or_text)
introductions = st.builds(Introduction, texts, moments, texts, texts, risks, texts, texts, texts, *[absent_or_text] * 3)
hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
links = st.tuples(hashes, texts, st.integers(1, 2**62), moments, st.integers(0, 1024), hashes)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ROW = Row("id", None, '{"age":37}', "[1.0,null]", 0.1 + 0.2, "APROVADO", "")


def is_same(value: Any, other: Any) -> bool:
    """Equal, and of the same sign where both are zero."""
    both_zero = value == other == 0 and isinstance(value, float)
    return bool(value == other) and not (both_zero and copysign(1, value) != copysign(1, other))


# Rows


@given(rows, rows, st.sampled_from(Row._fields), st.lists(rows, max_size=2), st.lists(rows, max_size=2))
def test_a_change_of_any_value_of_a_row_changes_the_hash_of_its_block(
    row: Row, other: Row, field: str, before: list[Row], after: list[Row]
) -> None:
    assume(not is_same(getattr(row, field), getattr(other, field)))
    changed = row._replace(**{field: getattr(other, field)})
    assert rows_hash([*before, row, *after]) != rows_hash([*before, changed, *after])


@given(st.lists(rows, max_size=3), rows, st.integers(0, 3))
def test_one_row_more_changes_the_hash(block: list[Row], added: Row, place: int) -> None:
    assert rows_hash([*block[:place], added, *block[place:]]) != rows_hash(block)


@given(st.lists(rows, max_size=4))
def test_rows_hash_the_same_one_after_the_other_as_all_at_once(block: list[Row]) -> None:
    running = RowsHash()
    for row in block:
        running.add(row)
    assert (running.count, running.value()) == (len(block), rows_hash(block))


@given(rows, rows)
def test_the_order_of_rows_changes_the_hash(first: Row, second: Row) -> None:
    assume(first != second)
    assert rows_hash([first, second]) != rows_hash([second, first])


NEIGHBOURS = [("id", "application_id"), ("application_id", "received"), ("received", "seen"), ("decision", "asked_by")]


@pytest.mark.parametrize(("left", "right"), NEIGHBOURS)
@given(row=rows, start=texts, shifted=texts.filter(bool), end=texts)
def test_a_text_cannot_be_shifted_to_the_next_field(
    left: str, right: str, row: Row, start: str, shifted: str, end: str
) -> None:
    before: dict[str, Any] = {left: start + shifted, right: end}
    after: dict[str, Any] = {left: start, right: shifted + end}
    assert rows_hash([row._replace(**before)]) != rows_hash([row._replace(**after)])


@given(rows, rows, texts.filter(bool))
def test_a_text_cannot_be_shifted_to_the_next_row(first: Row, second: Row, shifted: str) -> None:
    before = [first._replace(asked_by=first.asked_by + shifted), second]
    after = [first, second._replace(id=shifted + second.id)]
    assert rows_hash(before) != rows_hash(after)


def test_no_application_id_is_not_an_empty_one() -> None:
    assert rows_hash([ROW]) != rows_hash([ROW._replace(application_id="")])


@given(risks)
def test_a_risk_that_was_stored_and_read_hashes_as_before(risk: float) -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE decisions (risk_probability FLOAT)")
        database.execute("INSERT INTO decisions VALUES (?)", (risk,))
        (read,) = database.execute("SELECT risk_probability FROM decisions").fetchone()
    assert rows_hash([ROW._replace(risk_probability=read)]) == rows_hash([ROW._replace(risk_probability=risk)])


@given(st.floats(sys.float_info.min, 1))
def test_a_risk_is_told_from_the_next_number_there_is(risk: float) -> None:
    neighbour = nextafter(risk, 0)
    assert rows_hash([ROW._replace(risk_probability=neighbour)]) != rows_hash([ROW._replace(risk_probability=risk)])


# Blocks and writers


@given(links, links, st.integers(0, 5))
def test_a_change_of_anything_about_a_block_changes_its_hash(
    block: tuple[Any, ...], other: tuple[Any, ...], place: int
) -> None:
    assume(block[place] != other[place])
    changed = (*block[:place], other[place], *block[place + 1 :])
    assert block_hash(*block) != block_hash(*changed)


@given(introductions, introductions, st.sampled_from(Introduction._fields))
def test_a_change_of_any_value_of_an_introduction_changes_its_hash(
    writer: Introduction, other: Introduction, field: str
) -> None:
    assume(not is_same(getattr(writer, field), getattr(other, field)))
    assert writer_hash(writer) != writer_hash(writer._replace(**{field: getattr(other, field)}))


@given(introductions, texts, texts.filter(bool), texts)
def test_a_text_cannot_be_shifted_from_the_model_to_its_policy(
    writer: Introduction, start: str, shifted: str, end: str
) -> None:
    before = writer._replace(model=start + shifted, policy_version=end)
    after = writer._replace(model=start, policy_version=shifted + end)
    assert writer_hash(before) != writer_hash(after)


@given(moments, zones)
def test_the_same_moment_told_in_another_zone_hashes_the_same(time: datetime, zone: timezone) -> None:
    elsewhere = time.astimezone(zone)
    assert moment(time) == moment(elsewhere)
    assert block_hash("", "writer", 1, time, 0, "") == block_hash("", "writer", 1, elsewhere, 0, "")


@given(moments)
def test_a_microsecond_makes_another_moment(time: datetime) -> None:
    assert moment(time) != moment(time + timedelta(microseconds=1))


# Chains


@given(st.lists(rows, max_size=3))
def test_a_block_follows_the_end_of_the_chain_and_is_bound_to_it(block: list[Row]) -> None:
    following = Head(4, "a" * 64).next("writer", NOON, block)
    assert (following.number, following.rows_hash) == (5, rows_hash(block))
    assert following.hash == block_hash("a" * 64, "writer", 5, NOON, len(block), rows_hash(block))
    assert following.hash != Head(4, "b" * 64).next("writer", NOON, block).hash


@given(st.lists(rows, max_size=3))
def test_a_block_claims_every_application_id_in_it_unless_it_is_told_which(block: list[Row]) -> None:
    claims = [(row.application_id, row.id) for row in block if row.application_id is not None]
    assert Head(0, "").next("writer", NOON, block).claims == claims
    assert Head(0, "").next("writer", NOON, block, []).claims == []


def test_hashes_are_made_as_the_stored_ones_were() -> None:
    """A log of years ago has to stand the test: what is hashed is spelled out here once more."""

    def sha256(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    first = 'id\x1f\x00\x1f{"age":37}\x1f[1.0,null]\x1f0.30000000000000004\x1fAPROVADO\x1f'
    second = first.replace("\x00", "ação 7") + "gateway"
    named = ROW._replace(application_id="ação 7", asked_by="gateway")
    noon = "2026-11-24T12:00:00.000000+00:00"
    writer = Introduction("w", NOON, "credit_scoring:a", "policy-1", 0.3, '["age"]', "0.1.0", "[]")
    assert rows_hash([ROW, named]) == sha256(f"{first}\x1e{second}")
    assert rows_hash([]) == sha256("")
    assert block_hash("p", "w", 7, NOON, 2, "r") == sha256(f"p\x1fw\x1f7\x1f{noon}\x1f2\x1fr")
    last_event = '\x1f[3,"e"]'
    outcome: list[Any] = ["o", date(2026, 5, 31), NOON, 'Ação "7"\x1f', None, 7]
    content = content_hash(outcome)
    assert content == sha256(f'["o","2026-05-31","{noon}","Ação \\"7\\"\\u001f",null,7]')
    event = Event("outcome", "o", "w", 7, content)
    assert event_hash("p", 3, event) == sha256(f"p\x1f3\x1foutcome\x1fo\x1fw\x1f7\x1f{content}")
    purge = Event("purge", "o", None, None, content)
    assert event_hash("", 1, purge) == sha256(f"\x1f1\x1fpurge\x1fo\x1f\x00\x1f\x00\x1f{content}")
    assert writer_hash(writer._replace(events='[3,"e"]')) == sha256(
        f'w\x1f{noon}\x1fcredit_scoring:a\x1fpolicy-1\x1f0.3\x1f["age"]\x1f0.1.0\x1f[]{last_event}'
    )
    assert writer_hash(writer) == sha256(
        f'w\x1f{noon}\x1fcredit_scoring:a\x1fpolicy-1\x1f0.3\x1f["age"]\x1f0.1.0\x1f[]'
    )
