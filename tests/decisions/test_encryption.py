"""The way to PostgreSQL, encrypted: by SQLAlchemy's connections and by the one that stores blocks."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from benchmarks.support.decision_records import ORIGIN, ask, entry, rows_in
from benchmarks.support.postgres import OWNER, Postgres
from benchmarks.support.waiting import wait_for
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.log import DecisionLog
from credit_scoring.decisions.postgres import PostgresDatabase
from credit_scoring.errors import ConfigurationError, DecisionLogError

AMPLE_S = 20.0
IS_ENCRYPTED = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


def certificate(folder: Path, name: str, *options: str) -> None:
    """`name`.crt and `name`.key in the folder."""
    files = ("-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt"))
    command = ["openssl", "req", "-x509", *NEW_KEY, "-subj", f"/CN={name}", *files, *options]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def authority(postgres: Postgres, tmp_path: Path) -> Iterator[Path]:
    """The certificate of an authority of ours, which has signed the server's for `localhost` and nothing else."""
    if shutil.which("openssl") is None:
        pytest.fail("No openssl: apt-get install openssl")
    certificate(tmp_path, "authority")
    signed = ("-CA", str(tmp_path / "authority.crt"), "-CAkey", str(tmp_path / "authority.key"))
    certificate(tmp_path, "server", *signed, "-addext", "subjectAltName=DNS:localhost")
    for kind in ("crt", "key"):
        _give(tmp_path / f"server.{kind}", postgres.folder / "data" / f"server.{kind}")
    _set(postgres, "ssl = on")
    yield tmp_path / "authority.crt"
    _set(postgres, "ssl = off")


def _give(source: Path, place: Path) -> None:
    """A file that only the server's user may read, as PostgreSQL wants its key."""
    shutil.copyfile(source, place)
    place.chmod(0o600)
    if os.geteuid() == 0:
        shutil.chown(place, "postgres", "postgres")


def _set(postgres: Postgres, setting: str) -> None:
    postgres.run(f"ALTER SYSTEM SET {setting}")
    postgres.run("SELECT pg_reload_conf()")
    wanted = setting.rpartition(" ")[2]
    wait_for(lambda: postgres.run("SHOW ssl") == wanted, f"PostgreSQL with {setting}", within=60)


def at(address: str, host: str, query: str) -> str:
    return f"{address.replace('127.0.0.1', host)}?{query}"


def is_encrypted(address: str) -> tuple[bool, bool]:
    """Of what SQLAlchemy opens, and of what stores blocks."""

    def asked(connection: Connection) -> bool:
        return bool(connection.execute(text(IS_ENCRYPTED)).scalar_one())

    async def own() -> bool:
        database = open_database(address, timeout=AMPLE_S)
        assert isinstance(database, PostgresDatabase)
        connection = await database.connect()
        try:
            return bool(await connection.fetchval(IS_ENCRYPTED))
        finally:
            await connection.close()

    return ask(address, asked), asyncio.run(own())


async def store(address: str) -> None:
    """A decision, as a worker does."""
    log = DecisionLog(open_database(address, timeout=AMPLE_S), ORIGIN)
    try:
        await log.store([entry()])
    finally:
        await log.close()


@pytest.mark.parametrize(
    ("host", "mode"), [("localhost", "verify-full"), ("127.0.0.1", "verify-ca"), ("127.0.0.1", "require")]
)
def test_both_ways_to_the_server_are_encrypted_and_its_certificate_is_checked(
    postgres: Postgres, authority: Path, host: str, mode: str
) -> None:
    address = postgres.decision_log()
    encrypted = at(address, host, f"sslmode={mode}&sslrootcert={authority}")
    assert is_encrypted(encrypted) == (True, True)

    asyncio.run(store(encrypted))
    assert rows_in(address, "decisions") == 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [("sslmode=disable", False), ("sslmode=prefer", True), ("sslmode=require", True), ("application_name=us", True)],
)
@pytest.mark.usefixtures("authority")
def test_without_a_check_of_the_certificate_the_mode_says_whether_it_is_encrypted(
    postgres: Postgres, query: str, expected: bool
) -> None:
    assert is_encrypted(at(postgres.database(), "127.0.0.1", query)) == (expected, expected)


@pytest.mark.parametrize(
    ("host", "mode", "is_ours"),
    [("127.0.0.1", "verify-full", True), ("localhost", "verify-full", False), ("127.0.0.1", "verify-ca", False)],
)
def test_a_server_of_another_name_or_authority_is_refused_on_both_ways(
    postgres: Postgres, authority: Path, host: str, mode: str, is_ours: bool
) -> None:
    root = f"&sslrootcert={authority}" if is_ours else ""
    address = at(postgres.decision_log(), host, f"sslmode={mode}{root}")
    refused = "SSLCertVerificationError. Is its certificate for this host, and signed by an authority of `sslrootcert`"
    with pytest.raises(DecisionLogError, match=refused):
        rows_in(address, "decisions")
    with pytest.raises(DecisionLogError, match=refused):
        asyncio.run(store(address))


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("ssl=verify-full", "says ssl=verify-full. Say sslmode, as in sslmode=verify-full."),
        (
            "sslmode=always",
            "says sslmode=always. Expected one of disable, allow, prefer, require, verify-ca, verify-full.",
        ),
        ("sslmode=verify-full&sslrootcert=/no/ca.crt", "says sslrootcert=/no/ca.crt: No such file or directory."),
        ("sslmode=verify-full&sslcert=/no/us.crt", "says sslcert=/no/us.crt: No such file or directory."),
    ],
)
def test_what_cannot_be_done_is_named_before_anything_is_connected(query: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        open_database(f"postgresql://{OWNER}@127.0.0.1:1/decisions?{query}")
    assert told in str(raised.value)


def test_no_password_among_the_options_of_an_address_is_shown() -> None:
    address = f"postgresql://{OWNER}:one@127.0.0.1:1/decisions?password=two&sslpassword=three&sslmode=prefer"
    assert str(open_database(address)) == f"postgresql://{OWNER}:***@127.0.0.1:1/decisions?sslmode=prefer"
