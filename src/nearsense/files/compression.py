"""gzip and zstd as plain streams of bytes. Not which file is wrapped in what: see formats.py."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from nearsense._optional import require
from nearsense.files.formats import Compression

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["is_damage", "packed", "unpacked"]

BLOCK = 1 << 20


def unpacked(stream: BinaryIO, compression: Compression) -> BinaryIO:
    """A stream of the plain bytes; closing it closes `stream`.

    Raises:
        MissingExtra: It is zstd and the package zstandard is not installed.
    """
    if compression is Compression.GZIP:
        return _gunzip(stream)
    if compression is Compression.ZSTD:
        return cast(BinaryIO, io.BufferedReader(_Unzstd(stream), BLOCK))
    return stream


def _gunzip(stream: BinaryIO) -> BinaryIO:
    from gzip import GzipFile

    class _Gunzip(GzipFile):
        """GzipFile leaves a stream that it was given open."""

        def close(self) -> None:
            super().close()
            stream.close()

    return cast(BinaryIO, _Gunzip(fileobj=stream, mode="rb"))


class _Unzstd(io.RawIOBase):
    """Frame after frame of zstd; unlike zstandard's own reader it does not take a file cut short for whole."""

    def __init__(self, stream: BinaryIO) -> None:
        self._module = _zstandard()
        self._stream = stream
        self._frame: Any = None
        self._rest, self._plain = b"", memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        while not self._plain:
            packed = self._rest or self._stream.read(BLOCK)
            if not packed:
                if self._frame is not None:
                    raise EOFError("the last zstd frame is not complete")
                return 0
            if self._frame is None:
                self._frame = self._module.ZstdDecompressor().decompressobj()
            self._plain = memoryview(self._frame.decompress(packed))
            self._rest = b""
            if self._frame.eof:
                self._rest, self._frame = self._frame.unused_data, None
        view = memoryview(buffer).cast("B")
        size = min(len(view), len(self._plain))
        view[:size], self._plain = self._plain[:size], self._plain[size:]
        return size

    def close(self) -> None:
        super().close()
        self._stream.close()


@contextmanager
def packed(stream: BinaryIO, compression: Compression) -> Iterator[BinaryIO]:
    """A stream that writes what it is given into `stream`, compressed; leaving it completes the file.

    gzip's header gets no time and no name, so equal contents make equal files.

    Raises:
        MissingExtra: It is zstd and the package zstandard is not installed.
    """
    if compression is Compression.GZIP:
        from gzip import GzipFile

        with GzipFile(filename="", fileobj=stream, mode="wb", compresslevel=6, mtime=0) as wrapped:
            yield cast(BinaryIO, wrapped)
    elif compression is Compression.ZSTD:
        with _zstandard().ZstdCompressor(write_checksum=True).stream_writer(stream, closefd=False) as wrapped:
            yield cast(BinaryIO, wrapped)
    else:
        yield stream


def is_damage(error: BaseException) -> bool:
    """Whether an error means that compressed bytes are damaged or cut short."""
    import zlib
    from gzip import BadGzipFile

    # zstandard's class is told by its name: asking for the class would need the package.
    return isinstance(error, (EOFError, zlib.error, BadGzipFile)) or type(error).__name__ == "ZstdError"


def _zstandard() -> Any:
    return require("zstandard", extra="zstd", purpose="reading and writing .zst files")
