"""What lies in a saved model's folder, and whether it is whole; light, so that a model can be looked at unloaded."""

import hashlib
import logging
import platform
from importlib.metadata import version
from pathlib import Path

from pydantic import RootModel, ValidationError

from credit_scoring.errors import ModelRejectedError
from credit_scoring.model.card import ModelCard

logger = logging.getLogger(__name__)

PIPELINE_FILE = "saved_model.pkl"
CARD_FILE = "card.json"
POLICY_FILE = "policy.json"
REFERENCE_FILE = "reference.json"
CATALOGUE_FILE = "catalogue.json"
MANIFEST_FILE = "manifest.json"
SAVED_FILES = (PIPELINE_FILE, CATALOGUE_FILE, CARD_FILE, POLICY_FILE, REFERENCE_FILE)

LIBRARIES = ("scikit-learn", "lightgbm", "xgboost-cpu", "numpy", "pandas", "joblib")


class Manifest(RootModel[dict[str, str]]):
    """The sha256 of each saved file, by name."""


def seal(folder: Path) -> None:
    """Write the manifest of the files that a scorer has saved."""
    manifest = Manifest({name: _sha256(folder / name) for name in SAVED_FILES})
    (folder / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=2), encoding="utf-8")


def inspect(folder: Path) -> ModelCard:
    """Check a saved scorer without loading it: files whole, libraries fitting; its card."""
    card = checked(folder)[0]
    _check_versions(card)
    return card


def checked(folder: Path) -> tuple[ModelCard, dict[str, str]]:
    """The card of a saved scorer whose files are whole, and the sha256 of each by name; raises ModelRejectedError."""
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())
        changed = [name for name in SAVED_FILES if _sha256(folder / name) != manifest.root[name]]
        card = ModelCard.model_validate_json((folder / CARD_FILE).read_bytes())
    except (OSError, KeyError, ValidationError) as error:
        raise ModelRejectedError(
            f"Model {folder}: incomplete or not made by this project ({type(error).__name__}). {_RETRAIN}"
        ) from error
    if changed:
        raise ModelRejectedError(f"Model {folder}: {', '.join(changed)} changed since it was saved. {_RETRAIN}")
    return card, manifest.root


def library_versions() -> dict[str, str]:
    """Versions of the libraries that decide a score."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


_RETRAIN = "Train a new model with `credit-scoring train`, or delete this one with `bentoml models delete`."


def _check_versions(card: ModelCard) -> None:
    differing = _differing_versions(card)
    if any(name == "scikit-learn" for name, _, _ in differing):
        raise ModelRejectedError(f"A fitted scikit-learn model is not portable. {version_advice(card)}")
    if differing:
        logger.warning("Serving under other libraries than in training. %s", version_advice(card))


def _differing_versions(card: ModelCard) -> list[tuple[str, str, str]]:
    here = library_versions()
    pairs = [(name, trained, here.get(name, "none")) for name, trained in card.library_versions.items()]
    return [(name, trained, found) for name, trained, found in pairs if _release(trained) != _release(found)]


def _release(full: str) -> list[str]:
    return full.split(".")[:2]


def version_advice(card: ModelCard) -> str:
    """What to do when a model does not fit the libraries that are here."""
    differing = _differing_versions(card)
    if not differing:
        return f"Libraries are those it was trained with. {_RETRAIN}"
    names = "; ".join(f"{name} {trained} in training, {found} here" for name, trained, found in differing)
    return (
        f"Libraries differ ({names}). Run `make install` for the locked ones, or retrain with `credit-scoring train`."
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
