"""An overlay with the images of a deploy, written to build/; committed files stay as they are."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from cluster import BUILD, RolloutError, kubectl

OVERLAYS = Path(__file__).resolve().parent / "overlays"
OURS = "../../../deploy/kubernetes"  # from a folder of build/kubernetes
CAUSE = "kubernetes.io/change-cause"  # what `kubectl rollout history` shows

REFERENCE = re.compile(r"(?P<name>[^\s@]+?)(:(?P<tag>\w[\w.-]*))?(@(?P<digest>sha256:[0-9a-f]{64}))?")
IMAGE_LINE = re.compile(r"^[ -]*image: (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Release:
    """What a deploy brings: images by digest, how many challengers, a note for the history, their share of requests."""

    image: str
    canary: str | None = None
    canary_replicas: int = 1
    train: str | None = None
    note: str = ""
    canary_weight: int | None = None


def render(overlay: Path, release: Release) -> Path:
    """The manifests of this release; raises RolloutError."""
    folder = BUILD / overlay.name
    _write(folder, _kustomization(overlay, release))
    if release.canary:
        _write(folder / "canary", _canary(overlay, release, release.canary))
    rendered = kubectl("kustomize", folder)
    unpinned = [each for each in IMAGE_LINE.findall(rendered) if "@sha256:" not in each]
    if unpinned and overlay.name != "local":
        raise RolloutError(f"{overlay.name}: {', '.join(unpinned)}: expected images by digest, like name@sha256:….")
    manifests = folder / "manifests.yaml"
    manifests.write_text(rendered + "\n", encoding="utf-8")
    return manifests


def namespace(overlay: Path) -> str:
    """Where an overlay goes; raises RolloutError."""
    found = re.search(r"^namespace: (\S+)$", (overlay / "kustomization.yaml").read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise RolloutError(f"{overlay}/kustomization.yaml names no namespace.")
    return found[1]


def _write(folder: Path, kustomization: dict[str, object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(kustomization, indent=2)  # JSON is YAML, and Python has it
    (folder / "kustomization.yaml").write_text(text + "\n", encoding="utf-8")


def _kustomization(overlay: Path, release: Release) -> dict[str, object]:
    images = {
        "credit-scoring": release.image,
        "credit-scoring-canary": release.canary,
        "credit-scoring-train": release.train,
    }
    # Without an image there is no retraining to apply; one that is there stays as it is.
    left_out = [] if release.train else [_left_out("CronJob"), _left_out("PersistentVolumeClaim")]
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": namespace(overlay),
        "resources": [f"{OURS}/overlays/{overlay.name}", *(["canary"] if release.canary else [])],
        "images": [_image(name, reference) for name, reference in images.items() if reference is not None],
        "patches": [_caused("credit-scoring/track!=canary", release.image, release.note), *left_out],
    }


def _canary(overlay: Path, release: Release, image: str) -> dict[str, object]:
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"../{OURS}/overlays/{overlay.name}"],
        "components": [f"../{OURS}/canary"],
        "replicas": [{"name": "credit-scoring", "count": release.canary_replicas}],
        "patches": [_caused("credit-scoring/track=canary", image, "")],
    }


def _caused(selector: str, image: str, note: str) -> dict[str, object]:
    """Of a Deployment, not of its pods: another note alone replaces none."""
    cause = ", ".join(each for each in (image, note) if each)
    patch = {"kind": "Deployment", "metadata": {"name": "any", "annotations": {CAUSE: cause}}}
    return {"target": {"kind": "Deployment", "labelSelector": selector}, "patch": json.dumps(patch)}


def _image(name: str, reference: str) -> dict[str, str]:
    found = REFERENCE.fullmatch(reference)
    if not found or not (found["digest"] or found["tag"]):
        raise RolloutError(f"{reference!r}: expected an image by digest, like ghcr.io/owner/{name}@sha256:….")
    pinned = {"digest": found["digest"]} if found["digest"] else {"newTag": found["tag"]}
    return {"name": name, "newName": found["name"], **pinned}


def _left_out(kind: str) -> dict[str, object]:
    patch = {"$patch": "delete", "kind": kind, "metadata": {"name": "any"}}
    return {"target": {"kind": kind}, "patch": json.dumps(patch)}
