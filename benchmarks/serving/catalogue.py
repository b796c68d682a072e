"""The variants: how each is started, what it is sent, and how its answer is read."""

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving.environments import FASTAPI, GRANIAN, MLSERVER, Environment
from benchmarks.serving.processes import free_port
from benchmarks.serving.variants.answer import ANSWER

MODULES = "benchmarks.serving.variants"
MLSERVER_MODEL = "credit-scoring"
MLSERVER_BATCH = {"max_batch_size": 64, "max_batch_time": 0.01}
UVICORN_AT_ITS_BEST = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")

Command = Callable[[int, Path], list[str]]


@dataclass(frozen=True)
class Variant:
    """One server. `command` gets a port and an empty folder; `wrap` makes the request body of an application's JSON,
    `unwrap` the decision of the parsed answer. One that `decides` is held to the pipeline's decisions; one that is
    `in_project` runs in the project's folder, the others in an empty one.
    """

    letter: str
    name: str
    command: Command
    environment: Environment | None = None
    path: str = "/predict"
    wrap: Callable[[str], str] = str
    unwrap: Callable[[Any], Any] = lambda answer: answer
    decides: bool = True
    in_project: bool = False


def _uvicorn(module: str, environment: Environment | None, options: Sequence[str] = ()) -> Command:
    python = environment.bin / "python" if environment else Path(sys.executable)
    start = [str(python), "-m", "uvicorn", f"{MODULES}.{module}:app", "--host", "127.0.0.1"]
    return lambda port, folder: [*start, "--port", str(port), *options]


def _bentoml(target: str) -> Command:
    start = [sys.executable, "-m", "bentoml", "serve", target, "--host", "127.0.0.1"]
    return lambda port, folder: [*start, "--port", str(port)]


def _litserve(port: int, folder: Path) -> list[str]:
    return [str(FASTAPI.bin / "python"), "-m", f"{MODULES}.litserve_server", str(port)]


def _mlserver(port: int, folder: Path) -> list[str]:
    settings = {"host": "127.0.0.1", "http_port": port, "grpc_port": free_port(), "metrics_port": free_port()}
    model = {"name": MLSERVER_MODEL, "implementation": f"{MODULES}.mlserver_runtime.CreditRuntime", **MLSERVER_BATCH}
    (folder / "settings.json").write_text(json.dumps({**settings, "debug": False}), encoding="utf-8")
    (folder / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
    return [str(MLSERVER.bin / "mlserver"), "start", str(folder)]


def _granian(port: int, folder: Path) -> list[str]:
    start = [str(GRANIAN.bin / "granian"), f"{MODULES}.floor:app", "--interface", "asgi", "--loop", "uvloop", "--no-ws"]
    return [*start, "--log-level", "warning", "--host", "127.0.0.1", "--port", str(port)]


def _nginx(port: int, folder: Path) -> list[str]:
    """One process that answers every request by itself; the client's connections last as long as its loads."""
    answer = ANSWER.decode().replace('"', '\\"')
    lines = (
        f"daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr; worker_rlimit_nofile 20000;",
        "events { worker_connections 16384; }",
        "http { access_log off; default_type application/json; keepalive_requests 1000000000;",
        *(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")),
        f'server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 "{answer}"; }} }} }}',
    )
    (folder / "nginx.conf").write_text("\n".join(lines), encoding="utf-8")
    return [shutil.which("nginx") or "nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def _as_list(body: str) -> str:
    return f'{{"applications":[{body}]}}'


def _as_tensor(body: str) -> str:
    tensor = {"name": "application", "shape": [1, 1], "datatype": "BYTES", "data": [body]}
    return json.dumps({"inputs": [tensor | {"parameters": {"content_type": "str"}}]})


def _from_tensor(answer: Any) -> Any:
    return json.loads(answer["outputs"][0]["data"][0])


VARIANTS = {
    variant.letter: variant
    for variant in (
        Variant("a", "textbook FastAPI", _uvicorn("textbook", FASTAPI), FASTAPI),
        Variant(
            "b",
            "FastAPI, our scorer and batcher",
            _uvicorn("fastapi_batched", FASTAPI, UVICORN_AT_ITS_BEST),
            FASTAPI,
        ),
        Variant(
            "c",
            "stock BentoML, batchable",
            _bentoml(f"{MODULES}.stock_bentoml:StockScoring"),
            wrap=_as_list,
            unwrap=lambda answer: answer[0],
            in_project=True,
        ),
        Variant("d", "LitServe", _litserve, FASTAPI),
        Variant(
            "e",
            "MLServer",
            _mlserver,
            MLSERVER,
            f"/v2/models/{MLSERVER_MODEL}/infer",
            _as_tensor,
            _from_tensor,
        ),
        Variant("f", "bare Starlette", _uvicorn("bare", None, UVICORN_AT_ITS_BEST), decides=False),
        Variant("g", "this service", _bentoml("credit_scoring.service:CreditScoring"), in_project=True),
        Variant("h", "bare uvicorn", _uvicorn("floor", None, UVICORN_AT_ITS_BEST), decides=False),
        Variant("i", "bare Granian", _granian, GRANIAN, decides=False),
        Variant("j", "nginx, `return 200`", _nginx, decides=False),
    )
}
