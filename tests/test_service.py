"""The service as its clients see it, over HTTP, and its processes as an operator sees them."""

import asyncio
import hashlib
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import RFC_4122, UUID

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from benchmarks.support.consorcio import EXAMPLE_APPLICATION, FIELDS, ConsorcioApplication
from benchmarks.support.waiting import answers, wait_for
from credit_scoring.application.schemas import Decision, ErrorAnswer
from credit_scoring.data.datasets import Dataset
from credit_scoring.model.scorer import SCORE_TOLERANCE, Scorer
from credit_scoring.serving.problem_kinds import KINDS
from tests.conftest import STOPPED_WITHIN, RunningService, start_service, stop, wait_until_ready

TARGET = "credit_scoring.service:CreditScoring"
SOON = 60.0

Json = dict[str, Any]


@pytest.fixture(scope="session")
def applications(dataset: Dataset) -> list[Json]:
    """64 different applications of real clients."""
    rows = json.loads(dataset.frame.drop_duplicates().sample(64, random_state=7).to_json(orient="records"))
    return [{name: _as_sent(name, value) for name, value in row.items() if value is not None} for row in rows]


def _as_sent(name: str, value: Any) -> Any:
    if FIELDS[name].kind == "flag":
        return bool(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


@pytest.fixture(scope="session")
def single(service: RunningService, applications: list[Json]) -> list[float]:
    """The risk of each application when it is sent alone."""
    with httpx.Client(base_url=service.url) as client:
        return [_risk(client.post("/predict", json=application)) for application in applications]


def _risk(answer: httpx.Response) -> float:
    assert answer.status_code == 200, answer.text
    risk: float = answer.json()["risk_probability"]
    return risk


def predict_many(service: RunningService, items: Sequence[Any]) -> list[Json]:
    answer = httpx.post(f"{service.url}/predict_many", json=items, timeout=30)
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()
    return found


@contextmanager
def served(folder: Path, **environment: str) -> Iterator[RunningService]:
    """A service of its own, with all its processes ended on every path."""
    running = start_service(TARGET, folder, **environment)
    try:
        yield running
    finally:
        workers = psutil.Process(running.process.pid).children(recursive=True) if is_running(running) else []
        stop(running.process)
        for straggler in psutil.wait_procs(workers, STOPPED_WITHIN)[1]:
            straggler.kill()


def is_running(service: RunningService) -> bool:
    return service.process.poll() is None


def is_ready(service: RunningService) -> bool:
    return answers(f"{service.url}/readyz")


# One application


def test_the_example_application_is_decided(service: RunningService) -> None:
    answer = httpx.post(f"{service.url}/predict", json=EXAMPLE_APPLICATION)
    assert answer.status_code == 200
    assert answer.json()["decision"] in {"APROVADO", "NEGADO"}


def test_a_decision_has_all_its_fields_and_no_others(service: RunningService) -> None:
    decision = httpx.post(f"{service.url}/predict", json=EXAMPLE_APPLICATION).json()
    assert set(decision) == set(Decision.model_fields)
    assert 0 <= decision["risk_probability"] <= 1
    assert 0 < decision["threshold"] < 1


def test_denied_means_that_the_risk_reaches_the_threshold(service: RunningService, applications: list[Json]) -> None:
    decisions = predict_many(service, applications)
    assert {decision["decision"] for decision in decisions} == {"APROVADO", "NEGADO"}
    for decision in decisions:
        assert (decision["decision"] == "NEGADO") == (decision["risk_probability"] >= decision["threshold"])


def test_a_decision_id_is_a_uuid_of_version_7(service: RunningService) -> None:
    found = UUID(httpx.post(f"{service.url}/predict", json=EXAMPLE_APPLICATION).json()["decision_id"])
    assert (found.version, found.variant) == (7, RFC_4122)


def test_an_application_without_an_id_of_its_own_sent_twice_gets_two_decision_ids(service: RunningService) -> None:
    ids = {httpx.post(f"{service.url}/predict", json=EXAMPLE_APPLICATION).json()["decision_id"] for _ in range(2)}
    assert len(ids) == 2


def test_a_decision_names_the_model_and_the_policy_that_the_card_names(service: RunningService, model_tag: str) -> None:
    decision = httpx.post(f"{service.url}/predict", json=EXAMPLE_APPLICATION).json()
    card = httpx.get(f"{service.url}/model").json()
    assert decision["model"] == card["model"] == model_tag
    assert decision["policy_version"] == card["policy"]["version"]
    assert decision["threshold"] == card["policy"]["threshold"]


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if not field.required])
def test_an_optional_field_that_is_null_counts_as_absent(service: RunningService, name: str) -> None:
    absent = {key: value for key, value in EXAMPLE_APPLICATION.items() if key != name}
    answers = [httpx.post(f"{service.url}/predict", json=body) for body in (absent, {**absent, name: None})]
    assert _risk(answers[0]) == _risk(answers[1])


def test_an_application_of_required_fields_only_is_decided(service: RunningService) -> None:
    body = {name: EXAMPLE_APPLICATION[name] for name, field in FIELDS.items() if field.required}
    assert httpx.post(f"{service.url}/predict", json=body).status_code == 200


def test_a_content_type_with_a_charset_is_accepted(service: RunningService) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    answer = httpx.post(f"{service.url}/predict", content=json.dumps(EXAMPLE_APPLICATION), headers=headers)
    assert answer.status_code == 200


# Many applications


def test_each_of_many_gets_a_decision_or_an_error_in_its_place(service: RunningService) -> None:
    bad = {**EXAMPLE_APPLICATION, "age": 17}
    answers = predict_many(service, [bad, EXAMPLE_APPLICATION, None, EXAMPLE_APPLICATION, [], bad])
    assert ["decision" if "decision" in answer else "error" for answer in answers] == [
        *("error", "decision", "error", "decision", "error", "error")
    ]


def test_many_answers_come_in_the_order_of_the_applications(
    service: RunningService, applications: list[Json], single: list[float]
) -> None:
    assert len(set(single)) > 32
    backwards = predict_many(service, applications[::-1])
    assert [decision["risk_probability"] for decision in backwards] == single[::-1]


def test_no_applications_get_no_answers(service: RunningService) -> None:
    assert predict_many(service, []) == []


def test_1000_applications_are_decided_at_once(service: RunningService) -> None:
    decisions = predict_many(service, [EXAMPLE_APPLICATION] * 1000)
    assert len({decision["decision_id"] for decision in decisions}) == 1000
    assert len({decision["risk_probability"] for decision in decisions}) == 1


def test_a_bad_application_does_not_change_what_its_batch_mates_get(
    service: RunningService, applications: list[Json], single: list[float]
) -> None:
    bad: Json = {"credit_letter_value": -1}
    mixed = [item for application in applications for item in (application, bad)]
    answers = predict_many(service, mixed)
    assert [answer["risk_probability"] for answer in answers[::2]] == single
    assert all(set(answer) == {"code", "detail", "faults"} for answer in answers[1::2])


# The same risk, however it is asked for


def test_a_risk_is_the_same_to_the_last_bit_alone_and_in_a_batch(
    service: RunningService, applications: list[Json], single: list[float]
) -> None:
    together = predict_many(service, applications)
    assert [decision["risk_probability"] for decision in together] == single


def test_a_risk_is_the_same_to_the_last_bit_among_concurrent_requests(
    service: RunningService, applications: list[Json], single: list[float]
) -> None:
    async def all_at_once() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
            return await asyncio.gather(*(client.post("/predict", json=body) for body in applications))

    assert [_risk(answer) for answer in asyncio.run(all_at_once())] == single


@pytest.mark.slow
def test_a_risk_is_the_same_to_the_last_bit_after_a_restart(
    service: RunningService, model_tag: str, applications: list[Json], single: list[float], tmp_path: Path
) -> None:
    with served(tmp_path, CREDIT_SCORING_MODEL=model_tag) as restarted:
        wait_until_ready(restarted)
        again = predict_many(restarted, applications)
    assert [decision["risk_probability"] for decision in again] == single


def test_a_served_risk_is_the_one_that_the_trained_pipeline_gives(
    scorer: Scorer, applications: list[Json], single: list[float]
) -> None:
    records = [ConsorcioApplication.model_validate(application).model_dump() for application in applications]
    for trained, answered in zip(scorer.score_records(records).tolist(), single, strict=True):
        assert math.isclose(trained, answered, rel_tol=0, abs_tol=SCORE_TOLERANCE)


# Operation


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_running_service_says_that_it_is_well(service: RunningService, path: str) -> None:
    assert httpx.get(f"{service.url}{path}").status_code == 200


def test_metrics_are_in_the_text_format_of_prometheus(service: RunningService) -> None:
    httpx.post(f"{service.url}/predict", json=EXAMPLE_APPLICATION)
    answer = httpx.get(f"{service.url}/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert any(family.name.startswith("credit_scoring") for family in text_string_to_metric_families(answer.text))


@pytest.mark.parametrize(
    "path", ["/nothing", "/predict/", "/docs/json", "/pages/nothing.js", "/static_content/nothing"]
)
def test_an_unknown_path_is_a_404_in_the_one_error_shape(service: RunningService, path: str) -> None:
    answer = httpx.get(f"{service.url}{path}")
    assert answer.status_code == 404
    assert_error_shape(answer)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_an_unknown_path_is_a_404_whatever_the_method(service: RunningService, method: str) -> None:
    answer = httpx.request(method, f"{service.url}/nothing")
    assert answer.status_code == 404
    assert_error_shape(answer)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/predict", "POST"),
        ("PUT", "/predict", "POST"),
        ("DELETE", "/predict_many", "POST"),
        ("TRACE", "/predict_many", "POST"),
        ("POST", "/model", "GET"),
        ("POST", "/metrics", "GET"),
        ("PATCH", "/docs.json", "GET"),
        ("POST", "/", "GET"),
        ("POST", "/livez", "GET"),
        ("PUT", "/readyz", "GET"),
        ("POST", "/pages/swagger.js", "GET"),
    ],
)
def test_a_wrong_method_is_a_405_that_names_the_right_one(
    service: RunningService, method: str, path: str, allowed: str
) -> None:
    answer = httpx.request(method, f"{service.url}{path}")
    assert answer.status_code == 405
    assert allowed in answer.headers["allow"].split(", ")
    assert_error_shape(answer)


def assert_error_shape(answer: httpx.Response) -> None:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert set(answer.json()) == {*ErrorAnswer.model_fields}
    error = ErrorAnswer.model_validate_json(answer.content)
    assert error.status == answer.status_code
    assert error.type == f"urn:credit-scoring:problem:{error.code}"
    assert error.title == KINDS[error.code].title
    assert error.detail
    assert error.instance == answer.headers["x-request-id"]


# Its processes


HEAVY = ("sklearn", "scipy", "pandas", "lightgbm")


def test_the_process_that_starts_workers_loads_no_library_that_scores(service: RunningService) -> None:
    """100 MB and 2 s of each pod."""
    maps = Path(f"/proc/{service.process.pid}/maps").read_text()
    assert "/numpy/" in maps
    assert [name for name in HEAVY if f"/{name}/" in maps] == []


def test_the_service_is_imported_without_a_library_that_scores() -> None:
    listing = "import sys, credit_scoring.service; print(*{name.partition('.')[0] for name in sys.modules})"
    command = [sys.executable, "-c", listing]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "credit_scoring" in loaded
    assert set(HEAVY) & set(loaded) == set()


@pytest.mark.slow
def test_a_store_without_a_model_stops_the_start_with_advice(tmp_path: Path) -> None:
    with served(tmp_path, BENTOML_HOME=str(tmp_path / "empty")) as running:
        wait_for(lambda: not is_running(running), "the end of a service without a model")
        assert running.process.returncode != 0
        assert "credit-scoring train" in running.log_text()
        assert "Traceback" not in running.log_text()


@pytest.mark.slow
def test_a_model_that_scores_otherwise_than_when_it_was_saved_never_becomes_ready(
    model_tag: str, tmp_path: Path
) -> None:
    home = tampered_home(model_tag, tmp_path)
    with served(tmp_path, BENTOML_HOME=str(home), CREDIT_SCORING_MODEL=model_tag) as running:
        wait_for(lambda: "score as it did when it was saved" in running.log_text(), "the reason in the log")
        assert_error_shape(httpx.get(f"{running.url}/readyz"))
        assert "has proved its scores" not in running.log_text()
        for path, body in (("/predict", EXAMPLE_APPLICATION), ("/predict_many", [EXAMPLE_APPLICATION])):
            answer = httpx.post(f"{running.url}{path}", json=body)
            assert answer.status_code == 503
            assert "no model that may decide" in ErrorAnswer.model_validate(answer.json()).detail
        assert httpx.get(f"{running.url}/model").status_code == 503
        assert running.log_text().count("score as it did when it was saved") == 1
        assert "Traceback" not in running.log_text()


@pytest.mark.slow
def test_a_worker_that_does_not_load_its_model_is_missed_and_a_log_that_is_off_is_not(
    model_tag: str, tmp_path: Path
) -> None:
    settings = {"BENTOML_HOME": str(tampered_home(model_tag, tmp_path)), "CREDIT_SCORING_DECISION_LOG": "off"}
    with served(tmp_path, CREDIT_SCORING_MODEL=model_tag, **settings) as running:
        wait_for(lambda: "score as it did when it was saved" in running.log_text(), "the reason in the log")
        told = {
            name: [sample.value for sample in _samples(running, f"credit_scoring_{name}")]
            for name in ("workers_configured", "workers_live", "decision_log_writable")
        }
    assert told == {"workers_configured": [1], "workers_live": [0], "decision_log_writable": [1]}


def tampered_home(model_tag: str, folder: Path) -> Path:
    """A copy of the store in which one reference score is off by a millionth, with hashes that fit."""
    place = Path("models", *model_tag.split(":"))
    home = folder / "tampered"
    shutil.copytree(Path(os.environ["BENTOML_HOME"]) / place, home / place)
    reference_file, manifest_file = home / place / "reference.json", home / place / "manifest.json"
    reference = json.loads(reference_file.read_text(encoding="utf-8"))
    reference["risk"][-1] += 1e-6
    reference_file.write_text(json.dumps(reference), encoding="utf-8")
    manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
    manifest["reference.json"] = hashlib.sha256(reference_file.read_bytes()).hexdigest()
    manifest_file.write_text(json.dumps(manifest), encoding="utf-8")
    return home


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_ends_the_service_and_all_its_processes(
    ending: signal.Signals, model_tag: str, tmp_path: Path
) -> None:
    with served(tmp_path, CREDIT_SCORING_MODEL=model_tag) as running:
        wait_until_ready(running)
        family = [psutil.Process(running.process.pid), *psutil.Process(running.process.pid).children(recursive=True)]
        assert len(family) > 1
        running.process.send_signal(ending)
        running.process.wait(STOPPED_WITHIN)
        assert psutil.wait_procs(family, STOPPED_WITHIN)[1] == []
        assert "Traceback" not in running.log_text()
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{running.url}/livez")


@pytest.mark.slow
def test_an_overloaded_service_refuses_at_once_and_answers_what_it_took(model_tag: str, tmp_path: Path) -> None:
    """A small budget makes it an overload when many requests have come while a thousand applications were scored."""
    tight = {"CREDIT_SCORING_LATENCY_BUDGET_MS": "2", "CREDIT_SCORING_MAX_BATCH_SIZE": "1000"}
    with served(tmp_path, CREDIT_SCORING_MODEL=model_tag, **tight) as running:
        wait_until_ready(running)
        statuses: Counter[int] = Counter()
        for _ in range(5):
            statuses += _burst(running.url, 200)
        assert set(statuses) == {200, 503}
        assert statuses.total() == 1000
        assert is_ready(running)
        assert httpx.post(f"{running.url}/predict", json=EXAMPLE_APPLICATION).status_code == 200
        assert requests_counted(running) == {200: statuses[200] + 1, 503: statuses[503], 500: 0}
        assert refusals_counted(running) == statuses[503]


def _burst(url: str, size: int) -> Counter[int]:
    """The statuses of so many requests sent while the service is busy; every refusal is checked."""
    address = urlsplit(url)
    with ExitStack() as stack:
        to = (address.hostname, address.port)
        first, *clients = [
            stack.enter_context(closing(socket.create_connection(to, timeout=30))) for _ in range(size + 1)
        ]
        first.sendall(_post("/predict_many", [EXAMPLE_APPLICATION] * 1000))
        for client in clients:
            client.sendall(_post("/predict", EXAMPLE_APPLICATION))
        return Counter(_status(HTTPResponse(client)) for client in clients)


def _post(path: str, content: Any) -> bytes:
    body = json.dumps(content).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def _status(answer: HTTPResponse) -> int:
    answer.begin()
    found = json.loads(answer.read())
    if answer.status == 503:
        assert int(answer.headers["retry-after"]) >= 1
        assert ErrorAnswer.model_validate(found).faults == []
    return answer.status


def requests_counted(service: RunningService) -> dict[int, int]:
    """What the metrics say of /predict: how many requests had which status."""
    return {
        int(sample.labels["status"]): int(sample.value)
        for sample in _samples(service, "credit_scoring_request_duration_seconds_count")
        if sample.labels["endpoint"] == "predict"
    }


def refusals_counted(service: RunningService) -> int:
    """What the metrics say: how many requests were rejected, for whichever reason."""
    return int(sum(sample.value for sample in _samples(service, "credit_scoring_refusals_total")))


def _samples(service: RunningService, name: str) -> list[Sample]:
    text = httpx.get(f"{service.url}/metrics", timeout=30).text
    families = text_string_to_metric_families(text)
    return [sample for family in families for sample in family.samples if sample.name == name]


@pytest.mark.slow
def test_two_workers_share_the_requests_and_their_metrics_add_up(model_tag: str, tmp_path: Path) -> None:
    with served(tmp_path, CREDIT_SCORING_MODEL=model_tag, CREDIT_SCORING_WORKERS="2") as running:
        wait_until_ready(running)
        wait_for(lambda: running.log_text().count("has proved its scores") == 2, "both workers")
        workers = psutil.Process(running.process.pid).children()
        busy = [worker for worker in workers if "_bentoml_impl.worker.service" in worker.cmdline()]
        assert len(busy) == 2
        before = [sum(worker.cpu_times()[:2]) for worker in busy]
        sent = 0
        while any(sum(worker.cpu_times()[:2]) <= used for worker, used in zip(busy, before, strict=True)):
            assert _burst(running.url, 50) == {200: 50}
            sent += 50
            assert sent < 20_000, "one worker got all the requests"
        assert requests_counted(running) == {200: sent, 500: 0}


def test_a_body_of_which_nothing_arrives_is_refused_on_every_route(service: RunningService) -> None:
    for path in ("/predict", "/predict_many", "/outcomes"):
        with closing(HTTPConnection(httpx.URL(service.url).netloc.decode(), timeout=30)) as connection:
            connection.putrequest("POST", path)
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", "100")
            connection.endheaders()
            assert connection.getresponse().status == 408


def test_predict_is_answered_by_the_hot_protocol_and_predict_many_by_the_app(service: RunningService) -> None:
    """Only the hot protocol closes the connection after a body that came too late."""
    connections = []
    for path in ("/predict", "/predict_many"):
        with closing(HTTPConnection(httpx.URL(service.url).netloc.decode(), timeout=30)) as connection:
            connection.putrequest("POST", path)
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", "100")
            connection.endheaders(b"[")
            answer = connection.getresponse()
            assert answer.status == 408
            connections.append(answer.getheader("connection"))
    assert connections == ["close", None]
