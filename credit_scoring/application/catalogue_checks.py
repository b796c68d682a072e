"""What is wrong with the entries of a catalogue, alone and together; each line names the entry and a way out."""

import re
from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from credit_scoring.application.expressions import Expression
from credit_scoring.application.fields import ApplicationField, Derived, Group, Lever, Role
from credit_scoring.application.forbidden import disguise_reason, forbidden_reason, is_age
from credit_scoring.application.suggestions import or_nearest

RESERVED = {
    *(
        "application_id",
        "sources",
        "outcome",
        "observed_on",
        "decided_at",
        "asked_by",
        "replaces",
        "replaced_by",
        "erased",
    ),
    *("decision", "decision_id", "risk_probability", "threshold", "model", "policy_version", "service_version"),
    *("faults", "source_file", "source_row", "rules", "missing", "outside_training"),
}

NOT_THE_CLIENTS = {"bureau", "scr", "internal"}

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")

_Fields = Mapping[str, ApplicationField]
_Derived = Mapping[str, Derived]


def problems(fields: _Fields, derived: _Derived, groups: Mapping[str, Group], exposure: str | None) -> Iterator[str]:
    """Everything that is wrong."""
    yield from _names(fields, derived)
    yield from _titles(fields, derived)
    for name, field in fields.items():
        yield from (f"fields.{name}: {problem}" for problem in field.problems())
        yield from _prohibited(field)
        yield from (f"fields.{name}.lever: {problem}" for problem in _lever(field))
        if field.group is not None and field.group not in groups:
            advice = or_nearest(field.group, groups) or f"; add [groups.{field.group}]"
            yield f"fields.{name}: group '{field.group}' is not among {_listed(groups)}{advice}"
    yield from _expressions(fields, derived)
    if exposure is not None:
        yield from _exposure(exposure, fields)


def _names(fields: _Fields, derived: _Derived) -> Iterator[str]:
    seen: dict[str, str] = {}
    for place, name in [*(("fields", name) for name in fields), *(("derived", name) for name in derived)]:
        if not _NAME.fullmatch(name):
            yield f"{place}.{name[:40]}: a name has letters, digits and _, at most 40, and begins with a letter"
        if name in RESERVED:
            yield f"{place}.{name}: the name is used in answers and files already; choose another"
        if hasattr(BaseModel, name):
            yield f"{place}.{name}: the library that checks applications uses the name; choose another"
        if other := seen.get(name.lower()):
            yield f"{place}.{name}: differs from {other} by case at most; rename one"
        seen[name.lower()] = f"{place}.{name}"


def _titles(fields: _Fields, derived: _Derived) -> Iterator[str]:
    seen: dict[str, str] = {}
    for name, entry in [*fields.items(), *derived.items()]:
        title = entry.title.strip().casefold()
        if title in seen:
            yield f"{name}: title '{entry.title}' is that of {seen[title]} already; people could not tell them apart"
        seen.setdefault(title, name)


def _prohibited(field: ApplicationField) -> Iterator[str]:
    """Audits may hold what must never decide, under the one name that is known for it."""
    if field.role is Role.AUDIT:
        reason = forbidden_reason(field.name) or disguise_reason(field.name, field.title)
    else:
        named = (field.name, field.title, field.title_en)
        reason = next((found for name in named if (found := disguise_reason("", name))), None)
    if reason:
        yield f"fields.{field.name}, '{field.title}': {reason}"
    if field.role is Role.FEATURE and (is_age(field.name) or is_age(field.title)):
        yield (
            f"fields.{field.name}, '{field.title}': age never decides (Lei 10.741/2003 art. 96); "
            "give it role = 'audit', or 'policy' for legal capacity"
        )


def _lever(field: ApplicationField) -> Iterator[str]:
    """What a client cannot change is no lever, and no lever leaves the field's own range."""
    lever = field.lever
    if lever is None:
        return
    if not field.is_number:
        yield f"levers are numbers, but kind is '{field.kind}'; remove it"
    if field.role is Role.AUDIT or is_age(field.name) or is_age(field.title):
        yield "an audit field or an age is never a lever; remove it"
    if field.source and field.source.strip().casefold() in NOT_THE_CLIENTS:
        yield f"source is '{field.source}', which the client cannot change; remove it"
    if lever.at_least >= lever.at_most:
        yield f"its range is upside down: at least {lever.at_least:g}, at most {lever.at_most:g}; exchange them"
    if field.kind == "integer" and any(each != int(each) for each in (lever.at_least, lever.at_most, lever.step)):
        yield "kind is 'integer', so at_least, at_most and step are whole numbers; round them"
    if not _within(lever, field):
        yield f"from {lever.at_least:g} to {lever.at_most:g} leaves the field's own range; narrow it"


def _within(lever: Lever, field: ApplicationField) -> bool:
    above = field.above is None or lever.at_least > field.above
    below = field.at_most is None or lever.at_most <= field.at_most
    return above and below and (field.at_least is None or lever.at_least >= field.at_least)


def _expressions(fields: _Fields, derived: _Derived) -> Iterator[str]:
    known = {name for name, field in fields.items() if field.is_numeric and field.role is not Role.AUDIT}
    moves = {name for name, field in fields.items() if field.risk_moves}
    for name, entry in derived.items():
        try:
            used = Expression(entry.expression).names
        except ValueError as error:
            yield f"derived.{name}: expression {error}"
            used = ()
        for other in [each for each in used if each not in known]:
            why = _why_not(other, fields, derived)
            yield f"derived.{name}: expression '{entry.expression[:60]}' uses {other[:40]}, {why}"
        if directed := [each for each in used if each in moves and not entry.risk_moves]:
            yield f"derived.{name}: {directed[0]} has risk_moves, which it would undo; give it risk_moves, too"
        known.add(name)
        moves |= {name} if entry.risk_moves else set()


def _why_not(name: str, fields: _Fields, derived: _Derived) -> str:
    if name in derived:
        return "which is itself, or stands below it; move it up, and break any cycle"
    if name not in fields:
        advice = or_nearest(name, [*fields, *derived])
        return f"which is no field{advice or '; add it to the catalogue or correct the name'}"
    if fields[name].role is Role.AUDIT:
        return "an audit field, which is never scored; leave it out"
    return f"a {fields[name].kind}; only numbers, flags and derived fields above it can be computed with"


def _exposure(name: str, fields: _Fields) -> Iterator[str]:
    field = fields.get(name)
    if field is None:
        yield f"exposure: {name[:40]} is no field{or_nearest(name, fields) or '; name one, or leave exposure out'}"
    elif not (field.is_number and field.required and (field.above or 0) >= 0 and field.above is not None):
        yield f"exposure: {name} must be a number that is required and above 0; costs are shares of it"


def _listed(groups: Mapping[str, Group]) -> str:
    return ", ".join(groups) or "no groups at all"
