"""One running service among others: its own metrics, and workers that end with it and are replaced one by one."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.support.consorcio import EXAMPLE_APPLICATION
from benchmarks.support.traffic import Traffic, workers
from benchmarks.support.waiting import wait_for
from credit_scoring.serving.rolling import READY_WITHIN_S
from tests.conftest import STOPPED_WITHIN, RunningService, wait_until_ready
from tests.serving.test_failures import assert_kept
from tests.test_service import TARGET, is_ready, is_running, requests_counted, served


def decided_by(running: RunningService) -> int:
    """How many requests to /predict its metrics tell of."""
    return requests_counted(running).get(200, 0)


def send(running: RunningService, count: int) -> None:
    for _ in range(count):
        assert httpx.post(f"{running.url}/predict", json=EXAMPLE_APPLICATION, timeout=30).status_code == 200


def test_services_of_one_home_count_their_own_requests_and_a_start_that_fails_wipes_nothing(
    service: RunningService, model_tag: str, tmp_path: Path
) -> None:
    send(service, 3)
    before = decided_by(service)
    port = str(urlsplit(service.url).port)
    command = [sys.executable, "-m", "bentoml", "serve", TARGET, "--host", "127.0.0.1", "--port", port]
    environment = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    failed = subprocess.run(
        command,
        env=environment | {"CREDIT_SCORING_MODEL": model_tag},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert failed.returncode != 0
    assert decided_by(service) == before >= 3
    with served(tmp_path, CREDIT_SCORING_MODEL=model_tag) as second:
        wait_until_ready(second)
        send(second, 2)
        send(service, 1)
        assert (decided_by(service), decided_by(second)) == (before + 1, 2)


def test_when_the_process_that_starts_workers_is_killed_they_end_and_the_port_is_free(
    model_tag: str, tmp_path: Path
) -> None:
    with served(tmp_path, CREDIT_SCORING_MODEL=model_tag, CREDIT_SCORING_WORKERS="2") as running:
        wait_until_ready(running)
        wait_for(lambda: running.log_text().count("has proved its scores") == 2, "both workers")
        left = [psutil.Process(worker) for worker in workers(running.process.pid)]
        try:
            running.process.kill()
            assert psutil.wait_procs(left, STOPPED_WITHIN)[1] == []
            assert "Traceback" not in running.log_text()
            address = urlsplit(running.url)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address.hostname, address.port))
        finally:
            for worker in left:
                if worker.is_running():
                    worker.kill()


@pytest.mark.parametrize("containerized", [False, True], ids=["here", "in a container"])
def test_on_sighup_workers_are_replaced_one_after_the_other_and_nobody_is_refused(
    model_tag: str, tmp_path: Path, containerized: bool
) -> None:
    """In a container BentoML starts no worker anew by itself."""
    address = f"sqlite:///{tmp_path}/decisions.db"
    settings = {"CREDIT_SCORING_DATABASE_URL": address, "CREDIT_SCORING_WORKERS": "2"}
    if containerized:
        settings["BENTOML_CONTAINERIZED"] = "true"
    with served(tmp_path, CREDIT_SCORING_MODEL=model_tag, **settings) as running:
        wait_until_ready(running)
        wait_for(lambda: running.log_text().count("has proved its scores") == 2, "both workers")
        before = set(workers(running.process.pid))
        with Traffic(running.url, clients=4, pause=0.01) as load:
            load.wait_for_answers(50)
            running.process.send_signal(signal.SIGHUP)
            wait_for(lambda: "All workers have been replaced" in running.log_text(), "new workers", within=300)
            load.wait_for_answers(50)
        after = set(workers(running.process.pid))
        assert (len(before), len(after), before & after) == (2, 2, set())
        assert load.record.refused == 0
        assert is_ready(running)
        assert "Traceback" not in running.log_text()
    assert_kept(address, load.record)


def test_a_new_worker_that_cannot_store_at_first_takes_over_once_it_can(model_tag: str, tmp_path: Path) -> None:
    path, lost = tmp_path / "decisions.db", "Nothing is decided until the decision log can be written."
    settings = {"CREDIT_SCORING_DATABASE_URL": f"sqlite:///{path}", "CREDIT_SCORING_MODEL": model_tag}
    with served(tmp_path, **settings) as running:
        wait_until_ready(running)
        before = workers(running.process.pid)
        with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as other:
            running.process.send_signal(signal.SIGHUP)
            wait_for(partial(newer_than, running, before), "a new worker")
            other.execute("BEGIN IMMEDIATE")
            wait_for(lambda: lost in running.log_text(), "it to find the log locked")
            assert workers(running.process.pid)[0] == before[0]
            other.execute("ROLLBACK")
        wait_for(lambda: "All workers have been replaced" in running.log_text(), "its turn", within=READY_WITHIN_S)
        assert set(before).isdisjoint(workers(running.process.pid))
        assert is_ready(running)


def test_a_worker_stays_until_a_new_one_answers_even_when_the_first_new_one_is_killed(
    model_tag: str, tmp_path: Path
) -> None:
    with served(tmp_path, CREDIT_SCORING_MODEL=model_tag) as running:
        wait_until_ready(running)
        before = workers(running.process.pid)
        os.kill(before[0], signal.SIGHUP)  # meant for the service; a worker leaves it alone
        running.process.send_signal(signal.SIGHUP)
        os.kill(wait_for(partial(newer_than, running, before), "a new worker")[0], signal.SIGKILL)
        wait_for(lambda: "All workers have been replaced" in running.log_text(), "another one", within=300)
        assert running.log_text().count("has proved its scores") == 2
        assert set(before).isdisjoint(workers(running.process.pid))
        assert is_ready(running)
        assert is_running(running)


@pytest.mark.parametrize("containerized", [False, True], ids=["here", "in a container"])
@pytest.mark.parametrize("count", [1, 2])
def test_a_worker_that_is_killed_is_started_again(
    model_tag: str, tmp_path: Path, count: int, containerized: bool
) -> None:
    """By itself BentoML starts none in a container, and elsewhere only when it looks, every 10 s."""
    settings = {"BENTOML_CONTAINERIZED": "true"} if containerized else {}
    with served(tmp_path, CREDIT_SCORING_MODEL=model_tag, CREDIT_SCORING_WORKERS=str(count), **settings) as running:
        wait_for(lambda: workers_told(running) == {"live": count, "configured": count}, "all workers")
        before = workers(running.process.pid)
        os.kill(before[0], signal.SIGKILL)
        wait_for(partial(newer_than, running, before), "a new worker")
        wait_for(lambda: workers_told(running) == {"live": count, "configured": count}, "all workers again")
        assert len(workers(running.process.pid)) == count
        assert before[0] not in workers(running.process.pid)
        assert f"Worker {before[0]} ended (SIGKILL); starting another." in running.log_text()
        assert "Traceback" not in running.log_text()


def test_no_worker_is_started_while_the_service_ends(model_tag: str, tmp_path: Path) -> None:
    with served(tmp_path, CREDIT_SCORING_MODEL=model_tag, CREDIT_SCORING_WORKERS="2") as running:
        wait_for(lambda: workers_told(running).get("live") == 2, "both workers")
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(STOPPED_WITHIN) == 0
        assert running.log_text().count("has proved its scores") == 2
        assert "starting another" not in running.log_text()
        assert "Task was destroyed" not in running.log_text()


def workers_told(running: RunningService) -> dict[str, float]:
    """How many workers its metrics tell of; none while none answers."""
    try:
        text = httpx.get(f"{running.url}/metrics", timeout=30).text
    except httpx.TransportError:
        return {}
    return {
        family.name.removeprefix("credit_scoring_workers_"): family.samples[0].value
        for family in text_string_to_metric_families(text)
        if family.name.startswith("credit_scoring_workers_")
    }


def newer_than(running: RunningService, before: list[int]) -> list[int]:
    return [worker for worker in workers(running.process.pid) if worker not in before]


# Its folder

IMPORTS = "import sys; from pathlib import Path; from credit_scoring.serving import instance"
FOUND = f"{IMPORTS}; instance.found(Path(sys.argv[1]))"
WAIT = "; print(flush=True); sys.stdin.read()"


def started(base: Path) -> "subprocess.Popen[bytes]":
    """A process that has made its folder and waits."""
    command = [sys.executable, "-c", FOUND + WAIT, str(base)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"\n"
    return process


def folders(base: Path) -> set[Path]:
    return set(base.glob("service-*"))


def test_a_start_removes_the_folders_of_services_that_were_killed_and_leaves_those_that_run(tmp_path: Path) -> None:
    base = tmp_path / "services"
    with started(base) as alive, started(base) as killed:
        try:
            assert len(folders(base)) == 2
            killed.kill()
            killed.wait()
            assert len(folders(base)) == 2
            with started(base) as third:
                assert len(folders(base)) == 2
                third.communicate()
            assert len(folders(base)) == 1
        finally:
            alive.communicate()
    assert folders(base) == set()


def test_where_the_home_cannot_be_written_a_service_has_its_folder_elsewhere(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("no folder", encoding="utf-8")
    show = "; import os; print(Path(os.environ[instance.FOLDER_VARIABLE]).is_dir())"
    command = [sys.executable, "-c", FOUND + show, str(home / "services")]
    done = subprocess.run(command, env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, check=True)
    assert done.stdout == b"True\n"
