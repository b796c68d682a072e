"""SIGHUP to a running service replaces its workers one after the other, each only once the next one answers."""

import asyncio
import logging
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bentoml.exceptions import BentoMLException
from circus.sighandler import SysHandler

from credit_scoring.serving import instance

READY_WITHIN_S = 120.0
POLL_S = 0.1

logger = logging.getLogger("bentoml.credit_scoring")  # where the process that starts workers logs

Environment = Callable[[], Mapping[str, str]]

_replacing = asyncio.Lock()


def replace_workers_on_hangup(environment: Environment) -> None:
    """Let SIGHUP do so; circus, which BentoML starts its workers by, ends them all as soon as others were started.

    `environment` gives the variables that differ for the new workers, or raises BentoMLException: then all stay.
    """

    def on_hangup(handler: Any) -> None:
        controller = handler.controller
        controller.loop.add_callback_from_signal(_replace_workers, controller.arbiter, environment)

    SysHandler.handle_hup = on_hangup


async def _replace_workers(arbiter: Any, environment: Environment) -> None:
    if _replacing.locked():
        return
    async with _replacing:
        try:
            new = environment()
        except BentoMLException as error:
            logger.error("The workers stay as they are: %s", error)
            return
        if problem := await _problem(new):
            logger.error("The workers stay as they are: %s", problem)
            return
        for watcher in arbiter.iter_watchers():
            if not await _replace_all(watcher, new):
                return
        logger.info("All workers have been replaced.")


async def _problem(new: Mapping[str, str]) -> str:
    """Why a worker that starts now with these variables would not decide; empty where it would."""
    command = (sys.executable, "-m", "credit_scoring.serving.preflight")  # which this process is too light to load
    trial = await asyncio.create_subprocess_exec(*command, env={**os.environ, **new}, stdout=PIPE, stdin=DEVNULL)
    said, _ = await trial.communicate()
    told = said.decode().strip()  # not by its exit code: circus may collect that first
    return "" if told == instance.DECIDES else told or "a trial start ended without a word."


async def _replace_all(watcher: Any, new: Mapping[str, str]) -> bool:
    """Replace each worker by one with these variables; should the first not answer, none is ever started with them."""
    before = watcher.env
    watcher.env = {**before, **new}
    for number in range(len(watcher.processes)):
        if not await _replace_oldest(watcher):
            if number == 0:
                watcher.env = before
            return False
    return True


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
