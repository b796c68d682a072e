"""A deploy without a kept secret: the real kubectl and a job's token; GitHub and the cluster's API are stand-ins."""

import base64
import json
import os
import ssl
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.manifests import KUBERNETES, kubectl
from tests.support.web import served

AUDIENCE = "https://cluster.example"
ADDRESS = "ACTIONS_ID_TOKEN_REQUEST_URL"


def token(lives_s: float) -> str:
    claims = json.dumps({"exp": int(time.time() + lives_s)}).encode()
    return f"header.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.signature"


@dataclass
class Sides:
    """What a job's kubectl speaks to, and what each of them was told."""

    environment: dict[str, str]
    config: Path
    lives_s: float = 300.0
    silent: int = 0  # GitHub leaves so many requests without an answer
    asked: list[tuple[str, str]] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    bearers: list[str] = field(default_factory=list)

    def configure(self, **variables: str) -> "subprocess.CompletedProcess[str]":
        command = ["sh", str(KUBERNETES / "kubeconfig.sh"), str(self.config)]
        environment = self.environment | variables
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def version(self) -> "subprocess.CompletedProcess[str]":
        """What kubectl says when it asks the API for anything."""
        command = [kubectl(), "--kubeconfig", str(self.config), "get", "--raw", "/version"]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)


def answer(handler: BaseHTTPRequestHandler, body: object) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(json.dumps(body).encode())


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[Sides]:
    found = Sides({"PATH": os.environ["PATH"], "HOME": str(tmp_path)}, tmp_path / ".kube" / "config")

    class GitHub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append((self.path, self.headers["Authorization"]))
            if len(found.asked) <= found.silent:
                return
            found.given.append(token(found.lives_s))
            answer(self, {"value": found.given[-1]})

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Api(GitHub):
        def do_GET(self) -> None:
            found.bearers.append(self.headers["Authorization"])
            answer(self, {"major": "1"})

    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    named = ["-subj", "/CN=api", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *named, *files]
    subprocess.run(command, capture_output=True, check=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with served(GitHub) as github, ThreadingHTTPServer(("127.0.0.1", 0), Api) as api:
        api.socket = context.wrap_socket(api.socket, server_side=True)
        thread = threading.Thread(target=api.serve_forever)
        thread.start()
        found.environment |= {
            "CLUSTER_SERVER": f"https://127.0.0.1:{api.server_port}",
            "CLUSTER_CA": certificate.read_text(),
            "CLUSTER_AUDIENCE": AUDIENCE,
            ADDRESS: f"{github}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-the-job",
        }
        try:
            yield found
        finally:
            api.shutdown()
            thread.join()


def test_kubectl_shows_the_cluster_a_token_of_the_job_and_asks_for_it_once(sides: Sides) -> None:
    assert sides.configure().returncode == 0
    for _ in range(2):
        done = sides.version()
        assert done.returncode == 0, done.stderr
    assert sides.asked == [("/token?api-version=2.0&audience=https%3A%2F%2Fcluster.example", "Bearer of-the-job")]
    assert {*sides.bearers} == {f"Bearer {sides.given[0]}"}  # some versions of kubectl ask more than once
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in sides.config.parent.glob("config*")}
    assert modes == {"config": 0o600, "config.ca": 0o600, "config.token": 0o600}


def test_a_token_that_ends_soon_is_renewed(sides: Sides) -> None:
    sides.configure()
    sides.lives_s = 30.0
    assert [sides.version().returncode for _ in range(2)] == [0, 0]
    assert [*dict.fromkeys(sides.bearers)] == [f"Bearer {each}" for each in dict.fromkeys(sides.given)]
    assert len(sides.given) >= 2


def test_a_job_that_may_not_ask_for_a_token_is_told_what_it_lacks(sides: Sides) -> None:
    sides.configure()
    del sides.environment[ADDRESS]
    done = sides.version()
    assert done.returncode != 0
    assert f"{ADDRESS} is not set: the job needs `permissions: id-token: write`" in done.stderr
    assert "Traceback" not in done.stderr
    assert sides.bearers == []


def test_github_is_asked_up_to_three_times(sides: Sides) -> None:
    sides.configure()
    sides.silent = 2
    done = sides.version()
    assert done.returncode == 0, done.stderr
    assert len(sides.asked) == 3


def test_a_token_is_used_to_its_end_where_github_gives_no_other(sides: Sides) -> None:
    sides.configure()
    sides.lives_s = 40.0
    assert sides.version().returncode == 0
    sides.bearers.clear()
    sides.environment[ADDRESS] = "http://127.0.0.1:1/token?a=b"
    done = sides.version()
    assert done.returncode == 0, done.stderr
    assert {*sides.bearers} == {f"Bearer {sides.given[-1]}"}


def test_a_github_that_does_not_answer_is_named(sides: Sides) -> None:
    sides.configure()
    sides.environment[ADDRESS] = "http://127.0.0.1:1/token?a=b"
    done = sides.version()
    assert "GitHub gave no token" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_server_the_kept_kubeconfig_is_used(sides: Sides) -> None:
    assert sides.configure(CLUSTER_SERVER="", KUBECONFIG_CONTENT="kind: Config").returncode == 0
    assert sides.config.read_text() == "kind: Config\n"
    assert stat.S_IMODE(sides.config.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"CLUSTER_SERVER": ""}, "neither the variable CLUSTER_SERVER nor the secret KUBECONFIG"),
        ({"CLUSTER_CA": ""}, "CLUSTER_CA or CLUSTER_AUDIENCE is not"),
        ({"CLUSTER_AUDIENCE": ""}, "CLUSTER_CA or CLUSTER_AUDIENCE is not"),
    ],
)
def test_an_environment_that_is_not_set_up_is_refused(sides: Sides, variables: dict[str, str], told: str) -> None:
    done = sides.configure(**variables)
    assert done.returncode == 1
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not sides.config.exists()
