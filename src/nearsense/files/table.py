"""What every file becomes: columns, and where each row stood; cells as texts and as JSON.

Not how a file is read: see reading.py; nor what is made of it: see documents.py.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np

from nearsense.columns import list_names
from nearsense.errors import FileError, InputError
from nearsense.files.judging import is_missing
from nearsense.files.streams import lookalike
from nearsense.records import Vectors, json_name, require_names
from nearsense.terminal import STEERING

RENAME = "name another column: --text COLUMN"

SURROGATE = re.compile("[\ud800-\udfff]")


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
    anew: bool = False

    def __len__(self) -> int:
        return len(self.lines)

    def place(self, row: int) -> str:
        """Where a row (from 0) stands, for messages."""
        return f"{self.source}, {self.unit} {self.lines[row]}"

    def take(self, rows: Sequence[int]) -> Table:
        """Some of the rows (from 0), in their order; each keeps its place in the file."""
        foreign = self.foreign
        return replace(
            self,
            columns={name: [cells[row] for row in rows] for name, cells in self.columns.items()},
            lines=[self.lines[row] for row in rows],
            vectors=None if self.vectors is None else self.vectors.take(rows),
            foreign=None if foreign is None else lambda row: foreign(rows[row]),
        )


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


def column_at(table: Table, said: str) -> str | None:
    """The column of that name, else at that place, from 1."""
    if said in table.columns or not (said.isascii() and said.isdigit()):
        return said if said in table.columns else None
    place = int(said[:9])
    return [*table.columns][place - 1] if 0 < place <= len(table.columns) else None


def require_column(table: Table, name: str, fix: str) -> str:
    """The column of that name or at that place; else an error with the nearest name, or with `fix`."""
    if (found := column_at(table, name)) is not None:
        return found
    near = lookalike(name, list(table.columns))
    fix = f"did you mean {near!r}?" if near else fix
    raise FileError(f"{table.source} has no column {name!r}", why=names_of(table), fix=fix)


def names_of(table: Table) -> str:
    """The table's columns for a message."""
    listed = f"its columns are: {list_names([*table.columns])}"
    return listed if table.columns else "it holds vectors and no columns"


def texts_in(table: Table, column: str, fix: str, rename: str = RENAME) -> list[str]:
    """The cells of a column, all of them texts; `fix` mends a missing one, `rename` names another column."""
    return [text_at(table, row, column, fix, rename) for row in range(len(table))]


def text_at(table: Table, row: int, column: str, fix: str, rename: str = RENAME) -> str:
    """A cell (of a row from 0) if it is a text that a model can read."""
    cell = table.columns[column][row]
    if isinstance(cell, str) and cell and not cell.isspace():
        return sound(table, row, column, cell)
    if is_missing(cell):
        how = "has no value" if not isinstance(cell, str) else "is empty" if not cell else "is only white space"
        why = "without a text there is no meaning to compare"
        choices = ["--skip-empty"] if "--skip-empty" in fix else []
        raise FileError(f"{table.place(row)}: column {column!r} {how}", why=why, fix=fix, choices=choices)
    what = f"{table.place(row)}: text column {column!r} holds {kind_of(cell)}"
    raise FileError(what, why=f"a text is needed, this is {str(cell)[:40]}", fix=rename)


def sound(table: Table, row: int, name: str, cell: str) -> str:
    """The string, unless it holds what no file or database takes."""
    if "\0" in cell:
        problem, position = "a NUL character", cell.index("\0")
    elif not cell.isascii() and (half := SURROGATE.search(cell)):
        problem, position = f"half a surrogate pair (U+{ord(half.group()):04X})", half.start()
    else:
        return cell
    what = f"{table.place(row)}: column {name!r} holds {problem} at character {position + 1}"
    why = "it is no character of a text, it comes from a broken conversion"
    raise FileError(what, why=why, fix="remove it from the file")


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
