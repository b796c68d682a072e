"""What is read of the service itself: metrics, the OpenAPI document, Swagger; and the answer to unknown paths."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import bentoml
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.staticfiles import StaticFiles

from credit_scoring import __version__
from credit_scoring.application.catalogue import Catalogue, shipped
from credit_scoring.application.schemas import Answer
from credit_scoring.errors import RequestError
from credit_scoring.serving import metrics
from credit_scoring.serving.auth import Keyring, Scope
from credit_scoring.serving.endpoint import peer_of
from credit_scoring.serving.openapi import document
from credit_scoring.serving.problems import error_response
from credit_scoring.serving.routes import PAGES

PAGES_FOLDER = Path(__file__).parent / "swagger"
SWAGGER_FOLDER = Path(bentoml.__file__).parent / "_internal" / "server" / "static_content"
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:",
    "Referrer-Policy": "no-referrer",
}
BENTOML_PATHS = {page.path for page in PAGES if not page.name}
ALL_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


class Pages:
    """The pages of the table; `metrics_open` says whether metrics need no key."""

    def __init__(self, keyring: Keyring, *, metrics_open: bool) -> None:
        self._keyring = keyring
        self._metrics_open = metrics_open
        self.describe(shipped(), (Answer.APPROVED, Answer.DENIED))

    def describe(self, catalogue: Catalogue, answers: Sequence[Answer]) -> None:
        """From now on the OpenAPI document shows the applications of this catalogue, and these answers to them."""
        self._document = to_json(document(__version__, catalogue, answers))

    def routes(self) -> list[BaseRoute]:
        """The routes to the pages; the last takes whatever no route before it has taken."""
        handlers = {"metrics": self.metrics, "docs": self.docs, "swagger": self.swagger}
        return [
            *(Route(page.path, handlers[page.name]) for page in PAGES if page.name),
            Mount("/pages", StaticFiles(directory=PAGES_FOLDER)),
            Mount("/static_content", StaticFiles(directory=SWAGGER_FOLDER)),
            Route("/{path:path}", unknown, methods=ALL_METHODS),
        ]

    async def metrics(self, request: Request) -> Response:
        """Metrics of all workers."""
        headers, peer = dict(request.scope["headers"]), peer_of(request.scope)
        try:
            if self._metrics_open:
                self._keyring.admit_reader(headers, peer)
            else:
                self._keyring.admit(headers, peer, Scope.READ)
        except RequestError as error:
            return error_response(error, request.scope)
        content = await asyncio.to_thread(metrics.exposition)
        return Response(content, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def docs(self, request: Request) -> Response:
        """The OpenAPI document."""
        try:
            self._keyring.admit_reader(dict(request.scope["headers"]), peer_of(request.scope))
        except RequestError as error:
            return error_response(error, request.scope)
        return Response(self._document, media_type="application/json")

    async def swagger(self, request: Request) -> Response:
        """Swagger, from local files only."""
        return FileResponse(PAGES_FOLDER / "index.html", headers=PAGE_HEADERS)


async def unknown(request: Request) -> Response:
    """405 for a known path with a method that it does not take, 404 for any other."""
    scope = {**request.scope, "path": request.url.path}
    known = [route for route in request.app.routes[:-1] if isinstance(route, Route)]
    routes = [route for route in known if route.matches(scope)[0] is not Match.NONE]
    methods = sorted(method for route in routes for method in route.methods or ())
    if request.url.path in BENTOML_PATHS:
        methods = ["GET", "HEAD"]
    if not methods:
        missing = RequestError(404, "No such endpoint. GET / shows what there is.", "not_found")
        return error_response(missing, request.scope)
    wrong = RequestError(405, f"This endpoint takes {' and '.join(methods)} only.", "method")
    response = error_response(wrong, request.scope)
    response.headers["Allow"] = ", ".join(methods)
    return response


async def on_failure(request: Request, error: Exception) -> Response:
    """What a page answers that failed, in our shape."""
    return error_response(error, request.scope)


async def on_http_exception(request: Request, error: HTTPException) -> Response:
    """What the static files answer, in our shape."""
    code = "method" if error.status_code == 405 else "not_found"
    told = RequestError(error.status_code, f"{error.detail}. GET / shows what there is.", code)
    response = error_response(told, request.scope)
    response.headers.update(error.headers or {})
    return response
