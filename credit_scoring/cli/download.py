"""A file from the web, for commands that know its hash."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from credit_scoring.errors import ModelNotFoundError

MAX_BYTES = 1 << 30
MAX_SECONDS = 600.0
STANDSTILL_S = 15.0


def is_url(text: str) -> bool:
    """Whether this names a file of the web."""
    return text.startswith(("https://", "http://"))


@contextmanager
def downloaded(url: str) -> Iterator[tuple[Path, str]]:
    """The file behind a URL, in a folder that ends with the block, and the URL as it may be shown.

    Raises ModelNotFoundError when it cannot be had.
    """
    try:
        shown = _shown(url)
    except ValueError:  # its message may have a part of a password
        raise ModelNotFoundError("The address cannot be read as a URL: expected https://host/path.") from None
    with tempfile.TemporaryDirectory(prefix="credit-scoring-") as folder:
        path = Path(folder) / (Path(urlsplit(url).path).name or "model")
        try:
            _fetch(url, path, shown)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ModelNotFoundError(f"{shown}: cannot be fetched ({_reason(error)}). Check the address.") from None
        except OSError as error:
            raise ModelNotFoundError(f"{shown}: cannot be kept in {folder} ({error.strerror}).") from None
        yield path, shown


def _fetch(url: str, path: Path, shown: str) -> None:
    deadline, size = time.monotonic() + MAX_SECONDS, 0
    with httpx.stream("GET", url, follow_redirects=True, timeout=STANDSTILL_S) as answer, path.open("wb") as file:
        answer.raise_for_status()
        for chunk in answer.iter_bytes():
            size += len(chunk)
            if size > MAX_BYTES:
                raise ModelNotFoundError(f"{shown}: is larger than {MAX_BYTES >> 20:,} MB, which no model is.")
            if time.monotonic() > deadline:
                raise ModelNotFoundError(
                    f"{shown}: took longer than {MAX_SECONDS:g} s. Fetch it first, import the file."
                )
            file.write(chunk)


def _shown(url: str) -> str:
    """Without user, query and fragment, where secrets of a signed address stand."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"status {error.response.status_code}"
    return type(error).__name__
