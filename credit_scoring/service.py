"""The Bento service: loads the model, proves it, and opens the API on it."""

import gc
import logging
import os
from http import HTTPStatus
from pathlib import Path
from typing import Any

import bentoml
import click
import uvicorn
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.utils.analytics import usage_stats
from bentoml.exceptions import BentoMLException
from pydantic import TypeAdapter
from pydantic_core import to_json
from uvicorn.config import HTTP_PROTOCOLS

from credit_scoring import __version__
from credit_scoring.application.schemas import Decision, ItemError
from credit_scoring.decisions.connect import check_address, default_address, default_folder, open_database
from credit_scoring.decisions.database import Database
from credit_scoring.decisions.entries import Log
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.log import DecisionLog
from credit_scoring.decisions.spooled_log import SpooledLog
from credit_scoring.decisions.writer import Origin
from credit_scoring.errors import CreditScoringError
from credit_scoring.model import store
from credit_scoring.model.manifest import inspect
from credit_scoring.review.desk import ReviewDesk
from credit_scoring.serving import instance, metrics
from credit_scoring.serving.accepting import EagerServer
from credit_scoring.serving.api import CreditApi, loaded
from credit_scoring.serving.auth import Keyring
from credit_scoring.serving.connections import Limits, affordable_connections
from credit_scoring.serving.decision_engine import DecisionDesk
from credit_scoring.serving.endpoint import ForeignErrors, ReaderGate
from credit_scoring.serving.guarded import GuardedProtocol
from credit_scoring.serving.hot_route import HotProtocol
from credit_scoring.serving.pages import BENTOML_PATHS
from credit_scoring.serving.port import check_free
from credit_scoring.serving.problems import error_answer
from credit_scoring.serving.recorder import Recorder
from credit_scoring.serving.request_ids import RequestIds, name_request
from credit_scoring.serving.tally import CountedLog, Tally
from credit_scoring.settings import MODEL_VARIABLE, ServiceSettings, misspelt, read_settings

GC_GENERATION_0 = 10_000  # such a collection takes 3 ms at worst
BENTOML_GRACE_S = 5.0  # its own timeout must not fire before ours, which answers in the one error shape

_ANONYMOUS = {"loopback": "this machine", "anywhere": "everybody"}

logger = logging.getLogger("credit_scoring")


def _from_environment() -> tuple[ServiceSettings, Keyring, ReviewDesk]:
    try:
        settings = read_settings(ServiceSettings)
        check_address(settings.database_url or default_address())
        keyring = Keyring.read(settings.api_keys_file, settings.anonymous)
        return settings, keyring, ReviewDesk(settings, keyring)
    except CreditScoringError as error:
        raise BentoMLException(str(error)) from error


instance.join()
settings, keyring, review_desk = _from_environment()
api = CreditApi(settings, keyring, review_desk.routes())
stored_model = store.StoredModel(settings.model)
APPLICATION = store.catalogue_of(stored_model).application
MANY_DECISIONS = TypeAdapter(list[Decision | ItemError])
usage_stats.do_not_track.cache_clear()  # the bentoml command asked before it imported us


class HotService(bentoml.Service[Any]):  # type: ignore[misc]  # bentoml is half typed
    """A Bento service whose POST /predict is answered by uvicorn's protocol class itself; docs/adr/0007 says why."""

    def to_asgi(self, is_main: bool = True) -> Any:
        """BentoML's app; uvicorn, started next, is given our protocol; what the hot route cannot do goes without it.

        Where another service depends on this one, only that service reaches it, by a socket of theirs, with pickles:
        BentoML's own routes answer. Elsewhere they must not: they check no key and log what was sent, and the mounted
        app has the same paths.
        """
        limits = Limits(affordable_connections(settings.max_connections), keep_alive=settings.keep_alive_s)
        is_hot = is_main and not (settings.tracing or settings.access_log or settings.reasons == "always")
        if not is_hot:
            HTTP_PROTOCOLS["auto"] = GuardedProtocol.within(limits)  # type: ignore[assignment]
        else:
            HTTP_PROTOCOLS["auto"] = HotProtocol.with_route(api.hot_route(), limits)  # type: ignore[assignment]
        uvicorn.Server = EagerServer  # type: ignore[misc]
        app = super().to_asgi(is_main)
        if is_main:
            methods = {method.route for method in self.apis.values()}
            app.router.routes = [each for each in app.router.routes if getattr(each, "path", None) not in methods]
        return app

    def on_load_bento(self, bento: bentoml.Bento) -> None:
        """In a Bento, the model is the one that was built into it, whatever has been promoted since."""
        super().on_load_bento(bento)
        stored_model.use_of_bento(bento.info.services[0].models[0].tag)


@bentoml.service(
    name="credit_scoring",
    service_class=HotService,
    workers=settings.workers,
    traffic={"timeout": settings.request_timeout_s + BENTOML_GRACE_S},
    logging={"access": {"enabled": settings.access_log}},
    metrics={"enabled": False},
)
@bentoml.asgi_app(api.app, path="/")
class CreditScoring:
    """Credit decisions for consórcio applications."""

    model = stored_model
    _recorder: Recorder | None = None

    def __init__(self) -> None:
        from credit_scoring.model.governed import (  # noqa: PLC0415 - scikit-learn takes the arbiter 1 s and 110 MB
            scorer_in_use,
        )

        _log_as_bentoml_does()
        metrics.expect_workers(settings.workers)
        metrics.tell_writable(settings.decision_log == "off")  # else the recorder tells, once the log is open
        try:
            scorer = scorer_in_use(str(self.model.tag), Path(self.model.path), settings.policy_file)
        except CreditScoringError as error:  # to end would be to be started again, and again
            logger.error("This worker decides nothing and will not be ready: %s", error)
            return
        desk = DecisionDesk(scorer, str(self.model.tag))
        database = _database()
        self._recorder = _recorder(desk, database) if database else None
        backend = loaded(desk, self._recorder, database, settings)
        api.use(backend)
        review_desk.use(backend, database)
        _announce(desk)
        metrics.announce_worker()
        if not keyring.keys:
            logger.warning("No API keys are set: %s is answered without one.", _ANONYMOUS[keyring.anonymous])
        if settings.tune_collector:
            _spare_the_collector()
        logger.info("Model %s is loaded and has proved its scores.", self.model.tag)

    @bentoml.api  # type: ignore[untyped-decorator]  # bentoml is half typed
    async def predict(self, application: APPLICATION, /) -> Decision:  # type: ignore[valid-type]  # made from data
        """Decide on one application."""
        return Decision.model_validate_json(await _answer("predict", application))

    @bentoml.api  # type: ignore[untyped-decorator]
    async def predict_many(
        self, applications: list[APPLICATION], /  # type: ignore[valid-type]  # made from data
    ) -> list[Decision | ItemError]:
        """Decide on up to 1,000 applications, in order."""
        return MANY_DECISIONS.validate_json(await _answer("predict_many", applications))

    def __is_ready__(self) -> bool:
        """What /readyz asks."""
        return api.is_ready()

    @bentoml.on_startup  # type: ignore[untyped-decorator]  # bentoml is half typed
    async def open_decision_log(self) -> None:
        """Before the first request."""
        if self._recorder:
            await self._recorder.open()  # which tells when the log becomes writable, and so this worker ready
        elif api.is_ready():
            instance.tell_ready()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    async def close_decision_log(self) -> None:
        """After the last answer."""
        if self._recorder:
            await self._recorder.close()

    @bentoml.on_deployment  # type: ignore[untyped-decorator]  # bentoml is half typed
    @staticmethod
    def check_model() -> None:
        """Before any worker starts: the port is free, the model is whole and fits the libraries."""
        for warning in misspelt(os.environ):
            logger.warning(warning)
        _check_port()
        from credit_scoring.serving.rolling import (  # noqa: PLC0415 - workers have no use for circus
            replace_workers_on_hangup,
        )
        from credit_scoring.serving.supervision import restart_ended_workers  # noqa: PLC0415 - as above

        os.environ |= _chosen_model()
        instance.found(default_folder() / "services")
        replace_workers_on_hangup(_chosen_model)
        restart_ended_workers()


if settings.access_log:
    CreditScoring.add_asgi_middleware(RequestIds)  # type: ignore[attr-defined]  # bentoml is half typed
    logging.getLogger("bentoml.access").addFilter(name_request)
CreditScoring.add_asgi_middleware(  # type: ignore[attr-defined]  # bentoml is half typed
    ReaderGate, paths=frozenset({"/schema.json"}), admit=keyring.admit_reader
)
CreditScoring.add_asgi_middleware(ForeignErrors, paths=frozenset(BENTOML_PATHS))  # type: ignore[attr-defined]  # the same


_many = CreditScoring.apis["predict_many"].input_spec  # type: ignore[attr-defined]
_many.model_config["hide_input_in_errors"] = True  # as the class of an application has it
_many.model_rebuild(force=True)


async def _answer(operation: str, content: object) -> bytes:
    """For a caller in this process or on the socket of a service that depends on this one."""
    try:
        return await api.answer(operation, to_json(content, exclude_none=True))
    except CreditScoringError as error:
        status, _, body = error_answer(error, new_id())
        raise BentoMLException(body.decode(), error_code=HTTPStatus(status)) from None


def _chosen_model() -> dict[str, str]:
    """What workers find in their environment: the model's own tag, so that all of them, restarted ones too, serve it.

    Raises BentoMLException when the model is not whole or does not fit the libraries.
    """
    model = stored_model.resolve()
    try:
        inspect(Path(model.path))
    except CreditScoringError as error:
        raise BentoMLException(str(error)) from error
    return {MODEL_VARIABLE: str(model.tag), instance.MODEL_VARIABLE: str(model.path)}


def _check_port() -> None:
    """Tell a port in use in one line, where BentoML would show a traceback."""
    command = click.get_current_context(silent=True)
    if command is None or not {"host", "port"} <= command.params.keys():
        return
    default = BentoMLContainer.http
    host, port = (command.params[name] or getattr(default, name).get() for name in ("host", "port"))
    try:
        check_free(host, str(port))
    except CreditScoringError as error:
        raise BentoMLException(str(error)) from error


def _database() -> Database | None:
    if settings.decision_log == "off":
        logger.warning("No decision is stored: CREDIT_SCORING_DECISION_LOG=off.")
        return None
    database = open_database(settings.database_url or default_address())
    logger.info("Decisions are stored in %s.", database)
    return database


def _recorder(desk: DecisionDesk, database: Database) -> Recorder:
    card, policy = desk.scorer.card, desk.scorer.policy
    content, catalogue = policy.model_dump_json(exclude={"version"}), desk.scorer.catalogue.digest
    origin = Origin(desk.tag, policy.version, policy.threshold, card.features, __version__, content, catalogue)
    direct = DecisionLog(database, origin)
    log: Log = direct
    if settings.decision_log == "best_effort":
        log = SpooledLog(direct, settings.spool_folder or default_folder() / "spool", metrics.tell_spooled)
    return Recorder(
        CountedLog(log, Tally(desk).add),
        card.features,
        timeout=settings.store_timeout_ms / 1000,
        on_writable=_on_writable,
        on_stored=metrics.observe_store,
    )


def _on_writable(writable: bool) -> None:
    """Tell Prometheus, and the service once this worker can decide."""
    metrics.tell_writable(writable)
    if writable:
        instance.tell_ready()


def _announce(desk: DecisionDesk) -> None:
    """Tell Prometheus which model decides, and until when its policy does."""
    scorer, form = desk.scorer, "compiled" if desk.scorer.compiled else "pipeline"
    metrics.announce_model(desk.tag, scorer.policy.version, form, scorer.card.test)
    metrics.announce_approved(desk.tag, scorer.card.test_approved)
    if end := scorer.policy.end:
        metrics.announce_policy_end(scorer.policy.version, end.timestamp())


def _log_as_bentoml_does() -> None:
    """Give our loggers the handlers that BentoML has set up for its own in this worker."""
    logger.handlers = logging.getLogger("bentoml").handlers
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _spare_the_collector() -> None:
    """Keep the model out of garbage collections and make the young ones rarer: a full one takes 100 ms."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_GENERATION_0, 20, 100)
