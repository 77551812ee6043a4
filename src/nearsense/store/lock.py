"""Whose turn it is to write, who is waited for, and whether a folder is one where locks hold. Not SQLite's own.

On Linux locks are the kernel's, and the one for writers is a queue. Elsewhere filelock's lock of a whole file
serves both writers and builders: it asks again and again, and whoever asks at the right moment is next.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from nearsense._folder import Folder, Refused
from nearsense.errors import DiskFull, InputError, StoreError

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
    """Which locks are used here; NEARSENSE_LOCKS=filelock takes those of other systems on Linux, for everybody."""
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
    """Wait for one's turn and hold it; on Linux in the order of arrival."""
    if kind() == QUEUE:
        with _in_queue(file):
            yield
    else:
        with try_alone(file, wait=True):
            yield


@contextlib.contextmanager
def try_alone(file: Path, *, wait: bool = False, private: bool = False) -> Iterator[bool]:
    """True for the one who holds the lock of a file; False at once for everybody else, unless they wait.

    A private file is made for its owner alone, whoever may look into its folder.
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
        ticket = _number(descriptor, DRAWN) % 2**62 + 1
        try:
            os.pwrite(descriptor, ticket.to_bytes(8, "little"), DRAWN)
        except OSError as error:
            raise unwritable(file, error) from None
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


# -- waiting

SAID_AFTER = 1.0
"""Seconds of waiting after which it is said."""

log = logging.getLogger("nearsense")
_since: dict[int, float] = {}


@contextlib.contextmanager
def waiting(file: Path, holder: Callable[[], int]) -> Iterator[None]:
    """While one waits for a lock: after a second it is logged who holds it, by process number, 0 if not known."""
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
    """The number of another process that reads from a database's log (its "-shm" file); 0 where nobody tells.

    Asked of the kernel's list: to open the file here and close it again would drop this process's own locks on it.
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


# -- where a collection may lie

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""How systems say that something did not fit."""

NETWORK = re.compile(
    r"9p|afs|beegfs|ceph|cifs|glusterfs|gpfs|lustre|ncpfs|nfs4?|ocfs2|smb3|smbfs"
    r"|fuse\.(ceph|davfs|gcsfuse|glusterfs|rclone|s3fs|sshfs)"
)
"""Their locks and their fsync do not keep what they promise, often enough."""
MOUNTS = Path("/proc/self/mountinfo")


def require_local(path: Path, mounts: Path = MOUNTS) -> None:
    """Refuse a folder on a network file system. Where the system does not tell, the folder counts as local."""
    kind = file_system(path, mounts)
    if kind and NETWORK.fullmatch(kind):
        raise StoreError(
            f"{path} lies on a network file system ({kind})",
            why="locks and durable writes do not hold there, and both are needed to lose nothing",
            fix="keep the collection on a local disk, or say network=True (--network) and have a single writer",
        )


def unwritable(path: Path, error: OSError) -> StoreError:
    """What the system says about a file of a collection, as an error of nearsense."""
    if error.errno in FULL:
        return DiskFull(f"{path} cannot grow", why=str(error.strerror), fix="free some space on the disk")
    if isinstance(error, Refused):
        name = error.filename or path
        own = f"cp {name} {name}.own && mv {name}.own {name}"
        return StoreError(
            f"{name} {error.strerror}",
            why="a collection's own files lie in its folder alone: else files elsewhere would be changed",
            fix=f"make it a file of its own: {own}"
            if error.errno == errno.EMLINK
            else f"remove it (rm {name}), or put what it leads to in its place",
        )
    return StoreError(
        f"{path} cannot be written", why=str(error.strerror), fix="check the path, its permissions and the disk"
    )


def file_system(path: Path, mounts: Path = MOUNTS) -> str | None:
    """The type of the file system that holds a path, as the kernel names it."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    place, best, kind = path.resolve(), -1, None
    for line in lines:
        mounted, _, rest = line.partition(" - ")
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), mounted.split()[4]))
        if place.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), rest.split()[0]
    return kind
