"""Errors as problems of RFC 9457: every code of ours has a title, and every answer says which request it was."""

import ast
import json
from collections.abc import Iterator

import httpx
import pytest

from credit_scoring.application.schemas import ErrorAnswer
from credit_scoring.errors import DecisionLogError, NotReadyError, NotStoredError, OverloadedError, UnavailableError
from credit_scoring.serving.problem_kinds import KINDS
from credit_scoring.serving.problems import error_answer
from credit_scoring.settings import PROJECT_FOLDER
from tests.conftest import RunningService

DESK_ONLY = {"form", "form_token"}  # of the review desk's pages
CONSOLE_ONLY = {"owners", "kept"}


def raised() -> Iterator[tuple[str, int, str]]:
    """File, status and code of each RequestError that the package raises."""
    for path in (PROJECT_FOLDER / "credit_scoring").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "RequestError":
                status, _, code = node.args
                if isinstance(status, ast.Constant) and isinstance(code, ast.Constant):
                    yield str(path), int(str(status.value)), str(code.value)


def test_every_error_that_is_raised_has_its_title_and_its_status_in_the_table() -> None:
    found = [each for each in raised() if each[2] not in DESK_ONLY | CONSOLE_ONLY]
    assert len(found) > 30
    missing = [each for each in found if each[2] not in KINDS or KINDS[each[2]].status != each[1]]
    assert missing == []


@pytest.mark.parametrize("kind", [UnavailableError, NotReadyError, NotStoredError, OverloadedError])
def test_what_cannot_be_answered_now_says_why_by_its_code(kind: type[UnavailableError]) -> None:
    status, headers, body = error_answer(kind("Too much.", retry_after=7), "r-1")
    assert (status, dict(headers)[b"retry-after"]) == (503, b"7")
    assert ErrorAnswer.model_validate_json(body) == ErrorAnswer(
        type=f"urn:credit-scoring:problem:{kind.kind}",
        title=KINDS[kind.kind].title,
        status=503,
        code=kind.kind,
        detail="Too much.",
        instance="r-1",
        faults=[],
    )


def test_what_the_log_says_of_a_failed_request_names_its_id(caplog: pytest.LogCaptureFixture) -> None:
    answer = error_answer(DecisionLogError("The decision log takes longer than 2 s."), "r-2")
    assert (answer[0], json.loads(answer[2])["code"]) == (503, "decision_log")
    assert (b"retry-after", b"1") in answer[1]
    assert caplog.messages == ["The decision log takes longer than 2 s. (request r-2)"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/pages/nothing.js", 404, "not_found"),
        ("POST", "/pages/swagger.js", 405, "method"),
        ("GET", "/predict", 405, "method"),
        ("POST", "/readyz", 405, "method"),
        ("QUERY", "/livez", 405, "method"),
        ("POST", "/predict", 415, "content_type"),
        ("GET", "/decisions/7", 404, "no_decision"),
        ("GET", "/decisions?limit=0", 400, "query"),
    ],
)
def test_every_route_tells_its_errors_in_the_one_shape_and_by_the_clients_id(
    service: RunningService, method: str, path: str, status: int, code: str
) -> None:
    answer = httpx.request(method, f"{service.url}{path}", headers={"x-request-id": "loja-7"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == "loja-7"
    error = ErrorAnswer.model_validate(answer.json())
    assert (answer.status_code, error.status, error.code, error.instance) == (status, status, code, "loja-7")
    assert error.title == KINDS[code].title


@pytest.mark.parametrize("path", ["/predict", "/predict?reasons=false", "/model"])
def test_a_good_answer_bears_the_clients_id(service: RunningService, path: str) -> None:
    method = "GET" if path == "/model" else "POST"
    example = httpx.get(f"{service.url}/docs.json").json()["paths"]["/predict"]["post"]["requestBody"]
    body = example["content"]["application/json"]["example"]
    answer = httpx.request(method, f"{service.url}{path}", json=body, headers={"X-Request-ID": "loja-8"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (200, "loja-8")
