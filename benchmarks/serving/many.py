"""`python -m benchmarks.serving.many`: what /predict_many does with 1,000 applications, step by step, on one core.

Rows per second of each step (best of the repetitions, since others on the machine can only slow it down), and the share
of the whole that JSON takes.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json
from rich.console import Console
from rich.table import Table

from benchmarks.serving.applications import sample
from benchmarks.support.consorcio import ConsorcioApplication
from credit_scoring.model import store
from credit_scoring.model.scorer import Scorer
from credit_scoring.serving.decision_engine import DecisionDesk
from credit_scoring.serving.routes import MAX_APPLICATIONS
from credit_scoring.settings import MODEL_NAME


def seconds(step: Callable[[], Any], repetitions: int) -> float:
    """The shortest time that a step took."""
    times = []
    for _ in range(repetitions):
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> None:
    """Print one row per step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=50)
    repetitions = parser.parse_args().repetitions
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    model = store.find(f"{MODEL_NAME}:latest")
    scorer = Scorer.load(Path(model.path))
    desk = DecisionDesk(scorer, str(model.tag))
    body = f"[{','.join(sample(scorer).bodies[:MAX_APPLICATIONS])}]".encode()
    items = from_json(body)
    applications = [ConsorcioApplication.model_validate(item) for item in items]
    records = [application.__dict__ for application in applications]
    decisions = desk.decide(applications)
    steps: dict[str, Callable[[], Any]] = {
        "parse JSON": lambda: from_json(body),
        "validate": lambda: [ConsorcioApplication.model_validate(item) for item in items],
        "score": lambda: scorer.score_records(records),
        "decide (score, apply the policy, name)": lambda: desk.decide(applications),
        "write JSON": lambda: to_json(decisions),
    }
    found = {name: seconds(step, repetitions) for name, step in steps.items()}
    whole = sum(found.values()) - found["score"]
    table = Table("step", "rows/s", "share")
    for name, each in found.items():
        table.add_row(name, f"{len(records) / each:,.0f}", f"{each / whole:.0%}")
    table.add_row("all", f"{len(records) / whole:,.0f}", "100%")
    Console().print(table, f"JSON: {(found['parse JSON'] + found['write JSON']) / whole:.0%} of the whole.")


if __name__ == "__main__":
    main()
