"""JSON bodies: bounded before anything is built from them, and no field twice in an object."""

import json
import re
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from credit_scoring.application.schemas import MAX_FAULTS, Fault, InvalidBodyError, ItemError, faults
from credit_scoring.errors import RequestError

MAX_FIELDS = 64  # of an object, counted at all depths; an application may have twice as many as its catalogue
BYTES_PER_FAULT = 40  # of an array: its answer lists one fault for so many bytes, whatever its items are
MAX_FAULTS_IN_ALL = 1000  # listed in one answer; each takes 15 µs
MOST_ADVISED = 20  # items of an array whose unknown fields are compared with the known ones, for 50 µs each
TOO_MANY_FAULTS = ItemError(code="too_many", detail="Send fewer", faults=[])  # short: an answer may hold 1,000

_Model = TypeVar("_Model", bound=BaseModel)

_SMALL = 4096  # bytes: whatever such a body holds is parsed in no time
_PARTS = b":", b"{", b"["
_TEXT_OR_PART = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|([:{\[])', re.DOTALL)


def check_fields(body: bytes, most: int = 1, fields: int = MAX_FIELDS) -> None:
    """Raises RequestError when a body has more than so many fields for each of its objects; parses nothing.

    The body is an object, or an array of up to `most`.
    """
    if len(body) > _SMALL or body.count(b":") > fields:
        _check_parts(body, most, fields)


def _check_parts(body: bytes, most: int, fields: int) -> None:
    limit = fields + 1  # the object itself
    if body.lstrip().startswith(b"["):
        limit = limit * most + 1
    if sum(body.count(part) for part in _PARTS) > limit and _has_more_parts(body, limit):
        raise RequestError(400, f"At most {fields} fields in an object, nested ones included.", "too_long")


def _has_more_parts(body: bytes, limit: int) -> bool:
    """Whether more than so many fields, objects and arrays are found outside texts; reads no further than it must."""
    parts = (match for match in _TEXT_OR_PART.finditer(body) if match.lastindex)
    return any(number > limit for number, _ in enumerate(parts, start=1))


def check_repeats(body: bytes, fields: int) -> None:
    """Raises RequestError when a field is given twice in an object: which of two ages counts is anyone's guess.

    `fields` is how many the parser kept. A flat object has as many colons as fields, unless a text holds some, so the
    slow look is seldom needed.
    """
    if body.count(b":") > fields:
        json.loads(body, object_pairs_hook=_unique, parse_int=float)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise RequestError(400, "A field stands more than once in the same object.", "repeated_field")
    return found


def parse(body: bytes, most: int, fields: int = MAX_FIELDS) -> Any:
    """The value of a body: an object, or an array of up to `most`; raises RequestError when it is no such JSON."""
    check_fields(body, most, fields)
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise RequestError(400, f"Invalid JSON: {error}", "json_invalid") from None


def validated(model: type[_Model], body: bytes) -> _Model:
    """What a body says; raises InvalidBodyError, which names every fault."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise InvalidBodyError(faults(error, model.model_fields)) from None


def check_items(body: bytes, items: list[Any], most: int, what: str, fields: int = MAX_FIELDS) -> None:
    """Raises RequestError when these items of a body are too many, or have too many or repeated fields."""
    if len(items) > most:
        raise RequestError(400, f"At most {most:,} {what} at a time, found {len(items):,}.", "too_long")
    check_fields(body, len(items), fields)
    check_repeats(body, sum(len(item) for item in items if isinstance(item, dict)))


def too_many_fields(item: dict[str, Any], fields: int = MAX_FIELDS) -> Fault:
    """The fault of an object that is not validated field by field."""
    return Fault(field="", message=f"At most {fields} fields, found {len(item):,}", code="too_long")


def fault_sentence(found: list[Fault], consequence: str) -> str:
    """The error in one sentence: what these faults led to."""
    return f"{consequence}: {len(found)} fault{'' if len(found) == 1 else 's'}."


def refusal(error: RequestError) -> ItemError:
    """The answer in the place of an item that is refused for this."""
    return ItemError(code=error.kind, detail=str(error), faults=[])


class ItemErrors:
    """Answers to the bad items of one array, each in its place; all of them list a bounded number of faults.

    `code` is theirs; `known` are the fields to name where one is unknown.
    """

    def __init__(self, code: str, consequence: str, length: int, known: Iterable[str] = ()) -> None:
        self._code, self._consequence = code, consequence
        self._advised = 0
        self._known = known
        self._left = min(max(length // BYTES_PER_FAULT, MAX_FAULTS), MAX_FAULTS_IN_ALL)

    def answer(self, error: ValidationError | Fault) -> ItemError:
        """The faults of one item, or TOO_MANY_FAULTS once the answer lists as many as it may."""
        if self._left <= 0:
            return TOO_MANY_FAULTS
        self._advised += 1
        known = self._known if self._advised <= MOST_ADVISED else ()
        found = [error] if isinstance(error, Fault) else faults(error, known)
        self._left -= len(found)
        return ItemError(code=self._code, detail=fault_sentence(found, self._consequence), faults=found)
