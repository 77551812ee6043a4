"""Folders that nearsense keeps its own files in: no link is followed, no umask decides. Not what is in the files.

Names are looked up within a folder that is held open, where the system can do that: who swaps a name for a link
between a look and a step gains nothing.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["Folder", "JsonMemo", "Refused", "flush", "make_folders"]

HELD = os.unlink in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
"""Whether names can be looked up within an open folder; elsewhere (Windows) they are checked before each step."""

_CAREFUL = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
_TRIES = 100


class Refused(OSError):
    """Where one of nearsense's own files or folders should be, there is a link, or something of another kind."""


class Folder:
    """A folder, held open; one that is a link is refused, though what leads to it may hold links.

    What is made in a `private` one, and in folders within, is for its owner alone, whoever may look into it.

    >>> import tempfile
    >>> with Folder(Path(tempfile.mkdtemp())) as folder:
    ...     with folder.file("mark", "xb") as file:
    ...         _ = file.write(b"7")
    ...     folder.read("mark"), folder.names()
    (b'7', ['mark'])
    """

    def __init__(self, path: Path, *, private: bool = False, parent: Folder | None = None) -> None:
        self.path, self._private = path, private
        self._fd: int | None = None
        name, within = (str(path), None) if parent is None else (path.name, parent._fd)
        found = os.stat(name if HELD else path, dir_fd=within, follow_symlinks=False)
        _require(path, found, stat.S_IFDIR)
        if HELD:
            try:
                self._fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | _CAREFUL, dir_fd=within)
            except NotADirectoryError:  # it was a folder a moment ago
                raise _refused(path, "is a link") from None

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def names(self) -> list[str]:
        """What is in it, in order."""
        return sorted(os.listdir(self.path if self._fd is None else self._fd))  # noqa: PTH208  (within an open folder)

    def status(self, name: str) -> os.stat_result | None:
        """What the system says of a name, a link itself and not what it leads to; None where there is nothing."""
        try:
            return os.stat(self._at(name), dir_fd=self._fd, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def require(self, *files: str, folders: tuple[str, ...] = (), alone: bool = False) -> None:
        """Refuse what is there and no plain file (`alone`: or has a second name elsewhere), or no folder."""
        for kind, names in ((stat.S_IFREG, files), (stat.S_IFDIR, folders)):
            for name in names:
                if (found := self.status(name)) is not None:
                    _require(self.path / name, found, kind, alone=alone and kind == stat.S_IFREG)

    def open(self, name: str, flags: int) -> int:
        """The descriptor of a plain file, `flags` as for `os.open`: O_CREAT makes a missing one, O_EXCL only that.

        What it makes anew is for those to read and write who may read and write the folder; where that is private,
        or has a sticky bit as /tmp has it, for its owner alone. What shall be written must have no second name.
        """
        new, flags = flags & os.O_CREAT, flags & ~os.O_CREAT | _CAREFUL
        for _ in range(_TRIES):  # others may make and delete it in between
            found = self.status(name)
            if found is not None:
                _require(self.path / name, found, stat.S_IFREG)
            try:
                if new and (found is None or flags & os.O_EXCL):
                    return self._made(name, flags)
                descriptor = os.open(self._at(name), flags, dir_fd=self._fd)
            except (FileNotFoundError, FileExistsError):
                if not new or flags & os.O_EXCL:
                    raise
                continue
            try:
                writing = bool(flags & (os.O_WRONLY | os.O_RDWR))
                _require(self.path / name, os.fstat(descriptor), stat.S_IFREG, alone=writing)
            except BaseException:
                os.close(descriptor)
                raise
            return descriptor
        raise _refused(self.path / name, "comes and goes")

    def file(self, name: str, mode: str) -> BinaryIO:
        """A file: "rb" to read it, "wb" to write it anew, "xb" where there is none yet."""
        flags = {
            "rb": os.O_RDONLY,
            "wb": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
            "xb": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
        }[mode]
        # Cut only once it is known whose file it is.
        descriptor = self.open(name, flags & ~os.O_TRUNC)
        if flags & os.O_TRUNC:
            os.ftruncate(descriptor, 0)
        return os.fdopen(descriptor, "rb" if mode == "rb" else "wb")

    def read(self, name: str) -> bytes:
        """All that is in a file."""
        with self.file(name, "rb") as file:
            return file.read()

    def sha256(self, name: str) -> str:
        """The checksum of a file, as 64 hexadecimal digits."""
        with os.fdopen(self.open(name, os.O_RDONLY), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def replace(self, name: str, content: bytes) -> None:
        """Give a file new contents, all at once."""
        aside = f".{name[:40]}.{os.urandom(6).hex()}.tmp"
        try:
            with self.file(aside, "xb") as file:
                file.write(content)
            self.rename(aside, name)
        except BaseException:
            with contextlib.suppress(OSError):
                self.unlink(aside)
            raise

    def make(self, name: str, *, private: bool = False) -> None:
        """Make a folder within, for whom this one is; or for its owner alone."""
        os.mkdir(self._at(name), 0o700, dir_fd=self._fd)
        if not private and not self._private:
            with self.within(name) as made:
                made.share_as(self)

    def within(self, name: str) -> Folder:
        """A folder in this one."""
        return Folder(self.path / name, private=self._private, parent=self)

    @contextlib.contextmanager
    def reached(self, *names: str) -> Iterator[Folder]:
        """The folder at the end of some names, each a folder in the one before; what is missing is made."""
        with contextlib.ExitStack() as opened:
            folder = self
            for name in names:
                if folder.status(name) is None:
                    with contextlib.suppress(FileExistsError):
                        folder.make(name)
                folder = opened.enter_context(folder.within(name))
            yield folder

    def link(self, name: str, target: str) -> None:
        """Make a name a link, all at once; a file or a link of that name is replaced."""
        aside = f".{name[:40]}.{os.urandom(6).hex()}.tmp"
        os.symlink(target, self._at(aside), dir_fd=self._fd)
        self.rename(aside, name)

    def share_as(self, other: Folder) -> None:
        """For whom another folder is, this one and the files in it shall be."""
        if self._fd is None:
            return  # the system's rules of inheritance hold
        mode = _shared(other._mode())
        with contextlib.suppress(OSError):  # a file system without permissions
            for name in self.names():
                with self.file(name, "rb") as file:
                    os.fchmod(file.fileno(), mode & 0o666)
            os.fchmod(self._fd, mode)

    def is_mine(self, name: str) -> bool:
        """Whether a name in it is a plain file of the user who asks."""
        found = self.status(name)
        return found is not None and stat.S_ISREG(found.st_mode) and _mine(found)

    def keep_to_owner(self, name: str | None = None) -> bool:
        """Take it from all others: a file to read and write, itself to write; False where it is another's."""
        if self._fd is None:
            return True  # the system's rules of inheritance hold
        descriptor = self._fd if name is None else self.open(name, os.O_RDONLY)
        try:
            found = os.fstat(descriptor)
            if not _mine(found):
                return False
            mode = stat.S_IMODE(found.st_mode) & (~0o022 if name is None else 0o600)
            if mode != stat.S_IMODE(found.st_mode):
                os.fchmod(descriptor, mode)
        finally:
            if name is not None:
                os.close(descriptor)
        return True

    def rename(self, old: str, new: str) -> None:
        """Give something in it another name; a file of that name is replaced."""
        os.replace(self._at(old), self._at(new), src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def unlink(self, name: str) -> None:
        """Remove a file, or a link and not what it leads to."""
        os.unlink(self._at(name), dir_fd=self._fd)

    def remove(self, name: str) -> None:
        """Remove a folder in it with its plain files; one that holds more, or is a link, stays."""
        with contextlib.suppress(OSError):
            with self.within(name) as inner:
                for each in inner.names():
                    if stat.S_ISREG(getattr(inner.status(each), "st_mode", 0)):
                        inner.unlink(each)
            os.rmdir(self._at(name), dir_fd=self._fd)

    def place(self) -> Path:
        """A path for others to open files by, the same folder even if its name is given to another one."""
        held = Path(f"/proc/self/fd/{self._fd}")
        return held if self._fd is not None and held.is_dir() else self.path

    def sync(self) -> None:
        """Bring the names in it to the disk, where the system lets a folder be synced."""
        if self._fd is not None:
            os.fsync(self._fd)

    def identity(self) -> tuple[int, int]:
        """By which the system tells it from every other folder."""
        found = self.path.stat() if self._fd is None else os.fstat(self._fd)
        return found.st_dev, found.st_ino

    def _at(self, name: str) -> str:
        return name if self._fd is not None else str(self.path / name)

    def _mode(self) -> int:
        return (self.path.stat() if self._fd is None else os.fstat(self._fd)).st_mode

    def _made(self, name: str, flags: int) -> int:
        descriptor = os.open(self._at(name), flags | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=self._fd)
        if hasattr(os, "fchmod"):
            with contextlib.suppress(OSError):  # a file system without permissions
                os.fchmod(descriptor, 0o600 if self._private else _shared(self._mode()) & 0o666)
        return descriptor


class JsonMemo:
    """What took time to find, in one JSON file of the cache folder; failing to read or write it is no error."""

    def __init__(self, file: Path) -> None:
        self._file = Path(os.path.realpath(file.parent)) / file.name

    def read(self) -> dict[str, Any]:
        """What is remembered, by its key."""
        try:
            with Folder(self._file.parent) as folder:
                content = json.loads(folder.read(self._file.name))
        except (OSError, ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}

    def write(self, known: dict[str, Any]) -> None:
        """Keep all of it."""
        with contextlib.suppress(OSError):
            make_folders(self._file.parent)
            with Folder(self._file.parent, private=True) as folder:
                folder.replace(self._file.name, json.dumps(known, indent=1).encode())


def make_folders(path: Path) -> None:
    """Make a folder, and those that lead to it; what is new is for its owner alone."""
    if path.is_dir():
        return
    make_folders(path.parent)
    path.mkdir(0o700, exist_ok=True)


def flush(descriptor: int, *, size: bool = True) -> None:
    """Bring a file to the disk; on macOS past the disk's own cache, too. `size`: its size and times as well."""
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        if hasattr(fcntl, "F_FULLFSYNC"):
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    if size or not hasattr(os, "fdatasync"):
        os.fsync(descriptor)
    else:
        os.fdatasync(descriptor)


def _mine(found: os.stat_result) -> bool:
    return not hasattr(os, "geteuid") or found.st_uid == os.geteuid()


def _shared(mode: int) -> int:
    """The permissions of a folder that is for whom another one is; under a sticky bit, for its owner alone."""
    return 0o700 if mode & stat.S_ISVTX else mode & 0o2777 | 0o700


def _require(path: Path, found: os.stat_result, kind: int, *, alone: bool = False) -> None:
    """Refuse what is a link, or of another kind, or has a second name where it should be alone."""
    mount = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)  # what Windows calls a junction
    if stat.S_ISLNK(found.st_mode) or (mount and getattr(found, "st_reparse_tag", 0) == mount):
        raise _refused(path, "is a link")
    if stat.S_IFMT(found.st_mode) != kind:
        raise _refused(path, "is no folder" if kind == stat.S_IFDIR else "is no plain file")
    if alone and found.st_nlink > 1:
        raise _refused(path, f"has {found.st_nlink} names (hard links)", errno.EMLINK)


def _refused(path: Path, why: str, number: int = errno.ELOOP) -> Refused:
    return Refused(number, why, str(path))
