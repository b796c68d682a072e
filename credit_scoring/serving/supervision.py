"""A worker that ends is started again at once, in a container, too."""

import asyncio
import logging
import os
import signal
from contextlib import suppress
from typing import Any

from bentoml import serving
from circus.exc import ConflictError
from circus.sighandler import SysHandler

RETRY_S = 0.05

logger = logging.getLogger("bentoml.credit_scoring")  # where the process that starts workers logs


def restart_ended_workers() -> None:
    """Start a worker for each that ends.

    BentoML has circus look every 10 s, and in a container not start any: one of two workers is gone for good there.
    """
    serving.running_inside_container = lambda: False  # asked when watchers are made
    SysHandler.SIGNALS = [*SysHandler.SIGNALS, signal.SIGCHLD]
    SysHandler.handle_cld = _on_child_ended  # circus's name for SIGCHLD


def _on_child_ended(handler: Any) -> None:
    handler.controller.loop.add_callback_from_signal(_restart_workers, handler.controller.arbiter)


async def _restart_workers(arbiter: Any) -> None:
    for watcher in arbiter.iter_watchers():
        _log_ended(watcher)
    while not any(watcher.is_stopping() for watcher in arbiter.iter_watchers()):
        try:
            await arbiter.manage_watchers()
            return
        except ConflictError:  # another command of circus's is not done yet
            await asyncio.sleep(RETRY_S)


def _log_ended(watcher: Any) -> None:
    if watcher.is_stopping() or watcher.is_stopped():
        return
    for process in watcher.processes:
        with suppress(ChildProcessError):  # circus knows already
            if ended := os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                logger.error("Worker %d ended (%s); starting another.", process, _cause(ended))


def _cause(ended: os.waitid_result) -> str:
    if ended.si_code == os.CLD_EXITED:
        return f"exit code {ended.si_status}"
    return signal.Signals(ended.si_status).name
