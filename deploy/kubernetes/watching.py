"""A challenger, watched by the alerts about it until it has proved itself or has to go."""

import json
import time
from http.client import HTTPException
from typing import NamedTuple
from urllib.parse import urlencode
from urllib.request import urlopen

from challenger import CANARY, give, has_ready_pod
from cluster import BUILD, Cluster, Json, RolloutError

FEWEST_REQUESTS = 100  # that the alerts judge by, in ten minutes
LOOK_EVERY_S = 5.0
TOLD_EVERY_S = 60.0
ANSWERED_WITHIN_S = 10.0
UNREADY_S = 20.0  # without a ready pod; the route would go on sending requests to where nobody is
WITHDRAWN_WITHIN_S = 120.0
LOG_LINES = 500
LOGS_WITHIN = "20s"


class Sight(NamedTuple):
    """How it does: seen by Prometheus, with a ready pod (None: not known), in words, and which alerts fire."""

    seen: bool
    ready: bool | None
    said: str
    alerts: str


def watch(cluster: Cluster, prometheus: str, seconds: float, blind_s: float) -> None:
    """Withdraw the challenger as soon as an alert about it fires, it has no ready pod, or nobody sees it.

    Raises RolloutError where it was withdrawn, could not be watched from the start, or had too few requests to be
    judged by.
    """
    if not cluster.get(CANARY):
        raise RolloutError(f"{cluster.namespace} has no challenger to watch; deploy one with CANARY_DIGEST.")
    _query(prometheus, "vector(1)")  # a wrong address is no reason to withdraw anything
    began = seen_at = ready_at = time.monotonic()
    told, sight = began - TOLD_EVERY_S, Sight(True, None, "", "")
    while time.monotonic() - began < seconds or not sight.seen:
        sight, now = _look(cluster, prometheus), time.monotonic()
        seen_at, ready_at = (now if sight.seen else seen_at), (ready_at if sight.ready is False else now)
        if now - told >= TOLD_EVERY_S:
            print(f"{now - began:,.0f} of {seconds:,.0f} s: {sight.said}", flush=True)
            told = now
        if sight.alerts or now - seen_at > blind_s or now - ready_at > UNREADY_S:
            _end(cluster, sight.said)
        time.sleep(LOOK_EVERY_S)
    _held(cluster, prometheus, seconds)


def _look(cluster: Cluster, prometheus: str) -> Sight:
    ready, alerts, seen, said = None, "", False, "no alert."
    try:
        ready = has_ready_pod(cluster)
        firing = _query(prometheus, f'ALERTS{{alertstate="firing", {_of(cluster)}}}')
        alerts = ", ".join(sorted({each["metric"]["alertname"] for each in firing}))
        seen = bool(_query(prometheus, f"count(up{{{_of(cluster)}}} == 1)"))
        if not seen:
            said = f"Prometheus at {prometheus} scrapes no challenger."
    except RolloutError as error:
        said = str(error)
    if ready is False:
        said = "The challenger has no ready pod."
    return Sight(seen, ready, f"Alerts fire: {alerts}." if alerts else said, alerts)


def _end(cluster: Cluster, cause: str) -> None:
    """Withdraw it, again and again if need be; raises RolloutError in any case."""
    deadline = time.monotonic() + WITHDRAWN_WITHIN_S
    while True:
        try:
            give(cluster, 0)
            kept = _keep_logs(cluster)
            cluster.remove(CANARY)
        except RolloutError as error:
            if time.monotonic() > deadline:
                left = "The challenger is NOT withdrawn: `make withdraw-canary`."
                raise RolloutError(f"{cause} {error} {left}") from error
            time.sleep(LOOK_EVERY_S)
        else:
            raise RolloutError(f"{cause} The challenger is withdrawn.{kept}")


def _keep_logs(cluster: Cluster) -> str:
    """Where the last lines of its pods are, in a sentence; whatever happens to them must not keep it there."""
    path = BUILD / "canary.log"
    try:
        options = ("--selector=credit-scoring/track=canary", "--prefix", f"--tail={LOG_LINES}")
        lines = cluster.ask("logs", *options, f"--request-timeout={LOGS_WITHIN}")
        if not lines:
            return " It had no log."
        BUILD.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{lines}\n", encoding="utf-8")
    except (RolloutError, OSError, ValueError) as error:
        return f" Its log could not be kept: {error}"
    return f" The last lines of its log are in {path}."


def _held(cluster: Cluster, prometheus: str, seconds: float) -> None:
    """By what the rules have recorded, so that it also shows that there are rules."""
    recorded = f'credit_scoring:canary_requests:increase10m{{endpoint="predict", {_of(cluster)}}}'
    found = _query(prometheus, f"max(max_over_time({recorded}[{seconds:.0f}s]))")
    most = float(found[0]["value"][1]) if found else 0.0
    if most < FEWEST_REQUESTS:
        raise RolloutError(
            f"The challenger answered at most {most:,.0f} requests to /predict in ten minutes, expected at least "
            f"{FEWEST_REQUESTS} to judge it by. It stays as it is; give it more (CANARY_WEIGHT), or see whether "
            "Prometheus has the rules of deploy/prometheus/rules/canary.yml."
        )
    print(f"No alert about the challenger, which answered up to {most:,.0f} requests in ten minutes. It stays.")


def _of(cluster: Cluster) -> str:
    """The labels of its metrics; the namespace where Prometheus keeps apart what is of several."""
    return f'credit_scoring_track="canary", namespace=~"{cluster.namespace}|"'


def _query(prometheus: str, expression: str) -> list[Json]:
    """What an expression gives now; raises RolloutError where there is no answer."""
    url = f"{prometheus.rstrip('/')}/api/v1/query?{urlencode({'query': expression})}"
    try:
        with urlopen(url, timeout=ANSWERED_WITHIN_S) as answer:  # noqa: S310 - the scheme is checked where it is parsed
            found: list[Json] = json.load(answer)["data"]["result"]
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
        raise RolloutError(f"Prometheus at {prometheus} gave no answer ({type(error).__name__}: {error}).") from error
    return found
