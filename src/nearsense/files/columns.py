"""Which column is the text, the id, the pair; documents made of them. Not how a file is read: see reading.py."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nearsense.errors import FileError
from nearsense.files.streams import lookalike
from nearsense.files.table import Table, as_numbers, is_missing, json_value, kind_of, list_names
from nearsense.records import Document

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

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Documents:
    """What `documents` made of a table.

    Args:
        items: The documents, in the table's order.
        rows: For every document its row in the table, from 0; `table.vectors.data[rows]` are their vectors.
        skipped: How many rows without a text were left out.
        text: The column that gave the texts.
        id: The column that gave the ids; None where they are line numbers.
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

    Args:
        table: As `read_table` gives it.
        text: The column with the texts. Without it: the first of `TEXT_NAMES` that the table has, in any case,
            else the only column that holds texts.
        id: The column with the ids, or "line" for line numbers. Without it: one of `ID_NAMES`, else line numbers.
        skip_empty: Leave out rows whose text is missing, empty or white space, instead of refusing them.
        numbers: For metadata that will be compared: where the format knows texts only (csv, tsv), a column whose
            cells are all written as numbers becomes numbers ("007" is none); and None, which is what a row has
            in a column that only others know, is left out.

    Raises:
        FileError: No such column or none that suits; a text is missing, no string, or holds half a surrogate pair
            or NUL; an id is empty or occurs twice. File, line and column are named.

    Example:
        >>> table = Table({"id": [7, 8], "text": ["a", " "], "stars": [5, 4]}, [2, 3], "reviews.csv")
        >>> made = documents(table, skip_empty=True)
        >>> made.items, made.skipped
        ([Document(id='7', text='a', metadata={'stars': 5})], 1)
    """
    id_column = _id_column(table, id)
    text_column = _text_column(table, text, id_column)
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
    return text is not None or _found_text(table, find_column(table, ID_NAMES)) is not None


def text_pairs(table: Table, *, columns: tuple[str, str] | None = None) -> list[tuple[str, str]]:
    """The pairs of texts in two columns, one a row.

    Args:
        table: As `read_table` gives it.
        columns: The two columns. Without them: the first of `PAIR_NAMES` that the table has, in any case.

    Raises:
        FileError: No such columns or none that suit; a text is missing, no string, or holds half a surrogate pair
            or NUL. File, line and column are named.

    Example:
        >>> text_pairs(Table({"a": ["x"], "b": ["y"], "label": ["1"]}, [2], "pairs.csv"))
        [('x', 'y')]
    """
    fix = "complete the pair, or remove the row"
    sides = (texts_in(table, name, fix) for name in _pair_columns(table, columns))
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
    return (
        f"its columns are: {list_names([*table.columns])}" if table.columns else "it holds vectors and no columns"
    )


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


def _text_column(table: Table, asked: str | None, id_column: str | None) -> str:
    if asked is not None:
        return require_column(table, asked, "name one of them: --text COLUMN")
    found = _found_text(table, id_column)
    if found is None:
        raise _unclear(table, "which column is the text?", "name it: --text COLUMN", "give a file with texts")
    return found


def _found_text(table: Table, id_column: str | None) -> str | None:
    """The column of a known name, else the only one that holds texts."""
    if (known := find_column(table, TEXT_NAMES)) is not None:
        return known
    textual = [name for name in table.columns if name != id_column and _is_textual(table.columns[name])]
    return textual[0] if len(textual) == 1 else None


def _unclear(table: Table, question: str, fix: str, otherwise: str) -> FileError:
    if table.columns:
        return FileError(f"{table.source}: {question}", why=names_of(table), fix=fix)
    return FileError(f"{table.source} holds no texts", why=names_of(table), fix=otherwise)


def _is_textual(column: list[Any]) -> bool:
    """Whether a column's cells are strings, and not all of them numbers written as such (csv knows no other)."""
    present = [cell for cell in column if not is_missing(cell)]
    return all(isinstance(cell, str) for cell in present) and not all(_is_number(cell) for cell in present)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


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


def _id_column(table: Table, asked: str | None) -> str | None:
    if asked is None:
        return find_column(table, ID_NAMES)
    if asked == LINE and LINE not in table.columns:
        return None
    return require_column(table, asked, "name one of them: --id COLUMN")


def _ids(table: Table, name: str | None, rows: list[int]) -> list[str]:
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
        why = "a document is found again by its id"
        fix = "fill it in, or take the line numbers: --id line"
        raise FileError(f"{table.place(row)}: the id in column {name!r} is empty", why=why, fix=fix)
    value = json_value(cell)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # where an id is missing, pandas makes all of them floats
    if isinstance(value, (bool, list, dict)) or value is None:
        why = "an id is a string or a number"
        fix = "name another column: --id COLUMN, or take the line numbers: --id line"
        raise FileError(f"{table.place(row)}: the id column {name!r} holds {kind_of(cell)}", why=why, fix=fix)
    return _sound(table, row, name, str(value))


def _metadata(table: Table, columns: dict[str, list[Any]], rows: list[int]) -> Iterator[dict[str, Any]]:
    for row in rows:
        metadata = {name: json_value(column[row]) for name, column in columns.items()}
        for name, value in metadata.items():
            if isinstance(value, str) and not value.isascii() and _SURROGATE.search(value):
                _sound(table, row, name, value)
        yield metadata


def _pair_columns(table: Table, asked: tuple[str, str] | None) -> tuple[str, ...]:
    flag = "--columns LEFT,RIGHT"
    if asked is not None:
        names = tuple(require_column(table, name, f"name one of them: {flag}") for name in asked)
        if names[0] == names[1]:
            what = f"{table.source}: both sides are column {names[0]!r}"
            raise FileError(what, why="a pair has two texts", fix=f"name two: {flag}")
        return names
    found = next(find_columns(table, PAIR_NAMES), None)
    if found is None:
        raise _unclear(table, "which two columns are the pair?", f"name them: {flag}", f"name them: {flag}")
    return found
