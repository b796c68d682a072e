"""A service that cannot listen says so in a line, and leaves what listens there alone."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from credit_scoring.errors import ConfigurationError
from credit_scoring.serving.port import check_free
from credit_scoring.settings import PROJECT_FOLDER
from tests.conftest import RunningService, free_port

COMMAND = (sys.executable, "-m", "credit_scoring.serving.port")


def port_of(service: RunningService) -> str:
    return service.url.rpartition(":")[2]


def test_a_free_port_is_free_however_often_it_is_asked() -> None:
    port = str(free_port())
    check_free("127.0.0.1", port)
    assert subprocess.run([*COMMAND, "127.0.0.1", port], check=True, capture_output=True).stdout == b""


def test_a_port_in_use_is_one_line_with_a_free_port(service: RunningService) -> None:
    done = subprocess.run([*COMMAND, "127.0.0.1", port_of(service)], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: PORT={port_of(service)}: another process listens there")
    free = line.rpartition("make serve PORT=")[2].rstrip("`.")
    check_free("127.0.0.1", free)


@pytest.mark.parametrize(
    ("host", "port", "said"),
    [
        ("127.0.0.1", "http", "PORT=http: expected a number from 0 to 65535"),
        ("127.0.0.1", "65536", "PORT=65536: expected a number"),
        ("192.0.2.1", "3000", "HOST=192.0.2.1 PORT=3000: cannot listen there"),
    ],
)
def test_an_address_that_cannot_be_is_named(host: str, port: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        check_free(host, port)


def test_bentoml_serve_on_a_port_in_use_or_with_a_misspelt_setting_says_so_and_the_running_one_keeps_its_metrics(
    service: RunningService, tmp_path: Path
) -> None:
    before = httpx.get(f"{service.url}/metrics").text
    command = [sys.executable, "-m", "bentoml", "serve", "credit_scoring.service:CreditScoring", "--host", "127.0.0.1"]
    done = subprocess.run(
        [*command, "--port", port_of(service)],
        env={**os.environ, "CREDIT_SCORING_WORKRES": "2"},
        cwd=PROJECT_FOLDER,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "another process listens there" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Did you mean CREDIT_SCORING_WORKERS?" in done.stdout
    names = {line.split("{")[0] for line in before.splitlines() if not line.startswith("#")}
    assert names
    after = httpx.get(f"{service.url}/metrics").text
    assert names <= {line.split("{")[0] for line in after.splitlines() if not line.startswith("#")}


WITHOUT_PORT = """
import click
from bentoml._internal.configuration.containers import BentoMLContainer
from credit_scoring import service

BentoMLContainer.http.host.set("127.0.0.1")
BentoMLContainer.http.port.set({port})
with click.Context(click.Command("serve")) as context:
    context.params = dict(host=None, port=None)
    service._check_port()
"""


def test_bentoml_serve_without_a_port_looks_at_the_one_that_it_will_take(service: RunningService) -> None:
    for port, told in ((port_of(service), "another process listens there"), (free_port(), "")):
        command = [sys.executable, "-c", WITHOUT_PORT.format(port=port)]
        done = subprocess.run(command, cwd=PROJECT_FOLDER, check=False, capture_output=True, text=True)
        assert (done.returncode == 1, told in done.stderr) == (bool(told), True), done.stderr
