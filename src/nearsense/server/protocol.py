"""How long a client may take to send and to read: uvicorn's HTTP protocol with deadlines and bounds for heads.

uvicorn waits for ever for headers and bodies that began, holds headers of any size, and waits for ever for who
does not read its answer; a thousand such clients cost it its sockets. Not what a request may hold: see safety.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from nearsense.server.errors import JSON, Refused
from nearsense.server.safety import HEADERS
from nearsense.server.settings import ServerSettings

if TYPE_CHECKING:
    from nearsense.server.admission import Admission

__all__ = ["CarefulProtocol", "careful_protocol"]

SLOWEST = 16 * 2**10
"""Bytes a second: a body gets a second more for so many that came, and so many have to be read of an answer."""
LOOKS = 1.0
"""Seconds between two looks at a connection."""
DRAINED = 4
"""How many times the largest body is read past, so that a client who sends first and reads then learns why not."""
AGAIN = 0.03
"""Seconds after a refusal until more is read of a connection: asking again at once costs others their answers."""
CONNECTIONS = 4_096
"""Connections at a time; beyond that the one goes that has been waited for longest."""


class CarefulProtocol(HttpToolsProtocol):
    """uvicorn's connection that ends where the other side is too slow or sends a head without end.

    In a request's head the clock runs from its first byte (of a connection: from its begin), in its body from the
    end of the head. It stands while the server itself is not reading or has not answered yet.
    """

    settings: ClassVar[ServerSettings] = ServerSettings()
    admission: ClassVar[Admission | None] = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to look at the clock."""
        super().connection_made(transport)
        self._in_head, self._head_bytes, self._named_bytes, self._body_bytes = True, 0, 0, 0
        self._waited_since: float | None = self.loop.time()
        self._unread: tuple[float, int] | None = None
        self._refusal: Refused | None = None
        self._turned_away: bytes | None = None
        self._clock = self.loop.call_later(LOOKS, self._look)
        if len(self.connections) > CONNECTIONS:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        self._clock.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head is too large by now."""
        if self._in_head:
            self._head_bytes += len(data)
            self._wait()
        super().data_received(data)
        if self._in_head and self._head_bytes > self.settings.max_header_bytes and not self.transport.is_closing():
            self._refuse(self._too_large())

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._in_head, self._named_bytes = True, 0
        self._wait()

    def on_url(self, url: bytes) -> None:
        """Count its bytes."""
        self._count(len(url), _url_too_long)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count its bytes; what comes behind the body is no header of this request any more."""
        if self._in_head:
            self._count(len(name) + len(value) + 4, self._too_large)
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """From now on the body is waited for; where there is no room, to answer no as soon as it is here."""
        self._in_head, self._head_bytes, self._body_bytes = False, 0, 0
        self._waited_since = self.loop.time()
        if (no := self._refused_early()) is None:
            super().on_headers_complete()
        self._turned_away = no

    def on_body(self, body: bytes) -> None:
        """Count its bytes; who goes on sending what nobody takes is left."""
        self._body_bytes += len(body)
        if self._body_bytes > DRAINED * self.settings.max_body:
            self.transport.abort()
        if self._turned_away is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Nothing is waited for."""
        self._in_head, self._head_bytes, self._waited_since = True, 0, None
        no, self._turned_away = self._turned_away, None
        if no is None:
            super().on_message_complete()
            return
        self.transport.write(no)
        self.on_response_complete()
        self.transport.pause_reading()
        self.loop.call_later(AGAIN, self._read_on)

    def _read_on(self) -> None:
        if not self.transport.is_closing() and not self.flow.read_paused:
            self.transport.resume_reading()

    def resume_writing(self) -> None:
        """The client has read."""
        self._unread = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong with a request that is no HTTP, or too large, and end the connection."""
        why, fix = "this server speaks HTTP/1.1", "use a client for HTTP"
        what = Refused(400, "no_http", msg.rstrip("."), why=why, fix=fix)
        self._refuse(self._refusal or what)

    def _refused_early(self) -> bytes | None:
        """The refusal of a request that there is no room for; None for what the application has to see."""
        if self.admission is None or self.parser.get_method() != b"POST" or self.expect_100_continue:
            return None
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering or not self.parser.should_keep_alive() or self.parser.should_upgrade():
            return None
        return self.admission.refusal(self.url.partition(b"?")[0].decode("latin-1"))

    def _wait(self) -> None:
        if self._waited_since is None:
            self._waited_since = self.loop.time()

    def _count(self, size: int, refusal: Callable[[], Refused]) -> None:
        self._named_bytes += size
        if self._named_bytes > self.settings.max_header_bytes:
            self._refusal = refusal()
            raise ValueError(self._refusal.code)  # ends the parser, which then asks for the response

    def _too_large(self) -> Refused:
        most = f"the headers are larger than {self.settings.max_header_bytes:,} bytes"
        return Refused(431, "headers_too_large", most, fix="send fewer or shorter ones")

    def _look(self) -> None:
        """End the connection where the other side takes too long; else look again in a second."""
        now = self.loop.time()
        if self._reads_too_slowly(now):
            self.transport.abort()
        elif self._sends_too_slowly(now):
            self._refuse(Refused(408, "too_slow", "the request took too long to come", fix="send it again"))
        else:
            self._clock = self.loop.call_later(LOOKS, self._look)

    def _sends_too_slowly(self, now: float) -> bool:
        if self._waited_since is None:
            return False
        answering = self._in_head and self.cycle is not None and not self.cycle.response_complete
        if answering or self.flow.read_paused:  # it is this side that waits
            self._waited_since = now
        allowed = self.settings.header_seconds
        if not self._in_head:
            allowed = self.settings.body_seconds + self._body_bytes / SLOWEST
        return now - self._waited_since > allowed

    def _reads_too_slowly(self, now: float) -> bool:
        """Whether of what lies ready too little was taken since it was looked at."""
        size = self.transport.get_write_buffer_size()
        if not size:
            self._unread = None
        elif self._unread is None:
            self._unread = now, size
        elif now - self._unread[0] > self.settings.body_seconds:
            if self._unread[1] - size < SLOWEST * self.settings.body_seconds:
                return True
            self._unread = now, size
        return False

    def _make_room(self) -> None:
        """End the connection that has been waited for longest; where none is waited for, this one."""
        own = [each for each in self.connections if isinstance(each, CarefulProtocol)]
        waited = {each: each._waited_since for each in own if each._in_head and each._waited_since is not None}
        oldest = min(waited, key=waited.__getitem__, default=self)
        oldest._refuse(Refused(503, "connections", "too many connections", fix="try again in a moment"))

    def _refuse(self, refusal: Refused) -> None:
        """Send a response of this layer's own, and close; the application hears that the client has gone."""
        self._clock.cancel()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.abort()
                return
        response = JSON(refusal.to_dict(), refusal.status, {**refusal.headers, "connection": "close"})
        named = [*self.server_state.default_headers, *response.raw_headers, *HEADERS]
        head = b"".join(b"%b: %b\r\n" % pair for pair in named)
        self.transport.write(STATUS_LINE[refusal.status] + head + b"\r\n" + bytes(response.body))
        self.transport.close()


def _url_too_long() -> Refused:
    return Refused(414, "url_too_long", "the URL is too long", fix="send it in the body")


def careful_protocol(settings: ServerSettings, admission: Admission | None = None) -> type[CarefulProtocol]:
    """The protocol class for a server with these settings; it may open as many files as it has connections."""
    _raise_file_limit(CONNECTIONS + 1_024)
    return type("CarefulProtocol", (CarefulProtocol,), {"settings": settings, "admission": admission})


def _raise_file_limit(wanted: int) -> None:
    """Let this process have so many files open, where the system lets it."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
