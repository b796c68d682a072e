"""The data of an application as people read it: titles, values with units, and where each value comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.fields import APPLICATION_ID
from credit_scoring.application.schemas import REPLACES, SOURCES
from credit_scoring.decisions.dossiers import Dossier
from credit_scoring.review.formats import SOURCE_NAMES, consulted, value_of

OTHERS = "Outros dados"
_ENVELOPE = (APPLICATION_ID.name, SOURCES, REPLACES)


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


def sections(dossier: Dossier, of_the_day: Catalogue | None, in_use: Catalogue) -> list[Section]:
    """The whole application by the catalogue's groups; what the catalogue does not know comes last.

    Where that of the day is not known, the one in use gives titles, but not which fields there were, nor what for.
    """
    catalogue = of_the_day or in_use
    groups = {name: group.title for name, group in catalogue.groups.items()}
    found: dict[str, list[Line]] = {title: [] for title in (*groups.values(), OTHERS)}
    audit = of_the_day.audit_fields if of_the_day else ()
    for name in dict.fromkeys((*(of_the_day.fields if of_the_day else dossier.seen), *dossier.received)):
        if name not in _ENVELOPE:
            field = catalogue.fields.get(name)
            group = groups.get(field.group or "", OTHERS) if field else OTHERS
            found[group].append(_line(name, dossier, catalogue, is_audit=name in audit))
    return [Section(title, tuple(lines)) for title, lines in found.items() if lines]


def _line(name: str, dossier: Dossier, catalogue: Catalogue, *, is_audit: bool) -> Line:
    sources = dossier.received.get(SOURCES)
    of_field = sources.get(name) if isinstance(sources, dict) else None
    told: Mapping[str, Any] = of_field if isinstance(of_field, dict) else {}
    field, value = catalogue.fields.get(name), dossier.received.get(name)
    source = told.get("source") or (field.source if field and value is not None else None) or ""
    return Line(
        name=name,
        title=field.title if field else name,
        value=value_of(field, value),
        given=value is not None,
        source=SOURCE_NAMES.get(source, source),
        consulted_at=consulted(told.get("consulted_at") or ""),
        is_audit=is_audit,
    )
