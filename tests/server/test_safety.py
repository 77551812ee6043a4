"""A test for each promise of safety, each against a server that runs."""

from __future__ import annotations

import contextlib
import gzip
import hmac
import importlib.util
import json
import re
import time
from hashlib import sha256

import psutil
import pytest

import nearsense as ns
from nearsense.kinds import Scope
from nearsense.server import keys as keys_file
from nearsense.server.keys import KeyFile, add_key, remove_keys, rotate_key
from nearsense.server.safety import json_depth
from nearsense.server.settings import ServerSettings
from samples import tiny_bert
from serving import Served, status_of

MiB = 1 << 20
BODY = {"a": "It rains.", "b": "Rain is falling."}
HARM = ("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</script><svg onload=alert(1)>")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def shop(place):
    """A collection with a model of its own."""
    model = tiny_bert(place / "tiny")
    with ns.open(place / "shop.nearsense", encoder=str(model)) as collection:
        collection.add([ns.Document(id=str(i), text=f"w{i} w{i + 1} {harm}") for i, harm in enumerate(HARM)])
    return place / "shop.nearsense"


@pytest.fixture(scope="module")
def spare(place, shop):
    """A collection that tests may change."""
    with ns.open(place / "spare.nearsense", encoder=str(place / "tiny")) as collection:
        collection.add([ns.Document(id="1", text="w1 w2")])
    return place / "spare.nearsense"


@pytest.fixture(scope="module")
def key_file(place):
    return place / "server.keys"


@pytest.fixture(scope="module")
def secrets(key_file):
    """One key to read and one to write."""
    return {scope: add_key(key_file, f"one-to-{scope}", scope) for scope in Scope}


@pytest.fixture(scope="module")
def served(place, shop, spare, key_file, secrets):
    """Behind keys; asks with the one that may write."""
    folder = place / "made"
    folder.mkdir()
    with Served(
        place, collections=[shop, spare], key=secrets[Scope.WRITE], key_file=key_file, folder=folder,
        host="0.0.0.0", hosts=["docs.example"],
    ) as server:  # fmt: skip
        yield server


@pytest.fixture(scope="module")
def open_to_all(place, shop):
    """Without keys, as on one's own machine."""
    with Served(place, collections=[shop]) as server:
        yield server


def operations(server, name="shop"):
    """Every method and path of the document, filled in with a collection's name, with the body of its example."""
    document = server.ask("GET", "/openapi.json").json
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            content = told.get("requestBody", {}).get("content", {}).get("application/json", {})
            example = content.get("example") or next(iter(content.get("examples", {}).values()), {}).get("value")
            filled = path.replace("{name}", name).replace("{id}", "1")
            yield method.upper(), path, filled.replace("{", "").replace("}", ""), example


# -- binds to loopback unless a key is given


def test_without_a_key_nobody_from_elsewhere_can_ask(open_to_all):
    heard = [each.laddr.ip for each in psutil.Process(open_to_all.process.pid).net_connections() if not each.raddr]
    assert heard == ["127.0.0.1"]
    for host in ("0.0.0.0", "::", "192.168.1.4", "some.name"):
        with pytest.raises(ns.errors.InputError, match="keys add") as refused:
            ServerSettings(host=host)
        assert refused.value.why
        assert refused.value.fix


def test_with_a_key_a_server_may_be_reached_from_elsewhere(served, secrets):
    heard = [each.laddr.ip for each in psutil.Process(served.process.pid).net_connections() if not each.raddr]
    assert heard == ["0.0.0.0"]
    assert served.ask("POST", "/v1/compare", BODY, {"Authorization": ""}).status == 401
    assert (
        served.ask("POST", "/v1/compare", BODY, {"Authorization": f"Bearer {secrets[Scope.READ]}"}).status == 200
    )


# -- keys


@pytest.mark.parametrize(
    ("shown", "code"),
    [
        ({}, "missing_key"),
        ({"Authorization": "Bearer "}, "missing_key"),
        ({"Authorization": "Basic dXNlcjpwYXNz"}, "missing_key"),
        ({"Authorization": "Bearer ns_nobody"}, "unknown_key"),
        ({"Authorization": "Bearer " + "x" * 8000}, "unknown_key"),
        ({"Authorization": "Bearer \xe9\xff"}, "unknown_key"),
        ({"X-API-Key": "ns_nobody"}, "unknown_key"),
    ],
)
def test_who_shows_no_good_key_is_told_so(served, shown, code):
    answer = served.ask("POST", "/v1/compare", BODY, {"Authorization": "", **shown})
    assert (answer.status, answer.code) == (401, code)
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_key_is_shown_in_a_header_and_never_in_a_url(served, secrets):
    secret = secrets[Scope.READ]
    for headers in ({"Authorization": f"bearer  {secret}"}, {"Authorization": "", "X-API-Key": secret}):
        assert served.ask("POST", "/v1/compare", BODY, headers).status == 200
    assert (
        served.ask("POST", f"/v1/compare?key={secret}&api_key={secret}", BODY, {"Authorization": ""}).status == 401
    )


def test_every_hash_is_compared_in_constant_time_wherever_the_right_one_stands(tmp_path, monkeypatch):
    file, compared, original = tmp_path / "keys", [], hmac.compare_digest

    def compare(one, other):
        compared.append((one, other))
        return original(one, other)

    secrets = [add_key(file, f"key{i}", Scope.READ) for i in range(5)]
    known = KeyFile(file)
    monkeypatch.setattr(keys_file.hmac, "compare_digest", compare)
    for secret in (secrets[0], secrets[-1], "ns_nobody", ""):
        compared.clear()
        known.find(secret.encode())
        assert len(compared) == 5
        assert {len(word) for pair in compared for word in pair} == {64}


def test_keys_are_kept_as_hashes_alone(served, key_file, secrets):
    kept = key_file.read_text()
    for scope, secret in secrets.items():
        assert secret not in kept
        assert secret.removeprefix("ns_") not in kept
        assert f"one-to-{scope} {scope} {sha256(secret.encode()).hexdigest()} never" in kept
        assert len(secret) == len("ns_") + 43, "256 bits in base64"
    log = served.log.read_text()
    assert not any(secret in log for secret in secrets.values())


def test_every_route_wants_a_key_but_those_that_tell_nothing_of_anybody(served):
    free = {"/v1/health", "/v1/ready", "/v1/version"}
    for method, path, filled, example in operations(served):
        answer = served.ask(method, filled, example, {"Authorization": ""})
        assert answer.status == (200 if path in free else 401), (method, path)


def test_a_key_to_read_changes_nothing(served, shop, secrets):
    before = {each["name"]: each for each in served.ask("GET", "/v1/collections").json["collections"]}
    for method, path, filled, example in operations(served):
        answer = served.ask(method, filled, example, {"Authorization": f"Bearer {secrets[Scope.READ]}"})
        assert answer.status != 401, (method, path)
        if answer.status == 403:
            assert answer.code == "read_only_key"
    after = {each["name"]: each for each in served.ask("GET", "/v1/collections").json["collections"]}
    assert before == after
    assert (
        served.ask("DELETE", "/v1/anything-new", None, {"Authorization": f"Bearer {secrets[Scope.READ]}"}).status
        == 403
    )


def test_keys_are_made_replaced_and_revoked_while_the_server_runs(served, key_file):
    def told(*secrets):
        time.sleep(1.1)  # that long a change may take
        return [
            served.ask("POST", "/v1/compare", BODY, {"Authorization": f"Bearer {each}"}).status for each in secrets
        ]

    first = add_key(key_file, "laptop", Scope.READ)
    assert told(first) == [200]
    second = rotate_key(key_file, "laptop", overlap=1000)
    ended = add_key(key_file, "ci", Scope.WRITE, ends=time.time() - 1)
    assert told(first, second, ended) == [200, 200, 401]
    third = rotate_key(key_file, "laptop", overlap=0)
    assert told(first, second, third) == [401, 401, 200]
    remove_keys(key_file, "laptop")
    assert told(third) == [401]
    kept = key_file.read_text()
    key_file.write_text("this is no key\n")
    assert told(served.key) == [200], "a slip in the file locks nobody out"
    assert "line 1: this is no key" in served.log.read_text()
    key_file.write_text(kept)


# -- limits


def test_a_body_of_more_than_8_mib_is_refused_and_one_of_less_is_read(served):
    just = json.dumps({**BODY, "unknown": "x" * (8 * MiB - 100)}).encode()
    assert len(just) <= 8 * MiB
    assert served.ask("POST", "/v1/compare", just, {"Content-Type": "application/json"}).status == 422
    for size in (8 * MiB + 1, 9 * MiB):
        answer = served.ask("POST", "/v1/compare", b" " * size, {"Content-Type": "application/json"})
        assert (answer.status, answer.code) == (413, "body_too_large")


def test_a_body_is_counted_while_it_streams(served):
    memory = psutil.Process(served.process.pid)
    before = memory.memory_info().rss
    sent = 0

    def parts():
        nonlocal sent
        while sent < 24 * MiB:
            yield b"x" * 65536
            sent += 65536

    answer = served.ask("POST", "/v1/compare", parts(), {"Content-Type": "application/json"}, encode_chunked=True)
    assert (answer.status, answer.code) == (413, "body_too_large")
    assert memory.memory_info().rss - before < 40 * MiB
    assert flood(served, 200 * MiB) < 64 * MiB, "who goes on for ever is left"


def flood(server, most):
    """How many bytes of one body a server lets come."""
    sent = 0
    with server.connect() as wire, contextlib.suppress(OSError):
        wire.sendall(b"POST /v1/compare HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        while sent < most:
            wire.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            sent += 65536
    return sent


def test_who_asks_before_sending_a_large_body_is_told_before_it_is_sent(served):
    head = (
        b"POST /v1/compare HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n"
        b"Authorization: Bearer %b\r\n\r\n" % served.key.encode()
    )
    answer = served.raw(head)  # until the server closes: what comes next is no request
    assert status_of(answer) == 413
    assert b"100 Continue" not in answer


def test_more_than_1024_texts_are_refused(served):
    for count, status in ((1024, 200), (1025, 422)):
        body = {"reference": "w1", "candidates": ["w2"] * count}
        assert served.ask("POST", "/v1/rank", body).status == status


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", 431),
        (b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 4_000 + b"\r\n", 431),
        (b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 200_000, 431),
        (b"GET /" + b"y" * 200_000, 414),
        (b"GET /" + b"y" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"\r\n" * 40_000, 431),
    ],
    ids=["one", "many", "endless", "endless URL", "long URL", "nothing but lines"],
)
def test_heads_that_are_too_large_are_refused(served, head, status):
    assert status_of(served.raw(head)) in (status, 431)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 200 + b"1" + b"}" * 200,
        json.dumps({**BODY, "x": json.loads("[" * 100 + "]" * 100)}).encode(),
        b'{"a": "\\"", "b": ' + b"[" * 65 + b"]" * 65 + b"}",
        json.dumps(BODY).encode("utf-16"),
    ],
    ids=["open", "objects", "lists", "behind a quotation mark", "not in UTF-8"],
)
def test_json_that_is_nested_too_deep_is_refused(served, body):
    for path in ("/v1/compare", "/v1/embeddings", "/mcp"):
        assert served.ask("POST", path, body, {"Content-Type": "application/json"}).status == 400


def test_brackets_within_texts_are_no_nesting(served):
    text = '"[[{{\\' * 500
    assert served.ask("POST", "/v1/compare", {"a": text, "b": "[" * 500}).status == 200


def test_the_depth_of_json_is_what_a_parser_finds():
    def depth(value):
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    for text in ("[]", '{"a": [1, {"b": "]"}]}', r'["\\", [["\"["]]]', '"[[["', "7", r'{"\\\"{": [{}]}'):
        assert json_depth(text.encode()) == depth(json.loads(text))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "identity, gzip", "GZIP", "compress"])
def test_compressed_bodies_are_refused_unread(served, coding):
    bomb = gzip.compress(b"[" + b"0," * 10_000_000 + b"0]")
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    answer = served.ask("POST", "/v1/compare", bomb, headers)
    assert (answer.status, answer.code) == (415, "content_encoding")
    assert answer.headers["accept-encoding"] == "identity"


# -- who is answered


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8765", 200),
        ("127.0.0.1", 200),
        ("[::1]:8765", 200),
        ("10.1.2.3:80", 200),
        ("docs.example", 200),
        ("DOCS.example:443", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.nip.io", 421),
        ("docs.example.evil", 421),
        ("", 421),
        ("127.0.0.1@evil.example", 421),
    ],
)
def test_a_server_answers_to_its_own_names_alone(served, host, status):
    assert served.ask("POST", "/v1/compare", BODY, {"Host": host}).status == status


def test_a_request_with_two_hosts_or_none_is_refused(served):
    for hosts in (b"Host: localhost\r\nHost: evil.example\r\n", b""):
        assert status_of(served.raw(b"GET /v1/health HTTP/1.1\r\n" + hosts + b"Connection: close\r\n\r\n")) in (
            400,
            421,
        )


@pytest.mark.parametrize(
    "sent",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://evil.example:{port}"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    ],
)
def test_pages_of_other_sites_can_send_nothing_and_read_nothing(open_to_all, sent):
    headers = {name: value.format(port=open_to_all.port) for name, value in sent.items()}
    for method, kind in (("POST", "application/json"), ("POST", "text/plain"), ("GET", ""), ("OPTIONS", "")):
        body = json.dumps(BODY).encode() if method == "POST" else None
        answer = open_to_all.ask(method, "/v1/compare", body, {**headers, "Content-Type": kind})
        assert (answer.status, answer.code) == (403, "cross_origin")
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_own_page_may_send(served, open_to_all):
    for server, origin in ((open_to_all, "http://127.0.0.1:{port}"), (served, "https://docs.example")):
        sent = {
            "Origin": origin.format(port=server.port),
            "Sec-Fetch-Site": "same-origin",
            "Sec-Fetch-Mode": "cors",
        }
        answer = server.ask("POST", "/v1/compare", BODY, sent)
        assert answer.status == 200
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "request_",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: +5\r\n\r\nabcde",
        b"Content-Length: -5\r\n\r\nabcde",
        b"Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n",
        b"X: a\n b\r\nContent-Length: 0\r\n\r\n",
        b"X\0: a\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_request_that_two_servers_could_read_differently_is_refused(served, request_):
    """In front of a server may stand a proxy: what one takes for a body must be no request for the other."""
    answer = served.raw(b"POST /v1/compare HTTP/1.1\r\nHost: localhost\r\n" + request_, timeout=15)
    assert status_of(answer) == 400
    assert answer.count(b"HTTP/1.1 ") == 1


def test_what_comes_behind_a_body_is_no_header(served, secrets):
    sent = (
        b"POST /v1/compare HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1\r\n{\r\n0\r\nAuthorization: Bearer %b\r\nHost: evil.example\r\n\r\n" % secrets[Scope.WRITE].encode()
    )
    assert status_of(served.raw(sent)) == 401


# -- what comes back


def test_every_answer_is_told_to_browsers_as_what_it_is(served):
    for method, path, filled, example in operations(served, "spare"):
        answer = served.ask(method, filled, example)
        told = answer.headers
        assert told["x-content-type-options"] == "nosniff", path
        assert told["x-frame-options"] == "DENY"
        assert told["cross-origin-resource-policy"] == "same-origin"
        assert told["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in told["content-security-policy"]
        assert "server" not in told
        if answer.body:
            assert not told["content-type"].startswith(("text/html", "image/svg", "application/xml")), path


HAS_PAGE = importlib.util.find_spec("nearsense.server.pages")
PAGE = pytest.param("/", marks=pytest.mark.skipif(not HAS_PAGE, reason="there is no page here"))


@pytest.mark.parametrize("path", ["/docs", PAGE])
def test_the_policy_of_a_page_lets_nothing_run_that_did_not_come_from_the_server(served, path):
    answer = served.ask("GET", path)
    assert answer.headers["content-type"].startswith("text/html")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == "'none'"
    assert policy.get("script-src", "'self'") == policy.get("connect-src", "'self'") == "'self'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"
    page = answer.body.decode()
    assert not re.search(r"(src|href)=.?(https?:)?//", page)


def test_stored_texts_are_data_wherever_they_come_out(served, shop):
    """No route gives a text of a collection as anything that a browser runs."""
    answer = served.ask("POST", "/v1/search", {"query": HARM[0], "k": 3})
    assert answer.headers["content-type"] == "application/json"
    assert {hit["text"].split(" ", 2)[2] for hit in answer.json["hits"]} == set(HARM)
    for path in (f"/v1/{HARM[0]}", f"/v1/collections/{HARM[1]}", "/page/<svg onload=alert(1)>"):
        answer = served.ask("GET", path.replace(" ", "%20"))
        assert answer.status in (404, 405, 422)
        assert answer.headers["content-type"] == "application/json"
