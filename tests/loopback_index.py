"""An index of Python packages on this machine, and wheels made for it, with code that tells of being run."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nearsense.encoders.catalog import Wheel

ALARM = "import pathlib, os\npathlib.Path(os.environ['NEARSENSE_TEST_ALARM']).write_text('code was run')\n"


def wheel(
    folder: Path, name: str, members: Mapping[str, bytes], *, part: str = "", platform: str = "py3-none-any"
) -> Wheel:
    """A wheel that wants torch and has code; what the catalogue would say of it."""
    plain = name.replace("-", "_")
    file = folder / f"{plain}-1.0-{platform}.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{plain}/__init__.py", ALARM)
        archive.writestr("setup.py", ALARM)
        for member, content in members.items():
            archive.writestr(member, content)
        about = f"{plain}-1.0.dist-info"
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
                         "Requires-Python: >=3.8\nRequires-Dist: torch\nRequires-Dist: numpy\n")  # fmt: skip
        archive.writestr(f"{about}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {platform}\n")
        archive.writestr(f"{about}/RECORD", "")
    content = file.read_bytes()
    return Wheel(name, "1.0", len(content), hashlib.sha256(content).hexdigest(), part)


class LoopbackIndex:
    """Serves a folder of wheels; `asked` has the paths, `before` is called with a file's, `wrong` are changed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, []
        self.wrong: set[str] = set()
        self.before: Callable[[str], None] = lambda path: None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}/simple"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def files(self) -> list[str]:
        """The wheels that were asked for."""
        return [path.rpartition("/")[2] for path in self.asked if path.endswith(".whl")]

    def answer(self, path: str) -> tuple[str, bytes] | None:
        self.asked.append(path)
        if path.endswith(".whl"):
            self.before(path)
            name = path.rpartition("/")[2]
            content = (self.folder / name).read_bytes()
            return "application/zip", bytes([content[0] ^ 1]) + content[1:] if name in self.wrong else content
        name = path.strip("/").rpartition("/")[2].replace("-", "_")
        found = sorted(self.folder.glob(f"{name}-*.whl"))
        links = "".join(f'<a href="/files/{file.name}">{file.name}</a>' for file in found)
        return ("text/html", f"<!DOCTYPE html><html><body>{links}</body></html>".encode()) if found else None


def _handler(index: LoopbackIndex) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            found = index.answer(self.path)
            with contextlib.suppress(OSError):
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", found[0] if found else "text/plain")
                self.send_header("Content-Length", str(len(found[1]) if found else 0))
                self.end_headers()
                self.wfile.write(found[1] if found else b"")

    return Handler


@contextlib.contextmanager
def indexed(folder: Path) -> Iterator[LoopbackIndex]:
    """An index that pip asks instead of the one that it is configured for."""
    folder.mkdir(exist_ok=True)
    index = LoopbackIndex(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PIP_")]:
            patch.delenv(name)
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            patch.delenv(name, raising=False)
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        patch.setenv("PIP_INDEX_URL", index.url)
        patch.setenv("PIP_RETRIES", "0")
        try:
            yield index
        finally:
            index.close()
