"""What would be applied to Kubernetes, and how `make deploy` and `make rollback` go about it.

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
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from credit_scoring.settings import PREFIX, PROJECT_FOLDER, ServiceSettings
from tests import kubernetes_api
from tests.conftest import RunningService

DEPLOY = PROJECT_FOLDER / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
OVERLAYS = ("local", "staging", "production")
IMAGE = f"registry.example:5000/team/credit-scoring@sha256:{'1' * 64}"
CHALLENGER = f"registry.example:5000/team/credit-scoring@sha256:{'2' * 64}"
TRAINER = f"registry.example:5000/team/credit-scoring-train@sha256:{'3' * 64}"
ENDED_WITHIN = 60.0
USER = 1034  # of the image

Json = dict[str, Any]


@cache
def kubectl() -> str:
    """The real one; `make lint-deploy` brings it where it is absent."""
    found = shutil.which("kubectl", path=f"{PROJECT_FOLDER / '.ops' / 'bin'}{os.pathsep}{os.environ['PATH']}")
    if not found and "CI" in os.environ:
        pytest.fail("no kubectl; in CI `make lint-deploy` has to come first")
    if not found:
        pytest.skip("KUBERNETES TESTS NOT RUN, no kubectl: `make lint-deploy` brings it")
    return found


@cache
def overlay(name: str) -> list[Json]:
    """The objects of an overlay as it is committed."""
    command = [kubectl(), "kustomize", str(KUBERNETES / "overlays" / name)]
    return objects(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


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


# What is made of other files


def test_what_is_made_of_other_files_is_up_to_date(checkout: Checkout) -> None:
    script = checkout.folder / "deploy" / "kubernetes" / "manifests.py"
    made = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True).stdout.split()
    assert len(made) == 3
    for name in made:
        assert (checkout.folder / name).read_text() == (PROJECT_FOLDER / name).read_text(), "run `make manifests`"


def test_the_operator_gets_the_very_rules_of_prometheus() -> None:
    (rules,) = of_kind(overlay("production"), "PrometheusRule").values()
    files = sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
    groups = [group for path in files for group in yaml.safe_load(path.read_text())["groups"]]
    assert rules["spec"] == {"groups": groups}


def test_the_challenger_differs_from_the_service_in_nothing_but_name_track_image_and_number() -> None:
    service = yaml.safe_load((KUBERNETES / "base" / "deployment.yaml").read_text())
    challenger = yaml.safe_load((KUBERNETES / "components" / "canary" / "deployment.yaml").read_text())
    expected = deepcopy(service)
    expected["metadata"]["name"] = "credit-scoring-canary"
    expected["spec"]["replicas"] = 1
    expected["spec"]["template"]["spec"]["containers"][0]["image"] = "credit-scoring-canary"
    for labels in (
        expected["metadata"]["labels"],
        expected["spec"]["selector"]["matchLabels"],
        expected["spec"]["template"]["metadata"]["labels"],
    ):
        labels["credit-scoring/track"] = "canary"
    assert challenger == expected


# What holds in every overlay


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_pod_runs_as_nobody_with_nothing_to_write_or_to_gain(name: str) -> None:
    for owner, pod in pods(overlay(name)):
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True, owner
        assert spec["securityContext"]["runAsUser"] == (70 if owner == "postgres" else USER), owner
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, owner
        assert spec["automountServiceAccountToken"] is False, owner
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, owner
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), owner
            assert "memory" in container["resources"]["limits"], owner


@pytest.mark.parametrize("name", OVERLAYS)
def test_secrets_are_named_and_mounted_but_never_written_down(name: str) -> None:
    found = overlay(name)
    assert not of_kind(found, "Secret")
    for owner, pod in pods(found):
        for container in pod["spec"]["containers"]:
            variables = container.get("env", [])
            assert not [each for each in variables if "secretKeyRef" in str(each)], owner
            assert not [each for each in variables if re.search(r"password|token|url", each["name"], re.I)
                        and not each["name"].endswith("_FILE")], owner  # fmt: skip
    assert "postgresql://" not in yaml.safe_dump_all(found)


@pytest.mark.parametrize("name", OVERLAYS)
def test_only_the_migration_holds_the_owners_role(name: str) -> None:
    holders = [
        owner for owner, pod in pods(overlay(name)) if "credit-scoring-database-owner" in str(pod["spec"]["volumes"])
    ]
    assert holders == ["credit-scoring-migration"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_what_the_service_is_told_by_variables_are_settings_of_it(name: str) -> None:
    (settings,) = (each for key, each in of_kind(overlay(name), "ConfigMap").items() if "settings" in key)
    known = {f"{PREFIX}{field}".upper() for field in ServiceSettings.model_fields}
    assert settings["data"].keys() <= known


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_rolling_update_never_takes_a_pod_away_before_another_is_ready(name: str) -> None:
    service = of_kind(overlay(name), "Deployment")["credit-scoring"]["spec"]
    assert service["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert "replicas" not in service, "the autoscaler's number would be undone by every deploy"
    (container,) = service["template"]["spec"]["containers"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    wait = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert 0 < wait < service["template"]["spec"]["terminationGracePeriodSeconds"] - 10
    keys = {each["topologyKey"] for each in service["template"]["spec"]["topologySpreadConstraints"]}
    assert keys == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_autoscaler_asks_for_requests_in_flight_and_for_the_cpu(name: str) -> None:
    scaler = of_kind(overlay(name), "HorizontalPodAutoscaler")["credit-scoring"]["spec"]
    in_flight, cpu = scaler["metrics"]
    adapter = yaml.safe_load((KUBERNETES / "prometheus-adapter.yaml").read_text())
    (rule,) = adapter["rules"]["custom"]
    assert in_flight["pods"]["metric"]["name"] == rule["name"]["as"]
    assert rule["seriesQuery"].startswith("credit_scoring_request_duration_seconds_sum{")
    assert cpu["resource"]["name"] == "cpu"
    assert scaler["scaleTargetRef"]["name"] in of_kind(overlay(name), "Deployment")


@pytest.mark.parametrize("name", OVERLAYS)
def test_nothing_goes_in_or_out_but_clients_measurements_names_and_the_database(name: str) -> None:
    policies = {key: each["spec"] for key, each in of_kind(overlay(name), "NetworkPolicy").items()}
    assert policies["nothing-by-default"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    ingress = {key: each["ingress"] for key, each in policies.items() if "ingress" in each}
    assert {key: [rule["ports"] for rule in rules] for key, rules in ingress.items() if key != "to-postgres"} == {
        "to-the-service": [[{"port": "http"}]],
        "to-the-monitor": [[{"port": "metrics"}]],
    }
    egress = [rule for each in policies.values() for rule in each.get("egress", [])]
    assert sorted({port["port"] for rule in egress for port in rule["ports"]}) == [53, 5432]
    assert all(rule["to"] for rule in egress)
    assert all(rule["from"] for rules in ingress.values() for rule in rules)


@pytest.mark.parametrize("name", OVERLAYS)
def test_what_a_migration_needs_is_applied_with_it(name: str) -> None:
    first = [each for each in overlay(name) if each["metadata"].get("labels", {}).get("credit-scoring/applied")]
    kinds = {each["kind"] for each in first}
    assert {"Job", "ServiceAccount", "NetworkPolicy"} <= kinds
    assert of_kind(first, "NetworkPolicy").keys() == of_kind(overlay(name), "NetworkPolicy").keys()
    assert "credit-scoring" not in of_kind(first, "Deployment")


@pytest.mark.parametrize("name", ["staging", "production"])
def test_prometheus_finds_each_job_that_the_alerts_ask_for(name: str) -> None:
    found = overlay(name)
    configured = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    jobs = set()
    for monitor in of_kind(found, "ServiceMonitor").values():
        (endpoint,) = monitor["spec"]["endpoints"]
        selector = monitor["spec"]["selector"]["matchLabels"]
        (service,) = (
            each for each in of_kind(found, "Service").values() if selects(selector, each["metadata"]["labels"])
        )
        (port,) = (each for each in service["spec"]["ports"] if each["name"] == endpoint["port"])
        owners = [pod for _, pod in pods(found) if selects(service["spec"]["selector"], pod["metadata"]["labels"])]
        assert owners
        for pod in owners:
            assert port["targetPort"] in [each["name"] for each in pod["spec"]["containers"][0]["ports"]]
        jobs.add(service["metadata"]["name"])  # which the operator makes the job
    assert jobs == {each["job_name"] for each in configured}


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_deployer_may_do_to_each_object_what_a_deploy_does(name: str) -> None:
    role = of_kind(objects((KUBERNETES / "deployer.yaml").read_text()), "Role")["credit-scoring-deployer"]
    may = {(group, what): set(rule["verbs"]) for rule in role["rules"] for group in rule["apiGroups"]
           for what in rule["resources"]}  # fmt: skip
    plurals = {"NetworkPolicy": "networkpolicies"}
    for each in overlay(name):
        group = each["apiVersion"].rpartition("/")[0]
        verbs = may[group, plurals.get(each["kind"], each["kind"].lower() + "s")]
        assert {"get", "create", "patch"} <= verbs, each["kind"]
    assert "delete" in may["batch", "jobs"]
    assert not [what for _, what in may if what == "secrets"]


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

    manifest = checkout.folder / "deploy" / "kubernetes" / "base" / "deployment.yaml"
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
