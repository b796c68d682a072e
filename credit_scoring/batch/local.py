"""Batches on this machine: chunks of the input, decided by a process for each core, in constant memory.

This process only reads. The others parse, check, score and write, each chunk into files of its own, whose names keep
the order of the input.
"""

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from itertools import chain, islice
from multiprocessing import forkserver
from pathlib import Path

import joblib

from credit_scoring.batch.chunks import Chunk
from credit_scoring.batch.cluster import ONE_THREAD
from credit_scoring.batch.local_input import LocalInput
from credit_scoring.batch.local_task import LocalTask, Part
from credit_scoring.batch.output import LocalFiles, OutputFolder
from credit_scoring.batch.scoring import MOST_REASONS, OnProgress, Scored, ScoringJob
from credit_scoring.errors import ConfigurationError, ScoringError

AHEAD = 2  # chunks that wait or are being decided, for each process
FINER_WITH_REASONS = 20  # a row takes about as many times longer, so that progress and Ctrl-C keep their pace


def score(job: ScoringJob, on_progress: OnProgress = lambda done, size: None, jobs: int | None = None) -> Scored:
    """Decide every row of the input and replace the output folder, in `jobs` processes or in one for each core.

    `on_progress` gets the bytes of the input that have been decided, and all of them. Raises a CreditScoringError where
    that was not possible; the output then is as it was.
    """
    scorer = job.scorer()
    output = OutputFolder(job.output, LocalFiles())
    with _writable(job):
        output.check(job.files.path)
        found, whole = LocalInput.of(job.files, scorer.catalogue), Part()
        with output.replacing() as folder:
            task = LocalTask(found.form, job.model_folder, scorer.policy, Path(folder), job.schema, job.origin(scorer))
            Path(folder).mkdir(parents=True)
            chunks = found.chunks(FINER_WITH_REASONS if job.with_reasons else 1)
            with closing(_decided(task, chunks, jobs or joblib.cpu_count())) as parts:
                for part in parts:
                    whole.add(part)
                    on_progress(part.done, found.size)
            task.finish()
            manifest = job.manifest(scorer, whole.rows, whole.decided, whole.rejected)
            output.write_manifest(manifest)
    return Scored(output.path, manifest, tuple(whole.reasons.most_common(MOST_REASONS)))


@contextmanager
def _writable(job: ScoringJob) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"--output {job.output}: cannot be written ({error.strerror}). Name another."
        ) from error


def _decided(task: LocalTask, chunks: Iterator[Chunk], jobs: int) -> Generator[Part]:
    """What came of each chunk, in their order; a single one is not worth another process."""
    first = [*islice(chunks, 2)]
    numbered = enumerate(chain(first, chunks))
    if jobs == 1 or len(first) < 2:
        return (task.decide(number, chunk) for number, chunk in numbered)
    return _in_processes(task, numbered, jobs)


def _in_processes(task: LocalTask, chunks: Iterable[tuple[int, Chunk]], jobs: int) -> Generator[Part]:
    pending: deque[Future[Part]] = deque()
    with _processes(task, jobs) as pool:
        for number, chunk in chunks:
            pending.append(pool.submit(_decide, number, chunk))
            if len(pending) >= AHEAD * jobs:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


@contextmanager
def _processes(task: LocalTask, jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that have the task; they end with the block, or with this process if it is killed."""
    _start_server()
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("forkserver"), _take, (task,))
    try:
        yield pool
    except BrokenProcessPool as error:
        raise ScoringError(
            "A process that decided was killed, perhaps for want of memory. Nothing was written; run it again, or with "
            "fewer --jobs."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start_server() -> None:
    """Start what processes are forked from: with one thread for matrices, and without Ctrl-C, which is for this one."""
    # All of ours that is loaded here: each process runs the main script's imports again, which then cost nothing.
    forkserver.set_forkserver_preload([name for name in sys.modules if name.startswith("credit_scoring.")])
    on_interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    added = {name: count for name, count in ONE_THREAD.items() if name not in os.environ}
    os.environ.update(added)
    try:
        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, on_interrupt)
        for name in added:
            del os.environ[name]


_tasks: list[LocalTask] = []


def _take(task: LocalTask) -> None:
    """In a new process: keep the task, and end when the process that wants it is gone."""
    _tasks.append(task)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.disable(logging.WARNING)  # what a model warns of has been said once
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _decide(number: int, chunk: Chunk) -> Part:
    return _tasks[-1].decide(number, chunk)
