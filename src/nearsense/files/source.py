"""A file's plain bytes and characters, as often as needed. Not what they mean: see reading.py."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from errno import EBADF
from functools import cached_property
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO, TextIO, cast

from nearsense.errors import FileError
from nearsense.files import formats
from nearsense.files.compression import is_damage, unpacked
from nearsense.files.formats import Compression, compression_of

__all__ = ["Source", "lookalike", "no_input", "open_source", "translated"]

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
    """Bytes that can be read more than once.

    Args:
        name: For messages.
        compression: What they are wrapped in.
        path: The regular file, where there is one.
        content: All wrapped bytes of what can be read only once: standard input, a pipe.
    """

    name: str
    compression: Compression
    path: Path | None = None
    content: bytes = b""

    def open(self) -> BinaryIO:
        """The plain bytes from the start."""
        raw = io.BytesIO(self.content) if self.path is None else self.path.open("rb")
        try:
            return unpacked(cast(BinaryIO, raw), self.compression)
        except BaseException:
            raw.close()
            raise

    @cached_property
    def head(self) -> bytes:
        """The first plain bytes, at most 64 KiB."""
        with self.open() as stream:
            return stream.read(_HEAD)

    @contextmanager
    def characters(self, encoding: str, newline: str | None = None) -> Iterator[TextIO]:
        r"""The plain characters from the start, without a byte order mark.

        Args:
            encoding: As Python names it.
            newline: As in `open`: None turns every kind of line end into `\n`, "" leaves them.

        Raises:
            FileError: The encoding is not known, or the bytes are no text in it.
        """
        codec, mark = self._codec(encoding)
        self._refuse_strangers(encoding, wide=codec.startswith(_WIDE))
        with self.open() as stream:
            stream.read(mark)
            with io.TextIOWrapper(stream, codec, newline=newline) as text:
                try:
                    yield text
                except UnicodeDecodeError as error:
                    raise self._undecodable(encoding, codec, mark) from error

    def _codec(self, encoding: str) -> tuple[str, int]:
        """The codec that decodes what follows the byte order mark, and the mark's length."""
        import codecs

        try:
            asked = codecs.lookup(encoding).name
            "".encode(asked)  # codecs such as hex are known, but make no text
        except (LookupError, ValueError):
            raise FileError(
                f"{self.name}: the encoding {encoding!r} is not known",
                why="Python's names are meant, such as utf-8, utf-16, latin-1, cp1252",
                fix="--encoding utf-8",
            ) from None
        asked = {"utf-8-sig": "utf-8"}.get(asked, asked)
        for codec, mark in _MARKS:
            if codec.startswith(asked) and self.head.startswith(mark):
                return codec, len(mark)
        guess = "be" if _zeros(self.head[0::2]) > 0.5 else "le"
        return (f"{asked}-{guess}" if asked in _WIDE else asked), 0

    def _refuse_strangers(self, encoding: str, wide: bool) -> None:
        """Say at once what is plainly no text, or text of another kind."""
        if not self.head:
            raise FileError(f"{self.name} is empty", why="there is nothing to read in it", fix="give another file")
        if wide:
            return
        stranger = formats.stranger(self.head)
        if stranger:
            raise FileError(
                f"{self.name} is {stranger}, not text",
                why="its first bytes say so, whatever its name says",
                fix="export it as csv, or name its real format with --format",
            )
        if self.head.startswith((b"\xff\xfe", b"\xfe\xff")) or _looks_wide(self.head):
            raise FileError(
                f"{self.name} looks like UTF-16, not {encoding}",
                why="it starts with UTF-16's mark, or every second byte is zero",
                fix="--encoding utf-16",
            )
        if 0 in self.head and _looks_binary(self.head):
            raise self._binary()

    def _binary(self) -> FileError:
        return FileError(
            f"{self.name} holds binary data, not text",
            why="bytes that no text has are frequent in it",
            fix="give a txt, csv, tsv, json, jsonl, parquet or npy file",
        )

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
        return FileError(
            f"{self.name}, line {line}: not {'UTF-8' if utf8 else encoding} {where}",
            why="it was maybe written as latin-1 or cp1252" if utf8 else "it was written in another encoding",
            fix="--encoding latin-1" if utf8 else "name the right one with --encoding",
        )


def _looks_binary(sample: bytes) -> bool:
    """Whether control characters are frequent; a stray one is an error of its own, with line and column."""
    controls = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in sample)
    return controls > max(8, 0.02 * len(sample))


def _zeros(sample: bytes) -> float:
    return sample.count(0) / max(len(sample), 1)


def _looks_wide(sample: bytes) -> bool:
    """Whether the even or the odd bytes are nearly all zero and the others are not: Western text in UTF-16."""
    even, odd = _zeros(sample[0::2]), _zeros(sample[1::2])
    return len(sample) >= 4 and max(even, odd) > 0.7 and min(even, odd) < 0.1


def open_source(path: str | os.PathLike[str], stdin: BinaryIO | None = None) -> Source:
    """Find a file, or take in standard input.

    Args:
        path: The file; "-" is standard input. A pipe (`<(command)`) is taken in whole as well.
        stdin: What to read instead of the process's standard input.

    Raises:
        FileError: There is no such file, it is a folder, or it may not be read.
        MissingExtra: It is zstd and the package zstandard is not installed.
    """
    name = str(path)
    if name == "-":
        content = _all_of(stdin)
        return Source("standard input", _magic(content, Compression.NONE), None, content)
    file = Path(path)
    try:
        if file.is_dir():
            raise IsADirectoryError(21, "Is a directory", name)
        with file.open("rb") as stream:
            regular = S_ISREG(os.fstat(stream.fileno()).st_mode)
            content = stream.read(4 if regular else -1)
    except (OSError, ValueError) as error:
        raise _refusal(error, file) from error
    expected = compression_of(file.name)
    compression = _magic(content, expected)
    if compression is Compression.NONE and expected is not compression:
        raise FileError(
            f"{name} is no {expected.value} file",
            why=f"its name says so, but its first bytes are not {expected.value}'s",
            fix=f"rename it to {file.stem}",
        )
    return Source(name, compression, file) if regular else Source(name, compression, None, content)


def _all_of(stdin: BinaryIO | None) -> bytes:
    stream = stdin or getattr(sys.stdin, "buffer", None)
    try:
        if stream is None:
            raise OSError(EBADF, "it is closed")
        return stream.read()
    except OSError as error:
        raise no_input(error) from error


def no_input(error: OSError) -> FileError:
    """Why nothing can be read from standard input."""
    closed = error.errno == EBADF
    return FileError(
        "standard input is closed" if closed else "standard input cannot be read",
        why="texts were to come from it" if closed else error.strerror or str(error),
        fix="name a file, or pipe the texts in: cat FILE | nearsense ...",
    )


def _magic(content: bytes, fallback: Compression) -> Compression:
    """The compression that the first bytes show; `fallback` for no bytes at all."""
    if content.startswith(formats.GZIP_MAGIC):
        return Compression.GZIP
    if content.startswith(formats.ZSTD_MAGIC):
        return Compression.ZSTD
    return Compression.NONE if content else fallback


@contextmanager
def translated(source: Source) -> Iterator[None]:
    """Turn what the system and the decompressors raise while `source` is read into a `FileError`."""
    try:
        yield
    except FileError:
        raise
    except Exception as error:
        if is_damage(error):
            raise FileError(
                f"{source.name}: the {source.compression.value} data are damaged or cut short",
                why=str(error),
                fix="copy or download it again",
            ) from error
        if isinstance(error, OSError):
            raise _refusal(error, source.path or Path(source.name)) from error
        raise


def lookalike(wrong: str, known: list[str]) -> str:
    """The name among `known` that `wrong` was probably meant to be, or "".

    Example:
        >>> lookalike("Txet", ["text", "id"])
        'text'
    """
    from difflib import get_close_matches

    by_folded = {name.casefold(): name for name in known}
    matches = get_close_matches(wrong.casefold(), by_folded, n=1)
    return by_folded[matches[0]] if matches else ""


def _refusal(error: Exception, path: Path) -> FileError:
    """What the operating system says about a path that is read, with what to do about it."""
    if isinstance(error, FileNotFoundError):
        if not path.parent.is_dir():
            return FileError(
                f"{path} does not exist", why=f"there is no folder {path.parent}", fix="check the path's spelling"
            )
        siblings: list[str] = []
        with suppress(OSError):
            siblings = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
        near = lookalike(path.name, siblings)
        return FileError(
            f"{path} does not exist",
            why=f"there is {path.with_name(near)}" if near else f"{path.parent.resolve()} holds nothing similar",
            fix=f"did you mean {path.with_name(near)}?" if near else "check the path's spelling",
        )
    if isinstance(error, IsADirectoryError):
        return FileError(f"{path} is a folder", why="a file is needed", fix="name a file in it")
    if isinstance(error, PermissionError):
        return FileError(f"{path} may not be read", why="permission is denied", fix=f"chmod u+r {path}")
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return FileError(f"{path} cannot be read", why=why, fix="check the path")
