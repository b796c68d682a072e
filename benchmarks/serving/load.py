"""Loads on a served variant: by the own client, or in the open loop by k6 where k6 is fast enough to offer the rate."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from benchmarks.serving import processes
from benchmarks.serving.environments import FASTAPI
from benchmarks.serving.loads import SLOW_MS, Load, Outcome
from benchmarks.serving.processes import Use
from benchmarks.serving.servers import Server, ServerError, Stage
from credit_scoring.settings import PROJECT_FOLDER

MARGIN_S = 60.0
CLIENT_BUSY = 0.9
CLIENT_LATE_MS = 5.0
K6_BUSY = 0.8
K6_OFFERED = 0.99
K6_SCRIPT = Path(__file__).parent / "k6.js"

Tool = Literal["client", "k6"]


class Run(BaseModel):
    """One load on one variant in one repetition. `share` is that of the server's own capacity (open loop only).

    `client_limited`: the client, not the server, was the limit, so the figures say little about the server.
    """

    variant: str
    repetition: int
    kind: Literal["closed", "open"]
    clients: int = 0
    share: float = 0.0
    rate: float = 0.0
    tool: Tool = "client"
    client_limited: bool
    cpu_seconds: float
    client_cpu_seconds: float
    peak_rss_mb: float
    largest_rss_mb: float
    foreign_cpu: float
    outcome: Outcome


@dataclass
class Loader:
    """Puts loads on servers; learns during the run which rate is too high for k6."""

    stage: Stage
    seconds: float
    connections: int
    k6_limit: float = float("inf")

    @property
    def warm_up(self) -> float:
        """Seconds of each load that are not counted."""
        return min(1.0, 0.2 * self.seconds)

    def closed(self, server: Server, repetition: int, clients: int) -> Run:
        """Closed loop with so many clients."""
        load = self._load(server, kind="closed", clients=clients)
        return self._run(server, load, repetition, clients=clients)

    def open(self, server: Server, repetition: int, share: float, capacity: float) -> Run:
        """Open loop at a share of the server's capacity; by k6 unless it cannot offer that rate."""
        rate = max(1.0, share * capacity)
        if rate < self.k6_limit and (FASTAPI.bin / "k6").is_file():
            run = self._run_k6(server, round(rate), repetition, share)
            if not run.client_limited:
                return run
            self.k6_limit = rate
        load = self._load(server, kind="open", rate=rate, connections=self.connections)
        return self._run(server, load, repetition, share=share, rate=rate)

    def in_turn(
        self, server: Server, repetition: int, share: float, rate: float, connections: int, *, patient: bool
    ) -> Run:
        """Open loop on so many connections, one after the other, whose clients heed Retry-After if `patient`."""
        load = self._load(server, kind="open", rate=rate, connections=connections, rotate=True, patient=patient)
        return self._run(server, load, repetition, share=share, rate=rate, clients=connections)

    def _load(self, server: Server, **figures: Any) -> Load:
        return Load(
            port=server.port,
            path=server.variant.path,
            bodies=str(server.bodies),
            seconds=self.seconds,
            warm_up=self.warm_up,
            **figures,
        )

    def _run(self, server: Server, load: Load, repetition: int, **figures: Any) -> Run:
        command = [sys.executable, "-m", "benchmarks.serving.client", load.model_dump_json()]
        output, use = self._watched(server, command, {})
        outcome = Outcome.model_validate_json(output)
        wall = load.warm_up + load.seconds
        late = outcome.lag_p99 is not None and outcome.lag_p99 > CLIENT_LATE_MS
        busy = load.kind == "closed" and use.client_cpu_seconds > CLIENT_BUSY * wall
        return _described(server, repetition, load.kind, late or busy, use, outcome, **figures)

    def _run_k6(self, server: Server, rate: int, repetition: int, share: float) -> Run:
        command = [str(FASTAPI.bin / "k6"), "run", "--quiet", "--no-usage-report", "--no-color", str(K6_SCRIPT)]
        output, use = self._watched(server, command, self._k6_environment(server, rate))
        outcome = k6_outcome(json.loads(output), self.seconds)
        busy = use.client_cpu_seconds > K6_BUSY * self.seconds
        limited = busy or outcome.sent < K6_OFFERED * rate * self.seconds
        return _described(server, repetition, "open", limited, use, outcome, share=share, rate=rate, tool="k6")

    def _k6_environment(self, server: Server, rate: int) -> dict[str, str]:
        return {
            "URL": f"http://127.0.0.1:{server.port}{server.variant.path}",
            "BODIES": str(server.bodies),
            "RATE": str(rate),
            "SECONDS": f"{self.seconds:g}",
            "CONNECTIONS": str(self.connections),
            "SLOW_MS": str(SLOW_MS),
        }

    def _watched(self, server: Server, command: list[str], environment: dict[str, str]) -> tuple[str, Use]:
        """What a client printed and what it and the server used; raises ServerError when either came to grief."""
        log = self.stage.folder / "client.log"
        cores = self.stage.cores
        with processes.running(command, cores.client, log, os.environ | environment, PROJECT_FOLDER) as client:
            try:
                use = processes.watch(client, server.process, cores, self.seconds + MARGIN_S)
            except TimeoutError as error:
                raise ServerError(str(error)) from error
        output = log.read_text(errors="replace").strip()
        if client.returncode or server.process.poll() is not None:
            who = "the client" if client.returncode else "the server"
            raise ServerError(f"{who} ended during a load: {output[-200:]}")
        return output.splitlines()[-1], use


def _described(
    server: Server,
    repetition: int,
    kind: Literal["closed", "open"],
    limited: bool,
    use: Use,
    outcome: Outcome,
    **rest: Any,
) -> Run:
    return Run(
        variant=server.variant.letter,
        repetition=repetition,
        kind=kind,
        client_limited=limited,
        cpu_seconds=use.cpu_seconds,
        client_cpu_seconds=use.client_cpu_seconds,
        peak_rss_mb=use.peak_rss_mb,
        largest_rss_mb=use.largest_rss_mb,
        foreign_cpu=use.foreign_cpu,
        outcome=outcome,
        **rest,
    )


def k6_outcome(metrics: dict[str, Any], seconds: float) -> Outcome:
    """The summary of k6.js in this benchmark's terms."""
    useful, refused = _values(metrics, "useful"), _values(metrics, "refused")
    count = int(useful.get("count", 0))
    refusals, failed = int(refused.get("count", 0)), int(_values(metrics, "failed").get("count", 0))
    return Outcome(
        seconds=seconds,
        sent=count + refusals + failed,
        useful=count,
        useful_per_s=count / seconds,
        p50=useful.get("med"),
        p99=useful.get("p(99)"),
        p999=useful.get("p(99.9)"),
        slowest=useful.get("max"),
        slow_share=_values(metrics, "slow").get("count", 0) / count if count else None,
        refused=refusals,
        refused_p99=refused.get("p(99)") if refusals else None,
        errors=failed,
        dropped=int(_values(metrics, "dropped_iterations").get("count", 0)),
        lag_p99=None,
        lag_most=None,
        answered_in_all=count + refusals + failed,
        most_connections=int(_values(metrics, "vus_max").get("max", 0)),
    )


def _values(metrics: dict[str, Any], name: str) -> dict[str, Any]:
    values: dict[str, Any] = metrics.get(name, {}).get("values", {})
    return values
