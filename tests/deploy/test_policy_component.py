"""The Kubernetes component that puts a policy beside the image."""

import shutil
from pathlib import Path

from credit_scoring.policy.file import PolicyFile
from tests.support.manifests import KUBERNETES, kustomized, of_kind

COMPONENT = KUBERNETES / "components" / "policy"
OVERLAY = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../../base]\n"


def with_policy(folder: Path, more: str = "") -> tuple[str, str]:
    """The path that the service reads its policy from, and the name of what is mounted there."""
    copy = folder / "kubernetes"
    shutil.copytree(KUBERNETES, copy)
    with (copy / "components" / "policy" / "policy.toml").open("a", encoding="utf-8") as file:
        file.write(more)
    overlay = copy / "overlays" / "own"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(OVERLAY + "components: [../../components/policy]\n", encoding="utf-8")
    found = kustomized(overlay)
    pod = of_kind(found, "Deployment")["credit-scoring"]["spec"]["template"]["spec"]
    (service,) = pod["containers"]
    path = {each["name"]: each["value"] for each in service["env"]}["CREDIT_SCORING_POLICY_FILE"]
    mounted = {each["mountPath"]: each["name"] for each in service["volumeMounts"]}[str(Path(path).parent)]
    (name,) = (each["configMap"]["name"] for each in pod["volumes"] if each["name"] == mounted)
    assert name in of_kind(found, "ConfigMap")
    return path, name


def test_the_service_reads_the_policy_and_another_one_replaces_its_pods(tmp_path: Path) -> None:
    path, name = with_policy(tmp_path / "one")
    again, other = with_policy(tmp_path / "other", "# changed\n")
    assert path == again
    assert name != other


def test_the_policy_that_is_committed_can_be_read_and_has_no_rules() -> None:
    assert PolicyFile.read(COMPONENT / "policy.toml").rule == ()
