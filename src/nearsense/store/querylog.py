"""Lines that are written in passing: segments of bounded size, and a thread that fills them. Not what a line says.

    00000001.log 00000002.log ...   lines, each behind its checksum; the oldest segment goes when all are too large
    key                             32 random bytes, drawn once
    lock                            whose turn it is to change anything

A process that dies in the middle of a line leaves a torn one: the next writer begins a new line behind it, readers
leave it out and count it. What is to be forgotten is overwritten with spaces where it lies, so that no copy of it
is left, and a line never moves.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import re
import secrets
import sys
import threading
import time
import weakref
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from nearsense._folder import Folder, flush, make_folders
from nearsense._forks import event, lock, on_fork
from nearsense.errors import NearsenseError, StoreError
from nearsense.store.lock import try_alone, unwritable

log = logging.getLogger("nearsense")

SEGMENTS = 8
"""How many segments a log has at most."""
KEY, LOCK = "key", "lock"
_SEGMENT = re.compile(r"\d{8}\.log")
_OWN = re.compile(rf"{_SEGMENT.pattern}|{KEY}|{LOCK}|\.{KEY}\..*")  # the last: a key that was just being written
_SUM_BYTES = 9  # eight hexadecimal digits of CRC-32 and a space

EVERY = 0.25
"""Seconds that what was put waits at most before it is written; with the writing, less than one."""
FEW, HURRY = 64, 16
"""Where more than a few wait, who asks meanwhile goes first at each 16th line only: all would wait too long."""
MOST = 20_000
"""So many wait to be written at most; what comes then is counted, and not kept."""
IDLE = 10.0
"""Seconds without anything to write after which the thread ends; the next line begins another."""
PATIENCE = 2.0
"""Seconds that closing, reading and forgetting wait for somebody else's turn to end."""


class Busy(StoreError):
    """It is somebody else's turn for longer than one waits."""


class Lines(Protocol):
    """Where lines are kept: a folder of files, or a table."""

    max_bytes: int

    @property
    def path(self) -> Path | str:
        """Where that is, for messages."""
        ...  # pragma: no cover

    @property
    def damaged(self) -> int:
        """How many lines the last reading left out."""
        ...  # pragma: no cover

    def require_mine(self) -> None:
        """Refuse what is somebody else's."""
        ...  # pragma: no cover

    def exists(self) -> bool:
        """Whether anything was ever written."""
        ...  # pragma: no cover

    def key(self) -> bytes:
        """The log's own 32 bytes."""
        ...  # pragma: no cover

    def append(self, lines: Sequence[bytes]) -> None:
        """Write lines behind those that are there: all of them, or none."""
        ...  # pragma: no cover

    def lines(self) -> Iterator[bytes]:
        """All lines in the order in which they were written."""
        ...  # pragma: no cover

    def blank(self, unwanted: Callable[[bytes], bool]) -> int:
        """Remove lines for good; returns how many."""
        ...  # pragma: no cover

    def close(self) -> None:
        """Nothing is written any more, for now."""
        ...  # pragma: no cover


class LogFolder:
    """A folder of lines. Safe to use from several threads and processes; its files are for their owner alone.

    Example:
        >>> import tempfile
        >>> folder = LogFolder(Path(tempfile.mkdtemp(), "asked"), max_bytes=1_000_000)
        >>> folder.append([b"one", b"two"])
        >>> folder.blank(lambda line: line == b"one")
        1
        >>> list(folder.lines())
        [b'two']
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path: Path = Path(os.path.realpath(path.parent)) / path.name
        self.max_bytes = max_bytes
        self.damaged = 0
        """How many lines the last reading left out, because they are not what was written."""
        self._key: tuple[tuple[int, int] | None, bytes] | None = None
        self._checked = False

    def require_mine(self) -> None:
        """Refuse what is no folder, and somebody else's: one that holds other things, and is no log yet."""
        mine = True
        try:
            with Folder(self.path) as folder:
                names = folder.names()
            begun = {KEY, LOCK} <= {*names} and any(map(_SEGMENT.fullmatch, names))
            mine = begun or all(_OWN.fullmatch(name) for name in names)
        except FileNotFoundError:
            pass
        except OSError as error:
            if self.path.is_dir():
                raise unwritable(self.path, error) from None
            mine = False
        if not mine:
            fix = "name a folder of its own"
            raise StoreError(f"{self.path} is no query log", why="something else lies there", fix=fix)
        self._checked = True

    def close(self) -> None:
        """There is nothing to give back."""

    def exists(self) -> bool:
        """Whether anything was ever written."""
        return self.path.is_dir()

    def size(self) -> int:
        """Bytes of all segments."""
        with contextlib.suppress(OSError), Folder(self.path) as folder:
            return sum(self._sizes(folder).values())
        return 0

    def key(self) -> bytes:
        """The log's own 32 bytes, drawn when they are first asked for, and anew where somebody removed them."""
        seen = _known(self.path / KEY)
        if self._key is None or seen is None or seen != self._key[0]:
            with self._changing() as folder:
                if folder.status(KEY) is None:
                    folder.replace(KEY, secrets.token_bytes(32))
                self._key = _known(self.path / KEY), folder.read(KEY)
        return self._key[1]

    def append(self, lines: Sequence[bytes]) -> None:
        """Write lines, none of which has a line end in it, behind those that are there: all of them, or none.

        Raises:
            StoreError: They cannot be written, or somebody else's turn does not end.
        """
        if self.max_bytes <= 0:
            return
        whole = [b"%08x %b\n" % (zlib.crc32(line), line) for line in lines]
        with self._changing() as folder:
            sizes = self._sizes(folder)
            name = max(sizes, default=_segment(1))
            each, start = max(self.max_bytes // SEGMENTS, 1), 0
            while start < len(whole):
                room = each - sizes.get(name, 0)
                if room <= 0 or (sizes.get(name) and len(whole[start]) > room):
                    name = _segment(int(name[:8]) + 1)
                    sizes[name] = 0
                    self._drop_oldest(folder, sizes, each)
                    continue
                end, used = start, 0
                while end < len(whole) and (used == 0 or used + len(whole[end]) <= room):
                    used += len(whole[end])
                    end += 1
                sizes[name] = _append(folder, name, b"".join(whole[start:end]))
                start = end

    def lines(self) -> Iterator[bytes]:
        """All lines in the order in which they were written; `damaged` then says how many were left out."""
        self.damaged = 0
        for name in self._names():
            for line in self._content(name).split(b"\n"):
                if line and not line.isspace():
                    if _is_whole(line):
                        yield line[_SUM_BYTES:]
                    else:
                        self.damaged += 1

    def blank(self, unwanted: Callable[[bytes], bool]) -> int:
        """Overwrite lines with spaces, on the disk when it returns; returns how many. Torn lines go with them."""
        count = 0
        if not self.exists():
            return count
        with self._changing() as folder:
            for name in sorted(self._sizes(folder)):
                descriptor = folder.open(name, os.O_RDWR)
                try:
                    content, at, gone = _all_of(descriptor), 0, 0
                    for line in content.split(b"\n"):
                        blank = not line or line.isspace()
                        whole = not blank and _is_whole(line)
                        if not blank and (not whole or unwanted(line[_SUM_BYTES:])):
                            os.lseek(descriptor, at, os.SEEK_SET)
                            _write(descriptor, b" " * len(line))
                            gone, count = gone + 1, count + whole
                        at += len(line) + 1
                    if gone:
                        flush(descriptor)
                finally:
                    os.close(descriptor)
        return count

    def _names(self) -> list[str]:
        try:
            with Folder(self.path) as folder:
                return sorted(self._sizes(folder))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise unwritable(self.path, error) from None

    def _content(self, name: str) -> bytes:
        """All of a segment, at a moment when nobody changes it; where one may not lock, at any moment."""
        with contextlib.ExitStack() as held, contextlib.suppress(FileNotFoundError):  # the oldest may have gone
            if os.access(self.path, os.W_OK):
                with contextlib.suppress(StoreError):
                    held.enter_context(self._turn())
            with Folder(self.path) as folder:
                return folder.read(name)
        return b""

    def _sizes(self, folder: Folder) -> dict[str, int]:
        known = {name: folder.status(name) for name in folder.names() if _SEGMENT.fullmatch(name)}
        return {name: found.st_size for name, found in known.items() if found is not None}

    def _drop_oldest(self, folder: Folder, sizes: dict[str, int], coming: int) -> None:
        """Make room for so many bytes more."""
        for name in sorted(sizes)[:-1]:
            if sum(sizes.values()) + coming <= self.max_bytes:
                return
            folder.unlink(name)
            del sizes[name]

    @contextlib.contextmanager
    def _changing(self) -> Iterator[Folder]:
        """The folder, made if it is missing, while nobody else changes it."""
        if not self._checked:
            self.require_mine()
        try:
            make_folders(self.path)
            with self._turn(), Folder(self.path, private=True) as folder:
                yield folder
        except OSError as error:
            raise error if isinstance(error, NearsenseError) else unwritable(self.path, error) from None

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        until = time.monotonic() + PATIENCE
        while True:
            with try_alone(self.path / LOCK, private=True) as mine:
                if mine:
                    yield
                    return
            if time.monotonic() > until:
                raise Busy(f"{self.path} is held by somebody else", why="their change does not end")
            time.sleep(0.002)


def _known(file: Path) -> tuple[int, int] | None:
    """What tells a file from one that took its place; None where there is none."""
    try:
        found = file.lstat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _segment(number: int) -> str:
    return f"{number:08}.log"


def _is_whole(line: bytes) -> bool:
    return line[:_SUM_BYTES] == b"%08x " % zlib.crc32(line[_SUM_BYTES:])


def _append(folder: Folder, name: str, data: bytes) -> int:
    """Write behind what is there, behind a torn line on a line of its own; returns the size. All or nothing."""
    descriptor = folder.open(name, os.O_RDWR | os.O_CREAT)
    try:
        end = os.lseek(descriptor, 0, os.SEEK_END)
        if end:
            os.lseek(descriptor, end - 1, os.SEEK_SET)
            if os.read(descriptor, 1) != b"\n":
                data = b"\n" + data
        try:
            _write(descriptor, data)
        except OSError:
            os.ftruncate(descriptor, end)
            raise
        return end + len(data)
    finally:
        os.close(descriptor)


def _write(descriptor: int, data: bytes) -> None:
    done = 0
    while done < len(data):
        done += os.write(descriptor, data[done:] if done else data)


def _all_of(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(os.dup(descriptor), "rb") as file:
        return file.read()


class Passing:
    """Writes what is put into it some moments later, in a thread of its own: putting never waits, and never fails.

    `encode` makes the lines of what was put. What cannot be kept, because too much waits or the folder cannot be
    written, is counted in `lost` and told by one warning; `missing` makes the line that tells readers how many.
    """

    def __init__(
        self, folder: Lines, encode: Callable[[Any], Iterable[bytes]], missing: Callable[[int], bytes]
    ) -> None:
        self.folder, self._encode, self._missing = folder, encode, missing
        self.lost, self.closed = 0, False
        self._untold, self._warned, self._at_exit = 0, False, False
        self._guard, self._writing, self._work = lock(), lock(), event()
        self._queue: list[tuple[Any, int]] = []
        self._lines: list[bytes] = []  # made already, and not written: it was somebody else's turn
        self._waiting = 0
        self._thread: threading.Thread | None = None
        _OPEN.add(self)

    def put(self, item: Any, count: int = 1) -> None:
        """Have something written that will be so many lines."""
        if self.folder.max_bytes <= 0:
            return
        begin = None
        with self._guard:
            if self._waiting >= MOST or self.closed:
                self._lose(count)
                return
            self._queue.append((item, count))
            self._waiting += count
            if self._thread is None:
                begin = self._thread = threading.Thread(target=self._run, name="nearsense-log", daemon=True)
        if begin is None:
            self._work.set()
            return
        self._flush_in_workers()
        with contextlib.suppress(RuntimeError):  # the program is ending: what waits is written at its end
            begin.start()

    def flush(self, *, last: bool = False) -> None:
        """Write what waits now; where somebody else's turn does not end, later, unless it is the `last` time."""
        with self._writing:
            with self._guard:
                queue, self._queue = self._queue, []
                untold, self._untold = self._untold, 0
            self._make_lines(queue)
            lines = [*self._lines, *([self._missing(untold)] if untold else [])]
            if not lines:
                return
            try:
                self.folder.append(lines)
            except Exception as error:  # whatever it is: nobody who asks is to hear of it
                busy = isinstance(error, Busy) and not last
                with self._guard:
                    self._untold += untold
                    if not busy:
                        self._lose(len(self._lines))
                if busy:
                    return
                self._warn(f"{error.what} ({error.why})" if isinstance(error, NearsenseError) else str(error))
            with self._guard:
                self._waiting -= len(self._lines)
                self._lines = []
        if untold:
            self._warn("more is asked than can be written")

    def close(self) -> None:
        """Write what waits; what is put later is lost."""
        self.flush(last=True)
        with self._guard:
            self.closed = True
        self._work.set()

    def _make_lines(self, queue: list[tuple[Any, int]]) -> None:
        step = 1 if len(queue) <= FEW else HURRY
        for number, (item, count) in enumerate(queue):
            made = 0
            try:
                for line in self._encode(item):
                    self._lines.append(line)
                    made += 1
                    if number % step == 0:
                        time.sleep(0)  # who asks meanwhile goes first
            except Exception as error:  # one that cannot be written is no harm to the others
                self._warn(str(error))
            with self._guard:
                self._waiting -= count - made
                self._lose(count - made)

    def _lose(self, count: int) -> None:
        self.lost += count
        self._untold += count

    def _warn(self, why: str) -> None:
        if not self._warned:
            self._warned = True
            log.warning("%s does not log all that is asked, answers come as ever: %s", self.folder.path, why)

    def _run(self) -> None:
        while True:
            time.sleep(EVERY)
            self._work.clear()
            self.flush()
            if not self._lines and (not self._work.wait(IDLE) or self.closed):
                with self._guard:
                    if not self._queue:
                        self._thread = None
                        return

    def _flush_in_workers(self) -> None:
        """Processes of multiprocessing end without what others do at their end, but for what it is told of."""
        module, processes = (sys.modules.get(f"multiprocessing.{name}") for name in ("util", "process"))
        if module and processes and not self._at_exit and processes.parent_process() is not None:
            self._at_exit = True
            module.Finalize(None, _flush_one, (weakref.ref(self),), exitpriority=1)

    def _forget(self) -> None:
        """In a child what waits is its parent's to write, and there is no thread."""
        self._queue, self._lines, self._thread = [], [], None
        self._waiting = self._untold = self.lost = 0
        self._at_exit = False
        self._work = event()  # whoever held the other one's lock is not here


def _flush_one(reference: weakref.ref[Passing]) -> None:
    passing = reference()
    if passing is not None:
        passing.flush(last=True)


_OPEN: weakref.WeakSet[Passing] = weakref.WeakSet()
_held: list[Passing] = []


@atexit.register
def _flush_all() -> None:
    for each in list(_OPEN):
        each.flush(last=True)


def _before_fork() -> None:
    """No child is to hold the lock of a folder."""
    _held.extend(each for each in list(_OPEN) if each._writing.acquire(timeout=PATIENCE))


def _after_fork() -> None:
    while _held:
        _held.pop()._writing.release()


def _after_fork_in_child() -> None:
    _after_fork()
    for each in list(_OPEN):
        each._forget()


on_fork(before=_before_fork, in_parent=_after_fork, in_child=_after_fork_in_child)
