"""Sign-in with an API key of the scope `review`, and sign-out."""

from datetime import UTC, datetime

from starlette.responses import Response

from credit_scoring.errors import RateLimitError
from credit_scoring.review.pages import redirect, told
from credit_scoring.review.sessions import COOKIE, PATH
from credit_scoring.review.visit import Visit
from credit_scoring.serving.auth import Scope
from credit_scoring.serving.endpoint import peer_of

HOME = f"{PATH}/"
SIGN_IN = f"{PATH}/entrar"
_PEERS = 1024  # kept apart at most, so that an attacker's many addresses take no memory

WRONG = "Chave desconhecida. Confira se ela foi copiada por inteiro."
NOT_FOR_THIS = "Esta chave não serve para a mesa: falta a permissão review."


async def show(visit: Visit) -> Response:
    """The form."""
    if visit.session.key is not None:
        return redirect(HOME)
    return _form(visit)


async def sign_in(visit: Visit) -> Response:
    """Open a session, or say why not."""
    keyring = visit.office.keyring
    peer = str(hash(peer_of(visit.request.scope)) % _PEERS)
    try:
        visit.office.sign_ins.take(peer)
    except RateLimitError as error:
        refused = _form(visit, 429, told(error))
        refused.headers["Retry-After"] = str(error.retry_after)
        return refused
    key = None
    if keyring.keys:
        key = keyring.find(visit.form.get("chave", "").encode())
        key = None if key and key.is_expired(datetime.now(UTC)) else key
        if key is None or Scope.REVIEW not in key.scopes:
            return _form(visit, 401 if key is None else 403, WRONG if key is None else NOT_FOR_THIS)
    visit.office.sign_ins.give_back(peer)
    response = redirect(_wanted(visit.form.get("depois", "")))
    sessions = visit.office.sessions
    sessions.keep(sessions.open(key), response, secure=visit.is_secure)
    return response


async def sign_out(visit: Visit) -> Response:
    """Forget the session."""
    response = redirect(SIGN_IN)
    response.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="strict")
    return response


def expired(visit: Visit) -> Response:
    """The form, for somebody who has sent another one without a session; what was written is given back."""
    return _form(visit, 401, "Sua sessão terminou. Nada foi registrado. Entre de novo.", visit.form.get("motivo", ""))


def _form(visit: Visit, status: int = 200, problem: str = "", written: str = "") -> Response:
    wanted = _wanted(visit.request.query_params.get("depois") or visit.form.get("depois", ""))
    needs_key = bool(visit.office.keyring.keys)
    response = visit.page("sign_in.html", status, problem=problem, written=written, wanted=wanted, needs_key=needs_key)
    visit.office.sessions.keep(visit.session, response, secure=visit.is_secure)
    return response


def _wanted(path: str) -> str:
    """A page of the desk to go on to; anything else would lead elsewhere."""
    inside = path.startswith(HOME) and not set(path) & {"\\", "\r", "\n"} and path.isascii()
    return path if inside and not path.startswith(SIGN_IN) else HOME
