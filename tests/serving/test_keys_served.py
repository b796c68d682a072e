"""A service that asks for API keys, over HTTP: who gets what, and what is told of it."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.support.consorcio import EXAMPLE_APPLICATION
from benchmarks.support.decision_records import tamper
from benchmarks.support.waiting import wait_for
from credit_scoring.application.schemas import ErrorAnswer
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.outcomes import EXAMPLE_OUTCOME
from credit_scoring.decisions.reviews import EXAMPLE_REVIEW
from credit_scoring.serving.auth import Scope, entry
from credit_scoring.serving.keys_file import with_expiry, write
from tests.conftest import RunningService, wait_until_ready
from tests.test_service import assert_error_shape, is_running, served

Json = dict[str, Any]
Send = Callable[[httpx.Client, dict[str, str]], httpx.Response]

SECRETS = {scope: f"cs_for-{scope.value}-only-{'x' * 32}" for scope in Scope}
NAMES = {scope: f"{scope.value}-2026" for scope in Scope}
UNKNOWN = "cs_unknown-to-everybody-xxxxxxxxxxxxxxxxxxxxxxxxxxx"
OWNED = {"one-2026": "one", "one-2027": "one", "other-2026": None}


def bearer(scope: Scope) -> dict[str, str]:
    return {"authorization": f"Bearer {SECRETS[scope]}"}


def secret_of(name: str) -> str:
    return f"cs_of-{name}-{'x' * 32}"


def by(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret_of(name)}"}


@pytest.fixture(scope="module")
def keys_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key for each scope, and keys of two owners that are good for all."""
    path = tmp_path_factory.mktemp("keys") / "keys.toml"
    lines = [entry(NAMES[scope], SECRETS[scope], frozenset([scope])) for scope in Scope]
    lines += [entry(name, secret_of(name), frozenset(Scope), owner) for name, owner in OWNED.items()]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def keyed(keys_file: Path, model_tag: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service with these keys that asks for one for its metrics, too."""
    folder = tmp_path_factory.mktemp("keyed")
    settings = {
        "CREDIT_SCORING_API_KEYS_FILE": str(keys_file),
        "CREDIT_SCORING_METRICS_OPEN": "false",
        "CREDIT_SCORING_DATABASE_URL": f"sqlite:///{folder}/decisions.db",
        "CREDIT_SCORING_MODEL": model_tag,
    }
    with served(folder, **settings) as running:
        wait_until_ready(running)
        yield running


@pytest.fixture(scope="module")
def recordless(keys_file: Path, model_tag: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service with these keys that keeps no record, and answers every request the ordinary way."""
    settings = {
        "CREDIT_SCORING_API_KEYS_FILE": str(keys_file),
        "CREDIT_SCORING_DECISION_LOG": "off",
        "CREDIT_SCORING_ACCESS_LOG": "true",
        "CREDIT_SCORING_MODEL": model_tag,
    }
    with served(tmp_path_factory.mktemp("recordless"), **settings) as running:
        wait_until_ready(running)
        yield running


@pytest.fixture(scope="module")
def client(keyed: RunningService) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=keyed.url, timeout=30) as opened:
        yield opened


@pytest.fixture(scope="module")
def decision_id(client: httpx.Client) -> str:
    return str(client.post("/predict", json=EXAMPLE_APPLICATION, headers=bearer(Scope.PREDICT)).json()["decision_id"])


# What each key is good for


def as_one_body(path: str, body: Any) -> Send:
    return lambda client, headers: client.post(path, json=body, headers=headers)


def in_chunks(path: str, body: Any) -> Send:
    """Without its length told beforehand, which the hot protocol leaves to the app."""
    chunks = json.dumps(body).encode(), b" "
    typed = {"content-type": "application/json"}
    return lambda client, headers: client.post(path, content=iter(chunks), headers={**typed, **headers})


def get(path: str) -> Send:
    return lambda client, headers: client.get(path, headers=headers)


UNKNOWN_REPORT = {**EXAMPLE_OUTCOME, "decision_id": new_id()}
GUARDED: dict[str, tuple[Send, Scope, int]] = {
    "predict": (as_one_body("/predict", EXAMPLE_APPLICATION), Scope.PREDICT, 200),
    "predict in chunks": (in_chunks("/predict", EXAMPLE_APPLICATION), Scope.PREDICT, 200),
    "predict nonsense": (as_one_body("/predict", {}), Scope.PREDICT, 400),
    "predict many": (as_one_body("/predict_many", [EXAMPLE_APPLICATION]), Scope.PREDICT, 200),
    "outcomes": (as_one_body("/outcomes", [UNKNOWN_REPORT]), Scope.OUTCOMES, 200),
    "an outcome": (as_one_body("/outcomes", UNKNOWN_REPORT), Scope.OUTCOMES, 404),
    "a review": (as_one_body(f"/decisions/{new_id()}/review", EXAMPLE_REVIEW), Scope.OUTCOMES, 404),
    "a dossier": (get(f"/decisions/{new_id()}"), Scope.READ, 404),
    "metrics": (get("/metrics"), Scope.READ, 200),
}
guarded = pytest.mark.parametrize(("send", "needed", "expected"), GUARDED.values(), ids=GUARDED)


@guarded
def test_with_a_key_of_the_right_scope_a_request_is_answered(
    client: httpx.Client, send: Send, needed: Scope, expected: int
) -> None:
    assert send(client, bearer(needed)).status_code == expected


@guarded
def test_a_key_of_another_scope_is_a_403_that_names_what_it_lacks(
    client: httpx.Client, send: Send, needed: Scope, expected: int
) -> None:
    for held in set(Scope) - {needed}:
        answer = send(client, bearer(held))
        assert answer.status_code == 403
        assert_error_shape(answer)
        assert ErrorAnswer.model_validate(answer.json()).detail == (
            f"The key {NAMES[held]} is not for this: it lacks the scope {needed.value}."
        )


@guarded
@pytest.mark.parametrize("sent", ["", f"Bearer {UNKNOWN}", f"Basic {SECRETS[Scope.PREDICT]}"])
def test_without_a_good_key_the_answer_is_a_401_that_asks_for_one(
    client: httpx.Client, send: Send, needed: Scope, expected: int, sent: str
) -> None:
    answer = send(client, {"authorization": sent} if sent else {})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert_error_shape(answer)


@pytest.mark.parametrize("scope", Scope)
def test_any_key_shows_the_model(client: httpx.Client, model_tag: str, scope: Scope) -> None:
    assert client.get("/model", headers=bearer(scope)).json()["model"] == model_tag


def test_the_model_is_not_shown_without_a_key(client: httpx.Client) -> None:
    answer = client.get("/model")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/docs.json", "/schema.json", "/", "/pages/swagger.js"])
def test_probes_and_the_description_of_the_api_need_no_key(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 200


def test_metrics_need_no_key_unless_they_are_set_to(recordless: RunningService) -> None:
    assert httpx.get(f"{recordless.url}/metrics").status_code == 200


def test_a_refusal_does_not_end_the_connection(keyed: RunningService) -> None:
    with httpx.Client(base_url=keyed.url, limits=httpx.Limits(max_connections=1)) as client:
        statuses = []
        sockets = set()
        for headers in ({}, bearer(Scope.PREDICT), bearer(Scope.READ), bearer(Scope.PREDICT)):
            answer = client.post("/predict", json=EXAMPLE_APPLICATION, headers=headers)
            statuses.append(answer.status_code)
            sockets.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
    assert (statuses, len(sockets)) == ([401, 200, 403, 200], 1)


@pytest.mark.parametrize("path", ["/predict", "/predict_many", "/outcomes"])
def test_without_a_key_nothing_is_told_of_what_else_is_wrong(client: httpx.Client, path: str) -> None:
    assert client.post(path, content=b"{", headers={"content-type": "text/plain"}).status_code == 401
    assert client.post(path, content=b"{", headers={"content-type": "application/json"}).status_code == 401


# What is told of the keys


def name_on_record(client: httpx.Client, decision_id: str) -> str:
    return str(client.get(f"/decisions/{decision_id}", headers=bearer(Scope.READ)).json()["asked_by"])


@pytest.mark.parametrize("send", [as_one_body, in_chunks], ids=["the hot protocol", "the app"])
def test_the_name_of_the_key_stands_in_the_dossier(client: httpx.Client, send: Callable[[str, Any], Send]) -> None:
    one = send("/predict", EXAMPLE_APPLICATION)(client, bearer(Scope.PREDICT)).json()
    many = send("/predict_many", [EXAMPLE_APPLICATION] * 2)(client, bearer(Scope.PREDICT)).json()
    asked_by = [name_on_record(client, each["decision_id"]) for each in (one, *many)]
    assert asked_by == [NAMES[Scope.PREDICT]] * 3


def test_the_name_of_the_key_stands_beside_outcomes_and_reviews(client: httpx.Client, decision_id: str) -> None:
    headers = bearer(Scope.OUTCOMES)
    report = {**EXAMPLE_OUTCOME, "decision_id": decision_id, "observed_on": f"{datetime.now(UTC):%Y-%m-%d}"}
    client.post("/outcomes", json=report, headers=headers)
    client.post(f"/decisions/{decision_id}/review", json=EXAMPLE_REVIEW, headers=headers)
    dossier = client.get(f"/decisions/{decision_id}", headers=bearer(Scope.READ)).json()
    assert [each["reported_by"] for each in dossier["outcomes"]] == [NAMES[Scope.OUTCOMES]]
    assert [each["recorded_by"] for each in dossier["reviews"]] == [NAMES[Scope.OUTCOMES]]


def test_no_key_reaches_a_log_whether_it_is_good_or_not(keyed: RunningService, recordless: RunningService) -> None:
    sent = [*SECRETS.values(), *map(secret_of, OWNED), UNKNOWN]
    for service in (keyed, recordless):
        with httpx.Client(base_url=service.url, timeout=30) as client:
            for send, _, _ in GUARDED.values():
                for secret in sent:
                    send(client, {"authorization": f"Bearer {secret}"})
        assert [secret for secret in sent if secret in service.log_text()] == []
    assert "/predict" in recordless.log_text()


# Whose an application id is


@pytest.mark.parametrize("send", [as_one_body, in_chunks], ids=["the hot protocol", "the app"])
def test_owners_may_use_the_same_application_id_and_keep_it_when_a_key_is_replaced(
    client: httpx.Client, send: Callable[[str, Any], Send]
) -> None:
    name = new_id()

    def decided(key: str, income: float) -> httpx.Response:
        content = {**EXAMPLE_APPLICATION, "application_id": name, "monthly_income": income}
        return send("/predict", content)(client, by(key))

    first, other = decided("one-2026", 5000.0).json(), decided("other-2026", 900.0).json()
    assert first["decision_id"] != other["decision_id"]
    assert decided("one-2027", 5000.0).json() == first
    assert decided("other-2026", 900.0).json() == other
    assert [decided(*sent).status_code for sent in (("one-2027", 900.0), ("other-2026", 5000.0))] == [409, 409]
    dossier = client.get(f"/decisions/{first['decision_id']}", headers=by("one-2026")).json()
    assert dossier["asked_by"] == "one/one-2026"


def test_an_outcome_by_application_id_goes_to_the_decision_of_the_owner_who_reports(client: httpx.Client) -> None:
    name = new_id()
    sent = {**EXAMPLE_APPLICATION, "application_id": name}
    given = {key: client.post("/predict", json=sent, headers=by(key)).json() for key in ("one-2026", "other-2026")}
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    report = {**EXAMPLE_OUTCOME, "decision_id": None, "application_id": name, "observed_on": today}
    found = client.post("/outcomes", json=report, headers=by("one-2027")).json()
    assert found["decision_id"] == given["one-2026"]["decision_id"]
    assert found["reported_by"] == "one/one-2027"
    assert client.post("/outcomes", json=report, headers=bearer(Scope.OUTCOMES)).status_code == 404


def test_scopes_are_not_divided_by_owner(client: httpx.Client, decision_id: str) -> None:
    """Who may read or review may do so with every decision, as docs/operations.md says."""
    assert client.get(f"/decisions/{decision_id}", headers=by("other-2026")).status_code == 200


def test_an_application_id_whose_decision_is_damaged_is_an_error_for_its_own_caller_alone(
    keyed: RunningService, client: httpx.Client
) -> None:
    name = new_id()
    poisoned = {**EXAMPLE_APPLICATION, "application_id": name}
    decision = client.post("/predict", json=poisoned, headers=by("one-2026")).json()["decision_id"]
    tamper(f"sqlite:///{keyed.log.parent}/decisions.db", f"DELETE FROM decisions WHERE id = '{decision}'")
    for _ in range(2):
        alone = client.post("/predict", json=poisoned, headers=by("one-2026"))
        assert alone.status_code == 500
        assert_error_shape(alone)
        both = client.post("/predict_many", json=[poisoned, EXAMPLE_APPLICATION], headers=by("one-2026")).json()
        assert both[0]["code"] == "unreadable_decision"
        assert "decision_id" in both[1]
    assert client.get("/readyz").status_code == 200
    assert name not in keyed.log_text()


# Without a record


@pytest.mark.parametrize(
    ("send", "scope"),
    [
        (get(f"/decisions/{new_id()}"), Scope.READ),
        (as_one_body(f"/decisions/{new_id()}/review", EXAMPLE_REVIEW), Scope.OUTCOMES),
        (as_one_body("/outcomes", EXAMPLE_OUTCOME), Scope.OUTCOMES),
    ],
    ids=["a dossier", "a review", "an outcome"],
)
def test_where_nothing_is_recorded_nothing_is_on_record(recordless: RunningService, send: Send, scope: Scope) -> None:
    with httpx.Client(base_url=recordless.url, timeout=30) as client:
        answer, refusal = send(client, bearer(scope)), send(client, {})
    assert (answer.status_code, refusal.status_code) == (404, 401)
    assert "CREDIT_SCORING_DECISION_LOG=off" in answer.json()["detail"]


def test_where_nothing_is_recorded_is_decided_all_the_same(recordless: RunningService) -> None:
    with httpx.Client(base_url=recordless.url, timeout=30, headers=bearer(Scope.PREDICT)) as client:
        assert client.post("/predict", json=EXAMPLE_APPLICATION).status_code == 200
        assert client.post("/predict_many", json=[EXAMPLE_APPLICATION]).status_code == 200


# Without keys


@pytest.mark.parametrize("send", [as_one_body, in_chunks], ids=["the hot protocol", "the app"])
@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-real-ip"])
def test_without_keys_what_a_proxy_forwards_is_refused(
    service: RunningService, send: Callable[[str, Any], Send], header: str
) -> None:
    with httpx.Client(base_url=service.url) as client:
        answer = send("/predict", EXAMPLE_APPLICATION)(client, {header: "127.0.0.1"})
    assert answer.status_code == 401
    assert "CREDIT_SCORING_API_KEYS_FILE" in answer.json()["detail"]


FROM_ELSEWHERE = {
    "by way of a proxy": {"x-forwarded-for": "127.0.0.1"},
    "under another name": {"host": "evil.example:3000"},
    "by a page of another site": {"origin": "https://evil.example"},
}


@pytest.mark.parametrize("headers", FROM_ELSEWHERE.values(), ids=FROM_ELSEWHERE)
def test_without_keys_what_does_not_come_from_this_machine_itself_learns_that_the_service_lives_and_no_more(
    service: RunningService, headers: dict[str, str]
) -> None:
    sends: list[Send] = [get(path) for path in ("/metrics", "/docs.json", "/schema.json", "/model")]
    sends += [send for send, _, _ in GUARDED.values()]
    with httpx.Client(base_url=service.url, timeout=30) as client:
        for send in sends:
            answer = send(client, headers)
            assert answer.status_code == 401
            assert_error_shape(answer)
            assert "CREDIT_SCORING_API_KEYS_FILE" in answer.json()["detail"]
        assert {client.get(path, headers=headers).status_code for path in ("/livez", "/readyz")} == {200}


@pytest.mark.parametrize("path", ["/metrics", "/docs.json", "/schema.json"])
def test_without_keys_this_machine_reads_what_the_service_tells_of_itself(service: RunningService, path: str) -> None:
    assert httpx.get(f"{service.url}{path}").status_code == 200


def has_ended(service: RunningService) -> bool:
    return not is_running(service)


def test_a_service_that_must_not_do_without_keys_or_cannot_read_them_does_not_start(tmp_path: Path) -> None:
    """Both at once: what takes its time is to import BentoML."""
    missing = tmp_path / "nowhere.toml"
    settings = {"CREDIT_SCORING_ANONYMOUS": "nowhere"}, {"CREDIT_SCORING_API_KEYS_FILE": str(missing)}
    reasons = "No API keys, and CREDIT_SCORING_ANONYMOUS=nowhere asks for some.", f"API keys file {missing}: "
    with ExitStack() as stack:
        started = [stack.enter_context(served(tmp_path, **each)) for each in settings]
        for running, reason in zip(started, reasons, strict=True):
            wait_for(partial(has_ended, running), "the end of a service without keys")
            assert running.process.returncode != 0
            assert [reason in line for line in running.log_text().splitlines() if line.strip()] == [True]


# Expiry, and keys read again


@pytest.fixture
def renewed(model_tag: str, tmp_path: Path) -> Iterator[tuple[RunningService, Path]]:
    """A service with a good key and one that has expired, and its keys file."""
    path = tmp_path / "keys.toml"
    past = datetime(2026, 1, 31, tzinfo=UTC)
    lines = [entry(name, secret_of(name), frozenset(Scope)) for name in ("good", "other")]
    lines.append(entry("late", secret_of("late"), frozenset(Scope), expires=past))
    path.write_text("\n".join(lines), encoding="utf-8")
    settings = {
        "CREDIT_SCORING_API_KEYS_FILE": str(path),
        "CREDIT_SCORING_DATABASE_URL": f"sqlite:///{tmp_path}/decisions.db",
        "CREDIT_SCORING_MODEL": model_tag,
    }
    with served(tmp_path, **settings) as running:
        wait_until_ready(running)
        yield running, path


@pytest.mark.slow
def test_an_expired_key_is_refused_and_on_sighup_keys_are_read_again(renewed: tuple[RunningService, Path]) -> None:
    running, path = renewed

    def status(name: str) -> int:
        return httpx.post(f"{running.url}/predict", json=EXAMPLE_APPLICATION, headers=by(name), timeout=30).status_code

    expired = httpx.post(f"{running.url}/predict", json=EXAMPLE_APPLICATION, headers=by("late"), timeout=30)
    assert expired.status_code == 401
    assert expired.json()["detail"] == "The API key late expired on 2026-01-31 00:00 UTC. Ask for a new one."
    assert [status(name) for name in ("good", "other", "new")] == [200, 200, 401]
    write(with_expiry("other", datetime.now(UTC), path), path)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n{entry('new', secret_of('new'), frozenset(Scope))}")
    running.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "All workers have been replaced" in running.log_text(), "new workers", within=300)
    assert [status(name) for name in ("good", "other", "new")] == [200, 401, 200]
