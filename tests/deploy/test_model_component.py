"""The Kubernetes component that has pods fetch their model."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import bentoml

from credit_scoring.model import store
from credit_scoring.model.scorer import Scorer
from tests.support.command_line import run
from tests.support.manifests import of_kind, with_components
from tests.support.web import served_folder

IMAGES = 'images: [{name: credit-scoring, newName: registry.example/credit-scoring, digest: "sha256:abc"}]'
SETTINGS = "MODEL_ADDRESS={address}\nMODEL_SHA256={sha256}\nCREDIT_SCORING_MODEL={tag}\n"


def rendered(folder: Path, settings: str) -> dict[str, Any]:
    """The manifests of an overlay with the component and these settings, by kind."""
    found = with_components(folder, "model", images=IMAGES, model=settings)
    return {"pod": of_kind(found, "Deployment")["credit-scoring"]["spec"]["template"]["spec"], "all": found}


def settings_of(manifests: dict[str, Any], container: dict[str, Any]) -> dict[str, str]:
    """What a container finds in its environment."""
    maps = of_kind(manifests["all"], "ConfigMap")
    names = [each["configMapRef"]["name"] for each in container["envFrom"]]
    return {key: value for name in names for key, value in maps.get(name, {"data": {}})["data"].items()}


def test_a_pod_fetches_the_model_that_its_service_then_serves(
    scorer: Scorer, published: Callable[[], list[str]], tmp_path: Path
) -> None:
    data = scorer.card.data.model_copy(update={"source": "history.csv"})
    tag = store.save(replace(scorer, card=scorer.card.model_copy(update={"data": data})))
    exported = Path(bentoml.models.export_model(tag, str(tmp_path / "model.bentomodel")))
    sha256 = hashlib.sha256(exported.read_bytes()).hexdigest()
    with served_folder(tmp_path) as address:
        settings = SETTINGS.format(address=f"{address}/{exported.name}", sha256=sha256, tag=tag)
        manifests = rendered(tmp_path, settings)
        (init,), (service,) = manifests["pod"]["initContainers"], manifests["pod"]["containers"]
        environment = settings_of(manifests, init)
        command = [re.sub(r"\$\((\w+)\)", lambda found: environment[found[1]], each) for each in init["command"]]
        found = run(*command[1:], BENTOML_HOME=str(tmp_path / "home"))
    assert found.stdout.strip() == settings_of(manifests, service)["CREDIT_SCORING_MODEL"]
    assert init["image"] == service["image"]
    homes = [
        [each["name"] for each in container["volumeMounts"] if each["mountPath"] == "/home/bentoml/bentoml"]
        for container in (init, service)
    ]
    assert homes[0] == homes[1] != []


def test_another_model_replaces_the_pods(tmp_path: Path) -> None:
    pods = [
        rendered(tmp_path / tag, SETTINGS.format(address="https://x", sha256="0", tag=f"credit_scoring:{tag}"))["pod"]
        for tag in ("one", "other")
    ]
    assert pods[0] != pods[1]


def test_a_pod_may_reach_the_model_store_before_it_is_rolled_out(tmp_path: Path) -> None:
    found = rendered(tmp_path, SETTINGS.format(address="https://x", sha256="0", tag="credit_scoring:a"))
    policy = of_kind(found["all"], "NetworkPolicy")["model-store"]
    assert policy["spec"]["egress"][0]["ports"] == [{"port": 443, "protocol": "TCP"}]
    assert policy["metadata"]["labels"]["credit-scoring/applied"] == "before-rollout"
