"""The objects of one namespace, as kubectl tells and changes them."""

import json
import re
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BUILD = Path(__file__).resolve().parent.parent.parent / "build" / "kubernetes"

READY = "credit-scoring/ready"  # a label of ReplicaSets: `kubectl rollout undo` copies annotations, but not labels
REVISION = "deployment.kubernetes.io/revision"
HOPELESS = {"ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError"}
ROLLED_OUT_WITHIN = 900.0  # a Deployment gives up by itself after two minutes without progress
ASK_EVERY = 2.0

FORWARDED = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")

Json = dict[str, Any]


class RolloutError(Exception):
    """What is told to the user in one line."""


def kubectl(*arguments: str | Path, shown: bool = False) -> str:
    """What it prints, unless the user is shown it; raises RolloutError."""
    command = ["kubectl", *(str(each) for each in arguments)]
    output = None if shown else subprocess.PIPE
    done = subprocess.run(command, stdout=output, text=True, check=False)  # noqa: S603 - what this is about
    if done.returncode:
        raise RolloutError(f"`{' '.join(command)}` failed.")
    return (done.stdout or "").strip()


class Cluster:
    """kubectl in the namespace of an overlay; every method may raise RolloutError."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    def ask(self, *arguments: str) -> str:
        """What it prints."""
        return kubectl("--namespace", self.namespace, *arguments)

    def run(self, *arguments: str) -> None:
        """The user is shown what it prints."""
        kubectl("--namespace", self.namespace, *arguments, shown=True)

    def get(self, *what: str) -> Json:
        """One object, or a list of them; empty where there is none."""
        found: Json = json.loads(self.ask("get", *what, "--ignore-not-found", "--output", "json") or "{}")
        return found

    def remove(self, what: str) -> None:
        """Whether or not it is there."""
        self.run("delete", what, "--ignore-not-found")

    def revisions(self, deployment: str) -> dict[int, Json]:
        """Its ReplicaSets by the number of the revision; empty where there is no such Deployment."""
        found = self.get(deployment)
        if not found:
            return {}
        sets = self._owned_by(found, "replicasets")
        return {int(each["metadata"]["annotations"][REVISION]): each for each in sets}

    def good_revision(self, deployment: str) -> int | None:
        """The newest one that became ready, or the newest where none was noted; None where there is no Deployment."""
        revisions = self.revisions(deployment)
        ready = [number for number, each in revisions.items() if readiness(each) == "true"]
        return max(ready or revisions, default=None)

    def note(self, deployment: str, revision: int, readiness: str) -> None:
        """Remember whether this revision is one to go back to."""
        name = self.revisions(deployment)[revision]["metadata"]["name"]
        self.run("label", f"replicaset/{name}", f"{READY}={readiness}", "--overwrite")

    def leave(self, deployment: str, revisions: Collection[int]) -> None:
        """Remember that these are none to go back to, of those that became ready."""
        for number, each in self.revisions(deployment).items():
            if number in revisions and readiness(each):
                self.note(deployment, number, "rolled-back")

    def undo(self, deployment: str, revision: int) -> None:
        """Its template as it was in that revision; waits for it."""
        self.run("rollout", "undo", deployment, f"--to-revision={revision}")
        # What apply remembers has to be what is there now: else it leaves in, next time, what only this template has.
        applied = json.loads(self.ask("apply", "view-last-applied", deployment, "--output", "json"))
        applied["spec"]["template"] = self.get(deployment)["spec"]["template"]
        BUILD.mkdir(parents=True, exist_ok=True)
        path = BUILD / "applied.json"
        path.write_text(json.dumps(applied), encoding="utf-8")
        self.run("apply", "set-last-applied", "--filename", str(path))
        self.wait(deployment)

    def wait(self, deployment: str) -> None:
        """Until it has rolled out, or a new pod cannot start; notes the revision as ready."""
        deadline, said = time.monotonic() + ROLLED_OUT_WITHIN, ""
        while "successfully rolled out" not in (status := self.ask("rollout", "status", deployment, "--watch=false")):
            if status != said:
                print(status, flush=True)
            said = status
            raise_if_hopeless(self.new_pods(deployment))
            if time.monotonic() > deadline:
                raise RolloutError(f"{deployment} has not rolled out within {ROLLED_OUT_WITHIN:g} s.")
            time.sleep(ASK_EVERY)
        print(status, flush=True)
        self.note(deployment, max(self.revisions(deployment)), "true")

    def new_pods(self, deployment: str) -> list[Json]:
        """Those of its newest revision."""
        revisions = self.revisions(deployment)
        if not revisions:
            return []
        return self.pods_of(revisions[max(revisions)])

    def pods_of(self, owner: Json) -> list[Json]:
        """Those that are not being deleted."""
        return [each for each in self._owned_by(owner, "pods") if "deletionTimestamp" not in each["metadata"]]

    def _owned_by(self, owner: Json, plural: str) -> list[Json]:
        """By the id and not by labels: an object of the same name that was deleted may have left some behind."""
        identity = owner["metadata"]["uid"]
        return [
            each
            for each in self.get(plural).get("items", [])
            if identity in (parent["uid"] for parent in each["metadata"].get("ownerReferences", []))
        ]

    @contextmanager
    def forwarded(self, what: str, port: int) -> Iterator[str]:
        """An address on this machine that leads there."""
        command = ["kubectl", "--namespace", self.namespace, "port-forward", what, f":{port}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tunnel:  # noqa: S603 - ours
            try:
                found = FORWARDED.match(tunnel.stdout.readline() if tunnel.stdout else "")
                if not found:
                    raise RolloutError(f"`{' '.join(command)}` opened no tunnel.")
                yield f"http://127.0.0.1:{found[1]}"
            finally:
                tunnel.terminate()


def readiness(replica_set: Json) -> str | None:
    """`true`: it became ready; `rolled-back`: it did, but was left; None: it did not."""
    found: str | None = replica_set["metadata"].get("labels", {}).get(READY)
    return found


def are_alike(one: Json, other: Json) -> bool:
    """Whether the pods of both ReplicaSets run the same: `kubectl rollout restart` changes an annotation alone."""
    pods, others = (each["spec"]["template"]["spec"] for each in (one, other))
    return bool(pods == others)


def alike(revisions: Mapping[int, Json], number: int) -> set[int]:
    """The revisions that run the same as this one, itself among them."""
    return {each for each in revisions if number in revisions and are_alike(revisions[each], revisions[number])}


def image(replica_set: Json) -> str:
    """What the service runs in it."""
    return str(replica_set["spec"]["template"]["spec"]["containers"][0]["image"])


def containers(pod: Json) -> list[Json]:
    """The states of all of its containers, in the order in which they start."""
    status = pod.get("status", {})
    return [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]


def waiting(pod: Json) -> Iterator[tuple[str, str, str]]:
    """Container, reason and message of what waits in a pod."""
    for each in containers(pod):
        if found := each.get("state", {}).get("waiting"):
            yield each["name"], found.get("reason", ""), found.get("message", "")


def raise_if_hopeless(pods: list[Json]) -> None:
    """Raises RolloutError where a container waits for what does not come by itself."""
    for pod in pods:
        for _, reason, message in waiting(pod):
            if reason in HOPELESS:
                raise RolloutError(f"pod/{pod['metadata']['name']} cannot start: {reason}: {message}")
