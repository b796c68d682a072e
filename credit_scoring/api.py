"""The HTTP side of the service: bodies in, decisions or errors out, in one shape."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bentoml
from pydantic import ValidationError
from pydantic_core import from_json, to_json
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from credit_scoring import __version__
from credit_scoring.batching import MicroBatcher
from credit_scoring.decisions import DecisionDesk
from credit_scoring.errors import OverloadedError, ScoringError
from credit_scoring.openapi import MAX_APPLICATIONS, document
from credit_scoring.schemas import Application, Decision, ErrorAnswer, Fault, faults
from credit_scoring.settings import ServiceSettings

PAGES_FOLDER = Path(__file__).parent / "pages"
SWAGGER_FOLDER = Path(bentoml.__file__).parent / "_internal" / "server" / "static_content"
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:",
    "Referrer-Policy": "no-referrer",
}


class CreditApi:
    """The routes of the service; they answer once a desk is opened behind them."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._document = to_json(document(__version__))
        self.app = Starlette(
            routes=[
                Route("/predict", self.predict, methods=["POST"]),
                Route("/predict_many", self.predict_many, methods=["POST"]),
                Route("/model", self.model),
                Route("/docs.json", self.docs),
                Route("/", self.page),
                Mount("/pages", StaticFiles(directory=PAGES_FOLDER)),
                Mount("/static_content", StaticFiles(directory=SWAGGER_FOLDER)),
                Route("/{path:path}", self.unknown, methods=_ALL_METHODS),
            ],
            exception_handlers=_EXCEPTION_HANDLERS,
        )

    def open(self, desk: DecisionDesk) -> None:
        """Start answering with this desk."""
        self._desk = desk
        self._model = to_json({"model": desk.tag, "policy": desk.scorer.policy, "card": desk.scorer.card})
        self._batcher: MicroBatcher[Application, Decision] = MicroBatcher(
            desk.decide, max_batch_size=self._settings.max_batch_size, budget=self._settings.latency_budget_ms / 1000
        )

    async def predict(self, request: Request) -> Response:
        """One application in, one decision out."""
        body = await _read_json(request, self._settings.max_body_bytes)
        application = Application.model_validate_json(body)
        return _json(await self._batcher.submit(application))

    async def predict_many(self, request: Request) -> Response:
        """Up to 1,000 applications in; a decision or an error for each out, in order."""
        items = _parse_many(await _read_json(request, self._settings.max_many_bytes))
        checked = [_checked(item) for item in items]
        applications = [each for each in checked if isinstance(each, Application)]
        decisions = iter(await self._decide_in_turns(applications))
        return _json([each if isinstance(each, ErrorAnswer) else next(decisions) for each in checked])

    async def _decide_in_turns(self, applications: Sequence[Application]) -> list[Decision]:
        """Decide in batches and let waiting single requests in between."""
        decisions: list[Decision] = []
        for start in range(0, len(applications), self._settings.max_batch_size):
            decisions += self._desk.decide(applications[start : start + self._settings.max_batch_size])
            await asyncio.sleep(0)
        return decisions

    async def model(self, request: Request) -> Response:
        """The model card and the policy in use."""
        return Response(self._model, media_type="application/json")

    async def docs(self, request: Request) -> Response:
        """The OpenAPI document."""
        return Response(self._document, media_type="application/json")

    async def page(self, request: Request) -> Response:
        """Swagger, from local files only."""
        return FileResponse(PAGES_FOLDER / "index.html", headers=PAGE_HEADERS)

    async def unknown(self, request: Request) -> Response:
        """405 for a known path with a method that it does not take, 404 for any other."""
        routes = [route for route in self.app.routes if isinstance(route, Route) and route.path == request.url.path]
        methods = sorted(method for route in routes for method in route.methods or ())
        if not methods:
            raise HTTPException(404, "No such endpoint. GET / shows what there is.")
        message = f"{request.url.path} takes {' and '.join(methods)}, not {request.method}."
        raise HTTPException(405, message, {"Allow": ", ".join(methods)})


async def _read_json(request: Request, limit: int) -> bytes:
    """The body; raises HTTPException when its type is wrong or it is longer than `limit` bytes."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPException(415, f"Content type {media_type[:64] or '(none)'}: expected application/json.")
    if int(request.headers.get("content-length", 0)) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(limit: int) -> HTTPException:
    return HTTPException(413, f"The body is larger than {limit:,} bytes.")


def _parse_many(body: bytes) -> list[Any]:
    try:
        items = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise _BadRequestError(Fault(field="", message=f"Invalid JSON: {error}", type="json_invalid")) from None
    if not isinstance(items, list):
        raise _BadRequestError(Fault(field="", message="Input should be an array of applications", type="list_type"))
    if len(items) > MAX_APPLICATIONS:
        message = f"At most {MAX_APPLICATIONS:,} applications at a time, found {len(items):,}"
        raise _BadRequestError(Fault(field="", message=message, type="too_long"))
    return items


def _checked(item: Any) -> Application | ErrorAnswer:
    try:
        return Application.model_validate(item)
    except ValidationError as error:
        return _error_answer(faults(error))


class _BadRequestError(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def _error_answer(found: list[Fault]) -> ErrorAnswer:
    count = "1 fault" if len(found) == 1 else f"{len(found)} faults"
    return ErrorAnswer(error=f"The application was not decided: {count}.", detail=found)


async def _on_validation_error(request: Request, error: ValidationError) -> Response:
    return _json(_error_answer(faults(error)), 400)


async def _on_bad_request(request: Request, error: _BadRequestError) -> Response:
    return _json(_error_answer([error.fault]), 400)


async def _on_http_exception(request: Request, error: HTTPException) -> Response:
    return _json(ErrorAnswer(error=error.detail, detail=[]), error.status_code, error.headers)


async def _on_overload(request: Request, error: OverloadedError) -> Response:
    return _json(ErrorAnswer(error=str(error), detail=[]), 503, {"Retry-After": str(error.retry_after)})


async def _on_scoring_error(request: Request, error: ScoringError) -> Response:
    return _json(ErrorAnswer(error=str(error), detail=[]), 500)


async def _on_disconnect(request: Request, error: ClientDisconnect) -> Response:
    return Response(status_code=400)


_ALL_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_EXCEPTION_HANDLERS: dict[Any, Any] = {
    ValidationError: _on_validation_error,
    _BadRequestError: _on_bad_request,
    HTTPException: _on_http_exception,
    OverloadedError: _on_overload,
    ScoringError: _on_scoring_error,
    ClientDisconnect: _on_disconnect,
}


def _json(content: Any, status: int = 200, headers: Any = None) -> Response:
    return Response(to_json(content), status, headers, "application/json")
