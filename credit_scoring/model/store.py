"""Scorers in the BentoML model store, whole or not at all."""

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import bentoml
from bentoml._internal.bento.bento import BentoModelInfo
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.models.model import ModelStore
from bentoml._internal.tag import Tag
from bentoml.exceptions import BentoMLException, NotFound
from bentoml.models import BentoModel, Model, ModelContext
from pydantic import ValidationError

from credit_scoring.application.catalogue import Catalogue, shipped
from credit_scoring.errors import CreditScoringError, ModelNotFoundError, ModelStoreError
from credit_scoring.model.manifest import CATALOGUE_FILE
from credit_scoring.model.promotions import Promotion, Promotions
from credit_scoring.settings import CHAMPION, MODEL_NAME

if TYPE_CHECKING:  # the arbiter of the service finds models, but does not score
    from credit_scoring.model.scorer import Scorer

PROBE_BYTES = 4 * 1024 * 1024
ALIASES = frozenset({CHAMPION, CHAMPION.partition(":")[2]})

logger = logging.getLogger(__name__)


def save(scorer: "Scorer", add: Callable[[str, Path], object] = lambda tag, folder: None) -> str:
    """Keep a scorer in the store; its tag. `bentoml.sklearn.load_model(tag)` gives back the fitted pipeline.

    `add` is called with the tag and the model's folder before the model appears in the store.
    """
    context = ModelContext("sklearn", {"scikit-learn": scorer.card.library_versions["scikit-learn"]})
    tag = Tag(MODEL_NAME).make_new_version()
    try:
        with (
            whole(tag),
            bentoml.models.create(
                tag,
                module="bentoml.sklearn",
                signatures={"predict_proba": {"batchable": True}},
                labels={"algorithm": scorer.card.chosen, "source": scorer.card.data.source.partition(":")[0]},
                metadata={name: interval.value for name, interval in scorer.card.test.items()},
                context=context,
            ) as model,
        ):
            scorer.save(Path(model.path))
            add(str(tag), Path(model.path))
    except OSError as error:
        raise _unwritable(error) from error
    return str(tag)


@contextmanager
def whole(tag: Tag) -> Iterator[None]:
    """Takes a new model out of the store that Ctrl-C has left in part; BentoML does so after errors only."""
    try:
        yield
    except KeyboardInterrupt:
        shutil.rmtree(_folder() / tag.path(), ignore_errors=True)
        raise


def check_writable() -> None:
    """Raises ModelStoreError when a model could not be saved; cheap, so that no search is run in vain."""
    try:
        with tempfile.NamedTemporaryFile(dir=_folder()) as probe:
            probe.write(b"\0" * PROBE_BYTES)
    except OSError as error:
        raise _unwritable(error) from error


def find(tag: str) -> Model:
    """The stored model under a tag, or the champion under its alias; raises ModelNotFoundError when there is none.

    While no model has been promoted, the champion is the newest one.
    """
    return _champion() if tag in ALIASES else _stored(tag)


def has(tag: str) -> bool:
    """Whether the store holds a model under this tag."""
    try:
        find(tag)
    except ModelNotFoundError:
        return False
    return True


def versions() -> Iterator[str]:
    """The tags of all models that the store holds, complete or not, in no order."""
    try:
        folders = [each for each in (_folder() / MODEL_NAME).iterdir() if each.is_dir()]
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unwritable(error) from error
    for each in folders:
        yield f"{MODEL_NAME}:{each.name}"


class StoredModel(BentoModel):  # type: ignore[misc]  # bentoml is half typed
    """A model of the local store; BentoML's own reference would ask its cloud for one that is missing.

    `tag` may be an alias; what is resolved, and what a Bento carries, has a tag of its own.
    """

    @property
    def stored(self) -> Model:
        """The stored model; raises NotFound, which the bentoml command shows as one line."""
        try:
            return find(str(self.tag))
        except CreditScoringError as error:
            raise NotFound(str(error)) from error

    def to_info(self, alias: str | None = None) -> BentoModelInfo:
        """What `bentoml build` writes of the model into a Bento: with its promotion, if it is the champion."""
        info = super().to_info(alias)
        try:
            champion = Promotions.of_store().champion()
        except ModelStoreError as error:
            raise NotFound(str(error)) from error
        if champion is None or champion.tag != str(info.tag):
            return info
        told = {"promotion": champion.model_dump(mode="json")}
        return BentoModelInfo(info.tag, info.module, info.creation_time, info.alias, metadata=told)

    def use_of_bento(self, tag: Tag) -> None:
        """In a Bento: take the model that it was built with, unless another one is named by its version."""
        if str(self.tag) in ALIASES or self.tag.version in (None, "latest"):
            object.__setattr__(self, "tag", tag)  # frozen


def _champion() -> Model:
    promotion = Promotions.of_store().champion()
    if promotion:
        return _promoted(promotion)
    model = _stored(f"{MODEL_NAME}:latest")
    _warn_of_newest(str(model.tag))
    return model


@cache  # once is enough: BentoML resolves a model several times
def _warn_of_newest(tag: str) -> None:
    logger.warning(
        "No model has been promoted yet: %s, the newest, is used. "
        "Make one the champion with `credit-scoring models promote TAG --reason …`.",
        tag,
    )


def _promoted(promotion: Promotion) -> Model:
    try:
        return _stored(promotion.tag)
    except ModelNotFoundError as error:
        raise ModelNotFoundError(
            f"The champion {promotion.tag} (promoted on {promotion.at:%Y-%m-%d} by {promotion.by}) is not in the "
            "BentoML store any more. Import it again with `bentoml models import`, "
            "or promote another model: `credit-scoring models promote TAG --reason …`."
        ) from error


def _stored(tag: str) -> Model:
    try:
        return _carried_or_stored(tag)
    except OSError as error:
        raise _unwritable(error) from error
    except (BentoMLException, ValueError) as error:  # ValueError: what can be no tag
        raise ModelNotFoundError(_none(tag or '""')) from error


def _carried_or_stored(tag: str) -> Model:
    """In a Bento, BentoML's store is what it carries; a model named by its version may lie in that of the home."""
    try:
        return bentoml.models.get(tag)
    except NotFound:
        return bentoml.models.get(tag, _model_store=ModelStore(_folder()))


def _folder() -> Path:
    return Path(BentoMLContainer.bentoml_home.get()) / "models"


def catalogue_of(model: StoredModel) -> Catalogue:
    """The fields that the model has; those that come with the project where there is no model, or not a whole one."""
    try:
        return Catalogue.model_validate_json((Path(model.stored.path) / CATALOGUE_FILE).read_bytes())
    except (OSError, ValidationError, NotFound):  # the service says so when it loads the model
        return shipped()


def _none(tag: str) -> str:
    return (
        f"No model {tag} in the BentoML store. Train one with `credit-scoring train`, "
        "or see what there is with `credit-scoring models list`."
    )


def _unwritable(error: OSError) -> ModelStoreError:
    place = f": {error.filename}" if error.filename else ""
    return ModelStoreError(
        f"The model store cannot be written ({error.strerror}{place}). Nothing was saved. "
        "Free the disk, or point BENTOML_HOME at a folder that you may write to."
    )
