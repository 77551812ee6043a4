"""A file of any known format as a Table. Not which column is the text: see columns.py."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from nearsense._notes import tell
from nearsense._paths import is_file
from nearsense.errors import FileError
from nearsense.files.columns import spread
from nearsense.files.dialect import PLAIN, Dialect
from nearsense.files.formats import Format, format_of, header_of, sniff
from nearsense.files.names import is_known
from nearsense.files.parquet import read_parquet
from nearsense.files.streams import AUTO, Source, file_errors, is_utf8, open_source
from nearsense.files.table import Table, columns_of, first_repeated
from nearsense.files.vectors import VectorColumn, read_npy
from nearsense.records import shown

DEEPEST = 100
"""How deep a row may be nested; a collection keeps no more, and many programs cannot read it."""

_EMPTY_FIX = "give a file that holds something"


def read_table(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,  # noqa: A002 - the flag's name
    encoding: str = AUTO,
    stdin: BinaryIO | None = None,
    dialect: Dialect = PLAIN,
) -> Table:
    r"""Read a file, whatever its format.

    The extension names the format; `.gz` and `.zst` are looked past, and both are also known by their first bytes.
    Standard input and pipes without `format` are told by their content: `[` begins json; `{` jsonl, or one json
    document; parquet and npy have their magic; all else is txt, unless its first line looks like a
    table's header: then `format` is asked for.

    * txt: one text a line in the column "text"; blank lines are no texts.
    * csv: the header decides between `,` `;` tab and `|`; where the records do not hold together so, other ways
      are tried. tsv: tabs. Where a file with tabs does not hold together with quoted fields, its quotation marks
      are taken as they stand. A first line that is no header is a row (see grid.py).
    * jsonl: one object or one string a line. json: an array of either, one object of columns, or a document with
      such rows in it (see shapes.py).
    * xlsx, xls, ods: a sheet. sqlite, duckdb: the only table, or what `dialect.sql` asks for.
    * parquet: any; npy: one float32 matrix of shape (n, d).

    What is no UTF-8 is read as UTF-16 or in the encoding that its letters show, where none is named. An address
    (https://, s3://) is fetched. `dialect` says what the content does not. What was found out is said to whoever
    listens (`_notes`). Vectors that `write_vectors` stored come back in `Table.vectors`; their ids, texts and
    metadata as columns. "-" is standard input, or `stdin`. An encoding is named as Python does; a byte order mark
    is never part of the text. What is not in order is a FileError that names file and line.

    Example:
        >>> import io
        >>> table = read_table("-", format="csv", stdin=io.BytesIO(b"id;text\n7;hello\n"))
        >>> table.columns, table.lines, table.source
        ({'id': ['7'], 'text': ['hello']}, [2], 'standard input')
    """
    form: Format | None
    if "://" in str(path) and (fetched := _fetched(str(path))) is not None:
        source, form = fetched, format_of(fetched.name, format)
    else:
        form = None if str(path) == "-" and format is None else _named_format(path, format)
        source = open_source(path, stdin)
    with file_errors(source):
        if form is None:
            with source.open() as stream:
                content = stream.read()
                form = sniff(content)
            if form is Format.TXT and (header := header_of(content)):
                why = "that looks like the header of a table, and nothing says which format it is"
                fix = "add --format csv (or tsv), or --format txt if each line is a text"
                raise FileError(f"{source.name} begins with {header[:80]!r}", why=why, fix=fix)
        if form is Format.XLS and not source.head.startswith((b"PK", b"\xd0\xcf")):
            form = Format.CSV  # what programs call Excel is often a table of text
        if dialect.sheet and form not in _WORKBOOKS:
            why = f"it is {form.value}, and sheets are of workbooks: xlsx, xls, ods"
            raise FileError(f"{source.name} has no sheets", why=why, fix="leave --sheet out")
        if form not in _TEXTS:
            return _binary_table(source, form, dialect)
        if form is Format.TXT and format is None and (table := _tabbed(source, encoding, dialect)) is not None:
            return table
        return _text_table(source, form, encoding, dialect)


def _fetched(address: str) -> Source | None:
    """What lies at an address; None where it is none."""
    from nearsense.files.remote import fetched, is_address

    return fetched(address) if is_address(address) else None


def _binary_table(source: Source, form: Format, dialect: Dialect) -> Table:
    if form is Format.PARQUET:
        return read_parquet(source)
    if form is Format.NPY:
        return read_npy(source)
    if form in _WORKBOOKS:
        from nearsense.files.workbooks import read_workbook

        return read_workbook(source, dialect)
    from nearsense.files.databases import read_database

    return read_database(source, form, dialect.sql)


def _text_table(source: Source, form: Format, encoding: str, dialect: Dialect) -> Table:
    """A file of characters; without a named encoding as UTF-8, and where it is none in the one that it shows."""
    read = _TEXTS[form]
    if encoding != AUTO:
        return read(source, encoding, dialect)
    first = source.evident()
    try:
        table = read(source, first, dialect)
    except FileError as error:
        if not isinstance(error.__cause__, UnicodeDecodeError) or first != "utf-8" or source.looks_binary():
            raise
        first = source.guessed()
        table = read(source, first, dialect)
    if first != "utf-8":
        tell(f"encoding: {first}; --encoding to choose another")
    return table


def _tabbed(source: Source, encoding: str, dialect: Dialect) -> Table | None:
    """A txt file whose lines all have as many tabs, below a line of names, as the table that it is; else None.

    Excel's "Unicode text" is one, whatever its first line is.
    """
    if b"\t" not in source.head:
        return None
    own = encoding
    if own == AUTO and (own := source.evident()) == "utf-8" and not is_utf8(source.head.rpartition(b"\n")[0]):
        own = source.guessed()
    with source.characters(own) as stream:
        lines = [line for line in stream.read(1 << 14).splitlines() if line.strip()]
    counts = {line.count("\t") for line in (lines[:-1] if len(lines) > 2 else lines)}
    if len(lines) < 2 or len(counts) != 1 or counts == {0}:
        return None
    if encoding != AUTO or not own.startswith("utf-16"):
        names = [name.strip() for name in lines[0].split("\t")]
        if not all(names) or len(set(names)) < len(names) or not any(map(is_known, names)):
            return None
        tell("each line has as many tabs, below names: a table; --format txt for a text in each line")
    return _text_table(source, Format.TSV, encoding, dialect)


def _named_format(path: str | os.PathLike[str], asked: str | None) -> Format | None:
    """The format by flag or name; None for a pipe whose name says nothing."""
    file = Path(path)
    try:
        return format_of(str(path), asked)
    except FileError:
        # A file that is not there, or a folder, is worth saying before anything about its extension.
        if is_file(file) and (form := _evident_format(file)) is None:
            raise
        return form if is_file(file) else None


def _evident_format(file: Path) -> Format | None:
    """The format that a file of an unknown name shows by itself; None where it may be any text."""
    with file_errors(source := open_source(file)), source.open() as stream:
        form = sniff(stream.read())
    if form is Format.TXT:
        return None
    tell(f"format: {form.value}, by what it holds; --format to choose another")
    return form


def _read_txt(source: Source, encoding: str, _dialect: Dialect) -> Table:
    texts, lines = [], []
    with source.characters(encoding) as stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                texts.append(line.removesuffix("\n"))
                lines.append(number)
    if not texts:
        raise FileError(f"{source.name} holds no text", why="all its lines are blank", fix=_EMPTY_FIX)
    return Table({"text": texts}, lines, source.name)


def _read_jsonl(source: Source, encoding: str, _dialect: Dialect) -> Table:
    with source.characters(encoding) as stream:
        numbered = ((at, _json_in(source, line, at)) for at, line in enumerate(stream, 1) if line.strip())
        table = _table_of(source, "line", numbered)
    if not len(table):
        raise FileError(f"{source.name} holds no record", why="all its lines are blank", fix=_EMPTY_FIX)
    return table


def _table_of(source: Source, unit: str, numbered: Iterable[tuple[int, Any]]) -> Table:
    """The table of JSON values, each with its line or row: objects, or strings."""
    from nearsense.files.grid import require_room

    collector, lines = VectorColumn(source.name, unit), list[int]()

    def records() -> Iterator[dict[str, Any]]:
        kind: type = object
        names: set[str] = set()
        filled = 0
        for number, value in numbered:
            if not isinstance(value, (dict, str)) or not isinstance(value, kind):
                raise _odd_value(source, unit, number, value)
            kind = type(value)
            lines.append(number)
            if isinstance(value, dict):
                names.update(value)
                filled += len(value)
                require_room(source.name, len(names), len(names) * number - filled)
            yield collector.take({"text": value} if isinstance(value, str) else value, number)

    columns = columns_of(records())
    return Table(columns, lines, source.name, collector.vectors(columns), unit, foreign=collector.foreign)


def _odd_value(source: Source, unit: str, number: int, value: Any) -> FileError:
    """Why a value is no row: it is no object and no string, or not what those before are."""
    place, kind = f"{source.name}, {unit} {number}", _json_kind(value)
    if unit == "row":
        why = "a json file is an array of objects or an array of strings"
        return FileError(f"{place}: {kind}", why=why, fix="correct the row")
    if isinstance(value, (dict, str)):
        what = f"{place}: {kind}, but the lines before are not"
        return FileError(what, why="a jsonl file holds either objects or strings", fix="correct the line")
    why = f"every line of a jsonl file is one of both, this is {kind}"
    fix = "add --format json" if number == 1 and isinstance(value, list) else "correct the line"
    return FileError(f"{place}: neither an object nor a string", why=why, fix=fix)


def _json_in(source: Source, text: str, number: int | None = None) -> Any:
    """The JSON value in a whole file, or in a line of one."""

    def as_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            place, name = f", line {number}" if number else "", first_repeated(name for name, _ in pairs)
            from nearsense.files.shapes import is_map

            if is_map(made):
                tell(f"the question {name!r} stands twice: the last of its answers is kept")
                return made
            what = f"{source.name}{place}: the name {shown(name)} occurs twice in one object"
            fix = "rename one, or make a list of the values"
            raise FileError(what, why="only the last of its values would be kept", fix=fix)
        return made

    try:
        value = json.loads(text, object_pairs_hook=as_object)
        for row in value if number is None and isinstance(value, list) else (value,):
            _require_shallow(row)
        return value
    except FileError:
        raise
    except json.JSONDecodeError as error:
        what = f"{source.name}, line {number or error.lineno}: no JSON: {error.msg} at column {error.colno}"
        why, fix = "every line of a jsonl file is a JSON value by itself", "correct the line"
        if number == 1 and text.strip() in ("[", "{"):
            fix = "add --format json"
        if number is None:
            why = "a json file is one JSON value"
        if number is None and error.msg == "Extra data":
            why, fix = "a json file is one value; one value a line is jsonl", "add --format jsonl"
        raise FileError(what, why=why, fix=fix) from error
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, thousands of brackets
        what = f"{source.name}, line {number or 1}: JSON that is too deep or too long"
        raise FileError(what, why=str(error), fix="shorten it") from error


def _require_shallow(value: Any) -> None:
    """Refuse a JSON value that is nested too deep."""
    layer, depth = [value] if isinstance(value, (dict, list)) else [], 0
    while layer:
        if (depth := depth + 1) > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} deep")
        parts = (each.values() if isinstance(each, dict) else each for each in layer)
        layer = [item for part in parts for item in part if isinstance(item, (dict, list))]


def _json_kind(value: Any) -> str:
    kinds = {dict: "an object", list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _read_json(source: Source, encoding: str, dialect: Dialect) -> Table:
    with source.characters(encoding) as stream:
        content = stream.read()
    if not content.strip():
        raise FileError(f"{source.name} holds no record", why="all its lines are blank", fix=_EMPTY_FIX)
    if _is_jsonl(content):
        tell("format: a JSON value a line; --format json to read it as one")
        return _read_jsonl(source, encoding, dialect)
    value = _json_in(source, content)
    from nearsense.files.shapes import found_rows, rows_at, split_frame

    if dialect.records is not None:
        return _shaped(source, rows_at(source.name, value, dialect.records), dialect)
    if isinstance(value, dict):
        columns = _are_columns(value) and split_frame(value) is None
        rows = None if columns else found_rows(source.name, value)
        return _json_columns(source, value) if rows is None else _shaped(source, rows, dialect)
    if not isinstance(value, list):
        raise _no_rows(source, f"it is {_json_kind(value)}")
    if not value:
        raise FileError(f"{source.name} holds no record", why="its array is empty", fix=_EMPTY_FIX)
    if all(isinstance(row, list) for row in value):
        return _shaped(source, value, dialect)
    return _table_of(source, "row", enumerate(value, 1))


def _is_jsonl(content: str) -> bool:
    """Whether what is no JSON value has one a line: two objects, one below the other."""
    lines = [line for line in content[: 1 << 16].split("\n") if line.strip()][:2]
    return len(lines) == 2 and all(line.strip()[:1] == "{" and line.strip()[-1:] == "}" for line in lines)


def _are_columns(value: dict[str, Any]) -> bool:
    """Whether an object is one of columns: arrays of one length, and not all their values objects."""
    columns = list(value.values())
    lists = bool(columns) and all(isinstance(column, list) for column in columns)
    return lists and not all(isinstance(cell, dict) for column in columns for cell in column)


def _shaped(source: Source, rows: list[Any], dialect: Dialect) -> Table:
    """The table of rows that were looked for: objects, texts, or arrays of cells."""
    from nearsense.files.grid import table_of

    if rows and all(isinstance(row, list) for row in rows):
        cells = [
            [cell if not isinstance(cell, (dict, list)) else json.dumps(cell) for cell in row] for row in rows
        ]
        return table_of(source.name, cells, list(range(1, len(rows) + 1)), dialect.header)
    return spread(replace(_table_of(source, "row", enumerate(rows, 1)), anew=True))


def _json_columns(source: Source, value: dict[str, Any]) -> Table:
    if not value or not all(isinstance(column, list) for column in value.values()):
        raise _no_rows(source, "it is an object, but not all its values are arrays")
    lengths = {name: len(column) for name, column in value.items()}
    rows = max(lengths.values())
    short = next((name for name in lengths if lengths[name] != rows), None)
    if short is not None:
        what = f"{source.name}: column {short!r} has {lengths[short]} rows, others have {rows}"
        why = "in an object of columns all arrays are of one length"
        raise FileError(what, why=why, fix="write it as an array of objects")
    if not rows:
        raise FileError(f"{source.name} holds no record", why="its columns are empty", fix=_EMPTY_FIX)
    return Table(value, list(range(1, rows + 1)), source.name, None, "row")


def _no_rows(source: Source, why: str) -> FileError:
    what = f"{source.name} holds no rows"
    fix = 'write it with orient="records" if it came from pandas'
    return FileError(what, why=f"{why}; rows are an array of objects or strings, or an object of arrays", fix=fix)


def _read_csv(source: Source, encoding: str, dialect: Dialect, delimiter: str = "") -> Table:
    from nearsense.files.delimited import read_csv

    return read_csv(source, encoding, dialect, delimiter)


_WORKBOOKS = (Format.XLSX, Format.XLS, Format.ODS)
_TEXTS: dict[Format, Callable[[Source, str, Dialect], Table]] = {
    Format.TXT: _read_txt,
    Format.CSV: _read_csv,
    Format.TSV: partial(_read_csv, delimiter="\t"),
    Format.JSONL: _read_jsonl,
    Format.JSON: _read_json,
}
