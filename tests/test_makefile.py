"""`make` as a newcomer meets it: a help that fits the terminal, and a service without a training."""

import os
import re
import subprocess
from pathlib import Path

from credit_scoring.settings import PROJECT_FOLDER

WIDTH = 80
# What is installed already is not asked about here, and make's own lines would stand between the commands.
QUIET = ("make", "--no-print-directory", "--assume-old=install", "--assume-old=install-dev")


def told(*arguments: str) -> str:
    return subprocess.run([*QUIET, *arguments], cwd=PROJECT_FOLDER, check=True, capture_output=True, text=True).stdout


def test_the_help_lists_every_target_in_groups_and_fits_80_columns() -> None:
    shown = told("help")
    makefile = (PROJECT_FOLDER / "Makefile").read_text(encoding="utf-8")
    assert re.findall(r"^  ([a-z-]+) ", shown, re.MULTILINE) == re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert len(re.findall(r"^\S.*$", shown, re.MULTILINE)) == 4
    assert max(map(len, shown.splitlines())) <= WIDTH


def test_serve_looks_at_the_port_before_anything_else_and_imports_the_demo_model_where_there_is_none() -> None:
    port, model, *_, serves = told("--dry-run", "serve", "PORT=3111").strip().splitlines()[-4:]
    assert port.endswith('credit_scoring.serving.port "127.0.0.1" "3111"')
    assert model.endswith("credit-scoring models import data/models/demo.bentomodel --if-missing")
    assert serves.endswith("bentoml serve credit_scoring.service:CreditScoring --host 127.0.0.1 --port 3111")


def test_serve_trains_where_that_is_asked() -> None:
    assert "bin/credit-scoring train\n" in told("--dry-run", "serve", "TRAIN=1")
    assert "import" not in told("--dry-run", "serve", "TRAIN=1")


def test_the_quick_tests_leave_out_what_is_slow_and_the_others_nothing() -> None:
    assert '-m "not slow and not shipping"' in told("--dry-run", "test")
    assert "-m" not in told("--dry-run", "test-all").split()


def test_clean_leaves_what_cannot_be_made_again(tmp_path: Path) -> None:
    """The passwords that the volumes of compose were made with, and exported models."""
    kept = {"build/secrets/owner_password", "build/model/a.bentomodel", "data/mine.csv"}
    made = {"build/image.digest", "build/kubernetes/staging/manifests.yaml", "dist/a.whl", ".venv/bin/python"}
    for name in kept | made:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    subprocess.run(
        ["make", "-C", tmp_path, "-f", PROJECT_FOLDER / "Makefile", "clean"], check=True, capture_output=True
    )
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == kept
    subprocess.run(
        ["make", "-C", tmp_path, "-f", PROJECT_FOLDER / "Makefile", "clean"], check=True, capture_output=True
    )


def test_a_push_to_docker_hub_looks_for_the_digest_by_the_name_that_docker_gives_it() -> None:
    assert "grep '^owner/'" in told("--dry-run", "push", "REGISTRY=docker.io/owner")
    assert "grep '^ghcr.io/owner/'" in told("--dry-run", "push", "REGISTRY=ghcr.io/owner")


def test_a_key_in_the_environment_reaches_the_smoke_test_and_no_command_line(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "key $KEY, arguments $*"\n', encoding="utf-8")
    python.chmod(0o755)
    for target, script in (("URL=http://it", "deploy/smoke.py"), ("OVERLAY=local", "deploy/kubernetes/rollout.py")):
        command = [*QUIET, "smoke", target, f"PYTHON={python}"]
        environment = {**os.environ, "KEY": "cs_secret"}
        said = subprocess.run(command, cwd=PROJECT_FOLDER, env=environment, check=True, capture_output=True, text=True)
        assert said.stdout.startswith(f"key cs_secret, arguments {script} ")
        assert said.stdout.count("cs_secret") == 1
        assert not said.stderr


def test_no_document_has_a_key_among_the_arguments_of_make() -> None:
    for path in (*PROJECT_FOLDER.glob("*.md"), *PROJECT_FOLDER.glob("docs/**/*.md")):
        assert not re.findall(r"^ *(?:[$] )?make .*\bKEY=.*", path.read_text(encoding="utf-8"), re.MULTILINE), path
