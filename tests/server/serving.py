"""A server of its own for a test: tiny models, a free port, a thread; asked over a socket as any client would."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import nearsense as ns
from fakes import HashEncoder


class Gated(HashEncoder):
    """Encodes up to `limit` texts, then waits until more are allowed."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.limit, self._changed = 10**9, threading.Condition()

    def allow(self, limit: int) -> None:
        with self._changed:
            self.limit = limit
            self._changed.notify_all()

    def encode(self, texts, **options):
        listed = [texts] if isinstance(texts, str) else list(texts)
        with self._changed:
            self._changed.wait_for(lambda: self.encoded + len(listed) <= self.limit, 60)
        return super().encode(listed, **options)


@dataclass
class Answer:
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def error(self) -> dict[str, str]:
        return self.body["error"]


class Client:
    """Asks a server; a connection for each question, so that threads may share it."""

    def __init__(self, port: int) -> None:
        self.port = port

    def __call__(self, method: str, path: str, body: Any = None, headers: Any = (), **query: Any) -> Answer:
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        sent = {"content-type": "application/json"} | dict(headers)
        path = quote(path) + (f"?{urlencode(query)}" if query else "")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, content, sent)
            got = connection.getresponse()
            told = got.read()
            return Answer(got.status, json.loads(told or b"null"), {k.lower(): v for k, v in got.getheaders()})
        finally:
            connection.close()

    def ended(self, answer: Answer) -> dict[str, Any]:
        """The job that an answer tells of, when it has ended."""
        assert answer.status == 202, answer
        assert answer.headers["location"] == f"/v1/jobs/{answer.body['job']['id']}"
        found = self("GET", answer.headers["location"], wait=30).body
        assert found["ended"] is not None, found
        return found

    def count(self, name: str) -> int:
        return self("GET", f"/v1/collections/{name}").body["documents"]


def until(true, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@contextlib.contextmanager
def serving(folder: Path, *, models: Any = None, faqs: Any = (), prepare: Any = None, **how: Any):
    """A running server: its client, and the service behind it."""
    import uvicorn

    from nearsense.server.app import create_app
    from nearsense.server.service import Service
    from nearsense.server.settings import ServerSettings

    settings = ServerSettings(folder=folder, **how)
    service = Service(settings, models=models or {"hash": HashEncoder()})
    for path in sorted(folder.glob("*.nearsense")):
        service.add_collection(path, encoder=next(iter(service.models.values())))
    for file in faqs:
        service.add_faq(file)
    if prepare is not None:
        prepare(service)
    config = uvicorn.Config(create_app(service, settings), host="127.0.0.1", port=0, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        client = Client(server.servers[0].sockets[0].getsockname()[1])
        yield client, service
    finally:
        server.should_exit = True
        thread.join(30)
        service.close()


def make_drifting(path: Path, encoder: Any, monkeypatch: Any) -> None:
    """A collection of which other things are asked than two days ago, and a log that tells so."""
    verbs = ("stays", "lies", "waits", "goes", "stops", "hides")
    with ns.open(path, encoder) as room:
        room.add([f"about {word} {n}" for n in range(5) for word in ("cards", "parcels")])
        room.set_log(True)
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now - 2 * 86400)
        room.search_many([f"where {verb} the {thing}" for verb in verbs for thing in ("parcel", *verbs)])
        room.log.flush()
        monkeypatch.undo()
        room.search_many([f"refund {verb} voucher {thing}" for verb in verbs for thing in ("money", *verbs)])
