"""A real PostgreSQL server of its own for tests, on loopback, with its data in a folder that goes with it."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from credit_scoring import schema_version
from credit_scoring.storage import open_database

STARTED_WITHIN = 60
OWNER = "owner"
SERVICE = "service"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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
    """A cluster in a folder; `database` makes a new, empty database in it."""

    folder: Path
    port: int = field(default_factory=_free_port)
    _made: int = 0

    def create(self) -> None:
        """Make the cluster."""
        self._as_its_user("initdb", "-D", str(self._data), "-U", OWNER, "--auth=trust", "-E", "UTF8", "--no-sync")

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c max_connections=50"
        log = str(self.folder / "server.log")
        self._as_its_user(
            "pg_ctl", "-D", str(self._data), "-o", options, "-l", log, "-w", "-t", str(STARTED_WITHIN), "start"
        )

    def stop(self) -> None:
        """Stop it at once, in good order."""
        self._as_its_user("pg_ctl", "-D", str(self._data), "-m", "fast", "-w", "stop", check=False)

    def kill(self) -> None:
        """kill -9 of the server; returns once it is gone, its children as well."""
        pid = int((self._data / "postmaster.pid").read_text().split()[0])
        children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
        for each in (pid, *map(int, children)):
            try:
                os.kill(each, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for each in (pid, *map(int, children)):
            while Path(f"/proc/{each}").exists() and "Z" not in Path(f"/proc/{each}/stat").read_text().split()[2]:
                time.sleep(0.005)

    def database(self, user: str = OWNER) -> str:
        """The address of a new database."""
        self._made += 1
        name = f"decisions_{self._made}"
        self.run(f"CREATE DATABASE {name}")
        return f"postgresql://{user}@127.0.0.1:{self.port}/{name}"

    def decision_log(self) -> str:
        """The address of a new database with the decision log's tables."""
        address = self.database()
        open_database(address, timeout=STARTED_WITHIN).run_now(schema_version.upgrade)
        return address

    def run(self, statement: str, database: str = "postgres") -> str:
        """What psql prints for a statement, as the owner."""
        address = f"postgresql://{OWNER}@127.0.0.1:{self.port}/{database}"
        command = [str(_program("psql")), "-v", "ON_ERROR_STOP=1", "-qAt", address, "-c", statement]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _as_its_user(self, program: str, *arguments: str, check: bool = True) -> None:
        """PostgreSQL refuses to run as root."""
        command = [str(_program(program)), *arguments]
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")
            command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
        subprocess.run(
            command,
            check=check,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@contextmanager
def throwaway() -> Iterator[Postgres]:
    """A running server that goes with its folder, whichever way the block is left."""
    with tempfile.TemporaryDirectory(prefix="credit-scoring-postgres-", ignore_cleanup_errors=True) as folder:
        server = Postgres(Path(folder))
        try:
            server.create()
            server.start()
            yield server
        finally:
            server.stop()
