"""Sessions are known to whoever has the secret, for ten hours, and their forms to no other session."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_scoring.errors import ConfigurationError
from credit_scoring.review.secret import read_secret, shared_secret
from credit_scoring.review.sessions import LIFETIME_S, Sessions
from credit_scoring.serving.auth import Key, Scope
from credit_scoring.serving.instance import FOLDER_VARIABLE

KEY = Key(name="ana", sha256="0" * 64, scopes=frozenset([Scope.REVIEW]))
SECRET = b"s" * 32


def at(moment: float) -> Callable[[], float]:
    return lambda: moment


def test_another_worker_with_the_secret_knows_the_session() -> None:
    session = Sessions(SECRET).open(KEY)
    assert Sessions(SECRET).read(Sessions(SECRET).sign(session)) == session


def test_whoever_has_another_secret_does_not() -> None:
    sessions = Sessions(SECRET)
    assert Sessions(b"t" * 32).read(sessions.sign(sessions.open(KEY))) is None


@pytest.mark.parametrize(("later", "known"), [(0, True), (LIFETIME_S - 1, True), (LIFETIME_S, False), (-60, False)])
def test_a_session_lasts_ten_hours(later: int, known: bool) -> None:
    cookie = Sessions(SECRET, at(1_000_000)).sign(Sessions(SECRET, at(1_000_000)).open(KEY))
    assert (Sessions(SECRET, at(1_000_000 + later)).read(cookie) is not None) is known


@given(st.text())
def test_no_text_is_a_session_unless_it_was_signed(cookie: str) -> None:
    assert Sessions(SECRET).read(cookie) is None


@given(st.data())
def test_a_signed_cookie_with_one_character_altered_is_none(data: st.DataObject) -> None:
    sessions = Sessions(SECRET)
    cookie = sessions.sign(sessions.open(KEY))
    place = data.draw(st.integers(0, len(cookie) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda found: found != cookie[place]))
    assert sessions.read(cookie[:place] + other + cookie[place + 1 :]) is None


def test_a_form_belongs_to_one_session() -> None:
    sessions = Sessions(SECRET)
    one, other = sessions.open(KEY), sessions.open(KEY)
    assert sessions.is_token(one, sessions.token(one))
    assert not sessions.is_token(other, sessions.token(one))
    assert sessions.token(one) not in sessions.sign(one)


def test_workers_of_one_service_share_a_secret_and_services_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for service in ("one", "one", "other"):
        (tmp_path / service).mkdir(exist_ok=True)
        monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / service))
        found.append(shared_secret())
    assert found[0] == found[1] != found[2]
    assert len(found[0]) == 32
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["review-secret"]
    assert (tmp_path / "one" / "review-secret").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [b"", b"short", b" " * 40])
def test_a_secret_that_is_short_is_refused_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"expected at least 32.*openssl rand"):
        read_secret(tmp_path / "secret")


def test_a_secret_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"CREDIT_SCORING_REVIEW_SECRET_FILE=.*cannot be read"):
        read_secret(tmp_path / "nothing")
