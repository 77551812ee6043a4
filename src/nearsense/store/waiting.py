"""Waiting for what somebody else holds: after a second it is said who. Not the locks: locks.py."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["reader_of", "waited", "waiting"]

SAID_AFTER = 1.0
"""Seconds of waiting after which it is said."""

log = logging.getLogger("nearsense")
_since: dict[int, float] = {}


@contextlib.contextmanager
def waiting(file: Path, holder: Callable[[], int]) -> Iterator[None]:
    """While one waits for a lock.

    Args:
        file: The lock's.
        holder: Asks for the number of the process that holds it; 0 where that is not known.
    """
    me = threading.get_ident()
    _since[me] = time.monotonic()
    clock = threading.Timer(SAID_AFTER, lambda: log.warning("waiting for %s: %s is held", _named(holder()), file))
    clock.daemon = True
    with contextlib.suppress(RuntimeError):  # the program is ending
        clock.start()
    try:
        yield
    finally:
        clock.cancel()
        del _since[me]


def waited(thread: int | None) -> float:
    """For how many seconds a thread has been waiting for a lock by now."""
    since = _since.get(thread or 0)
    return 0.0 if since is None else time.monotonic() - since


def reader_of(log_index: Path) -> int:
    """The number of another process that reads from a database's log; 0 where the system does not tell.

    Asked of the kernel's list: to open the file here and close it again would drop this process's own locks on it.

    Args:
        log_index: The file beside the database that ends in "-shm".
    """
    try:
        inode = str(log_index.stat().st_ino)
        lines = Path("/proc/locks").read_text("ascii", "replace").splitlines()
    except OSError:
        return 0
    readers = []
    for line in lines:
        words = line.split()
        if len(words) == 8 and words[3] == "READ" and words[5].rpartition(":")[2] == inode:
            process, begin = int(words[4]), int(words[6])
            if _READERS[0] <= begin <= _READERS[1] and process not in (os.getpid(), 0, -1):
                readers.append(process)
    return next((each for each in readers if "stopped" in _named(each)), readers[0]) if readers else 0


_READERS = 123, 127
"""The bytes of that file which SQLite locks for readers: what its documents call WAL_READ_LOCK."""


def _named(process: int) -> str:
    """A process, as far as the system tells of it."""
    if not process:
        return "another process"
    if process == os.getpid():
        return "another thread of this process"
    try:
        command, _, rest = Path(f"/proc/{process}/stat").read_text("utf-8", "replace").rpartition(") ")
    except OSError:
        return f"process {process}"
    state = ", which is stopped" if rest[:1] in ("T", "t") else ""
    return f"process {process} ({command.partition('(')[2]}){state}"
