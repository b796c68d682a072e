"""What tests on a container engine share: the engine itself, and the image, built as `make image` does."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from benchmarks.support.waiting import answers, wait_for
from credit_scoring.settings import PROJECT_FOLDER

IMAGE = "credit-scoring:tests"
HARDENED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/tmp")
HOME = "--tmpfs=/home/bentoml/bentoml:uid=1034,gid=1034"
READY_WITHIN = 60.0


def run(*command: str, **environment: str) -> str:
    """What a command of the project prints on standard output; fails with all that it printed."""
    done = subprocess.run(
        command, cwd=PROJECT_FOLDER, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def docker(*arguments: str) -> str:
    """The same of docker."""
    return run("docker", *arguments).strip()


@pytest.fixture(scope="session", autouse=True)
def _engine() -> None:
    """Skip loudly where there is no container engine; under CI fail."""
    try:
        found = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False)
        reason = found.stderr.strip()
    except FileNotFoundError:
        reason = "no docker"
    else:
        if found.returncode == 0:
            return
    if "CI" in os.environ:
        pytest.fail(reason)
    pytest.skip(f"IMAGE AND COMPOSE NOT TESTED: {reason}")


@pytest.fixture(scope="session")
def image(model_tag: str) -> str:
    """The image of the service, with the small model of all tests."""
    run("make", "image", f"IMAGE={IMAGE}", f"MODEL={model_tag}")
    return IMAGE


@dataclass(frozen=True)
class Container:
    """A container of the service that runs; `url` is where it is asked."""

    name: str
    url: str

    def log(self) -> str:
        """What it has printed."""
        done = subprocess.run(["docker", "logs", self.name], capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    def wait_until_ready(self) -> None:
        """Return once it is; fail with its log when that takes too long."""
        try:
            wait_for(lambda: answers(f"{self.url}/readyz"), "readiness", READY_WITHIN)
        except TimeoutError:
            pytest.fail(f"The container did not become ready:\n{self.log()}")

    def inspect(self) -> dict[str, Any]:
        """All that the engine knows of it."""
        (found,) = json.loads(docker("inspect", self.name))
        return dict(found)


@contextmanager
def container(image: str, *options: str, **settings: str) -> Iterator[Container]:
    """The service in a container, as hardened as it may be; removed on every path."""
    given = [f"--env=CREDIT_SCORING_{name}={value}" for name, value in settings.items()]
    name = docker("run", "--detach", "--publish=127.0.0.1::3000", *HARDENED, HOME, *given, *options, image)
    try:
        yield Container(name, f"http://{docker('port', name, '3000/tcp')}")
    finally:
        docker("rm", "--force", "--volumes", name)


def labels(image: str) -> Mapping[str, str]:
    """The labels of an image."""
    return dict(json.loads(docker("image", "inspect", "--format", "{{json .Config.Labels}}", image)))
