"""The model that a release carries: the one that is named, or the demo model, which must not go to production."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import bentoml
import pytest

from credit_scoring.model import store
from credit_scoring.model.scorer import Scorer
from credit_scoring.settings import PROJECT_FOLDER
from tests.support.command_line import run
from tests.support.web import served_folder

SCRIPT = PROJECT_FOLDER / "deploy" / "release_model.sh"
DEMO = PROJECT_FOLDER / "data" / "models" / "demo.bentomodel"
NAMED = "MODEL_ADDRESS={address}\nMODEL_SHA256={sha256}\n"


@pytest.fixture
def own(scorer: Scorer, published: Callable[[], list[str]], tmp_path: Path) -> Path:
    """An exported model that was trained on a history of one's own."""
    data = scorer.card.data.model_copy(update={"source": "history.csv"})
    tag = store.save(replace(scorer, card=scorer.card.model_copy(update={"data": data})))
    return Path(bentoml.models.export_model(tag, str(tmp_path / "own.bentomodel")))


def imported(tmp_path: Path, file: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """The end of the script, in an empty store, with this file of the release."""
    named = tmp_path / "release.env"
    named.write_text(file, encoding="utf-8")
    binaries = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": binaries, "BENTOML_HOME": str(tmp_path / "home"), **variables}
    command = ["sh", str(SCRIPT), named.name, str(DEMO)]
    return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)


def checked(tmp_path: Path) -> str:
    """What is said of the champion of this store on its way to production; empty where it may go."""
    return run("models", "check", BENTOML_HOME=str(tmp_path / "home")).stderr


def test_without_a_name_it_is_the_demo_model_which_production_refuses(tmp_path: Path) -> None:
    committed = (PROJECT_FOLDER / "deploy" / "models" / "release.env").read_text(encoding="utf-8")
    found = imported(tmp_path, committed)
    assert found.returncode == 0, found.stderr
    assert "was trained on the demo data" in checked(tmp_path)


@pytest.mark.parametrize("by_hand", [False, True])
def test_the_named_model_is_carried_and_may_go_to_production(own: Path, tmp_path: Path, by_hand: bool) -> None:
    sha256 = hashlib.sha256(own.read_bytes()).hexdigest()
    with served_folder(tmp_path) as address:
        named = {"address": f"{address}/{own.name}", "sha256": sha256}
        file = NAMED.format(address="http://127.0.0.1:1/none", sha256="0") if by_hand else NAMED.format(**named)
        by_input = {f"MODEL_{key.upper()}": value for key, value in named.items()} if by_hand else {}
        found = imported(tmp_path, file, **by_input)
    assert found.returncode == 0, found.stderr
    assert checked(tmp_path) == ""


@pytest.mark.parametrize(
    ("sha256", "told"), [("", "--sha256 is missing"), ("0" * 64, "its sha256 is")], ids=["none", "another"]
)
def test_a_named_model_without_its_hash_ends_the_release(own: Path, tmp_path: Path, sha256: str, told: str) -> None:
    with served_folder(tmp_path) as address:
        found = imported(tmp_path, NAMED.format(address=f"{address}/{own.name}", sha256=sha256))
    assert found.returncode != 0
    assert told in found.stderr
    assert not list(tmp_path.glob("home/models/credit_scoring/*/card.json"))


def test_a_hash_without_an_address_is_no_wish_for_the_demo_model(tmp_path: Path) -> None:
    found = imported(tmp_path, NAMED.format(address="", sha256="0" * 64))
    assert found.returncode == 1
    assert "MODEL_ADDRESS is not" in found.stderr
    assert not (tmp_path / "home").exists()


def test_an_address_is_read_and_never_run(tmp_path: Path) -> None:
    address = "http://127.0.0.1:1/none?a=1&touch=ran; touch ran"
    found = imported(tmp_path, NAMED.format(address=address, sha256="0" * 64))
    assert "http://127.0.0.1:1/none: cannot be fetched" in found.stderr
    assert not (tmp_path / "ran").exists()
