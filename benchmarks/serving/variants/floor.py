"""(h, i) The floor of uvicorn and of Granian: an ASGI app that reads the body and sends bytes made before."""

from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.serving.variants.answer import ANSWER

HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))]


async def app(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """The same answer to everything, parsed and checked by nobody."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})
