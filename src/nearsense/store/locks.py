"""Locks between processes and threads: a fair one for writers, a plain one for builders. Not SQLite's own.

On Linux both are the kernel's, and the fair one is a queue. Elsewhere filelock's lock of a whole file serves both:
it asks again and again, and whoever asks at the right moment is next.
"""

from __future__ import annotations

import contextlib
import os
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from nearsense._folder import Folder
from nearsense.errors import InputError
from nearsense.store.place import unwritable
from nearsense.store.waiting import waiting

__all__ = ["one_at_a_time", "try_alone"]

QUEUE, FILELOCK = "queue", "filelock"

GUARD, HELD, FIRST = 0, 1, 16
"""Bytes of the lock file that are locked: the ticket counter, the lock itself, and one byte for each ticket."""
DRAWN, SERVED, HOLDER = 0, 8, 16
"""Where the lock file holds the last ticket drawn, the last one whose turn has ended, and the number of the
process whose turn it is, 0 for nobody's."""
DEAD = 1000
"""So many are passed over at most: a damaged file keeps nobody waiting."""
AGAIN = 0.005
"""Seconds between two questions whether a lock is free, where one has to ask."""
_FLOCK = "hhqqi4x"


def kind() -> str:
    """Which locks are used here: the one place that decides.

    NEARSENSE_LOCKS=filelock takes on Linux what other systems take, to test it; all programs that use a collection
    have to agree.
    """
    asked = os.environ.get("NEARSENSE_LOCKS")
    if asked not in (None, "", QUEUE, FILELOCK):
        raise InputError(
            f"NEARSENSE_LOCKS={asked!r} is not known", fix=f"use {QUEUE}, {FILELOCK}, or leave it out"
        )
    if asked:
        return asked
    return QUEUE if sys.platform.startswith("linux") and _has_fcntl() else FILELOCK


@contextlib.contextmanager
def one_at_a_time(file: Path) -> Iterator[None]:
    """Wait for one's turn and hold it; on Linux in the order of arrival.

    Raises:
        StoreError: The file cannot be opened or written, or is a link.
    """
    if kind() == QUEUE:
        with _in_queue(file):
            yield
    else:
        with try_alone(file, wait=True):
            yield


@contextlib.contextmanager
def try_alone(file: Path, *, wait: bool = False, private: bool = False) -> Iterator[bool]:
    """True for the one who holds the lock; False at once for everybody else, unless they wait.

    Args:
        file: What is locked; made where it is missing.
        wait: Wait until it is free.
        private: It is made for its owner alone, whoever may look into its folder.

    Raises:
        StoreError: The file cannot be opened or written, or is a link.
    """
    descriptor, process = _opened(file, private=private), os.getpid()
    try:
        lock, unlock = _whole() if kind() == QUEUE else _by_asking()
        try:
            mine = lock(descriptor, False)
            if not mine and wait:
                with waiting(file, lambda: _number(descriptor, HOLDER) if kind() == QUEUE else 0):
                    mine = lock(descriptor, True)
        except OSError as error:  # a file system without locks
            raise unwritable(file, error) from None
        try:
            if mine and kind() == QUEUE:
                _write(descriptor, HOLDER, process)
            yield mine
        finally:
            if mine and os.getpid() == process:
                if kind() == QUEUE:
                    _write(descriptor, HOLDER, 0)
                unlock(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _in_queue(file: Path) -> Iterator[None]:
    """Everyone draws a ticket, locks the byte of the own ticket and waits for the byte of the ticket before.

    That is the queue lock of Craig 1993, with byte locks of a file instead of memory. The kernel releases what a
    dead process held. Who was killed while waiting has not said that its turn has ended, and then the one before
    it counts. Should the file be damaged, the order is lost and nothing else: the lock itself is taken besides.
    """
    descriptor, process, ticket = _opened(file), os.getpid(), 0
    try:
        _lock(descriptor, GUARD, file)
        ticket = _draw(descriptor, file)
        _lock(descriptor, FIRST + ticket, file)
        _unlock(descriptor, GUARD)
        _wait_for(descriptor, ticket, file)
        _lock(descriptor, HELD, file)
        try:
            _write(descriptor, HOLDER, process)
            yield
        finally:
            if os.getpid() == process:
                _write(descriptor, SERVED, ticket, 0)
    finally:
        # Said, not left to close: a forked child may hold the same open file, and with it the lock. The child
        # itself gives nothing back: the lock is its parent's.
        for byte in (HELD, FIRST + ticket, GUARD) if os.getpid() == process else ():
            _unlock(descriptor, byte)
        os.close(descriptor)


def _opened(file: Path, *, private: bool = False) -> int:
    try:
        with Folder(file.parent, private=private) as folder:
            return folder.open(file.name, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise unwritable(file, error) from None


def _draw(descriptor: int, file: Path) -> int:
    """The next ticket; whoever draws holds the guard."""
    ticket = _number(descriptor, DRAWN) % 2**62 + 1
    try:
        os.pwrite(descriptor, ticket.to_bytes(8, "little"), DRAWN)
    except OSError as error:
        raise unwritable(file, error) from None
    return ticket


def _wait_for(descriptor: int, ticket: int, file: Path) -> None:
    """Wait until everyone before a ticket has had their turn, or is dead."""
    for before in range(ticket - 1, max(ticket - DEAD, 0), -1):
        _lock(descriptor, FIRST + before, file)
        _unlock(descriptor, FIRST + before)
        if _number(descriptor, SERVED) >= before:
            return


def _number(descriptor: int, at: int) -> int:
    return int.from_bytes(os.pread(descriptor, 8, at), "little")


def _write(descriptor: int, at: int, *numbers: int) -> None:
    """Tell others; who is not told waits all the same, or asks once more."""
    with contextlib.suppress(OSError):
        os.pwrite(descriptor, b"".join(number.to_bytes(8, "little") for number in numbers), at)


def _lock(descriptor: int, byte: int, file: Path) -> None:
    import fcntl

    wanted = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, wanted)
    except BlockingIOError:
        with waiting(file, lambda: _number(descriptor, HOLDER)):
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLKW, wanted)


def _unlock(descriptor: int, byte: int) -> None:
    import fcntl

    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, fcntl.F_UNLCK, os.SEEK_SET, byte, 1, 0))


def _has_fcntl() -> bool:
    try:
        import fcntl
    except ImportError:
        return False
    return hasattr(fcntl, "F_OFD_SETLKW")


def _whole() -> tuple[Callable[[int, bool], bool], Callable[[int], None]]:
    """How the kernel locks a whole file, and gives it back."""
    import fcntl

    def lock(descriptor: int, wait: bool) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True

    return lock, lambda descriptor: fcntl.flock(descriptor, fcntl.LOCK_UN)


def _by_asking() -> tuple[Callable[[int, bool], bool], Callable[[int], None]]:
    """How filelock does it, on every system."""
    import filelock

    def lock(descriptor: int, wait: bool) -> bool:
        return filelock.lock_descriptor(descriptor, blocking=wait, poll_interval=AGAIN)

    return lock, filelock.unlock_descriptor
