"""Processes on a core of their own: started in a session of their own, watched, and stopped with all they started."""

import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

STOPPED_WITHIN_S = 10.0
WATCH_EVERY_S = 0.5
MEGABYTE = 1024 * 1024
PINNED = ("setpriv", "--pdeathsig", "TERM", "taskset", "--cpu-list")

Process = subprocess.Popen[bytes]


@dataclass(frozen=True)
class Cores:
    """The core of the server and the core of the client; the same one on a machine that has only one."""

    server: int
    client: int

    @classmethod
    def of_this_machine(cls) -> "Cores":
        """The first two that this process may run on."""
        allowed = sorted(os.sched_getaffinity(0))
        return cls(allowed[0], allowed[1] if len(allowed) > 1 else allowed[0])

    def leave(self) -> None:
        """Keep this process off the server's core, and off the client's if there is a third."""
        allowed = os.sched_getaffinity(0)
        os.sched_setaffinity(0, allowed - {self.server, self.client} or {self.client})


@dataclass(frozen=True)
class Use:
    """What a process group used while something else ran; `foreign_cpu` is the share of both cores taken by others."""

    cpu_seconds: float
    client_cpu_seconds: float
    peak_rss_mb: float
    largest_rss_mb: float
    foreign_cpu: float


def allow_many_connections() -> None:
    """Raise the limit on open files, which servers and clients inherit, as far as this user may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def check_tools() -> None:
    """Raises RuntimeError when the system lacks what pins and ends processes."""
    missing = [tool for tool in ("taskset", "setpriv") if shutil.which(tool) is None]
    if missing:
        raise RuntimeError(f"No {' and no '.join(missing)} found: the benchmark needs Linux with util-linux.")


def start(command: Sequence[str], core: int, log: Path, environment: Mapping[str, str], folder: Path) -> Process:
    """Start a command on one core; it is told to end when this process ends, however that happens."""
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - commands of this benchmark
            [*PINNED, str(core), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
        )


def stop(process: Process) -> None:
    """End a process and its group: politely first, then whatever is left of it."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOPPED_WITHIN_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def running(
    command: Sequence[str], core: int, log: Path, environment: Mapping[str, str], folder: Path
) -> Iterator[Process]:
    """A process that is stopped when the block is left, on whatever path."""
    process = start(command, core, log, environment, folder)
    try:
        yield process
    finally:
        stop(process)


def watch(client: Process, server: Process, cores: Cores, timeout: float) -> Use:
    """Wait for a client to end and say what it and the server used meanwhile; raises TimeoutError when it hangs."""
    deadline = time.monotonic() + timeout
    watched = _Watched(family(server), family(client), cores)
    started = last = watched.snapshot()
    peak = largest = 0.0
    while client.poll() is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"The load did not end within {timeout:.0f} s.")
        memory, last = rss_mb(watched.server), watched.snapshot()
        peak, largest = max(peak, sum(memory)), max(largest, *memory, 0.0)
        with contextlib.suppress(subprocess.TimeoutExpired):
            client.wait(WATCH_EVERY_S)
    return last.since(started, peak, largest)


@dataclass(frozen=True)
class _Watched:
    """Server and client by process; looked up once, because searching for children costs as much as a request."""

    server: Sequence[psutil.Process]
    client: Sequence[psutil.Process]
    cores: Cores

    def snapshot(self) -> "_Snapshot":
        used = {self.cores.server, self.cores.client}
        busy = sum(_busy(times) for core, times in enumerate(psutil.cpu_times(percpu=True)) if core in used)
        return _Snapshot(time.monotonic(), _cpu_seconds(self.server), _cpu_seconds(self.client), busy, len(used))


@dataclass(frozen=True)
class _Snapshot:
    """CPU seconds so far: of the server, of the client, and of everything on the cores used."""

    time: float
    server: float
    client: float
    busy: float
    cores: int

    def since(self, before: "_Snapshot", peak_rss_mb: float, largest_rss_mb: float) -> Use:
        server, client = self.server - before.server, self.client - before.client
        wall = max(self.time - before.time, 1e-9) * self.cores
        foreign = (self.busy - before.busy - server - client) / wall
        return Use(server, client, peak_rss_mb, largest_rss_mb, min(max(foreign, 0.0), 1.0))


def _busy(times: object) -> float:
    fields = ("user", "nice", "system", "irq", "softirq", "steal")
    return sum(float(getattr(times, field)) for field in fields)


def family(process: Process) -> list[psutil.Process]:
    """A process and all that it has started; empty when it has ended."""
    try:
        leader = psutil.Process(process.pid)
        return [leader, *leader.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def rss_mb(processes: Sequence[psutil.Process]) -> list[float]:
    """Resident memory of each of these processes that lives; what they share counts for each."""
    return list(_each(processes, lambda each: each.memory_info().rss / MEGABYTE))


def _cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    return sum(_each(processes, lambda each: float(sum(each.cpu_times()[:2]))))


def _each(processes: Sequence[psutil.Process], read: Callable[[psutil.Process], float]) -> Iterator[float]:
    for each in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            yield read(each)


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
