"""The scorer: fitted pipeline, policy and reference, the one object that turns applications into decisions."""

import hashlib
import json
import logging
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import joblib
import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, RootModel, ValidationError
from sklearn.pipeline import Pipeline

from credit_scoring.card import ModelCard
from credit_scoring.compiled import CompiledPipeline
from credit_scoring.errors import ModelRejectedError
from credit_scoring.policy import Policy
from credit_scoring.preprocessing import Floats, application_frame

logger = logging.getLogger(__name__)

PIPELINE_FILE = "saved_model.pkl"
CARD_FILE = "card.json"
POLICY_FILE = "policy.json"
REFERENCE_FILE = "reference.json"
MANIFEST_FILE = "manifest.json"
SAVED_FILES = (PIPELINE_FILE, CARD_FILE, POLICY_FILE, REFERENCE_FILE)

REFERENCE_ROWS = 256
SCORE_TOLERANCE = 1e-9
PARITY_TOLERANCE = 1e-6
LIBRARIES = ("scikit-learn", "lightgbm", "xgboost-cpu", "numpy", "pandas", "joblib")


class Reference(BaseModel):
    """Training rows, feature fields only, with the risks that the model gave them when it was saved."""

    model_config = ConfigDict(frozen=True)

    rows: tuple[dict[str, Any], ...]
    risk: tuple[float, ...]


class Manifest(RootModel[dict[str, str]]):
    """The sha256 of each saved file, by name."""


@dataclass(frozen=True)
class Scorer:
    """Scores and decides; service, batch and evaluation hold one of these and nothing else."""

    pipeline: Pipeline
    policy: Policy
    card: ModelCard
    reference: Reference
    compiled: CompiledPipeline | None = None

    @classmethod
    def of(cls, pipeline: Pipeline, policy: Policy, card: ModelCard, frame: pd.DataFrame) -> Self:
        """A scorer whose reference is drawn from the training frame."""
        sample = frame[list(card.features)].sample(min(REFERENCE_ROWS, len(frame)), random_state=card.seed)
        rows = json.loads(sample.to_json(orient="records", double_precision=15))
        scorer = cls(pipeline, policy, card, Reference(rows=tuple(rows), risk=()))
        return replace(scorer, reference=Reference(rows=tuple(rows), risk=tuple(scorer.score_records(rows).tolist())))

    def score(self, frame: pd.DataFrame) -> Floats:
        """Risk probability of each row, shape (rows,); a row's value does not depend on the others."""
        probabilities = self.pipeline.predict_proba(frame[list(self.card.features)])
        return np.asarray(probabilities[:, 1], dtype=np.float64)

    def score_records(self, records: Sequence[Mapping[str, Any]]) -> Floats:
        """Risk probability of each record; every feature is a key of each. By the compiled form where there is one."""
        if self.compiled is None:
            return self.score(application_frame(records, self.card.features))
        return self.compiled.score(records)

    def prove(self) -> None:
        """Re-score the reference rows; raises ModelRejectedError when a risk differs from the saved one."""
        found = self.score_records(self.reference.rows)
        worst = float(np.max(np.abs(found - np.array(self.reference.risk)), initial=0.0))
        if not worst <= SCORE_TOLERANCE:
            raise ModelRejectedError(
                f"The model does not score as it did when it was saved: a reference row differs by {worst:.2g}, "
                f"at most {SCORE_TOLERANCE:g} is allowed. {_version_advice(self.card)}"
            )

    def with_compiled_form(self) -> Self:
        """The same scorer, compiled if that form scores the reference rows as the pipeline does; as it is if not."""
        try:
            compiled = CompiledPipeline(self.pipeline)
            gap = np.abs(compiled.score(self.reference.rows) - np.array(self.reference.risk))
        except Exception as error:  # whatever a pipeline of another shape makes the compiler raise
            logger.warning("Serving the pipeline itself: it cannot be compiled (%s).", type(error).__name__)
            return self
        if not gap.max(initial=0.0) <= PARITY_TOLERANCE:
            logger.warning("Serving the pipeline itself: its compiled form differs by %.2g.", gap.max())
            return self
        return replace(self, compiled=compiled)

    def save(self, folder: Path) -> None:
        """Write pipeline, policy, reference, card and a manifest of their hashes into a folder."""
        joblib.dump(self.pipeline, folder / PIPELINE_FILE)
        (folder / CARD_FILE).write_text(self.card.model_dump_json(indent=2), encoding="utf-8")
        (folder / POLICY_FILE).write_text(self.policy.model_dump_json(indent=2), encoding="utf-8")
        (folder / REFERENCE_FILE).write_text(self.reference.model_dump_json(), encoding="utf-8")
        manifest = Manifest({name: _sha256(folder / name) for name in SAVED_FILES})
        (folder / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=2), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved scorer and prove it; raises ModelRejectedError when it must not decide."""
        card = inspect(folder)
        try:
            pipeline = joblib.load(folder / PIPELINE_FILE)
            policy = Policy.model_validate_json((folder / POLICY_FILE).read_bytes())
            reference = Reference.model_validate_json((folder / REFERENCE_FILE).read_bytes())
        except Exception as error:  # unpickling may raise anything
            raise ModelRejectedError(f"Model {folder}: cannot be loaded ({error}). {_version_advice(card)}") from error
        scorer = cls(pipeline, policy, card, reference)
        scorer.prove()
        return scorer.with_compiled_form()


def inspect(folder: Path) -> ModelCard:
    """Check a saved scorer without loading it: files whole, libraries fitting; its card."""
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
    _check_versions(card)
    return card


def library_versions() -> dict[str, str]:
    """Versions of the libraries that decide a score."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


_RETRAIN = "Train a new model with `credit-scoring train`, or delete this one with `bentoml models delete`."


def _check_versions(card: ModelCard) -> None:
    differing = _differing_versions(card)
    if any(name == "scikit-learn" for name, _, _ in differing):
        raise ModelRejectedError(f"A fitted scikit-learn model is not portable. {_version_advice(card)}")
    if differing:
        logger.warning("Serving under other libraries than in training. %s", _version_advice(card))


def _differing_versions(card: ModelCard) -> list[tuple[str, str, str]]:
    here = library_versions()
    pairs = [(name, trained, here.get(name, "none")) for name, trained in card.library_versions.items()]
    return [(name, trained, found) for name, trained, found in pairs if _release(trained) != _release(found)]


def _release(full: str) -> list[str]:
    return full.split(".")[:2]


def _version_advice(card: ModelCard) -> str:
    differing = _differing_versions(card)
    if not differing:
        return f"Libraries are those it was trained with. {_RETRAIN}"
    names = "; ".join(f"{name} {trained} in training, {found} here" for name, trained, found in differing)
    return (
        f"Libraries differ ({names}). Run `make install` for the locked ones, or retrain with `credit-scoring train`."
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
