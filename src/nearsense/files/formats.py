"""Which format and which compression a file has, by name or by its first bytes. Not how either is read."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from nearsense._optional import require
from nearsense.errors import FileError
from nearsense.records import parse

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Format(StrEnum):
    """How a file holds its rows."""

    TXT = "txt"
    """One text a line."""
    CSV = "csv"
    """A header and records; the delimiter is found from the header."""
    TSV = "tsv"
    """A header and records, separated by tabs."""
    JSON = "json"
    """An array of objects or of strings, or one object of columns."""
    JSONL = "jsonl"
    """One object or one string a line."""
    PARQUET = "parquet"
    """Columns, by pyarrow."""
    NPY = "npy"
    """One float32 matrix, as numpy saves it."""
    XLSX = "xlsx"
    """A workbook, as Excel writes it."""
    XLS = "xls"
    """A workbook, as Excel wrote it before 2007."""
    ODS = "ods"
    """A workbook, as LibreOffice writes it."""
    SQLITE = "sqlite"
    """An SQLite database."""
    DUCKDB = "duckdb"
    """A DuckDB database."""
    MD = "md"
    """A table in Markdown, for people: it is written, never read."""


class Compression(StrEnum):
    """What a file is wrapped in."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


EXTENSIONS = {
    ending: form
    for form, endings in {
        Format.TXT: (".txt", ".log"),
        Format.CSV: (".csv",),
        Format.TSV: (".tsv", ".tab"),
        Format.JSON: (".json", ".geojson", ".jsonld"),
        Format.JSONL: (".jsonl", ".ndjson"),
        Format.PARQUET: (".parquet",),
        Format.NPY: (".npy",),
        Format.XLSX: (".xlsx", ".xlsm"),
        Format.XLS: (".xls",),
        Format.ODS: (".ods",),
        Format.SQLITE: (".sqlite", ".sqlite3", ".db"),
        Format.DUCKDB: (".duckdb",),
        Format.MD: (".md",),
    }.items()
    for ending in endings
}
READ = tuple(form for form in Format if form is not Format.MD)
COMPRESSIONS = {".gz": Compression.GZIP, ".zst": Compression.ZSTD}

GZIP_MAGIC, ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
PARQUET_MAGIC, NPY_MAGIC = b"PAR1", b"\x93NUMPY"

# What people hand over by mistake; the first bytes tell, whatever the name says.
STRANGERS = {
    GZIP_MAGIC: "a gzip file inside another",
    ZSTD_MAGIC: "a zstd file inside another",
    PARQUET_MAGIC: "a parquet file",
    NPY_MAGIC: "a numpy file",
    b"PK\x03\x04": "an Excel workbook or another zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file",
    b"%PDF-": "a PDF",
    b"SQLite format 3\x00": "an SQLite database",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"ARROW1": "an Arrow file",
}


_CONTROL = re.compile(rb"[\x00-\x08]")


def stranger(head: bytes) -> str:
    r"""What a content that should be text is instead, by its first bytes, or "".

    A text may begin with a magic's letters; it has none of the control characters that follow them elsewhere.
    """
    if not _CONTROL.search(head):
        return ""
    return next((kind for magic, kind in STRANGERS.items() if head.startswith(magic)), "")


def _split(name: str) -> tuple[str, str]:
    """A file's name in lower case without its compression's extension, and that extension or ""."""
    name = name.lower()
    packed = next((extension for extension in COMPRESSIONS if name.endswith(extension)), "")
    return name.removesuffix(packed), packed


def compression_of(name: str) -> Compression:
    """What a file of that name should be wrapped in."""
    return COMPRESSIONS.get(_split(name)[1], Compression.NONE)


def format_of(name: str, asked: str | None, allowed: Collection[Format] = READ) -> Format:
    """The format that was asked for, else the one that the name's extension stands for."""
    form = None if asked is None else parse(Format, asked, name="format")
    if form is None:
        inner = _split(name)[0]
        form = next((each for extension, each in EXTENSIONS.items() if inner.endswith(extension)), None)
    if form is None or (allowed is READ and form not in READ):
        known = ", ".join(extension for extension, each in EXTENSIONS.items() if each in allowed)
        why, fix = f"known are {known}, each also with .gz or .zst", f"end its name in one of {known}"
        if allowed is READ:
            fix = f"rename it, or add --format {'|'.join(READ)}"
        raise FileError(f"{name}: the extension says nothing about its format", why=why, fix=fix)
    if form not in allowed:
        why = f"it takes {' or '.join(form.value for form in Format if form in allowed)}"
        raise FileError(f"{name}: {form.value} cannot hold this", why=why, fix="choose another extension")
    return form


_NAMED = re.compile(r'[ ]*("?) *sep *= *(\\t|[^\w"\r\n]) *\1(?:\2| )*(?=[\r\n]|$)', re.IGNORECASE)


def named_delimiter(head: str) -> str:
    r"""What separates the fields, where the first line of a csv file says so for Excel; else ""."""
    found = _NAMED.match(head.lstrip("\ufeff"))
    return "" if found is None else "\t" if found[2] == r"\t" else found[2]


def header_of(content: bytes) -> str:
    r"""The first line, where it looks like the header of a csv or tsv file; else "".

    It does where it has a delimiter, all its cells are short words, and the second line has the delimiter too.
    """
    first, second = [*content[:4096].decode("utf-8", "replace").splitlines(), "", ""][:2]
    if named_delimiter(first):
        return first
    for delimiter in "\t,;|":
        cells = first.split(delimiter)
        if len(cells) > 1 and delimiter in second and all(cell.strip('"').isidentifier() for cell in cells):
            return first
    return ""


def sniff(content: bytes) -> Format:
    """The format of a whole content without a name, as from standard input.

    `[` begins json. `{` begins jsonl, or json where the first line is no object by itself or all there is is one
    object of columns. parquet, npy, workbooks and SQLite have their magic. All else is txt.
    """
    import json

    for magic, form in ((PARQUET_MAGIC, Format.PARQUET), (NPY_MAGIC, Format.NPY)):
        if content.startswith(magic) and stranger(content[:1024]):
            return form
    if content.startswith(b"PK\x03\x04") and (
        b"xl/workbook" in content or b"opendocument.spreadsheet" in content[:200]
    ):
        return Format.XLSX
    if content.startswith(b"SQLite format 3\x00"):
        return Format.SQLITE
    content = content.removeprefix(b"\xef\xbb\xbf").strip()
    if content.startswith(b"["):
        return Format.JSON
    if not content.startswith(b"{"):
        return Format.TXT
    first, _, rest = content.partition(b"\n")
    if not first.rstrip().endswith(b"}"):
        return Format.JSON
    if rest:
        return Format.JSONL
    try:
        values = list(json.loads(first).values())
    except (ValueError, RecursionError):
        return Format.JSONL
    return Format.JSON if values and all(isinstance(value, list) for value in values) else Format.JSONL


BLOCK = 1 << 20


def decompressed(stream: BinaryIO, compression: Compression) -> BinaryIO:
    """A stream of the plain bytes; closing it closes `stream`."""
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
def compressed(stream: BinaryIO, compression: Compression) -> Iterator[BinaryIO]:
    """A stream that writes what it is given into `stream`, compressed; leaving it completes the file.

    gzip's header gets no time and no name, so equal contents make equal files.
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
