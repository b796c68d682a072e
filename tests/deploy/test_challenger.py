"""A challenger's share of requests where the overlay can split them, and how it is taken back."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from benchmarks.support.waiting import require, wait_for
from tests.conftest import free_port
from tests.support import kubernetes_api, prometheus
from tests.support.manifests import Json, objects, of_kind, selects
from tests.support.rollout import AS_BEFORE, CHALLENGER, IMAGE, Checkout


def route(stable: int, challenger: int) -> str:
    """As the cluster has it."""
    backends = [("credit-scoring-stable", stable), ("credit-scoring-canary", challenger)]
    refs = [{"name": name, "weight": weight} for name, weight in backends]
    return json.dumps({"spec": {"rules": [{"backendRefs": refs}]}})


NONE, OF_TEN = route(100, 0), route(90, 10)
REMOVED = "delete deployment/credit-scoring-canary --ignore-not-found"


@pytest.fixture
def split(checkout: Checkout) -> Checkout:
    """With an overlay `production` that has a route."""
    path = checkout.folder / "deploy" / "kubernetes" / "overlays" / "production" / "kustomization.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["components"].append("../../components/gateway")
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return checkout


def weights(asked: list[str]) -> list[tuple[int, int]]:
    """Those that the route was given, for the service and for the challenger."""
    given = []
    for call in asked:
        if found := re.match(r"patch httproutes\S+/credit-scoring --type=json --patch=(.*)", call):
            stable, challenger = json.loads(found[1])
            assert stable["path"] == "/spec/rules/0/backendRefs/0/weight"
            assert challenger["path"] == "/spec/rules/0/backendRefs/1/weight"
            given.append((stable["value"], challenger["value"]))
    return given


def cluster_weights(cluster: kubernetes_api.Cluster) -> list[int]:
    (rule,) = cluster.find("httproutes", "credit-scoring")["spec"]["rules"]
    return [each["weight"] for each in rule["backendRefs"]]


def place(asked: list[str], beginning: str) -> int:
    return next(number for number, call in enumerate(asked) if call.startswith(beginning))


# What is applied


def test_the_route_leads_to_each_track_by_a_service_of_its_own(split: Checkout) -> None:
    done = split.run("render", "production", "--image", IMAGE, "--canary", CHALLENGER)
    found = objects(Path(done.stdout.strip()).read_text())
    (rule,) = of_kind(found, "HTTPRoute")["credit-scoring"]["spec"]["rules"]
    services, deployments = of_kind(found, "Service"), of_kind(found, "Deployment")
    expected = ["credit-scoring", "credit-scoring-canary"]
    for backend, reached in zip(rule["backendRefs"], expected, strict=True):
        service = services[backend["name"]]["spec"]
        assert backend["port"] == service["ports"][0]["port"]
        labels = {name: each["spec"]["template"]["metadata"]["labels"] for name, each in deployments.items()}
        assert [name for name, each in labels.items() if selects(service["selector"], each)] == [reached]


def test_clients_reach_neither_measurements_nor_the_desk_by_the_route(split: Checkout) -> None:
    done = split.run("render", "production", "--image", IMAGE)
    (rule,) = of_kind(objects(Path(done.stdout.strip()).read_text()), "HTTPRoute")["credit-scoring"]["spec"]["rules"]
    matches = [each["path"] for each in rule["matches"]]
    assert {each["type"] for each in matches} == {"PathPrefix"}
    paths = {each["value"] for each in matches}
    assert paths == {"/predict", "/predict_many", "/what_if", "/model", "/outcomes", "/decisions"}


def test_no_pod_is_scraped_twice_for_having_two_services(split: Checkout) -> None:
    done = split.run("render", "production", "--image", IMAGE)
    found = objects(Path(done.stdout.strip()).read_text())
    monitor = of_kind(found, "ServiceMonitor")["credit-scoring"]["spec"]["selector"]["matchLabels"]
    names = [name for name, each in of_kind(found, "Service").items() if selects(monitor, each["metadata"]["labels"])]
    assert names == ["credit-scoring"]


# Deploy and rollback


def test_a_challenger_gets_its_share_once_it_is_ready(split: Checkout) -> None:
    options = ["--image", IMAGE, "--canary", CHALLENGER, "--canary-weight", "25"]
    done = split.run("deploy", "production", *options, ROUTE=NONE)
    assert done.returncode == 0, done.stderr
    asked = split.asked()
    assert weights(asked) == [(75, 25)]
    assert place(asked, "patch httproutes") > place(asked, "rollout status deployment/credit-scoring-canary")
    assert "The route gives the challenger 25 of 100 requests." in done.stdout


def test_a_challenger_without_a_number_gets_a_tenth(split: Checkout) -> None:
    split.run("deploy", "production", "--image", IMAGE, "--canary", CHALLENGER, ROUTE=NONE)
    assert weights(split.asked()) == [(90, 10)]


@pytest.mark.parametrize("has_route", [True, False])
def test_a_deploy_without_a_challenger_ends_its_share_before_its_pods(
    request: pytest.FixtureRequest, has_route: bool
) -> None:
    """Also where the overlay has no route any more: what is not in it stays in the cluster."""
    checkout: Checkout = request.getfixturevalue("split" if has_route else "checkout")
    done = checkout.run("deploy", "production", "--image", IMAGE, ROUTE=OF_TEN)
    assert done.returncode == 0, done.stderr
    asked = checkout.asked()
    assert weights(asked) == [(100, 0)]
    assert place(asked, "patch httproutes") < asked.index(REMOVED)


def test_a_deploy_that_is_taken_back_gives_the_challenger_what_it_had(split: Checkout) -> None:
    options = ["--image", IMAGE, "--canary", CHALLENGER, "--canary-weight", "50"]
    done = split.run("deploy", "production", *options, FAILS="rollout status deployment/credit-scoring ", ROUTE=OF_TEN)
    assert done.returncode == 1
    assert weights(split.asked()) == [(100, 0), (90, 10)]


def test_a_first_challenger_that_is_taken_back_leaves_no_share(
    split: Checkout, cluster: kubernetes_api.Cluster
) -> None:
    assert split.run("deploy", "production", "--image", IMAGE).returncode == 0
    cluster.never_ready = CHALLENGER
    done = split.run("deploy", "production", "--image", IMAGE, "--canary", CHALLENGER)
    assert done.returncode == 1
    assert done.stderr.endswith(f"production's {AS_BEFORE}\n")
    assert cluster_weights(cluster) == [100, 0]
    assert "credit-scoring-canary" not in cluster.names("deployments")


def test_a_share_that_cannot_be_given_takes_the_deploy_back(split: Checkout) -> None:
    options = ["--image", IMAGE, "--canary", CHALLENGER]
    done = split.run("deploy", "production", *options, FAILS="patch httproutes", ROUTE=NONE)
    assert done.returncode == 1
    assert done.stderr.endswith("production is NOT as it was before.\n")
    assert "rollout undo deployment/credit-scoring-canary --to-revision=1" in split.asked()


def test_a_rollback_ends_the_challengers_share_before_its_pods(split: Checkout) -> None:
    revisions = json.dumps({"4": {"credit-scoring/ready": "true"}, "5": {"credit-scoring/ready": "true"}})
    done = split.run("rollback", "production", REVISIONS=revisions, ROUTE=OF_TEN)
    assert done.returncode == 0, done.stderr
    asked = split.asked()
    assert weights(asked) == [(100, 0)]
    assert place(asked, "patch httproutes") < asked.index(REMOVED) < place(asked, "rollout undo")


def test_a_route_that_cannot_be_changed_does_not_keep_the_service_from_being_rolled_back(split: Checkout) -> None:
    revisions = json.dumps({"4": {"credit-scoring/ready": "true"}, "5": {"credit-scoring/ready": "true"}})
    done = split.run("rollback", "production", REVISIONS=revisions, ROUTE=OF_TEN, FAILS="patch httproutes")
    assert done.returncode == 1
    assert re.search(
        r"The service is rolled back\. .*The challenger is still there: `make withdraw-canary`\.\n", done.stderr
    )
    asked = split.asked()
    assert "rollout undo deployment/credit-scoring --to-revision=4" in asked
    assert REMOVED not in asked


def test_where_the_cluster_knows_no_routes_nobody_asks_for_one(checkout: Checkout) -> None:
    checkout.run("deploy", "production", "--image", IMAGE, "--canary", CHALLENGER)
    checkout.run("withdraw", "production")
    asked = checkout.asked()
    assert not [call for call in asked if "httproutes" in call]
    assert asked[-1] == REMOVED


def test_whoever_may_not_look_at_routes_deploys_as_before(checkout: Checkout) -> None:
    """A deployer whose rights are of an earlier version, where others use the Gateway API."""
    done = checkout.run("deploy", "production", "--image", IMAGE, ROUTE=NONE, FAILS="auth can-i get httproutes")
    assert done.returncode == 0, done.stderr
    assert checkout.asked()[-1] == REMOVED


OTHER = json.dumps({"spec": {"rules": [{"backendRefs": [{"name": "credit-scoring"}]}]}})


def test_a_route_of_somebody_elses_is_left_alone(checkout: Checkout) -> None:
    done = checkout.run("withdraw", "production", ROUTE=OTHER)
    assert done.returncode == 0, done.stderr
    asked = checkout.asked()
    assert (weights(asked), asked[-1]) == ([], REMOVED)


def test_a_route_that_cannot_give_the_share_takes_the_deploy_back(split: Checkout) -> None:
    done = split.run("deploy", "production", "--image", IMAGE, "--canary", CHALLENGER, ROUTE=OTHER)
    assert done.returncode == 1
    assert "cannot give the challenger 10 of 100 requests: expected a rule whose backends are" in done.stderr


def test_a_challenger_without_a_ready_pod_is_given_nothing_back(split: Checkout) -> None:
    options = ["--image", IMAGE, "--canary", CHALLENGER]
    fails = "rollout status deployment/credit-scoring "
    split.run("deploy", "production", *options, FAILS=fails, ROUTE=OF_TEN, READY_PODS="0")
    assert weights(split.asked()) == [(100, 0)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--canary", CHALLENGER, "--canary-weight", "5"], "error: CANARY_WEIGHT=5: overlay production has no route"),
        (["--canary-weight", "5"], "error: CANARY_WEIGHT=5: expected a challenger with it"),
        (["--canary", CHALLENGER, "--canary-weight", "100"], "'100': expected at most 50 of 100 requests."),
        (["--canary", CHALLENGER, "--canary-weight", "0"], "'0': expected a whole number from 1 on."),
        (["--canary", CHALLENGER, "--canary-weight", "a few"], "'a few': expected a whole number from 1 on."),
    ],
)
def test_a_share_that_makes_no_sense_changes_nothing(checkout: Checkout, options: list[str], expected: str) -> None:
    done = checkout.run("deploy", "production", "--image", IMAGE, *options)
    assert done.returncode in (1, 2)
    assert expected in done.stderr
    assert checkout.asked() == []


def test_the_api_takes_the_route_and_its_weights(split: Checkout, cluster: kubernetes_api.Cluster) -> None:
    options = ["--image", IMAGE, "--canary", CHALLENGER, "--canary-weight", "7"]
    done = split.run("deploy", "production", *options)
    assert done.returncode == 0, done.stderr
    assert cluster_weights(cluster) == [93, 7]
    done = split.run("withdraw", "production")
    assert done.returncode == 0, done.stderr
    assert cluster_weights(cluster) == [100, 0]
    assert cluster.names("deployments") == {"credit-scoring", "credit-scoring-monitor"}


# Watched


class Pod(ThreadingHTTPServer):
    """What a challenger's pod tells Prometheus: so many requests more each time, of which some per cent failed."""

    daemon_threads = True
    requests = 100
    failed = 0
    asked = 0


class Measurements(BaseHTTPRequestHandler):
    server: Pod

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        pod = self.server
        pod.asked += 1
        name = "credit_scoring_request_duration_seconds"
        counts = {"200": 100 - pod.failed, "500": pod.failed}
        lines = [
            f'{name}_{kind}{{endpoint="predict",status="{status}"{le}}} {pod.requests * pod.asked * share / 100}\n'
            for status, share in counts.items()
            for kind, le in (("count", ""), ("bucket", ',le="0.1"'))
        ]
        self.send_response(200)
        self.send_header("content-type", "text/plain")
        self.end_headers()
        self.wfile.write("".join(lines).encode())


@pytest.fixture
def pod() -> Iterator[Pod]:
    with Pod(("127.0.0.1", 0), Measurements) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def scraped(folder: Path, pod: Pod, **labels: str) -> Iterator[prometheus.Prometheus]:
    """A Prometheus that has seen enough requests of the challenger to judge it by."""
    require("prometheus", "apt-get install prometheus")
    folder.mkdir()
    with prometheus.running(folder, {"credit_scoring_track": "canary", **labels}, credit_scoring=pod.server_port) as it:
        enough = f"sum(credit_scoring:canary_requests:increase10m) > {3 * pod.requests}"
        wait_for(lambda: it.value(enough) is not None or "credit_scoring_track" in labels, "some requests")
        yield it


def test_a_challenger_that_fails_is_withdrawn_with_the_alert_that_says_so(split: Checkout, pod: Pod) -> None:
    pod.failed = 10
    with scraped(split.folder / "prometheus", pod) as server:
        wait_for(lambda: ("CreditScoringCanaryErrors", "") in server.firing(), "the alert")
        done = split.run("watch", "production", "--prometheus", server.url, ROUTE=OF_TEN)
    assert done.returncode == 1
    assert re.search(r"error: Alerts fire: .*CreditScoringCanaryErrors.*The challenger is withdrawn\.", done.stderr)
    asked = split.asked()
    assert weights(asked) == [(100, 0)]
    assert asked[-1] == REMOVED
    logs = place(asked, "logs --selector=credit-scoring/track=canary")
    assert place(asked, "patch httproutes") < logs < asked.index(REMOVED)
    assert (split.built / "canary.log").read_text() == "the last line\n"


def test_a_withdrawal_that_fails_is_tried_again(split: Checkout, pod: Pod) -> None:
    pod.failed = 10
    with scraped(split.folder / "prometheus", pod) as server:
        wait_for(lambda: ("CreditScoringCanaryErrors", "") in server.firing(), "the alert")
        done = split.run("watch", "production", "--prometheus", server.url, ROUTE=OF_TEN, FAILS_ONCE="patch httproutes")
    assert "The challenger is withdrawn." in done.stderr
    asked = split.asked()
    assert (weights(asked), asked[-1]) == ([(100, 0), (100, 0)], REMOVED)


def test_a_challenger_that_cannot_be_withdrawn_is_said_to_be_there_with_the_command_that_ends_it(
    split: Checkout, pod: Pod
) -> None:
    pod.failed = 10
    script = split.folder / "deploy" / "kubernetes" / "watching.py"
    lines = script.read_text(encoding="utf-8")
    script.write_text(lines.replace("WITHDRAWN_WITHIN_S = 120.0", "WITHDRAWN_WITHIN_S = 0.0"), encoding="utf-8")
    with scraped(split.folder / "prometheus", pod) as server:
        wait_for(lambda: ("CreditScoringCanaryErrors", "") in server.firing(), "the alert")
        done = split.run("watch", "production", "--prometheus", server.url, ROUTE=OF_TEN, FAILS="patch httproutes")
    assert done.returncode == 1
    assert re.search(r"The challenger is NOT withdrawn: `make withdraw-canary`\.\n$", done.stderr)
    assert REMOVED not in split.asked()


def test_a_challenger_that_does_well_stays(split: Checkout, pod: Pod) -> None:
    with scraped(split.folder / "prometheus", pod) as server:
        done = split.run("watch", "production", "--prometheus", server.url, "--for", "6s", ROUTE=OF_TEN)
    assert done.returncode == 0, done.stderr
    assert "It stays." in done.stdout
    assert not weights(split.asked())


def test_what_is_of_another_namespace_says_nothing_about_this_challenger(split: Checkout, pod: Pod) -> None:
    pod.failed = 10
    with scraped(split.folder / "prometheus", pod, namespace="credit-scoring-staging") as server:
        wait_for(lambda: ("CreditScoringCanaryErrors", "") in server.firing(), "the alert")
        done = split.run("watch", "production", "--prometheus", server.url, "--blind", "1s", ROUTE=OF_TEN)
    assert "scrapes no challenger. The challenger is withdrawn." in done.stderr


def test_a_challenger_without_a_ready_pod_is_withdrawn(split: Checkout, pod: Pod) -> None:
    """The route would go on sending its share to where nobody is."""
    with scraped(split.folder / "prometheus", pod) as server:
        done = split.run("watch", "production", "--prometheus", server.url, ROUTE=OF_TEN, READY_PODS="0")
    assert done.returncode == 1
    assert "error: The challenger has no ready pod. The challenger is withdrawn." in done.stderr
    assert split.asked()[-1] == REMOVED


def test_a_challenger_that_prometheus_loses_sight_of_is_withdrawn(split: Checkout, pod: Pod) -> None:
    with scraped(split.folder / "prometheus", pod, credit_scoring_track="stable") as server:
        done = split.run("watch", "production", "--prometheus", server.url, "--blind", "1s", ROUTE=OF_TEN)
    assert done.returncode == 1
    assert f"error: Prometheus at {server.url} scrapes no challenger. The challenger is withdrawn." in done.stderr


def test_a_prometheus_that_was_never_there_is_no_reason_to_withdraw_anything(split: Checkout) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = split.run("watch", "production", "--prometheus", url, "--blind", "1s", ROUTE=OF_TEN)
    assert done.returncode == 1
    assert re.fullmatch(rf"error: Prometheus at {url} gave no answer \(.*\)\.\n", done.stderr)
    assert REMOVED not in split.asked()


def test_too_few_requests_are_said_to_be_too_few(split: Checkout, pod: Pod) -> None:
    pod.requests = 1
    with scraped(split.folder / "prometheus", pod) as server:
        done = split.run("watch", "production", "--prometheus", server.url, "--for", "20s", ROUTE=OF_TEN)
    assert done.returncode == 1
    assert re.search(
        r"at most [1-9]\d? requests .*, expected at least 100 to judge it by\. It stays as it is", done.stderr
    )
    assert REMOVED not in split.asked()


def test_there_has_to_be_a_challenger(split: Checkout, cluster: kubernetes_api.Cluster) -> None:
    done = split.run("watch", "production", "--prometheus", "http://127.0.0.1:1")
    expected = "error: credit-scoring-production has no challenger to watch; deploy one with CANARY_DIGEST.\n"
    assert (done.stderr, cluster.written) == (expected, [])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--prometheus", "prometheus:9090"], "expected Prometheus' address, like http://prometheus:9090."),
        (["--prometheus", "file:///etc/passwd"], "expected Prometheus' address"),
        (["--prometheus", "http://it:909O"], "expected Prometheus' address"),
        (["--prometheus", "http://it:1", "--for", "half an hour"], "expected a length of time like 90s, 30m or 2h."),
        (["--prometheus", "http://it:1", "--for", "0s"], "expected a length of time"),
        ([], "--prometheus"),
    ],
)
def test_what_to_watch_by_has_to_make_sense(checkout: Checkout, options: list[str], expected: str) -> None:
    done = checkout.run("watch", "production", *options)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_the_labels_of_the_pods_are_those_that_the_watcher_asks_for(checkout: Checkout) -> None:
    """Prometheus makes of a label's dashes and slashes underlines."""
    found: list[Json] = objects(
        (checkout.folder / "deploy/kubernetes/components/prometheus-operator/service-monitors.yaml").read_text()
    )
    (label,) = of_kind(found, "ServiceMonitor")["credit-scoring"]["spec"]["podTargetLabels"]
    script = (checkout.folder / "deploy" / "kubernetes" / "watching.py").read_text()
    assert f'{re.sub(r"[^a-z]", "_", label)}="canary"' in script
