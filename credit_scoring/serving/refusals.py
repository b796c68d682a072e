"""Requests refused unparsed, for in the thick of an overload each refusal takes time from an answer."""

import re
from functools import cache
from itertools import count

from credit_scoring.decisions.ids import new_id
from credit_scoring.errors import UnavailableError
from credit_scoring.serving.ordered import answer_bytes
from credit_scoring.serving.problems import error_answer
from credit_scoring.serving.request_ids import REQUEST_ID, SAFE_ID

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,9})(?:\r\n|$)", re.IGNORECASE)
_SENT_ID = re.compile(rb"\r\n%b: *(%b) *\r\n" % (REQUEST_ID, SAFE_ID), re.IGNORECASE)
_REFUSALS = new_id()[:-12].encode()  # of this worker: a new id for each would take a third of a refusal's time
_refused = count()
_ANY_ID = "~" * len(new_id())
_NEEDS_A_LOOK = re.compile(rb"\r\n(?:connection|expect|transfer-encoding|upgrade):", re.IGNORECASE)


def is_plain_request(data: bytes, path: bytes) -> bool:
    """Whether these bytes are one whole POST to this path with nothing about it that needs a closer look."""
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"POST %b HTTP/1.1\r\n" % path) or _NEEDS_A_LOOK.search(head):
        return False
    length = _CONTENT_LENGTH.search(head)
    return length is not None and int(length[1]) == len(body)


def whole_refusal(error: UnavailableError, data: bytes) -> bytes:
    """The refusal of this request, of which nothing is read but what the client calls it."""
    sent = _SENT_ID.search(data)
    if sent is not None:
        return answer_bytes(*error_answer(error, sent[1].decode()))
    kind = type(error)
    around = _around_the_ids(kind, str(error), error.retry_after)  # type: ignore[arg-type]  # to mypy no class is hashable
    return (b"%b%012x" % (_REFUSALS, next(_refused))).join(around)


@cache
def _around_the_ids(kind: type[UnavailableError], sentence: str, retry_after: int) -> list[bytes]:
    """What is the same of each such refusal: all but the id of the request, in header and body."""
    return answer_bytes(*error_answer(kind(sentence, retry_after), _ANY_ID)).split(_ANY_ID.encode())
