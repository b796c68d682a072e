"""The data of an application as people read it: titles, values with units, and where each value comes from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.fields import APPLICATION_ID, Role
from credit_scoring.application.schemas import REPLACES, SOURCES
from credit_scoring.review.formats import value_of

OTHERS = "Outros dados"


@dataclass(frozen=True)
class Line:
    """One field; a value that the application did not have is not `given`."""

    name: str
    title: str
    value: str
    given: bool
    source: str
    consulted_at: str
    is_audit: bool


@dataclass(frozen=True)
class Section:
    """Fields of one group."""

    title: str
    lines: tuple[Line, ...]


def sections(received: Mapping[str, JsonValue], catalogue: Catalogue) -> list[Section]:
    """The whole application by the catalogue's groups; what the catalogue does not know comes last."""
    groups = {name: group.title for name, group in catalogue.groups.items()}
    found: dict[str, list[Line]] = {title: [] for title in (*groups.values(), OTHERS)}
    for group, line in _lines(received, catalogue):
        found[groups.get(group or "", OTHERS)].append(line)
    return [Section(title, tuple(lines)) for title, lines in found.items() if lines]


def _lines(received: Mapping[str, JsonValue], catalogue: Catalogue) -> Iterator[tuple[str | None, Line]]:
    sources = received.get(SOURCES)
    told: Mapping[str, Any] = sources if isinstance(sources, Mapping) else {}
    envelope = {APPLICATION_ID.name, SOURCES, REPLACES}
    for name in dict.fromkeys((*catalogue.fields, *received)):
        if name in envelope:
            continue
        field, value = catalogue.fields.get(name), received.get(name)
        source = told.get(name, {})
        yield (
            field.group if field else None,
            Line(
                name=name,
                title=field.title if field else name,
                value=value_of(field, value),
                given=value is not None,
                source=source.get("source") or (field.source if field and value is not None else None) or "",
                consulted_at=source.get("consulted_at") or "",
                is_audit=field is not None and field.role is Role.AUDIT,
            ),
        )
