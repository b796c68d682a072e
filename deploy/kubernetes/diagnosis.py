"""Why pods do not become ready: their states, the last events, the last lines of their logs."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress

from cluster import Cluster, Json, RolloutError, containers, waiting

EVENTS, LINES, PODS = 10, 20, 2  # so many of each are shown


def explain(cluster: Cluster, what: str, pods: Sequence[Json]) -> None:
    """Tell the user on standard error, while it is there to be told."""
    names = {pod["metadata"]["name"] for pod in pods} | {what.partition("/")[2]}
    print(f"Why {what} is not ready:", file=sys.stderr)
    for line in (*(state(pod) for pod in pods), *_events(cluster, names)):
        print(f"  {line}", file=sys.stderr)
    for pod in [each for each in pods if not is_ready(each)][:PODS]:
        _show_log(cluster, pod)
    sys.stderr.flush()


def is_ready(pod: Json) -> bool:
    """Whether it may be sent requests."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def state(pod: Json) -> str:
    """A pod in a line."""
    status = pod.get("status", {})
    parts = [
        f"pod/{pod['metadata']['name']}: {status.get('phase', 'Unknown')}",
        "ready" if is_ready(pod) else "not ready",
    ]
    parts += [
        f"{each['message']}"
        for each in status.get("conditions", [])
        if each["type"] == "PodScheduled" and each["status"] == "False" and each.get("message")
    ]
    parts += [f"{name} waits: {reason}: {message}" for name, reason, message in waiting(pod)]
    return "; ".join([*parts, *_ended(pod)])


def _ended(pod: Json) -> Iterator[str]:
    for each in containers(pod):
        last = each.get("state", {}).get("terminated") or each.get("lastState", {}).get("terminated")
        if last and (last["exitCode"] or each["restartCount"]):
            reason = last.get("reason", "ended")
            yield f"{each['name']}: {reason}, exit code {last['exitCode']}, {each['restartCount']} restarts"


def _events(cluster: Cluster, names: set[str]) -> list[str]:
    with suppress(RolloutError):
        found = cluster.get("events", "--sort-by=.lastTimestamp").get("items", [])
        ours = [each for each in found if _concerns(each["involvedObject"]["name"], names)]
        return [f"event {each['type']} {each['reason']}: {each.get('message', '')}" for each in ours[-EVENTS:]]
    return ["no events could be read"]


def _concerns(name: str, names: set[str]) -> bool:
    """Whether it is one of these, or their owner: a ReplicaSet, whose name their names begin with."""
    return any(each == name or each.startswith(f"{name}-") for each in names)


def _show_log(cluster: Cluster, pod: Json) -> None:
    """Of its first container that has started and is not done: kubectl by itself would ask the service's own."""
    name, states = pod["metadata"]["name"], containers(pod)
    at_work = next((each for each in states if not _is_done(each) and _has_started(each)), None)
    if at_work is None:
        return
    for options in ([["--previous"]] if at_work["restartCount"] else []) + [[]]:
        with suppress(RolloutError):
            log = cluster.ask("logs", f"pod/{name}", f"--container={at_work['name']}", f"--tail={LINES}", *options)
            print(f"Last lines of {name}{' before its restart' if options else ''}:", file=sys.stderr)
            print("\n".join(f"  {line}" for line in log.splitlines()), file=sys.stderr)


def _is_done(container: Json) -> bool:
    ended = container.get("state", {}).get("terminated")
    return bool(ended) and ended["exitCode"] == 0


def _has_started(container: Json) -> bool:
    state = container.get("state", {})
    return bool(container["restartCount"] or "running" in state or "terminated" in state)
