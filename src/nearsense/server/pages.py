"""The page for people, and maps of collections: files with their types, ETags and policies. Not what they show.

The page is static: every file of the folder `page` is read once, and a name that is asked for is looked up among
them, never on the disk. A map holds texts, and a frame cannot send a key: so its address is a secret of its own,
which the job that drew it tells to whoever had the key.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from nearsense.kinds import Scope
from nearsense.server.described import JOB, operation
from nearsense.server.errors import JSON, Refused
from nearsense.server.requests import NAME
from nearsense.server.service import Service
from nearsense.server.settings import ServerSettings
from nearsense.server.work import Work

if TYPE_CHECKING:
    from nearsense.collection import Collection
    from nearsense.records import Document

__all__ = ["POLICY", "routes"]

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

POLICY = "; ".join([
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'",
    "frame-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    "require-trusted-types-for 'script'", "trusted-types 'none'",
])  # fmt: skip
"""What the page is allowed: its own files and this server. No text can become markup, whatever a script tries."""

MAPS = 8  # maps that are kept, the one that was looked at longest ago goes first
LARGEST_MAPS = 120 * 2**20  # bytes of all of them

_SHARED = ("make", "number", "percent", "plural", "printable", "shortened")
"""What the page takes over from the map's words.js, which is a plain script there and a module here."""


def routes(service: Service, settings: ServerSettings) -> list[BaseRoute]:
    """The page at /, its files below /page/, and maps of collections."""
    router, assets, maps = APIRouter(), _assets(), Maps()

    async def index(request: Request) -> Response:
        return _file(request, assets["index.html"])

    async def asset(request: Request) -> Response:
        found = assets.get(request.path_params["name"])
        if found is None:
            raise Refused(404, "not_found", "the page has no such file", fix="begin at /")
        return _file(request, found)

    async def shown_map(request: Request) -> Response:
        html = maps.get(request.path_params["token"])
        if html is None:
            why = "maps are kept for a while, until others are drawn or the server starts anew"
            raise Refused(404, "map_not_found", "this map is not here any more", why=why, fix="draw it again")
        return Response(html, headers=_map_headers())

    def draw(name: _Name) -> Response:
        collection = service.collection(name)
        if (count := len(collection)) > settings.max_documents:
            what = f"the collection has {count:,} documents, and {settings.max_documents:,} are drawn here at most"
            raise Refused(409, "too_large", what, fix=f"use the command on it: nearsense map {name}.nearsense")
        job = service.jobs.submit("map", lambda advance: maps.add(name, _drawn(collection, name, advance)))
        return JSON({"job": job.to_dict()}, 202, {"Location": f"/v1/jobs/{job.id}"})

    def known(name: _Name) -> Response:
        service.collection(name)
        return JSON({"address": maps.address(name)})

    async def listed(name: _Name, request: Request, offset: _Offset = 0, limit: _Limit = 25) -> Response:
        def some() -> Response:
            def seen(room: Collection) -> tuple[list[Document], int]:
                return room.browse(offset, limit), len(room)

            documents, total = service.ask(name, seen)
            return JSON({"collection": name, "total": total, "documents": [each.to_dict() for each in documents]})

        return await service.pool.run_for(request, Work(settings.deadline), some)

    for path, page in (("/", index), ("/page/{name}", asset), ("/page/map/{token}", shown_map)):
        router.add_api_route(path, page, methods=["GET", "HEAD"], include_in_schema=False)
    for path, does, method, said in (
        ("documents", listed, "GET", operation("documents", "Some of a collection's documents, as they came in.")),
        ("map", known, "GET", operation("map", "Where the map that was drawn last is; null before the first.")),
        ("map", draw, "POST", operation("draw_map", "Draw a map, as a job.", JOB, key=Scope.READ)),
    ):
        router.add_api_route(f"/v1/collections/{{name}}/{path}", does, methods=[method], tags=["page"], **said)
    return router.routes


_Offset = Annotated[int, Query(ge=0, le=10_000_000, description="How many are left out before.")]
_Limit = Annotated[int, Query(ge=1, le=1_000, description="How many at most.")]
_Name = Annotated[str, Path(pattern=f"^{NAME}$", description="What the collection is called.")]


class Maps:
    """Maps that were drawn, by secrets that nobody guesses; of each collection the last. Thread-safe."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._pages: OrderedDict[str, tuple[str, bytes]] = OrderedDict()  # by token: whose it is, and the page

    def add(self, name: str, html: bytes) -> dict[str, Any]:
        """Keep a map of a collection; where it is to be had."""
        token = secrets.token_urlsafe(24)
        with self._guard:
            for old in [old for old, (whose, _) in self._pages.items() if whose == name]:
                del self._pages[old]
            self._pages[token] = name, html
            while len(self._pages) > MAPS or (len(self._pages) > 1 and self._bytes() > LARGEST_MAPS):
                self._pages.popitem(last=False)
        return {"address": f"/page/map/{token}"}

    def get(self, token: str) -> bytes | None:
        """The page of a token; None where there is none, or no longer."""
        with self._guard:
            if token not in self._pages:
                return None
            self._pages.move_to_end(token)
            return self._pages[token][1]

    def address(self, name: str) -> str | None:
        """Where the map of a collection is; None before there is one."""
        with self._guard:
            return next((f"/page/map/{token}" for token, (whose, _) in self._pages.items() if whose == name), None)

    def _bytes(self) -> int:
        return sum(len(html) for _, html in self._pages.values())


def _drawn(collection: Collection, name: str, advance: Callable[[int, int], None]) -> bytes:
    """The page of a collection's map."""
    from nearsense.pages.map import map_html
    from nearsense.textmap import map_texts

    documents, vectors = collection.documents()
    return map_html(map_texts(documents, vectors=vectors, progress=advance), name).encode("utf-8", "replace")


class _Asset:
    """One file of the page."""

    def __init__(self, name: str, content: bytes) -> None:
        self.content = content
        self.etag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
        self.headers = {
            "content-type": TYPES[name[name.rindex(".") :]],
            "etag": self.etag,
            "cache-control": "no-cache",  # kept, and asked for again: a 304 costs little, an old script much
            "content-security-policy": POLICY,
        }


def _assets() -> Mapping[str, _Asset]:
    folder = files("nearsense.server") / "page"
    found = {each.name: each.read_bytes() for each in folder.iterdir() if each.name.endswith(tuple(TYPES))}
    words = (files("nearsense.pages") / "map" / "words.js").read_text("utf-8")
    first, last = "const byId = (id) => document.getElementById(id);", f"export {{byId, {', '.join(_SHARED)}}};"
    found["words.js"] = f"{first}\n{words}\n{last}\n".encode()
    return {name: _Asset(name, content) for name, content in found.items()}


def _file(request: Request, asset: _Asset) -> Response:
    """A file, or that it is the one that the client has."""
    known = request.headers.get("if-none-match", "")
    if asset.etag in known.replace("W/", "").replace(" ", "").split(",") or known.strip() == "*":
        return Response(status_code=304, headers=asset.headers)
    return Response(asset.content, headers=asset.headers)


def _map_headers() -> dict[str, str]:
    from nearsense.pages.map import map_policy

    return {
        "content-type": TYPES[".html"],
        "cache-control": "no-store",
        "content-security-policy": f"{map_policy()}; frame-ancestors 'self'",
        "x-frame-options": "SAMEORIGIN",
    }
