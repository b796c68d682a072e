"""SIGHUP to a running service replaces its workers one after the other, each only once the next one answers."""

import asyncio
import logging
import signal
import time
from collections.abc import Iterable
from typing import Any

from circus.sighandler import SysHandler

from credit_scoring.serving import instance

READY_WITHIN_S = 120.0
POLL_S = 0.1

logger = logging.getLogger("bentoml.credit_scoring")  # where the process that starts workers logs

_replacing = asyncio.Lock()


def replace_workers_on_hangup() -> None:
    """Let SIGHUP do so; circus, which BentoML starts its workers by, ends them all as soon as others were started."""
    SysHandler.handle_hup = _on_hangup


def _on_hangup(handler: Any) -> None:
    handler.controller.loop.add_callback_from_signal(_replace_workers, handler.controller.arbiter)


async def _replace_workers(arbiter: Any) -> None:
    if _replacing.locked():
        return
    async with _replacing:
        for watcher in arbiter.iter_watchers():
            for _ in range(len(watcher.processes)):
                if not await _replace_oldest(watcher):
                    return
        logger.info("All workers have been replaced.")


async def _replace_oldest(watcher: Any) -> bool:
    """Start a worker and, once it answers, end the oldest; one that does not answer is ended itself."""
    count, before = watcher.numprocesses, set(watcher.processes)
    if watcher.is_stopping() or watcher.is_stopped():
        return False
    watcher.numprocesses = count + 1
    watcher.spawn_process()
    answers = await _newcomer_answers(watcher, before)
    watcher.numprocesses = count
    if answers:
        await _end(watcher, [min(watcher.processes, key=lambda each: watcher.processes[each].started)])
    else:
        logger.error("The workers stay: a new one was not ready within %g s.", READY_WITHIN_S)
        await _end(watcher, set(watcher.processes) - before)
    return answers


async def _end(watcher: Any, processes: Iterable[int]) -> None:
    """End workers that circus no longer counts: else it would start others for them."""
    for process in [watcher.processes.pop(each) for each in processes]:
        process.send_signal(signal.SIGTERM)
        while process.is_alive():
            await asyncio.sleep(POLL_S)


async def _newcomer_answers(watcher: Any, before: set[int]) -> bool:
    """Whether a new worker becomes ready in time; for one that ends meanwhile circus starts another."""
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and not watcher.is_stopping():
        if any(map(instance.is_ready, set(watcher.processes) - before)):
            return True
        await asyncio.sleep(POLL_S)
    return False
