"""A hub on this machine: the routes that the hub's library asks for, over folders, with faults on demand."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

LARGE = 10_000
"""Files from so many bytes up are promised by SHA-256, smaller ones by git's SHA-1, as the hub has it."""


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    method: str
    path: str
    range: str
    authorised: bool
    headers: Mapping[str, str]


class LoopbackHub:
    """Serves folders as repositories: `LoopbackHub({"org/name": folder})`, then `hub.url` as `HF_ENDPOINT`.

    Every repository has one commit, at `main` and at each of `tags`. Requests are kept in `requests`, bytes of
    files that were sent in `sent`. Faults: each number in `cuts` breaks the connection once after so many bytes
    of a file; `wrong` names files whose bytes are changed on the way; `refuse` is a status with the hub's code;
    `listed` is put before the names of the files; without `ranges` a file comes from its beginning always.
    """

    def __init__(self, folders: Mapping[str, Path], *, tags: tuple[str, ...] = ()) -> None:
        self.folders, self.tags = dict(folders), tags
        self.requests: list[Request] = []
        self.sent = 0
        self.cuts: list[int] = []
        self.ranges = True
        self.wrong: set[str] = set()
        self.refuse: tuple[int, str] | None = None
        self.listed: list[str] = []
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def forget(self) -> None:
        """Begin to count anew."""
        self.requests.clear()
        self.sent = 0

    def asked_for(self, file: str) -> list[Request]:
        return [request for request in self.requests if request.path.endswith(f"/{file}")]

    def commit(self, repository: str) -> str:
        content = "".join(f"{name}{digest}" for name, (_, digest) in self.promises(repository).items())
        return hashlib.sha1(content.encode()).hexdigest()

    def promises(self, repository: str) -> dict[str, tuple[int, str]]:
        folder = self.folders[repository]
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        return {str(file.relative_to(folder)): (file.stat().st_size, promised(file)) for file in files}


def promised(file: Path) -> str:
    """What the hub promises of a file: its hash."""
    stat = file.stat()
    return _hash(file, stat.st_size, stat.st_mtime_ns)


@functools.cache
def _hash(file: Path, size: int, changed: int) -> str:
    content = file.read_bytes()
    if size >= LARGE:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % size + content).hexdigest()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Who asked may go away without a word."""


def _as_tree(entry: Mapping[str, Any]) -> dict[str, object]:
    """A file as `/tree/` lists it, of a file as `/revision/` lists it."""
    found = {"type": "file", "path": entry["rfilename"], "size": entry["size"], "oid": entry["blobId"]}
    if lfs := entry.get("lfs"):
        found["lfs"] = {"oid": lfs["sha256"], "size": lfs["size"], "pointerSize": lfs["pointerSize"]}
    return found


def _handler(hub: LoopbackHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def log_message(self, *_words: object) -> None:
            """Nothing on stderr."""

        def _answer(self, *, with_body: bool) -> None:
            path = unquote(urlsplit(self.path).path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Request(self.command, path, headers.get("range", ""), "authorization" in headers, headers)
            hub.requests.append(asked)
            if hub.refuse:
                status, code = hub.refuse
                return self._send(status, b"{}", {"X-Error-Code": code} if code else {}, with_body)
            for kind in ("models", "datasets"):
                if path.startswith(f"/api/{kind}/"):
                    return self._listing(path.removeprefix(f"/api/{kind}/"), with_body)
            repository, _, rest = path.removeprefix("/").removeprefix("datasets/").partition("/resolve/")
            revision, _, name = rest.partition("/")
            if repository not in hub.folders:
                return self._send(404, b"", {"X-Error-Code": "RepoNotFound"}, with_body)
            file = hub.folders[repository] / name
            if not self._known(repository, revision) or not file.is_file():
                return self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, with_body)
            return self._file(repository, name, file, asked.range, with_body)

        def _known(self, repository: str, revision: str) -> bool:
            return revision in ("main", hub.commit(repository), *hub.tags)

        def _listing(self, rest: str, with_body: bool) -> None:
            repository, as_tree, revision = rest.partition("/tree/")
            if not as_tree:
                repository, _, revision = rest.partition("/revision/")
            if repository not in hub.folders:
                return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, with_body)
            if not self._known(repository, revision or "main"):
                return self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"}, with_body)
            files: list[dict[str, object]] = [
                {"rfilename": name, "size": 1, "blobId": "0" * 40} for name in hub.listed
            ]
            for name, (size, digest) in hub.promises(repository).items():
                entry: dict[str, object] = {"rfilename": name, "size": size, "blobId": digest[:40]}
                if len(digest) == 64:
                    entry["lfs"] = {"size": size, "sha256": digest, "pointerSize": 130}
                files.append(entry)
            if as_tree:
                files = [_as_tree(each) for each in files]
                return self._send(200, json.dumps(files).encode(), {"Content-Type": "application/json"}, with_body)
            answer = {"id": repository, "modelId": repository, "sha": hub.commit(repository), "siblings": files}
            return self._send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"}, with_body)

        def _file(self, repository: str, name: str, file: Path, range_: str, with_body: bool) -> None:
            content, digest = file.read_bytes(), promised(file)
            if name in hub.wrong:
                content = bytes([content[0] ^ 1]) + content[1:]
            headers = {
                "ETag": f'"{digest}"', "X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(content)),
                "X-Repo-Commit": hub.commit(repository), "Accept-Ranges": "bytes",
            }  # fmt: skip
            start = int(range_.removeprefix("bytes=").partition("-")[0]) if range_ else 0
            if not hub.ranges:
                range_, start = "", 0
            if range_ and start >= len(content):
                return self._send(416, b"", {"Content-Range": f"bytes */{len(content)}"}, with_body)
            if range_:
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            return self._send(206 if range_ else 200, content[start:], headers, with_body, is_file=True)

        def _send(
            self, status: int, body: bytes, headers: Mapping[str, str], with_body: bool, *, is_file: bool = False
        ) -> None:
            self.send_response(status)
            for header, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(header, value)
            self.end_headers()
            if not with_body:
                return
            if is_file and hub.cuts and len(body) > hub.cuts[0]:
                body = body[: hub.cuts.pop(0)]
                self.close_connection = True
            hub.sent += len(body) if is_file else 0
            with contextlib.suppress(OSError):
                self.wfile.write(body)

    return Handler


@contextlib.contextmanager
def serving(folders: Mapping[str, Path], *, tags: tuple[str, ...] = ()) -> Iterator[LoopbackHub]:
    """A hub that is asked instead of the real one.

    What the test session forbids is allowed here: `HF_HUB_OFFLINE` is read by the hub's library when it is
    imported, and by nearsense each time.
    """
    import huggingface_hub
    from huggingface_hub import constants

    hub = LoopbackHub(folders, tags=tags)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_CACHE", "HF_TOKEN", "NEARSENSE_OFFLINE"):
            patch.delenv(name, raising=False)
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            patch.delenv(name, raising=False)
        patch.setenv("HF_ENDPOINT", hub.url)
        patch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
        try:
            yield hub
        finally:
            huggingface_hub.close_session()
            hub.close()
