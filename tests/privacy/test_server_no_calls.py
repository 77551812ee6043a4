"""A server calls nobody and writes nowhere but into its collections and its cache, whatever is asked of it."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

import nearsense as ns
from samples import tiny_bert
from watched import Home

ASKER = """
import http.client, json, socket, subprocess, sys, time
with socket.socket() as taken:
    taken.bind(("127.0.0.1", 0)); port = taken.getsockname()[1]
words = ["serve", "shop.nearsense", "--faq", "faq.csv", "--folder", "made", "--port", str(port)]
server = subprocess.Popen([sys.executable, "-m", "nearsense", *words], stderr=sys.stderr)
def ask(method, path, body=None, more={}):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        kind = {} if body is None else {"Content-Type": "application/json"}
        client.request(method, path, body, kind | more)
        answer = client.getresponse()
        return answer.status, answer.read()
    finally:
        client.close()
for _ in range(600):
    try:
        if ask("GET", "/v1/ready")[0] == 200: break
    except OSError: time.sleep(0.1)
    assert server.poll() is None
seen = []
try:
    for path, body in ALL.items():
        if body is None: status = ask("GET", path)[0]
        else:
            more = {"Accept": "application/json, text/event-stream"} if path.startswith("/mcp") else {}
            status, told = ask("POST", path.partition("#")[0], json.dumps(body), more=more)
            assert b'"isError":true' not in told, (path, told)
        assert status == 200, (path, status)
        seen.append(("all", path, status))
    drawn = json.loads(ask("POST", "/v1/collections/shop/map")[1])["job"]["id"]
    map = json.loads(ask("GET", f"/v1/jobs/{drawn}?wait=30")[1])["result"]["address"]
    assert ask("GET", map)[0] == 200
    paths = json.loads(ask("GET", "/openapi.json")[1])["paths"]
    for path, methods in paths.items():
        filled = path.replace("{name}", "shop").replace("{id}", "1").replace("{token}", "x")
        for method, told in sorted(methods.items(), key=lambda each: each[0] == "delete"):
            content = told.get("requestBody", {}).get("content", {})
            example = content.get("application/json", {}).get("example")
            strange = [(field, value) for field in ("model", "rerank", "collection") for value in STRANGE]
            for field, value in [(None, None), *strange]:
                if field is not None and (example is None or method != "post"): continue
                if field is not None and path in ALL and field not in example: continue  # of others' clients
                body = None if example is None else json.dumps(example | ({field: value} if field else {}))
                status = ask(method.upper(), filled, body)[0]
                seen.append((method, path, status))
                assert field is None or 400 <= status < 500, (method, path, field, value, status)
                assert status < 500, (method, path, status)
    for path in ("/docs", "/favicon.ico", "/v1/embeddings"):
        seen.append(("get", path, ask("GET", path)[0]))
    time.sleep(1)
finally:
    server.terminate()
    server.wait(60)
print(json.dumps(seen))
"""

PAGE = files("nearsense.server") / "page"


def tool(name, **arguments):
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}


ALL = {
    "/": None,
    **{f"/page/{each.name}": None for each in PAGE.iterdir() if not each.name.endswith(".html")},
    "/page/words.js": None,
    "/metrics": None,
    "/v1/models": None,
    "/v1/models/tiny": None,
    "/info": None,
    "/v1/embeddings": {"input": ["w1", "w2 w3"]},
    "/embed": {"inputs": "w1"},
    "/similarity": {"inputs": {"source_sentence": "w1", "sentences": ["w2", "w1"]}},
    **{path: {"query": "w1", "documents": ["w2", "w1"]} for path in ("/v1/rerank", "/v2/rerank")},
    "/rerank": {"query": "w1", "texts": ["w2", "w1"]},
    "/mcp#list": {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}},
    "/mcp#search": tool("search", collection="shop", query="w1"),
    "/mcp#similar": tool("similar", collection="shop", id="1"),
    "/mcp#context": tool("context", collection="shop", query="w1"),
    "/mcp#compare": tool("compare", a="w1", b="w2"),
    "/mcp#faq": tool("faq", question="w1 w4?"),
    "/mcp#stats": tool("stats"),
}
"""The page's files, what clients of others speak, each tool of assistants; other routes are in the document."""

STRANGE = [
    "org/model-on-a-hub",
    "openai:text-embedding-3-small",
    "http://10.255.255.1/v1",
    "//10.255.255.1/x",
    "/tmp",
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("user"))
    model = tiny_bert(home.work / "tiny")
    with ns.open(home.work / "shop.nearsense", encoder=str(model)) as collection:
        collection.add([ns.Document(id=str(i), text=f"w{i} w{i + 1}", metadata={"lang": "en"}) for i in range(9)])
    rows = "".join(f"w{i} w{i + 3}?,w{i}.\n" for i in range(9))
    (home.work / "faq.csv").write_text(f"question,answer\n{rows}")
    (home.work / "made").mkdir()
    return home


@pytest.mark.parametrize(
    "strange", [STRANGE[:1], pytest.param(STRANGE, marks=pytest.mark.slow)], ids=["one", "all"]
)
def test_a_server_calls_nobody_whatever_is_asked_of_every_route(home, strange):
    pytest.importorskip("mcp")
    seen = home.python(f"STRANGE, ALL = {strange}, {ALL}\n{ASKER}")
    assert seen.done.returncode == 0, seen.done.stderr
    asked = json.loads(seen.done.stdout)
    assert len({(method, path) for method, path, _ in asked}) >= 15 + len(ALL)
    assert sum(200 <= status < 300 for *_, status in asked) >= 12, asked
    assert seen.loopback, "it was watched"
    assert not seen.called, seen.called
    assert not seen.astray, seen.astray
    assert not seen.left, seen.left
