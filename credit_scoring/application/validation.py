"""The class that checks applications, made from a catalogue's fields."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, JsonValue, create_model

from credit_scoring.application.fields import MAX_TEXT, TEXT_PATTERN, ApplicationField
from credit_scoring.application.schemas import (
    SOURCES,
    SOURCES_DESCRIPTION,
    SOURCES_TITLE,
    Application,
    FieldSource,
)


def application_class(fields: Iterable[ApplicationField], example: dict[str, JsonValue]) -> type[Application]:
    """The `Application` with these fields; pydantic compiles it as it does a class that is written by hand."""
    declared: dict[str, Any] = {field.name: _declared(field) for field in fields}
    by_field: Any = dict[Literal[tuple(declared)], FieldSource]  # type: ignore[misc]  # the names are data
    declared[SOURCES] = (by_field | None, Field(None, title=SOURCES_TITLE, description=SOURCES_DESCRIPTION))
    made = create_model("Application", __base__=Application, __doc__=Application.__doc__, **declared)
    made.model_config["json_schema_extra"] = {"example": example}
    made.model_rebuild(force=True)
    return made


def _declared(field: ApplicationField) -> tuple[Any, Any]:
    inner: Any = _TYPES.get(field.kind) or Literal[field.categories]
    annotation: Any = Annotated[inner if field.required else inner | None, _limits(field)]
    if field.kind == "integer":
        annotation = Annotated[annotation, BeforeValidator(_whole)]
    return annotation, Field(
        ... if field.required else None,
        title=field.title,
        description=field.description or None,
        json_schema_extra=_extras(field),
    )


_TYPES: dict[str, type] = {"number": float, "integer": int, "flag": bool, "text": str}


def _limits(field: ApplicationField) -> Any:
    if field.kind == "text":
        return Field(min_length=1, max_length=MAX_TEXT, pattern=TEXT_PATTERN)
    return Field(gt=field.above, ge=field.at_least, le=field.at_most)


def _extras(field: ApplicationField) -> dict[str, JsonValue]:
    extras: dict[str, JsonValue] = {"x-role": field.role.value, "x-unit": field.unit, "x-risk-moves": field.risk_moves}
    extras["x-title-en"] = field.title_en
    return {key: value for key, value in extras.items() if value}


def _whole(number: Any) -> Any:
    """JSON has one kind of number: 48.0 is as whole as 48."""
    return int(number) if type(number) is float and number.is_integer() else number
