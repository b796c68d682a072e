"""A variant, served: started on its core, ready, and proved to decide as the pipeline does before it is measured."""

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from benchmarks.serving import processes
from benchmarks.serving.applications import Sample
from benchmarks.serving.catalogue import Variant
from benchmarks.serving.processes import Process
from benchmarks.serving.variants.model import MODEL_FOLDER, MODEL_TAG
from credit_scoring.settings import PROJECT_FOLDER

READY_WITHIN_S = 60.0
POLL_S = 0.02
CHECKED = 24
RISK_TOLERANCE = 1e-6
LOG_LINES = 3
ERROR_LINE = re.compile(r"[A-Za-z_.]+(Error|Exception)\b")


class ServerError(Exception):
    """A variant that cannot be measured; the message is the reason."""


@dataclass(frozen=True)
class Stage:
    """What every server of a run shares: model, requests, cores, a folder for what is passing, more variables."""

    model_folder: Path
    model_tag: str
    sample: Sample
    cores: processes.Cores
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Server:
    """A variant that answers on a port; `ready_s` is the time from its start to its first decision."""

    variant: Variant
    process: Process
    port: int
    bodies: Path
    ready_s: float


@contextmanager
def serve(variant: Variant, stage: Stage) -> Iterator[Server]:
    """The variant, ready and checked; raises ServerError with the reason when it does not get there."""
    folder = stage.folder / variant.letter
    folder.mkdir(exist_ok=True)
    bodies = folder / "bodies.jsonl"
    bodies.write_text("".join(variant.wrap(body) + "\n" for body in stage.sample.bodies), encoding="utf-8")
    port, log, started = processes.free_port(), folder / "server.log", time.monotonic()
    command, home = variant.command(port, folder), PROJECT_FOLDER if variant.in_project else folder
    with processes.running(command, stage.cores.server, log, _environment(stage), home) as process:
        _wait_until_ready(variant, process, port, stage.sample, log)
        ready_s = time.monotonic() - started
        _check(variant, port, stage.sample)
        yield Server(variant, process, port, bodies, ready_s)


def _environment(stage: Stage) -> dict[str, str]:
    """Our own environment without settings of the service, which is to run on its defaults."""
    mine = {"PROMETHEUS_MULTIPROC_DIR", "PYTHONHOME", "VIRTUAL_ENV"}
    more = dict(stage.environment)
    path = os.pathsep.join(filter(None, (more.pop("PYTHONPATH", ""), str(PROJECT_FOLDER))))
    kept = {k: v for k, v in os.environ.items() if k not in mine and not k.startswith("CREDIT_SCORING_")}
    return kept | {
        "PYTHONPATH": path,
        "BENTOML_DO_NOT_TRACK": "True",
        MODEL_FOLDER: str(stage.model_folder),
        MODEL_TAG: stage.model_tag,
        **more,
    }


def _wait_until_ready(variant: Variant, process: Process, port: int, sample: Sample, log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    problem = "no answer"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerError(f"ended with code {process.returncode} while starting: {_last_lines(log)}")
        try:
            status, _ = ask(variant, port, sample.bodies[0])
        except (OSError, HTTPException) as error:
            problem = type(error).__name__
        else:
            if status == 200:
                return
            problem = f"status {status}"
        time.sleep(POLL_S)
    raise ServerError(f"not ready within {READY_WITHIN_S:.0f} s ({problem}): {_last_lines(log)}")


def ask(variant: Variant, port: int, application: str) -> tuple[int, bytes]:
    """Status and body of the answer to one application."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        body = variant.wrap(application).encode()
        connection.request("POST", variant.path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _check(variant: Variant, port: int, sample: Sample) -> None:
    """Raises ServerError unless a spread of applications gets the pipeline's decisions."""
    for i in range(0, len(sample.bodies), max(1, len(sample.bodies) // CHECKED)):
        status, body = ask(variant, port, sample.bodies[i])
        if status != 200:
            raise ServerError(f"row {i + 1} got status {status}")
        decision = variant.unwrap(json.loads(body))
        if variant.decides and not _agrees(decision, sample, i):
            raise ServerError(f"row {i + 1} is decided otherwise than by the pipeline")


def _agrees(decision: Any, sample: Sample, row: int) -> bool:
    gap = abs(decision["risk_probability"] - sample.risks[row])
    return bool(decision["decision"] == sample.decisions[row] and gap <= RISK_TOLERANCE)


def _last_lines(log: Path) -> str:
    """The last exception in a log, or else its last lines."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if ERROR_LINE.match(line)]
    return errors[-1] if errors else " / ".join(lines[-LOG_LINES:]) or "its log is empty"
