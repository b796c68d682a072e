"""What a cluster had before a deploy, and the way back to it: Deployments, the challenger's share, network policies.

All else that a deploy applies stays as the deploy left it.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import challenger
from cluster import BUILD, Cluster, Json, RolloutError, alike

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
FIRST = "credit-scoring/applied=before-rollout"  # the label of what a migration needs, all network policies among it

Step = tuple[str, Callable[[], None]]


@dataclass(frozen=True)
class Earlier:
    """Revisions of Deployments (None: there was none), the challenger's weight, network policies (None: untouched)."""

    revisions: Mapping[str, int | None]
    weight: int = 0
    policies: Mapping[str, Json] | None = None


def earlier(cluster: Cluster, deployments: Iterable[str]) -> Earlier:
    """What there is now. Raises RolloutError."""
    revisions = {each: cluster.good_revision(each) for each in deployments}
    return Earlier(revisions, challenger.weight_now(cluster), _policies(cluster))


def take_back(cluster: Cluster, before: Earlier) -> bool:
    """Whether all is as it was; goes on where something cannot be. Policies first: pods may need them to get ready."""
    steps: list[Step] = [("The route", partial(challenger.give, cluster, 0)), _policies_back(cluster, before)]
    for deployment, revision in before.revisions.items():
        back = partial(_undo, cluster, deployment, revision) if revision else partial(cluster.remove, deployment)
        steps.append((deployment, back))
    steps.append(("The route", partial(challenger.give_back, cluster, before.weight)))
    return _taken(steps)


def take_policies_back(cluster: Cluster, before: Earlier) -> bool:
    """Whether the network policies are as they were."""
    return _taken([_policies_back(cluster, before)])


def _undo(cluster: Cluster, deployment: str, revision: int) -> None:
    """What is left may have become ready before something else failed, and is still none to roll back to."""
    revisions = cluster.revisions(deployment)
    left = alike(revisions, max(revisions, default=revision)) - alike(revisions, revision)
    cluster.undo(deployment, revision)
    cluster.leave(deployment, left)


def _taken(steps: Iterable[Step]) -> bool:
    well = True
    for name, step in steps:
        try:
            step()
        except RolloutError as error:
            print(f"error: {error} {name} could not be taken back.", file=sys.stderr)
            well = False
    return well


def _policies_back(cluster: Cluster, before: Earlier) -> Step:
    return "The network policies", partial(_return_policies, cluster, before.policies)


def _return_policies(cluster: Cluster, before: Mapping[str, Json] | None) -> None:
    """Those that differ as they were, and none that is new, which only those can remove who may delete them."""
    if before is None:
        return
    now = _policies(cluster)
    if changed := [each for name, each in before.items() if now.get(name) != each]:
        BUILD.mkdir(parents=True, exist_ok=True)
        path = BUILD / "network-policies.yaml"
        path.write_text("\n---\n".join(map(json.dumps, changed)), encoding="utf-8")
        cluster.run("apply", "--filename", str(path))
    if new := _policies(cluster, "--selector", FIRST).keys() - before.keys():
        cluster.run("delete", "networkpolicies", *sorted(new))


def _policies(cluster: Cluster, *which: str) -> dict[str, Json]:
    """By name, without what only the server says of them."""
    found = cluster.get("networkpolicies", *which).get("items", [])
    return {each["metadata"]["name"]: _as_applied(each) for each in found}


def _as_applied(policy: Json) -> Json:
    found = policy["metadata"]
    annotations = {name: each for name, each in found.get("annotations", {}).items() if name != LAST_APPLIED}
    metadata = {"name": found["name"], "labels": found.get("labels", {}), "annotations": annotations}
    return {key: policy[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": metadata}
