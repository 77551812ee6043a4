"""A line for each request, with its id and without anybody's texts."""

from __future__ import annotations

import asyncio
import io
import json
import logging

import pytest

from nearsense.server.logs import Handler, Lines, Logged, note
from nearsense.server.metrics import Metrics

SECRET = "my private words"


class Route:
    path = "/v1/things/{name}"


async def answer(scope, receive, send):
    """An application that does what the path says."""
    what = scope["path"].strip("/")
    if what != "unknown":
        scope["route"] = Route()
    if what == "fails":
        raise ValueError(SECRET)
    if what == "leaves":
        return
    note(texts=3, model="small")
    await send({"type": "http.response.start", "status": 429 if what == "busy" else 200, "headers": []})
    await send({"type": "http.response.body", "body": what.encode()})
    if what == "breaks":
        raise ValueError(SECRET)


def ask(path, headers=(), *, metrics=None, texts=False):
    """The messages that come back, and the lines of the log."""
    stream, sent = io.StringIO(), []

    async def send(message):
        sent.append(message)

    async def run():
        app = Logged(answer, metrics, Lines(stream), texts=texts)
        scope = {"type": "http", "path": path, "method": "POST", "query_string": SECRET.encode()}
        await app(scope | {"headers": list(headers)}, None, send)

    asyncio.run(run())
    return sent, [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_request_leaves_one_line_with_the_id_that_the_response_has():
    sent, (line,) = ask("/fine")
    assert line | {"time": "", "ms": 0} == {
        "time": "", "level": "info", "event": "request", "method": "POST", "route": "/v1/things/{name}",
        "status": 200, "ms": 0, "id": line["id"], "texts": 3, "model": "small",
    }  # fmt: skip
    assert (b"x-request-id", line["id"].encode()) in sent[0]["headers"]
    assert ask("/fine")[1][0]["id"] != line["id"]


@pytest.mark.parametrize(("given", "kept"), [("a-1.B_2", True), ("x" * 65, False), ("a b", False), ("é", False)])
def test_an_id_that_a_proxy_gave_is_kept_where_it_is_one(given, kept):
    _, (line,) = ask("/fine", [(b"x-request-id", given.encode("latin-1"))])
    assert (line["id"] == given) is kept


@pytest.mark.parametrize("path", ["/fine", "/busy", "/fails", "/breaks", "/leaves", "/unknown", f"/{SECRET}"])
def test_no_line_holds_what_somebody_wrote(path):
    assert SECRET not in json.dumps(ask(path)[1])


def test_an_error_nobody_expected_is_a_500_and_its_place_stands_in_the_line():
    sent, (line,) = ask("/fails")
    assert sent[0]["status"] == line["status"] == 500
    assert json.loads(sent[1]["body"])["error"]["code"] == "internal"
    assert (line["level"], line["error"]) == ("error", "ValueError")
    assert line["where"][-1].endswith("answer")
    assert ask("/fails", texts=True)[1][0]["message"] == SECRET


def test_requests_are_counted_under_the_name_of_their_route():
    metrics = Metrics()
    for path in ("/fine", "/busy", "/unknown", "/leaves"):
        ask(path, metrics=metrics)
    text = metrics.text()
    for route, status in (("/v1/things/{name}", 200), ("/v1/things/{name}", 429), ("(none)", 200)):
        assert f'nearsense_http_requests_total{{method="POST",route="{route}",status="{status}"}} 1.0' in text
    assert 'status="499"} 1.0' in text


def test_what_libraries_log_is_told_by_its_type_alone():
    stream = io.StringIO()
    handler = Handler(Lines(stream), texts=False)
    for name in ("some.library", "nearsense"):
        logger = logging.Logger(name)
        logger.addHandler(handler)
        try:
            raise ValueError(SECRET)
        except ValueError:
            logger.exception("it failed: %s", "harmless")
    other, own = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert "message" not in other
    assert own["message"] == "it failed: harmless"
    assert SECRET not in stream.getvalue()
    assert other["error"] == own["error"] == "ValueError"


def test_a_log_that_cannot_be_written_stops_no_request():
    class Full(io.StringIO):
        def write(self, _):
            raise OSError(28, "No space left on device")

    Lines(Full()).write("info", "request")
