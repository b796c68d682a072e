"""The Kubernetes component that lets several pods share the review desk's sessions."""

import shutil
from pathlib import Path

from credit_scoring.review.secret import SETTING
from tests.support.manifests import KUBERNETES, Json, kustomized, of_kind

OVERLAY = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../base]
components: [../../components/desk{more}]
"""


def rendered(folder: Path, more: str = "") -> list[Json]:
    copy = folder / "kubernetes"
    shutil.copytree(KUBERNETES, copy)
    overlay = copy / "overlays" / "own"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(OVERLAY.format(more=more), encoding="utf-8")
    return kustomized(overlay)


def mounted(volume: Json) -> dict[str, str]:
    """Secret and key by the name of the file."""
    secrets = [each["secret"] for each in volume["projected"]["sources"] if "secret" in each]
    return {item["path"]: f"{each['name']}/{item['key']}" for each in secrets for item in each["items"]}


def test_the_secret_of_sessions_is_where_the_service_looks_for_it(tmp_path: Path) -> None:
    found = rendered(tmp_path, ", ../../components/policy")
    pod = of_kind(found, "Deployment")["credit-scoring"]["spec"]["template"]["spec"]
    (service,) = pod["containers"]
    name = service["envFrom"][0]["configMapRef"]["name"]
    path = Path(of_kind(found, "ConfigMap")[name]["data"][SETTING])
    place = {each["mountPath"]: each["name"] for each in service["volumeMounts"]}[str(path.parent)]
    (volume,) = (each for each in pod["volumes"] if each["name"] == place)
    assert mounted(volume)[path.name] == "credit-scoring-review/secret"
    assert "CREDIT_SCORING_POLICY_FILE" in {each["name"] for each in service["env"]}


def test_what_the_settings_say_without_it_stays(tmp_path: Path) -> None:
    data = [
        settings
        for name, each in of_kind(rendered(tmp_path), "ConfigMap").items()
        if name.startswith("credit-scoring-settings")
        for settings in [each["data"]]
    ]
    assert [each["CREDIT_SCORING_API_KEYS_FILE"] for each in data] == ["/run/secrets/keys.toml"]
