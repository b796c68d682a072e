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
from credit_scoring.model.card import Comparison, Interval
from credit_scoring.model.scorer import Scorer
from credit_scoring.settings import PROJECT_FOLDER
from tests.support.command_line import run
from tests.support.web import served_folder

SCRIPT = PROJECT_FOLDER / "deploy" / "release_model.sh"
CHECK = PROJECT_FOLDER / "deploy" / "check_model.sh"
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


def compared(tmp_path: Path, tag: str, file: str = "", **variables: str) -> "subprocess.CompletedProcess[str]":
    """The end of the check of this model after two releases and a candidate, the last of credit_scoring:last."""
    for version, model in (("1.9.0", "first"), ("1.10.0", "last"), ("1.10.0-rc1", "candidate")):
        line = f"{'0' * 64}  credit_scoring-{model}.bentomodel\n"
        (tmp_path / f"v{version}.sha256").write_text(line, encoding="utf-8")
    (tmp_path / "release.env").write_text(file, encoding="utf-8")
    binaries = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": binaries, **variables}
    command = ["sh", str(CHECK), tag, str(tmp_path / "release.env")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def stored(scorer: Scorer, published: Callable[[], list[str]]) -> Callable[..., str]:
    """Stores a model of one's own history that was compared with another one; its tag."""

    def save(against: str, high: float) -> str:
        difference = Interval(value=high - 0.01, low=high - 0.02, high=high)
        data = scorer.card.data.model_copy(update={"source": "history.csv"})
        told = {"data": data, "against": Comparison(tag=against, auc=0.75, difference=difference)}
        return store.save(replace(scorer, card=scorer.card.model_copy(update=told)))

    return save


def test_a_model_no_worse_than_the_one_released_last_may_go_to_production(
    stored: Callable[..., str], tmp_path: Path
) -> None:
    tag = stored("credit_scoring:last", 0.01)
    found = compared(tmp_path, tag)
    assert (found.returncode, found.stdout) == (0, f"{tag}\n"), found.stderr


@pytest.mark.parametrize(
    ("against", "high", "told"),
    [
        ("credit_scoring:last", -0.001, "is worse than credit_scoring:last"),
        ("credit_scoring:first", 0.01, "compared with credit_scoring:first, but credit_scoring:last is"),
    ],
)
def test_a_model_that_is_worse_or_was_not_compared_needs_a_reason_to_go(
    stored: Callable[..., str], tmp_path: Path, against: str, high: float, told: str
) -> None:
    tag = stored(against, high)
    found = compared(tmp_path, tag)
    assert (found.returncode, found.stdout) == (1, "")
    assert told in found.stderr
    reason = f"{tag}: fields changed"
    for given in ({"MODEL_UNCOMPARED": reason}, {"file": f"MODEL_UNCOMPARED={reason}\n"}):
        found = compared(tmp_path, tag, **given)
        assert (found.returncode, found.stdout) == (0, f"{tag}\n")
        assert "Not compared with credit_scoring:last, which is released: fields changed" in found.stderr


@pytest.mark.parametrize("reason", ["fields changed", "credit_scoring:first: fields changed", "{tag}: "])
def test_a_reason_counts_for_the_model_that_it_names_only(
    stored: Callable[..., str], tmp_path: Path, reason: str
) -> None:
    tag = stored("credit_scoring:first", 0.01)
    found = compared(tmp_path, tag, file=f"MODEL_UNCOMPARED={reason.format(tag=tag)}\n")
    assert (found.returncode, found.stdout) == (1, "")
    assert f"MODEL_UNCOMPARED is ignored: expected '{tag}: reason'" in found.stderr


def test_the_reason_of_the_file_is_not_one_for_a_model_named_by_hand(
    stored: Callable[..., str], tmp_path: Path
) -> None:
    tag = stored("credit_scoring:first", 0.01)
    file = f"MODEL_UNCOMPARED={tag}: fields changed\n"
    assert compared(tmp_path, tag, file).returncode == 0
    found = compared(tmp_path, tag, file, MODEL_ADDRESS="https://models.example/own.bentomodel")
    assert (found.returncode, found.stdout) == (1, "")


def test_a_reason_lets_no_demo_model_go(model_tag: str, tmp_path: Path) -> None:
    found = compared(tmp_path, model_tag, MODEL_UNCOMPARED=f"{model_tag}: it is nice")
    assert found.returncode == 1
    assert "was trained on the demo data" in found.stderr


def test_a_released_hash_that_names_no_model_is_told(model_tag: str, tmp_path: Path) -> None:
    (tmp_path / "v2.0.0.sha256").write_text("nothing\n", encoding="utf-8")
    found = compared(tmp_path, model_tag)
    assert found.returncode == 1
    assert "v2.0.0.sha256 names no model" in found.stderr


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
