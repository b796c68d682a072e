"""A first catalogue and a first mapping for a foreign file, as TOML for people to go on with."""

import json
import re
from collections.abc import Iterable, Iterator
from unicodedata import combining, normalize

from pydantic import BaseModel

from credit_scoring.application.catalogue_checks import RESERVED
from credit_scoring.application.fields import REAIS
from credit_scoring.application.forbidden import is_age
from credit_scoring.data.layout import Layout
from credit_scoring.data.mapping import FLAGS
from credit_scoring.data.profile import Column, Profile, defaulted_of

_MONEY = re.compile(r"valor|renda|income|amount|amnt|divida|debt|saldo|balance|limite|limit|salari|parcela|vl_", re.I)


def field_names(profile: Profile) -> dict[str, str]:
    """The field that each column becomes, by the column's name; those left out are not in it."""
    found: dict[str, str] = {}
    for column in profile.columns:
        if column.left_out is None:
            found[column.name] = _free(_identifier(column.name), {*found.values()})
    return found


def catalogue_of(profile: Profile, name: str) -> str:
    """The catalogue: title, kind, range and values of each field, to be completed by somebody who knows the file."""
    names = field_names(profile)
    lines = [
        "# A draft: look at each field. docs/fields.md says what each key means. What only you can say:",
        '# - risk_moves = "up" or "down" where the risk can only rise or fall with the field;',
        "# - group, required, role, better titles; exposure, the field that costs are shares of.",
        f"name = {json.dumps(_identifier(name).lower() or 'own')}",
    ]
    titles: set[str] = set()
    for column in profile.columns:
        if column.left_out is None:
            title = _free(_title(column.name), {*titles}, " ")
            titles.add(title)
            lines += ["", *_field(column, names[column.name], title)]
    return "\n".join(lines) + "\n"


def mapping_of(profile: Profile) -> str:
    """The mapping of the file onto that catalogue."""
    names = field_names(profile)
    bad = defaulted_of(profile.outcomes)
    good = [value for value in profile.outcomes if value != bad]
    lines = [
        *(f"{key} = {_toml(value)}" for key, value in _said(profile.layout)),
        f"missing = {_toml(list(profile.missing))}",
        "ignore = [",
        *(f"  {_toml(each.name)},  # {each.left_out}" for each in profile.columns if each.left_out),
        "]",
        "",
        "[target]  # check which value means default",
        f"column = {_toml(profile.target)}",
        f"defaulted = {_toml([bad])}",
        f"paid = {_toml(good)}",
        "",
        "[columns]",
        *(f"{field} = {_toml(column)}" for column, field in names.items()),
    ]
    return "\n".join(lines) + "\n"


def _field(column: Column, name: str, title: str) -> Iterator[str]:
    yield f"[fields.{name}]  # column {_toml(column.name)}, {column.missing_share:.1%} missing"
    yield f"title = {_toml(title)}"
    yield f'kind = "{column.kind}"'
    if is_age(column.name):
        yield 'role = "audit"'
    if column.kind in ("number", "integer"):
        low, middle = column.numbers
        if low >= 0:
            yield "at_least = 0"
        if _MONEY.search(column.name):
            yield f'unit = "{REAIS}"'
        yield f"example = {int(middle) if column.kind == 'integer' else middle}"
    if column.kind == "flag":
        yield f"example = {str(FLAGS[column.values[0].lower()]).lower()}"
    if column.kind == "category":
        yield f"example = {_toml(column.values[0])}"
        yield f"[fields.{name}.values]"
        yield from (f"{_toml(value)} = {_toml(value)}" for value in column.values)


def _said(layout: Layout) -> Iterable[tuple[str, str | bool]]:
    """What is known of how the file is written; its dates are no fields."""
    return layout.model_dump(include=layout.model_fields_set - {"date_format"}).items()


def _toml(value: str | bool | list[str]) -> str:
    """JSON's texts and arrays of texts are TOML's as well, but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _title(column: str) -> str:
    return column.replace("_", " ").strip().capitalize()[:70] or column[:70]


def _identifier(column: str) -> str:
    letters = "".join(letter for letter in normalize("NFKD", column) if not combining(letter))
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", letters)
    name = re.sub(r"[^A-Za-z0-9]+", "_", words).strip("_").lower()
    return name[:36] if re.match("[a-z]", name) else f"x_{name}"[:36]


def _free(name: str, taken: set[str], between: str = "_") -> str:
    """The name, or with a number behind it where it is taken."""
    wanted, number = name, 1
    while wanted in taken or wanted in RESERVED or hasattr(BaseModel, wanted):
        number += 1
        wanted = f"{name}{between}{number}"
    return wanted
