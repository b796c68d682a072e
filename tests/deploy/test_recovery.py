"""What a failed deploy leaves behind, with the real kubectl and an API in memory."""

from copy import deepcopy

import pytest

from tests.support import kubernetes_api
from tests.support.manifests import Json
from tests.support.rollout import AS_BEFORE, CHALLENGER, IMAGE, TRAINER, Checkout

ANOTHER = """\
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: another
  labels: {credit-scoring/applied: before-rollout}
spec:
  podSelector: {}
  policyTypes: [Ingress]
"""
FAILURES = {
    "migration": "The service and its network policies are as they were.\n",
    "rollout": f"production's {AS_BEFORE}\n",
}


OTHER = f"{IMAGE[:-1]}0"


def fail_at(cluster: kubernetes_api.Cluster, stage: str) -> None:
    """Have a deploy of the challenger's image fail there."""
    if stage == "migration":
        cluster.job_ends = "Failed"
    cluster.never_ready = CHALLENGER


def change_policies(checkout: Checkout) -> None:
    """Another port of the database, a label that there was not, and one policy more."""
    path = checkout.folder / "deploy" / "kubernetes" / "base" / "network-policies.yaml"
    text = path.read_text(encoding="utf-8").replace("port: 5432", "port: 6432")
    labelled = text.replace(
        "  name: names-and-database\n  labels:\n", "  name: names-and-database\n  labels:\n    new: it\n"
    )
    path.write_text(f"{labelled}{ANOTHER}", encoding="utf-8")


def policies(cluster: kubernetes_api.Cluster) -> dict[str, Json]:
    """What matters of each by its name."""
    found = {name: cluster.find("networkpolicies", name) for name in cluster.names("networkpolicies")}
    return {name: deepcopy({"labels": each["metadata"]["labels"], **each["spec"]}) for name, each in found.items()}


@pytest.mark.parametrize("stage", FAILURES)
def test_the_network_policies_of_a_deploy_that_fails_are_as_they_were(
    checkout: Checkout, cluster: kubernetes_api.Cluster, stage: str
) -> None:
    assert checkout.run("deploy", "production", "--image", IMAGE).returncode == 0
    before = policies(cluster)
    change_policies(checkout)
    fail_at(cluster, stage)
    done = checkout.run("deploy", "production", "--image", CHALLENGER)
    assert done.stderr.endswith(FAILURES[stage])
    assert policies(cluster) == before


def test_policies_that_a_deploy_does_not_change_are_left_alone_when_it_is_taken_back(
    checkout: Checkout, cluster: kubernetes_api.Cluster
) -> None:
    checkout.run("deploy", "production", "--image", IMAGE)
    fail_at(cluster, "rollout")
    cluster.written.clear()
    assert checkout.run("deploy", "production", "--image", CHALLENGER).returncode == 1
    assert not [each for each in cluster.written if "networkpolicies" in each]


@pytest.mark.parametrize(
    ("stage", "ends"),
    [
        ("migration", "The service is as it was; its network policies are NOT.\n"),
        ("rollout", "production is NOT as it was before.\n"),
    ],
)
def test_a_new_policy_that_the_deployer_may_not_delete_is_named_with_the_command_that_does(
    checkout: Checkout, cluster: kubernetes_api.Cluster, stage: str, ends: str
) -> None:
    checkout.run("deploy", "production", "--image", IMAGE)
    change_policies(checkout)
    fail_at(cluster, stage)
    cluster.undeletable = "networkpolicies"
    done = checkout.run("deploy", "production", "--image", CHALLENGER)
    command = "kubectl --namespace credit-scoring-production delete networkpolicies another"
    assert f"error: `{command}` failed. The network policies could not be taken back.\n" in done.stderr
    assert done.stderr.endswith(ends)
    assert "another" in policies(cluster)


def test_a_rollback_leaves_network_policies_alone(checkout: Checkout, cluster: kubernetes_api.Cluster) -> None:
    for image in (IMAGE, CHALLENGER):
        checkout.run("deploy", "production", "--image", image)
    before = policies(cluster)
    cluster.never_ready = IMAGE
    done = checkout.run("rollback", "production")
    assert done.stderr.endswith("The service is as it was before.\n")
    assert policies(cluster) == before


# Where a rollback goes after that


def test_a_rollback_passes_over_a_release_that_became_ready_but_whose_deploy_was_taken_back(
    checkout: Checkout, cluster: kubernetes_api.Cluster
) -> None:
    for image in (IMAGE, CHALLENGER):
        checkout.run("deploy", "staging", "--image", image)
    cluster.never_ready = TRAINER
    done = checkout.run("deploy", "staging", "--image", OTHER, "--canary", TRAINER)
    assert done.returncode == 1
    assert cluster.image("credit-scoring") == CHALLENGER
    done = checkout.run("rollback", "staging")
    assert done.returncode == 0, done.stderr
    assert cluster.image("credit-scoring") == IMAGE


def test_a_rollback_passes_over_a_release_that_a_rollback_could_not_bring_back(
    checkout: Checkout, cluster: kubernetes_api.Cluster
) -> None:
    for image in (IMAGE, OTHER, CHALLENGER):
        checkout.run("deploy", "staging", "--image", image)
    cluster.never_ready = OTHER
    assert checkout.run("rollback", "staging").stderr.endswith("The service is as it was before.\n")
    done = checkout.run("rollback", "staging")
    assert done.returncode == 0, done.stderr
    assert cluster.image("credit-scoring") == IMAGE


def test_a_release_that_a_failed_deploy_did_not_change_can_still_be_rolled_back_to(
    checkout: Checkout, cluster: kubernetes_api.Cluster
) -> None:
    checkout.run("deploy", "staging", "--image", IMAGE)
    cluster.never_ready = TRAINER
    assert checkout.run("deploy", "staging", "--image", IMAGE, "--canary", TRAINER).returncode == 1
    checkout.run("deploy", "staging", "--image", CHALLENGER)
    done = checkout.run("rollback", "staging")
    assert done.returncode == 0, done.stderr
    assert cluster.image("credit-scoring") == IMAGE
