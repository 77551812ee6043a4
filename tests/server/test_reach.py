"""What requests can reach: what the operator named, and no path, no other model, no packed file."""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile
from urllib.parse import quote

import psutil
import pytest

import nearsense as ns
from samples import tiny_bert
from serving import Served

pytest.importorskip("nearsense.server.collections", reason="collections do not change over HTTP here")

MARK = "a text that nobody may see"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("reach")


@pytest.fixture(scope="module")
def served(place):
    """One collection is served; beside it lie others, a model, a secret, and links to them."""
    model = tiny_bert(place / "tiny")
    for name in ("shop", "hidden"):
        with ns.open(place / f"{name}.nearsense", encoder=str(model)) as collection:
            collection.add([ns.Document(id="1", text="w1 w2" if name == "shop" else MARK)])
    (place / "secret.txt").write_text(MARK)
    folder = place / "made"
    folder.mkdir()
    (folder / "linked.nearsense").symlink_to(place / "hidden.nearsense")
    (folder / "nowhere.nearsense").symlink_to(place / "elsewhere.nearsense")
    with Served(place, collections=[place / "shop.nearsense"], folder=folder) as server:
        yield server


def strange_names(place):
    """What somebody might type for a name who wants more than was named."""
    return [
        "hidden", "linked", "hidden.nearsense", str(place / "hidden.nearsense"), "../hidden", "..", ".", "",
        "../made/../hidden", "shop/../hidden", "shop\\..\\hidden", "%2e%2e/hidden", "..%2fhidden", "shop\0",
        "shop\n",
        "file:///etc/passwd", "/etc/passwd", str(place / "tiny"), "./tiny", "tiny/", "org/model-that-is-on-a-hub",
        "org/model@main", "openai:text-embedding-3-small", "http://127.0.0.1:1/v1", "https://example.com/model",
        "$HOME",
        "all-MiniLM-L6-v2", "~", "shop;ls", "shop'--", "ＳＨＯＰ",
    ]  # fmt: skip


ASKED = {
    ("collection", "search"): {"query": "w1"},
    ("collection", "similar"): {"id": "1"},
    ("collection", "context"): {"query": "w1"},
    ("collection", "duplicates"): {},
    ("rerank", "search"): {"query": "w1"},
    ("faq", "faq"): {"question": "w1"},
    ("model", "compare"): {"a": "w1", "b": "w2"},
    ("model", "rank"): {"reference": "w1", "candidates": ["w2"]},
    ("model", "embeddings"): {"input": "w1"},
    ("model", "rerank"): {"query": "w1", "documents": ["w2"]},
    ("model", "collections"): {"name": "new"},
}


@pytest.mark.parametrize(("field", "route"), ASKED)
def test_a_name_in_a_request_is_one_that_the_operator_gave(served, place, field, route):
    for name in strange_names(place):
        answer = served.ask("POST", f"/v1/{route}", {**ASKED[field, route], field: name})
        assert 400 <= answer.status < 500, (name, answer)
        assert MARK not in answer.body.decode()
        assert str(place) not in answer.body.decode().replace(name, ""), "no path is told"


def test_a_name_in_a_path_is_one_that_the_operator_gave(served, place):
    for name in [*strange_names(place), "....//....//etc/passwd", "..%252f..%252fetc/passwd", "%c0%ae%c0%ae/"]:
        for method, path in (
            ("GET", "/v1/collections/{}"), ("DELETE", "/v1/collections/{}"), ("GET", "/v1/models/{}"),
            ("GET", "/page/{}"), ("GET", "/page/map/{}"), ("GET", "/v1/jobs/{}"), ("GET", "/{}"),
            ("GET", "/v1/collections/{}/documents/1"), ("POST", "/v1/collections/{}/files?name=x.csv"),
        ):  # fmt: skip
            for word in {quote(name, safe=""), quote(name)} - {""}:
                answer = served.ask(method, path.format(word))
                assert answer.status < 500
                assert answer.status >= 300 or method == "GET", (method, path, word)
                assert MARK not in answer.body.decode("utf-8", "replace")
                assert b"root:" not in answer.body
    assert served.ask("GET", "/v1/collections/shop").status == 200
    assert (place / "hidden.nearsense").is_dir()


def test_collections_are_made_in_the_operators_folder_and_over_no_link(served, place):
    before = {str(each) for each in place.rglob("*") if "cache" not in each.parts}
    for name in [*strange_names(place), "nowhere", "linked", ".hidden", "a/b", "con.", "x" * 200]:
        if name in ("hidden", "all-MiniLM-L6-v2"):  # in this folder these are free
            continue
        answer = served.ask("POST", "/v1/collections", {"name": name})
        assert 400 <= answer.status < 500, (name, answer)
    assert {str(each) for each in place.rglob("*") if "cache" not in each.parts} == before
    assert served.ask("POST", "/v1/collections", {"name": "new"}).status == 201
    assert (place / "made" / "new.nearsense").is_dir()
    assert not (place / "elsewhere.nearsense").exists()


def test_a_link_in_the_folder_is_not_followed(served):
    names = {each["name"] for each in served.ask("GET", "/v1/collections").json["collections"]}
    assert "shop" in names
    assert not names & {"linked", "hidden", "nowhere"}


def workbook(size: int) -> bytes:
    """A workbook of a few kilobytes that unpacks to `size`."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            for _ in range(size >> 20):
                sheet.write(b" " * (1 << 20))
    return made.getvalue()


UPLOADS = {
    "packed.csv": lambda: gzip.compress(b"id,text\n" + b"1,w1\n" * 1_000_000),
    "packed.csv.gz": lambda: gzip.compress(b"id,text\n" + b"1,w1\n" * 1_000_000),
    "bomb.xlsx": lambda: workbook(1 << 29),
    "deep.json": lambda: b"[" * 100_000,
    "deep.jsonl": lambda: b'{"text": ' * 50_000,
    "binary.csv": lambda: os.urandom(100_000),
    "one.sqlite": lambda: b"SQLite format 3\0" + b"\0" * 4096,
    "model.pkl": lambda: b"\x80\x04cposix\nsystem\n.",
    "../../etc/passwd": lambda: b"id,text\n1,w1\n",
    "page.html": lambda: b"<script>alert(1)</script>",
}


@pytest.mark.parametrize("name", UPLOADS)
def test_an_upload_has_the_limits_of_a_file(served, name):
    process = psutil.Process(served.process.pid)
    before = process.memory_info().rss
    answer = served.ask(
        "POST", f"/v1/collections/shop/files?name={quote(name, safe='')}", UPLOADS[name](),
        {"Content-Type": "application/octet-stream"}, timeout=60,
    )  # fmt: skip
    assert 400 <= answer.status < 500, answer
    assert answer.json["error"]["message"]
    assert process.memory_info().rss - before < 200 << 20
    assert served.ask("GET", "/v1/health").status == 200
    assert served.ask("GET", "/v1/collections/shop/documents/1").json["text"] == "w1 w2"


def test_an_upload_of_more_than_a_body_may_have_is_refused(served):
    rows = b"id,text\n" + b"".join(b"%d,w1\n" % i for i in range(1_200_000))
    answer = served.ask("POST", "/v1/collections/shop/files?name=large.csv", rows, {"Content-Type": "text/csv"})
    assert (answer.status, answer.code) == (413, "body_too_large")


def test_texts_of_an_upload_are_texts(served):
    harm = "=cmd|' /C calc'!A0, <script>alert(1)</script>"
    row = json.dumps({"id": "harm", "text": harm}) + "\n"
    answer = served.ask(
        "POST", "/v1/collections/shop/files?name=x.jsonl", row.encode(), {"Content-Type": "application/x-ndjson"}
    )
    assert answer.status == 200
    found = served.ask("GET", "/v1/collections/shop/documents/harm")
    assert found.json["text"] == harm
    assert found.headers["content-type"] == "application/json"
