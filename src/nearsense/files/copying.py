"""Some rows of a file into another, all else as it was. Not which rows those are.

Where both files have one format, lines of txt, csv, tsv and jsonl are copied as they stand, values of json as
values and rows of parquet with their types; otherwise the cells are written as `write_table` does.
"""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any, BinaryIO

from nearsense.errors import FileError
from nearsense.files.formats import Format, compressed, compression_of, format_of, sniff
from nearsense.files.parquet import copy_rows
from nearsense.files.reading import read_table
from nearsense.files.streams import Source, atomic_write, file_errors, open_source
from nearsense.files.table import Table, json_text
from nearsense.files.writing import ESCAPING, write_array, write_table, write_vectors


class Original:
    """A file whose rows can be copied."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        format: str | None = None,  # noqa: A002 - the flag's name
        encoding: str = "utf-8",
    ) -> None:
        from pathlib import Path

        name = str(path)
        self._encoding = encoding
        if name == "-" or (not Path(name).is_file() and Path(name).exists() and not Path(name).is_dir()):
            content = open_source(path).content
            self.table = read_table("-", format=format, encoding=encoding, stdin=BytesIO(content))
            self._source = open_source("-", BytesIO(content))
            with self._source.open() as stream:
                self.format = sniff(stream.read()) if format is None else format_of(name, format)
        else:
            self.table = read_table(path, format=format, encoding=encoding)
            self._source, self.format = open_source(path), format_of(name, format)

    def target_format(self, path: str | os.PathLike[str]) -> Format:
        """The format that a copy of that name has: its own by its extension, the original's for "-"."""
        form = self.format if str(path) == "-" else format_of(str(path), None)
        if form is not self.format and form in (Format.TXT, *([] if self.table.vectors else [Format.NPY])):
            what = f"{path} would be {form.value}, {self.table.source} is {self.format.value}"
            why = "that format cannot hold its columns"
            raise FileError(what, why=why, fix=f"name a .{self.format.value} file, or .csv, .jsonl")
        return form

    def copy(self, path: str | os.PathLike[str], rows: Sequence[int]) -> None:
        """Write some rows; the file is there whole or not at all."""
        form = self.target_format(path)
        altered = ESCAPING.get() and form in (Format.CSV, Format.TSV)
        if form is self.format and form in _COPIES and not altered:
            kind = compression_of(str(path))
            try:
                with (
                    file_errors(self._source),
                    atomic_write(path) as stream,
                    compressed(stream, kind) as file,
                ):
                    _COPIES[form](file, self._source, self._encoding, self.table, rows)
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


def _copy_lines(stream: BinaryIO, source: Source, encoding: str, table: Table, rows: Sequence[int]) -> None:
    """The lines of each row, and those before the first, as they stand."""
    chosen, begins, row = set(rows), table.lines, -1
    blank = not table.untyped  # txt and jsonl: a blank line belongs to no row
    if source.head.startswith(codecs.BOM_UTF8) and codecs.lookup(encoding).name.startswith("utf-8"):
        stream.write(codecs.BOM_UTF8)  # without it some spreadsheets take the copy for another encoding
    with source.characters(encoding, newline="") as text:
        for number, line in enumerate(text, 1):
            while row + 1 < len(begins) and number >= begins[row + 1]:
                row += 1
            if (row in chosen or (row < 0 and not blank)) and not (blank and not line.strip()):
                stream.write(line.encode())


def _copy_json(stream: BinaryIO, source: Source, encoding: str, table: Table, rows: Sequence[int]) -> None:
    """The values of an array, or of each column."""
    with source.characters(encoding) as text:
        value = json.loads(text.read())
    if isinstance(value, dict):
        chosen: Any = {name: [column[row] for row in rows] for name, column in value.items()}
        stream.write(json_text(chosen).encode() + b"\n")
        return
    write_array(stream, (json_text(value[row]).encode() for row in rows))


def _copy_parquet(stream: BinaryIO, source: Source, encoding: str, table: Table, rows: Sequence[int]) -> None:
    """Rows with the types and the metadata of their schema."""
    with source.open() as held:
        copy_rows(held.read(), rows, stream)


_COPIES: dict[Format, Callable[[BinaryIO, Source, str, Table, Sequence[int]], None]] = {
    Format.TXT: _copy_lines,
    Format.CSV: _copy_lines,
    Format.TSV: _copy_lines,
    Format.JSONL: _copy_lines,
    Format.JSON: _copy_json,
    Format.PARQUET: _copy_parquet,
}
