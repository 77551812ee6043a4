"""Files at an address: only when one is named, and never offline."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from nearsense.errors import FileError
from nearsense.files import read_table
from nearsense.files.remote import is_address


@pytest.fixture
def served(tmp_path):
    pytest.importorskip("aiohttp")
    (tmp_path / "a.csv").write_text("id,text\n1,hello\n")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    handler.func.log_message = lambda *_: None
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_csv_on_a_web_server_is_read(served):
    assert read_table(f"{served}/a.csv?token=7").columns == {"id": ["1"], "text": ["hello"]}
    with pytest.raises(FileError, match="cannot be fetched") as caught:
        read_table(f"{served}/b.csv?token=7")
    assert "token" not in caught.value.what


def test_offline_nothing_is_fetched(monkeypatch, served, tmp_path):
    address = f"{served}/a.csv"
    assert len(read_table(address)) == 1
    (tmp_path / "config.toml").write_text("offline = true\n")
    for name, value in (("NEARSENSE_OFFLINE", "1"), ("NEARSENSE_CONFIG", str(tmp_path / "config.toml"))):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            with pytest.raises(FileError, match="is not fetched") as caught:
                read_table(address)
            assert caught.value.why == "offline is set"


def test_only_what_begins_like_an_address_is_one(tmp_path):
    assert [is_address(each) for each in ("https://x.org/a.csv", "S3://b/a.csv", "https.csv", "c:/a.csv")] == [
        True, True, False, False,
    ]  # fmt: skip
