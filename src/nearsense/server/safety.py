"""Who may ask a server, and how much: keys, names it answers to, bodies, headers of answers. Not what is asked.

One pure ASGI layer, the outermost but for the log: what it refuses costs no more than its headers. How fast a
client has to send and read is protocol.py's.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import AsyncIterator, Iterable, Mapping, MutableMapping
from typing import Any

import numpy as np
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nearsense import kinds
from nearsense.server.errors import Refused, error_response, in_openai_form, overloaded
from nearsense.server.keys import KeyFile
from nearsense.server.settings import ServerSettings

__all__ = ["SafetyMiddleware", "again", "json_depth", "path_pattern"]

OPEN = ("/page/", "/docs/")
"""Where anybody may look without a key, with the paths below: they hold nothing of anybody's."""
OPEN_PATHS = frozenset({"/", "/docs", "/openapi.json", "/favicon.ico", "/v1/health", "/v1/ready", "/v1/version"})

LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})
HELD_BODIES = 32
"""Bodies of the largest size that may lie in memory at once."""

SINGLE = frozenset(
    {
        b"host", b"origin", b"authorization", b"x-api-key", b"content-type", b"content-length",
        b"content-encoding", b"transfer-encoding",
    }
)  # fmt: skip
"""Headers that two readers could read differently where they stand twice."""

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
"""What every answer says, unless it says otherwise itself."""

PAGE_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    b"require-trusted-types-for 'script'; trusted-types 'none'"
)
DATA_POLICY = b"default-src 'none'; frame-ancestors 'none'; sandbox"

_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b'"[]{}')
_STEPS = bytes.maketrans(b'[{]}"', b"\x01\x01\xff\xff\x00")


class SafetyMiddleware:
    """An ASGI application behind keys, limits and the names that the server answers to.

    Args:
        app: What answers.
        settings: The limits, the file of the keys, the names.
        asking: Paths of which a POST changes nothing, as routes have them; all else needs a key that may write.

    Raises:
        FileError: The file of the keys cannot be read.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings, asking: Iterable[str] = ()) -> None:
        self._app, self._settings = app, settings
        self._asking = re.compile("|".join(path_pattern(path) for path in asking) or "(?!)")
        self._keys = None if settings.key_file is None else KeyFile(settings.key_file)
        self._named = frozenset(name.lower() for name in settings.hosts)
        self._hosts = LOCAL | self._named | {settings.host.lower()}
        self._known: set[bytes] = set()
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or say why not."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, _with_headers(send))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, headers = bytearray(), dict[bytes, bytes]()
        try:
            try:
                headers = _headers(scope)
                self._require_host(headers)
                self._require_own_page(headers)
                self._require_key(scope, headers)
                self._require_length(headers)
                async for chunk in _chunks(headers, receive):
                    body += chunk
                    self._hold(len(chunk), len(body))
                self._require_depth(headers, body)
            except Refused as refused:
                if b"expect" in headers:  # the body will not come, or will: nobody can tell where it would end
                    refused.headers["Connection"] = "close"
                await error_response(refused, openai=in_openai_form(scope["path"]))(scope, receive, send)
                return
            except _Left:
                return
            await self._app(scope, again(bytes(body), receive), send)
        finally:
            self._held -= len(body)

    def _require_host(self, headers: Mapping[bytes, bytes]) -> None:
        """Refuse a name that the server does not have: a page that leads its own name here would read all."""
        host = headers.get(b"host", b"")
        if host in self._known:
            return
        name = _name_of(host)
        if name not in self._hosts and not _is_address(name):
            raise Refused(
                421,
                "unknown_host",
                f"this server does not answer to the name {name[:100]!r}" if name else "the request names no host",
                why="a page of another site could call it by a name of its own",
                fix="call it by its address, or start it with --allow-host NAME",
            )
        if len(self._known) < 100:
            self._known.add(host)

    def _require_own_page(self, headers: Mapping[bytes, bytes]) -> None:
        """Refuse what pages of other sites send: the browser says so, they cannot keep it from that."""
        origin = headers.get(b"origin")
        own = origin is None
        if origin is not None:
            place = origin.partition(b"://")[2].lower()
            own = place == headers.get(b"host", b"").lower() or _name_of(place) in self._named
        elif headers.get(b"sec-fetch-site") in (b"cross-site", b"same-site"):
            own = headers.get(b"sec-fetch-mode") == b"navigate"
        if not own:
            raise Refused(
                403,
                "cross_origin",
                "a page of another site sent this",
                why="only the server's own page may; other programs are not asked",
                fix="call the server from your own backend, or name the site's host with --allow-host",
            )

    def _require_key(self, scope: MutableMapping[str, Any], headers: Mapping[bytes, bytes]) -> None:
        """Refuse who shows no key, an unknown one, or one that may not do this."""
        path, method = scope["path"], scope["method"]
        if self._keys is None or (method in ("GET", "HEAD") and (path in OPEN_PATHS or path.startswith(OPEN))):
            return
        kind, _, shown = headers.get(b"authorization", b"").partition(b" ")
        secret = shown.strip() if kind.lower() == b"bearer" else headers.get(b"x-api-key", b"")
        key = self._keys.find(secret) if secret else None
        if key is None:
            raise Refused(
                401,
                "unknown_key" if secret else "missing_key",
                "this key is not known" if secret else "no key was shown",
                why="it was never made, was revoked, or has ended" if secret else "this server asks for one",
                fix="send Authorization: Bearer KEY; its operator makes one with nearsense keys add",
                headers={"WWW-Authenticate": 'Bearer realm="nearsense"'},
            )
        if not self._only_asks(method, path) and key.scope is not kinds.Scope.WRITE:
            raise Refused(
                403,
                "read_only_key",
                "this key may not change anything",
                why=f"{key.name} was made to read",
                fix="ask the operator for one: nearsense keys add FILE NAME --scope write",
            )
        scope.setdefault("state", {})["key"] = key.name

    def _only_asks(self, method: str, path: str) -> bool:
        """Whether nothing changes by it, so that a key to read is enough."""
        return method in ("GET", "HEAD", "OPTIONS") or (
            method == "POST" and self._asking.fullmatch(path) is not None
        )

    def _require_length(self, headers: Mapping[bytes, bytes]) -> None:
        """Refuse a body that is said to be too large, or is not what it looks like."""
        coding = headers.get(b"content-encoding", b"identity").strip().lower()
        if coding not in (b"identity", b""):
            raise Refused(
                415,
                "content_encoding",
                "compressed bodies are not read",
                why="a small one can unpack to any size",
                fix="send the body as it is, without Content-Encoding",
                headers={"Accept-Encoding": "identity"},
            )
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or len(length) > 15 or int(length) > self._settings.max_body:
            raise self._too_large()

    def _hold(self, more: int, size: int) -> None:
        self._held += more
        if size > self._settings.max_body:
            raise self._too_large()
        if self._held > HELD_BODIES * self._settings.max_body:
            raise overloaded("the bodies of other requests fill the room there is for them")

    def _too_large(self) -> Refused:
        most = self._settings.max_body
        return Refused(
            413,
            "body_too_large",
            f"the body is larger than {most:,} bytes",
            why="that is as much as one request may bring",
            fix="send it in parts",
        )

    def _require_depth(self, headers: Mapping[bytes, bytes], body: bytearray) -> None:
        """Refuse JSON that is nested deeper than anything that is asked here."""
        if b"json" not in headers.get(b"content-type", b"json").lower():
            return
        most = self._settings.max_depth
        if b"\0" in body:
            why = "JSON on the network is UTF-8, which has no zero bytes in JSON (RFC 8259)"
            raise Refused(400, "no_json", "the body is no JSON", why=why, fix="send it in UTF-8")
        if body.count(b"[") + body.count(b"{") > most and json_depth(body) > most:
            why = "nothing that is asked here is nested so deep"
            raise Refused(
                400, "json_too_deep", f"the JSON is nested deeper than {most}", why=why, fix="flatten it"
            )


class _Left(Exception):
    """The client has gone."""


def path_pattern(template: str) -> str:
    r"""The paths that a route's stands for, as a regular expression.

    Example:
        >>> path_pattern("/v1/faqs/{name}/log")
        '/v1/faqs/[^/]+/log'
    """
    return re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))


def json_depth(body: bytes | bytearray) -> int:
    r"""How deep lists and objects of a JSON text are nested; brackets within strings do not count.

    Example:
        >>> json_depth(b'[{"a": []}]'), json_depth(rb'["[[[", "\"[[["]')
        (3, 1)
    """
    bare = body.replace(rb"\\", b"").replace(rb"\"", b"").translate(None, _NO_BRACKETS)
    steps = np.frombuffer(bare.translate(_STEPS), np.int8)
    if b'"' in bare:
        steps = steps * (np.cumsum(np.frombuffer(bare, np.uint8) == ord('"'), dtype=np.int32) & 1 == 0)
    return int(np.cumsum(steps, dtype=np.int32).max(initial=0))


def _headers(scope: Scope) -> dict[bytes, bytes]:
    """The headers of a request by their names, each of those that matter but once."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in found and name in SINGLE:
            shown = name.decode("latin-1")
            raise Refused(400, "repeated_header", f"the header {shown} stands twice", fix="send it once")
        found[name] = value
    return found


def _name_of(host: bytes) -> str:
    """A host without its port, in small letters."""
    text = host.decode("latin-1").strip().lower()
    name = text[: text.find("]") + 1] if text.startswith("[") else text.partition(":")[0]
    return name.removesuffix(".")


def _is_address(name: str) -> bool:
    """Whether it is an address and no name: no name can be led here then."""
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


async def _chunks(headers: Mapping[bytes, bytes], receive: Receive) -> AsyncIterator[bytes]:
    """The parts of a body as they come."""
    more = headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Left
        more = message.get("more_body", False)
        yield message.get("body", b"")


def again(body: bytes, receive: Receive) -> Receive:
    """What gives a body that was read, and then what else comes."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _with_headers(send: Send) -> Send:
    """What sends an answer with the headers that each has to have."""

    async def careful(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            there = dict(headers)
            page = there.get(b"content-type", b"").startswith(b"text/html")
            policy = (b"content-security-policy", PAGE_POLICY if page else DATA_POLICY)
            headers += [pair for pair in (*HEADERS, policy) if pair[0] not in there]
            message = {**message, "headers": headers}
        await send(message)

    return careful
