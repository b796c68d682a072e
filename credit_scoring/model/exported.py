"""A model as a file that `bentoml models export` wrote: checked against its sha256, proven, put into the store."""

import hashlib
from lzma import LZMAError
from pathlib import Path
from tarfile import TarError

import bentoml
from bentoml.exceptions import BentoMLException
from bentoml.models import Model

from credit_scoring.errors import ModelNotFoundError, ModelRejectedError, ModelStoreError
from credit_scoring.model import champion, store
from credit_scoring.model.scorer import Scorer
from credit_scoring.settings import MODEL_NAME

HASH_SUFFIX = ".sha256"
NEWEST = f"{MODEL_NAME}:latest"


def import_file(path: Path) -> tuple[str, bool]:
    """Put the model in this file into the store; its tag, and whether it was not there yet.

    In a store without models it becomes champion. Raises ModelNotFoundError where there is no such file, and
    ModelRejectedError, with the store as it was, where the file is not the one that was hashed or must not decide.
    """
    _check_hash(path)
    model = _unpacked(path)
    tag = str(model.tag)
    if store.has(tag):
        return tag, False
    store.check_writable()
    served = str(store.find(NEWEST).tag) if store.has(NEWEST) else None
    try:
        model.save()
    except OSError as error:
        raise ModelStoreError(f"The model store cannot be written ({error.strerror}). Nothing was saved.") from error
    champion.begin(tag, served, champion.operating_user())
    return tag, True


def _check_hash(path: Path) -> None:
    """Refuse a file that is not the one that was hashed when it was exported."""
    beside = path.with_name(path.name + HASH_SUFFIX)
    found = _read(path, "Export one with `bentoml models export TAG FILE`.")
    told = _read(beside, f"It holds the hash of {path.name}, as `sha256sum` writes it.").split()
    expected = told[0].decode(errors="replace") if told else "nothing"
    if (actual := hashlib.sha256(found).hexdigest()) != expected:
        raise ModelRejectedError(
            f"{path}: its sha256 is {actual[:12]}…, {beside.name} says {expected[:12]}…. Nothing was imported. "
            "Get both files again from where they were exported."
        )


def _read(path: Path, advice: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelNotFoundError(f"{path}: cannot be read ({error.strerror}). {advice}") from error


def _unpacked(path: Path) -> Model:
    """The model in a temporary folder, after it has reproduced its stored scores there."""
    try:
        model = bentoml.models.Model.import_from(str(path.resolve()))
    except (BentoMLException, OSError, EOFError, ValueError, LZMAError, TarError) as error:
        raise ModelRejectedError(
            f"{path}: is no model that `bentoml models export` has written ({type(error).__name__})."
        ) from error
    if model.tag.name != MODEL_NAME:
        raise ModelRejectedError(f"{path}: holds {model.tag}, expected a model named {MODEL_NAME}.")
    try:
        Scorer.load(Path(model.path))
    except ModelRejectedError as error:
        raise ModelRejectedError(f"{path}: {error}") from error
    return model
