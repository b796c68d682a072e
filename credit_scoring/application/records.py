"""Applications as mappings of field names to values."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any


def getter(names: Sequence[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """What reads these fields of a record, always as a tuple."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda record: tuple(record[name] for name in names)
