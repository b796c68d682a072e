"""What tests share: the embedded data, one small trained scorer, and the service really served from it."""

import fcntl
import functools
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, settings

from tests.support.guardian import Guardian

# The shell ignores Ctrl-C for what it runs in the background, and so would all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

GUARDIAN = Guardian()
_HOME = tempfile.mkdtemp(prefix="credit-scoring-tests-")
GUARDIAN.watch(_HOME)
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # threads of a model that wait would take the processor from other tests
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # and so would those of its small matrices, which wait for each other
os.environ["BENTOML_HOME"] = f"{_HOME}/bentoml"
os.environ["PROMETHEUS_MULTIPROC_DIR"] = f"{_HOME}/prometheus"
Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).mkdir()

import bentoml  # noqa: E402 - both variables are read on import

from benchmarks.support.ports import free_port as free_port  # noqa: E402, PLC0414 - as above; tests have it from here
from benchmarks.support.postgres import Postgres, throwaway  # noqa: E402 - as above
from benchmarks.support.postgres import missing as postgres_missing  # noqa: E402 - as above
from benchmarks.support.waiting import POLL_S, answers  # noqa: E402 - as above
from credit_scoring.data.datasets import Dataset, load_embedded  # noqa: E402 - as above
from credit_scoring.decisions import schema_version  # noqa: E402 - as above
from credit_scoring.decisions.connect import open_database  # noqa: E402 - as above
from credit_scoring.model import store  # noqa: E402 - both variables are read on import
from credit_scoring.model.promotions import Promotions  # noqa: E402 - as above
from credit_scoring.model.scorer import Scorer  # noqa: E402 - as above
from credit_scoring.settings import PROJECT_FOLDER  # noqa: E402 - as above
from credit_scoring.training.config import TrainingPlan  # noqa: E402 - as above
from credit_scoring.training.train import train  # noqa: E402 - as above

# How fast a machine generates examples is not what tests are about.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# Each of the many clients of tests would read all certificates there are, for 30 ms, and then speak plain HTTP.
_transports: Any = httpx._transports.default
_transports.create_ssl_context = functools.cache(_transports.create_ssl_context)

READY_WITHIN = 240.0
STOPPED_WITHIN = 60.0


def pytest_unconfigure() -> None:
    GUARDIAN.end()


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return load_embedded(PROJECT_FOLDER / "data")


@pytest.fixture(scope="session")
def scorer(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    """A scorer from the shortest search there is; of pytest's workers the first one trains it for all."""

    def trained() -> Scorer:
        return train(dataset, TrainingPlan(trials=1, jobs=1, repeats=1, folds=3))

    if "PYTEST_XDIST_WORKER" not in os.environ:
        return trained()
    return _made_once(tmp_path_factory.getbasetemp().parent / "scorer.pickle", trained)


def _made_once(path: Path, make: Callable[[], Scorer]) -> Scorer:
    """What the first process has made that asks for it; the others wait for that."""
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            path.write_bytes(pickle.dumps(make()))
    found: Scorer = pickle.loads(path.read_bytes())  # noqa: S301 - our own
    return found


@pytest.fixture(scope="session")
def model_tag(scorer: Scorer) -> str:
    return store.save(scorer)


@pytest.fixture
def published() -> Iterator[Callable[[], list[str]]]:
    """Gives the tags that the test has added to the store so far; they are removed from it in the end.

    So are promotions: the first training in a store makes one.
    """

    def tags() -> set[str]:
        return {str(model.tag) for model in bentoml.models.list()}

    before = tags()
    yield lambda: sorted(tags() - before)
    for each in tags() - before:
        bentoml.models.delete(each)
    Promotions.of_store().path.unlink(missing_ok=True)


@pytest.fixture
def promotions() -> Iterator[Promotions]:
    """The store's record of promotions, empty; removed in the end."""
    record = Promotions.of_store()
    record.path.unlink(missing_ok=True)
    yield record
    record.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class RunningService:
    """A service in its own processes, as `bentoml serve` starts it."""

    url: str
    log: Path
    process: "subprocess.Popen[bytes]"

    def log_text(self) -> str:
        return self.log.read_text(encoding="utf-8")


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
    folder = tmp_path_factory.mktemp("service")
    running = start_service("credit_scoring.service:CreditScoring", folder, CREDIT_SCORING_MODEL=model_tag)
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
    with throwaway(fsync=False) as server:
        GUARDIAN.watch(server.folder)
        _servers.append(server)
        yield server
        _servers.remove(server)


_servers: list[Postgres] = []

# First what takes longest, so that no worker of pytest has it before itself when the others are through; and the first
# two not both in need of the scorer.
LONGEST = (
    "test_failures",
    "test_alerts",
    "test_monitoring",
    "test_app",
    "test_instance",
    "test_suite",
    "test_service",
    "test_train",
    "test_sources",
    "test_candidates",
    "test_monitor",
    "test_drift_report",
)


# What `make test` leaves to `make test-all`: modules that train, build, start many processes, drive a browser, Spark or
# Prometheus' tools, or overload and kill services of their own. So it does all that needs PostgreSQL, and tests with a
# mark: to start a service takes 5 s of a processor, so in the quick tests many share each, and none has its own.
SLOW = {
    *LONGEST,
    "test_accessibility",
    "test_approved",
    "test_backtest",
    "test_backtest_page",
    "test_bad_input",
    "test_bento",
    "test_bento_clients",
    "test_browser",
    "test_champion_served",
    "test_comparison",
    "test_decision_upkeep",
    "test_directions",
    "test_engines",
    "test_folds",
    "test_growth",
    "test_job",
    "test_journal",
    "test_local",
    "test_notebooks",
    "test_openapi",
    "test_out_of_time",
    "test_prices",
    "test_reasons_of_rows",
    "test_release_model",
    "test_rollout",
    "test_scikit_learn",
    "test_score",
    "test_score_spark",
    "test_spark_cluster",
    "test_spark_search",
    "test_spool",
    "test_walk",
    "test_what_if",
} - {
    "test_service"
}  # of which only what is marked is slow


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What is slow as a whole is not even imported where nothing slow is asked for."""
    return True if "not slow" in config.option.markexpr and collection_path.stem in SLOW else None


@pytest.hookimpl(tryfirst=True)  # before pytest selects by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))
    for item in items:
        if item.path.stem in SLOW or _needs_postgres(item):
            item.add_marker(pytest.mark.slow)


def _needs_postgres(item: pytest.Item) -> bool:
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    kinds = [each for each in parameters.values() if isinstance(each, str)]
    return "postgres" in getattr(item, "fixturenames", ()) or "postgresql" in kinds


_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def pytest_make_parametrize_id(val: object) -> str | None:
    """A test of a new id has the same name in every worker of pytest."""
    return _UUID.sub("uuid", str(val)) if isinstance(val, str | UUID) and _UUID.search(str(val)) else None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Function) -> None:
    """One test's outage of PostgreSQL is one test's failure: the next one finds it up."""
    for server in _servers:
        if {"postgres", "address"} & set(item.fixturenames):
            server.bring_up()


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a new database with the decision log's tables, of both kinds in turn."""
    if request.param == "sqlite":
        yield make_sqlite_log(tmp_path)
        return
    server: Postgres = request.getfixturevalue("postgres")
    log = server.decision_log()
    yield log
    with suppress(subprocess.CalledProcessError):  # of a server that the test has left down it goes in the end
        server.drop(log)


def make_sqlite_log(folder: Path) -> str:
    """The address of a new decision log in this folder: a copy, since to make the tables takes 40 ms."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in _new_sqlite_log().glob("decisions.db*"):
        shutil.copy(path, folder)
    return f"sqlite:///{folder}/decisions.db"


@functools.cache
def _new_sqlite_log() -> Path:
    folder = Path(tempfile.mkdtemp(dir=_HOME))
    open_database(f"sqlite:///{folder}/decisions.db").run_now(schema_version.upgrade)
    return folder
