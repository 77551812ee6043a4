"""A line of JSON for each request and each event, on stderr; no text of anybody's, unless the operator wants them.

What stands before every route: it gives a request its id, counts it, and writes its line. Not what is counted: see
metrics.py.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import sys
import time
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from itertools import count
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, TextIO

from nearsense.server.errors import error_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from nearsense.server.metrics import Metrics
    from nearsense.server.settings import ServerSettings

__all__ = ["Lines", "Logged", "note", "set_up"]

GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}").fullmatch
"""A request's id that a client, or a proxy before the server, may give."""

UNMATCHED = "(none)"
"""The route of a request that there is no route for: its path is the client's own words."""

ENCODE = json.JSONEncoder(separators=(",", ":"), default=str).encode

QUIET = frozenset({"/v1/health", "/v1/ready", "/metrics"})
"""Routes that machines ask all day: they are counted, and written of only where they fail."""

CURRENT: ContextVar[dict[str, Any] | None] = ContextVar("log_line", default=None)
"""What the line of this request will say."""


def note(**facts: Any) -> None:
    """Add facts to the line of the request that is being answered: counts and names, never texts."""
    line = CURRENT.get()
    if line is not None:
        line.update(facts)


class Lines:
    """Writes lines of JSON.

    Args:
        stream: Where to; None for stderr as it is then.

    Example:
        >>> Lines(sys.stdout).write("info", "started", port=8765)  # doctest: +ELLIPSIS
        {"time":"...Z","level":"info","event":"started","port":8765}
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._waiting: list[str] = []

    def write(self, level: str, event: str, **facts: Any) -> None:
        """One line; where it cannot be written, as on a full disk, nothing is.

        Lines of one turn of an event loop are written together.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
        line = ENCODE({"time": f"{now}Z", "level": level, "event": event, **facts})
        loop = asyncio._get_running_loop()
        if loop is None:
            self._put(line + "\n")
            return
        if not self._waiting:
            loop.call_soon(self._put_waiting)
        self._waiting.append(line + "\n")

    def _put_waiting(self) -> None:
        lines, self._waiting = self._waiting, []
        self._put("".join(lines))

    def _put(self, lines: str) -> None:
        stream = sys.stderr if self._stream is None else self._stream
        with suppress(OSError, ValueError):
            stream.write(lines)
            stream.flush()


class Handler(logging.Handler):
    """Records of Python's logging as lines of JSON: uvicorn's, the library's, warnings.

    Texts may stand in messages of errors and warnings of others: of what nearsense did not write itself only the
    type and the place are told.
    """

    def __init__(self, lines: Lines, *, texts: bool) -> None:
        super().__init__()
        self._lines, self._texts = lines, texts

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        facts: dict[str, Any] = {"logger": record.name}
        if (line := CURRENT.get()) is not None and "id" in line:
            facts["id"] = line["id"]
        if self._texts or record.name.partition(".")[0] in ("nearsense", "uvicorn"):
            facts["message"] = record.getMessage()
        if record.exc_info and (error := record.exc_info[1]) is not None:
            facts |= fault(error, texts=self._texts)
        self._lines.write(record.levelname.lower(), "log", **facts)


def fault(error: BaseException, *, texts: bool) -> dict[str, Any]:
    """An error's type and where it was raised, the innermost last; its message only where texts may be told."""
    steps = ((frame.f_code, line) for frame, line in walk_tb(error.__traceback__))
    where = [f"{code.co_filename}:{line} {code.co_name}" for code, line in steps]
    told = {"error": type(error).__name__, "where": where[-12:]}
    return told | ({"message": str(error)} if texts else {})


def set_up(settings: ServerSettings, lines: Lines | None = None) -> Lines:
    """Send all that is logged in this process to stderr, as lines of JSON; what they are written with."""
    lines = lines or Lines()
    root = logging.getLogger()
    root.handlers[:] = [Handler(lines, texts=settings.log_texts)]
    root.setLevel(logging.INFO)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate, logger.disabled = True, False
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    return lines


class Logged:
    """The application, of which each request has an id, is counted, and leaves a line. It stands outermost.

    Args:
        app: What answers.
        metrics: What counts; None: nothing does.
        lines: Where lines go.
        texts: Whether errors may be told with their messages.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics | None, lines: Lines, *, texts: bool = False) -> None:
        self._app, self._metrics, self._lines, self._texts = app, metrics, lines, texts
        self._prefix, self._count = secrets.token_hex(5), count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        name = self._id(scope)
        line: dict[str, Any] = {"id": name}
        CURRENT.set(line)
        header = (b"x-request-id", name.encode())
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            line |= fault(error, texts=self._texts)
            if status == 0:
                await error_response(RuntimeError())(scope, receive, noting)
            status = 500
        finally:
            self._end(scope, line, status or 499, time.perf_counter() - begun)

    def _id(self, scope: Scope) -> str:
        for key, value in scope["headers"]:
            if key == b"x-request-id" and GIVEN_ID(given := str(value, "latin-1")):
                return given
        return f"{self._prefix}-{next(self._count):x}"

    def _end(self, scope: Scope, line: dict[str, Any], status: int, seconds: float) -> None:
        """Count a request that is over, and write its line; 499 is one whose client did not wait."""
        route = getattr(scope.get("route"), "path", None) or UNMATCHED
        if self._metrics is not None:
            self._metrics.request(route, scope["method"], status, seconds)
        if route in QUIET and status < 400:
            return
        level = "error" if status >= 500 and status != 503 else "info"
        how = {"method": scope["method"], "route": route, "status": status, "ms": round(seconds * 1000, 1)}
        self._lines.write(level, "request", **how, **line)
