"""Sessions in a signed cookie: nothing is kept in the service, so that any worker knows them."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Self

from starlette.responses import Response

from credit_scoring.serving.auth import Key

COOKIE = "mesa"
PATH = "/mesa"
LIFETIME_S = 10 * 60 * 60


@dataclass(frozen=True)
class Session:
    """Whose it is, and since when; before somebody has signed in, `key` is None, where no keys are set it is empty.

    `sha256` is that of the key, so that a session ends with the key that opened it. `nonce` makes its forms its own.
    """

    key: str | None
    sha256: str
    opened: int
    nonce: str

    @classmethod
    def of(cls, key: Key | None, opened: float) -> Self:
        """A session of this key; of nobody in particular where no keys are set."""
        return cls(key.name if key else "", key.sha256 if key else "", int(opened), secrets.token_urlsafe(16))


class Sessions:
    """Signs and reads them by one secret."""

    def __init__(self, secret: bytes, clock: Callable[[], float] = time.time) -> None:
        self._secret, self._clock = secret, clock

    def blank(self) -> Session:
        """For whoever is yet to sign in."""
        return Session(None, "", int(self._clock()), secrets.token_urlsafe(16))

    def open(self, key: Key | None) -> Session:
        """Somebody has signed in, with a key unless none are set."""
        return Session.of(key, self._clock())

    def sign(self, session: Session) -> str:
        """The content of the cookie."""
        content = base64.urlsafe_b64encode(json.dumps(asdict(session)).encode()).decode()
        return f"{content}.{self._mac('session', content)}"

    def read(self, cookie: str) -> Session | None:
        """The session in a cookie; None where it was not signed here or is over."""
        content, _, mac = cookie.partition(".")
        if not mac or not hmac.compare_digest(mac.encode(), self._mac("session", content).encode()):
            return None
        session = Session(**json.loads(base64.urlsafe_b64decode(content)))
        return session if 0 <= self._clock() - session.opened < LIFETIME_S else None

    def token(self, session: Session) -> str:
        """What each form of this session carries, so that no other site can send one."""
        return self._mac("form", session.nonce)

    def is_token(self, session: Session, token: str) -> bool:
        """Whether a form comes from this session."""
        return hmac.compare_digest(self.token(session).encode(), token.encode())

    def keep(self, session: Session, response: Response, *, secure: bool) -> None:
        """Give the browser the cookie."""
        response.set_cookie(
            COOKIE,
            self.sign(session),
            max_age=LIFETIME_S,
            path=PATH,
            secure=secure,
            httponly=True,
            samesite="strict",
        )

    def _mac(self, purpose: str, content: str) -> str:
        return hmac.new(self._secret, f"{purpose}:{content}".encode(), hashlib.sha256).hexdigest()
