"""A file from the web: whole, bounded, and without the secrets of its address in any message."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from benchmarks.support.ports import free_port
from credit_scoring.cli import download
from credit_scoring.cli.download import downloaded
from credit_scoring.errors import ModelNotFoundError
from tests.support.web import served, served_folder

CONTENT = bytes(range(256)) * 8192


class Short(BaseHTTPRequestHandler):
    """Promises more bytes than it sends."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"half")
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "model").write_bytes(CONTENT)
    with served_folder(tmp_path) as found:
        yield found


def refused(url: str) -> str:
    with pytest.raises(ModelNotFoundError) as caught, downloaded(url):
        pass
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_whole_file_is_there_until_the_block_ends(address: str) -> None:
    with downloaded(f"{address}/model?key=s3cret") as (path, name):
        assert path.read_bytes() == CONTENT
        assert path.name == "model"
        assert name == f"{address}/model"
    assert not path.parent.exists()


def test_a_file_that_has_moved_is_followed(address: str) -> None:
    with downloaded(f"{address}/moved/model?key=s3cret") as (path, _):
        assert path.read_bytes() == CONTENT


def test_what_is_not_there_is_named_without_the_secrets_of_its_address(address: str) -> None:
    assert (
        refused(f"{address}/none?key=s3cret") == f"{address}/none: cannot be fetched (status 404). Check the address."
    )


def test_a_server_that_is_not_there_is_named() -> None:
    port = free_port()
    message = refused(f"http://user:s3cret@127.0.0.1:{port}/model")
    assert message.startswith(f"http://127.0.0.1:{port}/model: cannot be fetched (ConnectError)")


def test_half_a_file_is_no_file() -> None:
    with served(Short) as address:
        assert "cannot be fetched (RemoteProtocolError)" in refused(f"{address}/model")


def test_a_file_larger_than_any_model_is_left_there(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MAX_BYTES", 1 << 20)
    assert "larger than 1 MB" in refused(f"{address}/model")


def test_a_fetch_without_end_is_ended(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MAX_SECONDS", -1.0)
    assert "took longer" in refused(f"{address}/model")


@pytest.mark.parametrize("url", ["https://user:pa/s3cret@host/x", "https://[bad/x", "https://host:99999999/x"])
def test_what_is_no_address_is_refused_without_a_word_of_it(url: str) -> None:
    assert refused(url) == "The address cannot be read as a URL: expected https://host/path."
