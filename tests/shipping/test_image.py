"""The image as it is shipped: small, without root, its file system read-only, and gone without a loss."""

import hashlib
import json
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks.support.consorcio import EXAMPLE_APPLICATION
from benchmarks.support.traffic import Traffic, audit
from benchmarks.support.waiting import answers, wait_for
from credit_scoring.settings import PROJECT_FOLDER
from tests.conftest import free_port
from tests.shipping.conftest import HARDENED, HOME, READY_WITHIN, Container, container, docker, labels, run

pytestmark = pytest.mark.shipping

ADDED_MB = 340  # to python:3.11-slim of 125 MB or so
STOPPED_WITHIN_S = 20
SOON = 10.0


@pytest.fixture(scope="module")
def running(image: str) -> Iterator[Container]:
    with container(image, ANONYMOUS="anywhere") as started:
        began = time.monotonic()
        started.wait_until_ready()
        print(f"\nready {time.monotonic() - began:.1f} s after the start of the container")
        yield started


def test_it_decides_with_a_read_only_file_system_and_without_root(running: Container) -> None:
    answer = httpx.post(f"{running.url}/predict", json=EXAMPLE_APPLICATION, timeout=30)
    assert answer.status_code == 200
    assert answer.json()["decision"] in ("APROVADO", "NEGADO")
    found = running.inspect()
    assert found["HostConfig"]["ReadonlyRootfs"]
    assert docker("exec", running.name, "id", "-u") == "1034"


def test_it_says_what_it_is(image: str, running: Container) -> None:
    found = labels(image)
    assert found["org.opencontainers.image.revision"] == run("git", "rev-parse", "HEAD").strip()
    assert f'version = "{found["org.opencontainers.image.version"]}"' in (PROJECT_FOLDER / "pyproject.toml").read_text()
    assert f'BASE_IMAGE={found["org.opencontainers.image.base.name"]} ' in run("make", "--dry-run", "train-image")
    decided = httpx.post(f"{running.url}/predict", json=EXAMPLE_APPLICATION, timeout=30).json()
    assert decided["model"] == found["credit-scoring.model"]


def test_its_health_is_known_to_the_engine(running: Container) -> None:
    wait_for(lambda: running.inspect()["State"]["Health"]["Status"] == "healthy", "health")


def test_it_holds_the_commands_and_nothing_to_build_with(running: Container) -> None:
    assert "decisions" in docker("exec", running.name, "credit-scoring", "--help")
    docker("exec", running.name, "credit-scoring", "decisions", "verify")
    look = "for each in gcc cc make git; do command -v $each; done; ls /app/.venv/bin | grep -x pip; true"
    assert docker("exec", running.name, "sh", "-c", look) == ""


def test_it_adds_little_to_its_base(image: str) -> None:
    base = labels(image)["org.opencontainers.image.base.name"]
    if "@" in base:
        docker("pull", "--quiet", base)
    sizes = [int(docker("image", "inspect", "--format", "{{.Size}}", each)) / 1e6 for each in (image, base)]
    print(f"\nimage {sizes[0]:.0f} MB, of which its base {sizes[1]:.0f} MB")
    assert sizes[0] - sizes[1] < ADDED_MB


def test_without_keys_it_does_not_start_unless_told(image: str) -> None:
    done = subprocess.run(
        ["docker", "run", "--rm", *HARDENED, HOME, image], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode != 0
    assert "CREDIT_SCORING_API_KEYS_FILE" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_with_keys_only_their_holders_are_answered(image: str, tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    command = [".venv/bin/credit-scoring", "keys", "new", "tests", "--scope", "predict", "--file", str(file)]
    key = run(*command).strip()
    file.chmod(0o644)
    with container(image, f"--volume={file}:/keys.toml:ro", API_KEYS_FILE="/keys.toml") as started:
        started.wait_until_ready()
        url, header = f"{started.url}/predict", {"authorization": f"Bearer {key}"}
        assert httpx.post(url, json=EXAMPLE_APPLICATION, timeout=30).status_code == 401
        assert httpx.post(url, json=EXAMPLE_APPLICATION, headers=header, timeout=30).status_code == 200
        assert key not in started.log()


def test_sigterm_under_load_loses_no_request_that_was_accepted(image: str, tmp_path: Path) -> None:
    """What was decided is on record, so that as many decisions as answers mean that none was cut off."""
    tmp_path.chmod(0o777)
    settings = {"ANONYMOUS": "anywhere", "DATABASE_URL": "sqlite:////data/decisions.db", "WORKERS": "2"}
    with container(image, f"--volume={tmp_path}:/data", **settings) as started:
        started.wait_until_ready()
        with Traffic(started.url) as load:
            load.wait_for_answers(1000)
            began = time.monotonic()
            docker("stop", f"--time={STOPPED_WITHIN_S}", started.name)
            print(f"\nended {time.monotonic() - began:.1f} s after SIGTERM")
            load.end()
        assert started.inspect()["State"]["ExitCode"] == 0
        assert "Traceback" not in started.log()
    found = audit(f"sqlite:///{tmp_path}/decisions.db", load.record.answered)
    assert found.is_clean
    assert found.stored == len(load.record.answered) > 1000
    assert (load.record.refused, load.record.overdue) == (0, 0)


KILL = """
import os, signal
from pathlib import Path

def workers():
    commands = {int(path.parent.name): path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")}
    return sorted(process for process, command in commands.items() if b"_bentoml_impl.worker" in command)

worker = workers()[0]
os.kill(worker, signal.SIGKILL)
print(worker)
"""


@pytest.mark.parametrize("count", [1, 2])
def test_a_worker_that_is_killed_is_started_again(image: str, count: int) -> None:
    with container(image, ANONYMOUS="anywhere", WORKERS=str(count)) as started:
        live = f"credit_scoring_workers_live {count}.0"
        wait_for(lambda: live in metrics(started), "all workers", READY_WITHIN)
        killed = docker("exec", started.name, "python", "-c", KILL)
        ended = f"Worker {killed} ended (SIGKILL); starting another."
        wait_for(lambda: ended in started.log(), "a line in the log", SOON)
        wait_for(lambda: started.log().count("has proved its scores") == count + 1, "another worker", READY_WITHIN)
        wait_for(lambda: live in metrics(started), "all workers again", READY_WITHIN)
        assert started.inspect()["RestartCount"] == 0


def metrics(running: Container) -> str:
    """What Prometheus would read; nothing while no worker answers."""
    try:
        return httpx.get(f"{running.url}/metrics", timeout=30).text
    except httpx.TransportError:
        return ""


# Elsewhere


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """A registry of our own on loopback."""
    port = free_port()
    configuration = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    path = tmp_path / "registry.yml"
    path.write_text(json.dumps(configuration), encoding="utf-8")
    with (tmp_path / "registry.log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(path)], stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/v2/"), "the registry")
        yield f"127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOPPED_WITHIN_S)


def test_what_was_pushed_is_pulled_by_digest_and_is_the_same(image: str, registry: str) -> None:
    pushed = run("make", "--silent", "push", f"IMAGE={image}", f"REGISTRY={registry}").split()[-1]
    assert pushed == (PROJECT_FOLDER / "build" / "image.digest").read_text().strip()
    assert pushed.startswith(f"{registry}/credit-scoring@sha256:")
    built = docker("image", "inspect", "--format", "{{.Id}}", image)
    docker("rmi", f"{registry}/{image}")
    docker("pull", "--quiet", pushed)
    try:
        assert docker("image", "inspect", "--format", "{{.Id}}", pushed) == built
        with container(pushed, ANONYMOUS="anywhere") as started:
            started.wait_until_ready()
    finally:
        docker("rmi", pushed)


def test_images_of_two_platforms_are_pulled_by_one_digest(image: str, registry: str, tmp_path: Path) -> None:
    name = "credit-scoring:platforms"
    docker("tag", image, f"{name}-amd64")
    docker("load", f"--input={_other_platform(tmp_path, f'{name}-arm64')}")
    pushed = run("make", "--silent", "push-index", f"IMAGE={name}", f"REGISTRY={registry}", "PLATFORMS=amd64 arm64",
                 MANIFEST_OPTIONS="--insecure").strip()  # fmt: skip
    assert pushed.startswith(f"{registry}/credit-scoring@sha256:")
    listed = json.loads(docker("manifest", "inspect", "--insecure", pushed))["manifests"]
    assert {each["platform"]["architecture"] for each in listed} == {"amd64", "arm64"}
    docker("rmi", f"{registry}/{name}-amd64", f"{registry}/{name}-arm64", f"{name}-amd64", f"{name}-arm64")
    docker("pull", "--quiet", pushed)
    try:
        assert labels(pushed) == labels(image)
    finally:
        docker("rmi", pushed)


def _other_platform(folder: Path, tag: str) -> Path:
    """An image of nothing for arm64, as `docker save` writes one."""
    with tarfile.open(folder / "layer.tar", "w"):
        pass
    layer = hashlib.sha256((folder / "layer.tar").read_bytes()).hexdigest()
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{layer}"]}
    config = {"architecture": "arm64", "os": "linux", "config": {}, "rootfs": rootfs, "history": [{}]}
    manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with tarfile.open(folder / "image.tar", "w") as file:
        for part in ("manifest.json", "config.json", "layer.tar"):
            file.add(folder / part, part)
    return folder / "image.tar"


def test_it_carries_what_serves_and_nothing_that_only_trains_or_installs(image: str) -> None:
    listing = "import importlib.metadata as m; print(*{each.metadata['Name'].lower() for each in m.distributions()})"
    found = set(docker("run", "--rm", "--network=none", "--entrypoint=python", image, "-c", listing).split())
    assert {"bentoml", "scikit-learn", "lightgbm"} <= found
    assert not {"pip", "optuna", "matplotlib"} & found


# Training


def test_the_training_image_trains_with_a_read_only_file_system_and_without_a_network(tmp_path: Path) -> None:
    run("make", "train-image", "TRAIN_IMAGE=credit-scoring-train:tests")
    tmp_path.chmod(0o777)
    options = [*HARDENED, "--network=none", f"--volume={tmp_path}:/home/trainer/bentoml"]
    tag = docker("run", "--rm", *options, "credit-scoring-train:tests", "train", "--source=embedded", "--trials=1")
    assert (tmp_path / "models" / tag.splitlines()[-1].replace(":", "/") / "card.html").is_file()
