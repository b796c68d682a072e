"""The service on a real Kubernetes, put there and taken back by the commands that people use.

`make test-cluster` asks for it; other targets touch no cluster. KUBECONFIG names one that has no namespace
credit-scoring-local yet.
CLUSTER_LOAD is the command that brings an image of this machine to the nodes (`kind load docker-image`), if they do not
share its engine. CLUSTER_COMPONENT is a folder with a kustomize component for what the cluster cannot do.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.support.traffic import Record, Traffic, audit
from benchmarks.support.waiting import wait_for
from credit_scoring.settings import PROJECT_FOLDER
from tests.shipping.conftest import IMAGE
from tests.shipping.conftest import run as run_here
from tests.shipping.test_image import KILL
from tests.support.manifests import kubectl

pytestmark = [
    pytest.mark.shipping,
    pytest.mark.skipif("CLUSTER_TESTS" not in os.environ, reason="NO CLUSTER TESTED: `make test-cluster` does that."),
]

NAMESPACE = "credit-scoring-local"
SERVICE = "app.kubernetes.io/component=service"
SECRETS = PROJECT_FOLDER / "build" / "secrets"
PODS = 2
CLIENTS = 4
LATER, BAD = "credit-scoring:later", "credit-scoring:bad"
DEPLOYED_WITHIN_S = 600.0
COMPLAINT = "no such setting"

# Clients of a test come from no namespace, so they need ports on the node and a policy that lets them in.
ENTRANCES = """
apiVersion: v1
kind: Service
metadata: {name: tests-service}
spec:
  type: NodePort
  selector: {app.kubernetes.io/component: service}
  ports: [{port: 3000, targetPort: http}]
---
apiVersion: v1
kind: Service
metadata:
  name: tests-database
  labels: {credit-scoring/applied: before-rollout}
spec:
  type: NodePort
  selector: {app.kubernetes.io/name: postgres}
  ports: [{port: 5432, targetPort: postgres}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: tests}
spec:
  podSelector: {}
  policyTypes: [Ingress]
  ingress: [{ports: [{port: 3000}, {port: 5432}]}]
"""

Json = dict[str, Any]
Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Cluster:
    """A copy of deploy/ whose overlay `local` lets the tests in, and the cluster that it is deployed to."""

    folder: Path

    def kubectl(self, *arguments: str) -> str:
        """What kubectl prints; fails with what it complains of."""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    def command(self, *arguments: str) -> list[str]:
        return [kubectl(), "--namespace", NAMESPACE, *arguments]

    def make(self, *arguments: str, **variables: str) -> Done:
        """A make target with the overlay."""
        path = os.pathsep.join([str(Path(kubectl()).parent), os.environ["PATH"]])
        return subprocess.run(
            ["make", *arguments, "OVERLAY=local"],
            cwd=self.folder,
            env=os.environ | {"PATH": path} | variables,
            capture_output=True,
            text=True,
            timeout=DEPLOYED_WITHIN_S,
            check=False,
        )

    def deploy(self, image: str) -> Done:
        return self.make("deploy", f"IMAGE={image}")

    def deployed(self, image: str) -> None:
        """Return once all pods are ready with this image; fail where the deploy does."""
        done = self.deploy(image)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        self.wait_until_ready()
        assert self.images() == {image}

    def pods(self) -> list[Json]:
        """Those of the service that are not being deleted."""
        found: list[Json] = json.loads(self.kubectl("get", "pods", "--selector", SERVICE, "--output", "json"))["items"]
        return [each for each in found if "deletionTimestamp" not in each["metadata"]]

    def names(self) -> set[str]:
        return {each["metadata"]["name"] for each in self.pods()}

    def ready(self) -> set[str]:
        """The names of those that are sent requests."""
        return {
            each["metadata"]["name"]
            for each in self.pods()
            for condition in each["status"].get("conditions", [])
            if (condition["type"], condition["status"]) == ("Ready", "True")
        }

    def other_image(self) -> str:
        """The one of the two that work which is not deployed now."""
        (current,) = self.images()
        return LATER if current == IMAGE else IMAGE

    def images(self) -> set[str]:
        return {each["spec"]["containers"][0]["image"] for each in self.pods()}

    def restarts(self) -> int:
        return sum(each["restartCount"] for pod in self.pods() for each in pod["status"]["containerStatuses"])

    def wait_until_ready(self) -> None:
        wait_for(lambda: len(self.ready()) == len(self.names()) == PODS, f"{PODS} ready pods")

    def node_to_drain(self) -> str:
        """The first node; fails where a drain, which heeds no namespace, would end pods of others."""
        node = json.loads(self.kubectl("get", "nodes", "--output", "json"))["items"][0]
        name: str = node["metadata"]["name"]
        assert not node["spec"].get("unschedulable"), f"{name} is cordoned by somebody else"
        options = ["--all-namespaces", "--selector", SERVICE, "--field-selector", f"spec.nodeName={name}"]
        pods = json.loads(self.kubectl("get", "pods", *options, "--output", "json"))["items"]
        others = {each["metadata"]["namespace"] for each in pods} - {NAMESPACE}
        assert not others, f"{name} has pods of the service in {others}, which a drain would end, too"
        return name

    def address(self, service: str) -> str:
        """Host and port of one of the entrances."""
        nodes = json.loads(self.kubectl("get", "nodes", "--output", "json"))["items"]
        host, *_ = (each["address"] for each in nodes[0]["status"]["addresses"] if each["type"] == "InternalIP")
        return f"{host}:{self.kubectl('get', 'service', service, '--output', 'jsonpath={.spec.ports[0].nodePort}')}"

    @property
    def key(self) -> str:
        return (SECRETS / "demo.key").read_text().strip()

    @property
    def url(self) -> str:
        return f"http://{self.address('tests-service')}"

    def traffic(self) -> Traffic:
        """Few clients with a break: what is tested is that they are answered, not how many."""
        return Traffic(self.url, clients=CLIENTS, pause=0.02, key=self.key)

    def audit(self, record: Record) -> None:
        """Fail unless all that was answered is stored, once, and nothing was answered otherwise than it may be."""
        password = (SECRETS / "owner_password").read_text()
        found = audit(f"postgresql://owner:{password}@{self.address('tests-database')}/decisions", record.answered)
        assert (found.missing, found.twice, found.problems) == ([], [], [])
        assert record.strange == {}

    def nothing_was_cut_off(self, record: Record) -> None:
        """Fail if a connection was refused, or more requests were lost than connections closed.

        A pod that ends closes those on which nobody waits for an answer, and a request may be on its way then.
        """
        print(f"\n{len(record.answered)} of {record.sent} answered, {record.refused} told to wait, {record.lost} lost")
        assert record.unreachable == 0
        assert record.lost <= CLIENTS * PODS


def overlay(folder: Path) -> None:
    """Copy what `make deploy` needs, and let the tests in."""
    shutil.copytree(PROJECT_FOLDER / "deploy", folder / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(PROJECT_FOLDER / name, folder)
    local = folder / "deploy" / "kubernetes" / "overlays" / "local"
    (local / "entrances.yaml").write_text(ENTRANCES, encoding="utf-8")
    kustomization = yaml.safe_load((local / "kustomization.yaml").read_text())
    kustomization["resources"].append("entrances.yaml")
    pods = [{"op": "replace", "path": f"/spec/{each}Replicas", "value": PODS} for each in ("min", "max")]
    kustomization["patches"].append({"target": {"kind": "HorizontalPodAutoscaler"}, "patch": json.dumps(pods)})
    if component := os.environ.get("CLUSTER_COMPONENT"):
        shutil.copytree(component, local / "component")
        kustomization["components"] = ["component"]
    (local / "kustomization.yaml").write_text(yaml.safe_dump(kustomization), encoding="utf-8")


def load(*images: str) -> None:
    """Bring images of this machine to the nodes."""
    if command := os.environ.get("CLUSTER_LOAD"):
        run_here(*command.split(), *images)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The namespace with its secrets, as docs/deployment.md says; removed on every path."""
    if "KUBECONFIG" not in os.environ:
        pytest.fail("KUBECONFIG is not set: name the cluster to be tested; `kind create cluster` makes one.")
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    overlay(cluster.folder)
    run_here("make", "secrets")
    cluster.kubectl("create", "namespace", NAMESPACE)
    try:
        cluster.kubectl("label", "namespace", NAMESPACE, "credit-scoring/database=true")
        for name, files in {
            "postgres": ("owner_password=owner_password", "service_password=service_password"),
            "database-owner": ("url=owner_address",),
            "database": ("url=service_address",),
            "api-keys": ("keys.toml=keys.toml",),
        }.items():
            given = [f"--from-file={each.partition('=')[0]}={SECRETS / each.partition('=')[2]}" for each in files]
            cluster.kubectl("create", "secret", "generic", f"credit-scoring-{name}", *given)
        yield cluster
    finally:
        cluster.kubectl("delete", "namespace", NAMESPACE)


@pytest.fixture(scope="module")
def cluster(bare: Cluster, image: str) -> Cluster:
    """The service as it was first deployed."""
    changed = f"FROM {image}\nLABEL later=true\n"
    broken = f'FROM {image}\nENTRYPOINT ["python", "-c", "raise SystemExit(\'{COMPLAINT}\')"]\n'
    for tag, text in ((LATER, changed), (BAD, broken)):
        subprocess.run(["docker", "build", "--quiet", "--tag", tag, "-"], input=text, text=True, check=True)
    load(image, LATER, BAD)
    bare.deployed(image)
    return bare


def test_what_is_deployed_passes_the_smoke_test(cluster: Cluster) -> None:
    options = "--ready-within 60 --requests 20 --p99-ms 5000"
    done = cluster.make("smoke", f"URL={cluster.url}", f"SMOKE_OPTIONS={options}", KEY=cluster.key)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout


def test_an_update_under_load_turns_nobody_away(cluster: Cluster) -> None:
    with cluster.traffic() as traffic:
        traffic.wait_for_answers(50)
        cluster.deployed(cluster.other_image())
        traffic.wait_for_answers(50)
    cluster.audit(traffic.record)
    cluster.nothing_was_cut_off(traffic.record)


def test_a_bad_image_is_taken_back_with_its_reason_and_a_rollback_passes_it_by(cluster: Cluster) -> None:
    (first,), second = cluster.images(), cluster.other_image()
    cluster.deployed(second)
    with cluster.traffic() as traffic:
        traffic.wait_for_answers(50)
        done = cluster.deploy(BAD)
        assert done.returncode != 0
        assert COMPLAINT in done.stderr
        assert "local's Deployments and network policies are as before;" in done.stderr
        assert cluster.images() == {second}
        done = cluster.make("rollback")
        assert done.returncode == 0, done.stderr
        traffic.wait_for_answers(50)
    cluster.wait_until_ready()
    assert cluster.images() == {first}
    cluster.audit(traffic.record)
    cluster.nothing_was_cut_off(traffic.record)


def test_a_worker_that_is_killed_is_started_again_in_its_pod(cluster: Cluster) -> None:
    pod, *_ = sorted(cluster.ready())
    before = cluster.restarts()
    proved = cluster.kubectl("logs", pod).count("has proved its scores")
    killed = cluster.kubectl("exec", pod, "--", "python", "-c", KILL).strip()
    wait_for(
        lambda: cluster.kubectl("logs", pod).count("has proved its scores") > proved,
        f"another worker than {killed}",
    )
    cluster.wait_until_ready()
    assert pod in cluster.ready()
    assert cluster.restarts() == before


def test_a_pod_that_is_killed_is_replaced_and_nothing_that_was_answered_is_lost(cluster: Cluster) -> None:
    pod, *_ = sorted(cluster.ready())
    with cluster.traffic() as traffic:
        traffic.wait_for_answers(50)
        cluster.kubectl("delete", "pod", pod, "--grace-period=0", "--force")
        wait_for(lambda: pod not in cluster.names(), "its end")
        cluster.wait_until_ready()
        traffic.wait_for_answers(50)
    cluster.audit(traffic.record)


def test_a_drain_leaves_a_pod_until_another_one_is_ready(cluster: Cluster) -> None:
    node = cluster.node_to_drain()
    before = cluster.names()
    command = cluster.command("drain", node, "--pod-selector", SERVICE, "--ignore-daemonsets", "--delete-emptydir-data")
    with cluster.traffic() as traffic:
        traffic.wait_for_answers(50)
        drain = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            wait_for(lambda: len(cluster.names() - before) == 1, "a pod in place of the first one")
            traffic.wait_for_answers(50)
            assert len(cluster.ready() & before) == 1
            cluster.kubectl("uncordon", node)
            said, _ = drain.communicate(timeout=DEPLOYED_WITHIN_S)
        finally:
            drain.kill()
            drain.wait()
            cluster.kubectl("uncordon", node)
        assert drain.returncode == 0, said
        cluster.wait_until_ready()
    assert not cluster.names() & before
    assert "disruption budget" in said
    cluster.audit(traffic.record)
    cluster.nothing_was_cut_off(traffic.record)


def test_while_postgresql_is_away_clients_are_told_to_wait_and_pods_come_back_by_themselves(cluster: Cluster) -> None:
    before, restarts = cluster.names(), cluster.restarts()
    name = "app.kubernetes.io~1name"
    away = json.dumps([{"op": "replace", "path": f"/spec/selector/{name}", "value": "away"}])
    back = json.dumps([{"op": "replace", "path": f"/spec/selector/{name}", "value": "postgres"}])
    with cluster.traffic() as traffic:
        traffic.wait_for_answers(50)
        cluster.kubectl("patch", "service", "postgres", "--type=json", f"--patch={away}")
        try:
            cluster.kubectl("exec", "deployment/postgres", "--", "sh", "-c", "kill -QUIT 1")
            wait_for(lambda: not cluster.ready(), "the end of readiness")
        finally:
            cluster.kubectl("patch", "service", "postgres", "--type=json", f"--patch={back}")
        cluster.wait_until_ready()
        traffic.wait_for_answers(50)
    assert traffic.record.refused > 0
    assert (cluster.names(), cluster.restarts()) == (before, restarts)
    cluster.audit(traffic.record)
