"""The HTTP API: the routes of the table, each with the handler behind it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route

from credit_scoring.application.catalogue import Catalogue, shipped
from credit_scoring.application.schemas import Answer, Decision
from credit_scoring.decisions.database import Database
from credit_scoring.errors import NotReadyError, UnavailableError
from credit_scoring.serving import metrics
from credit_scoring.serving.auth import Keyring
from credit_scoring.serving.batching import TURN_SHARE, Caller
from credit_scoring.serving.decision_engine import DecisionDesk
from credit_scoring.serving.decision_routes import Dossiers
from credit_scoring.serving.endpoint import Asked, Handler, JsonEndpoint
from credit_scoring.serving.exchange import HotRoute
from credit_scoring.serving.explanation_thread import ExplanationThread
from credit_scoring.serving.explanations import Explainer
from credit_scoring.serving.pages import Pages, on_failure, on_http_exception
from credit_scoring.serving.predictions import Predictions
from credit_scoring.serving.recorder import Recorder
from credit_scoring.serving.routes import OPERATIONS, PREDICT, Operation
from credit_scoring.serving.simulations import RateLimit, Simulations
from credit_scoring.settings import ServiceSettings

NOT_READY = "The service has no model that may decide. Its log says why."


@dataclass(frozen=True)
class Backend:
    """What the routes call: a handler for each operation, by its name, and what the hot route needs besides."""

    catalogue: Catalogue
    answers: Sequence[Answer]
    handlers: Mapping[str, Handler]
    accept: Callable[[bytes, Caller[Decision], str], None]
    check_admission: Callable[[float], None]
    is_ready: Callable[[], bool]


def _not_loaded(*_: object) -> NoReturn:
    raise NotReadyError(NOT_READY, retry_after=30)


NOT_LOADED = Backend(
    catalogue=shipped(),
    answers=(Answer.APPROVED, Answer.DENIED),
    handlers={operation.name: _not_loaded for operation in OPERATIONS},
    accept=_not_loaded,
    check_admission=_not_loaded,
    is_ready=lambda: False,
)


def loaded(
    desk: DecisionDesk, recorder: Recorder | None, database: Database | None, settings: ServiceSettings
) -> Backend:
    """Answers with this desk, after this recorder has stored the decisions, and from this database's dossiers."""
    is_best_effort = settings.decision_log == "best_effort"
    explainer = Explainer(desk, database, ExplanationThread("reasons"), best_effort=is_best_effort)
    predictions, dossiers = Predictions.of(desk, recorder, explainer, settings), Dossiers(
        database, four_eyes=settings.four_eyes
    )
    limit, thread = RateLimit(settings.what_if_per_minute), ExplanationThread("simulations")
    simulations = Simulations(desk, thread, limit, predictions.max_fields)
    handlers = {
        "predict": predictions.predict,
        "predict_many": predictions.predict_many,
        "lookup": dossiers.lookup,
        "dossier": dossiers.dossier,
        "reasons": explainer.reasons,
        "what_if": simulations.what_if,
        "review": dossiers.review,
        "outcomes": dossiers.outcomes,
        "model": _model_page(desk),
    }
    return Backend(
        desk.scorer.catalogue,
        desk.scorer.policy.answers,
        handlers,
        predictions.accept,
        predictions.check_admission,
        predictions.is_ready,
    )


def _model_page(desk: DecisionDesk) -> Handler:
    content = to_json({"model": desk.tag, "policy": desk.scorer.policy, "card": desk.scorer.card})

    async def model(body: bytes, asked: Asked) -> bytes:
        return content

    return model


class CreditApi:
    """The routes of the service, which answer 503 until `use` puts a loaded backend behind them."""

    def __init__(self, settings: ServiceSettings, keyring: Keyring, further: Sequence[BaseRoute] = ()) -> None:
        self._settings = settings
        self._keyring = keyring
        self._backend = NOT_LOADED
        self._pages = Pages(keyring, metrics_open=settings.metrics_open)
        self.app = Starlette(
            routes=[*(self._route(operation) for operation in OPERATIONS), *further, *self._pages.routes()],
            exception_handlers={
                HTTPException: on_http_exception,  # type: ignore[dict-item]  # narrower on purpose
                Exception: on_failure,
            },
        )

    def use(self, backend: Backend) -> None:
        """Answer with this backend from now on."""
        self._backend = backend
        self._pages.describe(backend.catalogue, backend.answers)

    def is_ready(self) -> bool:
        """Whether the model is loaded and what it decides can be stored."""
        return self._backend.is_ready()

    async def answer(self, name: str, body: bytes) -> bytes:
        """What the operation of this name answers a caller in this process."""
        (operation,) = (each for each in OPERATIONS if each.name == name)
        return await self._handler(operation)(body, Asked(by="", path={}))

    def hot_route(self) -> HotRoute:
        """The predict route for the protocol that answers it without ASGI."""
        return HotRoute(
            PREDICT.path.encode(),
            limit=self._limit(PREDICT),
            timeout=self._settings.request_timeout_s,
            admit=partial(self._keyring.admit, scope=PREDICT.scope),
            handle=lambda body, exchange: self._backend.accept(body, exchange, exchange.asked_by),
            check_admission=self._check_admission,
            on_refusal=_count_refusal,
            on_request=metrics.request_observer(PREDICT.label),
        )

    def _route(self, operation: Operation) -> Route:
        endpoint = JsonEndpoint(
            self._handler(operation),
            admit=partial(self._keyring.admit, scope=operation.scope),
            limit=self._limit(operation),
            timeout=self._settings.request_timeout_s,
            on_request=metrics.request_observer(operation.label),
        )
        return Route(operation.path, endpoint, methods=[operation.method])

    def _limit(self, operation: Operation) -> int:
        limit: int = getattr(self._settings, operation.limit)
        return limit

    def _handler(self, operation: Operation) -> Handler:
        def handle(body: bytes, asked: Asked) -> Awaitable[bytes]:
            if operation.sheds_load:
                self._admit()
            return self._backend.handlers[operation.name](body, asked)

        return handle

    def _check_admission(self, share: float) -> None:
        self._backend.check_admission(share)

    def _admit(self) -> None:
        """Raises UnavailableError, which is counted, when a request that came the ordinary way is to be refused."""
        try:
            self._check_admission(TURN_SHARE)
        except UnavailableError as error:
            _count_refusal(error)
            raise


def _count_refusal(error: UnavailableError) -> None:
    metrics.count_refusal(type(error).__name__)
