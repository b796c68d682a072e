"""`credit-scoring keys …` as its users run it."""

import hashlib
import re
import stat
import tomllib
from datetime import UTC, datetime, timedelta
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


def test_the_user_is_told_how_the_service_gets_to_know_it(made: tuple[Ended, Path]) -> None:
    found, file = made
    assert f"Added to {file}. Send SIGHUP to the service, or restart it" in found.stderr


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


# Expiry, rotate, revoke, list


def expiry_of(name: str, file: Path) -> datetime | None:
    return {key.name: key for key in read_keys(file)}[name].expires


def of_keys(command: str, *arguments: str, file: Path) -> str:
    """What a command tells on both streams."""
    found = run_here("keys", command, *arguments, "--file", file)
    assert found.exit_code == 0, found.output
    return str(found.stderr + found.stdout)


def test_a_key_may_expire_on_a_day_which_begins_in_utc(file: Path) -> None:
    of_keys("new", "a", "--scope", "read", "--expires", "2199-01-31", file=file)
    of_keys("new", "b", "--scope", "read", "--expires", "2199-01-31T12:00-03:00", file=file)
    day = datetime(2199, 1, 31, tzinfo=UTC)
    assert [expiry_of(name, file) for name in "ab"] == [day, day + timedelta(hours=15)]


@pytest.mark.parametrize(
    ("expires", "problem"), [("2020-01-31", "lies in the past"), ("soon", "soon: expected a day or a time")]
)
def test_an_expiry_that_makes_no_sense_is_refused_before_anything_is_written(
    file: Path, expires: str, problem: str
) -> None:
    for command in (("new", "a", "--scope", "read"), ("rotate", "old", "a")):
        kept = new("old", file) and file.read_bytes()
        assert problem in error_here("keys", *command, "--expires", expires, "--file", file)
        assert file.read_bytes() == kept
        file.unlink()


def test_a_revoked_key_is_expired_and_everything_else_in_the_file_stays(file: Path) -> None:
    for name in ("first", "second", "third"):
        new(name, file)
    written = f"# Ana's.\n{file.read_text(encoding='utf-8')}# The end.\n".replace(
        '[[keys]]\nname = "third"', '# Of Rui.\n[[ keys ]] # third\nname = "third"'
    )
    file.write_text(written, encoding="utf-8")
    before = datetime.now(UTC).replace(microsecond=0)
    assert "second is revoked" in of_keys("revoke", "second", file=file)
    expires = expiry_of("second", file)
    assert expires is not None
    assert before <= expires <= datetime.now(UTC)
    assert [expiry_of(name, file) for name in ("first", "third")] == [None, None]
    text = file.read_text(encoding="utf-8")
    assert "".join(line for line in text.splitlines(keepends=True) if not line.startswith("expires")) == written
    assert "second is refused already, since" in of_keys("revoke", "second", file=file)
    assert file.read_text(encoding="utf-8") == text


def test_revoking_brings_an_expiry_forward(file: Path) -> None:
    of_keys("new", "a", "--scope", "read", "--expires", "2199-01-31", file=file)
    of_keys("revoke", "a", file=file)
    expires = expiry_of("a", file)
    assert expires is not None
    assert expires <= datetime.now(UTC)
    assert file.read_text(encoding="utf-8").count("expires") == 1


def test_a_rotated_key_has_a_successor_of_the_same_owner_and_scopes_and_stays_good_for_a_while(file: Path) -> None:
    old = new("gateway-2026", file)
    found = run_here("keys", "rotate", "gateway-2026", "gateway-2027", "--days", "3", "--file", file)
    assert found.exit_code == 0, found.output
    keyring = Keyring.read(file, "nowhere")
    admitted = [
        keyring.admit({b"authorization": f"Bearer {secret}".encode()}, None, Scope.PREDICT)
        for secret in (old, found.stdout.strip())
    ]
    assert admitted == ["gateway-2026", "gateway-2026/gateway-2027"]
    expires = expiry_of("gateway-2026", file)
    assert expires is not None
    assert timedelta(days=2, hours=23) < expires - datetime.now(UTC) <= timedelta(days=3)
    assert expiry_of("gateway-2027", file) is None


def test_a_key_that_expires_sooner_than_its_grace_keeps_its_expiry(file: Path) -> None:
    soon = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    of_keys("new", "a", "--scope", "read", "--expires", soon.isoformat(), file=file)
    of_keys("rotate", "a", "b", file=file)
    assert expiry_of("a", file) == soon


def test_a_revoked_key_is_not_rotated_and_its_name_not_used_again(file: Path) -> None:
    new("a", file)
    of_keys("revoke", "a", file=file)
    assert "a is refused since" in error_here("keys", "rotate", "a", "b", "--file", file)
    assert "has a key named a already" in error_here("keys", "new", "a", "--scope", "read", "--file", file)


@pytest.mark.parametrize("command", [("revoke", "c"), ("rotate", "c", "d")])
def test_a_key_that_is_not_there_is_named_with_those_that_are(file: Path, command: tuple[str, ...]) -> None:
    new("a", file)
    new("b", file)
    message = error_here("keys", *command, "--file", file)
    assert message == f"{file} has no key named c; it has a, b."


@pytest.mark.parametrize("command", [("revoke", "a"), ("rotate", "a", "b")])
def test_keys_in_an_inline_list_are_left_alone(file: Path, command: tuple[str, ...]) -> None:
    text = f'keys = [{{name = "a", sha256 = "{"0" * 64}", scopes = ["read"]}}]\n'
    file.write_text(text, encoding="utf-8")
    assert "Write each key as a [[keys]] table" in error_here("keys", *command, "--file", file)
    assert file.read_text(encoding="utf-8") == text


def test_a_table_of_keys_inside_a_text_does_not_mislead(file: Path) -> None:
    text = f'keys = [{{name = "a", sha256 = "{"0" * 64}", scopes = ["""read"""]}}]\n# x = """\n[[keys]]\n"""\n'
    file.write_text(text, encoding="utf-8")
    error_here("keys", "revoke", "a", "--file", file)
    assert file.read_text(encoding="utf-8") == text


def test_the_list_shows_owner_scopes_expiry_and_state_but_no_hash(file: Path) -> None:
    new("a", file)
    of_keys("rotate", "a", "b", "--expires", "2199-01-31", file=file)
    of_keys("revoke", "a", file=file)
    lines = {line.split()[0]: line for line in of_keys("list", file=file).splitlines() if "predict" in line}
    assert "expired" in lines["a"]
    assert [each in lines["b"] for each in (" a ", "predict", "2199-01-31 00:00", "good")] == [True] * 4
    assert not any(key.sha256[:16] in line for key in read_keys(file) for line in lines.values())


def test_a_file_with_an_expiry_that_is_none_is_refused(file: Path) -> None:
    new("a", file)
    file.write_text(f'{file.read_text(encoding="utf-8")}expires = "soon"\n', encoding="utf-8")
    assert "keys.0.expires" in error_here("keys", "list", "--file", file)
