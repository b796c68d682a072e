"""What a misspelt name of a field, a column or a key may have been meant to be."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel

ALIKE = 0.75  # of difflib's ratio: one or two letters of a name


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is nearly this one; None where none is."""
    by_lower = {each.lower(): each for each in known}
    near = get_close_matches(name.strip().lower(), by_lower, n=1, cutoff=ALIKE)
    return by_lower[near[0]] if near else None


def or_nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the known one that is nearly this; empty where none is."""
    near = nearest(name, known)
    return f"; did you mean {near}?" if near else ""


def or_known(name: str, known: Sequence[str]) -> str:
    """The same, but where none is near, all known names."""
    return or_nearest(name, known) or (f"; the known ones are {', '.join(known)}" if known else "")


def ended(sentence: str) -> str:
    """A sentence with its end, where it is not a question or ended already."""
    return sentence if sentence.endswith(("?", ".")) else f"{sentence}."


def did_you_mean(unknown: Iterable[str], known: Iterable[str]) -> str:
    """A question that names, for each unknown name that is nearly a known one, both; empty where none is."""
    known = [*known]
    pairs = [f"{near} by {name[:40]}" for name in unknown if (near := nearest(name, known))]
    return f" Did you mean {', '.join(pairs)}?" if pairs else ""


def names_at(model: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """The names that a model takes in the object at this place, which may lie deep in it."""
    schema = model.model_json_schema()
    nodes: list[Mapping[str, Any]] = [schema]
    for part in place:
        below = [each for node in _forms(nodes, schema) for each in _below(node, part)]
        nodes = below or nodes  # where there are several forms, a place names the form, too
    return [*dict.fromkeys(name for node in _forms(nodes, schema) for name in node.get("properties", ()))]


def _forms(nodes: Iterable[Mapping[str, Any]], schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """These parts of a JSON schema without references and alternatives."""
    for node in nodes:
        named = [schema["$defs"][node["$ref"].rpartition("/")[2]]] if "$ref" in node else []
        others = [*named, *node.get("anyOf", ()), *node.get("oneOf", ())]
        yield from _forms(others, schema) if others else [node]


def _below(node: Mapping[str, Any], part: str | int) -> list[Mapping[str, Any]]:
    of_any_name = node.get("items" if isinstance(part, int) else "additionalProperties")
    found = node.get("properties", {}).get(part, of_any_name)
    return [found] if isinstance(found, dict) else []
