"""The tests' own ground: what a run starts ends with it, Ctrl-C reaches what tests start, an outage is one test's."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from benchmarks.support.postgres import Postgres
from benchmarks.support.waiting import wait_for
from credit_scoring.settings import PROJECT_FOLDER

ENDED_WITHIN = 180.0
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", "-c", os.devnull]
SERVES_AND_WAITS = """
import signal
from pathlib import Path
import psutil
from tests.conftest import start_service, wait_until_ready

def test_serves(tmp_path, postgres):
    postgres.decision_log()
    service = start_service("credit_scoring.service:CreditScoring", tmp_path, **{settings!r})
    wait_until_ready(service)
    told = Path({told!r})
    family = psutil.Process(service.process.pid).children(recursive=True)
    server = (postgres.folder / "data" / "postmaster.pid").read_text().split()[0]
    lines = [service.process.pid, server, *(each.pid for each in family)]
    told.with_suffix(".new").write_text(" ".join(map(str, lines)))
    told.with_suffix(".new").rename(told)
    signal.pause()
"""
STARTS_AND_WAITS = """
import signal, subprocess, sys
from pathlib import Path

def test_starts():
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    told = Path({told!r})
    told.with_suffix(".new").write_text(str(process.pid))
    told.with_suffix(".new").rename(told)
    signal.pause()
"""
ASKS_A_CHILD = """
import signal, subprocess, sys

def test_asks():
    code = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "True\\n"
"""


@contextmanager
def running(path: Path, content: str, *start: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A run of pytest over a file of its own; it has ended when the block is left."""
    path.write_text(content, encoding="utf-8")
    command = [*start, *PYTEST, f"--rootdir={path.parent}", str(path)]
    with (path.parent / "pytest.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=PROJECT_FOLDER, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait(ENDED_WITHIN)


def test_a_killed_run_leaves_neither_a_service_nor_a_database_server_behind(
    model_tag: str, postgres: Postgres, tmp_path: Path
) -> None:
    told = tmp_path / "processes"
    settings = {"BENTOML_HOME": os.environ["BENTOML_HOME"], "CREDIT_SCORING_MODEL": model_tag}
    started = ended(signal.SIGKILL, SERVES_AND_WAITS.format(settings=settings, told=str(told)), told)
    assert len(started) > 2
    assert postgres.run("SELECT 1") == "1"  # this run's own goes on


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_told_to_end_leaves_no_process_behind(ending: signal.Signals, tmp_path: Path) -> None:
    told = tmp_path / "processes"
    assert len(ended(ending, STARTS_AND_WAITS.format(told=str(told)), told)) == 1


def ended(ending: signal.Signals, content: str, told: Path) -> list[int]:
    """The processes that a run had started when it got this signal; returns when they have gone."""
    with running(told.parent / "test_it.py", content) as run:
        wait_for(lambda: told.exists() or run.poll() is not None, "what the run starts", within=400)
        assert run.poll() is None, (told.parent / "pytest.log").read_text(encoding="utf-8")
        started = [int(each) for each in told.read_text(encoding="utf-8").split()]
        run.send_signal(ending)
        run.wait(ENDED_WITHIN)
        wait_for(lambda: not any(map(is_running, started)), "the end of what the run has started")
    return started


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_what_tests_start_can_be_ended_by_ctrl_c_even_in_the_background(tmp_path: Path) -> None:
    """A shell has its background jobs ignore SIGINT, as `trap` does here, and every child would inherit that."""
    with running(tmp_path / "test_it.py", ASKS_A_CHILD, "sh", "-c", "trap '' INT; exec \"$@\"", "sh") as run:
        assert run.wait(ENDED_WITHIN) == 0, (tmp_path / "pytest.log").read_text(encoding="utf-8")


def test_a_server_that_a_test_left_down_is_brought_up_with_all_that_was_stored(postgres: Postgres) -> None:
    name = postgres.database().rpartition("/")[2]
    postgres.run("CREATE TABLE kept AS SELECT 1 AS value", name)
    for leave_down in (postgres.stop, postgres.crash):
        leave_down()
        with pytest.raises(subprocess.CalledProcessError):
            postgres.run("SELECT value FROM kept", name)
        postgres.bring_up()
        assert postgres.run("SELECT value FROM kept", name) == "1"


def test_a_server_that_runs_is_left_alone(postgres: Postgres) -> None:
    since = postgres.run("SELECT pg_postmaster_start_time()")
    postgres.bring_up()
    assert postgres.run("SELECT pg_postmaster_start_time()") == since


class TestAfterAnOutage:
    """In this order: the first test fails its duty to bring the server up again."""

    def test_one_leaves_it_down(self, postgres: Postgres) -> None:
        postgres.crash()

    def test_the_next_one_finds_it_up(self, postgres: Postgres) -> None:
        assert postgres.run("SELECT 1") == "1"
