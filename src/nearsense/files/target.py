"""Write a file so that it is there whole or not at all. Not what is written: see writing.py."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EDQUOT, EFBIG, ELOOP, ENOSPC, EPIPE
from io import BytesIO
from pathlib import Path
from stat import S_IMODE, S_ISREG, S_IWOTH
from typing import BinaryIO

from nearsense.errors import FileError

__all__ = ["atomic_write", "require_place"]


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only when the block is left in good order.

    The bytes go into a file beside it, which is synced to the disk and then renamed. After any exception,
    KeyboardInterrupt among them, that file is gone and an existing file at `path` is untouched. The new file keeps
    the old one's permissions. A link is followed, as `cp` and `>` do: what it leads to is replaced; but not one
    that somebody else has put where everybody may write, as into /tmp. What is no regular file (a pipe, /dev/null)
    is written directly, and so is "-", standard output.

    Args:
        path: The file's final name.

    Yields:
        A buffered binary stream.

    Raises:
        FileError: The folder is missing, `path` is a folder or such a link, writing is not permitted, or the disk
            is full.

    Example:
        >>> from tempfile import mkdtemp
        >>> file = Path(mkdtemp()) / "answers.txt"
        >>> with atomic_write(file) as stream:
        ...     _ = stream.write(b"yes")
        >>> file.read_bytes()
        b'yes'
    """
    if str(path) == "-":
        with _standard_output() as stream:
            yield stream
        return
    name = str(path)
    if "\0" in name:
        raise FileError(f"{name!r} cannot be written", why="no file's name holds a NUL", fix="name another file")
    target = Path(path)
    try:
        target = _behind_links(target)
        mode = target.stat().st_mode if target.exists() else None
        if target.is_dir():
            raise IsADirectoryError(21, "Is a directory", name)
        if mode is not None and not S_ISREG(mode):
            with target.open("wb") as stream:
                yield stream
            return
        with _beside(target, mode) as stream:
            yield stream
    except OSError as error:
        if not _is_ours(error, target):
            raise
        raise _refusal(error, Path(name)) from error


@contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    """Standard output for bytes; where it takes characters only (some notebooks), they are given at the end."""
    sys.stdout.flush()
    stream = getattr(sys.stdout, "buffer", None)
    if stream is not None:
        yield stream
        stream.flush()
        return
    with BytesIO() as content:
        yield content
        sys.stdout.write(content.getvalue().decode(errors="replace"))


def _behind_links(target: Path) -> Path:
    """What a name stands for, where whoever made its links may decide that.

    The rule is Linux's own for sticky folders (fs.protected_symlinks), which holds for files that are opened only:
    here the target is replaced.
    """
    for _ in range(40):
        if not target.is_symlink():
            return target
        link, folder = target.lstat(), target.parent.stat()
        if (
            folder.st_mode & S_IWOTH
            and hasattr(os, "geteuid")
            and link.st_uid not in (os.geteuid(), folder.st_uid)
        ):
            raise OSError(ELOOP, "it is a link that another user made, in a folder that all may write to")
        target = Path(os.path.realpath(target.parent)) / target.readlink()
    raise OSError(ELOOP, os.strerror(ELOOP))


@contextmanager
def _beside(target: Path, mode: int | None) -> Iterator[BinaryIO]:
    """A file in the target's folder that becomes the target at the end, or nothing."""
    if mode is not None and not os.access(target, os.W_OK):
        raise PermissionError(13, "Permission denied", str(target))  # renaming would replace it all the same
    temporary = target.with_name(f".{target.name[:40]}.{os.urandom(6).hex()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    stream = os.fdopen(descriptor, "wb", buffering=1 << 20)
    try:
        if mode is not None:
            temporary.chmod(S_IMODE(mode))
        yield stream
        stream.flush()
        os.fsync(descriptor)
        stream.close()
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):  # closing flushes, which fails again on a full disk
            stream.close()
        temporary.unlink(missing_ok=True)
        raise
    with suppress(OSError):  # the rename itself, where the system lets a folder be synced
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _is_ours(error: OSError, target: Path) -> bool:
    """Whether an error is about this file, and not about another one that the caller's block was busy with.

    An error of a write names no file; one of opening names it, or the file beside it.
    """
    if error.errno is None or error.errno == EPIPE:
        return False
    named = error.filename
    return named is None or Path(os.fsdecode(named)).parent == target.parent or Path(os.fsdecode(named)) == target


def require_place(path: str | os.PathLike[str]) -> None:
    """Refuse a name that no file can have, before what it shall hold is made; "-" is standard output.

    Args:
        path: The file.

    Raises:
        FileError: Its folder is not there, or it is a folder itself.
    """
    if str(path) == "-":
        return
    target = Path(path)
    if target.is_dir():
        raise _refusal(IsADirectoryError(), target)
    if not target.parent.is_dir():
        raise _refusal(FileNotFoundError(), target)


_FULL = {ENOSPC, EDQUOT, EFBIG}


def _refusal(error: OSError, path: Path) -> FileError:
    what, why = f"{path} cannot be written", error.strerror or str(error)
    if error.errno in _FULL:
        return FileError(what, why=f"no space is left for it ({why})", fix="free some space, or write elsewhere")
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return FileError(what, why=f"there is no folder {path.parent}", fix=f"mkdir -p {path.parent}")
    if isinstance(error, IsADirectoryError):
        return FileError(what, why="it is a folder", fix="name a file in it")
    if isinstance(error, PermissionError):
        return FileError(what, why="permission is denied", fix=f"write elsewhere, or chmod u+w {path.parent}")
    return FileError(what, why=why, fix="write elsewhere")
