"""When derived files are made: past a size of changes, when writing rests, in a thread. Not how: derive.py."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from nearsense._forks import event, lock
from nearsense.errors import NearsenseError
from nearsense.store.waiting import waited

__all__ = ["Background", "limit"]

MINIMUM, SHARE = 20_000, 0.05
REST = 0.5
"""Seconds without a change before a build begins: many batches in a row make one generation, not many."""

PATIENCE = 2.0
"""Seconds that closing waits for a build that waits for somebody else's turn to end."""

log = logging.getLogger("nearsense")


def limit(rows: int) -> int:
    """How many changes a generation of some size may lack: below it they are scanned faster than it is made.

    Example:
        >>> limit(0), limit(1_000_000)
        (20000, 50000)
    """
    return max(MINIMUM, int(rows * SHARE))


class Background:
    """Runs one job at a time, when asked, after a rest.

    Args:
        job: What to do; it asks `stopping` now and then.
    """

    def __init__(self, job: Callable[[], object]) -> None:
        self._job = job
        self._stop, self._again = event(), event()
        self._thread: threading.Thread | None = None
        self._guard = lock()

    def ask(self) -> None:
        """Do the job soon; asked again meanwhile, the rest begins anew."""
        self._again.set()
        with self._guard:
            if not self._stop.is_set() and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._run, name="nearsense-index", daemon=True)
                self._thread.start()

    def stopping(self) -> bool:
        """Whether the job should give up."""
        return self._stop.is_set()

    def close(self) -> None:
        """Give up what is going on, and wait until it has."""
        self._stop.set()
        self._again.set()
        with self._guard:
            thread = self._thread
        while thread is not None and thread.is_alive() and waited(thread.ident) < PATIENCE:
            if thread is threading.current_thread():
                return
            thread.join(0.05)

    def _run(self) -> None:
        while self._again.is_set() and not self._stop.is_set():
            self._again.clear()
            if self._stop.wait(REST) or self._again.is_set():
                continue
            try:
                self._job()
            except NearsenseError as error:
                log.warning("the index is not up to date, answers still are: %s", error.what)
