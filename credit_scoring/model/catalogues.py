"""The field catalogue of a model that decided, also where another model has come into its place."""

from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.errors import ModelNotFoundError, ModelStoreError
from credit_scoring.model import store
from credit_scoring.model.manifest import CATALOGUE_FILE
from credit_scoring.settings import MODEL_NAME


def catalogue_of(tag: str, digest: str | None) -> Catalogue | None:
    """That of the model with this tag, or an equal one of another model in the store; None where there is neither.

    `digest` is the catalogue's own, as decisions have it on record; those of earlier versions have none.
    """
    if own := _stored(tag):
        return own
    others = map(_stored, _tags()) if digest else ()
    return next((each for each in others if each and each.digest == digest), None)


def _tags() -> list[str]:
    """All that may be in the store; an image carries its own model as the latest."""
    try:
        return [f"{MODEL_NAME}:latest", *store.versions()]
    except ModelStoreError:
        return []


def _stored(tag: str) -> Catalogue | None:
    try:
        return _read(Path(store.find(tag).path) / CATALOGUE_FILE)
    except (ModelNotFoundError, ModelStoreError, OSError, ValidationError):
        return None


@lru_cache(maxsize=128)
def _read(path: Path) -> Catalogue:
    return Catalogue.model_validate_json(path.read_bytes())
