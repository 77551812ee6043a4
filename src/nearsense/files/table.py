"""What every file becomes: columns, and where each row stood; which of them is the text, the id, the pair.

Not how a file is read: see reading.py.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np

from nearsense.errors import FileError, InputError
from nearsense.files.streams import lookalike
from nearsense.records import Document, Vectors, json_name, require_names
from nearsense.terminal import STEERING

TEXT_NAMES = (
    "text", "sentence", "question", "content", "body", "description", "message", "review", "comment", "title",
    "query", "passage", "document", "abstract", "summary", "subject", "utterance", "sentence1", "text1",
    "question1",
)  # fmt: skip
ID_NAMES = ("id", "_id", "uuid", "guid", "doc_id", "document_id")
PAIR_NAMES = (
    ("a", "b"), ("text1", "text2"), ("text_a", "text_b"), ("sentence1", "sentence2"), ("sentence_a", "sentence_b"),
    ("question1", "question2"), ("premise", "hypothesis"), ("query", "passage"), ("left", "right"),
)  # fmt: skip
"""What columns may be called: the first name that a table has, in any case, is taken."""
LINE = "line"
RENAME = "name another column: --text COLUMN"

SHOWN = 20
"""Columns that a message names."""

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The rows of a file: each column's cells by its name, all of one length.

    `lines` has for every row the line of the file where it begins, from 1, or its number; `unit` says which,
    "line" or "row". `source` is the file's name for messages. `vectors` are stored ones, a row each; where they
    are of no known model, `foreign` gives a row's cell of their column as it stands in the file. `untyped`: the
    format knows texts only, as csv does.

    Example:
        >>> table = Table({"text": ["a", "b"]}, [2, 3], "tickets.csv")
        >>> len(table), table.place(1)
        (2, 'tickets.csv, line 3')
    """

    columns: dict[str, list[Any]]
    lines: list[int]
    source: str
    vectors: Vectors | None = None
    unit: str = "line"
    untyped: bool = False
    foreign: Callable[[int], list[float]] | None = None

    def __len__(self) -> int:
        return len(self.lines)

    def place(self, row: int) -> str:
        """Where a row (from 0) stands, for messages."""
        return f"{self.source}, {self.unit} {self.lines[row]}"


@dataclass(frozen=True, slots=True)
class Documents:
    """What `documents` made of a table.

    `rows` has for every document its row in the table, from 0: `table.vectors.data[rows]` are their vectors.
    `skipped` counts the rows without a text that were left out; `text` and `id` are the columns that gave texts
    and ids, None where these are line numbers.
    """

    items: list[Document]
    rows: list[int]
    skipped: int
    text: str
    id: str | None


def documents(
    table: Table,
    *,
    text: str | None = None,
    id: str | None = None,  # noqa: A002 - the flag's name
    skip_empty: bool = False,
    numbers: bool = False,
) -> Documents:
    """Make documents of a table's rows; the columns that are neither text nor id become their metadata.

    The texts are in the column `text`, without it the first of `TEXT_NAMES`, else the only one that holds texts;
    the ids in `id`, "line" for line numbers, without it in one of `ID_NAMES`. Rows without a text are refused, or
    left out with `skip_empty`. `numbers` is for metadata that will be compared: columns of csv and tsv whose cells
    are all written as numbers become numbers ("007" is none), and None, of columns that only other rows have, is
    left out. An error names file, line and column.

    Example:
        >>> table = Table({"id": [7, 8], "text": ["a", " "], "stars": [5, 4]}, [2, 3], "reviews.csv")
        >>> made = documents(table, skip_empty=True)
        >>> made.items, made.skipped
        ([Document(id='7', text='a', metadata={'stars': 5})], 1)
    """
    id_column = find_column(table, ID_NAMES)
    if id is not None:
        lines = id == LINE and LINE not in table.columns
        id_column = None if lines else require_column(table, id, "name one of them: --id COLUMN")
    if text is not None:
        require_column(table, text, "name one of them: --text COLUMN")
    text_column = _text_column(table, id_column) if text is None else text
    if text_column is None:
        raise _unclear(table, "which column is the text?", "name it: --text COLUMN", "give a file with texts")
    rows, texts = [], []
    for row, cell in enumerate(table.columns[text_column]):
        if skip_empty and is_missing(cell):
            continue
        rows.append(row)
        texts.append(text_at(table, row, text_column, "add --skip-empty to leave such rows out"))
    if not rows:
        why = f"column {text_column!r} is empty"
        raise FileError(f"{table.source}: no row has a text", why=why, fix="name another: --text COLUMN")
    ids = _ids(table, id_column, rows)
    rest = {name: column for name, column in table.columns.items() if name not in (text_column, id_column)}
    if numbers and table.untyped:
        rest = {name: as_numbers(column) or column for name, column in rest.items()}
    metadata: Iterable[dict[str, Any]] = _metadata(table, rest, rows)
    if numbers:
        metadata = ({name: cell for name, cell in row.items() if cell is not None} for row in metadata)
    items = [Document(*fields) for fields in zip(ids, texts, metadata, strict=True)]
    return Documents(items, rows, len(table) - len(rows), text_column, id_column)


def has_texts(table: Table, text: str | None = None) -> bool:
    """Whether a column of texts is named, or is known without being named."""
    return text is not None or _text_column(table, find_column(table, ID_NAMES)) is not None


def text_pairs(table: Table, *, columns: tuple[str, str] | None = None) -> list[tuple[str, str]]:
    """The pairs of texts in two columns, one a row; without their names in the first of `PAIR_NAMES` there are.

    Example:
        >>> text_pairs(Table({"a": ["x"], "b": ["y"], "label": ["1"]}, [2], "pairs.csv"))
        [('x', 'y')]
    """
    flag = "--columns LEFT,RIGHT"
    if columns is None:
        found = next(find_columns(table, PAIR_NAMES), None)
        if found is None:
            raise _unclear(table, "which two columns are the pair?", f"name them: {flag}", f"name them: {flag}")
    else:
        found = tuple(require_column(table, name, f"name one of them: {flag}") for name in columns)
        if found[0] == found[1]:
            what = f"{table.source}: both sides are column {found[0]!r}"
            raise FileError(what, why="a pair has two texts", fix=f"name two: {flag}")
    sides = (texts_in(table, name, "complete the pair, or remove the row") for name in found)
    return list(zip(*sides, strict=True))


def find_column(table: Table, names: Sequence[str]) -> str | None:
    """The first of `names` among the table's columns, in any case; the exact name before others."""
    folded = {column.casefold(): column for column in reversed(table.columns)}
    return next((name if name in table.columns else folded[name] for name in names if name in folded), None)


def find_columns(table: Table, patterns: Iterable[Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """The columns of each list of names of which the table has all, in any case."""
    for names in patterns:
        found = [find_column(table, [name]) for name in names]
        if None not in found:
            yield tuple(filter(None, found))


def require_column(table: Table, name: str, fix: str) -> str:
    """The name, if the table has a column of that name; else an error with the nearest one, or with `fix`."""
    if name in table.columns:
        return name
    near = lookalike(name, list(table.columns))
    fix = f"did you mean {near!r}?" if near else fix
    raise FileError(f"{table.source} has no column {name!r}", why=names_of(table), fix=fix)


def names_of(table: Table) -> str:
    """The table's columns for a message."""
    listed = f"its columns are: {list_names([*table.columns])}"
    return listed if table.columns else "it holds vectors and no columns"


def list_names(names: Sequence[str]) -> str:
    """Columns for a message: of many the first twenty."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def texts_in(table: Table, column: str, fix: str, rename: str = RENAME) -> list[str]:
    """The cells of a column, all of them texts; `fix` mends a missing one, `rename` names another column."""
    return [text_at(table, row, column, fix, rename) for row in range(len(table))]


def text_at(table: Table, row: int, column: str, fix: str, rename: str = RENAME) -> str:
    """A cell (of a row from 0) if it is a text that a model can read."""
    cell = table.columns[column][row]
    if isinstance(cell, str) and cell and not cell.isspace():
        return _sound(table, row, column, cell)
    if is_missing(cell):
        how = "has no value" if not isinstance(cell, str) else "is empty" if not cell else "is only white space"
        why = "without a text there is no meaning to compare"
        raise FileError(f"{table.place(row)}: column {column!r} {how}", why=why, fix=fix)
    what = f"{table.place(row)}: text column {column!r} holds {kind_of(cell)}"
    raise FileError(what, why=f"a text is needed, this is {str(cell)[:40]}", fix=rename)


def _text_column(table: Table, id_column: str | None) -> str | None:
    """The column of a known name, else the only one whose cells are strings and not all numbers (as in csv)."""
    if (known := find_column(table, TEXT_NAMES)) is not None:
        return known
    textual = []
    for name, column in table.columns.items():
        present = [cell for cell in column if not is_missing(cell)]
        strings = name != id_column and all(isinstance(cell, str) for cell in present)
        if strings and not all(map(_is_number, present)):
            textual.append(name)
    return textual[0] if len(textual) == 1 else None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _unclear(table: Table, question: str, fix: str, otherwise: str) -> FileError:
    if table.columns:
        return FileError(f"{table.source}: {question}", why=names_of(table), fix=fix)
    return FileError(f"{table.source} holds no texts", why=names_of(table), fix=otherwise)


def _sound(table: Table, row: int, name: str, cell: str) -> str:
    """The string, unless it holds what no file or database takes."""
    if "\0" in cell:
        problem, position = "a NUL character", cell.index("\0")
    elif not cell.isascii() and (half := _SURROGATE.search(cell)):
        problem, position = f"half a surrogate pair (U+{ord(half.group()):04X})", half.start()
    else:
        return cell
    what = f"{table.place(row)}: column {name!r} holds {problem} at character {position + 1}"
    why = "it is no character of a text, it comes from a broken conversion"
    raise FileError(what, why=why, fix="remove it from the file")


def _ids(table: Table, name: str | None, rows: list[int]) -> list[str]:
    """The cells of a column as ids, each its own; line numbers without a column."""
    if name is None:
        return [str(table.lines[row]) for row in rows]
    first = dict[str, int]()
    for row in rows:
        id_ = _id_at(table, row, name)
        before = first.setdefault(id_, row)
        if before != row:
            what = f"{table.place(row)}: the id {id_!r} occurs again, first in {table.unit} {table.lines[before]}"
            why = f"an id names one document; it is column {name!r}"
            raise FileError(what, why=why, fix="make the ids unique, or take the line numbers: --id line")
    return list(first)


def _id_at(table: Table, row: int, name: str) -> str:
    cell = table.columns[name][row]
    if is_missing(cell):
        what = f"{table.place(row)}: the id in column {name!r} is empty"
        raise FileError(what, why="a document is found again by its id", fix=f"fill it in, {_LINES}")
    value = json_value(cell)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # where an id is missing, pandas makes all of them floats
    if isinstance(value, (bool, list, dict)) or value is None:
        what = f"{table.place(row)}: the id column {name!r} holds {kind_of(cell)}"
        fix = f"name another column: --id COLUMN, {_LINES}"
        raise FileError(what, why="an id is a string or a number", fix=fix)
    return _sound(table, row, name, str(value))


_LINES = "or take the line numbers: --id line"


def _metadata(table: Table, columns: dict[str, list[Any]], rows: list[int]) -> Iterator[dict[str, Any]]:
    for row in rows:
        metadata = {name: json_value(column[row]) for name, column in columns.items()}
        for name, value in metadata.items():
            if isinstance(value, str) and not value.isascii() and _SURROGATE.search(value):
                _sound(table, row, name, value)
        yield metadata


def first_repeated(names: Iterable[str]) -> str | None:
    """The first name that occurs a second time, if one does."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def columns_of(records: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Records turned into columns, in the order in which names appear; None where a record lacks one."""
    columns: dict[str, list[Any]] = {}
    rows = 0
    for record in records:
        for name, value in record.items():
            column = columns.setdefault(name, [])
            if len(column) < rows:
                column.extend([None] * (rows - len(column)))
            column.append(value)
        rows += 1
    for column in columns.values():
        column.extend([None] * (rows - len(column)))
    return columns


_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")


def as_numbers(cells: list[str]) -> list[int | float | None] | None:
    """A column of texts as numbers, empty ones as None; None where one is not written as JSON writes numbers."""
    written = {cell for cell in cells if cell}
    if not written or not all(map(_NUMBER.fullmatch, written)):
        return None
    values = {cell: json.loads(cell) for cell in written}
    if not all(map(math.isfinite, values.values())):
        return None
    return [values.get(cell) for cell in cells]


def json_value(value: Any) -> Any:
    """As None, bool, int, float, str, list or dict.

    Numpy's scalars and arrays become Python's; dates and times ISO 8601; durations seconds; a Decimal an int where
    its exponent says so, else the nearest float; NaN and infinities, which JSON does not have, None; bytes text
    where they are UTF-8, else hexadecimal; everything else its `str()`.
    """
    # Most cells are one of these; the exact type keeps str's and int's children (enums) for the rules below.
    if value is None or type(value) in (str, int, bool):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    try:
        if isinstance(value, Mapping):
            require_names(value, "a value")
            return {json_name(key): json_value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [json_value(item) for item in value]
        if isinstance(value, (np.datetime64, np.timedelta64)):
            return None if np.isnat(value) else str(value)
        return json_value(value.tolist()) if isinstance(value, (np.ndarray, np.generic)) else _rare(value)
    except RecursionError:
        what = "a value is nested too deep, or holds itself"
        raise InputError(what, why="JSON cannot write it", fix="flatten it") from None


def _rare(value: Any) -> Any:
    """A date, a duration, a Decimal, bytes, a child of str or int as a JSON value; all else as `str` has it."""
    from decimal import Decimal

    if isinstance(value, (datetime, date, time)):
        return value.isoformat() if value == value else None  # pandas' NaT is a datetime that differs from itself
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        if not value.is_finite():
            return None
        exponent = value.as_tuple().exponent
        return int(value) if isinstance(exponent, int) and exponent >= 0 else float(value)
    if isinstance(value, (bytes, bytearray)):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.hex()
    return str.__str__(value) if isinstance(value, str) else int(value) if isinstance(value, int) else str(value)


_ESCAPED = re.compile(f"[{STEERING}\ud800-\udfff]".replace("\x00-\x08\x0b-\x1f", ""))


def json_text(value: Any, indent: int | None = None) -> str:
    r"""A JSON value as JSON for people to read: letters as they are, what steers a terminal escaped.

    So is half a surrogate pair, which no encoding can write.
    """
    written = json.dumps(value, ensure_ascii=False, indent=indent)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found.group()):04x}", written)


def is_missing(value: Any) -> bool:
    """Whether a cell holds nothing: None, NaN, or a text without a visible character."""
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or (isinstance(value, (float, np.floating)) and math.isnan(value))


_KINDS: tuple[tuple[tuple[type, ...], str], ...] = (
    ((bool, np.bool_), "true or false"),
    ((int, float, np.number), "numbers"),
    ((list, tuple, np.ndarray), "lists"),
    ((Mapping,), "objects"),
    ((bytes,), "bytes"),
    ((date, time), "dates or times"),
)


def kind_of(value: Any) -> str:
    """What a cell that is no text is, as a plural for messages."""
    return next((name for types, name in _KINDS if isinstance(value, types)), f"{type(value).__name__} values")
