"""The route table and the API that is made from it, before a model is loaded."""

import asyncio
import threading
from typing import Any

import httpx
import pytest
from pydantic_core import from_json, to_json

from benchmarks.support.consorcio import CATALOGUE, EXAMPLE_APPLICATION
from credit_scoring.application.schemas import Answer
from credit_scoring.errors import NotReadyError, OverloadedError
from credit_scoring.model.scorer import Scorer
from credit_scoring.serving import metrics, simulations
from credit_scoring.serving.api import NOT_LOADED, Backend, CreditApi, loaded
from credit_scoring.serving.auth import Keyring
from credit_scoring.serving.batching import TURN_SHARE
from credit_scoring.serving.decision_engine import DecisionDesk
from credit_scoring.serving.endpoint import Asked
from credit_scoring.serving.explanation_thread import MOST_WAITING
from credit_scoring.serving.openapi import document
from credit_scoring.serving.routes import OPERATIONS, PAGES, Operation
from credit_scoring.settings import ServiceSettings

Json = dict[str, Any]

DOCUMENT = document("1", CATALOGUE, list(Answer))


@pytest.fixture
def api() -> CreditApi:
    return CreditApi(ServiceSettings(), Keyring(anonymous="anywhere"))


def ask(api: CreditApi, method: str, path: str, **options: Any) -> httpx.Response:
    async def answer() -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(api.app, raise_app_exceptions=False), base_url="http://here"
        ) as client:
            return await client.request(method, path, **options)

    return asyncio.run(answer())


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_an_operation_of_the_table_is_refused_until_the_model_is_loaded(api: CreditApi, operation: Operation) -> None:
    body = {"json": operation.takes.example or EXAMPLE_APPLICATION} if operation.takes else {}
    answer = ask(api, operation.method, operation.path.format(decision_id="any"), **body)
    assert answer.status_code == 503
    assert "no model that may decide" in answer.json()["detail"]
    assert answer.headers["retry-after"] == "30"


def test_a_page_that_fails_answers_a_problem_without_the_error(api: CreditApi, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged() -> bytes:
        raise ValueError("with a value")

    monkeypatch.setattr(metrics, "exposition", damaged)
    answer = ask(api, "GET", "/metrics", headers={"X-Request-ID": "r-1"})
    assert (answer.status_code, answer.json()["code"], answer.json()["instance"]) == (500, "internal", "r-1")
    assert "value" not in answer.text


def test_the_hot_route_refuses_until_the_model_is_loaded(api: CreditApi) -> None:
    with pytest.raises(NotReadyError, match="no model that may decide"):
        api.hot_route().check_admission(TURN_SHARE)
    assert not api.is_ready()


def test_another_backend_answers_as_soon_as_it_is_used(api: CreditApi) -> None:
    hot_route = api.hot_route()
    handlers = {**NOT_LOADED.handlers, "model": lambda body, asked: asyncio.sleep(0, b"{}")}
    api.use(Backend(CATALOGUE, list(Answer), handlers, NOT_LOADED.accept, lambda share: None, lambda: True))
    hot_route.check_admission(TURN_SHARE)
    assert api.is_ready()
    assert ask(api, "GET", "/model").json() == {}


def test_reasons_are_given_while_as_many_simulations_wait_as_may(
    scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end, application = threading.Event(), to_json(EXAMPLE_APPLICATION)
    monkeypatch.setattr(simulations, "what_if", lambda *about, **options: may_end.wait() and {})
    backend = loaded(DecisionDesk(scorer, "credit_scoring:test"), None, None, ServiceSettings(what_if_per_minute=1000))

    async def scenario() -> bytes:
        what_if, asked = backend.handlers["what_if"], Asked(by="", path={})
        question = b'{"application":' + application + b"}"
        simulated = [asyncio.ensure_future(what_if(question, asked)) for _ in range(MOST_WAITING)]
        await asyncio.sleep(0)
        try:
            with pytest.raises(OverloadedError, match="Too many simulations are asked for"):
                await what_if(question, asked)
            return await backend.handlers["predict"](application, Asked(by="", path={}, query={"reasons": "true"}))
        finally:
            may_end.set()
            await asyncio.gather(*simulated)

    assert from_json(asyncio.run(scenario()))["reasons"]["decision"] in list(Answer)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_an_operation_of_the_table_is_on_the_document(operation: Operation) -> None:
    described: Json = DOCUMENT["paths"][operation.path][operation.method.lower()]
    assert described["operationId"] == operation.name
    assert [*described["responses"]] == ["200", *map(str, operation.errors)]
    assert ("requestBody" in described) == (operation.takes is not None)


def test_the_document_has_no_path_that_is_not_in_the_table() -> None:
    listed = {page.path for page in PAGES if page.summary}
    assert set(DOCUMENT["paths"]) == listed | {operation.path for operation in OPERATIONS}


def test_a_path_of_the_table_is_given_once() -> None:
    paths = [operation.path for operation in OPERATIONS] + [page.path for page in PAGES]
    assert len(paths) == len(set(paths))
