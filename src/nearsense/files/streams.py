"""A file's plain bytes and characters, as often as needed; files that are written whole or not at all.

Not what is in them: see reading.py and writing.py.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from errno import EBADF, EDQUOT, EFBIG, ELOOP, ENOSPC, EPIPE
from functools import cached_property
from io import BytesIO
from pathlib import Path
from stat import S_IMODE, S_ISDIR, S_ISREG, S_IWOTH
from typing import BinaryIO, TextIO, cast

from nearsense._paths import exists, is_folder, is_link, scheme_of
from nearsense.errors import FileError
from nearsense.files import formats
from nearsense.files.formats import Compression, compression_of, decompressed, is_damage

AUTO = "auto"
"""No encoding is named: UTF-8, or what the content shows."""
MIXED = "utf-8+"
"""UTF-8, and behind the sign the encoding of the bytes that are none."""

_HEAD = 1 << 16
_WIDE = ("utf-16", "utf-32")

# The byte order marks and the codecs that do without; the longer marks first.
_MARKS = (
    ("utf-32-le", b"\xff\xfe\x00\x00"),
    ("utf-32-be", b"\x00\x00\xfe\xff"),
    ("utf-16-le", b"\xff\xfe"),
    ("utf-16-be", b"\xfe\xff"),
    ("utf-8", b"\xef\xbb\xbf"),
)


@dataclass(frozen=True)
class Source:
    """Bytes, wrapped or not, that can be read more than once: a regular file's, or all that a pipe gave."""

    name: str
    compression: Compression
    path: Path | None = None
    content: bytes = b""

    def open(self) -> BinaryIO:
        """The plain bytes from the start."""
        raw = io.BytesIO(self.content) if self.path is None else self.path.open("rb")
        try:
            return decompressed(cast(BinaryIO, raw), self.compression)
        except BaseException:
            raw.close()
            raise

    @cached_property
    def head(self) -> bytes:
        """The first plain bytes, at most 64 KiB."""
        with self.open() as stream:
            return stream.read(_HEAD)

    def require_content(self) -> None:
        """Refuse an empty file."""
        if not self.head:
            raise FileError(f"{self.name} is empty", why="there is nothing to read in it", fix="give another file")

    @contextmanager
    def characters(self, encoding: str, newline: str | None = None) -> Iterator[TextIO]:
        """The plain characters from the start without a byte order mark; `newline` is as in `open`."""
        encoding, errors = self._mixed(self.resolved(encoding))
        codec, mark = self._codec(encoding)
        self._refuse_strangers(encoding, wide=codec.startswith(_WIDE))
        with self.open() as stream:
            stream.read(mark)
            with io.TextIOWrapper(stream, codec, errors, newline) as text:
                try:
                    yield text
                except UnicodeDecodeError as error:
                    raise self._undecodable(encoding, codec, mark) from error

    def resolved(self, encoding: str) -> str:
        """The encoding that was named, else the one of the content."""
        return self.shown if encoding == AUTO else encoding

    @cached_property
    def shown(self) -> str:
        """The encoding that all of the content shows."""
        first = self.evident()
        if first == "utf-8":
            try:
                with self.open() as stream, io.TextIOWrapper(stream, first) as text:
                    while text.read(1 << 20):
                        pass
            except UnicodeDecodeError:
                return "utf-8" if self.looks_binary() else self.guessed()
        return first

    def evident(self) -> str:
        """UTF-16 or UTF-32 by its mark or its zeros; else UTF-8, perhaps."""
        self.require_content()
        for codec, mark in _MARKS:
            if self.head.startswith(mark):
                return codec.removesuffix("-le").removesuffix("-be")
        return "utf-16" if _looks_wide(self.head) else "utf-8"

    def looks_binary(self) -> bool:
        """Whether it is no text in any encoding."""
        return bool(formats.stranger(self.head)) or _looks_binary(self.head)

    def guessed(self) -> str:
        """The encoding of a content that is no UTF-8, by its letters; where most of it is, of the rest."""
        from nearsense.files.encodings import MOST, guessed

        with self.open() as stream:
            lines = [line for line in stream if not line.isascii()]
        strange = [line for line in lines if not is_utf8(line)]
        guess = guessed(b"".join(strange)[:MOST])
        return MIXED + guess if 5 * len(strange) <= 4 * len(lines) else guess  # UTF-8 by chance is rare

    def _mixed(self, encoding: str) -> tuple[str, str]:
        """A codec, and what is done with bytes that it does not know."""
        base, sign, rest = encoding.partition("+")
        if not sign:
            return encoding, "strict"
        import codecs

        other = self._codec(rest)[0]

        def decoded(error: UnicodeError) -> tuple[str, int]:
            assert isinstance(error, UnicodeDecodeError)
            return error.object[error.start : error.end].decode(other, "replace"), error.end

        codecs.register_error(f"nearsense-{other}", decoded)
        return base, f"nearsense-{other}"

    def _codec(self, encoding: str) -> tuple[str, int]:
        """The codec that decodes what follows the byte order mark, and the mark's length."""
        import codecs

        try:
            asked = codecs.lookup(encoding).name
            "".encode(asked)  # codecs such as hex are known, but make no text
        except (LookupError, ValueError):
            why = "Python's names are meant, such as utf-8, utf-16, latin-1, cp1252"
            fix = "--encoding utf-8"
            raise FileError(f"{self.name}: the encoding {encoding!r} is not known", why=why, fix=fix) from None
        asked = {"utf-8-sig": "utf-8"}.get(asked, asked)
        for codec, mark in _MARKS:
            if codec.startswith(asked) and self.head.startswith(mark):
                return codec, len(mark)
        guess = "be" if _zeros(self.head[0::2]) > 0.5 else "le"
        return (f"{asked}-{guess}" if asked in _WIDE else asked), 0

    def _refuse_strangers(self, encoding: str, wide: bool) -> None:
        """Say at once what is plainly no text, or text of another kind."""
        self.require_content()
        if wide:
            return
        stranger = formats.stranger(self.head)
        if stranger:
            why = "its first bytes say so, whatever its name says"
            real = next((form for kind, form in _REAL.items() if kind in stranger), "")
            fix = f"add --format {real}" if real else "export it as csv, or name its real format with --format"
            raise FileError(f"{self.name} is {stranger}, not text", why=why, fix=fix)
        if self.head.startswith((b"\xff\xfe", b"\xfe\xff")) or _looks_wide(self.head):
            why = "it starts with UTF-16's mark, or every second byte is zero"
            raise FileError(f"{self.name} looks like UTF-16, not {encoding}", why=why, fix="--encoding utf-16")
        if 0 in self.head and _looks_binary(self.head):
            raise self._binary()

    def _binary(self) -> FileError:
        why = "bytes that no text has are frequent in it"
        fix = "give a txt, csv, tsv, json, jsonl, xlsx, parquet or npy file"
        return FileError(f"{self.name} holds binary data, not text", why=why, fix=fix)

    def _undecodable(self, encoding: str, codec: str, mark: int) -> FileError:
        """Find the byte that is no text; the whole content is decoded once more for it."""
        if not codec.startswith(_WIDE) and _looks_binary(self.head):
            return self._binary()
        with self.open() as stream:
            content = stream.read()[mark:]
        line, where = 1, "at its end"
        try:
            content.decode(codec)
        except UnicodeDecodeError as error:
            line = content[: error.start].decode(codec, "replace").count("\n") + 1
            where = f"at byte {mark + error.start} (0x{content[error.start]:02x})"
        utf8 = codec == "utf-8"
        what = f"{self.name}, line {line}: not {'UTF-8' if utf8 else encoding} {where}"
        why = "it was maybe written as latin-1 or cp1252" if utf8 else "it was written in another encoding"
        return FileError(what, why=why, fix="--encoding latin-1" if utf8 else "name the right one with --encoding")


_REAL = {"Excel workbook": "xlsx", "old Excel": "xls", "SQLite": "sqlite", "parquet": "parquet", "numpy": "npy"}
"""What is typed for a file that is no text."""


def is_utf8(content: bytes) -> bool:
    """Whether bytes are UTF-8."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _looks_binary(sample: bytes) -> bool:
    """Whether control characters are frequent; a stray one is an error of its own, with line and column."""
    controls = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in sample)
    return controls > max(8, 0.02 * len(sample))


def _zeros(sample: bytes) -> float:
    """The share of bytes that are zero."""
    return sample.count(0) / max(len(sample), 1)


def _looks_wide(sample: bytes) -> bool:
    """Whether the even or the odd bytes are nearly all zero and the others are not: Western text in UTF-16."""
    even, odd = _zeros(sample[0::2]), _zeros(sample[1::2])
    return len(sample) >= 4 and max(even, odd) > 0.7 and min(even, odd) < 0.1


def open_source(path: str | os.PathLike[str], stdin: BinaryIO | None = None) -> Source:
    """Find a file, or take in standard input."""
    name = str(path)
    if name == "-":
        stream = stdin or getattr(sys.stdin, "buffer", None)
        try:
            if stream is None:
                raise OSError(EBADF, "it is closed")
            content = stream.read()
        except OSError as error:
            raise no_input(error) from error
        return Source("standard input", _magic(content, Compression.NONE), None, content)
    file = Path(path)
    try:
        if is_folder(file):
            raise IsADirectoryError(21, "Is a directory", name)
        with file.open("rb") as stream:
            regular = S_ISREG(os.fstat(stream.fileno()).st_mode)
            content = stream.read(4 if regular else -1)
    except (OSError, ValueError) as error:
        raise _why_unread(error, file) from error
    expected = compression_of(file.name)
    compression = _magic(content, expected)
    if compression is Compression.NONE and expected is not compression:
        why = f"its name says so, but its first bytes are not {expected.value}'s"
        raise FileError(f"{name} is no {expected.value} file", why=why, fix=f"rename it to {file.stem}")
    return Source(name, compression, file) if regular else Source(name, compression, None, content)


def held(name: str, content: bytes) -> Source:
    """Bytes that were fetched, under a name."""
    return Source(name, _magic(content, Compression.NONE), None, content)


def no_input(error: OSError) -> FileError:
    """Why nothing can be read from standard input."""
    closed = error.errno == EBADF
    why = "texts were to come from it" if closed else error.strerror or str(error)
    fix = "name a file, or pipe the texts in: cat FILE | nearsense ..."
    return FileError("standard input is closed" if closed else "standard input cannot be read", why=why, fix=fix)


def _magic(content: bytes, fallback: Compression) -> Compression:
    """The compression that the first bytes show; `fallback` for no bytes at all."""
    if content.startswith(formats.GZIP_MAGIC):
        return Compression.GZIP
    if content.startswith(formats.ZSTD_MAGIC):
        return Compression.ZSTD
    return Compression.NONE if content else fallback


@contextmanager
def file_errors(source: Source) -> Iterator[None]:
    """Turn what the system and the decompressors raise while `source` is read into a `FileError`."""
    try:
        yield
    except FileError:
        raise
    except Exception as error:
        if is_damage(error):
            what = f"{source.name}: the {source.compression.value} data are damaged or cut short"
            raise FileError(what, why=str(error), fix="copy or download it again") from error
        if isinstance(error, OSError):
            raise _why_unread(error, source.path or Path(source.name)) from error
        raise


def lookalike(wrong: str, known: list[str]) -> str:
    """The name among `known` that `wrong` was probably meant to be, or ""."""
    from difflib import get_close_matches

    by_folded = {name.casefold(): name for name in known}
    matches = get_close_matches(wrong.casefold(), by_folded, n=1)
    return by_folded[matches[0]] if matches else ""


def _why_unread(error: Exception, path: Path) -> FileError:
    """What the operating system says about a path that is read, with what to do about it."""
    if isinstance(error, FileNotFoundError):
        if is_link(path):
            what = f"{path} leads nowhere"
            return FileError(what, why=f"it is a link to {path.readlink()}, which is not there", fix="name a file")
        if scheme := scheme_of(path):  # what else it says may be a password
            why = "files come from this machine, the web and object stores; collections also from postgresql://"
            return FileError(
                f"nothing is read from {scheme}:// addresses", why=why, fix="download it, and name the file"
            )
        if not is_folder(path.parent):
            what = f"{path} does not exist"
            return FileError(what, why=f"there is no folder {path.parent}", fix="check the path's spelling")
        siblings: list[str] = []
        with suppress(OSError):
            siblings = [entry.name for entry in path.parent.iterdir()]
        near = lookalike(path.name, siblings)
        why = f"there is {path.with_name(near)}" if near else f"{path.parent.resolve()} holds nothing similar"
        fix = f"did you mean {path.with_name(near)}?" if near else "check the path's spelling"
        return FileError(f"{path} does not exist", why=why, fix=fix)
    if isinstance(error, IsADirectoryError):
        return FileError(f"{path} is a folder", why="a file is needed", fix="name a file in it")
    if isinstance(error, PermissionError):
        return FileError(f"{path} may not be read", why="permission is denied", fix=f"chmod u+r {path}")
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return FileError(f"{path} cannot be read", why=why, fix="check the path")


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only when the block is left in good order.

    The bytes go into a file beside it, which is synced to the disk and then renamed. After any exception,
    KeyboardInterrupt among them, that file is gone and an existing file at `path` is untouched. The new file keeps
    the old one's permissions. A link is followed, as `cp` and `>` do: what it leads to is replaced; but not one
    that somebody else has put where everybody may write, as into /tmp. What is no regular file (a pipe, /dev/null)
    is written directly, and so is "-", standard output.
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
        mode = target.stat().st_mode if exists(target) else None
        if is_folder(target):
            raise IsADirectoryError(21, "Is a directory", name)
        if mode is not None and not S_ISREG(mode):
            with target.open("wb") as stream:
                yield stream
            return
        with _beside(target, mode) as stream:
            yield stream
    except OSError as error:
        # Of a write it names no file, of an opening this one or that beside it; others are the caller's own.
        ours = error.filename is None or Path(os.fsdecode(error.filename)).parent == target.parent
        if error.errno in (None, EPIPE) or not ours:
            raise
        raise _why_unwritten(error, Path(name), target.parent) from error


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to be filled, which takes its name only when the block is left in good order, on the disk by then.

    Raises:
        FileError: Something of that name is there, or it cannot be written; nothing is left behind.
    """
    require_absent(path)
    draft = _draft(path)
    try:
        draft.mkdir()
        yield draft
        for each in [*draft.rglob("*"), draft]:
            sync(each)
        draft.rename(path)
        sync(path.parent)
    except OSError as error:
        ours = error.filename is None or path.parent in Path(os.fsdecode(error.filename)).parents
        if not ours or isinstance(error, FileError):
            raise
        raise _why_unwritten(error, path, path.parent) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def require_absent(path: Path) -> None:
    """Refuse to make a folder where there is something of its name, or where none can be made."""
    if os.path.lexists(path):
        why = "a folder is written as a whole, and never over another"
        raise FileError(f"{path} is there already", why=why, fix="name a folder that does not exist, or remove it")
    try:
        (draft := _draft(path)).mkdir()
        draft.rmdir()
    except OSError as error:
        raise _why_unwritten(error, path, path.parent) from error


def _draft(path: Path) -> Path:
    """A name beside another, for what takes that in the end."""
    return path.with_name(f".{path.name[:40]}.{os.urandom(6).hex()}.tmp")


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk, where the system lets a folder be synced."""
    with suppress(OSError):
        opened = os.open(path, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


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
    temporary = _draft(target)
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
    sync(target.parent)  # the rename itself


def require_place(path: str | os.PathLike[str]) -> None:
    """Refuse a name that no file can have, before what it shall hold is made; "-" is standard output."""
    if str(path) == "-":
        return
    target = Path(path)
    if is_folder(target):
        raise _why_unwritten(IsADirectoryError(), target, target.parent)
    try:
        if not S_ISDIR(target.parent.stat().st_mode):
            raise NotADirectoryError
    except (OSError, ValueError) as error:
        raise _why_unwritten(error, target, target.parent) from None


_FULL = {ENOSPC, EDQUOT, EFBIG}


def _why_unwritten(error: OSError | ValueError, path: Path, folder: Path) -> FileError:
    """What is wrong with a path whose file lies in a folder: another than the path's own behind a link."""
    what, why = f"{path} cannot be written", getattr(error, "strerror", None) or str(error)
    if getattr(error, "errno", None) in _FULL:
        return FileError(what, why=f"no space is left for it ({why})", fix="free some space, or write elsewhere")
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return FileError(what, why=f"there is no folder {folder}", fix=f"mkdir -p {folder}")
    if isinstance(error, IsADirectoryError):
        return FileError(what, why="it is a folder", fix="name a file in it")
    if isinstance(error, PermissionError):
        return FileError(what, why="permission is denied", fix=f"write elsewhere, or chmod u+w {folder}")
    return FileError(what, why=why, fix="write elsewhere")
