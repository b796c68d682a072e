"""SIGHUP to a running service replaces its workers one after the other, each only once the next one answers."""

import asyncio
import logging
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
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
        if problem := await _problem():
            logger.error("The workers stay as they are: %s", problem)
            return
        for watcher in arbiter.iter_watchers():
            for _ in range(len(watcher.processes)):
                if not await _replace_oldest(watcher):
                    return
        logger.info("All workers have been replaced.")


async def _problem() -> str:
    """Why a worker that starts now would not decide; empty where it would."""
    command = (sys.executable, "-m", "credit_scoring.serving.preflight")  # which this process is too light to load
    trial = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stdin=DEVNULL)
    said, _ = await trial.communicate()
    if trial.returncode == 0:
        return ""
    return said.decode().strip() or f"a trial start ended with code {trial.returncode}"


async def _replace_oldest(watcher: Any) -> bool:
    """Start a worker and, once it answers, end the oldest; one that does not answer is ended itself."""
    count, before = watcher.numprocesses, set(watcher.processes)
    if watcher.is_stopping() or watcher.is_stopped():
        return False
    watcher.numprocesses = count + 1
    watcher.spawn_process()
    if await _newcomer_answers(watcher, before):
        await watcher.set_numprocesses(count)  # circus ends the oldest
        return True
    logger.error("The workers stay: a new one was not ready within %g s.", READY_WITHIN_S)
    watcher.numprocesses = count
    for process in [watcher.processes.pop(each) for each in set(watcher.processes) - before]:
        await watcher.kill_process(process)
    return False


async def _newcomer_answers(watcher: Any, before: set[int]) -> bool:
    """Whether a new worker becomes ready in time; for one that ends meanwhile circus starts another."""
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and not watcher.is_stopping():
        if any(map(instance.is_ready, set(watcher.processes) - before)):
            return True
        await asyncio.sleep(POLL_S)
    return False
