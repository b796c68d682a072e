"""Ask a running service for what its users ask for, one line for each check; exit code 1 where one fails.

Usage: smoke.py http://host:3000 [--key cs_…]. Without --key the one in the variable KEY is used; it needs the scope
`predict`, and `read` for the dossier to be looked up. What is decided goes on record, under names like smoke-….
"""

import argparse
import json
import math
import os
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

ANSWERED_WITHIN = 10.0
ANSWERS = ("APROVADO", "NEGADO", "EM_ANALISE")
METRICS = (
    "credit_scoring_decisions_total",
    "credit_scoring_request_duration_seconds_bucket",
    "credit_scoring_model_info",
)

Json = dict[str, Any]


class CheckError(Exception):
    """Says what was expected and what was found."""


class Client:
    """One connection, kept open."""

    def __init__(self, url: str, key: str | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CheckError(f"{url!r}: expected an address like http://127.0.0.1:3000.")
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=ANSWERED_WITHIN)
        self._path = parts.path.rstrip("/")
        self._headers = {"authorization": f"Bearer {key}"} if key else {}

    def ask(self, method: str, path: str, body: Json | None = None) -> tuple[int, bytes]:
        """Status and body; raises CheckError where there is no answer."""
        headers = {**self._headers, **({"content-type": "application/json"} if body else {})}
        try:
            self._connection.request(method, self._path + path, json.dumps(body) if body else None, headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise CheckError(f"{method} {path}: expected an answer, found {type(error).__name__}: {error}.") from error

    def expect(self, method: str, path: str, body: Json | None = None) -> bytes:
        """The body of a 200; raises CheckError."""
        status, answer = self.ask(method, path, body)
        if status != 200:
            said = answer[:300].decode(errors="replace")
            raise CheckError(f"{method} {path}: expected 200, found {status}: {said}")
        return answer


class Smoke:
    """The checks, in their order; each returns what its line says after its name."""

    def __init__(self, client: Client, requests: int, limit_ms: float, ready_within: float) -> None:
        self._client = client
        self._ready_within = ready_within
        self._requests = requests
        self._limit_ms = limit_ms
        self._name = f"smoke-{uuid.uuid4().hex[:12]}"
        self._decision_id = ""
        self._example: Json = {}

    def readiness(self) -> str:
        """It takes requests, by and by."""
        deadline = time.monotonic() + self._ready_within
        while True:
            try:
                self._client.expect("GET", "/readyz")
                return "ready"
            except CheckError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.1)

    def prediction(self) -> str:
        """The example of the API's own page is decided."""
        decision = self._decide(self._name)
        risk, threshold = decision.get("risk_probability"), decision.get("threshold")
        if not isinstance(risk, float) or not isinstance(threshold, float) or not 0 <= risk <= 1:
            raise CheckError(f"/predict: expected a risk between 0 and 1 and a threshold, found {decision}.")
        if decision.get("decision") not in ANSWERS:
            raise CheckError(f"/predict: expected {' or '.join(ANSWERS)}, found {decision.get('decision')!r}.")
        self._decision_id = str(decision.get("decision_id"))
        return f"{decision['decision']}, risk {risk:.3f}, by {decision.get('model')}"

    def metrics(self) -> str:
        """Prometheus finds what the alerts ask for."""
        status, answer = self._client.ask("GET", "/metrics")
        if status in (401, 403):
            return "skipped: closed to this key"
        lacking = [name for name in METRICS if name not in answer.decode(errors="replace")]
        if status != 200 or lacking:
            raise CheckError(f"/metrics: expected 200 and {', '.join(METRICS)}; found {status}, no {lacking}.")
        return f"{answer.count(b'# TYPE')} metrics"

    def record(self) -> str:
        """The decision is on record."""
        if not self._decision_id:
            raise CheckError("nothing was decided that could be on record.")
        path = f"/decisions/{self._decision_id}"
        status, answer = self._client.ask("GET", path)
        if status == 403:
            return "skipped: the key lacks the scope read"
        if status != 200:
            raise CheckError(f"GET {path}: expected 200, found {status}: {answer[:300].decode(errors='replace')}")
        if json.loads(answer).get("decision_id") != self._decision_id:
            raise CheckError(f"GET {path}: expected the dossier of this decision, found another one.")
        return self._decision_id

    def latency(self) -> str:
        """One after the other, so that it is the service that is measured."""
        seconds = []
        for number in range(self._requests):
            began = time.perf_counter()
            self._decide(f"{self._name}-{number}")
            seconds.append(time.perf_counter() - began)
        p99 = sorted(seconds)[math.ceil(0.99 * len(seconds)) - 1] * 1000
        if p99 > self._limit_ms:
            raise CheckError(
                f"p99 of {self._requests} requests: expected at most {self._limit_ms:g} ms, found {p99:.1f}."
            )
        return f"p99 of {self._requests} requests {p99:.1f} ms, at most {self._limit_ms:g}"

    def _decide(self, name: str) -> Json:
        if not self._example:
            page = json.loads(self._client.expect("GET", "/docs.json"))
            self._example = page["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
        found: Json = json.loads(self._client.expect("POST", "/predict", {**self._example, "application_id": name}))
        return found


def run(smoke: Smoke) -> bool:
    """Whether all is well; says so line by line."""
    checks: list[tuple[str, Callable[[], str]]] = [
        ("readiness", smoke.readiness),
        ("prediction", smoke.prediction),
        ("metrics", smoke.metrics),
        ("record", smoke.record),
        ("latency", smoke.latency),
    ]
    well = True
    for name, check in checks:
        try:
            print(f"ok      {name:<11} {check()}")
        except (CheckError, ValueError, KeyError, TypeError) as error:
            said = error if isinstance(error, CheckError) else f"not the JSON that was expected: {error!r}"
            print(f"FAILED  {name:<11} {said}")
            well = False
    return well


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="smoke.py", description="Ask a running service for what its users ask for.")
    parser.add_argument("url", help="like http://127.0.0.1:3000")
    parser.add_argument("--key", default=os.environ.get("KEY") or None, help="API key [the variable KEY]")
    parser.add_argument("--requests", type=int, default=200, help="for the latency [200]")
    parser.add_argument("--p99-ms", type=float, default=100.0, help="that must not be exceeded [100]")
    parser.add_argument("--ready-within", type=float, default=0.0, metavar="SECONDS", help="wait for it so long [0]")
    parsed = parser.parse_args(arguments)
    if parsed.requests < 1:
        parser.error(f"--requests {parsed.requests}: expected 1 or more.")
    try:
        client = Client(parsed.url, parsed.key)
    except CheckError as error:
        parser.error(str(error))
    return 0 if run(Smoke(client, parsed.requests, parsed.p99_ms, parsed.ready_within)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
