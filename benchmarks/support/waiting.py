"""Waiting for conditions instead of sleeping, and asking for programs that may not be here."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

WITHIN_S = 180.0
POLL_S = 0.05

T = TypeVar("T")


def wait_for(condition: Callable[[], T], what: str, within: float = WITHIN_S) -> T:
    """What the condition gives once it is true; raises TimeoutError when that takes too long."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {within:g} s in vain for {what}.")
        time.sleep(POLL_S)
    return found


def answers(url: str) -> bool:
    """Whether this address answers with 200 now."""
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def keep_answering(url: str) -> bool:
    """Whether a score of requests all get 200: which worker answers is the system's choice, so many ask each."""
    return all(answers(url) for _ in range(20))


def require(name: str, way: str, folder: Path | None = None) -> str:
    """The path of a program, looked for in `folder` first; where it is absent skip loudly, under CI fail."""
    places = ([str(folder)] if folder else []) + [os.environ["PATH"]]
    if found := shutil.which(name, path=os.pathsep.join(places)):
        return found
    if "CI" in os.environ:
        pytest.fail(f"no {name}; in CI this has to come first: {way}")
    pytest.skip(f"TESTS NOT RUN, no {name}: {way}")
