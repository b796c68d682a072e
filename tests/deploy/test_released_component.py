"""The Kubernetes component that has retraining compare with the released model."""

import hashlib
import re
from pathlib import Path

import bentoml
import pytest

from credit_scoring.model import store
from credit_scoring.model.scorer import Scorer
from tests.support.command_line import run
from tests.support.manifests import Json, of_kind, with_components
from tests.support.web import served_folder

IMAGES = 'images: [{name: credit-scoring-train, newName: registry.example/train, digest: "sha256:abc"}]'


def rendered(folder: Path, settings: str) -> list[Json]:
    return with_components(folder, "retraining", "released", images=IMAGES, released=settings)


def pod_of(found: list[Json]) -> Json:
    job = of_kind(found, "CronJob")["credit-scoring-retraining"]["spec"]["jobTemplate"]["spec"]
    pod: Json = job["template"]["spec"]
    return pod


def arguments(found: list[Json], container: Json) -> list[str]:
    """What a container is given, with its settings in their places, as the kubelet does it."""
    maps = of_kind(found, "ConfigMap")
    names = [each["configMapRef"]["name"] for each in container["envFrom"]]
    settings = {key: value for name in names for key, value in maps[name]["data"].items()}
    return [re.sub(r"\$\((\w+)\)", lambda name: str(settings[name[1]]), each) for each in container["args"]]


@pytest.mark.usefixtures("published")
def test_the_released_model_is_in_the_store_before_a_training_that_compares_with_it(
    scorer: Scorer, tmp_path: Path
) -> None:
    tag = store.save(scorer)
    exported = Path(bentoml.models.export_model(tag, str(tmp_path / "model.bentomodel")))
    sha256 = hashlib.sha256(exported.read_bytes()).hexdigest()
    with served_folder(tmp_path) as address:
        settings = f"MODEL_ADDRESS={address}/{exported.name}\nMODEL_SHA256={sha256}\nMODEL_TAG={tag}\n"
        found = rendered(tmp_path, settings)
        (init,), (training,) = pod_of(found)["initContainers"], pod_of(found)["containers"]
        imported = run(*arguments(found, init), BENTOML_HOME=str(tmp_path / "home"))
    assert imported.stdout.strip() == tag
    assert arguments(found, training) == ["train", "--source", "decisions", "--against", str(tag)]
    homes = [[each for each in one["volumeMounts"] if each["name"] == "models"] for one in (init, training)]
    assert homes[0] == homes[1] != []
    assert init["image"] == training["image"]


def test_only_retraining_may_reach_the_store_of_the_released_model(tmp_path: Path) -> None:
    found = rendered(tmp_path, "MODEL_ADDRESS=https://x\nMODEL_SHA256=0\nMODEL_TAG=credit_scoring:a\n")
    policy = of_kind(found, "NetworkPolicy")["released-model"]["spec"]
    assert policy["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "retraining"
    assert policy["egress"][0]["ports"] == [{"port": 443, "protocol": "TCP"}]
