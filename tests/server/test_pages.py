"""What is served of the page: files with their types, nothing else, each map until there is a newer one."""

from __future__ import annotations

import pytest

from server.serving import serving
from server.visits import fetched

pytestmark = pytest.mark.filterwarnings("default")  # the server's own filter does not outlive a test of pytest's


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("pages")) as (ask, _):
        yield f"http://127.0.0.1:{ask.port}"


def test_the_files_of_the_page_have_their_types_and_come_once(address):
    for name, kind in (
        ("", "text/html"),
        ("page/main.js", "text/javascript"),
        ("page/words.js", "text/javascript"),
        ("page/page.css", "text/css"),
        ("page/icon.svg", "image/svg+xml"),
    ):
        status, headers, body = fetched(f"{address}/{name}")
        assert (status, headers["content-type"].split(";")[0]) == (200, kind)
        assert body
        assert "unsafe" not in headers["content-security-policy"]
        assert "script-src 'self'" in headers["content-security-policy"]
        again, _, nothing = fetched(f"{address}/{name}", **{"If-None-Match": headers["etag"]})
        assert (again, nothing) == (304, b"")
        assert fetched(f"{address}/{name}", "HEAD")[2] == b""


@pytest.mark.parametrize(
    "name",
    [
        "../pages.py",
        "%2e%2e/pages.py",
        "..%2fpages.py",
        "pages.py",
        "nothing.js",
        "map/",
        "./main.js%00",
        "/etc/passwd",
    ],
)
def test_nothing_but_the_pages_files_is_served(address, name):
    assert fetched(f"{address}/page/{name}")[0] in (400, 404)


def test_a_map_is_kept_until_there_are_others():
    from nearsense.server.pages import MAPS, Maps

    maps = Maps()
    address = maps.add("first", b"one")["address"]
    assert maps.get(address.rsplit("/", 1)[1]) == b"one"
    assert maps.address("first") == address
    newer = maps.add("first", b"two")["address"]
    assert maps.get(address.rsplit("/", 1)[1]) is None
    for number in range(MAPS):
        maps.add(f"other {number}", b"three")
    assert maps.get(newer.rsplit("/", 1)[1]) is None
