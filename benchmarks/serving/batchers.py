"""`python -m benchmarks.serving.batchers`: ways to score concurrent requests together, in one process, without HTTP.

Three of them, each with so many callers that ask again as soon as they have their answer: this project's batcher; the
same with the scoring handed to a thread; BentoML's own dispatcher, which is what `batchable=True` uses. Interleaved,
medians; applications per second.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import cycle
from pathlib import Path
from statistics import median

from bentoml._internal.marshal.dispatcher import CorkDispatcher
from rich.console import Console
from rich.table import Table

from benchmarks.serving.applications import sample
from benchmarks.support.consorcio import ConsorcioApplication
from credit_scoring.application.schemas import Application, Decision
from credit_scoring.model import store
from credit_scoring.model.scorer import Scorer
from credit_scoring.serving.batching import MicroBatcher
from credit_scoring.serving.decision_engine import DecisionDesk
from credit_scoring.settings import MODEL_NAME

CALLERS = (1, 8, 32, 128)
LARGEST = 256

Submit = Callable[[Application], Awaitable[Decision]]
Maker = Callable[[DecisionDesk], Submit]


def ours(desk: DecisionDesk) -> Submit:
    """The batcher of the service."""
    batcher = MicroBatcher(desk.decide, max_batch_size=LARGEST, budget=60.0)

    async def submit(application: Application) -> Decision:
        answer: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        batcher.put(application, answer)
        return await answer

    return submit


def in_a_thread(desk: DecisionDesk) -> Submit:
    """Collected on the event loop, scored in a thread; the next batch forms meanwhile."""
    queue: asyncio.Queue[tuple[Application, asyncio.Future[Decision]]] = asyncio.Queue()

    async def work() -> None:
        while True:
            batch = [await queue.get()]
            while not queue.empty() and len(batch) < LARGEST:
                batch.append(queue.get_nowait())
            decisions = await asyncio.to_thread(desk.decide, [application for application, _ in batch])
            for (_, answer), decision in zip(batch, decisions, strict=True):
                answer.set_result(decision)

    worker = asyncio.get_running_loop().create_task(work())

    async def submit(application: Application) -> Decision:
        if worker.done():
            raise RuntimeError("The thread's task ended.")
        answer: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        queue.put_nowait((application, answer))
        return await answer

    return submit


def bentoml_s(desk: DecisionDesk) -> Submit:
    """BentoML's dispatcher, called in process."""

    async def decide(batch: Sequence[Application]) -> list[Decision]:
        return desk.decide(batch)

    dispatcher = CorkDispatcher(
        max_latency_in_ms=60_000, max_batch_size=LARGEST, fallback=RuntimeError, get_batch_size=lambda application: 1
    )
    submit: Submit = dispatcher(decide)
    return submit


WAYS: dict[str, Maker] = {"ours": ours, "scored in a thread": in_a_thread, "BentoML's dispatcher": bentoml_s}


async def throughput(make: Maker, desk: DecisionDesk, bodies: Sequence[str], callers: int, seconds: float) -> float:
    """Decisions per second that so many callers get."""
    submit, requests = make(desk), cycle(ConsorcioApplication.model_validate_json(body) for body in bodies)
    end = time.perf_counter() + seconds
    counts = await asyncio.gather(*(_ask(submit, requests, end) for _ in range(callers)))
    return sum(counts) / seconds


async def _ask(submit: Submit, requests: "cycle[Application]", end: float) -> int:
    count = 0
    while time.perf_counter() < end:
        await submit(next(requests))
        count += 1
    return count


def main() -> None:
    """Print one row per way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each measurement")
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    model = store.find(f"{MODEL_NAME}:latest")
    scorer = Scorer.load(Path(model.path))
    desk, bodies = DecisionDesk(scorer, str(model.tag)), sample(scorer).bodies
    found: dict[tuple[str, int], list[float]] = {}
    for _ in range(options.repetitions):
        for callers in CALLERS:
            for name, make in WAYS.items():
                rate = asyncio.run(throughput(make, desk, bodies, callers, options.seconds))
                found.setdefault((name, callers), []).append(rate)
    table = Table("decisions/s", *(f"{callers} callers" for callers in CALLERS))
    for name in WAYS:
        table.add_row(name, *(f"{median(found[name, callers]):,.0f}" for callers in CALLERS))
    Console().print(table)


if __name__ == "__main__":
    main()
