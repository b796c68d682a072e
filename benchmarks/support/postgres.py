"""A real PostgreSQL server of its own for tests, on loopback, with its data in a folder that goes with it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.support.ports import free_port
from benchmarks.support.waiting import wait_for
from credit_scoring.decisions import schema_version
from credit_scoring.decisions.connect import open_database

STARTED_WITHIN = 120
ATTEMPTS = 3
OWNER = "owner"
SERVICE = "service"


def missing() -> str | None:
    """What is missing to run a server here; None where nothing is."""
    lacking = [name for name in ("initdb", "pg_ctl", "psql") if _program(name) is None]
    return f"POSTGRESQL TESTS NOT RUN, no {', '.join(lacking)}" if lacking else None


def _program(name: str) -> str | None:
    """Debian keeps the server's programs out of the way."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(debian[-1]) if debian else None)


@dataclass
class Postgres:
    """A cluster in a folder; `database` makes a new, empty database in it.

    Without `fsync` all survives that the server's own end does not take away, but not that of the machine.
    """

    folder: Path
    fsync: bool = True
    port: int = field(default_factory=free_port)
    _made: int = 0
    _tables: str = ""
    _is_up: bool = False

    def create(self) -> None:
        """Make the cluster; OSError when that fails."""
        options = ("-U", OWNER, "--auth=trust", "-E", "UTF8", "--no-sync")
        if not self._as_its_user("initdb", "-D", str(self._data), *options):
            raise OSError(f"PostgreSQL's initdb made no cluster in {self._data}.")

    def start(self) -> None:
        """Start the server and wait until it takes connections; OSError with its log when it does not."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c max_connections=50"
        options += "" if self.fsync else " -c fsync=off"
        wait = ("-w", "-t", str(STARTED_WITHIN))
        for _ in range(ATTEMPTS):
            self.end()
            if self._as_its_user("pg_ctl", "-D", str(self._data), "-o", options, "-l", str(self._log), *wait, "start"):
                self._is_up = True
                return
        log = self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else "no log"
        raise OSError(f"PostgreSQL at port {self.port} did not start in {ATTEMPTS} attempts. It says:\n{log[-2000:]}")

    def bring_up(self) -> None:
        """Start it again where a test has left it down."""
        if not (self._is_up and self._lives()):
            self.start()

    def stop(self) -> None:
        """Stop it at once, in good order where it can."""
        self._is_up = False
        self._as_its_user("pg_ctl", "-D", str(self._data), "-m", "fast", "-w", "-t", str(STARTED_WITHIN), "stop")
        self.end()

    def crash(self, *, all_at_once: bool = True) -> None:
        """Kill -9 of the server, which can be started again afterwards.

        All of its processes at once, as with the container that they run in; or the server alone, whose children notice
        and say goodbye to their clients.
        """
        self._is_up = False
        server, *children = running_in(self._data)
        if all_at_once:
            for process in (server, *children):
                with suppress(psutil.NoSuchProcess):
                    process.suspend()  # so that none notices that another has gone
        server.kill()
        if not all_at_once:
            wait_for(lambda: running_in(self._data) == [], "PostgreSQL's children", within=STARTED_WITHIN)
        self.end()

    def end(self) -> None:
        """Kill -9 of all that is left of it.

        Not only of the children that there were a moment before; under load there are new ones. And where nothing reaps
        orphans at once, as in a container, a killed server stays a zombie, whose lock files the next one would respect.
        """
        while alive := running_in(self._data):
            for process in alive:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        for lock in (self._data / "postmaster.pid", self.folder / f".s.PGSQL.{self.port}.lock"):
            lock.unlink(missing_ok=True)

    def database(self, user: str = OWNER) -> str:
        """The address of a new database."""
        return self._copy("template1", user)

    def decision_log(self) -> str:
        """The address of a new database with the decision log's tables."""
        if not self._tables:
            address = self.database()
            open_database(address, timeout=STARTED_WITHIN).run_now(schema_version.upgrade)
            self._tables = address.rpartition("/")[2]
        return self._copy(self._tables, OWNER)

    def drop(self, address: str) -> None:
        """Remove a database whoever uses it: to remove hundreds in the end takes a minute of the disk's time."""
        self.run(f"DROP DATABASE {address.rpartition('/')[2]} WITH (FORCE)")

    def _copy(self, template: str, user: str) -> str:
        self._made += 1
        name = f"decisions_{self._made}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return f"postgresql://{user}@127.0.0.1:{self.port}/{name}"

    def run(self, statement: str, database: str = "postgres") -> str:
        """What psql prints for a statement, as the owner."""
        address = f"postgresql://{OWNER}@127.0.0.1:{self.port}/{database}"
        command = [str(_program("psql")), "-v", "ON_ERROR_STOP=1", "-qAt", address, "-c", statement]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"

    def _lives(self) -> bool:
        try:
            number = (self._data / "postmaster.pid").read_text(encoding="utf-8").split()[0]
        except (OSError, IndexError):
            return False
        return Path(f"/proc/{number}").exists()

    def _as_its_user(self, program: str, *arguments: str) -> bool:
        """Whether this worked; PostgreSQL refuses to run as root."""
        command = [str(_program(program)), *arguments]
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")
            command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
        quiet = subprocess.DEVNULL
        done = subprocess.run(command, check=False, cwd=self.folder, stdin=quiet, stdout=quiet, stderr=quiet)
        return done.returncode == 0


def running_in(folder: Path) -> list[psutil.Process]:
    """Processes, the oldest first, that have this working directory, as all of PostgreSQL's have."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(folder):
                found.append(process)
    return sorted(found, key=lambda process: process.create_time())


@contextmanager
def throwaway(*, fsync: bool = True) -> Iterator[Postgres]:
    """A running server that goes with its folder, whichever way the block is left."""
    with tempfile.TemporaryDirectory(prefix="credit-scoring-postgres-", ignore_cleanup_errors=True) as folder:
        server = Postgres(Path(folder), fsync)
        try:
            server.create()
            server.start()
            yield server
        finally:
            server.stop()
