"""The field catalogue: which fields an application has and what they mean, read from TOML and kept in the model."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from credit_scoring.application.catalogue_checks import problems
from credit_scoring.application.expressions import Expression
from credit_scoring.application.fields import (
    APPLICATION_ID,
    ApplicationField,
    Derived,
    DerivedField,
    Group,
    Lever,
    RiskMoves,
    Role,
)
from credit_scoring.application.schemas import Application
from credit_scoring.application.slopes import one_way
from credit_scoring.application.suggestions import or_nearest
from credit_scoring.application.toml_files import read_toml, told
from credit_scoring.application.validation import application_class
from credit_scoring.errors import CatalogueError

FOLDER = Path(__file__).parent
SHIPPED = ("consorcio", "kaggle", "consorcio_bureau")

MAX_FIELDS = 500
MAX_GROUPS = 10


class Catalogue(BaseModel):
    """All fields of an application, in order; refuses what could not be served, scored or explained.

    `exposure` is the field that costs are shares of; without one, every application costs the same.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
    exposure: str | None = None
    groups: Annotated[dict[str, Group], Field(max_length=MAX_GROUPS)] = {}
    fields: Annotated[dict[str, ApplicationField], Field(min_length=1, max_length=MAX_FIELDS)]
    derived: Annotated[dict[str, Derived], Field(max_length=MAX_FIELDS)] = {}

    @model_validator(mode="before")
    @classmethod
    def _named(cls, content: Any) -> Any:
        """Each field bears the name that it stands under."""
        fields = content.get("fields") if isinstance(content, Mapping) else None
        if not isinstance(fields, Mapping):
            return content
        if len(fields) > MAX_FIELDS:
            raise ValueError(f"fields: {len(fields):,} of them; {MAX_FIELDS} are allowed, leave some out")
        named = {name: {**each, "name": name} if isinstance(each, Mapping) else each for name, each in fields.items()}
        return {**content, "fields": named}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        found = list(problems(self.fields, self.derived, self.groups, self.exposure))
        if found := found or list(_misfits(self)):
            raise ValueError("\n".join(found))
        return self

    def __reduce__(self) -> Any:
        """Pickled as text, without the class that is made from it."""
        return type(self).model_validate_json, (self.model_dump_json(),)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The catalogue in a TOML file; raises CatalogueError, which names every fault."""
        return read_toml(path, cls, "Field catalogue", CatalogueError)

    @cached_property
    def application(self) -> type[Application]:
        """The class that checks an application."""
        return application_class(self.fields.values(), self.example)

    @cached_property
    def digest(self) -> str:
        """The sha256 of its content."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def example(self) -> dict[str, JsonValue]:
        """An application that shows every field which has an example."""
        return {name: field.example for name, field in self.fields.items() if field.example is not None}

    @property
    def all_fields(self) -> dict[str, ApplicationField]:
        """The fields and, first, the application's id."""
        return {APPLICATION_ID.name: APPLICATION_ID, **self.fields}

    @property
    def features(self) -> tuple[str, ...]:
        """The fields that a model may use."""
        return tuple(name for name, field in self.fields.items() if field.role is Role.FEATURE)

    @property
    def audit_fields(self) -> tuple[str, ...]:
        """The fields that only audits use."""
        return tuple(name for name, field in self.fields.items() if field.role is Role.AUDIT)

    @property
    def levers(self) -> dict[str, Lever]:
        """The fields that a client can change, with their bounds."""
        return {name: field.lever for name, field in self.fields.items() if field.lever}

    @cached_property
    def directed(self) -> frozenset[str]:
        """The fields that move the risk one way, whatever else an application says: no derived field contradicts."""
        declared = (name for name, field in self.fields.items() if field.risk_moves)
        return frozenset(name for name in declared if one_way(self.fields, self.derived, name))

    @property
    def required(self) -> tuple[str, ...]:
        """The fields that every application has."""
        return tuple(name for name, field in self.fields.items() if field.required)

    @property
    def lenient(self) -> frozenset[str]:
        """The fields and derived fields of which a missing value counts as the median or worse, not as the worst."""
        wanted = {name: entry.if_missing for name, entry in self.fields.items()}
        wanted |= {name: entry.if_missing for name, entry in self.derived.items()}
        return frozenset(name for name, stand in wanted.items() if stand == "median")

    @property
    def moves(self) -> dict[str, RiskMoves]:
        """The declared direction of risk of those fields and derived fields that have one."""
        wanted = {name: entry.risk_moves for name, entry in self.fields.items()}
        wanted |= {name: entry.risk_moves for name, entry in self.derived.items()}
        return {name: way for name, way in wanted.items() if way}

    def derived_from(self, names: Collection[str]) -> tuple[DerivedField, ...]:
        """The derived fields whose inputs are all among these."""
        inputs: dict[str, tuple[str, ...]] = {name: (name,) for name in self.fields}
        found = []
        for name, entry in self.derived.items():
            expression = Expression(entry.expression)
            inputs[name] = tuple(dict.fromkeys(raw for used in expression.names for raw in inputs[used]))
            found.append(DerivedField(name, expression, inputs[name], entry.risk_moves))
        return tuple(field for field in found if {*field.inputs} <= {*names})


def _misfits(catalogue: Catalogue) -> Iterator[str]:
    """Examples that their own fields refuse."""
    try:
        catalogue.application.model_validate(catalogue.example)
    except ValidationError as error:
        yield from (f"fields.{each['loc'][0]}.example: {each['msg']}" for each in error.errors())


@cache
def shipped(name: str = SHIPPED[0]) -> Catalogue:
    """A catalogue that comes with the project."""
    return Catalogue.read(FOLDER / f"{name}.toml")


def freed(catalogue: Catalogue, names: Collection[str]) -> Catalogue:
    """The same fields, of which these have no direction of risk any more; raises CatalogueError."""
    content = catalogue.model_dump()
    entries = {**content["fields"], **content["derived"]}
    directed = [name for name, entry in entries.items() if entry["risk_moves"]]
    for name in names:
        if name not in directed:
            advice = or_nearest(name, directed) or f"; expected one of {', '.join(directed)}."
            raise CatalogueError(f"--free {name[:40]}: no field with risk_moves{advice}")
        entries[name]["risk_moves"] = None
    try:
        return Catalogue.model_validate(content)
    except ValidationError as error:
        raise CatalogueError(
            f"--free: {'; '.join(line for each in error.errors() for line in told(each, Catalogue))}."
        ) from None
