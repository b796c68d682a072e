"""One exchange at the ASGI level: an answer in time, or a problem that says so."""

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from credit_scoring.serving import endpoint
from credit_scoring.serving.endpoint import Asked, JsonEndpoint, is_within


def answered(handle: endpoint.Handler) -> tuple[httpx.Response, list[int]]:
    """What a client gets, and the statuses that were counted."""
    counted: list[int] = []
    json = JsonEndpoint(
        handle,
        admit=lambda headers, peer: "",
        limit=100,
        timeout=60,
        on_request=lambda status, seconds: counted.append(status),
    )

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(Starlette(routes=[Route("/", json, methods=["POST"])]))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.post("/", json={}, headers={"X-Request-ID": "r-1"})

    return asyncio.run(asked()), counted


def test_an_answer_that_takes_too_long_is_a_problem_that_may_be_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(body: bytes, asked: Asked) -> bytes:
        await asyncio.Event().wait()
        return b""

    monkeypatch.setattr(endpoint, "ANSWERED_WITHIN_S", 0.01)
    found, counted = answered(never)
    assert (found.status_code, found.headers["retry-after"], counted) == (503, "1", [503])
    assert (found.json()["code"], found.json()["instance"]) == ("unavailable", "r-1")
    assert "with the same application_id" in found.json()["detail"]


@pytest.mark.parametrize("length", [b"0", b"100", b"0" * 4000 + b"100"])
def test_a_content_length_up_to_the_limit_is_within_it(length: bytes) -> None:
    assert is_within(length, 100)


@pytest.mark.parametrize("length", [b"", b"-1", b"101", b"9" * 5000, b"0" * 5000 + b"1", b"1e1", b"\xc2\xb2"])
def test_what_is_more_or_no_number_or_thousands_of_digits_is_not_within_the_limit(length: bytes) -> None:
    assert not is_within(length, 100)


def test_a_handler_whose_own_wait_ended_is_a_failure_and_not_told_as_one_of_time() -> None:
    async def failing(body: bytes, asked: Asked) -> bytes:
        raise TimeoutError("with a value")

    found, _ = answered(failing)
    assert (found.status_code, found.json()["code"]) == (500, "internal")
    assert "value" not in found.text
