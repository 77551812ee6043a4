"""What every file becomes: columns, and where each row stood. Not what the columns mean: see columns.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nearsense.types import Vectors

__all__ = ["Table", "columns_of", "listed", "repeated"]


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


def repeated(names: Iterable[str]) -> str | None:
    """The first name that occurs a second time, if one does.

    Example:
        >>> repeated(["a", "b", "b", "a"])
        'b'
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def listed(names: Sequence[str]) -> str:
    """Columns for a message: of many the first twenty.

    Example:
        >>> listed(["a", "b"]), listed([str(number) for number in range(1000)])[-21:]
        ('a, b', ', 18, 19 and 980 more')
    """
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")


SHOWN = 20
"""Columns that a message names."""


def columns_of(records: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Records turned into columns, in the order in which names appear; None where a record lacks one.

    Example:
        >>> columns_of([{"a": 1}, {"b": 2}])
        {'a': [1, None], 'b': [None, 2]}
    """
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
