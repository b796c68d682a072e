"""Deploy an overlay, take a deploy back, smoke-test what is deployed: what `make deploy`, `rollback` and `smoke` run.

`watch` and `withdraw` are for a challenger; `render` only writes what would be applied.

Needs nothing but Python and kubectl, and speaks to the cluster of kubectl's current context.
"""

import subprocess
import sys
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import challenger
from arguments import parse, release_of
from challenger import CANARY
from cluster import ASK_EVERY, Cluster, Json, RolloutError, alike, image, raise_if_hopeless, readiness
from diagnosis import explain
from recovery import FIRST, Earlier, earlier, take_back, take_policies_back
from rendering import OVERLAYS, Release, namespace, render
from watching import watch

SERVICE = "deployment/credit-scoring"
MONITOR = "deployment/credit-scoring-monitor"
MIGRATION = "job/credit-scoring-migration"
CONDITIONS = 'jsonpath={.status.conditions[?(@.status=="True")].type}'
AS_BEFORE = (
    "Deployments and network policies are as before; its autoscaler, alert rules, retraining and tables stay as the "
    "deploy left them."
)
MIGRATED_WITHIN = 330.0  # the Job gives itself 300


def deploy(overlay: Path, release: Release) -> None:
    """Migrate, apply, wait; what does not become ready is taken back. Raises RolloutError."""
    weight = challenger.weight_for(overlay, release.canary, release.canary_weight)
    manifests = render(overlay, release)
    cluster = Cluster(namespace(overlay))
    _raise_if_stopped(cluster)
    before = earlier(cluster, [SERVICE, MONITOR, *([CANARY] if release.canary else [])])
    (manifests.parent / "before").write_text(f"{before.revisions[SERVICE] or ''}\n", encoding="utf-8")
    cluster.remove(MIGRATION)  # a Job cannot be changed
    _validate(cluster, manifests)
    _migrate(cluster, manifests, before)
    try:
        _roll_out(cluster, manifests, before.revisions, weight)
    except RolloutError as error:
        became = f"'s {AS_BEFORE}" if take_back(cluster, before) else " is NOT as it was before."
        raise RolloutError(f"{error} {overlay.name}{became}") from error
    if not release.canary:
        challenger.withdraw(cluster)


def rollback(overlay: Path, revision: int | None) -> None:
    """The service as it was in that revision, or the last one before this that became ready. Raises RolloutError."""
    cluster = Cluster(namespace(overlay))
    revisions = cluster.revisions(SERVICE)
    if not revisions:
        raise RolloutError(f"{overlay.name} has no {SERVICE} to roll back.")
    _raise_if_stopped(cluster)
    current = max(revisions)
    left_behind = alike(revisions, current)
    target = _target(overlay, revisions, left_behind, revision)
    print(f"{overlay.name} goes back to revision {target}: {image(revisions[target])}", flush=True)
    left = _without_challenger(cluster)
    try:
        cluster.undo(SERVICE, target)
    except RolloutError as error:
        with suppress(RolloutError):
            explain(cluster, SERVICE, cluster.new_pods(SERVICE))
        became = "as it was before" if take_back(cluster, Earlier({SERVICE: current})) else "NOT as it was before"
        raise RolloutError(f"{error} The service is {became}.") from error
    cluster.leave(SERVICE, left_behind)
    if left:
        raise RolloutError(f"The service is rolled back. {left}")


def _without_challenger(cluster: Cluster) -> str:
    """Why it is still there, if it is: that must not keep the service from being rolled back."""
    try:
        challenger.withdraw(cluster)
    except RolloutError as error:
        return f"{error} The challenger is still there: `make withdraw-canary`."
    return ""


def _target(overlay: Path, revisions: Mapping[int, Json], left_behind: Collection[int], revision: int | None) -> int:
    """The revision that was asked for, else the newest that became ready and runs something else."""
    earlier = {number: kind for number, each in revisions.items() if (kind := readiness(each))}
    if revision in left_behind:
        raise RolloutError(f"Revision {revision} of {overlay.name} runs what it runs now; name another, or none.")
    for number in left_behind:
        earlier.pop(number, None)
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


def _raise_if_stopped(cluster: Cluster) -> None:
    """Where no pod is wanted, a rollout succeeds without one, and the autoscaler starts none."""
    if cluster.get(SERVICE).get("spec", {}).get("replicas") == 0:
        command = f"kubectl --namespace {cluster.namespace} scale {SERVICE} --replicas=3"
        raise RolloutError(f"{SERVICE} is scaled to 0, so no pod would run. Nothing was changed; first `{command}`.")


def _validate(cluster: Cluster, manifests: Path) -> None:
    """What the server would not take is found before the tables change."""
    try:
        cluster.ask("apply", "--dry-run=server", "--filename", str(manifests))
    except RolloutError as error:
        raise RolloutError(f"{error} The cluster rejects these manifests; the service is as it was.") from error


def _migrate(cluster: Cluster, manifests: Path, before: Earlier) -> None:
    try:
        cluster.run("apply", "--filename", str(manifests), "--selector", FIRST)
        completed, cause = _completes(cluster), f"{MIGRATION} did not complete."
    except RolloutError as error:
        completed, cause = False, str(error)
    if not completed:
        with suppress(RolloutError):
            explain(cluster, MIGRATION, _pods_of_migration(cluster))
        became = "and its network policies are as they were"
        if not take_policies_back(cluster, before):
            became = "is as it was; its network policies are NOT"
        raise RolloutError(f"{cause} The service {became}.")


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


def _roll_out(cluster: Cluster, manifests: Path, deployments: Iterable[str], weight: int) -> None:
    cluster.run("apply", "--filename", str(manifests))
    for each in deployments:
        _wait(cluster, each)
    if weight:
        challenger.give(cluster, weight)


def _wait(cluster: Cluster, deployment: str) -> None:
    try:
        cluster.wait(deployment)
    except RolloutError:
        with suppress(RolloutError):
            explain(cluster, deployment, cluster.new_pods(deployment))
        raise


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    parsed = parse(arguments)
    try:
        if parsed.command == "render":
            print(render(parsed.overlay, release_of(parsed)))
            return 0
        if parsed.command == "smoke":
            return smoke(parsed.overlay, parsed.options)
        if parsed.command == "rollback":
            rollback(parsed.overlay, parsed.revision)
        elif parsed.command == "withdraw":
            challenger.withdraw(Cluster(namespace(parsed.overlay)))
        elif parsed.command == "watch":
            cluster = Cluster(namespace(parsed.overlay))
            watch(cluster, parsed.prometheus, parsed.seconds, parsed.blind)
        else:
            deploy(parsed.overlay, release_of(parsed))
            if not parsed.train:
                print("Retraining was left as it is: no image was named for it.")
    except RolloutError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped halfway.", file=sys.stderr)
        return 130
    print(f"{parsed.command} of {parsed.overlay.name}: done.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
