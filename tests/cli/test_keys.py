"""`credit-scoring keys new` as its users run it."""

import hashlib
import re
import stat
import tomllib
from pathlib import Path

import pytest

from credit_scoring.serving.auth import Keyring, Scope, read_keys
from tests.support.command_line import Ended, error_here, run, run_here


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, Path]:
    """A first key, made where the umask would let everybody read its file."""
    file = tmp_path_factory.mktemp("keys") / "keys.toml"
    scopes = ("--scope", "predict", "--scope", "read")
    return run("keys", "new", "gateway-1", *scopes, "--file", file, umask=0), file


def secret_of(found: Ended) -> str:
    assert found.returncode == 0, found.stderr
    secret: str = found.stdout.removesuffix("\n")
    assert re.fullmatch(r"cs_[A-Za-z0-9_-]{43}", secret)
    return secret


def names_in(file: Path) -> list[str]:
    return [key.name for key in Keyring.read(file, "loopback").keys]


def test_the_key_is_all_that_stands_on_stdout_and_is_shown_this_once(made: tuple[Ended, Path]) -> None:
    found, file = made
    secret = secret_of(found)
    assert secret not in found.stderr
    assert secret not in file.read_text(encoding="utf-8")
    assert "shown only once" in found.stderr


def test_the_file_holds_name_hash_and_scopes_of_the_key_and_nothing_else(made: tuple[Ended, Path]) -> None:
    found, file = made
    hashed = hashlib.sha256(secret_of(found).encode()).hexdigest()
    kept = {"name": "gateway-1", "sha256": hashed, "scopes": ["predict", "read"]}
    assert tomllib.loads(file.read_text(encoding="utf-8")) == {"keys": [kept]}


def test_only_its_owner_may_read_the_file(made: tuple[Ended, Path]) -> None:
    assert stat.S_IMODE(made[1].stat().st_mode) == 0o600


def test_the_key_is_good_for_what_it_was_made_for(made: tuple[Ended, Path]) -> None:
    found, file = made
    headers = {b"authorization": f"Bearer {secret_of(found)}".encode()}
    assert Keyring.read(file, "nowhere").admit(headers, None, Scope.READ) == "gateway-1"


def test_the_user_is_told_to_restart_the_service(made: tuple[Ended, Path]) -> None:
    found, file = made
    assert f"Added to {file}. Restart the service" in found.stderr


def test_a_name_that_is_taken_is_refused_in_one_line_and_the_file_stays_as_it_was(made: tuple[Ended, Path]) -> None:
    _, file = made
    before = file.read_bytes()
    message = error_here("keys", "new", "gateway-1", "--scope", "predict", "--file", file)
    assert message == f"{file} has a key named gateway-1 already. Choose another name."
    assert file.read_bytes() == before


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.toml"


def new(name: str, file: Path, scope: str = "predict") -> str:
    """A key made in this process."""
    found = run_here("keys", "new", name, "--scope", scope, "--file", file)
    assert found.exit_code == 0, found.output
    return str(found.stdout.strip())


def test_a_second_key_is_added_behind_the_first_and_what_the_owner_wrote_stays(file: Path) -> None:
    first = new("gateway-1", file)
    file.write_text(f"# Ana looks after these.\n{file.read_text(encoding='utf-8')}\n\n\n", encoding="utf-8")
    second = new("gateway-2", file, "read")
    keyring = Keyring.read(file, "nowhere")
    assert file.read_text(encoding="utf-8").startswith("# Ana looks after these.\n[[keys]]\n")
    assert names_in(file) == ["gateway-1", "gateway-2"]
    for secret, name in ((first, "gateway-1"), (second, "gateway-2")):
        assert keyring.admit({b"authorization": f"Bearer {secret}".encode()}, None) == name


def test_a_key_is_made_for_an_owner_who_may_have_several(file: Path) -> None:
    for name in ("gateway-1", "gateway-2"):
        found = run_here("keys", "new", name, "--owner", "gateway", "--scope", "predict", "--file", file)
        assert found.exit_code == 0, found.output
    keys = tomllib.loads(file.read_text(encoding="utf-8"))["keys"]
    assert [(key["name"], key["owner"]) for key in keys] == [("gateway-1", "gateway"), ("gateway-2", "gateway")]


def test_an_owner_that_cannot_be_used_is_refused_before_anything_is_written(file: Path) -> None:
    message = error_here("keys", "new", "gateway", "--owner", "The Gateway", "--scope", "predict", "--file", file)
    assert message.startswith("Key owner The Gateway: String should match pattern")
    assert not file.exists()


def test_no_two_keys_are_the_same(file: Path) -> None:
    assert len({new(f"key-{number}", file) for number in range(20)}) == 20
    assert len(names_in(file)) == 20


def test_the_mode_of_a_file_that_was_there_is_left_to_its_owner(file: Path) -> None:
    file.touch(mode=0o640)
    new("gateway", file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_without_a_file_the_lines_to_add_are_shown_beside_the_key(file: Path) -> None:
    found = run_here("keys", "new", "gateway", "--scope", "outcomes")
    assert "CREDIT_SCORING_API_KEYS_FILE" in found.stderr
    file.write_text(found.stderr[found.stderr.index("[[keys]]") : found.stderr.index("\n\nThe key")], encoding="utf-8")
    (key,) = Keyring.read(file, "nowhere").keys
    assert key.sha256 == hashlib.sha256(found.stdout.strip().encode()).hexdigest()
    assert key.scopes == {Scope.OUTCOMES}


@pytest.mark.parametrize("name", ["", "Gateway", "the gateway", "-gateway", "g" * 33, 'g"\nscopes = []', "ação"])
def test_a_name_that_cannot_be_used_is_refused_before_anything_is_written(file: Path, name: str) -> None:
    message = error_here("keys", "new", "--scope", "predict", "--file", file, "--", name)
    assert message.startswith(f"Key name {name}: String should match pattern")
    assert not file.exists()


@pytest.mark.parametrize("arguments", [[], ["--scope", "everything"]], ids=["no scope", "an unknown scope"])
def test_a_key_needs_a_scope_that_exists(file: Path, arguments: list[str]) -> None:
    found = run_here("keys", "new", "gateway", *arguments, "--file", file)
    assert found.exit_code == 2
    assert "--scope" in found.output
    assert all(scope.value in found.output for scope in Scope)
    assert not file.exists()


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "keys.toml"
    message = error_here("keys", "new", "gateway", "--scope", "predict", "--file", path)
    assert message == f"--file {path}: cannot be written (No such file or directory)."


def test_nothing_is_added_to_a_file_that_is_no_list_of_keys(file: Path) -> None:
    file.write_text("[database]\n", encoding="utf-8")
    assert f"API keys file {file}: " in error_here("keys", "new", "gateway", "--scope", "predict", "--file", file)
    assert file.read_text(encoding="utf-8") == "[database]\n"


def test_a_key_is_added_to_a_file_with_an_inline_list_or_refused_and_the_file_stays_good(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text("keys = []\n", encoding="utf-8")
    run_here("keys", "new", "gateway", "--scope", "predict", "--file", file)
    assert read_keys(file) == ()


@pytest.mark.parametrize(
    "command",
    [("keys", "new", "a", "--scope", "read", "--file"), ("decisions", "verify", "--anchors", "x", "--public-key")],
)
def test_a_name_too_long_for_a_file_is_one_error(tmp_path: Path, command: tuple[str, ...]) -> None:
    environment = {"CREDIT_SCORING_DATABASE_URL": f"sqlite:///{tmp_path}/decisions.db"}
    assert "File name too long" in error_here(*command, "x" * 300, **environment)
