"""Clients that send a byte a second, or read none: they are ended, and nobody else notices them."""

from __future__ import annotations

import contextlib
import http.client
import resource
import socket
import time

import numpy as np
import pytest

import nearsense as ns
from samples import tiny_bert
from serving import Served, rest, status_of

HEAD = b"POST /v1/compare HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
SLOW = {
    "head": (b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX-Long: ", b"x"),
    "body": (HEAD + b"Content-Length: 9000\r\n\r\n", b" "),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "extension": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x"),
    "lines": (b"", b"\r\n"),
    "silent": (b"", b""),
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    base = tmp_path_factory.mktemp("slow")
    with ns.open(base / "shop.nearsense", encoder=str(tiny_bert(base / "tiny"))) as collection:
        collection.add([ns.Document(id=str(i), text=f"w{i} " * 40) for i in range(50)])
    return base / "shop.nearsense"


@pytest.fixture(scope="module")
def impatient(tmp_path_factory, shop):
    """A server with short deadlines, so that the same is seen sooner."""
    base = tmp_path_factory.mktemp("impatient")
    with Served(base, collections=[shop], header_seconds=0.5, body_seconds=1.0, idle_seconds=1.0) as server:
        yield server


@pytest.fixture(autouse=True)
def many_sockets():
    """A process may have as many as the tests want."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 6_000)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Crowd:
    """Sockets that each send a byte a second, a few of them at a time, and when each was closed."""

    def __init__(self, server: Served, count: int) -> None:
        self.open: dict[socket.socket, tuple[bytes, float]] = {}
        self.lasted: list[float] = []
        self.heard: list[int] = []
        kinds = list(SLOW.values())
        for number in range(count):
            wire = server.connect()
            first, more = kinds[number % len(kinds)]
            wire.sendall(first)
            wire.setblocking(False)
            self.open[wire] = more, time.monotonic()

    def go_on(self, count: int) -> None:
        """Let some of them send, and see who was closed."""
        for wire in list(self.open)[:count]:
            more, began = self.open.pop(wire)
            self.open[wire] = more, began  # its turn comes again when all others had theirs
            try:
                if more:
                    wire.send(more)
                told = wire.recv(4096)
            except BlockingIOError:
                continue
            except ConnectionError:
                told = b""
            if told:
                self.heard.append(status_of(told))
            else:
                del self.open[wire]
                wire.close()
                self.lasted.append(time.monotonic() - began)


def held(server: Served, count: int, seconds: float) -> tuple[Crowd, list[float]]:
    """So many slow sockets until they are closed, and how long health took meanwhile, in seconds."""
    crowd, waits, until = Crowd(server, count), [], time.monotonic() + seconds
    while crowd.open and time.monotonic() < until:
        turn = time.monotonic()
        crowd.go_on(count // 20)
        asked = time.monotonic()
        assert server.ask("GET", "/v1/health").status == 200
        waits.append(time.monotonic() - asked)
        time.sleep(max(0.0, turn + 1 / 20 - time.monotonic()))
    assert not crowd.open, f"{len(crowd.open)} are still open"
    assert set(crowd.heard) == {408}
    return crowd, waits


def test_slow_senders_are_closed_whatever_they_send_slowly(impatient):
    crowd, _ = held(impatient, 200, 60)
    assert len(crowd.lasted) == 200
    assert max(crowd.lasted) < 30


@pytest.mark.slow
def test_nobody_waits_for_a_thousand_slow_senders_and_all_are_closed_within_30_seconds(tmp_path, shop):
    with Served(tmp_path, collections=[shop]) as server:
        crowd, waits = held(server, 1_000, 60)
        p99, longest = np.percentile(waits, 99) * 1000, max(crowd.lasted)
        print(f"\n1,000 slow sockets: health p99 {p99:.1f} ms of {len(waits)}; all closed in {longest:.1f} s")
        assert longest < 30
        assert p99 < 100


def test_who_sends_slowly_but_steadily_is_heard(impatient):
    """The time for a body grows with what has come: a slow line is no attack."""
    body = b'{"a": "w1", "b": "w2"' + b" " * 100_000 + b"}"
    with impatient.connect() as wire:
        wire.sendall(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
        began = time.monotonic()
        for start in range(0, len(body), 10_000):
            wire.sendall(body[start : start + 10_000])
            time.sleep(0.2)
        assert time.monotonic() - began > 2, "longer than a body may take of which little comes"
        assert status_of(rest(wire)) == 200


def test_who_does_not_read_the_answers_is_left(impatient):
    """They fill what the system holds for the client, then what the server does; it does not do so for ever."""
    with socket.socket() as wire, contextlib.suppress(ConnectionError):
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.settimeout(20)
        wire.connect(("127.0.0.1", impatient.port))
        until = time.monotonic() + 20
        while time.monotonic() < until:
            wire.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
            time.sleep(0.1)
        pytest.fail("it reads nothing, and is still served")


def test_an_idle_connection_is_closed_and_a_busy_one_is_kept(impatient):
    client = http.client.HTTPConnection("127.0.0.1", impatient.port, timeout=20)
    client.connect()
    wire = client.sock
    for _ in range(4):
        client.request("GET", "/v1/health")
        assert client.getresponse().read()
        assert client.sock is wire
        time.sleep(0.4)
    assert rest(wire) == b"", "nothing is said, it is closed"
    client.close()


@pytest.mark.slow
def test_more_connections_than_there_is_room_for_push_out_those_that_only_wait(tmp_path, shop):
    with Served(tmp_path, collections=[shop]) as server, contextlib.ExitStack() as wires:
        told = [wires.enter_context(server.connect()) for _ in range(4_200)]
        assert server.ask("GET", "/v1/health").status == 200
        assert status_of(told[0].recv(4096)) == 503


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0" * 100, b"HELO\r\n\r\n"]
)
def test_what_is_no_http_is_told_so(impatient, sent):
    answer = impatient.raw(sent)
    assert status_of(answer) == 400
    assert b"nosniff" in answer


@pytest.mark.parametrize("kind", [b"websocket", b"h2c"])
def test_an_upgrade_is_not_taken(impatient, kind):
    answer = impatient.raw(
        b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: %b\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n" % kind
    )
    assert status_of(answer) in (200, 400)
