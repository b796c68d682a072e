"""The manifests of Kubernetes as objects, by the real kubectl."""

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from benchmarks.support.waiting import require
from credit_scoring.settings import PROJECT_FOLDER

DEPLOY = PROJECT_FOLDER / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
OVERLAYS = ("local", "staging", "production")
KUSTOMIZATION = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"

Json = dict[str, Any]


@cache
def kubectl() -> str:
    """The real one; `make lint-deploy` brings it where it is absent."""
    return require("kubectl", "`make lint-deploy`", PROJECT_FOLDER / ".ops" / "bin")


@cache
def overlay(name: str) -> list[Json]:
    """The objects of an overlay as it is committed."""
    return kustomized(KUBERNETES / "overlays" / name)


def kustomized(folder: Path) -> list[Json]:
    """The objects that kustomize makes of a folder."""
    command = [kubectl(), "kustomize", str(folder)]
    return objects(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def with_components(folder: Path, *names: str, images: str = "", **files: str) -> list[Json]:
    """The objects of an overlay of its own in a copy: the base with these components, in which these files differ.

    `files` are contents by the component's name; `images` is that entry of a kustomization.
    """
    copy = folder / "kubernetes"
    shutil.copytree(KUBERNETES, copy)
    for name, content in files.items():
        (copy / "components" / name / f"{name}.env").write_text(content, encoding="utf-8")
    overlay = copy / "overlays" / "own"
    overlay.mkdir()
    components = ", ".join(f"../../components/{name}" for name in names)
    text = f"{KUSTOMIZATION}resources: [../../base]\ncomponents: [{components}]\n{images}"
    (overlay / "kustomization.yaml").write_text(text, encoding="utf-8")
    return kustomized(overlay)


def objects(text: str) -> list[Json]:
    return list(yaml.safe_load_all(text))


def of_kind(found: list[Json], kind: str) -> dict[str, Json]:
    return {each["metadata"]["name"]: each for each in found if each["kind"] == kind}


def pods(found: list[Json]) -> Iterator[tuple[str, Json]]:
    """The pod templates of all that starts pods."""
    for each in found:
        if each["kind"] in ("Deployment", "Job"):
            yield each["metadata"]["name"], each["spec"]["template"]
        elif each["kind"] == "CronJob":
            yield each["metadata"]["name"], each["spec"]["jobTemplate"]["spec"]["template"]


def selects(selector: Json, labels: Json) -> bool:
    return selector.items() <= labels.items()
