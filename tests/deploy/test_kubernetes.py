"""What would be applied to Kubernetes, by what it promises of every pod."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from credit_scoring.settings import PREFIX, PROJECT_FOLDER, ServiceSettings
from tests.support.manifests import DEPLOY, KUBERNETES, OVERLAYS, objects, of_kind, overlay, pods, selects

USER = 1034  # of the image


# What is made of other files


def test_what_is_made_of_other_files_is_up_to_date(tmp_path: Path) -> None:
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    script = tmp_path / "deploy" / "kubernetes" / "manifests.py"
    made = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True).stdout.strip()
    assert (tmp_path / made).read_text() == (PROJECT_FOLDER / made).read_text(), "run `make manifests`"


def test_the_operator_gets_the_very_rules_of_prometheus() -> None:
    (rules,) = of_kind(overlay("production"), "PrometheusRule").values()
    files = sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
    groups = [group for path in files for group in yaml.safe_load(path.read_text())["groups"]]
    assert rules["spec"] == {"groups": groups}


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


MEGABYTES = {"Mi": 1.048576, "Gi": 1073.741824}
ARBITER_MB, WORKER_MB = 120, 300  # docs/operations.md, Capacity


@pytest.mark.parametrize("name", OVERLAYS)
def test_memory_and_processors_are_enough_for_the_workers_and_a_replacement(name: str) -> None:
    (settings,) = (each for key, each in of_kind(overlay(name), "ConfigMap").items() if "settings" in key)
    workers = int(settings["data"]["CREDIT_SCORING_WORKERS"])
    (container,) = of_kind(overlay(name), "Deployment")["credit-scoring"]["spec"]["template"]["spec"]["containers"]
    limit = container["resources"]["limits"]["memory"]
    assert int(limit[:-2]) * MEGABYTES[limit[-2:]] >= ARBITER_MB + WORKER_MB * (workers + 1)
    if name != "local":
        assert container["resources"]["requests"]["cpu"] == str(workers)


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
def test_restarts_do_not_push_the_last_release_out_of_the_history(name: str) -> None:
    """Each `kubectl rollout restart`, as the docs have it for a changed secret, is a revision."""
    assert of_kind(overlay(name), "Deployment")["credit-scoring"]["spec"]["revisionHistoryLimit"] >= 30


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_autoscaler_asks_only_for_what_every_cluster_measures(name: str) -> None:
    """A metric that is absent keeps it from ever scaling down (Kubernetes 1.21 and newer)."""
    scaler = of_kind(overlay(name), "HorizontalPodAutoscaler")["credit-scoring"]["spec"]
    (metric,) = scaler["metrics"]
    assert (metric["type"], metric["resource"]["name"]) == ("Resource", "cpu")
    service = of_kind(overlay(name), "Deployment")[scaler["scaleTargetRef"]["name"]]
    (container,) = service["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["requests"]["cpu"]  # of which utilisation is a share


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
