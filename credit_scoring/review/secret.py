"""The secret that signs sessions: of a file that a lender names, or made for one running service and its workers."""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from credit_scoring.errors import ConfigurationError
from credit_scoring.serving.instance import FOLDER_VARIABLE

SETTING = "CREDIT_SCORING_REVIEW_SECRET_FILE"
SIZE = 32  # bytes


def read_secret(file: Path) -> bytes:
    """The secret in a file; raises ConfigurationError where it is missing or short."""
    try:
        found = file.read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(f"{SETTING}={file}: cannot be read ({error.strerror}).") from error
    if len(found) < SIZE:
        raise ConfigurationError(
            f"{SETTING}={file}: {len(found)} bytes, expected at least {SIZE}. Make it with `openssl rand -hex 32`."
        )
    return found


def shared_secret() -> bytes:
    """One secret for all workers of this service, those that come later included; by itself a process has its own."""
    folder = os.environ.get(FOLDER_VARIABLE)
    return _made_once(Path(folder) / "review-secret") if folder else secrets.token_bytes(SIZE)


def _made_once(path: Path) -> bytes:
    """The content of a file that the first who asks makes, whole before anyone can read it."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(SIZE))
    with suppress(FileExistsError):
        os.link(draft, path)
    Path(draft).unlink()
    return path.read_bytes()
