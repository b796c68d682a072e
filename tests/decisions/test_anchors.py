"""Anchors of the decision log, as the commands make and check them."""

import json
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.support.decision_records import entry, put, tamper
from credit_scoring.decisions.anchors import make_keys
from tests.support.command_line import error_here, run_here


class Notary:
    """Whoever anchors a log: a pair of keys and a file, in a folder."""

    def __init__(self, folder: Path, database: str) -> None:
        self.database = database
        self.key, self.public_key = folder / "signing.pem", folder / "public.pem"
        self.file = folder / "anchors.jsonl"
        make_keys(self.key, self.public_key)

    @property
    def to_anchor(self) -> tuple[str | Path, ...]:
        return ("decisions", "anchor", "--key", self.key, "--anchors", self.file, "--database", self.database)

    @property
    def to_verify(self) -> tuple[str | Path, ...]:
        files = ("--anchors", self.file, "--public-key", self.public_key)
        return ("decisions", "verify", *files, "--database", self.database)

    def anchor(self, times: int = 1) -> None:
        for _ in range(times):
            put(self.database, [entry()])
            found = run_here(*self.to_anchor)
            assert found.exit_code == 0, found.output

    def lines(self) -> list[bytes]:
        return self.file.read_bytes().splitlines(keepends=True)


@pytest.fixture
def notary(tmp_path: Path) -> Notary:
    notary = Notary(tmp_path, f"sqlite:///{tmp_path}/decisions.db")
    put(notary.database, [entry()])
    return notary


def test_the_commands_of_the_manual_make_keys_anchor_and_verify(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/decisions.db"
    put(database, [entry(), entry()])
    key, public_key, file = tmp_path / "key.pem", tmp_path / "public.pem", tmp_path / "anchors.jsonl"
    made = run_here("decisions", "signing-key", "--key", key, "--public-key", public_key)
    assert (made.exit_code, made.stdout) == (0, "")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    found = run_here("decisions", "anchor", "--key", key, "--anchors", file, "--database", database)
    assert (found.exit_code, found.stdout, found.stderr) == (0, "", "Anchor 1: 1 chains have grown.\n")
    found = run_here("decisions", "verify", "--anchors", file, "--public-key", public_key, "--database", database)
    assert (found.exit_code, found.stdout) == (0, "")
    assert "1 anchors, the last one of 20" in found.stderr
    assert "Nothing was altered, removed or inserted." in found.stderr


def test_an_anchor_notes_only_what_has_grown_and_leaves_earlier_lines_alone(notary: Notary) -> None:
    notary.anchor(2)
    first, second = notary.lines()
    assert [len(json.loads(line)["heads"]) for line in (first, second)] == [2, 1]
    assert run_here(*notary.to_anchor).exit_code == 0
    assert notary.lines()[:2] == [first, second]
    assert json.loads(notary.lines()[2])["heads"] == []


def test_a_chain_that_was_cut_short_since_is_found_and_is_not_anchored_again(notary: Notary) -> None:
    notary.anchor()
    noted = notary.lines()
    for table in ("decisions", "batches", "writers"):
        tamper(notary.database, f"DELETE FROM {table}")
    assert run_here("decisions", "verify", "--database", notary.database).exit_code == 0
    found = run_here(*notary.to_verify)
    assert found.exit_code == 1
    assert "cut off before block 1, noted in anchor 1" in found.stderr
    assert "No anchor was added: the log contradicts earlier anchors. Writer " in error_here(*notary.to_anchor)
    assert notary.lines() == noted


def test_openssl_makes_keys_that_work_too(notary: Notary) -> None:
    make = ("openssl", "genpkey", "-algorithm", "ed25519", "-out", str(notary.key))
    publish = ("openssl", "pkey", "-in", str(notary.key), "-pubout", "-out", str(notary.public_key))
    for command in (make, publish):
        subprocess.run(command, check=True, capture_output=True)
    notary.anchor()
    assert run_here(*notary.to_verify).exit_code == 0


# What is wrong with the file: what is done to its lines, and the error


def _altered(lines: list[bytes]) -> list[bytes]:
    return [lines[0].replace(b'"last_event":[0,""]', b'"last_event":[7,""]'), *lines[1:]]


DAMAGED: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "cut in half": (lambda lines: [*lines[:2], lines[2][:50]], "line 3 is cut off or is no anchor."),
    "without its end": (lambda lines: [*lines[:2], lines[2][:-1]], "line 3 is cut off or is no anchor."),
    "not an object": (lambda lines: [b"[]\n"], "line 1 is cut off or is no anchor."),
    "not UTF-8": (lambda lines: [b"\xff\n"], "line 1 is cut off or is no anchor."),
    "altered": (_altered, "the signature of line 1 is wrong: it was altered."),
    "the first removed": (lambda lines: lines[1:], "line 1 does not follow the line before"),
    "one removed": (lambda lines: [lines[0], lines[2]], "line 2 does not follow the line before"),
    "in another order": (lambda lines: [lines[0], lines[2], lines[1]], "line 2 does not follow the line before"),
    "one twice": (lambda lines: [lines[0], lines[0], *lines[1:]], "line 2 does not follow the line before"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_file_that_was_tampered_with_is_one_error_for_whoever_verifies_or_anchors(
    notary: Notary, damage: str
) -> None:
    change, expected = DAMAGED[damage]
    notary.anchor(3)
    notary.file.write_bytes(b"".join(change(notary.lines())))
    for command in (notary.to_verify, notary.to_anchor):
        message = error_here(*command)
        assert message.startswith(f"--anchors {notary.file}: {expected}")
        assert "\n" not in message


def test_anchors_by_another_key_are_refused_with_both_keys(notary: Notary, tmp_path: Path) -> None:
    notary.anchor()
    (tmp_path / "other").mkdir()
    other = Notary(tmp_path / "other", notary.database)
    other.file = notary.file
    for command in (other.to_verify, other.to_anchor):
        assert "line 1 was signed with key " in error_here(*command)
    assert len(notary.lines()) == 1


def test_keys_and_files_that_cannot_be_used_are_named(notary: Notary, tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory)" in error_here(*notary.to_verify)
    notary.file.touch()
    assert "holds no anchor. `credit-scoring decisions anchor` adds one." in error_here(*notary.to_verify)
    notary.key, notary.public_key = notary.public_key, notary.key
    assert "expected an Ed25519 private key in PEM form" in error_here(*notary.to_anchor)
    assert "expected an Ed25519 public key in PEM form" in error_here(*notary.to_verify)
    message = error_here("decisions", "signing-key", "--key", notary.key, "--public-key", tmp_path / "new.pem")
    assert message == f"--key {notary.key}: cannot be written (File exists)."
    assert not (tmp_path / "new.pem").exists()
