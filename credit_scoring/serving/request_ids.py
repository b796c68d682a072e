"""The id of a request: the client's own where it sent one, else one of ours; in errors and in the log's lines."""

import re

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
