"""What every file becomes: columns, and where each row stood. Not what the columns mean: see columns.py."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np

from nearsense.errors import FileError, InputError
from nearsense.records import Vectors, json_name, require_names, shown
from nearsense.terminal import STEERING


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The rows of a file.

    Args:
        columns: Each column's cells by its name, in the file's order; all of one length.
        lines: For every row the line of the file where it begins, from 1; its number where lines mean nothing.
        source: The file's name for messages, "standard input" for "-".
        vectors: Stored vectors, a row each, where the file holds any.
        unit: What `lines` counts: "line" or "row".
        untyped: The format knows texts only, as csv does.
        foreign: Where the vectors are of no known model, a row's cell of their column as it stands in the file.

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


def first_repeated(names: Iterable[str]) -> str | None:
    """The first name that occurs a second time, if one does."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def list_names(names: Sequence[str]) -> str:
    """Columns for a message: of many the first twenty."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")


SHOWN = 20
"""Columns that a message names."""


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
        return _whole(value)
    except RecursionError:
        what = "a value is nested too deep, or holds itself"
        raise InputError(what, why="JSON cannot write it", fix="flatten it") from None


def _whole(value: Any) -> Any:
    """What may hold others, and what is rare."""
    if isinstance(value, Mapping):
        require_names(value, "a value")
        return {json_name(key): json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [json_value(item) for item in value]
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return None if np.isnat(value) else str(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return json_value(value.tolist())
    return _rare(value)


def _rare(value: Any) -> Any:
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


DEEPEST = 100
"""How deep a row may be nested; a collection keeps no more, and many programs cannot read it."""


class Repeated(ValueError):
    """An object says one name twice."""

    def at(self, place: str) -> FileError:
        """The error for users."""
        why = "only the last of its values would be kept"
        fix = "rename one, or make a list of the values"
        return FileError(f"{place}: the name {shown(self.args[0])} occurs twice in one object", why=why, fix=fix)


def loads(text: str) -> Any:
    """A JSON value."""
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise Repeated(first_repeated(name for name, _ in pairs))
    return made


def require_shallow(value: Any) -> None:
    """Refuse a JSON value that is nested too deep."""
    layer, depth = [value] if isinstance(value, (dict, list)) else [], 0
    while layer:
        if (depth := depth + 1) > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} deep")
        parts = (each.values() if isinstance(each, dict) else each for each in layer)
        layer = [item for part in parts for item in part if isinstance(item, (dict, list))]
