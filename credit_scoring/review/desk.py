"""The routes of the desk: who may visit them, and that each failure is a page."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from credit_scoring.decisions.database import Database
from credit_scoring.errors import CreditScoringError, NotReadyError, RequestError
from credit_scoring.review import dossier_page, letter, overview, queue, sign_in, verdicts
from credit_scoring.review.forms import read_form
from credit_scoring.review.letter_template import LetterTemplate
from credit_scoring.review.pages import FOLDER, error_page, redirect
from credit_scoring.review.secret import read_secret, shared_secret
from credit_scoring.review.sessions import COOKIE, PATH, Session, Sessions
from credit_scoring.review.sign_in import HOME, SIGN_IN
from credit_scoring.review.visit import Answering, Office, Visit
from credit_scoring.serving import metrics
from credit_scoring.serving.api import NOT_READY, Backend
from credit_scoring.serving.auth import Keyring, Scope
from credit_scoring.serving.endpoint import peer_of
from credit_scoring.serving.pages import ALL_METHODS
from credit_scoring.serving.simulations import RateLimit
from credit_scoring.settings import ServiceSettings

SIGN_INS_PER_MINUTE = 10  # of one address, for one worker
_STYLE = FOLDER / "desk.css"
_DECISION = "/decisoes/{decision_id}"
_OPEN = (sign_in.show, sign_in.sign_in)


class ReviewDesk:
    """Answers 503 until `use` gives it what the API works with; raises ConfigurationError."""

    def __init__(self, settings: ServiceSettings, keyring: Keyring) -> None:
        self._settings, self._keyring = settings, keyring
        self._secret = read_secret(settings.review_secret_file) if settings.review_secret_file else None
        self._letter = LetterTemplate(settings.letter_template)
        self._office: Office | None = None
        self._on_request = metrics.request_observer("review_desk")

    def use(self, backend: Backend, database: Database | None) -> None:
        """Work with this from now on."""
        self._office = Office(
            keyring=self._keyring,
            sessions=Sessions(self._secret or shared_secret()),
            catalogue=backend.catalogue,
            handlers=backend.handlers,
            database=database,
            sign_ins=RateLimit(SIGN_INS_PER_MINUTE),
            letter=self._letter,
            lender=self._settings.lender_name,
            contact=self._settings.lender_contact,
            four_eyes=self._settings.four_eyes,
        )

    def routes(self) -> Sequence[BaseRoute]:
        """All under /mesa; the last one takes what no other has taken."""
        return [
            Route(PATH, _to_queue),
            Mount(
                PATH,
                routes=[
                    Route("/", self._page(queue.show)),
                    Route("/mesa.css", _style),
                    Route("/entrar", self._page(sign_in.show), methods=["GET"]),
                    Route("/entrar", self._page(sign_in.sign_in), methods=["POST"]),
                    Route("/sair", self._page(sign_in.sign_out), methods=["POST"]),
                    Route("/buscar", self._page(queue.search)),
                    Route("/resumo", self._page(overview.show)),
                    Route(_DECISION, self._page(dossier_page.show)),
                    Route(f"{_DECISION}/carta", self._page(letter.show)),
                    Route(f"{_DECISION}/parecer", self._page(verdicts.judge), methods=["POST"]),
                    Route(f"{_DECISION}/revisao", self._page(verdicts.request), methods=["POST"]),
                    Route(f"{_DECISION}/desfecho", self._page(verdicts.outcome), methods=["POST"]),
                    Route("/{path:path}", self._page(_unknown), methods=ALL_METHODS),
                ],
            ),
        ]

    def _page(self, answer: Answering) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            started = time.perf_counter()
            try:
                response = await self._answered(request, answer)
            except Exception as error:  # the server would log its message, which may hold a value
                response = error_page(error, who=None, token="")
            self._on_request(response.status_code, time.perf_counter() - started)
            return response

        return endpoint

    async def _answered(self, request: Request, answer: Answering) -> Response:
        if self._office is None:
            raise NotReadyError(NOT_READY, retry_after=30)
        self._keyring.admit_reader(dict(request.scope["headers"]), peer_of(request.scope))
        visit = self._visit(request, self._office)
        if request.method == "POST":
            visit = replace(visit, form=await read_form(request, self._settings.request_timeout_s))
        if visit.session.key is None and answer not in _OPEN:
            return sign_in.expired(visit) if request.method == "POST" else _to_sign_in(request)
        if request.method == "POST" and not visit.is_own_form:
            raise RequestError(403, "The form is not of this session.", "form_token")
        try:
            return await answer(visit)
        except CreditScoringError as error:
            return error_page(error, **visit.frame())

    def _visit(self, request: Request, office: Office) -> Visit:
        session = office.sessions.read(request.cookies.get(COOKIE, ""))
        by = self._signature(session) if session else None
        if session is None or by is None:
            kept = session if session and session.key is None else office.sessions.blank()
            return Visit(office, request, kept, "")
        return Visit(office, request, session, by)

    def _signature(self, session: Session) -> str | None:
        """How the log names whose session it is; None where the key is not good any more."""
        if not self._keyring.keys:
            return "" if session.key == "" else None
        now = datetime.now(UTC)
        good = (key for key in self._keyring.keys if Scope.REVIEW in key.scopes and not key.is_expired(now))
        found = next((key for key in good if (key.name, key.sha256) == (session.key, session.sha256)), None)
        return found.signature if found else None


def _to_sign_in(request: Request) -> Response:
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return redirect(f"{SIGN_IN}?depois={quote(wanted)}")


async def _style(request: Request) -> Response:
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "max-age=300"}
    return FileResponse(_STYLE, media_type="text/css", headers=headers)


async def _to_queue(request: Request) -> Response:
    return redirect(HOME)


async def _unknown(visit: Visit) -> Response:
    raise RequestError(404, "No such page.", "not_found")
