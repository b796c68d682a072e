"""BentoML's own ways to the service: its clients, `/schema.json`, `bentoml.depends`; the same routes answer all."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bentoml
import httpx
import pytest
from bentoml.exceptions import BentoMLException

from benchmarks.support.consorcio import EXAMPLE_APPLICATION, FIELDS
from credit_scoring.serving.auth import Scope, entry
from credit_scoring.settings import PROJECT_FOLDER
from tests.conftest import RunningService, start_service, stop, wait_until_ready
from tests.test_service import served

Json = dict[str, Any]

SECRET = f"cs_{'x' * 40}"
MARK = "Segredo-4711"

BAD_BODIES: list[Any] = [
    {},
    [],
    "text",
    {**EXAMPLE_APPLICATION, "age": MARK},
    {**EXAMPLE_APPLICATION, "age": None},
    {**EXAMPLE_APPLICATION, "gender": MARK},
    {**EXAMPLE_APPLICATION, MARK: 1},
    [MARK],
    [{**EXAMPLE_APPLICATION, "age": MARK}],
]


@pytest.fixture(scope="module", params=["hot", "ordinary"])
def keyed(
    request: pytest.FixtureRequest, model_tag: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """A service that asks for a key; with access log lines it has no hot route."""
    folder = tmp_path_factory.mktemp("bento-clients")
    file = folder / "keys.toml"
    file.write_text(entry("clients", SECRET, frozenset([Scope.PREDICT])), encoding="utf-8")
    settings = {"CREDIT_SCORING_API_KEYS_FILE": str(file), "CREDIT_SCORING_MODEL": model_tag}
    settings["CREDIT_SCORING_ACCESS_LOG"] = str(request.param == "ordinary")
    with served(folder, **settings) as running:
        wait_until_ready(running)
        yield running


def test_the_schema_lists_both_methods_with_the_fields_of_the_model(service: RunningService) -> None:
    routes = {each["name"]: each for each in httpx.get(f"{service.url}/schema.json").json()["routes"]}
    assert {name: each["route"] for name, each in routes.items()} == {
        "predict": "/predict",
        "predict_many": "/predict_many",
    }
    assert {*routes["predict"]["input"]["properties"]} == {*FIELDS, "application_id", "replaces", "sources"}
    assert routes["predict_many"]["input"]["type"] == "array"


def test_bentos_client_gets_what_others_get(keyed: RunningService) -> None:
    with client_of(keyed, token=SECRET) as client:
        decision = client.predict(EXAMPLE_APPLICATION)
        many = client.predict_many([EXAMPLE_APPLICATION, {}])
    header = {"authorization": f"Bearer {SECRET}"}
    expected = httpx.post(f"{keyed.url}/predict", json=EXAMPLE_APPLICATION, headers=header).json()
    assert {**decision, "decision_id": ""} == {**many[0], "decision_id": ""} == {**expected, "decision_id": ""}
    assert many[1]["detail"].startswith("The application was not decided")


def test_bentos_asynchronous_client_gets_many_answers_at_once(keyed: RunningService) -> None:
    async def ask() -> list[Json]:
        async with bentoml.AsyncHTTPClient(keyed.url, token=SECRET) as client:
            found: list[Json] = await asyncio.gather(*(client.predict(EXAMPLE_APPLICATION) for _ in range(20)))
        client._temp_dir.cleanup()  # it forgets
        return found

    decisions = asyncio.run(ask())
    assert len({each["decision_id"] for each in decisions}) == 20
    assert len({each["risk_probability"] for each in decisions}) == 1


@pytest.mark.parametrize("path", ["/predict", "/predict_many"])
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "in chunks"])
def test_without_a_key_no_way_is_answered(keyed: RunningService, path: str, whole: bool) -> None:
    body = json.dumps(EXAMPLE_APPLICATION).encode()
    answer = httpx.post(
        f"{keyed.url}{path}", content=body if whole else iter([body]), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 401
    assert answer.json()["code"] == "no_key"


def test_bentos_client_without_a_key_is_told_so(keyed: RunningService) -> None:
    with client_of(keyed) as client, pytest.raises(BentoMLException, match="API key is needed"):
        client.predict(EXAMPLE_APPLICATION)


@pytest.mark.parametrize("path", ["/predict", "/predict_many"])
@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_bad_input_gets_one_answer_whichever_way_it_comes_and_leaves_no_trace(
    keyed: RunningService, path: str, body: Any
) -> None:
    """BentoML's clients send chunks, which the hot route leaves to the app."""
    sent = json.dumps(body).encode()
    headers = {"authorization": f"Bearer {SECRET}", "content-type": "application/json", "x-request-id": "bad"}
    whole, chunks = (httpx.post(f"{keyed.url}{path}", content=each, headers=headers) for each in (sent, iter([sent])))
    assert (whole.status_code, whole.json()) == (chunks.status_code, chunks.json())
    assert whole.status_code == (200 if path == "/predict_many" and isinstance(body, list) else 400)
    assert MARK not in keyed.log_text()
    assert "Traceback" not in keyed.log_text()


@contextmanager
def client_of(running: RunningService, **options: Any) -> Iterator[Any]:
    """BentoML's client, without the folder that it forgets to remove."""
    with bentoml.SyncHTTPClient(running.url, **options) as client:
        yield client
    client._temp_dir.cleanup()


FRONT = """\
import bentoml
from credit_scoring.service import CreditScoring


@bentoml.service(runner_connection={"max_requests": 2**31 - 1, "max_age": 1e9})
class Front:
    scoring = bentoml.depends(CreditScoring)

    @bentoml.api
    async def ask(self, application: dict) -> dict:
        decision = await self.scoring.to_async.predict(application)
        many = await self.scoring.to_async.predict_many([application])
        return {"one": dict(decision), "many": [dict(each) for each in many]}
"""


def test_another_service_depends_on_it(model_tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a socket of theirs alone, so that no key is asked for there."""
    (tmp_path / "front.py").write_text(FRONT, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{PROJECT_FOLDER}")
    running = start_service("front:Front", tmp_path, CREDIT_SCORING_MODEL=model_tag)
    try:
        wait_until_ready(running)
        with client_of(running, server_ready_timeout=60) as client:
            answer = client.ask(application=EXAMPLE_APPLICATION)
            with pytest.raises(BentoMLException):
                client.ask(application={**EXAMPLE_APPLICATION, "age": MARK})
    finally:
        stop(running.process)
    assert MARK not in running.log_text()
    assert answer["one"]["decision"] in ("APROVADO", "NEGADO")
    assert answer["many"][0]["risk_probability"] == answer["one"]["risk_probability"]
    assert answer["one"]["model"] == model_tag


def test_in_this_process_its_methods_answer_by_the_same_code(model_tag: str, tmp_path: Path) -> None:
    script = """
import asyncio, json, sys
from credit_scoring.service import APPLICATION, CreditScoring

async def ask():
    service = CreditScoring.inner()
    await service.open_decision_log()
    application = APPLICATION.model_validate(json.loads(sys.argv[1]))
    one, many = await service.predict(application), await service.predict_many([application])
    await service.close_decision_log()
    print(one.model_dump_json(), many[0].model_dump_json(), sep="\\n")

asyncio.run(ask())
"""
    environment = {
        "CREDIT_SCORING_MODEL": model_tag,
        "CREDIT_SCORING_DATABASE_URL": f"sqlite:///{tmp_path}/decisions.db",
    }
    done = in_a_process(script, json.dumps(EXAMPLE_APPLICATION), **environment)
    one, many = map(json.loads, done.splitlines()[-2:])
    assert one["decision_id"] != many["decision_id"]
    assert one["risk_probability"] == many["risk_probability"]
    assert one["model"] == model_tag


def in_a_process(script: str, *arguments: str, **environment: str) -> str:
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
