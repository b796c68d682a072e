"""What tests of generated clients share: the generators, in folders of their own, and a service that asks for a key."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from credit_scoring.serving.auth import Scope, entry
from tests.conftest import RunningService, stop, wait_until_ready
from tests.conftest import start_service as started

FOLDER = Path(__file__).parent
KEY = f"cs_for-generated-clients-{'x' * 32}"
TIMEOUT_S = 300


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """What a command prints on standard output; fails with all that it printed."""
    done = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def without(tool: str) -> None:
    """Skip loudly; under CI fail."""
    reason = f"GENERATED CLIENTS NOT TESTED: no {tool}"
    if "CI" in os.environ:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has openapi-python-client and nothing of ours."""
    folder = tmp_path_factory.mktemp("python")
    run(sys.executable, "-m", "venv", folder, cwd=folder)
    pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", FOLDER / "requirements.txt")
    run(folder / "bin" / "python", *pip, cwd=folder)
    return folder / "bin" / "python"


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with openapi-typescript, openapi-fetch, tsc and tsx in node_modules."""
    if not (shutil.which("node") and shutil.which("npm")):
        without("node and npm")
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json", "tsconfig.json"):
        shutil.copy(FOLDER / name, folder)
    run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", cwd=folder)
    return folder


@pytest.fixture(scope="session")
def keyed(model_tag: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service with a key that is good for all."""
    folder = tmp_path_factory.mktemp("keyed")
    (folder / "keys.toml").write_text(entry("erp-2026", KEY, frozenset(Scope), "erp"), encoding="utf-8")
    running = started(
        "credit_scoring.service:CreditScoring",
        folder,
        CREDIT_SCORING_API_KEYS_FILE=str(folder / "keys.toml"),
        CREDIT_SCORING_DATABASE_URL=f"sqlite:///{folder}/decisions.db",
        CREDIT_SCORING_MODEL=model_tag,
    )
    try:
        wait_until_ready(running)
        yield running
    finally:
        stop(running.process)


@pytest.fixture
def access(keyed: RunningService) -> dict[str, str]:
    """Where examples find the service and their key."""
    return {"CREDIT_SCORING_URL": keyed.url, "CREDIT_SCORING_KEY": KEY}
