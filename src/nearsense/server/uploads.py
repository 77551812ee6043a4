"""A file in the body of a request as a Table. A process of its own reads it: bounded memory, time and answer.

What a hostile file does to its parser ends with that process. Nothing is unpacked here, nothing is written to the
disk, and no name that a client gives is ever a path.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, Literal, get_args

from nearsense.documents.worker import bound
from nearsense.errors import FileError, MissingExtra, NearsenseError
from nearsense.files.dialect import Dialect
from nearsense.files.formats import EXTENSIONS, GZIP_MAGIC, ZSTD_MAGIC, Format
from nearsense.files.reading import read_table
from nearsense.files.streams import AUTO
from nearsense.files.table import Table, json_text, json_value

MEMORY = 1 << 30
"""Bytes that reading an upload may take beyond those of the process itself."""
SECONDS = 60.0
"""How long it may take."""
ANSWER = 64 << 20
"""Bytes of all its cells as JSON."""

Taken = Literal["csv", "tsv", "jsonl", "json", "txt", "xlsx", "xls", "ods", "parquet"]
"""What may be sent: no databases, whose files can do more than hold rows, and no arrays, which hold no texts."""

Encoding = Literal[
    "auto", "utf-8", "utf-16", "latin-1", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1257", "iso-8859-2",
    "iso-8859-15", "koi8-r", "shift_jis", "euc-jp", "gb18030", "big5", "euc-kr",
]  # fmt: skip
"""Encodings that can be named: Python knows others, and some of them are none of characters."""

MEDIA_TYPES = {
    "text/csv": Format.CSV,
    "text/tab-separated-values": Format.TSV,
    "text/plain": Format.TXT,
    "application/json": Format.JSON,
    "application/jsonl": Format.JSONL,
    "application/x-ndjson": Format.JSONL,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": Format.XLSX,
    "application/vnd.ms-excel": Format.XLS,
    "application/vnd.oasis.opendocument.spreadsheet": Format.ODS,
    "application/vnd.apache.parquet": Format.PARQUET,
}

FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file itself.",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in (*MEDIA_TYPES, "application/octet-stream")
        },
    }
}
"""What the OpenAPI document says of the body of a route that takes a file."""

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from nearsense.server.uploads import serve; serve()"
)
_STDIN = "standard input"
TAKEN = get_args(Taken)
VALUED = frozenset({"text", "id", "format", "encoding", "sheet", "columns", "positive"})
"""Parameters of a query that take a value, and are options of the command as well."""
FLAGS = frozenset({"skip_empty", "remove", "dry_run"})
"""Those that say true or false."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What a client says of the file that it sends.

    Args:
        name: What the file is called, for messages and for its format: "tickets.csv".
        format: Its format, where neither the name nor the media type tells.
        media_type: Of the request.
        encoding: Of its characters, where its content does not show it.
        sheet: Of a workbook.
    """

    name: str = ""
    format: str | None = None
    media_type: str = ""
    encoding: str = AUTO
    sheet: str | None = None

    @property
    def shown(self) -> str:
        """How messages call it: its last part without what steers a terminal."""
        return re.sub(r"[^\w .()\[\]-]", "_", re.split(r"[\\/]", self.name)[-1])[:80].strip() or "the upload"

    def form(self) -> Format:
        """Its format: the one that was said, that of its name, or that of the media type.

        Raises:
            FileError: None of them tells, or it is not taken over the network.
        """
        taken = ", ".join(TAKEN)
        if self.format is not None:
            return Format(self.format)
        extension = next((each for each in EXTENSIONS if self.shown.lower().endswith(each)), "")
        form = EXTENSIONS.get(extension) or MEDIA_TYPES.get(self.media_type.partition(";")[0].strip().lower())
        if form is None:
            why = "neither its name nor its media type says so"
            raise FileError(f"{self.shown}: which format is it?", why=why, fix="add ?format=csv, or name=FILE.csv")
        if form not in TAKEN:
            what = f"{self.shown}: {form} is not taken over the network"
            raise FileError(what, why=f"taken are {taken}", fix="export it as csv or jsonl")
        return form


@dataclass(frozen=True, slots=True)
class Read:
    """A table, and what was found out on the way, a line each."""

    table: Table
    notes: tuple[str, ...] = ()


def read_upload(content: bytes, upload: Upload) -> Read:
    """The table in an upload, as the readers of the library see it.

    Raises:
        FileError: It cannot be read; line or row are named. Or it is packed, hostile, or not taken.
        MissingExtra: The library for its format is not installed here.
    """
    form = upload.form()
    if not content:
        raise FileError(f"{upload.shown} is empty", why="the request has no body", fix="send the file as the body")
    if content.startswith((GZIP_MAGIC, ZSTD_MAGIC)):
        why = "a small file can unpack to more than fits, so nothing is unpacked here"
        raise FileError(f"{upload.shown} is packed", why=why, fix="gunzip it, and send it in parts if it is large")
    asked = {"format": form.value, "encoding": upload.encoding, "sheet": upload.sheet}
    answer = _ask(content, asked, upload.shown)
    if "error" in answer:
        kind, what, why, fix = (each.replace(_STDIN, upload.shown) for each in answer["error"])
        raise (MissingExtra if kind == "MissingExtra" else FileError)(what, why=why, fix=as_query(fix))
    notes = tuple(as_query(each) for each in answer.pop("notes"))
    table = Table(**answer)
    return Read(replace(table, source=table.source.replace(_STDIN, upload.shown)), notes)


def as_query(fix: str) -> str:
    """Advice for the command as advice for a request: its options are parameters of the query here.

    Example:
        >>> as_query("name another column: --text COLUMN"), as_query("add --skip-empty to leave such rows out")
        ('name another column: ?text=COLUMN', 'add ?skip_empty=true to leave such rows out')
    """

    def parameter(found: re.Match[str]) -> str:
        name, word = found[1].replace("-", "_"), found[2]
        if name not in VALUED | FLAGS:
            return f"the command's option {found[0].removeprefix('--')}"
        if name in FLAGS:
            return f"?{name}=true{f' {word}' if word else ''}"
        return f"?{name}=... {word}" if word in ("to", "if", "for") else f"?{name}={word or '...'}"

    return re.sub(r"--([a-z][a-z-]*)(?: ([^\s,;)]+))?", parameter, fix)


@contextmanager
def told_as_query() -> Iterator[None]:
    """What is wrong with a file is told with advice for a request: see `as_query`."""
    try:
        yield
    except FileError as error:
        raise FileError(error.what, why=error.why, fix=as_query(error.fix)) from None


def _ask(content: bytes, asked: Mapping[str, str | None], name: str) -> dict[str, Any]:
    """What the process says of a content."""
    command = [sys.executable, "-c", _START, json.dumps(sys.path), json.dumps(asked)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    what, fix = f"{name} cannot be read", "open it with the program that made it, and save it as csv"
    try:
        done = subprocess.run(
            command,
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FileError(what, why=f"reading it took more than {SECONDS:g} seconds", fix=fix) from None
    if done.returncode or not done.stdout.endswith(b"\n"):
        why = f"its reader crashed, or needs more than {MEMORY / 2**30:g} GiB of memory: it may be hostile"
        raise FileError(what, why=why, fix=fix)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


# -- the process that reads


def serve() -> None:
    """Read standard input, and answer with its table as a line of JSON."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whatever a library prints
    content = sys.stdin.buffer.read()
    bound(MEMORY)
    answers.write(answer_to(content, json.loads(sys.argv[2])).encode() + b"\n")
    answers.flush()


def answer_to(content: bytes, asked: Mapping[str, Any]) -> str:
    """The table of a content as a line of JSON; what was wrong with it where there is none."""
    from nearsense._notes import told_to

    notes: list[str] = []
    damaged, fix = f"{_STDIN} cannot be read", "open it with the program that made it, and save it as csv"
    try:
        with told_to(notes.append):
            table = read_table(
                "-",
                format=asked["format"],
                encoding=asked["encoding"],
                stdin=BytesIO(content),
                dialect=Dialect(sheet=asked["sheet"]),
            )
        return _as_json(table, notes)
    except MemoryError:
        return _error("FileError", damaged, "it needs more memory than an upload may: it may be hostile", fix)
    except RecursionError:
        return _error("FileError", damaged, "it is nested too deep: it may be hostile", fix)
    except NearsenseError as error:
        return _error(type(error).__name__, error.what, error.why, error.fix)
    except Exception as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        return _error("FileError", damaged, f"it is damaged, or not of the format that was said: {why}", fix)


def _as_json(table: Table, notes: list[str]) -> str:
    """A table as a line of JSON, without vectors: here a model of the operator makes them."""
    columns = {name: [json_value(cell) for cell in cells] for name, cells in table.columns.items()}
    told = json_text(
        {
            "columns": columns,
            "lines": table.lines,
            "source": table.source,
            "unit": table.unit,
            "untyped": table.untyped,
            "anew": table.anew,
            "notes": notes,
        }
    )
    if len(told) > ANSWER:
        why = f"it has more than {ANSWER >> 20} MiB of cells once it is unpacked"
        raise FileError(f"{_STDIN} is too large", why=why, fix="keep the columns that are needed, or split it")
    return told


def _error(*parts: str) -> str:
    return json.dumps({"error": parts})
