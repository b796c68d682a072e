"""A stored model again under another policy: a new version with the same pipeline to the byte."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import bentoml
from bentoml.models import Model

from credit_scoring.errors import ModelStoreError
from credit_scoring.model.manifest import MANIFEST_FILE, POLICY_FILE, seal
from credit_scoring.policy.policy import Policy
from credit_scoring.settings import MODEL_NAME

_OF_THE_POLICY = (POLICY_FILE, MANIFEST_FILE, "model.yaml", "card.html", "assessment.json")


@dataclass(frozen=True)
class Publication:
    """Who publishes a policy, and why."""

    by: str
    reason: str


def publish(policy: Policy, model: Model, publication: Publication) -> str:
    """Keep this model under this policy, which it must have been tried with, in the store; the tag of the new version.

    The page and the numbers that were measured under the policy before are left behind: `credit-scoring evaluate`
    measures anew. Raises ModelStoreError.
    """
    info = model.info
    note = {
        "policy": policy.name or policy.version,
        "policy_version": policy.version,
        "published_from": str(model.tag),
        "published_by": publication.by,
        "published_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "reason": publication.reason,
    }
    try:
        with bentoml.models.create(
            MODEL_NAME,
            module=info.module,
            signatures={"predict_proba": {"batchable": True}},
            labels=dict(info.labels),
            metadata={**info.metadata, **note},
            context=info.context,
        ) as made:
            _copy(Path(model.path), Path(made.path))
            (Path(made.path) / POLICY_FILE).write_text(policy.model_dump_json(indent=2), encoding="utf-8")
            seal(Path(made.path))
    except OSError as error:
        raise ModelStoreError(f"The model store cannot be written ({error.strerror}). Nothing was saved.") from error
    return str(made.tag)


def _copy(source: Path, target: Path) -> None:
    for path in source.iterdir():
        if path.name not in _OF_THE_POLICY:
            shutil.copyfile(path, target / path.name)
