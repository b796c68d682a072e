"""The virtual environments of the peers, whose dependencies must not enter the project's lock.

Each is made on first use from a file of pinned versions, and gets the libraries that decide speed and scores in the
very versions that this process runs with, so that the servers differ and nothing else does.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.serving import processes

FOLDER = Path(__file__).parent
VENVS_FOLDER = FOLDER.parent / ".venv-peers"
INSTALLED_FILE = "installed.txt"
INSTALL_WITHIN_S = 900.0

SCORING = ("scikit-learn", "scipy", "numpy", "pandas", "joblib", "lightgbm", "xgboost-cpu")
VALIDATING = ("pydantic", "pydantic-core", "pydantic-settings")
SERVING = ("starlette", "uvicorn", "uvloop", "httptools", "prometheus-client")


class InstallError(Exception):
    """A peer's environment could not be made; the message is the reason."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment by name: its file of pinned versions and the libraries it shares with the project."""

    name: str
    requirements: Path
    shared: tuple[str, ...]

    @property
    def bin(self) -> Path:
        """The folder of its commands."""
        return VENVS_FOLDER / self.name / "bin"

    def make(self) -> None:
        """Install it unless it is there already; raises InstallError with pip's reason."""
        wanted = self._wanted()
        marker = VENVS_FOLDER / self.name / INSTALLED_FILE
        if marker.is_file() and marker.read_text(encoding="utf-8") == wanted:
            return
        shutil.rmtree(VENVS_FOLDER / self.name, ignore_errors=True)
        VENVS_FOLDER.mkdir(exist_ok=True)
        _run([sys.executable, "-m", "venv", str(VENVS_FOLDER / self.name)])
        with _text_file(wanted) as path:
            _run([str(self.bin / "python"), "-m", "pip", "install", "--disable-pip-version-check", "-r", str(path)])
        marker.write_text(wanted, encoding="utf-8")

    def _wanted(self) -> str:
        pins = "".join(f"{name}=={version(name)}\n" for name in self.shared)
        return self.requirements.read_text(encoding="utf-8") + pins


FASTAPI = Environment("fastapi", FOLDER / "peers.txt", SCORING + VALIDATING + SERVING)
GRANIAN = Environment("granian", FOLDER / "peers-granian.txt", ("uvloop",))
MLSERVER = Environment("mlserver", FOLDER / "peers-mlserver.txt", SCORING + VALIDATING)


@contextmanager
def _text_file(text: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requirements.txt"
        path.write_text(text, encoding="utf-8")
        yield path


def _run(command: list[str]) -> None:
    process = subprocess.Popen(  # noqa: S603 - commands of this benchmark
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        output, _ = process.communicate(timeout=INSTALL_WITHIN_S)
    except subprocess.TimeoutExpired as error:
        raise InstallError(f"{command[2]} took longer than {INSTALL_WITHIN_S:.0f} s") from error
    finally:
        processes.stop(process)
    if process.returncode:
        raise InstallError(_reason(output.decode(errors="replace")))


def _reason(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return "cannot be installed: " + (errors or lines or ["no output"])[-1].removeprefix("ERROR: ")
