"""Applications of all kinds, valid ones and those with values that nobody has seen, for tests of what holds for any."""

from typing import Any

from hypothesis import strategies as st

from benchmarks.support.consorcio import FIELDS
from benchmarks.support.kinds import clients


def value_of(name: str) -> st.SearchStrategy[Any]:
    """A value of a field of the shipped catalogue: plausible, missing, extreme, or a category that nobody knows."""
    field = FIELDS[name]
    if field.kind == "category":
        return st.sampled_from([*field.categories, "UNSEEN", None])
    if field.kind == "flag":
        return st.sampled_from([True, False, None])
    return st.none() | st.floats(0, 1e5) | st.floats(0, 100) | st.sampled_from([0.0, 5e-324, 1e12, 1.7e308])


APPLICATIONS = st.fixed_dictionaries({name: value_of(name) for name in clients().features})
