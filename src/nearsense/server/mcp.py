"""The tools as an MCP server: on standard input and output, and as the route /mcp. Not what they do: see tools.py.

The `mcp` package is known here. Each request over HTTP stands alone, in either form of the protocol: no session,
no stream that stays open, one JSON answer. On standard input and output the protocol answers at once, while a
thread opens what is served: assistants do not wait long for a first answer.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import cache, partial, wraps
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

from starlette.routing import Route

from nearsense import kinds
from nearsense._version import __version__
from nearsense.errors import NearsenseError
from nearsense.server.described import security
from nearsense.server.errors import as_refused
from nearsense.server.tools import Told, Tools
from nearsense.server.work import Work, collected_warnings

if TYPE_CHECKING:
    from anyio import AsyncFile
    from mcp.server import MCPServer
    from starlette.routing import BaseRoute
    from starlette.types import Receive, Scope, Send

    from nearsense.server.service import Service
    from nearsense.server.settings import ServerSettings

__all__ = ["mcp_server", "routes", "serve_stdio"]

PATH = "/mcp"

PATIENCE = 10.0
"""Seconds that an interrupt waits for a model that is being loaded: Python ends badly beside one."""

HOW = (
    "Finds texts that are near in sense, and says how sure it is. Each hit has the probability that it is right, "
    'and what differs from what was asked ("number: 15 → 51", "antonym: enable → disable"). Do not use a hit that '
    "is less probable than 50 %, or that differs in what matters: say that nothing was found. Scores only order "
    "the hits of one answer. `stats` says what there is."
)


def routes(service: Service, settings: ServerSettings) -> list[BaseRoute]:
    """The route /mcp; none where the package is not installed."""
    if find_spec("mcp") is None:
        return []

    async def served() -> Service:
        return service

    def server() -> MCPServer:
        return mcp_server(served, collections=bool(service.collections), faqs=bool(service.faqs))

    return [Route(PATH, _OverHTTP(server, settings.max_body), methods=["POST"])]


def serve_stdio(opening: Callable[[], Service], *, collections: bool, faqs: bool) -> None:
    """Answer an assistant on standard input and output until it closes them; nothing else is written there.

    Args:
        opening: Opens what is served. It runs beside the protocol; tools wait for it, and what it raises ends all.
        collections: Whether there will be any, and so tools for them.
        faqs: The same.
    """
    opened: Future[Service] = Future()
    opened.set_running_or_notify_cancel()  # a tool that is given up does not give up the opening

    def open_it() -> None:
        try:
            opened.set_result(opening())
        except BaseException as error:  # told to whoever waits
            opened.set_exception(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(open_it,), daemon=True)
    try:
        with collected_warnings(), suppress(BrokenPipeError, ConnectionError):  # they say that it has gone
            asyncio.run(_on_stdio(opened, thread.start, collections=collections, faqs=faqs))
    finally:
        if thread.ident is not None:
            thread.join(PATIENCE)
        if opened.done() and opened.exception() is None:
            opened.result().close()


async def _on_stdio(opened: Future[Service], start: Callable[[], None], *, collections: bool, faqs: bool) -> None:
    """Speak the protocol until the input ends, or what is served cannot be opened."""
    from mcp.server.stdio import stdio_server

    async def service() -> Service:
        return await asyncio.wrap_future(opened)

    server = mcp_server(service, collections=collections, faqs=faqs)
    start()

    async def speak() -> None:
        async with stdio_server(stdin=cast("AsyncFile[str]", _lines())) as (read, write):
            low = server._lowlevel_server  # what `run_stdio_async` runs, with an input that can be given up
            await low.run(read, write, low.create_initialization_options())

    speaking, opening = asyncio.ensure_future(speak()), asyncio.ensure_future(service())
    try:
        await asyncio.wait((speaking, opening), return_when=asyncio.FIRST_EXCEPTION)
        opening.result()
        speaking.result()
    finally:
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)


async def _lines() -> AsyncIterator[str]:
    """Standard input, line by line, by a thread that nobody waits for: a signal ends all, whatever it does."""
    loop, ready = asyncio.get_running_loop(), asyncio.Queue[bytes]()

    def read() -> None:
        rest = b""
        with suppress(OSError, RuntimeError):  # the input, or the loop, is closed
            while part := os.read(0, 1 << 16):
                *whole, rest = (rest + part).split(b"\n")
                for each in whole:
                    loop.call_soon_threadsafe(ready.put_nowait, each + b"\n")
            if rest:
                loop.call_soon_threadsafe(ready.put_nowait, rest)
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(ready.put_nowait, b"")

    threading.Thread(target=read, daemon=True).start()
    while line := await ready.get():
        yield line.decode("utf-8", "replace")


def mcp_server(service: Callable[[], Awaitable[Service]], *, collections: bool, faqs: bool) -> MCPServer:
    """The tools over what a service has, as a server of the protocol.

    Args:
        service: Gives what is served, when it is there.
        collections: Whether there are any: only then there are tools for them.
        faqs: The same.
    """
    from mcp.server import MCPServer
    from mcp.types import ToolAnnotations

    with _logging_as_it_was():
        server = MCPServer("nearsense", title="nearsense", version=__version__, instructions=HOW)
    reads = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
    offered: list[Callable[..., Told]] = [Tools.search, Tools.similar, Tools.context] if collections else []
    offered += [Tools.compare, *([Tools.faq] if faqs else []), Tools.stats]
    for verb in offered:
        tool, told = _tool(service, verb), inspect.getdoc(verb)
        server.add_tool(tool, description=told, annotations=reads, structured_output=False)
    return server


def _tool(service: Callable[[], Awaitable[Service]], verb: Callable[..., Told]) -> Callable[..., Any]:
    """A verb as the protocol calls it: by the names of its arguments, beside all others."""

    @wraps(verb)
    async def tool(**asked: Any) -> Any:
        return await _called(service, verb, asked)

    own = inspect.signature(verb, eval_str=True)
    asked = [each for name, each in own.parameters.items() if name != "self"]
    vars(tool)["__signature__"] = own.replace(parameters=asked, return_annotation=Any)
    return tool


async def _called(
    service: Callable[[], Awaitable[Service]], verb: Callable[..., Told], asked: dict[str, Any]
) -> Any:
    """What a tool says, or what went wrong and what to do about it: both are for a model to read."""
    from mcp.types import CallToolResult, TextContent

    served = await service()
    work = Work(served.settings.deadline)
    try:
        told = await served.pool.run(work, partial(verb, Tools(served), **asked))
    except Exception as error:
        failed = as_refused(error)
        if not isinstance(error, NearsenseError):
            logging.getLogger("nearsense").exception("a tool failed")
        return CallToolResult(content=[TextContent(type="text", text=str(failed))], is_error=True)
    text = "\n".join([told.text, *(f"Note: {said}" for said in work.warnings)])
    values = told.values | ({"warnings": work.warnings} if work.warnings else {})
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=values)


class _OverHTTP:
    """The route: each request has a manager of its own, which begins and ends with it."""

    openapi_extra = security(kinds.Scope.READ)

    def __init__(self, make: Callable[[], MCPServer], max_body: int) -> None:
        self._made, self._max_body = cache(make), max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        server = await asyncio.to_thread(self._made)  # with the first request: the package takes half a second
        app = server.streamable_http_app(
            streamable_http_path=PATH,
            json_response=True,
            stateless_http=True,
            max_request_body_size=self._max_body,
            host="",  # who may call is decided before: see safety.py
        )
        async with server.session_manager.run():
            await app(scope, receive, send)


@contextmanager
def _logging_as_it_was() -> Iterator[None]:
    """Undo what the package does to the root of all loggers."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.getLogger("mcp").setLevel(logging.WARNING)
