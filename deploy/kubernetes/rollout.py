"""Deploy an overlay, take a deploy back, smoke-test what is deployed: what `make deploy`, `rollback` and `smoke` run.

`render` only writes what would be applied.

Needs nothing but Python and kubectl, and speaks to the cluster of kubectl's current context.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from cluster import ASK_EVERY, Cluster, Json, RolloutError, raise_if_hopeless, readiness
from diagnosis import explain
from rendering import OVERLAYS, Release, namespace, render

SERVICE = "deployment/credit-scoring"
MONITOR = "deployment/credit-scoring-monitor"
CANARY = "deployment/credit-scoring-canary"
MIGRATION = "job/credit-scoring-migration"
FIRST = "credit-scoring/applied=before-rollout"
CONDITIONS = 'jsonpath={.status.conditions[?(@.status=="True")].type}'
MIGRATED_WITHIN = 330.0  # the Job gives itself 300


def deploy(overlay: Path, release: Release) -> None:
    """Migrate, apply, wait; what does not become ready is taken back. Raises RolloutError."""
    manifests = render(overlay, release)
    cluster = Cluster(namespace(overlay))
    deployments = [SERVICE, MONITOR, *([CANARY] if release.canary else [])]
    before = {each: cluster.good_revision(each) for each in deployments}
    (manifests.parent / "before").write_text(f"{before[SERVICE] or ''}\n", encoding="utf-8")
    cluster.remove(MIGRATION)  # a Job cannot be changed
    _validate(cluster, manifests)
    _migrate(cluster, manifests)
    try:
        cluster.run("apply", "--filename", str(manifests))
        for each in deployments:
            _wait(cluster, each)
    except RolloutError as error:
        became = "as it was before, but for its tables" if _take_back(cluster, before) else "NOT as it was before"
        raise RolloutError(f"{error} {overlay.name} is {became}.") from error
    if not release.canary:
        cluster.remove(CANARY)


def rollback(overlay: Path, revision: int | None) -> None:
    """The service as it was in that revision, or the last one before this that became ready. Raises RolloutError."""
    cluster = Cluster(namespace(overlay))
    revisions = cluster.revisions(SERVICE)
    if not revisions:
        raise RolloutError(f"{overlay.name} has no {SERVICE} to roll back.")
    current = max(revisions)
    earlier = {number: kind for number, each in revisions.items() if number != current and (kind := readiness(each))}
    target = _target(overlay, earlier, revision)
    cluster.remove(CANARY)
    try:
        cluster.undo(SERVICE, target)
    except RolloutError as error:
        explain(cluster, SERVICE, cluster.new_pods(SERVICE))
        became = "as it was before" if _take_back(cluster, {SERVICE: current}) else "NOT as it was before"
        raise RolloutError(f"{error} The service is {became}.") from error
    cluster.note(SERVICE, current, "rolled-back")


def _target(overlay: Path, earlier: Mapping[int, str], revision: int | None) -> int:
    if revision is None:
        revision = max((number for number, kind in earlier.items() if kind == "true"), default=None)
        if revision is None:
            raise RolloutError(f"{overlay.name} has no earlier revision that became ready; deploy an image that works.")
    if revision not in earlier:
        known = ", ".join(map(str, sorted(earlier))) or "none"
        raise RolloutError(f"Revision {revision} of {overlay.name} never became ready; earlier ones that did: {known}.")
    return revision


def smoke(overlay: Path, options: Sequence[str]) -> int:
    """The smoke test's exit code, through a tunnel; raises RolloutError."""
    with Cluster(namespace(overlay)).forwarded("service/credit-scoring", 3000) as url:
        command = [sys.executable, str(OVERLAYS.parent.parent / "smoke.py"), url, *options]
        return subprocess.run(command, check=False).returncode  # noqa: S603 - our own script


def _validate(cluster: Cluster, manifests: Path) -> None:
    """What the server would not take is found before the tables change."""
    try:
        cluster.ask("apply", "--dry-run=server", "--filename", str(manifests))
    except RolloutError as error:
        raise RolloutError(f"{error} The cluster rejects these manifests; the service is as it was.") from error


def _migrate(cluster: Cluster, manifests: Path) -> None:
    cluster.run("apply", "--filename", str(manifests), "--selector", FIRST)
    try:
        completed, cause = _completes(cluster), f"{MIGRATION} did not complete."
    except RolloutError as error:
        completed, cause = False, str(error)
    if not completed:
        explain(cluster, MIGRATION, _pods_of_migration(cluster))
        raise RolloutError(f"{cause} The service is as it was.")


def _completes(cluster: Cluster) -> bool:
    deadline = time.monotonic() + MIGRATED_WITHIN
    while time.monotonic() < deadline:
        raise_if_hopeless(_pods_of_migration(cluster))
        if ended := {"Complete", "Failed"} & set(cluster.ask("get", MIGRATION, "--output", CONDITIONS).split()):
            return ended == {"Complete"}
        time.sleep(ASK_EVERY)
    return False


def _pods_of_migration(cluster: Cluster) -> list[Json]:
    job = cluster.get(MIGRATION)
    return cluster.pods_of(job) if job else []


def _wait(cluster: Cluster, deployment: str) -> None:
    try:
        cluster.wait(deployment)
    except RolloutError:
        with suppress(RolloutError):
            explain(cluster, deployment, cluster.new_pods(deployment))
        raise


def _take_back(cluster: Cluster, before: Mapping[str, int | None]) -> bool:
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


def _overlay(name: str) -> Path:
    if (OVERLAYS / name / "kustomization.yaml").is_file():
        return OVERLAYS / name
    known = ", ".join(sorted(each.name for each in OVERLAYS.iterdir()))
    raise argparse.ArgumentTypeError(f"{name!r} is no overlay; there are {known}.")


def _number(text: str) -> int | None:
    """What a make target passes on: nothing, where its variable is not set."""
    if text and not (text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 1 on.")
    return int(text) if text else None


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="rollout.py", description="Deploy to Kubernetes, and take it back.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("render", "deploy", "rollback", "smoke"):
        command = commands.add_parser(name)
        command.add_argument("overlay", type=_overlay)
        if name in ("render", "deploy"):
            command.add_argument("--image", required=True, help="the service's, by digest")
            command.add_argument("--canary", help="the challenger's, by digest")
            command.add_argument("--canary-replicas", type=_number, help="how many challengers [1]")
            command.add_argument("--train", help="that of retraining, by digest")
            command.add_argument("--note", default="", help="for the history: model and commit")
        if name == "rollback":
            command.add_argument(
                "--revision", type=_number, help="as `kubectl rollout history` counts them [the last ready]"
            )
        if name == "smoke":
            command.add_argument("options", nargs=argparse.REMAINDER, help="of smoke.py")
    return parser.parse_args(arguments)


def _release(parsed: argparse.Namespace) -> Release:
    canary, train = parsed.canary or None, parsed.train or None
    return Release(parsed.image, canary, parsed.canary_replicas or 1, train, parsed.note)


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    parsed = _parsed(arguments)
    try:
        if parsed.command == "render":
            print(render(parsed.overlay, _release(parsed)))
            return 0
        if parsed.command == "smoke":
            return smoke(parsed.overlay, parsed.options)
        if parsed.command == "rollback":
            rollback(parsed.overlay, parsed.revision)
        else:
            deploy(parsed.overlay, _release(parsed))
            if not parsed.train:
                print("Retraining was left as it is: no image was named for it.")
    except RolloutError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{parsed.command} of {parsed.overlay.name}: done.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
