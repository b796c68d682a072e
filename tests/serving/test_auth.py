"""Who may ask: keys files as they are read, and whom a keyring admits."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from credit_scoring.decisions.owners import owner_of
from credit_scoring.errors import ConfigurationError, RequestError
from credit_scoring.serving.auth import Anonymous, Key, Keyring, Scope, entry

SECRET = "cs_kQmZ3vT8sYb1RrXw0pLd7NfGh2JcUe5AoI4tMy6VqKE"  # noqa: S105 - nobody\'s key
OTHER = "cs_0000000000000000000000000000000000000000000"
HASH = hashlib.sha256(SECRET.encode()).hexdigest()
ALL = frozenset(Scope)
HERE, ELSEWHERE = "127.0.0.1", "10.0.0.7"


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    return tmp_path / "keys.toml"


def key(name: str = "gateway", secret: str = SECRET, scopes: frozenset[Scope] = ALL) -> Key:
    return Key(name=name, sha256=hashlib.sha256(secret.encode()).hexdigest(), scopes=scopes)


KEYRING = Keyring(keys=(key(),))


def bearer(secret: str) -> dict[bytes, bytes]:
    return {b"authorization": f"Bearer {secret}".encode()}


def refusal(
    keyring: Keyring, headers: dict[bytes, bytes], peer: str | None = HERE, scope: Scope | None = None
) -> RequestError:
    with pytest.raises(RequestError) as caught:
        keyring.admit(headers, peer, scope)
    return caught.value


def problem_of(path: Path, anonymous: Anonymous = "loopback") -> str:
    """What is said of a keys file that cannot be used: it names the file, and shows no key."""
    with pytest.raises(ConfigurationError) as caught:
        Keyring.read(path, anonymous)
    message = str(caught.value)
    assert message.startswith(f"API keys file {path}: ")
    assert SECRET not in message
    return message


# Keys files


def test_without_a_file_there_are_no_keys() -> None:
    assert Keyring.read(None, "loopback") == Keyring(keys=(), anonymous="loopback")


names = st.from_regex("[a-z0-9][a-z0-9._-]{0,31}", fullmatch=True)
scopes = st.frozensets(st.sampled_from(Scope), min_size=1)


@given(st.dictionaries(names, scopes, min_size=1, max_size=4))
def test_what_is_written_for_keys_is_read_as_these_keys(
    tmp_path_factory: pytest.TempPathFactory, made: dict[str, frozenset[Scope]]
) -> None:
    path = tmp_path_factory.mktemp("keys") / "keys.toml"
    lines = [entry(name, f"{SECRET}{name}", good_for) for name, good_for in made.items()]
    path.write_text("\n".join(lines), encoding="utf-8")
    expected = tuple(key(name, f"{SECRET}{name}", good_for) for name, good_for in made.items())
    assert Keyring.read(path, "loopback").keys == expected


def test_the_lines_for_a_key_hold_its_hash_and_not_the_key() -> None:
    lines = entry("gateway", SECRET, ALL)
    assert HASH in lines
    assert SECRET not in lines


def test_the_owner_of_a_key_is_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(entry("gateway-2", SECRET, ALL, "gateway"), encoding="utf-8")
    assert [each.owner for each in Keyring.read(path, "loopback").keys] == ["gateway"]


@pytest.mark.parametrize("owner", ["", "Ana Paula", "one/other"])
def test_lines_for_an_owner_that_cannot_be_used_are_refused(owner: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"Key owner {owner}: String should match pattern"):
        entry("gateway", SECRET, ALL, owner)


@pytest.mark.parametrize(
    ("owner", "recorded", "whose"),
    [
        (None, "gateway-2", "gateway-2"),
        ("gateway-2", "gateway-2", "gateway-2"),
        ("gateway", "gateway/gateway-2", "gateway"),
    ],
)
def test_who_asked_is_recorded_so_that_the_owner_can_be_told(owner: str | None, recorded: str, whose: str) -> None:
    keyring = Keyring(keys=(key("gateway-2").model_copy(update={"owner": owner}),))
    signature = keyring.admit(bearer(SECRET), ELSEWHERE)
    assert (signature, owner_of(signature)) == (recorded, whose)


def test_without_keys_the_owner_is_empty() -> None:
    assert owner_of(Keyring().admit({}, HERE)) == ""


def test_lines_for_a_name_that_cannot_be_used_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"Key name Ana Paula: String should match pattern") as caught:
        entry("Ana Paula", SECRET, ALL)
    assert SECRET not in str(caught.value)


def test_a_file_that_is_missing_is_named(keys_file: Path) -> None:
    assert "cannot be read (No such file or directory)" in problem_of(keys_file)


def test_a_folder_is_not_a_file_of_keys(tmp_path: Path) -> None:
    assert "cannot be read (Is a directory)" in problem_of(tmp_path)


@pytest.mark.parametrize(
    "content",
    [f"[[keys]]\nsha256 = {SECRET}", f'[[keys]]\nname = "gateway\nsha256 = "{SECRET}"', "[[keys", "\x00"],
    ids=["a bare key", "an open quote", "an open bracket", "a binary file"],
)
def test_a_file_that_is_not_toml_is_refused(keys_file: Path, content: str) -> None:
    keys_file.write_text(content, encoding="utf-8")
    assert "not valid TOML" in problem_of(keys_file)


def test_a_file_that_is_not_text_is_refused(keys_file: Path) -> None:
    keys_file.write_bytes(b"\xff\xfe" + SECRET.encode("utf-16-le"))
    assert "not valid TOML" in problem_of(keys_file)


GOOD = {"name": '"gateway"', "sha256": f'"{HASH}"', "scopes": '["predict"]'}
WRONG = {
    "a key where its hash belongs": ({"sha256": f'"{SECRET}"'}, "keys.0.sha256: String should match pattern"),
    "a hash in capitals": ({"sha256": f'"{HASH.upper()}"'}, "keys.0.sha256: String should match pattern"),
    "a name with a space": ({"name": '"Ana Paula"'}, "keys.0.name: String should match pattern"),
    "no name": ({"name": None}, "keys.0.name: Field required"),
    "no scopes": ({"scopes": "[]"}, "keys.0.scopes: Frozenset should have at least 1 item"),
    "an unknown scope": (
        {"scopes": '["predict", "everything"]'},
        "Input should be 'predict', 'outcomes', 'read', ",
    ),
    "a field too many": ({"secret": f'"{SECRET}"'}, "keys.0.secret: Unknown field; the known ones are name, "),
    "a field misspelt": ({"scops": '["read"]'}, "keys.0.scops: Unknown field; did you mean scopes?"),
}


@pytest.mark.parametrize(("change", "expected"), WRONG.values(), ids=WRONG)
def test_a_wrong_entry_is_named_with_what_was_expected(
    keys_file: Path, change: dict[str, str | None], expected: str
) -> None:
    lines = [f"{name} = {value}" for name, value in {**GOOD, **change}.items() if value is not None]
    keys_file.write_text("\n".join(["[[keys]]", *lines]), encoding="utf-8")
    assert expected in problem_of(keys_file)


def test_every_wrong_entry_is_told_at_once(keys_file: Path) -> None:
    keys_file.write_text('[[keys]]\nname = "a"\n[[keys]]\nname = "b"\n', encoding="utf-8")
    message = problem_of(keys_file)
    assert message.count("sha256: Field required") == message.count("scopes: Field required") == 2


@pytest.mark.parametrize("content", ['keys = "all"', 'key = "a"', '[keys]\nname = "a"'])
def test_a_file_of_another_shape_is_refused(keys_file: Path, content: str) -> None:
    keys_file.write_text(content, encoding="utf-8")
    assert "key" in problem_of(keys_file)


def test_names_that_two_keys_have_are_told(keys_file: Path) -> None:
    lines = [entry(name, f"{SECRET}{number}", ALL) for number, name in enumerate(["b", "a", "b", "c", "a"])]
    keys_file.write_text("\n".join(lines), encoding="utf-8")
    assert "more than one key is named a, b" in problem_of(keys_file)


def test_where_keys_are_a_must_none_is_an_error_that_tells_the_way_out() -> None:
    with pytest.raises(ConfigurationError, match=r"CREDIT_SCORING_ANONYMOUS=nowhere .* `credit-scoring keys new`"):
        Keyring.read(None, "nowhere")


@pytest.mark.parametrize("content", ["", "# no keys yet\n", "keys = []"])
def test_a_file_without_a_key_is_not_taken_for_the_wish_to_need_none(keys_file: Path, content: str) -> None:
    keys_file.write_text(content, encoding="utf-8")
    assert "holds no key" in problem_of(keys_file)


# With keys


@pytest.mark.parametrize("scope", [*Scope, None])
@pytest.mark.parametrize("peer", [HERE, ELSEWHERE, None])
def test_the_right_key_is_admitted_by_its_name_from_anywhere(scope: Scope | None, peer: str | None) -> None:
    assert KEYRING.admit(bearer(SECRET), peer, scope) == "gateway"


@pytest.mark.parametrize("header", [f"bearer {SECRET}", f"BEARER {SECRET}", f"Bearer  {SECRET} "])
def test_neither_the_case_of_the_scheme_nor_space_around_the_key_matters(header: str) -> None:
    assert KEYRING.admit({b"authorization": header.encode()}, HERE) == "gateway"


NO_KEY = [
    "",
    "Bearer",
    "Bearer ",
    f"Basic {SECRET}",
    f"Token {SECRET}",
    f"Bearer: {SECRET}",
    SECRET,
    f"Bearer\t{SECRET}",
]


@pytest.mark.parametrize("header", NO_KEY)
def test_without_a_key_in_the_right_scheme_the_answer_is_401_and_says_how_to_send_one(header: str) -> None:
    error = refusal(KEYRING, {b"authorization": header.encode()})
    assert (error.status, error.kind) == (401, "no_key")
    assert "Authorization: Bearer" in str(error)


@pytest.mark.parametrize("name", [b"x-api-key", b"proxy-authorization", b"cookie"])
def test_a_key_in_another_header_is_no_key(name: bytes) -> None:
    assert refusal(KEYRING, {name: f"Bearer {SECRET}".encode()}).kind == "no_key"


@pytest.mark.parametrize("secret", [OTHER, HASH, SECRET.lower(), SECRET[:-1], f"{SECRET}A", f"{SECRET} {SECRET}"])
def test_a_wrong_key_is_a_401_that_does_not_show_it(secret: str) -> None:
    error = refusal(KEYRING, bearer(secret))
    assert (error.status, error.kind) == (401, "unknown_key")
    assert secret not in str(error)


mangled = st.builds(lambda cut, added: SECRET[:cut] + added + SECRET[cut:], st.integers(0, len(SECRET)), st.text())


@given(st.binary() | mangled.map(str.encode) | st.permutations(SECRET).map(lambda found: "".join(found).encode()))
def test_nothing_but_the_key_itself_is_admitted(secret: bytes) -> None:
    assume(secret.strip() != SECRET.encode())
    assert refusal(KEYRING, {b"authorization": b"Bearer " + secret}).status == 401


@pytest.mark.parametrize("held", Scope)
@pytest.mark.parametrize("wanted", Scope)
def test_a_key_is_good_for_its_own_scope_only(held: Scope, wanted: Scope) -> None:
    keyring = Keyring(keys=(key(scopes=frozenset([held])),))
    if held is wanted:
        assert keyring.admit(bearer(SECRET), ELSEWHERE, wanted) == "gateway"
    else:
        error = refusal(keyring, bearer(SECRET), scope=wanted)
        assert (error.status, error.kind) == (403, "scope")
        assert str(error) == f"The key gateway is not for this: it lacks the scope {wanted.value}."


def test_while_a_key_is_replaced_the_old_and_the_new_one_are_good() -> None:
    keyring = Keyring(keys=(key("gateway-2025"), key("gateway-2026", OTHER)))
    assert keyring.admit(bearer(SECRET), ELSEWHERE, Scope.PREDICT) == "gateway-2025"
    assert keyring.admit(bearer(OTHER), ELSEWHERE, Scope.PREDICT) == "gateway-2026"


@pytest.mark.parametrize("anonymous", ["loopback", "anywhere", "nowhere"])
def test_where_there_are_keys_everybody_needs_one(anonymous: Anonymous) -> None:
    assert refusal(Keyring(keys=(key(),), anonymous=anonymous), {}, HERE).status == 401


# Without keys


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "0:0:0:0:0:0:0:1"])
def test_without_keys_this_machine_is_answered(peer: str) -> None:
    assert Keyring().admit({}, peer, Scope.READ) == ""


@pytest.mark.parametrize("peer", [ELSEWHERE, "0.0.0.0", "::", "2001:db8::1", "fe80::1", "localhost", "", None])
def test_without_keys_other_machines_are_told_what_to_set(peer: str | None) -> None:
    error = refusal(Keyring(), {}, peer, Scope.PREDICT)
    assert (error.status, error.kind) == (401, "no_keys")
    assert "CREDIT_SCORING_API_KEYS_FILE" in str(error)


@pytest.mark.parametrize("name", [b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-proto", b"x-real-ip"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "::1"])
def test_what_a_proxy_on_this_machine_forwards_does_not_come_from_it(name: bytes, peer: str) -> None:
    assert refusal(Keyring(), {name: peer.encode()}, peer).kind == "no_keys"


OWN_NAMES = ["localhost", "LOCALHOST:3000", "demo.localhost:3000", "127.0.0.1", "127.8.8.8:3000", "[::1]", "[::1]:3000"]
OTHER_NAMES = [
    *("", ":3000", "evil.example", "evil.example:3000", "localhost.evil.example", "127.0.0.1.evil.example:3000"),
    *("notlocalhost", "10.0.0.7:3000", "0.0.0.0:3000", "[2001:db8::1]:3000", "localhost@evil.example", "\xe9"),
    f"{'x' * 300}.localhost",
]


@pytest.mark.parametrize("host", OWN_NAMES)
def test_without_keys_a_request_under_a_name_of_this_machine_is_answered(host: str) -> None:
    assert Keyring().admit({b"host": host.encode()}, HERE) == ""
    assert Keyring().admit({b"host": host.encode(), b"origin": f"http://{host}".encode()}, HERE) == ""


@pytest.mark.parametrize("host", OTHER_NAMES)
def test_without_keys_a_site_whose_name_was_made_to_resolve_to_this_machine_is_refused(host: str) -> None:
    error = refusal(Keyring(), {b"host": host.encode("latin-1")}, HERE)
    assert (error.status, error.kind) == (401, "no_keys")
    assert "Host" in str(error)
    assert "CREDIT_SCORING_API_KEYS_FILE" in str(error)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost", "http://localhost:8080", "http://127.0.0.1:3000", ""]
)
def test_without_keys_what_a_page_of_another_origin_sends_is_refused(origin: str) -> None:
    error = refusal(Keyring(), {b"host": b"localhost:3000", b"origin": origin.encode()}, HERE)
    assert (error.status, error.kind) == (401, "no_keys")
    assert "Origin" in str(error)


def test_with_keys_or_answering_everybody_neither_host_nor_origin_matters() -> None:
    elsewhere = {b"host": b"credit.example", b"origin": b"https://desk.example"}
    assert KEYRING.admit({**bearer(SECRET), **elsewhere}, ELSEWHERE) == "gateway"
    assert Keyring(anonymous="anywhere").admit(elsewhere, ELSEWHERE) == ""


def test_what_tells_of_the_service_is_read_by_anybody_where_keys_are_set_and_by_this_machine_where_none_are() -> None:
    KEYRING.admit_reader({}, ELSEWHERE)
    Keyring(anonymous="anywhere").admit_reader({}, ELSEWHERE)
    Keyring().admit_reader({}, HERE)
    with pytest.raises(RequestError, match="No API keys are set"):
        Keyring().admit_reader({}, ELSEWHERE)


@pytest.mark.parametrize("peer", [HERE, ELSEWHERE, "2001:db8::1", None])
def test_behind_a_gateway_that_asks_for_keys_itself_everybody_is_answered(peer: str | None) -> None:
    keyring = Keyring.read(None, "anywhere")
    assert keyring.admit({b"x-forwarded-for": b"10.0.0.7"}, peer, Scope.PREDICT) == ""


def test_a_key_that_is_sent_though_none_is_set_changes_nothing() -> None:
    assert Keyring().admit(bearer(SECRET), HERE) == ""
    assert refusal(Keyring(), bearer(SECRET), ELSEWHERE).status == 401
