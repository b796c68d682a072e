"""What PostgreSQL's image is given to run, here and in docker compose: the role of the service."""

import os
import shutil
import subprocess
from pathlib import Path

from benchmarks.support.postgres import OWNER, Postgres
from tests.support.manifests import KUBERNETES

SCRIPT = KUBERNETES / "overlays" / "local" / "roles.sh"
WORD = "not-to-be-seen"
ROLE = "SELECT rolcanlogin AND rolpassword IS NOT NULL AND NOT rolsuper FROM pg_authid WHERE rolname = 'credit_scoring'"


def test_the_role_of_the_service_is_made_without_its_password_in_an_argument(
    postgres: Postgres, tmp_path: Path
) -> None:
    """By the real psql, called by one that writes its arguments down."""
    (tmp_path / "password").write_text(WORD, encoding="utf-8")
    script = tmp_path / "roles.sh"
    text = SCRIPT.read_text(encoding="utf-8")
    script.write_text(text.replace("/run/secrets/service_password", str(tmp_path / "password")), encoding="utf-8")
    noted, psql = tmp_path / "arguments", tmp_path / "psql"
    psql.write_text(f'#!/bin/sh\necho "$@" >> {noted}\nexec {shutil.which("psql")} "$@"\n', encoding="utf-8")
    psql.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(postgres.port),
        "POSTGRES_USER": OWNER,
        "POSTGRES_DB": postgres.database().rpartition("/")[2],
    }
    try:
        subprocess.run(["sh", script], env=environment, check=True, capture_output=True)
        assert postgres.run(ROLE) == "t"
    finally:
        postgres.run("DROP ROLE IF EXISTS credit_scoring")
    assert OWNER in noted.read_text(encoding="utf-8")
    assert WORD not in noted.read_text(encoding="utf-8")
