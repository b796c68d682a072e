"""A service that serves the champion: which model answers, and when a promotion reaches it."""

import os
import shutil
import signal
from pathlib import Path

import httpx
import psutil
import pytest

from benchmarks.support.consorcio import EXAMPLE_APPLICATION
from benchmarks.support.traffic import workers
from benchmarks.support.waiting import wait_for
from tests.conftest import RunningService, wait_until_ready
from tests.support.command_line import run
from tests.test_service import is_ready, served


@pytest.fixture
def home(model_tag: str, tmp_path: Path) -> Path:
    """A store of its own with one model."""
    place = Path("models", *model_tag.split(":"))
    shutil.copytree(Path(os.environ["BENTOML_HOME"]) / place, tmp_path / "home" / place)
    return tmp_path / "home"


def with_a_copy(home: Path, model_tag: str) -> str:
    """The tag of a second model in this store: the first one under another version."""
    name, version = model_tag.split(":")
    shutil.copytree(home / "models" / name / version, home / "models" / name / "second")
    card = home / "models" / name / "second" / "model.yaml"
    card.write_text(card.read_text(encoding="utf-8").replace(version, "second"), encoding="utf-8")
    return f"{name}:second"


def promote(home: Path, tag: str) -> None:
    found = run("models", "promote", tag, "--reason", "a test", BENTOML_HOME=str(home))
    assert found.returncode == 0, found.stderr


def answered_by(running: RunningService) -> str:
    answer = httpx.post(f"{running.url}/predict", json=EXAMPLE_APPLICATION, timeout=30)
    assert answer.status_code == 200, answer.text
    model: str = answer.json()["model"]
    return model


def kill_worker(running: RunningService) -> None:
    """End the only worker and wait until its successor is ready."""
    before = wait_for(lambda: workers(running.process.pid), "a worker")
    for each in before:
        psutil.Process(each).kill()
    wait_for(lambda: set(workers(running.process.pid)) - set(before) and is_ready(running), "a new worker")


def test_the_champion_is_served_by_its_own_tag_and_a_promotion_arrives_on_sighup_only(
    home: Path, model_tag: str, tmp_path: Path
) -> None:
    second = with_a_copy(home, model_tag)
    promote(home, model_tag)
    with served(tmp_path, BENTOML_HOME=str(home)) as running:
        wait_until_ready(running)
        assert answered_by(running) == model_tag
        promote(home, second)
        kill_worker(running)
        assert answered_by(running) == model_tag, "a worker that was restarted serves what the others do"
        running.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "All workers have been replaced" in running.log_text(), "new workers", within=300)
        wait_for(lambda: len(workers(running.process.pid)) == 1, "the end of the old worker")
        assert answered_by(running) == second
        kill_worker(running)
        assert answered_by(running) == second
        assert ":champion" not in running.log_text()
        assert f"Model {second} is loaded" in running.log_text()


def test_a_champion_that_is_gone_stops_no_running_service(home: Path, model_tag: str, tmp_path: Path) -> None:
    second = with_a_copy(home, model_tag)
    promote(home, model_tag)
    with served(tmp_path, BENTOML_HOME=str(home)) as running:
        wait_until_ready(running)
        promote(home, second)
        shutil.rmtree(home / "models" / Path(*second.split(":")))
        running.process.send_signal(signal.SIGHUP)
        wait_for(
            lambda: f"The workers stay as they are: The champion {second}" in running.log_text(),
            "the reason in the log",
        )
        assert answered_by(running) == model_tag
        assert "Traceback" not in running.log_text()


def test_a_store_in_which_nothing_was_promoted_serves_its_newest_model_and_says_so(
    home: Path, model_tag: str, tmp_path: Path
) -> None:
    with served(tmp_path, BENTOML_HOME=str(home)) as running:
        wait_until_ready(running)
        assert answered_by(running) == model_tag
        assert running.log_text().count(f"No model has been promoted yet: {model_tag}, the newest, is used") == 1
