"""The built Bento: it carries code, model and locked requirements, and answers as the project does."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bentoml
import httpx
import psutil
import pytest
from packaging.requirements import Requirement

from benchmarks.support.consorcio import EXAMPLE_APPLICATION
from credit_scoring.model import champion, store
from credit_scoring.model.promotions import Promotions
from credit_scoring.model.scorer import Scorer
from credit_scoring.settings import CHAMPION, PROJECT_FOLDER
from tests.conftest import RunningService, free_port, stop, wait_until_ready

# BentoML's own switch for its developers: write to the log what would be sent, and send nothing.
SHOW_USAGE_DATA = {"__BENTOML_DEBUG_USAGE": "true"}
WOULD_BE_SENT = "Tracking Payload"


def environment() -> dict[str, str]:
    """As a user's shell has it: nothing set that would turn usage data off."""
    hidden = {"PROMETHEUS_MULTIPROC_DIR", "BENTOML_DO_NOT_TRACK"}
    return {**{name: value for name, value in os.environ.items() if name not in hidden}, **SHOW_USAGE_DATA}


def run_bentoml(*arguments: str) -> str:
    """What a `bentoml` command prints, in the project's folder."""
    run = subprocess.run(
        [sys.executable, "-m", "bentoml", *arguments],
        cwd=PROJECT_FOLDER,
        env=environment(),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


@pytest.fixture(scope="module")
def newer(model_tag: str, scorer: Scorer) -> Iterator[str]:
    """A model that was stored after the champion."""
    tag = store.save(scorer)
    yield tag
    bentoml.models.delete(tag)


@pytest.fixture(scope="module")
def build_output(model_tag: str, newer: str) -> Iterator[str]:
    """What `bentoml build` prints where the older model is champion."""
    record = Promotions.of_store()
    champion.promote(model_tag, "ana", "first")
    yield run_bentoml("build", "--output", "tag")
    record.path.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def bento(build_output: str) -> Any:
    found = re.search(r"__tag__:(\S+)", build_output)
    assert found, build_output
    return bentoml.bentos.get(found[1])


@pytest.fixture(scope="module")
def served_bento(bento: Any, newer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """The Bento served from a folder that has nothing to do with the project, after another model was promoted."""
    champion.promote(newer, "bia", "better")
    folder, port = tmp_path_factory.mktemp("elsewhere"), free_port()
    command = [sys.executable, "-m", "bentoml", "serve", str(bento.tag), "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=folder,
            env=environment(),
            start_new_session=True,
        )
    running = RunningService(f"http://127.0.0.1:{port}", folder / "log", process)
    try:
        wait_until_ready(running)
        yield running
    finally:
        stop(process)


def pins(file: Path) -> set[tuple[str, str]]:
    """Name and version of each requirement, hashes and markers aside."""
    logical_lines = file.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    requirements = [Requirement(line.partition(" --hash")[0]) for line in logical_lines if re.match(r"\w", line)]
    return {(requirement.name, str(requirement.specifier)) for requirement in requirements}


def test_the_bento_carries_the_champion_by_its_own_tag_with_who_promoted_it_and_why(bento: Any, model_tag: str) -> None:
    (model,) = bento.info.all_models
    assert str(model.tag) == model_tag
    promotion = model.metadata["promotion"]
    assert (promotion["tag"], promotion["by"], promotion["reason"]) == (model_tag, "ana", "first")


def test_the_bento_carries_the_code_its_pages_and_its_mappings(bento: Any) -> None:
    inside = Path(bento.path) / "src" / "credit_scoring"
    outside = PROJECT_FOLDER / "credit_scoring"
    missing = [file for file in outside.rglob("*.*") if not (inside / file.relative_to(outside)).exists()]
    assert [file for file in missing if "__pycache__" not in file.parts] == []


def test_the_bento_carries_no_training_data(bento: Any) -> None:
    assert list(Path(bento.path).rglob("*.csv")) == []


def test_the_bento_requires_exactly_what_the_lock_file_holds_for_serving(bento: Any) -> None:
    locked = pins(PROJECT_FOLDER / "requirements" / "serve.txt")
    assert len(locked) > 50
    assert pins(Path(bento.path) / "env" / "python" / "requirements.txt") == locked


def test_the_built_bento_answers_with_its_own_model_whatever_was_promoted_since(
    served_bento: RunningService, model_tag: str, newer: str
) -> None:
    assert str(store.find(CHAMPION).tag) == newer
    assert httpx.post(f"{served_bento.url}/predict", json=EXAMPLE_APPLICATION).json()["model"] == model_tag


def test_the_built_bento_gives_the_same_risk_as_the_project(
    served_bento: RunningService, service: RunningService
) -> None:
    built, here = (
        httpx.post(f"{each.url}/predict", json=EXAMPLE_APPLICATION).json() for each in (served_bento, service)
    )
    changing = {"decision_id"}
    assert {key: built[key] for key in set(built) - changing} == {key: here[key] for key in set(here) - changing}


def test_the_built_bento_is_documented_as_the_project_is(served_bento: RunningService, service: RunningService) -> None:
    assert httpx.get(f"{served_bento.url}/").status_code == 200
    built, here = (httpx.get(f"{each.url}/docs.json").json() for each in (served_bento, service))
    assert built == here


def test_a_build_sends_no_usage_data(build_output: str) -> None:
    assert WOULD_BE_SENT not in build_output


def test_a_served_bento_sends_no_usage_data(served_bento: RunningService) -> None:
    workers = psutil.Process(served_bento.process.pid).children(recursive=True)
    assert workers
    assert {worker.environ().get("BENTOML_DO_NOT_TRACK") for worker in workers} == {"True"}
    assert WOULD_BE_SENT not in served_bento.log_text()


def test_usage_data_that_would_be_sent_would_be_seen(model_tag: str) -> None:
    """Without this the two tests above could pass because BentoML has changed its words."""
    assert WOULD_BE_SENT in run_bentoml("models", "list")
