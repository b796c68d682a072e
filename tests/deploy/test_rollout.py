"""How `make deploy` and `make rollback` go about it.

No cluster is at hand. The real kubectl speaks to a small API in memory; where it matters what it is asked, and in which
order, a stand-in for kubectl writes that down and answers as the test wants.
"""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import RunningService
from tests.support import kubernetes_api
from tests.support.manifests import DEPLOY, OVERLAYS, Json, kubectl, objects, of_kind, pods, selects

IMAGE = f"registry.example:5000/team/credit-scoring@sha256:{'1' * 64}"
CHALLENGER = f"registry.example:5000/team/credit-scoring@sha256:{'2' * 64}"
TRAINER = f"registry.example:5000/team/credit-scoring-train@sha256:{'3' * 64}"
ENDED_WITHIN = 60.0


@dataclass(frozen=True)
class Checkout:
    """A copy of deploy/, so that what it builds is the test's own, and a kubectl that only writes down."""

    folder: Path

    @property
    def script(self) -> Path:
        return self.folder / "deploy" / "kubernetes" / "rollout.py"

    @property
    def built(self) -> Path:
        return self.folder / "build" / "kubernetes"

    def run(self, *arguments: str, **answers: str) -> "subprocess.CompletedProcess[str]":
        """rollout.py; `answers` is how the stand-in behaves, see there."""
        return subprocess.run(
            [sys.executable, self.script, *arguments],
            env={**os.environ, "PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}", **answers},
            capture_output=True,
            text=True,
            timeout=ENDED_WITHIN,
            check=False,
        )

    def asked(self) -> list[str]:
        """What kubectl was asked to do since the last time, without the namespace, which is checked here."""
        path = self.folder / "asked"
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
        path.unlink(missing_ok=True)
        calls = [line for line in lines if line[0] != "kustomize"]
        assert {tuple(line[:2]) for line in calls} <= {("--namespace", f"credit-scoring-{name}") for name in OVERLAYS}
        return [" ".join(line[2:]) for line in calls]


STAND_IN = """\
#!{python}
import json, os, re, signal, sys
asked = " ".join(sys.argv[1:])
with open({record!r}, "a", encoding="utf-8") as record:
    record.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1] == "kustomize":
    os.execv({kubectl!r}, [{kubectl!r}, *sys.argv[1:]])
failing = os.environ.get("FAILS")
if failing and re.search(failing, asked):
    sys.exit(1)
if " view-last-applied " in asked or asked.endswith("--output json"):
    print(json.dumps(dict(spec=dict(template=dict()))))
elif " get deployment/" in asked:
    print(os.environ.get("REVISION_NOW", ""))
if " get job/" in asked:
    print(os.environ.get("JOB", "SuccessCriteriaMet Complete"))
if " port-forward " in asked:
    print("Forwarding from 127.0.0.1:" + os.environ["TUNNEL"] + " -> 3000", flush=True)
    signal.pause()
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    shutil.copytree(DEPLOY, tmp_path / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
    stand_in = tmp_path / "kubectl"
    text = STAND_IN.format(python=sys.executable, record=str(tmp_path / "asked"), kubectl=kubectl())
    stand_in.write_text(text, encoding="utf-8")
    stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
    return Checkout(tmp_path)


@pytest.fixture
def cluster(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> Iterator[kubernetes_api.Cluster]:
    """An API in memory, and the real kubectl in the stand-in's place."""
    (checkout.folder / "kubectl").unlink()
    (checkout.folder / "kubectl").symlink_to(kubectl())
    with kubernetes_api.served(checkout.folder) as (found, path):
        monkeypatch.setenv("KUBECONFIG", str(path))
        yield found


# Deploy


def test_a_deploy_migrates_before_it_changes_the_service_and_waits_for_both(checkout: Checkout) -> None:
    done = checkout.run("deploy", "staging", "--image", IMAGE, "--train", TRAINER, REVISION_NOW="7")
    assert done.returncode == 0, done.stderr
    manifests = checkout.built / "staging" / "manifests.yaml"
    asked = checkout.asked()
    revisions, calls = asked[:2], asked[2:]
    assert [call.split()[:2] for call in revisions] == [
        ["get", "deployment/credit-scoring"],
        ["get", "deployment/credit-scoring-monitor"],
    ]
    assert [re.sub(r" --(output|timeout)\S*.*", "", call) for call in calls] == [
        "delete job/credit-scoring-migration --ignore-not-found",
        f"apply --filename {manifests} --selector credit-scoring/applied=before-rollout",
        "get job/credit-scoring-migration",
        f"apply --filename {manifests}",
        "rollout status deployment/credit-scoring",
        "rollout status deployment/credit-scoring-monitor",
        "delete deployment/credit-scoring-canary --ignore-not-found",
    ]


@pytest.mark.parametrize("name", ["staging", "production"])
def test_what_is_applied_names_each_image_by_digest(checkout: Checkout, name: str) -> None:
    done = checkout.run("render", name, "--image", IMAGE, "--canary", CHALLENGER, "--train", TRAINER)
    found = objects(Path(done.stdout.strip()).read_text())
    images = {owner: [each["image"] for each in pod["spec"]["containers"]] for owner, pod in pods(found)}
    assert images == {
        "credit-scoring": [IMAGE],
        "credit-scoring-monitor": [IMAGE],
        "credit-scoring-migration": [IMAGE],
        "credit-scoring-canary": [CHALLENGER],
        "credit-scoring-retraining": [TRAINER],
    }
    assert {each["metadata"]["namespace"] for each in found} == {f"credit-scoring-{name}"}


def test_the_challenger_stands_behind_the_service_and_reads_the_same_settings(checkout: Checkout) -> None:
    done = checkout.run("render", "production", "--image", IMAGE, "--canary", CHALLENGER)
    found = objects(Path(done.stdout.strip()).read_text())
    deployments = of_kind(found, "Deployment")
    selector = of_kind(found, "Service")["credit-scoring"]["spec"]["selector"]
    budget = of_kind(found, "PodDisruptionBudget")["credit-scoring"]["spec"]["selector"]["matchLabels"]
    settings = set()
    for name in ("credit-scoring", "credit-scoring-canary"):
        template = deployments[name]["spec"]["template"]
        assert selects(selector, template["metadata"]["labels"])
        assert selects(budget, template["metadata"]["labels"])
        settings.add(template["spec"]["containers"][0]["envFrom"][0]["configMapRef"]["name"])
    assert settings <= of_kind(found, "ConfigMap").keys()
    assert len(settings) == 1


def test_without_an_image_for_it_retraining_is_left_as_it_is(checkout: Checkout) -> None:
    done = checkout.run("deploy", "production", "--image", IMAGE, "--train", "")
    assert done.returncode == 0, done.stderr
    assert "Retraining was left as it is" in done.stdout
    found = objects((checkout.built / "production" / "manifests.yaml").read_text())
    assert not of_kind(found, "CronJob")


@pytest.mark.parametrize("image", ["", "credit-scoring", "registry.example/credit-scoring:1.2", "a b@sha256:1"])
def test_production_takes_no_image_but_by_digest(checkout: Checkout, image: str) -> None:
    done = checkout.run("deploy", "production", "--image", image)
    assert done.returncode == 1
    assert re.fullmatch(r"error: .*@sha256:….*\n", done.stderr)
    assert checkout.asked() == []


def test_a_local_cluster_takes_an_image_by_its_tag(checkout: Checkout) -> None:
    done = checkout.run("render", "local", "--image", "credit-scoring:0.1.0")
    assert "image: credit-scoring:0.1.0" in Path(done.stdout.strip()).read_text()


def test_no_committed_file_is_changed_by_a_deploy(checkout: Checkout) -> None:
    def committed() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in checkout.folder.glob("deploy/**/*") if path.is_file()}

    before = committed()
    checkout.run("deploy", "production", "--image", IMAGE)
    assert committed() == before


# What goes wrong


def test_a_migration_that_fails_leaves_the_service_alone(checkout: Checkout) -> None:
    done = checkout.run("deploy", "production", "--image", IMAGE, JOB="FailureTarget Failed", REVISION_NOW="7")
    assert done.returncode == 1
    assert "error: job/credit-scoring-migration did not complete" in done.stderr
    asked = checkout.asked()
    assert asked[-1] == "logs job/credit-scoring-migration --tail=20"
    assert not [call for call in asked if call.startswith("rollout") or call.endswith("manifests.yaml")]


@pytest.mark.parametrize(
    "fails",
    [r"rollout status deployment/credit-scoring --timeout", r"rollout status deployment/credit-scoring-monitor"],
)
def test_a_rollout_that_does_not_get_ready_is_taken_back_to_the_revision_before(checkout: Checkout, fails: str) -> None:
    done = checkout.run("deploy", "production", "--image", IMAGE, FAILS=fails, REVISION_NOW="7")
    assert done.returncode == 1
    asked = checkout.asked()
    for name in ("credit-scoring", "credit-scoring-monitor"):
        assert f"rollout undo deployment/{name} --to-revision=7" in asked


def test_a_deploy_that_was_taken_back_says_so(checkout: Checkout) -> None:
    done = checkout.run("deploy", "production", "--image", IMAGE, FAILS=r"apply .*manifests\.yaml$", REVISION_NOW="7")
    assert done.returncode == 1
    assert done.stderr.endswith("production is as it was before, but for its tables.\n")
    assert checkout.asked()[-1].startswith("rollout status deployment/credit-scoring-monitor")


def test_a_deploy_that_cannot_be_taken_back_says_so(checkout: Checkout) -> None:
    done = checkout.run("deploy", "production", "--image", IMAGE, FAILS="rollout (status|undo)", REVISION_NOW="7")
    assert done.returncode == 1
    assert done.stderr.endswith("production is NOT as it was before.\n")
    assert "rollout undo deployment/credit-scoring-monitor --to-revision=7" in checkout.asked()


def test_a_first_deploy_that_fails_leaves_no_service_behind(checkout: Checkout) -> None:
    done = checkout.run("deploy", "staging", "--image", IMAGE, FAILS="rollout status")
    assert done.returncode == 1
    assert checkout.asked()[-2:] == [
        "delete deployment/credit-scoring --ignore-not-found",
        "delete deployment/credit-scoring-monitor --ignore-not-found",
    ]


# With the real kubectl


def test_kubectl_brings_everything_to_the_cluster_and_a_second_deploy_changes_only_what_differs(
    checkout: Checkout, cluster: kubernetes_api.Cluster
) -> None:
    assert checkout.run("deploy", "production", "--image", IMAGE, "--train", TRAINER).returncode == 0
    applied = objects((checkout.built / "production" / "manifests.yaml").read_text())
    assert {each["metadata"]["name"] for each in applied} <= cluster.names()
    cluster.written.clear()
    done = checkout.run("deploy", "production", "--image", CHALLENGER, "--train", TRAINER)
    assert done.returncode == 0, done.stderr
    assert cluster.written[:2] == ["DELETE jobs/credit-scoring-migration", "POST jobs/credit-scoring-migration"]
    assert set(cluster.written[2:]) <= {
        "PATCH deployments/credit-scoring",
        "PATCH deployments/credit-scoring-monitor",
        "PATCH poddisruptionbudgets/credit-scoring",
    }
    assert cluster.image("credit-scoring") == CHALLENGER


def test_kubectl_takes_back_what_does_not_get_ready(checkout: Checkout, cluster: kubernetes_api.Cluster) -> None:
    checkout.run("deploy", "production", "--image", IMAGE)
    cluster.never_ready = CHALLENGER
    done = checkout.run("deploy", "production", "--image", CHALLENGER)
    assert done.returncode == 1
    assert done.stderr.endswith("production is as it was before, but for its tables.\n")
    assert cluster.image("credit-scoring") == cluster.image("credit-scoring-monitor") == IMAGE


def test_a_deploy_leaves_the_number_of_pods_to_the_autoscaler(
    checkout: Checkout, cluster: kubernetes_api.Cluster
) -> None:
    checkout.run("deploy", "production", "--image", IMAGE)
    cluster.find("deployments", "credit-scoring")["spec"]["replicas"] = 9
    for arguments in (("deploy", "production", "--image", CHALLENGER), ("rollback", "production")):
        assert checkout.run(*arguments).returncode == 0
        assert cluster.find("deployments", "credit-scoring")["spec"]["replicas"] == 9
    checkout.run("deploy", "production", "--image", CHALLENGER)
    assert cluster.find("deployments", "credit-scoring")["spec"]["replicas"] == 9


def test_what_an_older_template_had_goes_again_with_the_deploy_after_a_rollback(
    checkout: Checkout, cluster: kubernetes_api.Cluster
) -> None:
    def annotations() -> Json:
        template: Json = cluster.find("deployments", "credit-scoring")["spec"]["template"]
        found: Json = template["metadata"]["annotations"]
        return found

    manifest = checkout.folder / "deploy" / "kubernetes" / "base" / "deployment" / "deployment.yaml"
    text = manifest.read_text()
    line = "        kubectl.kubernetes.io/default-container: service\n"
    manifest.write_text(text.replace(line, f"{line}        older: only\n"))
    checkout.run("deploy", "staging", "--image", IMAGE)
    manifest.write_text(text)
    checkout.run("deploy", "staging", "--image", CHALLENGER)
    assert "older" not in annotations()
    assert checkout.run("rollback", "staging").returncode == 0
    assert "older" in annotations()
    assert checkout.run("deploy", "staging", "--image", CHALLENGER).returncode == 0
    assert "older" not in annotations()


def test_kubectl_leaves_the_service_alone_where_the_migration_fails(
    checkout: Checkout, cluster: kubernetes_api.Cluster
) -> None:
    checkout.run("deploy", "staging", "--image", IMAGE)
    cluster.job_ends = "Failed"
    assert checkout.run("deploy", "staging", "--image", CHALLENGER).returncode == 1
    assert cluster.image("credit-scoring") == IMAGE


def test_a_canary_comes_with_its_image_and_goes_without(checkout: Checkout, cluster: kubernetes_api.Cluster) -> None:
    checkout.run("deploy", "staging", "--image", IMAGE, "--canary", CHALLENGER)
    assert cluster.image("credit-scoring-canary") == CHALLENGER
    assert checkout.run("deploy", "staging", "--image", IMAGE).returncode == 0
    assert cluster.names("deployments") == {"credit-scoring", "credit-scoring-monitor"}


# Canary, rollback, smoke test


def test_a_canary_is_waited_for_and_stays(checkout: Checkout) -> None:
    done = checkout.run("deploy", "production", "--image", IMAGE, "--canary", CHALLENGER)
    assert done.returncode == 0, done.stderr
    asked = checkout.asked()
    assert asked[-1].startswith("rollout status deployment/credit-scoring-canary")
    assert "delete deployment/credit-scoring-canary --ignore-not-found" not in asked


def test_a_rollback_ends_the_canary_goes_one_revision_back_and_waits(checkout: Checkout) -> None:
    done = checkout.run("rollback", "production", "--revision", "")
    assert done.returncode == 0, done.stderr
    asked = checkout.asked()
    assert asked[:2] == [
        "delete deployment/credit-scoring-canary --ignore-not-found",
        "rollout undo deployment/credit-scoring",
    ]
    assert asked[-1].startswith("rollout status deployment/credit-scoring --timeout")


def test_a_rollback_can_go_to_the_revision_that_the_deploy_has_noted(checkout: Checkout) -> None:
    checkout.run("deploy", "staging", "--image", IMAGE, REVISION_NOW="7")
    noted = (checkout.built / "staging" / "before").read_text().strip()
    checkout.asked()
    checkout.run("rollback", "staging", "--revision", noted)
    assert "rollout undo deployment/credit-scoring --to-revision=7" in checkout.asked()


def test_a_rollback_that_fails_is_an_error(checkout: Checkout) -> None:
    done = checkout.run("rollback", "staging", FAILS="rollout undo")
    assert done.returncode == 1
    assert done.stderr.startswith("error: `kubectl --namespace credit-scoring-staging rollout undo")


def test_what_is_deployed_is_smoke_tested_through_a_tunnel(checkout: Checkout, service: RunningService) -> None:
    port = service.url.rpartition(":")[2]
    done = checkout.run("smoke", "staging", "--requests", "5", "--p99-ms", "5000", TUNNEL=port)
    assert done.returncode == 0, done.stdout + done.stderr
    assert checkout.asked() == ["port-forward service/credit-scoring :3000"]
    assert "ok      prediction" in done.stdout


def test_a_tunnel_that_does_not_open_is_an_error(checkout: Checkout) -> None:
    done = checkout.run("smoke", "staging", FAILS="port-forward")
    assert done.returncode == 1
    assert "opened no tunnel" in done.stderr


def test_an_unknown_overlay_is_named_with_those_there_are(checkout: Checkout) -> None:
    done = checkout.run("deploy", "prod", "--image", IMAGE)
    assert done.returncode == 2
    assert "'prod' is no overlay; there are local, production, staging." in done.stderr
