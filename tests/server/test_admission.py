"""A full server: who cannot be answered is told so at once, whatever was sent, and can go on."""

from __future__ import annotations

import io
import json
import socket
import threading
import time

import pytest

from nearsense.server.admission import Admission
from nearsense.server.app import create_app
from nearsense.server.logs import Lines
from nearsense.server.running import Running
from nearsense.server.service import Service
from nearsense.server.settings import ServerSettings
from worded import Worded

LOG = io.StringIO()


@pytest.fixture(scope="module")
def server():
    """A server whose model waits while its gate is closed; the queue holds few texts."""
    settings = ServerSettings(queue_tokens=60, batch_tokens=16, waiting=4, threads=1)
    encoder = Worded(seconds=0.001)
    service = Service(settings, models={"worded": encoder})
    listening = socket.create_server(("127.0.0.1", 0))
    running = Running(create_app(service, settings), settings, listening, admission=Admission(service, Lines(LOG)))
    thread = threading.Thread(target=running.until_signalled)
    thread.start()
    yield running.port, encoder, service
    encoder.gate.set()
    running.stop()
    thread.join(30)
    service.close()


@pytest.fixture
def full(server):
    """The same while as much waits as may wait."""
    port, encoder, service = server
    ask(port, "/v1/embeddings", {"input": "first", "model": "worded"})  # how fast it is, is known from now on
    encoder.gate.clear()
    waiting = [
        threading.Thread(target=ask, args=(port, "/v1/embeddings", {"input": f"text {n}", "model": "worded"}))
        for n in range(40)
    ]
    for each in waiting:
        each.start()
    end = time.monotonic() + 10
    while not service.crowded():
        assert time.monotonic() < end, "it is never full"
        time.sleep(0.01)
    yield port, encoder
    encoder.gate.set()
    for each in waiting:
        each.join(20)


def request(path, body, *more):
    content = json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *more]
    return "\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""]).encode(), content


def answer(wire):
    """Status, headers and body of the next response."""
    told = b""
    while b"\r\n\r\n" not in told:
        told += wire.recv(65536) or pytest.fail("the connection was closed")
        told = told.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    head, _, body = told.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    while len(body) < int(headers["content-length"]):
        body += wire.recv(65536)
    return int(status.split()[1]), headers, json.loads(body)


def ask(port, path, body, *more):
    with socket.create_connection(("127.0.0.1", port), 30) as wire:
        wire.sendall(b"".join(request(path, body, *more)))
        return answer(wire)


@pytest.mark.parametrize("path", ["/v1/embeddings", "/embed", "/v1/compare", "/v1/explain?a=b"])
def test_a_request_without_room_is_refused_at_once_in_the_form_of_its_path(full, path):
    start = time.monotonic()
    status, headers, told = ask(full[0], path, {"anything": "at all"})
    assert time.monotonic() - start < 0.5
    assert status == 429
    assert int(headers["retry-after"]) >= 1
    assert headers["x-request-id"]
    assert headers["x-content-type-options"] == "nosniff"
    assert told["error"]["code"] == "overloaded"
    assert ("param" in told["error"]) == (path in ("/v1/embeddings", "/embed"))  # which is OpenAI's form


@pytest.mark.parametrize("size", [1, 1_000, 300_000])
def test_a_refused_client_can_go_on_over_its_connection(full, size):
    port, encoder = full
    with socket.create_connection(("127.0.0.1", port), 30) as wire:
        head, content = request("/v1/embeddings", {"input": "x" * size, "model": "worded"})
        for _ in range(3):
            wire.sendall(head)
            for first in range(0, len(content), 50_000):
                wire.sendall(content[first : first + 50_000])
            assert answer(wire)[0] == 429
        encoder.gate.set()
        time.sleep(0.5)
        wire.sendall(b"".join(request("/v1/embeddings", {"input": "one more", "model": "worded"})))
        assert answer(wire)[0] == 200


def test_what_needs_no_room_is_answered_while_there_is_none(full):
    with socket.create_connection(("127.0.0.1", full[0]), 30) as wire:
        wire.sendall(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer(wire)[0] == 200
    assert ask(full[0], "/v1/nowhere", {})[0] == 404


@pytest.mark.parametrize("more", ["Connection: close", "Expect: 100-continue"])
def test_those_whose_connection_ends_or_whose_body_waits_are_refused_as_well(full, more):
    assert ask(full[0], "/v1/embeddings", {"input": "a", "model": "worded"}, more)[0] == 429


def test_refusals_share_a_line_of_the_log_and_are_counted(server, full):
    LOG.seek(0)
    LOG.truncate()
    time.sleep(1.2)
    before = len(LOG.getvalue().splitlines())
    ids = [ask(full[0], "/v1/embeddings", {})[1]["x-request-id"] for _ in range(5)]
    time.sleep(1.2)
    (line,) = map(json.loads, LOG.getvalue().splitlines()[before:])
    assert (line["event"], line["status"], line["count"]) == ("refused", 429, 5)
    assert (line["first"], line["last"]) == (ids[0], ids[-1])
    counted = server[2].metrics.text()
    assert 'nearsense_queue_refused_total{model="worded",why="overloaded"}' in counted
    assert 'nearsense_http_requests_total{method="POST",route="/v1/embeddings",status="429"}' in counted


def test_many_that_come_at_once_are_not_all_let_in(server):
    port, encoder, _ = server
    ask(port, "/v1/embeddings", {"input": "first", "model": "worded"})
    encoder.gate.clear()
    wires = [socket.create_connection(("127.0.0.1", port), 30) for _ in range(60)]
    try:
        for number, wire in enumerate(wires):
            wire.sendall(b"".join(request("/v1/embeddings", {"input": f"text {number}", "model": "worded"})))
        time.sleep(0.3)
        encoder.gate.set()
        found = [answer(wire)[0] for wire in wires]
    finally:
        encoder.gate.set()
        for wire in wires:
            wire.close()
    assert set(found) == {200, 429}
    assert 5 < found.count(200) < 40
