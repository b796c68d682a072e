"""Scorers in the BentoML model store, whole or not at all."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bentoml
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml.exceptions import BentoMLException, NotFound
from bentoml.models import BentoModel, Model, ModelContext
from pydantic import ValidationError

from credit_scoring.application.catalogue import Catalogue, shipped
from credit_scoring.errors import ModelNotFoundError, ModelStoreError
from credit_scoring.model.manifest import CATALOGUE_FILE
from credit_scoring.settings import MODEL_NAME

if TYPE_CHECKING:  # the arbiter of the service finds models, but does not score
    from credit_scoring.model.scorer import Scorer

PROBE_BYTES = 4 * 1024 * 1024


def save(scorer: "Scorer", add: Callable[[str, Path], object] = lambda tag, folder: None) -> str:
    """Keep a scorer in the store; its tag. `bentoml.sklearn.load_model(tag)` gives back the fitted pipeline.

    `add` is called with the tag and the model's folder before the model appears in the store.
    """
    context = ModelContext("sklearn", {"scikit-learn": scorer.card.library_versions["scikit-learn"]})
    try:
        with bentoml.models.create(
            MODEL_NAME,
            module="bentoml.sklearn",
            signatures={"predict_proba": {"batchable": True}},
            labels={"algorithm": scorer.card.chosen, "source": scorer.card.data.source.partition(":")[0]},
            metadata={name: interval.value for name, interval in scorer.card.test.items()},
            context=context,
        ) as model:
            scorer.save(Path(model.path))
            add(str(model.tag), Path(model.path))
    except OSError as error:
        raise _unwritable(error) from error
    return str(model.tag)


def check_writable() -> None:
    """Raises ModelStoreError when a model could not be saved; cheap, so that no search is run in vain."""
    try:
        home = Path(BentoMLContainer.bentoml_home.get())
        with tempfile.NamedTemporaryFile(dir=home / "models") as probe:
            probe.write(b"\0" * PROBE_BYTES)
    except OSError as error:
        raise _unwritable(error) from error


def find(tag: str) -> Model:
    """The stored model under a tag; raises ModelNotFoundError when there is none."""
    try:
        return bentoml.models.get(tag)
    except OSError as error:
        raise _unwritable(error) from error
    except (NotFound, BentoMLException) as error:
        raise ModelNotFoundError(_none(tag)) from error


def has(tag: str) -> bool:
    """Whether the store holds a model under this tag."""
    try:
        find(tag)
    except ModelNotFoundError:
        return False
    return True


class StoredModel(BentoModel):  # type: ignore[misc]  # bentoml is half typed
    """A model of the local store; BentoML's own reference would ask its cloud for one that is missing."""

    def resolve(self, *args: Any, **kwargs: Any) -> Model:
        """The stored model; raises NotFound, which the bentoml command shows as one line."""
        self._check_stored()
        return super().resolve(*args, **kwargs)

    def to_info(self, *args: Any, **kwargs: Any) -> Any:
        """What `bentoml build` writes of the model into a Bento; raises NotFound."""
        self._check_stored()
        return super().to_info(*args, **kwargs)

    def _check_stored(self) -> None:
        if self.stored is None:
            raise NotFound(_none(str(self.tag)))


def catalogue_of(model: StoredModel) -> Catalogue:
    """The fields that the model has; those that come with the project where there is no model, or not a whole one."""
    stored = model.stored
    try:
        return Catalogue.model_validate_json((Path(stored.path) / CATALOGUE_FILE).read_bytes()) if stored else shipped()
    except (OSError, ValidationError):  # the service says so when it loads the model
        return shipped()


def _none(tag: str) -> str:
    return (
        f"No model {tag} in the BentoML store. Train one with `credit-scoring train`, "
        "or see what there is with `bentoml models list`."
    )


def _unwritable(error: OSError) -> ModelStoreError:
    place = f": {error.filename}" if error.filename else ""
    return ModelStoreError(
        f"The model store cannot be written ({error.strerror}{place}). Nothing was saved. "
        "Free the disk, or point BENTOML_HOME at a folder that you may write to."
    )
