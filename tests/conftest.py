"""What tests share: the embedded data, one small trained scorer, and the service really served from it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

_HOME = tempfile.mkdtemp(prefix="credit-scoring-tests-")
os.environ["BENTOML_HOME"] = f"{_HOME}/bentoml"
os.environ["PROMETHEUS_MULTIPROC_DIR"] = f"{_HOME}/prometheus"
Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).mkdir()

from credit_scoring import schema_version, store  # noqa: E402 - both variables are read on import
from credit_scoring.datasets import Dataset, load_embedded  # noqa: E402 - as above
from credit_scoring.plan import TrainingPlan  # noqa: E402 - as above
from credit_scoring.scorer import Scorer  # noqa: E402 - as above
from credit_scoring.settings import PROJECT_FOLDER  # noqa: E402 - as above
from credit_scoring.storage import open_database  # noqa: E402 - as above
from credit_scoring.training import train  # noqa: E402 - as above
from tests.postgres import Postgres, throwaway  # noqa: E402 - as above
from tests.postgres import missing as postgres_missing  # noqa: E402 - as above
from tests.waiting import POLL_S, answers  # noqa: E402 - as above

# How fast a machine generates examples is not what tests are about.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

READY_WITHIN = 60.0
STOPPED_WITHIN = 20.0


def pytest_sessionfinish() -> None:
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return load_embedded(PROJECT_FOLDER / "data")


@pytest.fixture(scope="session")
def scorer(dataset: Dataset) -> Scorer:
    """A scorer from the shortest search there is."""
    return train(dataset, TrainingPlan(trials=1, jobs=1, repeats=1, folds=3))


@pytest.fixture(scope="session")
def model_tag(scorer: Scorer) -> str:
    return store.save(scorer)


@dataclass(frozen=True)
class RunningService:
    """A service in its own processes, as `bentoml serve` starts it."""

    url: str
    log: Path
    process: "subprocess.Popen[bytes]"

    def log_text(self) -> str:
        return self.log.read_text(encoding="utf-8")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_ready(service: RunningService) -> None:
    """Return once the service answers that it is ready; fail with its log when it ends or takes too long."""
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline and service.process.poll() is None:
        if answers(f"{service.url}/readyz"):
            return
        time.sleep(POLL_S)
    pytest.fail(f"The service did not become ready:\n{service.log_text()}")


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End a process group that a test started, politely first."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOPPED_WITHIN)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOPPED_WITHIN)


def start_service(target: str, folder: Path, **environment: str) -> RunningService:
    """`bentoml serve target` on a free loopback port, its log in `folder`."""
    port = free_port()
    log = folder / f"service-{port}.log"
    command = [sys.executable, "-m", "bentoml", "serve", target, "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=PROJECT_FOLDER,
            env=_environment(environment),
            start_new_session=True,
        )
    return RunningService(f"http://127.0.0.1:{port}", log, process)


def _environment(changes: dict[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    return {**inherited, **changes}


@pytest.fixture(scope="session")
def service(model_tag: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """The service on the small scorer, shared by all tests that only send requests."""
    running = start_service("credit_scoring.service:CreditScoring", tmp_path_factory.mktemp("service"))
    try:
        wait_until_ready(running)
        yield running
    finally:
        stop(running.process)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of our own; tests that need one say so loudly where there is none."""
    if reason := postgres_missing():
        if "CI" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    with throwaway() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a new database with the decision log's tables, of both kinds in turn."""
    if request.param == "postgresql":
        log: str = request.getfixturevalue("postgres").decision_log()
        return log
    return make_sqlite_log(tmp_path)


def make_sqlite_log(folder: Path) -> str:
    """The address of a new decision log in this folder."""
    address = f"sqlite:///{folder}/decisions.db"
    open_database(address).run_now(schema_version.upgrade)
    return address
