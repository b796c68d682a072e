"""The machine a benchmark ran on."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Self

from pydantic import BaseModel

from benchmarks.serving.environments import FOLDER, SCORING, SERVING, VALIDATING
from benchmarks.serving.processes import Cores


class Machine(BaseModel):
    """What a figure depends on beside the code. `peers` are the pinned versions of the other servers."""

    cpu: str
    cores: int
    server_core: int
    client_core: int
    kernel: str
    python: str
    versions: dict[str, str]
    peers: list[str]
    load_average: float
    started: datetime

    @classmethod
    def this(cls, cores: Cores) -> Self:
        """The machine it runs on, now."""
        return cls(
            cpu=_cpu(),
            cores=os.cpu_count() or 1,
            server_core=cores.server,
            client_core=cores.client,
            kernel=platform.release(),
            python=platform.python_version(),
            versions={name: version(name) for name in ("bentoml", *SCORING, *VALIDATING, *SERVING)},
            peers=_peers(),
            load_average=os.getloadavg()[0],
            started=datetime.now(UTC),
        )


def described() -> str:
    """The machine and the day in few words, for tables of their own."""
    return f"{_cpu()}, {os.cpu_count()} cores, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}"


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _peers() -> list[str]:
    lines = [line for path in sorted(FOLDER.glob("peers*.txt")) for line in path.read_text("utf-8").splitlines()]
    return [line for line in lines if line.startswith(("fastapi==", "litserve==", "mlserver==", "k6==", "granian=="))]
