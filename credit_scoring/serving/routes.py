"""The routes of the service: what each endpoint does with a body."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import bentoml
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Match, Mount, Route
from starlette.staticfiles import StaticFiles

from credit_scoring import __version__
from credit_scoring.application.schemas import Application, Decision, ErrorAnswer, Fault
from credit_scoring.decisions.database import Database
from credit_scoring.errors import NotReadyError, RequestError, UnavailableError
from credit_scoring.serving import metrics
from credit_scoring.serving.auth import Keyring, Scope
from credit_scoring.serving.batching import Caller, MicroBatcher
from credit_scoring.serving.bodies import (
    MAX_FIELDS,
    ItemErrors,
    check_fields,
    check_items,
    check_repeats,
    parse,
    refusal,
    too_many_fields,
)
from credit_scoring.serving.decision_engine import DecisionDesk
from credit_scoring.serving.decision_routes import DossierApi
from credit_scoring.serving.drift_counters import FieldCounters
from credit_scoring.serving.endpoint import (
    NOT_DECIDED,
    Asked,
    Handler,
    JsonEndpoint,
    error_response,
    peer_of,
)
from credit_scoring.serving.hot_route import HotRoute
from credit_scoring.serving.openapi import MAX_APPLICATIONS, document
from credit_scoring.serving.recorder import Recorder, Submission
from credit_scoring.settings import ServiceSettings

PAGES_FOLDER = Path(__file__).parent / "swagger"
SWAGGER_FOLDER = Path(bentoml.__file__).parent / "_internal" / "server" / "static_content"
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:",
    "Referrer-Policy": "no-referrer",
}
BENTOML_PATHS = {"/livez", "/readyz", "/healthz", "/schema.json"}
NOT_READY = "The service has no model that may decide. Its log says why."
ALL_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


class CreditApi:
    """The routes of the service; they answer once a desk is opened behind them."""

    def __init__(self, settings: ServiceSettings, keyring: Keyring) -> None:
        self._settings = settings
        self._keyring = keyring
        self._batcher: MicroBatcher[Submission, Decision] | None = None
        self._recorder: Recorder | None = None
        self._document = to_json(document(__version__))
        self._dossiers = DossierApi(partial(self._endpoint, limit=settings.max_many_bytes))
        predict_endpoint = self._endpoint("predict", Scope.PREDICT, self.predict, settings.max_body_bytes)
        many_endpoint = self._endpoint("predict_many", Scope.PREDICT, self.predict_many, settings.max_many_bytes)
        self.app = Starlette(
            routes=[
                Route("/predict", predict_endpoint, methods=["POST"]),
                Route("/predict_many", many_endpoint, methods=["POST"]),
                *self._dossiers.routes,
                Route("/model", self._endpoint("model", None, self.model, 0), methods=["GET"]),
                Route("/metrics", self.metrics),
                Route("/docs.json", self.docs),
                Route("/", self.page),
                Mount("/pages", StaticFiles(directory=PAGES_FOLDER)),
                Mount("/static_content", StaticFiles(directory=SWAGGER_FOLDER)),
                Route("/{path:path}", self.unknown, methods=ALL_METHODS),
            ],
            exception_handlers={HTTPException: _on_http_exception},  # type: ignore[dict-item]  # narrower on purpose
        )

    def _endpoint(self, name: str, scope: Scope | None, handle: Handler, limit: int) -> JsonEndpoint:
        return JsonEndpoint(
            handle,
            admit=partial(self._keyring.admit, scope=scope),
            limit=limit,
            timeout=self._settings.request_timeout_s,
            on_request=metrics.request_observer(name),
        )

    def open(self, desk: DecisionDesk, recorder: Recorder | None, database: Database | None) -> None:
        """Start answering with this desk, after this recorder has stored the decisions; None stores none."""
        self._desk, self._recorder, self._dossiers.database = desk, recorder, database
        drift = desk.scorer.reference.drift
        self._counters = FieldCounters(drift, desk.tag, _call_later) if drift else None
        self._model = to_json({"model": desk.tag, "policy": desk.scorer.policy, "card": desk.scorer.card})
        self._batcher = MicroBatcher(
            self._decide,
            max_batch_size=self._settings.max_batch_size,
            budget=self._settings.latency_budget_ms / 1000,
            deliver=recorder.keep if recorder else None,
            on_batch=metrics.observe_batch,
        )
        form = "compiled" if desk.scorer.compiled else "pipeline"
        metrics.announce_model(desk.tag, desk.scorer.policy.version, form, desk.scorer.card.test)
        metrics.announce_approved(desk.tag, desk.scorer.card.test_approved)

    def hot_route(self) -> HotRoute:
        """The predict route for the protocol that answers it without ASGI."""
        return HotRoute(
            b"/predict",
            limit=self._settings.max_body_bytes,
            timeout=self._settings.request_timeout_s,
            admit=partial(self._keyring.admit, scope=Scope.PREDICT),
            handle=lambda body, exchange: self.accept(body, exchange, exchange.asked_by),
            check_admission=self.check_admission,
            on_refusal=_count_refusal,
            on_request=metrics.request_observer("predict"),
        )

    def check_admission(self) -> None:
        """Raises UnavailableError when a newcomer could not be answered in time."""
        self._open_batcher().check_admission()
        if self._recorder:
            self._recorder.check_admission()

    def _admit(self) -> None:
        """Raises UnavailableError, which is counted, when a request that came the ordinary way is to be refused."""
        try:
            self.check_admission()
        except UnavailableError as error:
            _count_refusal(error)
            raise

    def accept(self, body: bytes, caller: Caller[Decision], asked_by: str) -> None:
        """One application in, whose request was admitted; its caller is told the decision."""
        check_fields(body)
        application = Application.model_validate_json(body)
        check_repeats(body, len(application.model_fields_set))
        self._open_batcher().put(Submission(application, body, asked_by), caller)

    def _decide(self, submissions: Sequence[Submission]) -> list[Decision]:
        applications = [each.application for each in submissions]
        decisions = self._desk.decide(applications)
        if self._counters:
            self._counters.add([each.__dict__ for each in applications], [each.risk_probability for each in decisions])
        return decisions

    @property
    def is_open(self) -> bool:
        """Whether there is a desk."""
        return self._batcher is not None

    @property
    def is_ready(self) -> bool:
        """Whether there is a desk and what it decides can be stored."""
        return self.is_open and (self._recorder is None or self._recorder.writable)

    def _open_batcher(self) -> MicroBatcher[Submission, Decision]:
        if self._batcher is None:
            raise NotReadyError(NOT_READY, retry_after=30)
        return self._batcher

    async def predict(self, body: bytes, asked: Asked) -> bytes:
        """One application in, one decision out."""
        self._admit()
        decision: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self.accept(body, decision, asked.by)
        return to_json(await decision)

    async def predict_many(self, body: bytes, asked: Asked) -> bytes:
        """Up to 1,000 applications in; a decision or an error for each out, in order."""
        self._admit()
        answers: list[asyncio.Future[Decision] | ErrorAnswer] = []
        errors = ItemErrors(NOT_DECIDED, len(body))
        for item in _items(body):
            answers.append(self._submitted(item, asked.by, errors))
            if len(answers) % self._settings.max_batch_size == 0:
                await asyncio.sleep(0)  # let waiting single requests in between
        waiting = [each for each in answers if not isinstance(each, ErrorAnswer)]
        settled = iter(await asyncio.gather(*waiting, return_exceptions=True))
        return to_json([each if isinstance(each, ErrorAnswer) else _in_its_place(next(settled)) for each in answers])

    def _submitted(self, item: Any, asked_by: str, errors: ItemErrors) -> "asyncio.Future[Decision] | ErrorAnswer":
        application = _checked(item, errors)
        if isinstance(application, ErrorAnswer):
            return application
        answer: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._open_batcher().put(Submission(application, to_json(item), asked_by), answer)
        return answer

    async def model(self, body: bytes, asked: Asked) -> bytes:
        """The model card and the policy in use."""
        self._open_batcher()
        return self._model

    async def metrics(self, request: Request) -> Response:
        """Metrics of all workers."""
        headers, peer = dict(request.scope["headers"]), peer_of(request.scope)
        try:
            if self._settings.metrics_open:
                self._keyring.admit_reader(headers, peer)
            else:
                self._keyring.admit(headers, peer, Scope.READ)
        except RequestError as error:
            return error_response(error)
        content = await asyncio.to_thread(metrics.exposition)
        return Response(content, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def docs(self, request: Request) -> Response:
        """The OpenAPI document."""
        try:
            self._keyring.admit_reader(dict(request.scope["headers"]), peer_of(request.scope))
        except RequestError as error:
            return error_response(error)
        return Response(self._document, media_type="application/json")

    async def page(self, request: Request) -> Response:
        """Swagger, from local files only."""
        return FileResponse(PAGES_FOLDER / "index.html", headers=PAGE_HEADERS)

    async def unknown(self, request: Request) -> Response:
        """405 for a known path with a method that it does not take, 404 for any other."""
        scope = {**request.scope, "path": request.url.path}
        known = [route for route in self.app.routes[:-1] if isinstance(route, Route)]
        routes = [route for route in known if route.matches(scope)[0] is not Match.NONE]
        methods = sorted(method for route in routes for method in route.methods or ())
        if request.url.path in BENTOML_PATHS:
            methods = ["GET", "HEAD"]
        if not methods:
            return error_response(RequestError(404, "No such endpoint. GET / shows what there is.", "not_found"))
        response = error_response(RequestError(405, f"This endpoint takes {' and '.join(methods)} only.", "method"))
        response.headers["Allow"] = ", ".join(methods)
        return response


def _count_refusal(error: UnavailableError) -> None:
    metrics.count_refusal(type(error).__name__)


def _call_later(seconds: float, function: Callable[[], None]) -> object:
    return asyncio.get_running_loop().call_later(seconds, function)


def _items(body: bytes) -> list[Any]:
    items = parse(body, MAX_APPLICATIONS)
    if not isinstance(items, list):
        raise RequestError(400, "The body should be an array of applications.", "list_type")
    check_items(body, items, MAX_APPLICATIONS, "applications")
    return items


def _checked(item: Any, errors: ItemErrors) -> Application | ErrorAnswer:
    if not isinstance(item, dict):
        return errors.answer(Fault(field="", message="An application should be an object", type="model_type"))
    if len(item) > MAX_FIELDS:
        return errors.answer(too_many_fields(item))
    try:
        return Application.model_validate(item)
    except ValidationError as error:
        return errors.answer(error)


def _in_its_place(found: Decision | BaseException) -> Decision | ErrorAnswer:
    """What an application gets in the answer to many; what fails for all is raised."""
    if isinstance(found, RequestError):
        return refusal([Fault(field="application_id", message=str(found), type=found.kind)], NOT_DECIDED)
    if isinstance(found, BaseException):
        raise found
    return found


async def _on_http_exception(request: Request, error: HTTPException) -> Response:
    """What the static files answer, in our shape."""
    response = error_response(RequestError(error.status_code, f"{error.detail}. GET / shows what there is.", "static"))
    response.headers.update(error.headers or {})
    return response
