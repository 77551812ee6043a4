"""Run an application until a signal; what was accepted is finished, in time. Only this file runs uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from nearsense._optional import require
from nearsense.server.logs import set_up

if TYPE_CHECKING:
    from types import FrameType

    from starlette.types import ASGIApp

    from nearsense.server.admission import Admission
    from nearsense.server.logs import Lines
    from nearsense.server.settings import ServerSettings

__all__ = ["Running", "run"]

SWITCH = 0.001
"""Seconds after which a thread of Python lets another go on: the usual 0.005 are what a whole batch takes."""


def run(
    app: ASGIApp,
    settings: ServerSettings,
    listening: socket.socket,
    closing: Callable[[], object] | None = None,
    admission: Admission | None = None,
) -> int:
    """Serve until SIGINT or SIGTERM, and finish what was accepted then; a second signal ends it at once.

    Args:
        app: An ASGI application.
        settings: `grace`: how many seconds requests have to be finished; `idle_seconds`, and the protocol's.
        listening: A socket that listens; it is closed.
        closing: Called when the first signal comes: from then on the server should say that it is not ready.
        admission: What refuses requests before the application sees them; None: nothing does.

    Returns:
        An exit code: 0 where all that was accepted was answered, 1 where some of it was not.
    """
    return Running(app, settings, listening, closing, admission).until_signalled()


class Running:
    """One server that runs. See `run`; from another thread `stop` does what a signal does.

    Attributes:
        port: Where it listens.
        cut: Requests that were not answered when the time was over.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: ServerSettings,
        listening: socket.socket,
        closing: Callable[[], object] | None = None,
        admission: Admission | None = None,
    ) -> None:
        self._admission = admission
        self._uvicorn = require("uvicorn", extra="server", purpose="nearsense serve")
        self._listening, self._closing, self._settings = listening, closing, settings
        self.port: int = listening.getsockname()[1]
        self.cut = 0
        self._signals = 0
        self._lines: Lines = set_up(settings)
        self._server = self._made(app)

    def until_signalled(self) -> int:
        """Serve until a signal; the exit code."""
        usual = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH)
        gc.collect()
        gc.freeze()  # what is there now stays: looking through it again and again would hold up requests
        try:
            self._lines.write("info", "started", port=self.port)
            with self._signalled():
                self._server.run(sockets=[self._listening])
        finally:
            gc.unfreeze()
            sys.setswitchinterval(usual)
            self._listening.close()
        self._lines.write("info" if not self.cut else "error", "stopped", unanswered=self.cut)
        return 1 if self.cut or not self._server.started else 0

    def stop(self, *_: Any) -> None:
        """Take no more requests, and finish what was accepted; a second time, leave at once."""
        self._signals += 1
        if self._signals > 1:
            self._server.force_exit = True
        elif self._closing is not None:
            self._closing()
        self._server.should_exit = True

    @contextlib.contextmanager
    def _signalled(self) -> Iterator[None]:
        """Signals stop this server; afterwards they do what they did."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, _frame: FrameType | None) -> None:
            self._lines.write("info", "stopping", signal=signal.Signals(number).name, grace=self._settings.grace)
            self.stop()

        before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def _made(self, app: ASGIApp) -> Any:
        from nearsense.server.protocol import careful_protocol

        running = self

        class Server(self._uvicorn.Server):  # type: ignore[name-defined,misc]
            """uvicorn's, which leaves signals to `Running` and counts what it cuts."""

            @contextlib.contextmanager
            def capture_signals(self) -> Iterator[None]:
                yield

            async def _wait_tasks_to_complete(self) -> None:
                try:
                    await super()._wait_tasks_to_complete()
                except asyncio.CancelledError:  # the time is over
                    running.cut = len(self.server_state.tasks)
                    raise

        settings = self._settings
        config = self._uvicorn.Config(
            app,
            http=careful_protocol(settings, self._admission),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=max(1, round(settings.idle_seconds)),
            timeout_graceful_shutdown=max(1, round(settings.grace)),
        )
        return Server(config)
