"""How `make deploy` and `make rollback` go about it.

No cluster is at hand. The real kubectl speaks to a small API in memory; where it matters what it is asked, and in which
order, a stand-in for kubectl writes that down and answers as the test wants.
"""

import json
import re
from pathlib import Path

import pytest

from tests.conftest import RunningService
from tests.support import kubernetes_api
from tests.support.manifests import OVERLAYS, Json, objects, of_kind, pods, selects
from tests.support.rollout import AS_BEFORE, CHALLENGER, IMAGE, TRAINER, Checkout

READY, LEFT = {"credit-scoring/ready": "true"}, {"credit-scoring/ready": "rolled-back"}
SEVENTH = json.dumps({"7": READY})
LONG_HISTORY = json.dumps({"4": READY, "5": READY, "6": {}, "7": READY})


# Deploy


def test_a_deploy_migrates_before_it_changes_the_service_and_waits_for_both(checkout: Checkout) -> None:
    done = checkout.run("deploy", "staging", "--image", IMAGE, "--train", TRAINER, REVISIONS=SEVENTH)
    assert done.returncode == 0, done.stderr
    manifests = checkout.built / "staging" / "manifests.yaml"
    changes = [re.sub(r" --watch\S*", "", call) for call in checkout.changes()]
    assert changes == [
        "delete job/credit-scoring-migration --ignore-not-found",
        f"apply --dry-run=server --filename {manifests}",
        f"apply --filename {manifests} --selector credit-scoring/applied=before-rollout",
        f"apply --filename {manifests}",
        "rollout status deployment/credit-scoring",
        "label replicaset/set-7 credit-scoring/ready=true --overwrite",
        "rollout status deployment/credit-scoring-monitor",
        "label replicaset/set-7 credit-scoring/ready=true --overwrite",
        "delete deployment/credit-scoring-canary --ignore-not-found",
    ]


@pytest.mark.parametrize("name", ["staging", "production"])
def test_what_is_applied_names_each_image_by_digest(checkout: Checkout, name: str) -> None:
    done = checkout.run("render", name, "--image", IMAGE, "--canary", CHALLENGER, "--train", TRAINER)
    found = objects(Path(done.stdout.strip()).read_text())
    images = {owner: [each["image"] for each in pod["spec"]["containers"]] for owner, pod in pods(found)}
    assert images == {
        "credit-scoring": [IMAGE],
        "credit-scoring-monitor": [IMAGE],
        "credit-scoring-migration": [IMAGE],
        "credit-scoring-canary": [CHALLENGER],
        "credit-scoring-retraining": [TRAINER],
    }
    assert {each["metadata"]["namespace"] for each in found} == {f"credit-scoring-{name}"}


def test_the_challenger_stands_behind_the_service_and_reads_the_same_settings(checkout: Checkout) -> None:
    done = checkout.run("render", "production", "--image", IMAGE, "--canary", CHALLENGER, "--canary-replicas", "3")
    found = objects(Path(done.stdout.strip()).read_text())
    deployments = of_kind(found, "Deployment")
    selector = of_kind(found, "Service")["credit-scoring"]["spec"]["selector"]
    budget = of_kind(found, "PodDisruptionBudget")["credit-scoring"]["spec"]["selector"]["matchLabels"]
    settings = set()
    assert deployments["credit-scoring-canary"]["spec"]["replicas"] == 3
    for name in ("credit-scoring", "credit-scoring-canary"):
        template = deployments[name]["spec"]["template"]
        assert selects(selector, template["metadata"]["labels"])
        assert selects(budget, template["metadata"]["labels"])
        settings.add(template["spec"]["containers"][0]["envFrom"][0]["configMapRef"]["name"])
    assert settings <= of_kind(found, "ConfigMap").keys()
    assert len(settings) == 1


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_challenger_is_the_service_as_the_overlay_makes_it_but_for_name_track_image_and_number(
    checkout: Checkout, name: str
) -> None:
    done = checkout.run("render", name, "--image", IMAGE, "--canary", CHALLENGER)
    deployments = of_kind(objects(Path(done.stdout.strip()).read_text()), "Deployment")
    expected, challenger = deployments["credit-scoring"], deployments["credit-scoring-canary"]
    expected["metadata"]["name"] = "credit-scoring-canary"
    expected["metadata"]["annotations"]["kubernetes.io/change-cause"] = CHALLENGER
    expected["spec"]["replicas"] = 1
    expected["spec"]["template"]["spec"]["containers"][0]["image"] = CHALLENGER
    for labels in (
        expected["metadata"]["labels"],
        expected["spec"]["selector"]["matchLabels"],
        expected["spec"]["template"]["metadata"]["labels"],
    ):
        labels |= {"credit-scoring/track": "canary"}
    assert challenger == expected


def test_without_an_image_for_it_retraining_is_left_as_it_is(checkout: Checkout) -> None:
    done = checkout.run("deploy", "production", "--image", IMAGE, "--train", "")
    assert done.returncode == 0, done.stderr
    assert "Retraining was left as it is" in done.stdout
    found = objects((checkout.built / "production" / "manifests.yaml").read_text())
    assert not of_kind(found, "CronJob")


@pytest.mark.parametrize("image", ["", "credit-scoring", "registry.example/credit-scoring:1.2", "a b@sha256:1"])
def test_production_takes_no_image_but_by_digest(checkout: Checkout, image: str) -> None:
    done = checkout.run("deploy", "production", "--image", image)
    assert done.returncode == 1
    assert re.fullmatch(r"error: .*@sha256:….*\n", done.stderr)
    assert checkout.asked() == []


def test_a_local_cluster_takes_an_image_by_its_tag(checkout: Checkout) -> None:
    done = checkout.run("render", "local", "--image", "credit-scoring:0.1.0")
    assert "image: credit-scoring:0.1.0" in Path(done.stdout.strip()).read_text()


def test_no_committed_file_is_changed_by_a_deploy(checkout: Checkout) -> None:
    def committed() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in checkout.folder.glob("deploy/**/*") if path.is_file()}

    before = committed()
    checkout.run("deploy", "production", "--image", IMAGE)
    assert committed() == before


# What goes wrong


def test_a_migration_that_fails_leaves_the_service_alone(checkout: Checkout) -> None:
    done = checkout.run("deploy", "production", "--image", IMAGE, JOB="FailureTarget Failed", REVISIONS=SEVENTH)
    assert done.returncode == 1
    assert "error: job/credit-scoring-migration did not complete" in done.stderr
    left_alone = [call for call in checkout.changes() if not call.startswith("delete job/")]
    assert [call.split()[:2] for call in left_alone] == [["apply", "--dry-run=server"], ["apply", "--filename"]]
    assert left_alone[1].endswith("--selector credit-scoring/applied=before-rollout")


@pytest.mark.parametrize(
    "fails",
    [r"rollout status deployment/credit-scoring --watch", r"rollout status deployment/credit-scoring-monitor"],
)
def test_a_rollout_that_does_not_get_ready_is_taken_back_to_the_revision_before(checkout: Checkout, fails: str) -> None:
    done = checkout.run("deploy", "production", "--image", IMAGE, FAILS=fails, REVISIONS=SEVENTH)
    assert done.returncode == 1
    asked = checkout.asked()
    for name in ("credit-scoring", "credit-scoring-monitor"):
        assert f"rollout undo deployment/{name} --to-revision=7" in asked


def test_a_deploy_that_was_taken_back_says_so(checkout: Checkout) -> None:
    done = checkout.run(
        "deploy", "production", "--image", IMAGE, FAILS=r"apply --filename .*manifests\.yaml$", REVISIONS=SEVENTH
    )
    assert done.returncode == 1
    assert done.stderr.endswith(f"production's {AS_BEFORE}\n")
    assert "rollout undo deployment/credit-scoring-monitor --to-revision=7" in checkout.asked()


def test_a_deploy_that_cannot_be_taken_back_says_so(checkout: Checkout) -> None:
    done = checkout.run("deploy", "production", "--image", IMAGE, FAILS="rollout (status|undo)", REVISIONS=SEVENTH)
    assert done.returncode == 1
    assert done.stderr.endswith("production is NOT as it was before.\n")
    assert "rollout undo deployment/credit-scoring-monitor --to-revision=7" in checkout.asked()


def test_a_first_deploy_that_fails_leaves_no_service_behind(checkout: Checkout) -> None:
    done = checkout.run("deploy", "staging", "--image", IMAGE, FAILS="rollout status", REVISIONS="{}")
    assert done.returncode == 1
    assert checkout.asked()[-2:] == [
        "delete deployment/credit-scoring --ignore-not-found",
        "delete deployment/credit-scoring-monitor --ignore-not-found",
    ]


POD = {
    "metadata": {"name": "set-7-x", "ownerReferences": [{"uid": "set-7"}]},
    "status": {
        "phase": "Running",
        "containerStatuses": [
            {
                "name": "service",
                "restartCount": 3,
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
                "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
            }
        ],
    },
}
EVENTS = [
    {"type": "Warning", "reason": reason, "message": message, "involvedObject": {"name": name}}
    for name, reason, message in [
        ("set-7-x", "BackOff", "restarting failed container"),
        ("set-7", "FailedCreate", "exceeded quota"),
        ("set-70-x", "Unhealthy", "of another"),
    ]
]


def test_a_rollout_that_fails_says_why_before_the_evidence_is_gone(checkout: Checkout) -> None:
    answers = {"PODS": json.dumps({"items": [POD]}), "EVENTS": json.dumps({"items": EVENTS}), "REVISIONS": SEVENTH}
    fails = r"rollout status deployment/credit-scoring --watch"
    done = checkout.run("deploy", "production", "--image", IMAGE, FAILS=fails, **answers)
    for told in (
        "pod/set-7-x: Running; not ready; service waits: CrashLoopBackOff: back-off",
        "; service: OOMKilled, exit code 137, 3 restarts",
        "event Warning BackOff: restarting failed container",
        "event Warning FailedCreate: exceeded quota",
        "Last lines of set-7-x before its restart:\n  the last line",
    ):
        assert told in done.stderr
    assert "of another" not in done.stderr
    asked = checkout.asked()
    assert asked.index("logs pod/set-7-x --container=service --tail=20") < asked.index(
        "rollout undo deployment/credit-scoring --to-revision=7"
    )


FETCHING: Json = {
    "metadata": {"name": "set-7-x", "ownerReferences": [{"uid": "set-7"}]},
    "status": {
        "phase": "Pending",
        "initContainerStatuses": [
            {"name": "done", "restartCount": 0, "state": {"terminated": {"reason": "Completed", "exitCode": 0}}},
            {"name": "model", "restartCount": 0, "state": {"terminated": {"reason": "Error", "exitCode": 1}}},
        ],
        "containerStatuses": [
            {"name": "service", "restartCount": 0, "state": {"waiting": {"reason": "PodInitializing"}}}
        ],
    },
}


def test_a_rollout_whose_pods_cannot_fetch_their_model_shows_the_log_of_what_fetches(checkout: Checkout) -> None:
    fails = r"rollout status deployment/credit-scoring --watch"
    pods = json.dumps({"items": [FETCHING]})
    done = checkout.run("deploy", "production", "--image", IMAGE, FAILS=fails, PODS=pods, REVISIONS=SEVENTH)
    assert "; model: Error, exit code 1, 0 restarts" in done.stderr
    assert "done: Completed" not in done.stderr
    assert "logs pod/set-7-x --container=model --tail=20" in checkout.asked()


OF_AN_EARLIER_JOB: Json = {
    "metadata": {"name": "earlier", "ownerReferences": [{"uid": "another job"}]},
    "status": {
        "containerStatuses": [{"name": "it", "restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff"}}}]
    },
}
OF_THIS_JOB: Json = {**OF_AN_EARLIER_JOB, "metadata": {"name": "this", "ownerReferences": [{"uid": "job"}]}}
BEFORE_IT = {**OF_THIS_JOB, "status": {"initContainerStatuses": OF_THIS_JOB["status"]["containerStatuses"]}}
LEAVING = {**OF_THIS_JOB, "metadata": {**OF_THIS_JOB["metadata"], "deletionTimestamp": "2026-11-26T13:21:00Z"}}


@pytest.mark.parametrize(("pod", "code"), [(OF_AN_EARLIER_JOB, 0), (LEAVING, 0), (OF_THIS_JOB, 1), (BEFORE_IT, 1)])
def test_a_migration_ends_at_once_where_its_own_image_cannot_be_pulled(
    checkout: Checkout, pod: Json, code: int
) -> None:
    done = checkout.run("deploy", "production", "--image", IMAGE, PODS=json.dumps({"items": [pod]}), REVISIONS=SEVENTH)
    assert done.returncode == code
    assert ("error: pod/this cannot start: ImagePullBackOff" in done.stderr) == bool(code)


def test_a_deploy_that_was_interrupted_is_no_state_to_go_back_to(checkout: Checkout) -> None:
    """The newest revision never became ready: the one before it did."""
    history = json.dumps({"7": READY, "8": {}})
    done = checkout.run(
        "deploy", "production", "--image", IMAGE, FAILS=r"apply --filename .*manifests\.yaml$", REVISIONS=history
    )
    assert done.returncode == 1
    assert "rollout undo deployment/credit-scoring --to-revision=7" in checkout.asked()


def test_manifests_that_the_server_rejects_change_nothing(checkout: Checkout) -> None:
    done = checkout.run("deploy", "production", "--image", IMAGE, FAILS="--dry-run=server", REVISIONS=SEVENTH)
    assert done.returncode == 1
    assert done.stderr.endswith("The cluster rejects these manifests; the service is as it was.\n")
    changes = checkout.changes()
    assert [call.split()[0] for call in changes] == ["delete", "apply"]


# With the real kubectl


def test_kubectl_brings_everything_to_the_cluster_and_a_second_deploy_changes_only_what_differs(
    checkout: Checkout, cluster: kubernetes_api.Cluster
) -> None:
    assert checkout.run("deploy", "production", "--image", IMAGE, "--train", TRAINER).returncode == 0
    applied = objects((checkout.built / "production" / "manifests.yaml").read_text())
    assert {each["metadata"]["name"] for each in applied} <= cluster.names()
    cluster.written.clear()
    done = checkout.run("deploy", "production", "--image", CHALLENGER, "--train", TRAINER)
    assert done.returncode == 0, done.stderr
    assert cluster.written[:2] == ["DELETE jobs/credit-scoring-migration", "POST jobs/credit-scoring-migration"]
    assert {each for each in cluster.written[2:] if not each.startswith("PATCH replicasets/")} <= {
        "PATCH deployments/credit-scoring",
        "PATCH deployments/credit-scoring-monitor",
        "PATCH poddisruptionbudgets/credit-scoring",
    }
    assert cluster.image("credit-scoring") == CHALLENGER


def test_kubectl_takes_back_what_does_not_get_ready(checkout: Checkout, cluster: kubernetes_api.Cluster) -> None:
    checkout.run("deploy", "production", "--image", IMAGE)
    cluster.never_ready = CHALLENGER
    done = checkout.run("deploy", "production", "--image", CHALLENGER)
    assert done.returncode == 1
    assert done.stderr.endswith(f"production's {AS_BEFORE}\n")
    assert cluster.image("credit-scoring") == cluster.image("credit-scoring-monitor") == IMAGE


def test_an_image_that_cannot_be_pulled_ends_the_deploy_at_once_and_the_monitor_is_left_alone(
    checkout: Checkout, cluster: kubernetes_api.Cluster
) -> None:
    checkout.run("deploy", "production", "--image", IMAGE)
    cluster.not_pulled = CHALLENGER
    done = checkout.run("deploy", "production", "--image", CHALLENGER)
    assert done.returncode == 1
    assert "cannot start: ImagePullBackOff: Back-off pulling image" in done.stderr
    assert done.stderr.endswith(f"production's {AS_BEFORE}\n")
    assert cluster.image("credit-scoring") == cluster.image("credit-scoring-monitor") == IMAGE


def test_a_rollback_after_a_deploy_that_was_taken_back_does_not_bring_its_image(
    checkout: Checkout, cluster: kubernetes_api.Cluster
) -> None:
    first, bad = IMAGE, f"{IMAGE[:-1]}0"
    for image in (first, CHALLENGER):
        assert checkout.run("deploy", "staging", "--image", image).returncode == 0
    cluster.never_ready = bad
    assert checkout.run("deploy", "staging", "--image", bad).returncode == 1
    assert checkout.run("rollback", "staging").returncode == 0
    assert cluster.image("credit-scoring") == first
    done = checkout.run("rollback", "staging")  # neither to the bad one nor to the one that was just left
    assert done.returncode == 1
    assert done.stderr == "error: staging has no earlier revision that became ready; deploy an image that works.\n"
    assert cluster.image("credit-scoring") == first


def test_a_rollback_does_not_stop_at_a_restart_of_what_it_leaves(
    checkout: Checkout, cluster: kubernetes_api.Cluster
) -> None:
    for image in (IMAGE, CHALLENGER):
        checkout.run("deploy", "staging", "--image", image)
    checkout.restart("credit-scoring-staging", "deployment/credit-scoring")
    done = checkout.run("rollback", "staging", "--revision", "2")
    assert done.stderr == "error: Revision 2 of staging runs what it runs now; name another, or none.\n"
    done = checkout.run("rollback", "staging")
    assert done.returncode == 0, done.stderr
    assert f"staging goes back to revision 1: {IMAGE}\n" in done.stdout
    assert cluster.image("credit-scoring") == IMAGE
    assert "no earlier revision that became ready" in checkout.run("rollback", "staging").stderr


def test_after_a_first_deploy_there_is_nothing_to_roll_back_to(
    checkout: Checkout, cluster: kubernetes_api.Cluster
) -> None:
    done = checkout.run("rollback", "staging")
    assert done.stderr == "error: staging has no deployment/credit-scoring to roll back.\n"
    checkout.run("deploy", "staging", "--image", IMAGE)
    assert "no earlier revision that became ready" in checkout.run("rollback", "staging").stderr
    assert cluster.image("credit-scoring") == IMAGE


def test_a_rollback_that_does_not_become_ready_is_taken_back(
    checkout: Checkout, cluster: kubernetes_api.Cluster
) -> None:
    for image in (IMAGE, CHALLENGER):
        checkout.run("deploy", "staging", "--image", image)
    cluster.never_ready = IMAGE
    done = checkout.run("rollback", "staging")
    assert done.returncode == 1
    assert done.stderr.endswith("The service is as it was before.\n")
    assert cluster.image("credit-scoring") == CHALLENGER


def test_what_the_server_rejects_is_found_before_the_migration(
    checkout: Checkout, cluster: kubernetes_api.Cluster
) -> None:
    checkout.run("deploy", "staging", "--image", IMAGE)
    cluster.invalid, before = CHALLENGER, len(cluster.written)
    done = checkout.run("deploy", "staging", "--image", CHALLENGER)
    assert done.returncode == 1
    assert "is invalid" in done.stderr
    assert cluster.written[before:] == ["DELETE jobs/credit-scoring-migration"]


@pytest.mark.parametrize("command", [("deploy", "staging", "--image", CHALLENGER), ("rollback", "staging")])
def test_a_service_that_was_scaled_to_nothing_is_to_be_started_first(
    checkout: Checkout, cluster: kubernetes_api.Cluster, command: tuple[str, ...]
) -> None:
    """As after a restore: a rollout of no pods succeeds."""
    checkout.run("deploy", "staging", "--image", IMAGE)
    cluster.find("deployments", "credit-scoring")["spec"]["replicas"] = 0
    cluster.written.clear()
    done = checkout.run(*command)
    start = "kubectl --namespace credit-scoring-staging scale deployment/credit-scoring --replicas=3"
    assert done.stderr == (
        "error: deployment/credit-scoring is scaled to 0, so no pod would run. Nothing was changed; "
        f"first `{start}`.\n"
    )
    assert not cluster.written


def test_the_history_says_what_each_revision_was(checkout: Checkout, cluster: kubernetes_api.Cluster) -> None:
    note = "credit_scoring:abc, commit 1234"
    checkout.run("deploy", "staging", "--image", IMAGE, "--note", note)
    deployment = cluster.find("deployments", "credit-scoring")
    assert deployment["metadata"]["annotations"]["kubernetes.io/change-cause"] == f"{IMAGE}, {note}"
    assert "kubernetes.io/change-cause" not in deployment["spec"]["template"]["metadata"]["annotations"]


def test_a_deploy_leaves_the_number_of_pods_to_the_autoscaler(
    checkout: Checkout, cluster: kubernetes_api.Cluster
) -> None:
    checkout.run("deploy", "production", "--image", IMAGE)
    cluster.find("deployments", "credit-scoring")["spec"]["replicas"] = 9
    for arguments in (("deploy", "production", "--image", CHALLENGER), ("rollback", "production")):
        assert checkout.run(*arguments).returncode == 0
        assert cluster.find("deployments", "credit-scoring")["spec"]["replicas"] == 9
    checkout.run("deploy", "production", "--image", CHALLENGER)
    assert cluster.find("deployments", "credit-scoring")["spec"]["replicas"] == 9


def test_what_an_older_template_had_goes_again_with_the_deploy_after_a_rollback(
    checkout: Checkout, cluster: kubernetes_api.Cluster
) -> None:
    def annotations() -> Json:
        template: Json = cluster.find("deployments", "credit-scoring")["spec"]["template"]
        found: Json = template["metadata"]["annotations"]
        return found

    manifest = checkout.folder / "deploy" / "kubernetes" / "base" / "deployment" / "deployment.yaml"
    text = manifest.read_text()
    line = "        kubectl.kubernetes.io/default-container: service\n"
    manifest.write_text(text.replace(line, f"{line}        older: only\n"))
    checkout.run("deploy", "staging", "--image", IMAGE)
    manifest.write_text(text)
    checkout.run("deploy", "staging", "--image", CHALLENGER)
    assert "older" not in annotations()
    assert checkout.run("rollback", "staging").returncode == 0
    assert "older" in annotations()
    assert checkout.run("deploy", "staging", "--image", CHALLENGER).returncode == 0
    assert "older" not in annotations()


def test_kubectl_leaves_the_service_alone_where_the_migration_fails(
    checkout: Checkout, cluster: kubernetes_api.Cluster
) -> None:
    checkout.run("deploy", "staging", "--image", IMAGE)
    cluster.job_ends = "Failed"
    assert checkout.run("deploy", "staging", "--image", CHALLENGER).returncode == 1
    assert cluster.image("credit-scoring") == IMAGE


def test_a_canary_comes_with_its_image_and_goes_without(checkout: Checkout, cluster: kubernetes_api.Cluster) -> None:
    checkout.run("deploy", "staging", "--image", IMAGE, "--canary", CHALLENGER)
    assert cluster.image("credit-scoring-canary") == CHALLENGER
    assert checkout.run("deploy", "staging", "--image", IMAGE).returncode == 0
    assert cluster.names("deployments") == {"credit-scoring", "credit-scoring-monitor"}


# Canary, rollback, smoke test


def test_a_canary_is_waited_for_and_stays(checkout: Checkout) -> None:
    done = checkout.run("deploy", "production", "--image", IMAGE, "--canary", CHALLENGER)
    assert done.returncode == 0, done.stderr
    asked = checkout.asked()
    assert "rollout status deployment/credit-scoring-canary --watch=false" in asked
    assert "delete deployment/credit-scoring-canary --ignore-not-found" not in asked


def test_a_rollback_ends_the_canary_goes_one_revision_back_and_waits(checkout: Checkout) -> None:
    done = checkout.run("rollback", "production", "--revision", "", REVISIONS=LONG_HISTORY)
    assert done.returncode == 0, done.stderr
    changes = checkout.changes()
    assert changes[:2] == [
        "delete deployment/credit-scoring-canary --ignore-not-found",
        "rollout undo deployment/credit-scoring --to-revision=5",
    ]
    assert changes[-1] == "label replicaset/set-7 credit-scoring/ready=rolled-back --overwrite"
    assert "rollout status deployment/credit-scoring --watch=false" in changes


def test_a_rollback_can_go_to_the_revision_that_the_deploy_has_noted(checkout: Checkout) -> None:
    checkout.run("deploy", "staging", "--image", IMAGE, REVISIONS=SEVENTH)
    noted = (checkout.built / "staging" / "before").read_text().strip()
    checkout.asked()
    checkout.run("rollback", "staging", "--revision", noted, REVISIONS=json.dumps({"7": LEFT, "8": READY}))
    assert "rollout undo deployment/credit-scoring --to-revision=7" in checkout.asked()


@pytest.mark.parametrize(
    ("revision", "told"),
    [
        ("6", "Revision 6 of production never became ready; earlier ones that did: 4, 5."),
        ("99", "Revision 99 of production never became ready; earlier ones that did: 4, 5."),
        ("x", "argument --revision: 'x': expected a whole number from 1 on."),
        ("0", "argument --revision: '0': expected a whole number from 1 on."),
    ],
)
def test_a_rollback_goes_to_no_revision_that_never_became_ready(checkout: Checkout, revision: str, told: str) -> None:
    done = checkout.run("rollback", "production", "--revision", revision, REVISIONS=LONG_HISTORY)
    assert done.returncode != 0
    assert done.stderr.endswith(f"error: {told}\n")
    assert not checkout.changes()


def test_what_never_became_ready_is_not_noted_as_if_it_had_when_a_rollback_leaves_it(checkout: Checkout) -> None:
    """A deploy that was interrupted: REVISION would accept it else."""
    done = checkout.run("rollback", "production", REVISIONS=json.dumps({"7": READY, "8": {}}))
    assert done.returncode == 0, done.stderr
    assert not [call for call in checkout.asked() if call.endswith("=rolled-back --overwrite")]


def test_a_rollback_that_fails_is_an_error(checkout: Checkout) -> None:
    done = checkout.run("rollback", "staging", FAILS="rollout undo", REVISIONS=LONG_HISTORY)
    assert done.returncode == 1
    assert "error: `kubectl --namespace credit-scoring-staging rollout undo" in done.stderr
    assert done.stderr.endswith("The service is NOT as it was before.\n")


def test_what_is_deployed_is_smoke_tested_through_a_tunnel(checkout: Checkout, service: RunningService) -> None:
    port = service.url.rpartition(":")[2]
    done = checkout.run("smoke", "staging", "--requests", "5", "--p99-ms", "5000", TUNNEL=port)
    assert done.returncode == 0, done.stdout + done.stderr
    assert checkout.asked() == ["port-forward service/credit-scoring :3000"]
    assert "ok      prediction" in done.stdout


def test_a_tunnel_that_does_not_open_is_an_error(checkout: Checkout) -> None:
    done = checkout.run("smoke", "staging", FAILS="port-forward")
    assert done.returncode == 1
    assert "opened no tunnel" in done.stderr


def test_an_unknown_overlay_is_named_with_those_there_are(checkout: Checkout) -> None:
    done = checkout.run("deploy", "prod", "--image", IMAGE)
    assert done.returncode == 2
    assert "'prod' is no overlay; there are local, production, staging." in done.stderr
