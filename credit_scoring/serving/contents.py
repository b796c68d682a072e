"""JSON bodies as the OpenAPI document describes them: one model, an array of them, or either."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

Json = dict[str, Any]
Model = type[BaseModel]


@dataclass(frozen=True)
class Content:
    """A JSON body: its schema, the models that the schema refers to, and an example where there is one."""

    schema: Json
    models: tuple[Model, ...]
    example: Any = None


def one(model: Model, example: Any = None) -> Content:
    """One object of this model."""
    return Content(reference(model), (model,), example)


def many(*models: Model, most: int, example: Any = None) -> Content:
    """An array of up to `most` objects, each of any of these models."""
    return Content(_array(models, most), models, example)


def one_or_many(*models: Model, most: int, example: Any = None) -> Content:
    """One object of the first model, or an array of up to `most` objects, each of any of these models."""
    return Content({"oneOf": [reference(models[0]), _array(models, most)]}, models, example)


def reference(model: Model) -> Json:
    """The schema that refers to this model among the document's components."""
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _array(models: tuple[Model, ...], most: int) -> Json:
    items = [reference(model) for model in models]
    return {"type": "array", "maxItems": most, "items": items[0] if len(items) == 1 else {"anyOf": items}}
