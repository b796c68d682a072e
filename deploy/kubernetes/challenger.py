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
    backends = [each for rule in _rules(cluster) for each in rule]
    return next((int(each.get("weight", 1)) for each in backends if each["name"] == CANARY_BACKEND), 0)


def give(cluster: Cluster, weight: int) -> None:
    """Give the challenger so many of 100 requests; nothing to do for 0 without a route. Raises RolloutError."""
    weights = {STABLE_BACKEND: 100 - weight, CANARY_BACKEND: weight}
    steps = [
        {"op": "replace", "path": f"/spec/rules/{rule}/backendRefs/{place}/weight", "value": weights[backend["name"]]}
        for rule, backends in enumerate(_rules(cluster))
        for place, backend in enumerate(backends)
        if {each["name"] for each in backends} == weights.keys()
    ]
    if steps:
        cluster.run("patch", ROUTE, "--type=json", f"--patch={json.dumps(steps)}")
        print(f"The route gives the challenger {weight} of 100 requests.", flush=True)
    elif weight:
        expected = f"expected a rule whose backends are {STABLE_BACKEND} and {CANARY_BACKEND}"
        raise RolloutError(f"{ROUTE} cannot give the challenger {weight} of 100 requests: {expected}.")


def give_back(cluster: Cluster, weight: int) -> None:
    """Give the challenger what it had, if it is there and ready. Raises RolloutError."""
    if weight and has_ready_pod(cluster):
        give(cluster, weight)


def has_ready_pod(cluster: Cluster) -> bool:
    """Of the challenger. Raises RolloutError."""
    return bool(cluster.get(CANARY).get("status", {}).get("readyReplicas"))


def withdraw(cluster: Cluster) -> None:
    """Its weight first, so that no request is sent to where nobody is. Raises RolloutError."""
    give(cluster, 0)
    cluster.remove(CANARY)


def _rules(cluster: Cluster) -> list[list[Json]]:
    """The backends of each rule of the route in the cluster; empty where it has none."""
    if not _may_have_routes(cluster):
        return []
    return [each.get("backendRefs", []) for each in cluster.get(ROUTE).get("spec", {}).get("rules", [])]


def _may_have_routes(cluster: Cluster) -> bool:
    """Whether it knows the Gateway API; whoever may not look at routes has brought none."""
    if GATEWAY_API not in (each["name"] for each in json.loads(cluster.ask("get", "--raw", "/apis"))["groups"]):
        return False
    try:
        cluster.ask("auth", "can-i", "get", ROUTE.partition("/")[0])
    except RolloutError:
        return False
    return True
