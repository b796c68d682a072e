"""A model as a file that `bentoml models export` wrote: checked against its sha256, proven, put into the store."""

import hashlib
from collections.abc import Callable
from lzma import LZMAError
from pathlib import Path
from tarfile import TarError

import bentoml
from bentoml.exceptions import BentoMLException
from bentoml.models import Model

from credit_scoring.errors import ModelNotFoundError, ModelRejectedError, ModelStoreError
from credit_scoring.model import champion, store
from credit_scoring.model.card import ModelCard
from credit_scoring.model.manifest import inspect
from credit_scoring.model.scorer import Scorer
from credit_scoring.settings import MODEL_NAME

HASH_SUFFIX = ".sha256"
NEWEST = f"{MODEL_NAME}:latest"


def import_file(
    path: Path,
    sha256: str | None = None,
    called: str = "",
    check: Callable[[str, ModelCard], None] | None = None,
) -> tuple[str, bool]:
    """Put the model in this file into the store; its tag, and whether it was not there yet.

    Without `sha256` its hash lies beside it. Messages name the file `called`, or else its path; `check` may refuse the
    model by its tag and card. In a store without models it becomes champion. Raises ModelNotFoundError where there is
    no such file, and ModelRejectedError, with the store as it was, where the file is not the one that was hashed or
    must not decide.
    """
    name = called or str(path)
    _check_hash(path, sha256, name)
    model = _unpacked(path, name)
    tag = str(model.tag)
    if check:
        check(tag, inspect(Path(model.path)))
    if store.has(tag):
        return tag, False
    store.check_writable()
    served = str(store.find(NEWEST).tag) if store.has(NEWEST) else None
    try:
        with store.whole(model.tag):
            model.save()
    except OSError as error:
        raise ModelStoreError(f"The model store cannot be written ({error.strerror}). Nothing was saved.") from error
    champion.begin(tag, served, champion.operating_user())
    return tag, True


def _check_hash(path: Path, sha256: str | None, name: str) -> None:
    """Refuse a file that is not the one that was hashed when it was exported."""
    found = _read(path, "Export one with `bentoml models export TAG FILE`.")
    expected, told_by = (sha256, "--sha256") if sha256 else _hash_beside(path)
    if (actual := hashlib.sha256(found).hexdigest()) != expected.lower():
        raise ModelRejectedError(
            f"{name}: its sha256 is {actual[:12]}…, {told_by} says {expected[:12]}…. Nothing was imported. "
            "Get both again from where the model was exported."
        )


def _hash_beside(path: Path) -> tuple[str, str]:
    """The hash in the file beside this one, and that file's name."""
    beside = path.with_name(path.name + HASH_SUFFIX)
    told = _read(beside, f"It holds the hash of {path.name}, as `sha256sum` writes it; or give --sha256.").split()
    return told[0].decode(errors="replace") if told else "nothing", beside.name


def _read(path: Path, advice: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelNotFoundError(f"{path}: cannot be read ({error.strerror}). {advice}") from error


def _unpacked(path: Path, name: str) -> Model:
    """The model in a temporary folder, after it has reproduced its stored scores there."""
    try:
        model = bentoml.models.Model.import_from(str(path.resolve()))
    except (BentoMLException, OSError, EOFError, ValueError, LZMAError, TarError) as error:
        raise ModelRejectedError(
            f"{name}: is no model that `bentoml models export` has written ({type(error).__name__})."
        ) from error
    if model.tag.name != MODEL_NAME:
        raise ModelRejectedError(f"{name}: holds {model.tag}, expected a model named {MODEL_NAME}.")
    try:
        Scorer.load(Path(model.path))
    except ModelRejectedError as error:
        raise ModelRejectedError(f"{name}: {error}") from error
    return model
