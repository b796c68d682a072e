"""Forms as browsers send them, bounded in size, fields and time."""

import asyncio
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from credit_scoring.errors import RequestError
from credit_scoring.serving.endpoint import body_too_late

MAX_BYTES = 32 * 1024
MAX_FIELDS = 20
MEDIA_TYPE = "application/x-www-form-urlencoded"

Form = dict[str, str]


async def read_form(request: Request, timeout: float) -> Form:
    """The fields of a form, of several with one name the last; raises RequestError."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise RequestError(415, f"The content type must be {MEDIA_TYPE}.", "content_type")
    try:
        async with asyncio.timeout(timeout):
            body = await _read(request)
    except TimeoutError:
        raise body_too_late(timeout) from None
    except ClientDisconnect:
        raise RequestError(400, "The form did not arrive whole.", "form") from None
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise RequestError(400, "The form cannot be read.", "form") from None
    return {name: value.replace("\r\n", "\n").strip() for name, value in pairs}


async def _read(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BYTES:
            raise RequestError(413, f"The form is larger than {MAX_BYTES:,} bytes.", "too_large")
    return body
