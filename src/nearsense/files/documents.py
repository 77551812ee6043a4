"""Documents and pairs of texts out of a table: which column is the text, the id, the pair; what is metadata."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nearsense.errors import FileError
from nearsense.files.columns import id_of, pair_of, spread, text_of
from nearsense.files.judging import Content, is_missing, portrait
from nearsense.files.names import ID_NAMES, PAIR_NAMES, TEXT_NAMES
from nearsense.files.table import (
    SURROGATE,
    Table,
    column_at,
    find_column,
    find_columns,
    json_value,
    kind_of,
    names_of,
    require_column,
    sound,
    text_at,
    texts_in,
)
from nearsense.records import Document

LINE = "line"
A_WORD = 1.05  # words in a cell, on average: more than that is said


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

    The texts are in the column `text`: its name or its place from 1; several, with commas between, are joined,
    each on a line of its own, and stay in the metadata. Without it they are in the first of `TEXT_NAMES`, else in
    the only one that holds texts, else in the one whose name or cells say so (see columns.py). The ids are in
    `id`, "line" for line numbers, without it in one of `ID_NAMES`. Rows without a text are refused, or left out
    with `skip_empty`. `numbers` is for metadata that will be compared: columns of csv and tsv whose cells are all
    written as numbers become numbers ("007" is none), and None, of columns that only other rows have, is left
    out. An error names file, line and column.

    Example:
        >>> table = Table({"id": [7, 8], "text": ["a", " "], "stars": [5, 4]}, [2, 3], "reviews.csv")
        >>> made = documents(table, skip_empty=True)
        >>> made.items, made.skipped
        ([Document(id='7', text='a', metadata={'stars': 5})], 1)
    """
    parts: list[str] = []
    if text is not None:
        table, parts = _asked_for(table, text)
    id_column = find_column(table, ID_NAMES)
    if id is not None:
        lines = id == LINE and LINE not in table.columns
        id_column = None if lines else require_column(table, id, "name one of them: --id COLUMN")
    if not parts:
        table, found, other = _found_texts(table, id_column)
        parts, id_column = [found], id_column if id_column or id is not None else other
    text_column = ",".join(parts)
    if len(parts) > 1:
        table = replace(table, columns={**table.columns, text_column: _joined(table, parts)})
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


def _asked_for(table: Table, text: str) -> tuple[Table, list[str]]:
    """The table with the columns that were asked for, what is nested in others spread, and their names."""
    fix = "name one of them: --text COLUMN"
    for tried in (table, *_opened(table)):
        if (one := column_at(tried, text)) is not None:
            return tried, [one]
        names = [column_at(tried, part.strip()) for part in text.split(",")]
        if len(names) > 1 and None not in names:
            return tried, list(dict.fromkeys(filter(None, names)))
    lacking = next((part for part in map(str.strip, text.split(",")) if column_at(table, part) is None), text)
    return table, [require_column(table, lacking if "," in text else text, fix)]


def _opened(table: Table) -> Iterator[Table]:
    """The table with what is nested in its cells as columns, if anything is."""
    if (opened := spread(table)) is not table:
        yield opened


def _found_texts(table: Table, id_column: str | None) -> tuple[Table, str, str | None]:
    """The column of texts where none was named, and the one of ids, if its name was no more telling."""
    if (known := _text_column(table, id_column)) is not None and not _is_nested(table.columns[known]):
        return table, known, id_column or (id_of(table, [known]) if table.anew else None)
    flat = [name for name, cells in table.columns.items() if not _is_nested(cells) and name != id_column]
    spoken = any(portrait(table.columns[name]).words > A_WORD for name in flat)
    for tried in (table, *_opened(table)) if spoken else (*_opened(table), table):
        found = text_of(tried, [id_column])
        if found is not None:
            return tried, found, id_column or id_of(tried, [found])
    raise _unclear(table, "which column is the text?", "name it: --text COLUMN", "give a file with texts")


def _is_nested(cells: Sequence[Any]) -> bool:
    return isinstance(next((cell for cell in cells if not is_missing(cell)), None), dict)


def _joined(table: Table, names: Sequence[str]) -> list[str | None]:
    """The cells of several columns as one text a row, each on a line of its own; None where all are empty."""
    joined = []
    for row in range(len(table)):
        present = [name for name in names if not is_missing(table.columns[name][row])]
        parts = [text_at(table, row, name, "name other columns: --text COLUMN,COLUMN") for name in present]
        joined.append("\n".join(part.strip() for part in parts) or None)
    return joined


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
            found = pair_of(table)
        if found is None:
            raise _unclear(table, "which two columns are the pair?", f"name them: {flag}", f"name them: {flag}")
    else:
        found = tuple(require_column(table, name, f"name one of them: {flag}") for name in columns)
        if found[0] == found[1]:
            what = f"{table.source}: both sides are column {found[0]!r}"
            raise FileError(what, why="a pair has two texts", fix=f"name two: {flag}")
    sides = (texts_in(table, name, "complete the pair, or remove the row") for name in found)
    return list(zip(*sides, strict=True))


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
    content = portrait(table.columns[textual[0]]).content if len(textual) == 1 else Content.NOTHING
    if content is not Content.TEXTS and any(map(_is_nested, table.columns.values())):
        return None  # the texts are in there
    return None if content in (Content.NOTHING, Content.NUMBERS, Content.DATES) else textual[0]


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
    return sound(table, row, name, str(value))


_LINES = "or take the line numbers: --id line"


def _metadata(table: Table, columns: dict[str, list[Any]], rows: list[int]) -> Iterator[dict[str, Any]]:
    for row in rows:
        metadata = {name: json_value(column[row]) for name, column in columns.items()}
        for name, value in metadata.items():
            if isinstance(value, str) and not value.isascii() and SURROGATE.search(value):
                sound(table, row, name, value)
        yield metadata


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
