"""What belongs to one running service: a folder that its workers share, and workers that end when it ends."""

import atexit
import ctypes
import fcntl
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER_VARIABLE = "CREDIT_SCORING_INSTANCE_FOLDER"  # set by a service for its workers
PARENT_VARIABLE = "CREDIT_SCORING_INSTANCE_PROCESS"
DECIDES = "A worker that starts now would decide."
MODEL_VARIABLE = "CREDIT_SCORING_INSTANCE_MODEL"  # the folder of the model that new workers load

_PR_SET_PDEATHSIG = 1
_locks: list[int] = []  # file descriptors; held open as long as this process lives


def found(base: Path) -> None:
    """Make a folder for this service and its workers; remove those of services that have ended, however they did."""
    try:
        base.mkdir(parents=True, exist_ok=True)
    except OSError:  # nothing need be written in BentoML's home otherwise
        base = Path(tempfile.mkdtemp(prefix="credit-scoring-"))
    with _locked(base / "lock"):
        for other in base.glob("service-*"):
            _remove_if_stale(other)
        folder = Path(tempfile.mkdtemp(prefix="service-", dir=base))
        _locks.append(_lock(folder / "alive"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ |= {FOLDER_VARIABLE: str(folder), PARENT_VARIABLE: str(os.getpid())}


def join() -> None:
    """In a worker: end when the service ends, however it does, and leave SIGHUP to it; elsewhere this does nothing."""
    if os.environ.get(PARENT_VARIABLE) in (None, str(os.getpid())):
        return
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGTERM))
    if os.environ[PARENT_VARIABLE] != str(os.getppid()):
        sys.exit("The service that started this worker has ended.")


def tell_ready() -> None:
    """In a worker: tell the service that this worker answers."""
    if folder := os.environ.get(FOLDER_VARIABLE):
        (Path(folder) / f"ready-{os.getpid()}").touch()


def is_ready(process: int) -> bool:
    """Whether this worker has told that it answers."""
    return (Path(os.environ[FOLDER_VARIABLE]) / f"ready-{process}").exists()


def _remove_if_stale(folder: Path) -> None:
    with suppress(OSError):  # somebody holds the lock, or another start removes it, too
        os.close(_lock(folder / "alive"))
        shutil.rmtree(folder)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    held = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _lock(path: Path) -> int:
    """Lock this file until the descriptor is closed; raises OSError where another process has."""
    held = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        raise
    return held
