"""The id of a request: the client's own where it sent one, else one of ours; in errors and in the log's lines."""

import logging
import re
from contextvars import ContextVar

from starlette.types import ASGIApp, Receive, Scope, Send

from credit_scoring.decisions.ids import new_id
from credit_scoring.serving.auth import Headers

REQUEST_ID = b"x-request-id"
SAFE_ID = rb"[A-Za-z0-9._~-]{1,64}"  # in a log, and as it is a URI reference
_safe = re.compile(SAFE_ID)


def sent_id(headers: Headers) -> bytes | None:
    """What the client calls its request; None where it does not say, or not in safe characters."""
    sent = headers.get(REQUEST_ID)
    return sent if sent is not None and _safe.fullmatch(sent) else None


def id_of(headers: Headers) -> str:
    """What this request is called: as the client does, or by an id of our own."""
    sent = sent_id(headers)
    return sent.decode() if sent else new_id()


class RequestIds:
    """ASGI middleware for where requests are logged: each has an id from here on, which `name_request` tells."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3.0)."""
        if scope["type"] == "http":
            request_id = id_of(dict(scope["headers"]))
            _current.set(request_id)
            others = [each for each in scope["headers"] if each[0] != REQUEST_ID]
            scope = {**scope, "headers": [*others, (REQUEST_ID, request_id.encode())]}
        await self._app(scope, receive, send)


_current = ContextVar("request_id", default="")


def name_request(record: logging.LogRecord) -> bool:
    """A filter of the access log: ends each line with the id of its request."""
    record.msg = f"{record.msg} request={_current.get()}"
    return True
