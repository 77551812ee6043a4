"""A server as a process of its own, for tests that ask it over real sockets: well-behaved clients and others."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CODE = """
import json, sys
from pathlib import Path
from nearsense.cli.serve import bound
from nearsense.server.app import create_app
from nearsense.server.running import run
from nearsense.server.service import Service
from nearsense.server.settings import ServerSettings
how = json.loads(sys.argv[1])
given = how["settings"] | {"hosts": tuple(how["settings"].get("hosts", ()))}
given |= {name: Path(given[name]) for name in ("key_file", "folder") if given.get(name)}
settings = ServerSettings(**given)
with bound(settings.host, settings.port) as listening:
    service = Service.of(settings, collections=how["collections"], faqs=how["faqs"], models=how["models"])
    sys.exit(run(create_app(service, settings), settings, listening, service.stop))
"""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """The name of the error."""
        return self.json["error"]["code"]


class Served:
    """A running server; `with` starts and ends it.

    Args:
        base: A folder for its log and its cache.
        collections: Folders of collections.
        faqs: Files of FAQs.
        models: Names of models.
        key: What `ask` shows.
        environment: What it is told beside its own.
        settings: As ServerSettings has them.
    """

    def __init__(
        self,
        base: Path,
        *,
        collections: Iterable[Path] = (),
        faqs: Iterable[Path] = (),
        models: Iterable[str] = (),
        key: str | None = None,
        environment: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        self.base, self.key, self.port = base, key, free_port()
        told = {name: str(value) if isinstance(value, Path) else value for name, value in settings.items()}
        self._how = {
            "collections": [str(each) for each in collections], "faqs": [str(each) for each in faqs],
            "models": list(models), "settings": told | {"port": self.port},
        }  # fmt: skip
        self._environment = {**os.environ, **(environment or {})}

    def __enter__(self) -> Served:
        self.log = self.base / f"server-{self.port}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", CODE, json.dumps(self._how)], stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, env=self._environment, cwd=self.base,
            )  # fmt: skip
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended at once: {self.log.read_text()}")
            with contextlib.suppress(OSError):
                if self.ask("GET", "/v1/ready").status == 200:
                    return self
            time.sleep(0.05)
        self.__exit__()
        raise AssertionError(f"the server is not ready: {self.log.read_text()}")

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def kill(self) -> None:
        """As the system does when memory is short."""
        self.process.kill()
        self.process.wait()

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, **how: Any
    ) -> Answer:
        """One request over a connection of its own; a body that is no bytes and no iterator goes as JSON."""
        sent = dict(headers or {})
        if self.key is not None:
            sent.setdefault("Authorization", f"Bearer {self.key}")
        if body is not None and not isinstance(body, bytes) and not hasattr(body, "__next__"):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=how.pop("timeout", 30))
        try:
            connection.request(method, path, body, sent, **how)
            response = connection.getresponse()
            told = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, told, response.read())
        finally:
            connection.close()

    def connect(self, timeout: float = 30) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def raw(self, sent: bytes, timeout: float = 30) -> bytes:
        """All that comes back for some bytes, until the server closes the connection."""
        with self.connect(timeout) as wire:
            wire.sendall(sent)
            return rest(wire)

    def ended(self) -> int | None:
        """The exit code, where it has ended."""
        return self.process.poll()


def rest(wire: socket.socket) -> bytes:
    """What still comes until the other side closes, or resets the connection."""
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := wire.recv(1 << 16):
            parts.append(part)
    return b"".join(parts)


def status_of(answer: bytes) -> int:
    """The status of a response as it came; 0 where nothing did."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
