"""The desk before the service has a model: a page that says so, and styles that load."""

import asyncio

import httpx
from starlette.applications import Starlette

from credit_scoring.review.desk import ReviewDesk
from credit_scoring.serving.auth import Keyring
from credit_scoring.settings import ServiceSettings


def get(path: str) -> httpx.Response:
    app = Starlette(routes=ReviewDesk(ServiceSettings(), Keyring()).routes())

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.get(path)

    return asyncio.run(ask())


def test_until_there_is_a_model_every_page_says_to_come_back() -> None:
    answer = get("/mesa/entrar")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert "O serviço não está pronto" in answer.text


def test_the_styles_are_there_all_the_same() -> None:
    answer = get("/mesa/mesa.css")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
