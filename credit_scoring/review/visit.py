"""One visit of somebody to a page: who it is, and what the pages work with."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.decisions.database import Database, Result, Work
from credit_scoring.errors import RequestError
from credit_scoring.review import pages
from credit_scoring.review.formats import ANONYMOUS
from credit_scoring.review.forms import Form
from credit_scoring.review.letter_template import LetterTemplate
from credit_scoring.review.sessions import Session, Sessions
from credit_scoring.serving.auth import Keyring
from credit_scoring.serving.endpoint import Asked, Handler
from credit_scoring.serving.simulations import RateLimit


@dataclass(frozen=True)
class Office:
    """What is the same for all visits of one worker; `handlers` are those of the API, by operation."""

    keyring: Keyring
    sessions: Sessions
    catalogue: Catalogue
    handlers: Mapping[str, Handler]
    database: Database | None
    sign_ins: RateLimit
    letter: LetterTemplate
    lender: str
    contact: str
    four_eyes: bool

    async def run(self, work: Work[Result], *, reading: bool = True) -> Result:
        """What `work` returns in the decision log; raises RequestError where there is none."""
        if self.database is None:
            raise RequestError(404, "Nothing is on record: CREDIT_SCORING_DECISION_LOG=off.", "no_decision_log")
        return await self.database.run(work, reading=reading)


@dataclass(frozen=True)
class Visit:
    """Somebody asks for a page, or sends a form; `by` is how the log names who has signed in."""

    office: Office
    request: Request
    session: Session
    by: str
    form: Form = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Who has signed in, as people read it."""
        return self.by or ANONYMOUS

    @property
    def is_own_form(self) -> bool:
        """Whether the form was made for this session."""
        return self.office.sessions.is_token(self.session, self.form.get("ficha", ""))

    @property
    def is_secure(self) -> bool:
        """Whether the browser speaks HTTPS, to us or to a proxy."""
        forwarded = self.request.headers.get("x-forwarded-proto", "")
        return "https" in (self.request.url.scheme, forwarded.partition(",")[0].strip())

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page for whoever has signed in."""
        return pages.page(template, status, **self.frame(), **values)

    def frame(self) -> dict[str, Any]:
        """What every page has around it."""
        who = self.name if self.session.key is not None else None
        return {"who": who, "token": self.office.sessions.token(self.session)}

    async def ask(self, operation: str, content: Any = None, **path: str) -> bytes:
        """What the API answers to whoever has signed in; raises what it would turn into an error."""
        body = b"" if content is None else to_json(content)
        return await self.office.handlers[operation](body, Asked(self.by, path))

    async def do(self, work: Callable[..., Result], *arguments: Any, **how: Any) -> Result:
        """What `work` returns, given these and a connection, in a transaction that writes."""
        return await self.office.run(partial(work, *arguments, **how), reading=False)


Answering = Callable[[Visit], Awaitable[Response]]
