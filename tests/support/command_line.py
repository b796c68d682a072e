"""The command line, in a process of its own as its users have it, or in this one where that would add nothing."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import sysconfig
import termios
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from credit_scoring.cli.app import app
from credit_scoring.errors import CreditScoringError

COMMAND = Path(sysconfig.get_path("scripts")) / "credit-scoring"
ENDED_WITHIN = 300.0
_USERS = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}  # which is tests'
STYLES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
WALK = """
import shlex, sys
from credit_scoring.cli.app import app
for command in sys.argv[1:]:
    app(shlex.split(command), standalone_mode=False)
    print("\\0", flush=True)
"""
WIDE = {"COLUMNS": "200", "TERM": "xterm", "NO_COLOR": "1"}

Ended = subprocess.CompletedProcess[str]


def run(*arguments: str | Path, stdin: int = subprocess.DEVNULL, umask: int = -1, **environment: str) -> Ended:
    """What a command prints and how it ends; nobody is there to be asked unless `stdin` is a terminal."""
    return subprocess.run(
        [COMMAND, *arguments],
        env={**_USERS, **WIDE, **environment},
        stdin=stdin,
        capture_output=True,
        text=True,
        timeout=ENDED_WITHIN,
        umask=umask,
        check=False,
    )


def error_of(found: Ended) -> str:
    """The message of a failed run: one line, which is all that it may have printed."""
    assert found.returncode == 1
    assert found.stdout == ""
    assert found.stderr.startswith("error: ")
    assert found.stderr.count("\n") == 1
    return found.stderr


def run_here(*arguments: str | Path, **environment: str) -> Any:
    """The same in this process; the result has `exit_code`, `stdout` and `stderr`."""
    return CliRunner(env={**WIDE, **environment}).invoke(app, [str(each) for each in arguments])


def error_here(*arguments: str | Path, **environment: str) -> str:
    """The message of a run that fails in this process; `main` prints it as one line."""
    found = run_here(*arguments, **environment)
    assert isinstance(found.exception, CreditScoringError), found.output
    return str(found.exception)


def walk(*commands: str, **environment: str) -> dict[str, str]:
    """What each command prints, on both streams; all in one process of their own, for to start one takes 3 s."""
    command = [sys.executable, "-c", WALK, *commands]
    done = subprocess.run(
        command,
        env={**_USERS, **WIDE, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=ENDED_WITHIN,
        check=False,
    )
    return _by_command(commands, done.stdout)


def walk_on_terminal(*commands: str, columns: int) -> dict[str, str]:
    """The same, without colours, on a terminal of so many columns."""
    printed = "".join(_on_terminal([sys.executable, "-c", WALK, *commands], columns))
    return _by_command(commands, STYLES.sub("", printed).replace("\r\n", "\n"))


def _by_command(commands: Sequence[str], printed: str) -> dict[str, str]:
    parts = printed.split("\0\n")
    assert len(parts) == len(commands) + 1, printed
    return dict(zip(commands, parts, strict=False))


def _on_terminal(command: list[str], columns: int) -> Iterator[str]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in _USERS.items() if name not in {"COLUMNS", "LINES"}}
    process = subprocess.Popen(
        command, env={**environment, "TERM": "xterm"}, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    try:
        with os.fdopen(ours, encoding="utf-8", newline="") as output, suppress(OSError):  # Linux' way to say the end
            yield from output
    finally:
        process.kill()
        process.wait(ENDED_WITHIN)
