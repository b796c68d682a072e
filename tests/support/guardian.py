"""Ends what a run of the tests has started, once the run itself is gone: in good order, by a signal or by kill -9.

A program of its own that `guarded` starts. Each line that it reads names a folder; processes that work below one are
the run's, as all are that carry its mark in their environment (PostgreSQL's overwrite theirs). The end of the input, or
another parent than at the start, is the end of the run.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

MARK = "TESTS_OF_RUN"
CHECKED_EVERY_S = 1.0
ROUNDS = 100  # of ending what is there: what is being ended may still start something
ENDED_WITHIN = 60.0
TRACKER = b"resource_tracker"  # joblib's and Python's own: ends with the run, which would complain if it went before


class Guardian:
    """The program, seen from the run that it watches."""

    def __init__(self) -> None:
        os.environ[MARK] = uuid.uuid4().hex
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, os.environ[MARK]],
            env={name: value for name, value in os.environ.items() if name != MARK},
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C on a terminal is not for it
        )

    def watch(self, folder: Path | str) -> None:
        """Count what works below this folder to the run; it is removed in the end."""
        assert self._process.stdin
        self._process.stdin.write(f"{folder}\n".encode())
        self._process.stdin.flush()

    def end(self) -> None:
        """Wait until nothing of the run is left."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(ENDED_WITHIN)


def _folders_of_a_run() -> list[str]:
    """Returns once the run has ended."""
    parent, read = os.getppid(), b""
    while os.getppid() == parent:
        if select.select([0], [], [], CHECKED_EVERY_S)[0]:
            chunk = os.read(0, 65536)
            if not chunk:
                break
            read += chunk
    return read.decode().split("\n")[:-1]


def _processes(mark: str, folders: list[str]) -> Iterator[int]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            place = str((process / "cwd").readlink()).removesuffix(" (deleted)")
            is_ours = mark.encode() in (process / "environ").read_bytes()
            if TRACKER in (process / "cmdline").read_bytes():
                continue
        except OSError:  # gone, or somebody else's
            continue
        if is_ours or any(f"{place}/".startswith(f"{folder}/") for folder in folders):
            yield int(process.name)


def _end(mark: str, folders: list[str]) -> None:
    for _ in range(ROUNDS):
        found = [process for process in _processes(mark, folders) if process != os.getpid()]
        if not found:
            return
        for process in found:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.01)


def _main(mark: str) -> None:
    os.chdir("/")
    folders = _folders_of_a_run()
    _end(f"{MARK}={mark}", folders)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
