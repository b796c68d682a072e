"""Bodies as they are bounded and parsed, before anything is validated."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_scoring.errors import RequestError
from credit_scoring.serving.bodies import MAX_FIELDS, check_fields, check_items, check_repeats, parse

texts = st.text() | st.text(':{[",\\]}')
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner, max_size=80),
    max_leaves=100,
)
PADDING = b" " * 5000  # past the length under which nobody looks closely


def parts(value: Any) -> int:
    """How many fields, objects and arrays a value is made of."""
    if isinstance(value, dict):
        return 1 + len(value) + sum(parts(each) for each in value.values())
    return 1 + sum(parts(each) for each in value) if isinstance(value, list) else 0


@given(values, st.booleans())
def test_a_body_is_refused_when_it_has_more_parts_than_the_limit_wherever_texts_hold_what_looks_like_some(
    value: Any, ascii_only: bool
) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass") + PADDING
    if parts(value) > MAX_FIELDS + 1 + isinstance(value, list):
        with pytest.raises(RequestError, match="At most 64 fields"):
            check_fields(body)
    else:
        check_fields(body)


@pytest.mark.parametrize("end", [b'"', b'"\\', b'\\"', b'"\\\\', b'"\\"'])
def test_what_is_no_json_is_counted_in_one_pass(end: bytes) -> None:
    """A pattern that tried a text again from each of its quotes would take hours here."""
    for body in (b":" * 100 + end * 1_000_000, b'\\"' * 1_000_000 + b":" * 100 + end):
        with suppress(RequestError):
            check_fields(body)


@pytest.mark.parametrize("objects", [1, 2, 1000])
def test_so_many_objects_have_so_many_fields_and_not_one_more(objects: int) -> None:
    full = dict.fromkeys(map(str, range(MAX_FIELDS)))
    good = [full] * objects
    body = json.dumps(good).encode()
    check_items(body, good, 1000, "things")
    with pytest.raises(RequestError, match="At most 64 fields in an object"):
        check_fields(body.replace(b'{"0"', b'{"x": {}, "0"', 1) + PADDING, objects)


def test_too_many_items_are_told_before_anything_else_about_them() -> None:
    body = b'[{"a": 1, "a": 1}, {}, {}]'
    with pytest.raises(RequestError, match="At most 2 things at a time, found 3"):
        check_items(body, json.loads(body), 2, "things")


def test_a_field_given_twice_is_found_at_any_depth_and_a_text_with_a_colon_is_none() -> None:
    check_repeats(b'{"a": "x:y"}', 1)
    for body in (b'{"a": 1, "a": 1}', b'{"a": {"b": 1, "b": 2}}'):
        with pytest.raises(RequestError, match="more than once"):
            check_repeats(body, 1)


def test_what_is_no_json_is_a_400() -> None:
    with pytest.raises(RequestError, match="Invalid JSON") as caught:
        parse(b"[NaN]", 1)
    assert caught.value.status == 400
