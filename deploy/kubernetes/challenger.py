"""The challenger's share of requests, where the cluster has a route that splits them, and its end."""

import json
from pathlib import Path

from cluster import Cluster, Json, RolloutError, kubectl

CANARY = "deployment/credit-scoring-canary"
GATEWAY_API = "gateway.networking.k8s.io"
ROUTE = f"httproutes.{GATEWAY_API}/credit-scoring"
STABLE_BACKEND, CANARY_BACKEND = "credit-scoring-stable", "credit-scoring-canary"
USUAL_WEIGHT = 10


def weight_for(overlay: Path, canary: str | None, weight: int | None) -> int:
    """What the overlay's route is to give the challenger of 100 requests; 0 without either. Raises RolloutError."""
    if weight and not canary:
        raise RolloutError(f"CANARY_WEIGHT={weight}: expected a challenger with it; name one in CANARY_DIGEST.")
    rendered = kubectl("kustomize", overlay)
    if "kind: HTTPRoute" in rendered and f"name: {CANARY_BACKEND}" in rendered:
        return (weight or USUAL_WEIGHT) if canary else 0
    if weight:
        raise RolloutError(
            f"CANARY_WEIGHT={weight}: overlay {overlay.name} has no route that could split requests. Add "
            "components/gateway to it, or leave the weight out: the number of pods decides then."
        )
    return 0


def weight_now(cluster: Cluster) -> int:
    """What the route in the cluster gives the challenger; 0 without a route. Raises RolloutError."""
    return next((int(each.get("weight", 1)) for each in _backends(cluster) if each["name"] == CANARY_BACKEND), 0)


def give(cluster: Cluster, weight: int) -> None:
    """Give the challenger so many of 100 requests, where the cluster has a route. Raises RolloutError."""
    names = [each["name"] for each in _backends(cluster)]
    if CANARY_BACKEND not in names:
        return
    weights = {STABLE_BACKEND: 100 - weight, CANARY_BACKEND: weight}
    steps = [
        {"op": "replace", "path": f"/spec/rules/0/backendRefs/{place}/weight", "value": weights[name]}
        for place, name in enumerate(names)
    ]
    cluster.run("patch", ROUTE, "--type=json", f"--patch={json.dumps(steps)}")
    print(f"The route gives the challenger {weight} of 100 requests.", flush=True)


def give_back(cluster: Cluster, weight: int) -> None:
    """Give the challenger what it had, if it is there. Raises RolloutError."""
    if weight and cluster.get(CANARY):
        give(cluster, weight)


def withdraw(cluster: Cluster) -> None:
    """Its weight first, so that no request is sent to where nobody is. Raises RolloutError."""
    give(cluster, 0)
    cluster.remove(CANARY)


def _backends(cluster: Cluster) -> list[Json]:
    """Of the route in the cluster; none where it has no such route, or nothing of the Gateway API."""
    if "httproutes" not in cluster.ask("api-resources", f"--api-group={GATEWAY_API}", "--output=name"):
        return []
    rules = cluster.get(ROUTE).get("spec", {}).get("rules", [])
    found: list[Json] = rules[0].get("backendRefs", []) if rules else []
    known = sorted(each["name"] for each in found) == [CANARY_BACKEND, STABLE_BACKEND]
    return found if known else []  # a route of somebody else's is left alone
