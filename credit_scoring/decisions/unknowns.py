"""What a decision's record says the model did not know, and which rules did not pass."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json
from sqlalchemy import RowMapping


def names_in(column: str | None) -> list[str]:
    """The names in a column that is absent where there are none."""
    return [] if column is None else list(from_json(column))


def missing_of(record: "Mapping[str, Any] | RowMapping") -> list[str]:
    """The fields that the model uses and the application did not have."""
    seen = zip(from_json(record["features"]), from_json(record["seen"]), strict=True)
    return [name for name, value in seen if value is None]
