"""Deploy an overlay, take a deploy back, smoke-test what is deployed: what `make deploy`, `rollback` and `smoke` run.

`render` only writes what would be applied.

Needs nothing but Python and kubectl, and speaks to the cluster of kubectl's current context.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
OVERLAYS = HERE / "overlays"
BUILD = PROJECT / "build" / "kubernetes"

SERVICE = "deployment/credit-scoring"
MONITOR = "deployment/credit-scoring-monitor"
CANARY = "deployment/credit-scoring-canary"
MIGRATION = "job/credit-scoring-migration"
FIRST = "credit-scoring/applied=before-rollout"
REVISION = r"jsonpath={.metadata.annotations.deployment\.kubernetes\.io/revision}"
CONDITIONS = 'jsonpath={.status.conditions[?(@.status=="True")].type}'

MIGRATED_WITHIN = 330.0  # the Job gives itself 300
ROLLED_OUT_WITHIN = "15m"  # a Deployment gives up by itself after two minutes without progress
ASK_EVERY = 2.0

REFERENCE = re.compile(r"(?P<name>[^\s@]+?)(:(?P<tag>\w[\w.-]*))?(@(?P<digest>sha256:[0-9a-f]{64}))?")
IMAGE_LINE = re.compile(r"^[ -]*image: (\S+)$", re.MULTILINE)
FORWARDED = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


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
    """kubectl in the namespace of an overlay."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def ask(self, *arguments: str) -> str:
        """What it prints; raises RolloutError."""
        return kubectl("--namespace", self._namespace, *arguments)

    def run(self, *arguments: str) -> None:
        """The user is shown what it prints; raises RolloutError."""
        kubectl("--namespace", self._namespace, *arguments, shown=True)

    def revision(self, deployment: str) -> str:
        """The number of the template in use; nothing where there is no such Deployment."""
        return self.ask("get", deployment, "--ignore-not-found", "--output", REVISION)

    def undo(self, deployment: str, revision: str | None) -> None:
        """Its template as it was in that revision, or in the one before this; waits for it. Raises RolloutError."""
        self.run("rollout", "undo", deployment, *([f"--to-revision={revision}"] if revision else []))
        # What apply remembers has to be what is there now: else it leaves in, next time, what only this template has.
        applied = json.loads(self.ask("apply", "view-last-applied", deployment, "--output", "json"))
        applied["spec"]["template"] = json.loads(self.ask("get", deployment, "--output", "json"))["spec"]["template"]
        BUILD.mkdir(parents=True, exist_ok=True)
        path = BUILD / "applied.json"
        path.write_text(json.dumps(applied), encoding="utf-8")
        self.run("apply", "set-last-applied", "--filename", str(path))
        self.wait(deployment)

    def wait(self, deployment: str) -> None:
        """Until it has rolled out; raises RolloutError."""
        self.run("rollout", "status", deployment, f"--timeout={ROLLED_OUT_WITHIN}")

    def remove(self, what: str) -> None:
        """Whether or not it is there."""
        self.run("delete", what, "--ignore-not-found")

    @contextmanager
    def forwarded(self, what: str, port: int) -> Iterator[str]:
        """An address on this machine that leads there; raises RolloutError."""
        command = ["kubectl", "--namespace", self._namespace, "port-forward", what, f":{port}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tunnel:  # noqa: S603 - ours
            try:
                found = FORWARDED.match(tunnel.stdout.readline() if tunnel.stdout else "")
                if not found:
                    raise RolloutError(f"`{' '.join(command)}` opened no tunnel.")
                yield f"http://127.0.0.1:{found[1]}"
            finally:
                tunnel.terminate()


def deploy(overlay: Path, image: str, canary: str | None, train: str | None) -> None:
    """Migrate, apply, wait; what does not become ready is taken back. Raises RolloutError."""
    manifests = render(overlay, image, canary, train)
    cluster = Cluster(_namespace(overlay))
    deployments = [SERVICE, MONITOR, *([CANARY] if canary else [])]
    before = {each: cluster.revision(each) for each in deployments}
    (manifests.parent / "before").write_text(before[SERVICE] + "\n", encoding="utf-8")
    _migrate(cluster, manifests)
    try:
        cluster.run("apply", "--filename", str(manifests))
        for each in deployments:
            cluster.wait(each)
    except RolloutError as error:
        became = "as it was before, but for its tables" if _take_back(cluster, before) else "NOT as it was before"
        raise RolloutError(f"{error} {overlay.name} is {became}.") from error
    if not canary:
        cluster.remove(CANARY)


def rollback(overlay: Path, revision: str | None) -> None:
    """The service as it was in that revision, or the one before this; no canary. Raises RolloutError."""
    cluster = Cluster(_namespace(overlay))
    cluster.remove(CANARY)
    cluster.undo(SERVICE, revision)


def smoke(overlay: Path, options: Sequence[str]) -> int:
    """The smoke test's exit code, through a tunnel; raises RolloutError."""
    with Cluster(_namespace(overlay)).forwarded("service/credit-scoring", 3000) as url:
        command = [sys.executable, str(HERE.parent / "smoke.py"), url, *options]
        return subprocess.run(command, check=False).returncode  # noqa: S603 - our own script


def render(overlay: Path, image: str, canary: str | None, train: str | None) -> Path:
    """The overlay with these images, in build/; raises RolloutError."""
    folder = BUILD / overlay.name
    folder.mkdir(parents=True, exist_ok=True)
    # JSON is YAML, and Python has it.
    kustomization = json.dumps(_kustomization(overlay, image, canary, train), indent=2)
    (folder / "kustomization.yaml").write_text(kustomization + "\n", encoding="utf-8")
    rendered = kubectl("kustomize", folder)
    unpinned = [each for each in IMAGE_LINE.findall(rendered) if "@sha256:" not in each]
    if unpinned and overlay.name != "local":
        raise RolloutError(f"{overlay.name}: {', '.join(unpinned)}: expected images by digest, like name@sha256:….")
    manifests = folder / "manifests.yaml"
    manifests.write_text(rendered + "\n", encoding="utf-8")
    return manifests


def _kustomization(overlay: Path, image: str, canary: str | None, train: str | None) -> dict[str, object]:
    ours = "../../../deploy/kubernetes"
    images = {"credit-scoring": image, "credit-scoring-canary": canary, "credit-scoring-train": train}
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": _namespace(overlay),
        "resources": [f"{ours}/overlays/{overlay.name}", *([f"{ours}/canary"] if canary else [])],
        "images": [_image(name, reference) for name, reference in images.items() if reference is not None],
        # Without an image there is no retraining to apply; one that is there stays as it is.
        "patches": [] if train else [_left_out("CronJob"), _left_out("PersistentVolumeClaim")],
    }


def _image(name: str, reference: str) -> dict[str, str]:
    found = REFERENCE.fullmatch(reference)
    if not found or not (found["digest"] or found["tag"]):
        raise RolloutError(f"{reference!r}: expected an image by digest, like ghcr.io/owner/{name}@sha256:….")
    pinned = {"digest": found["digest"]} if found["digest"] else {"newTag": found["tag"]}
    return {"name": name, "newName": found["name"], **pinned}


def _left_out(kind: str) -> dict[str, object]:
    patch = {"$patch": "delete", "kind": kind, "metadata": {"name": "any"}}
    return {"target": {"kind": kind}, "patch": json.dumps(patch)}


def _migrate(cluster: Cluster, manifests: Path) -> None:
    cluster.remove(MIGRATION)  # a Job cannot be changed
    cluster.run("apply", "--filename", str(manifests), "--selector", FIRST)
    deadline = time.monotonic() + MIGRATED_WITHIN
    while not (ended := {"Complete", "Failed"} & set(cluster.ask("get", MIGRATION, "--output", CONDITIONS).split())):
        if time.monotonic() > deadline:
            break
        time.sleep(ASK_EVERY)
    if ended != {"Complete"}:
        with suppress(RolloutError):
            cluster.run("logs", MIGRATION, "--tail=20")
        raise RolloutError(f"{MIGRATION} did not complete; its log is above. The service is as it was.")


def _take_back(cluster: Cluster, before: dict[str, str]) -> bool:
    """Whether each Deployment is as it was; goes on where one cannot be."""
    well = True
    for deployment, revision in before.items():
        try:
            if revision:
                cluster.undo(deployment, revision)
            else:
                cluster.remove(deployment)
        except RolloutError as error:
            print(f"error: {error} {deployment} could not be taken back.", file=sys.stderr)
            well = False
    return well


def _namespace(overlay: Path) -> str:
    found = re.search(r"^namespace: (\S+)$", (overlay / "kustomization.yaml").read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise RolloutError(f"{overlay}/kustomization.yaml names no namespace.")
    return found[1]


def _overlay(name: str) -> Path:
    if (OVERLAYS / name / "kustomization.yaml").is_file():
        return OVERLAYS / name
    known = ", ".join(sorted(each.name for each in OVERLAYS.iterdir()))
    raise argparse.ArgumentTypeError(f"{name!r} is no overlay; there are {known}.")


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="rollout.py", description="Deploy to Kubernetes, and take it back.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("render", "deploy", "rollback", "smoke"):
        command = commands.add_parser(name)
        command.add_argument("overlay", type=_overlay)
        if name in ("render", "deploy"):
            command.add_argument("--image", required=True, help="the service's, by digest")
            command.add_argument("--canary", help="the challenger's, by digest")
            command.add_argument("--train", help="that of retraining, by digest")
        if name == "rollback":
            command.add_argument("--revision", help="as `kubectl rollout history` counts them [the one before]")
        if name == "smoke":
            command.add_argument("options", nargs=argparse.REMAINDER, help="of smoke.py")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    parsed = _parsed(arguments)
    try:
        if parsed.command == "render":
            print(render(parsed.overlay, parsed.image, parsed.canary or None, parsed.train or None))
            return 0
        if parsed.command == "smoke":
            return smoke(parsed.overlay, parsed.options)
        if parsed.command == "rollback":
            rollback(parsed.overlay, parsed.revision or None)
        else:
            deploy(parsed.overlay, parsed.image, parsed.canary or None, parsed.train or None)
            if not parsed.train:
                print("Retraining was left as it is: no image was named for it.")
    except RolloutError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{parsed.command} of {parsed.overlay.name}: done.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
