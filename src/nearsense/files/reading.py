"""A file of any known format as a Table. Not which column is the text: see columns.py."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, BinaryIO, TextIO

from nearsense.errors import FileError
from nearsense.files.formats import Format, format_of, header_of, named_delimiter, sniff
from nearsense.files.parquet import read_parquet
from nearsense.files.streams import Source, file_errors, open_source
from nearsense.files.table import Table, columns_of, first_repeated, list_names
from nearsense.files.vectors import VectorColumn, read_npy
from nearsense.records import shown

_DELIMITERS = ",;\t|"
DEEPEST = 100
"""How deep a row may be nested; a collection keeps no more, and many programs cannot read it."""

_EMPTY_FIX = "give a file that holds something"


def read_table(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,  # noqa: A002 - the flag's name
    encoding: str = "utf-8",
    stdin: BinaryIO | None = None,
) -> Table:
    r"""Read a file, whatever its format.

    The extension names the format; `.gz` and `.zst` are looked past, and both are also known by their first bytes.
    Standard input and pipes without `format` are told by their content: `[` begins json; `{` jsonl, or one json
    document; parquet and npy have their magic; all else is txt, unless its first line looks like a
    table's header: then `format` is asked for.

    * txt: one text a line in the column "text"; blank lines are no texts.
    * csv: the header decides between `,` `;` tab and `|`. tsv: tabs. Where a file with tabs does not hold together
      with quoted fields, its quotation marks are taken as they stand.
    * jsonl: one object or one string a line. json: an array of either, or one object of columns.
    * parquet: any; npy: one float32 matrix of shape (n, d).

    Vectors that `write_vectors` stored come back in `Table.vectors`; their ids, texts and metadata as columns. "-"
    is standard input, or `stdin`. An encoding is named as Python does; a byte order mark is never part of the
    text. What is not in order is a FileError that names file and line.

    Example:
        >>> import io
        >>> table = read_table("-", format="csv", stdin=io.BytesIO(b"id;text\n7;hello\n"))
        >>> table.columns, table.lines, table.source
        ({'id': ['7'], 'text': ['hello']}, [2], 'standard input')
    """
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
                raise FileError(f"{source.name} begins with {header!r}", why=why, fix=fix)
        if form is Format.PARQUET:
            return read_parquet(source)
        if form is Format.NPY:
            return read_npy(source)
        return _TEXTS[form](source, encoding)


def _named_format(path: str | os.PathLike[str], asked: str | None) -> Format | None:
    """The format by flag or name; None for a pipe whose name says nothing."""
    from pathlib import Path

    file = Path(path)
    try:
        return format_of(str(path), asked)
    except FileError:
        # A file that is not there, or a folder, is worth saying before anything about its extension.
        if file.is_file():
            raise
        return None


def _read_txt(source: Source, encoding: str) -> Table:
    texts, lines = [], []
    with source.characters(encoding) as stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                texts.append(line.removesuffix("\n"))
                lines.append(number)
    if not texts:
        raise FileError(f"{source.name} holds no text", why="all its lines are blank", fix=_EMPTY_FIX)
    return Table({"text": texts}, lines, source.name)


def _read_csv(source: Source, encoding: str, delimiter: str = "") -> Table:
    with source.characters(encoding, newline="") as stream:
        head = stream.read(1 << 16)
    # Else the most frequent candidate in the header, outside quotes; a comma if there is none.
    header = re.split(r"[\r\n]", re.sub(r'"[^"]*"', "", head).lstrip("\r\n"), maxsplit=1)[0]
    named = named_delimiter(head)
    delimiter = named or delimiter or max(_DELIMITERS, key=header.count)
    try:
        return _records(source, encoding, delimiter, skip=bool(named), quoted=True)
    except FileError:
        if delimiter == "\t":  # published tab-separated data sets do not quote: the mark is part of the text
            with suppress(FileError):
                return _records(source, encoding, delimiter, skip=bool(named), quoted=False)
        raise


def _records(source: Source, encoding: str, delimiter: str, *, skip: bool, quoted: bool) -> Table:
    """The records below the header; `skip` leaves out a first line that only names the delimiter."""
    import csv

    # The limit is the whole process's, so it is only ever raised; 2**31 - 1 is the most that Windows takes.
    csv.field_size_limit(max(csv.field_size_limit(), 2**31 - 1))
    names: list[str] = []
    columns: list[list[str]] = []
    lines: list[int] = []
    with source.characters(encoding, newline="") as stream:
        reader = csv.reader(
            stream, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE, strict=True
        )
        before = int(skip)
        if skip:
            stream.readline()
        begin = 1 + before
        try:
            for record in reader:
                if not record:
                    pass  # a blank line
                elif not names:
                    names = [name.strip() or f"column {place}" for place, name in enumerate(record, 1)]
                    if (twice := first_repeated(names)) is not None:
                        what, fix = f"{source.name}, line {begin}: two columns are named {twice!r}", _RENAME
                        raise FileError(what, why="a column is chosen by its name", fix=fix)
                    columns = [[] for _ in names]
                elif len(record) != len(names):
                    raise _uneven(source, record, names, begin, delimiter)
                else:
                    for column, field in zip(columns, record, strict=True):
                        column.append(field)
                    lines.append(begin)
                begin = before + reader.line_num + 1
        except csv.Error as error:
            raise _misquoted(source, begin, before + reader.line_num, str(error)) from error
    if not lines:
        why = "there is no record below it" if names else "all its lines are blank"
        raise FileError(f"{source.name} holds {'only a header' if names else 'no text'}", why=why, fix=_EMPTY_FIX)
    return Table(dict(zip(names, columns, strict=True)), lines, source.name, untyped=True)


_RENAME = "rename one of them in the header"


def _uneven(source: Source, record: list[str], names: list[str], line: int, delimiter: str) -> FileError:
    """Why a record with more or fewer fields than the header is refused."""
    sign, count = {"\t": "tab"}.get(delimiter, delimiter), len(names)
    fields = (
        f"{len(record)} field{'s'[: len(record) != 1]}, but the header names {count} column{'s'[: count != 1]}"
    )
    what = f"{source.name}, line {line}: {fields}"
    if count == 1:
        fix = "add --format txt if every line is one text"
        return FileError(what, why=f"the fields are separated by {sign}", fix=fix)
    fix = f'put fields that hold a {sign} into quotation marks ("), or complete the line'
    return FileError(what, why=f"the columns are {list_names(names)}", fix=fix)


def _misquoted(source: Source, begin: int, line: int, message: str) -> FileError:
    if "end of data" in message:
        what = f"{source.name}, line {begin}: a quoted field that begins here never ends"
        why = "its closing quotation mark is missing, so the rest of the file would be one field"
        return FileError(what, why=why, fix='close it with ", and write a quotation mark inside of it twice ("")')
    what = f"{source.name}, line {line}: a quoted field goes on after its closing quotation mark"
    why = f"the csv reader says: {message}"
    return FileError(what, why=why, fix='write a quotation mark inside a quoted field twice ("")')


def _read_jsonl(source: Source, encoding: str) -> Table:
    lines: list[int] = []

    def values(stream: TextIO) -> Iterator[tuple[int, Any]]:
        for number, line in enumerate(stream, 1):
            if line.strip():
                lines.append(number)
                yield number, _json_in(source, line, number)

    with source.characters(encoding) as stream:
        table = _table_of(source, "line", values(stream), lines)
    if not lines:
        raise FileError(f"{source.name} holds no record", why="all its lines are blank", fix=_EMPTY_FIX)
    return table


def _table_of(source: Source, unit: str, numbered: Iterable[tuple[int, Any]], lines: list[int]) -> Table:
    """The table of JSON values, each with its line or row: objects, or strings."""
    collector = VectorColumn(source.name, unit)

    def records() -> Iterator[dict[str, Any]]:
        kind: type = object
        for number, value in numbered:
            if not isinstance(value, (dict, str)) or not isinstance(value, kind):
                raise _odd_value(source, unit, number, value)
            kind = type(value)
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


def _read_json(source: Source, encoding: str) -> Table:
    with source.characters(encoding) as stream:
        content = stream.read()
    if not content.strip():
        raise FileError(f"{source.name} holds no record", why="all its lines are blank", fix=_EMPTY_FIX)
    value = _json_in(source, content)
    if isinstance(value, dict):
        return _json_columns(source, value)
    if not isinstance(value, list):
        raise _no_rows(source, f"it is {_json_kind(value)}")
    if not value:
        raise FileError(f"{source.name} holds no record", why="its array is empty", fix=_EMPTY_FIX)
    return _table_of(source, "row", enumerate(value, 1), list(range(1, len(value) + 1)))


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


_TEXTS: dict[Format, Callable[[Source, str], Table]] = {
    Format.TXT: _read_txt,
    Format.CSV: _read_csv,
    Format.TSV: partial(_read_csv, delimiter="\t"),
    Format.JSONL: _read_jsonl,
    Format.JSON: _read_json,
}
