"""Tables, vectors and some rows of a file into files, row by row where that can be. Not how a file gets its name.

Excel, LibreOffice and Google Sheets run a cell of csv that begins with = + - or @ (after a tab or a line end,
too), wherever its text came from. An apostrophe before it makes it a text. That changes data, so it is not done
unasked. In a workbook (xlsx.py) a cell says that it is a text: nothing is changed there, and nothing runs.
"""

from __future__ import annotations

import codecs
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from io import BytesIO
from itertools import chain
from typing import Any, BinaryIO

from nearsense._paths import exists, is_file, is_folder
from nearsense.errors import FileError, InputError
from nearsense.files.dialect import PLAIN, Dialect
from nearsense.files.formats import Format, compressed, compression_of, format_of, sniff
from nearsense.files.markdown import write_markdown
from nearsense.files.parquet import copy_rows, require_parquet, write_parquet, write_parquet_vectors
from nearsense.files.reading import read_table
from nearsense.files.streams import AUTO, atomic_write, file_errors, open_source, require_place
from nearsense.files.table import json_text, json_value
from nearsense.files.vectors import (
    VectorParts,
    VectorRows,
    description,
    escape_field,
    require_finite,
    vectors_as_json,
    write_npy,
)
from nearsense.files.xlsx import require_xlsx, write_xlsx
from nearsense.records import Vectors


def write_table(
    path: str | os.PathLike[str],
    rows: Iterable[Mapping[str, Any]],
    *,
    columns: Sequence[str] | None = None,
    format: str | None = None,  # noqa: A002 - the flag's name
) -> int:
    """Write rows as csv, tsv, xlsx, json, jsonl, parquet or md; the file is there whole or not at all.

    Values are written as JSON has them: numpy's as Python's, dates as ISO 8601, NaN as null. In csv, tsv, xlsx and
    md a text stands as it is, None is empty, and lists and objects are their JSON. All but parquet and xlsx are
    written while `rows` come. The extension of `path` names the format where `format` does not; `.gz` and `.zst`
    compress; "-" is standard output. `columns` are names in order, without it those of the first row, in jsonl and
    json each row's own; elsewhere no row may have others, and missing ones are empty. Returns how many rows were
    written.

    Example:
        >>> write_table("-", [{"id": 1, "text": "a, b"}], format="jsonl")
        {"id": 1, "text": "a, b"}
        1
    """
    form = require_table_target(path, format)
    count = 0

    def counted() -> Iterator[Mapping[str, Any]]:
        nonlocal count
        for row in rows:
            yield row
            count += 1

    with atomic_write(path) as stream, compressed(stream, compression_of(str(path))) as file:
        try:
            if form in _TABLES:
                _TABLES[form](file, *_named(counted(), columns))
            else:
                write = _write_array if form is Format.JSON else _write_lines
                write(file, (_as_json(row, columns) for row in counted()))
        except UnicodeEncodeError as error:
            why = f"no encoding can write it, {form.value} cannot escape it"
            fix = "write it as jsonl, or clean the text first"
            raise FileError(f"{path}: row {count + 1} holds half a surrogate pair", why=why, fix=fix) from error
    return count


def require_table_target(path: str | os.PathLike[str], format: str | None = None) -> Format:  # noqa: A002
    """The format of a name that `write_table` can write to; others are refused before the rows are made."""
    form = format_of(str(path), format, _WRITTEN)
    if form in _LIBRARIES:
        _LIBRARIES[form]()
    return form


def _named(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None
) -> tuple[list[str], Iterator[Mapping[str, Any]]]:
    """The columns' names, and the rows checked against them."""
    remaining = iter(rows)
    first = next(remaining, None)
    names = list(columns if columns is not None else first or ())
    known = set(names)

    def checked() -> Iterator[Mapping[str, Any]]:
        for number, row in enumerate(chain([] if first is None else [first], remaining), 1):
            if not known.issuperset(row):
                other = next(name for name in row if name not in known)
                why = f"the columns are {', '.join(names)}"
                fix = "name all with columns=[...], or write jsonl"
                raise InputError(f"row {number} has a column {other!r} that the others lack", why=why, fix=fix)
            yield row

    return names, checked()


class _Lines:
    """What csv writes into: records end with CR LF there, so that it quotes both, and with LF in the file."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, record: str) -> None:
        self._stream.write((record[:-2] + "\n").encode())


def _write_csv(
    stream: BinaryIO, names: Sequence[str], rows: Iterable[Mapping[str, Any]], delimiter: str = ","
) -> None:
    import csv

    if not names:
        return

    def cell(value: Any) -> str:
        return "" if value is None else csv_cell(value) if isinstance(value, str) else json_text(value)

    # Quoted where a name could be taken for several, whatever the delimiter: the reader finds it from here.
    header = [csv_cell(name) for name in names]
    if any(sign in name for name in header for sign in ',;|\t"\r\n'):
        header = ['"' + name.replace('"', '""') + '"' for name in header]
    stream.write((delimiter.join(header) + "\n").encode())
    writer = csv.writer(_Lines(stream), delimiter=delimiter, lineterminator="\r\n")
    writer.writerows([cell(json_value(row.get(name))) for name in names] for row in rows)


def _as_json(row: Mapping[str, Any], columns: Sequence[str] | None) -> bytes:
    return json_text(json_value(row if columns is None else {name: row.get(name) for name in columns})).encode()


def _write_lines(stream: BinaryIO, values: Iterable[bytes]) -> None:
    for value in values:
        stream.write(value + b"\n")


def _write_array(stream: BinaryIO, values: Iterable[bytes]) -> None:
    """Write values, each JSON already, as an array with a line for each."""
    before = b"[\n"
    for value in values:
        stream.write(before + value)
        before = b",\n"
    stream.write(b"[]\n" if before == b"[\n" else b"\n]\n")


_TABLES: dict[Format, Callable[[BinaryIO, Sequence[str], Iterable[Mapping[str, Any]]], None]] = {
    Format.CSV: _write_csv,
    Format.TSV: partial(_write_csv, delimiter="\t"),
    Format.PARQUET: write_parquet,
    Format.XLSX: write_xlsx,
    Format.MD: write_markdown,
}
"""What writes rows that all have the same columns."""
_WRITTEN = (*_TABLES, Format.JSON, Format.JSONL)
_LIBRARIES: dict[Format, Callable[[], Any]] = {Format.PARQUET: require_parquet, Format.XLSX: require_xlsx}
"""What finds the library of a format, or says what to install."""


def require_vectors_target(path: str | os.PathLike[str]) -> None:
    """Refuse a name that `write_vectors` could not write to, before the vectors are made."""
    format_of(str(path), None, VECTOR_WRITERS)
    require_place(path)


def write_vectors(
    path: str | os.PathLike[str],
    vectors: Vectors,
    *,
    ids: Sequence[str] | None = None,
    texts: Sequence[str] | None = None,
    metadata: Sequence[Mapping[str, Any]] | None = None,
    format: str | None = None,  # noqa: A002 - the flag's name
) -> None:
    """Write vectors as npy, jsonl or parquet, with the model that made them inside the file.

    * npy: `np.load(path)` reads the matrix, also with `mmap_mode="r"`; all else stands behind it (see vectors.py).
    * jsonl: `{"id", "text", ..., "vector", "truncated", "model", "fingerprint", "read_as"}` a line; nine digits a
      number, which is what a float32 needs to come back bit for bit.
    * parquet: columns id, text, ..., vector (fixed size, float32), truncated; the model is in the schema's
      metadata under "nearsense".

    `ids`, `texts` and `metadata` (JSON values by name) are one a vector. Metadata fields stand where the dots are,
    and `read_table` gives them back as columns; what only some rows have is None in others. In jsonl and parquet
    one whose name is taken there, as "model" is, is called "metadata.model"; it comes back as "model".

    Example:
        >>> import numpy as np
        >>> vectors = Vectors(np.array([[0.6, 0.8]], np.float32), "ab12", np.array([False]), "small")
        >>> write_vectors("-", vectors, ids=["7"], format="jsonl")
        {"id": "7", "vector": [0.600000024,0.800000012], "truncated": false, "model": "small", ...}
    """
    form = format_of(str(path), format, VECTOR_WRITERS)
    for name, values in (("ids", ids), ("texts", texts), ("metadata", metadata)):
        if values is not None and len(values) != len(vectors):
            raise InputError(f"{len(values)} {name} for {len(vectors)} vectors", fix="give one for each vector")
    if not vectors.dimension:
        raise InputError("the vectors have no dimension", why=f"their shape is {vectors.data.shape}")
    for field in ("id", "text"):
        if any(field in row for row in metadata or ()):
            why = f"that is what a file calls the {field}s of its documents"
            raise InputError(f"a metadata field is called {field!r}", why=why, fix="rename the field")
    require_finite(vectors.data, str(path))
    given = {name: values for name, values in (("id", ids), ("text", texts)) if values is not None}
    write_vector_parts(path, VectorParts.of(VectorRows(vectors, given, metadata)), VECTOR_WRITERS[form])


def write_vector_parts(
    path: str | os.PathLike[str], rows: VectorParts, write: Callable[[BinaryIO, VectorParts], None]
) -> None:
    """Write vectors as they come, with one of `VECTOR_WRITERS` or its like; whole or not at all."""
    with atomic_write(path) as stream, compressed(stream, compression_of(str(path))) as file:
        write(file, rows)


def _write_jsonl_vectors(stream: BinaryIO, rows: VectorParts) -> None:
    for part in rows.parts():
        tail = json.dumps(description(part.vectors))[1:]
        cuts = part.vectors.truncated.tolist()
        for row, (listed, cut) in enumerate(zip(vectors_as_json(part.vectors.data), cuts, strict=True)):
            fields: dict[str, Any] = {name: column[row] for name, column in part.given.items()}
            if part.metadata is not None:
                fields |= {escape_field(str(name)): value for name, value in part.metadata[row].items()}
            head = _as_json(fields, None)[:-1] + (b", " if fields else b"")
            stream.write(head + f'"vector": {listed}, "truncated": {json.dumps(cut)}, {tail}\n'.encode())


VECTOR_WRITERS: dict[Format, Callable[[BinaryIO, VectorParts], None]] = {
    Format.NPY: write_npy,
    Format.JSONL: _write_jsonl_vectors,
    Format.PARQUET: write_parquet_vectors,
}


_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d+)*|\.\d+)([eE][+-]?\d+)?\s*%?")

_ESCAPING: ContextVar[bool] = ContextVar("formulas escaped", default=False)


@contextmanager
def formulas_escaped(on: bool = True) -> Iterator[None]:
    """Write csv and tsv within the block so that no cell is a formula."""
    token = _ESCAPING.set(on)
    try:
        yield
    finally:
        _ESCAPING.reset(token)


def csv_cell(text: str) -> str:
    """A text as a cell of a table: where it is asked for, a formula as a text; numbers stay numbers."""
    if not _ESCAPING.get() or not _FORMULA.match(text) or _NUMBER.fullmatch(text.strip(" ")):
        return text
    return f"'{text}"


_COPIES = (*_WRITTEN, Format.TXT, Format.NPY)
"""Formats that a copy may have."""


class Original:
    """A file whose rows can be copied into another, all else as it was.

    Where both files have one format, lines of txt, csv, tsv and jsonl are copied as they stand, values of json as
    values and rows of parquet with their types; otherwise the cells are written as `write_table` does.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        format: str | None = None,  # noqa: A002 - the flag's name
        encoding: str = AUTO,
        dialect: Dialect = PLAIN,
    ) -> None:
        name = str(path)
        self._encoding = encoding
        if name == "-" or (exists(name) and not is_file(name) and not is_folder(name)):
            content = open_source(path).content
            self.table = read_table("-", format=format, encoding=encoding, stdin=BytesIO(content), dialect=dialect)
            self._source = open_source("-", BytesIO(content))
            with self._source.open() as stream:
                self.format = sniff(stream.read()) if format is None else format_of(name, format)
        else:
            self.table = read_table(path, format=format, encoding=encoding, dialect=dialect)
            self._source, self.format = open_source(path), format_of(name, format)

    def target_format(self, path: str | os.PathLike[str]) -> Format:
        """The format that a copy of that name has: its own by its extension, the original's for "-"."""
        form = self.format if str(path) == "-" else format_of(str(path), None, _COPIES)
        if form in _LIBRARIES:
            _LIBRARIES[form]()
        if form is not self.format and form in (Format.TXT, *([] if self.table.vectors else [Format.NPY])):
            what = f"{path} would be {form.value}, {self.table.source} is {self.format.value}"
            why = "that format cannot hold its columns"
            raise FileError(what, why=why, fix=f"name a .{self.format.value} file, or .csv, .jsonl")
        return form

    def copy(self, path: str | os.PathLike[str], rows: Sequence[int]) -> None:
        """Write some rows; the file is there whole or not at all."""
        form = self.target_format(path)
        altered = form in (Format.NPY, Format.XLSX) or (_ESCAPING.get() and form in (Format.CSV, Format.TSV))
        if form is self.format and not altered and not self.table.anew:
            copy = {Format.JSON: self._copy_json, Format.PARQUET: self._copy_parquet}.get(form, self._copy_lines)
            kind = compression_of(str(path))
            try:
                with file_errors(self._source), atomic_write(path) as stream, compressed(stream, kind) as file:
                    copy(file, rows)
            except FileError as error:
                cause = error.__cause__  # the original was read before: what is in the way is the pipe
                if isinstance(cause, BrokenPipeError) or (str(path) == "-" and isinstance(cause, OSError)):
                    raise cause from None
                raise
            return
        columns = self.table.columns
        if self.table.vectors is not None and form in (Format.NPY, Format.JSONL, Format.PARQUET):
            rest = [{n: c[row] for n, c in columns.items() if n not in ("id", "text")} for row in rows]
            named = [name for name in ("id", "text") if name in columns]
            own = {f"{name}s": [str(columns[name][row]) for row in rows] for name in named}
            write_vectors(path, self.table.vectors.take(rows), metadata=rest, format=form.value, **own)
            return
        records = ({name: column[row] for name, column in columns.items()} for row in rows)
        write_table(path, records, columns=list(columns), format=form.value)

    def _copy_lines(self, stream: BinaryIO, rows: Sequence[int]) -> None:
        """The lines of each row, and those before the first, as they stand."""
        chosen, begins, row = set(rows), self.table.lines, -1
        blank = not self.table.untyped  # txt and jsonl: a blank line belongs to no row
        utf8 = self._source.resolved(self._encoding).startswith("utf-8")
        if utf8 and self._source.head.startswith(codecs.BOM_UTF8):
            stream.write(codecs.BOM_UTF8)  # without it some spreadsheets take the copy for another encoding
        with self._source.characters(self._encoding, newline="") as text:
            for number, line in enumerate(text, 1):
                while row + 1 < len(begins) and number >= begins[row + 1]:
                    row += 1
                if (row in chosen or (row < 0 and not blank)) and not (blank and not line.strip()):
                    stream.write(line.encode())

    def _copy_json(self, stream: BinaryIO, rows: Sequence[int]) -> None:
        """The values of an array, or of each column."""
        with self._source.characters(self._encoding) as text:
            value = json.loads(text.read())
        if isinstance(value, dict):
            chosen: Any = {name: [column[row] for row in rows] for name, column in value.items()}
            stream.write(json_text(chosen).encode() + b"\n")
            return
        _write_array(stream, (json_text(value[row]).encode() for row in rows))

    def _copy_parquet(self, stream: BinaryIO, rows: Sequence[int]) -> None:
        """Rows with the types and the metadata of their schema."""
        with self._source.open() as held:
            copy_rows(held.read(), rows, stream)
