"""Whatever a verb is given as texts, as Documents that know the rows they came from. Not what models make of them.

A list, a Series, an array of Arrow, a column of a frame by its name, a file: each verb takes them through here.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from nearsense._paths import exists
from nearsense.columns import (
    Given,
    cells_in,
    cells_of,
    index_of,
    is_absent,
    is_frame,
    library_of,
    list_names,
    names_of,
)
from nearsense.errors import InputError
from nearsense.records import Document, Results, Vectors
from nearsense.text import listed, require_texts

if TYPE_CHECKING:
    from nearsense.files import Table


class Frame(Protocol):
    """A table with named columns, of any library."""

    @property
    def columns(self) -> Any:
        """Its columns, or their names."""
        ...  # pragma: no cover


Texts: TypeAlias = Iterable[str | Document] | str | os.PathLike[str] | Frame
"""Strings or Documents in a list, a Series, an array; the path of a file; a frame, with the name of a column."""

TextColumn: TypeAlias = str | Sequence[str] | None
"""The column of a frame or file that holds the texts; of several the texts are joined."""

JOINT = "\n"
"""What stands between the cells of several columns."""


class Corpus(list[Document]):
    """Documents in their order, and how the rows that they came from are called."""

    def __init__(self, documents: Iterable[Document], library: str = "", index: Any = None) -> None:
        super().__init__(documents)
        self._library, self._index = library, index

    @functools.cached_property
    def given(self) -> Given:
        """How the rows are called."""
        return Given(self._library, self._index, [document.id for document in self])


def given_of(documents: Sequence[Document]) -> Given:
    """How the rows of some documents are called: as they came in, else by their ids."""
    if isinstance(documents, Corpus):
        return documents.given
    return Given(ids=[document.id for document in documents])


def some_of(documents: Sequence[Document], rows: Sequence[int]) -> list[Document]:
    """Some of the documents, in that order, which still know the rows that they came from."""
    some = [documents[row] for row in rows]
    given = given_of(documents).take(rows)
    return Corpus(some, given.library, given.index)


def as_documents(items: Texts, text: TextColumn = None, *, id: Hashable = None, what: str = "text") -> Corpus:  # noqa: A002
    """Texts of any kind as Documents with ids of their own.

    The ids are those of the Documents, else the labels of the index, else the positions from 0; also where labels
    repeat. The other columns of a frame or file become metadata. `id` is a frame's column of ids, `what` what
    messages call a text.
    """
    if isinstance(items, (str, os.PathLike)):
        return _of_file(items, text, id)
    if isinstance(items, Vectors):
        raise InputError(
            f"{what}s are vectors", why="a text has to be read", fix="give the texts, and vectors=..."
        )
    if isinstance(items, Document):
        items = [items]
    if text is not None or is_frame(items):
        return _of_frame(items, text, id, what)
    if isinstance(items, Corpus):
        return items
    cells: list[Any] = listed(cast("Iterable[Any]", items), what)
    if not any(isinstance(cell, Document) for cell in cells):
        return _of_column(items, cells, what, {}, None)
    documents = [
        cell if isinstance(cell, Document) else Document(id=str(position), text=cell)
        for position, cell in enumerate(cells)
    ]
    require_texts([document.text for document in documents], what)
    _require_ids(documents)
    return Corpus(documents)


def column_in(items: Any, text: TextColumn) -> TextColumn:
    """The column that is meant of one of two sides; None of a side that has no columns."""
    first = items[0] if isinstance(items, (list, tuple)) and items else None
    return text if is_frame(items) or isinstance(items, (str, os.PathLike)) or isinstance(first, Mapping) else None


def as_pairs(pairs: Any, columns: Sequence[str] | None, width: int = 2) -> tuple[list[Any], Given]:
    """Pairs of texts as tuples: those given, or the rows of the named columns of a frame or file."""
    if columns is None and not is_frame(pairs) and not isinstance(pairs, (str, os.PathLike)):
        return listed(pairs, "pair"), Given()
    names = ("left", "right", "label")[:width]
    frame = pairs
    if isinstance(pairs, (str, os.PathLike)):
        from nearsense.files import text_pairs

        table = _read(pairs)
        if columns is None and width == 2:
            return text_pairs(table), Given()
        frame = table.columns
    if columns is None or isinstance(columns, str) or len(columns) != width:
        wanted = ", ".join(repr(name) for name in (*map(str, names_of(frame)[:width]),))
        raise InputError(
            f"which {width} columns are the pair{' and its label' if width > 2 else ''}?",
            why=f"the columns are: {list_names(names_of(frame))}",
            fix=f"name them: columns=({wanted})",
        )
    sides = []
    for name, column in zip(names, columns, strict=True):
        cells = cells_in(frame, column)
        if name != "label":
            require_texts(cells, f"{name} text", frame, column)
        sides.append(cells)
    return list(zip(*sides, strict=True)), Given(library_of(frame), index_of(frame))


def table_of(frame: Any) -> Table:
    """A frame as files have it, for what is read off the columns of either."""
    from nearsense.files import Table

    names, index = names_of(frame), index_of(frame)
    columns = {str(name): cells_in(frame, name) for name in names}
    plain = {name: [None if is_absent(cell) else cell for cell in column] for name, column in columns.items()}
    rows = list(range(len(next(iter(plain.values()), []))))
    labels = rows if index is None else cells_of(index) or []
    lines = labels if all(type(label) is int for label in labels) else rows
    return Table(plain, lines, f"the {type(frame).__name__}", unit="row")


def remember(found: Iterable[Results[Any]], documents: Sequence[Document]) -> None:
    """Have results know how the rows of these documents are called."""
    given = given_of(documents)
    for each in found:
        each.given = given


def _of_file(path: str | os.PathLike[str], text: TextColumn, id_: Any) -> Corpus:
    """The documents of a file; one string is the name of one."""
    from nearsense.files import documents

    column = text if text is None or isinstance(text, str) else ",".join(text)
    return Corpus(documents(_read(path), text=column, id=id_).items)


def _read(path: str | os.PathLike[str]) -> Table:
    """A file, as a table."""
    from nearsense.files import read_table

    if isinstance(path, str) and (len(path) > 4096 or "\n" in path or not exists(path)):
        raise InputError(
            f"there is no file {path[:60]!r}",
            why="one string where texts are wanted is the name of a file",
            fix="for one text give a list of one: [text]",
        )
    return read_table(path)


def _of_frame(frame: Any, text: TextColumn, id_: Hashable, what: str) -> Corpus:
    """The rows of a frame: the text of a column, or of several, and the other columns as metadata."""
    if not is_frame(frame):
        frame = _columns_of_records(frame, text, what)
    names = names_of(frame)
    if text is None:
        raise InputError(
            f"{what}s are a {type(frame).__name__}: which of its columns?",
            why=f"its columns are: {list_names(names)}",
            fix=f"name it: text={_likely(names)!r}",
        )
    chosen: list[Any] = (
        [text] if isinstance(text, Hashable) and (text in names or isinstance(text, str)) else list(text)
    )
    columns = [cells_in(frame, name) for name in chosen]
    cells = _joined(columns) if len(columns) > 1 else columns[0]
    left_out = [id_, *chosen] if len(chosen) == 1 else [id_]
    rest = {name: cells_in(frame, name) for name in names if name not in left_out}
    ids = None if id_ is None else cells_in(frame, id_)
    odd = next((name for name, column in rest.items() if len(column) != len(cells)), None)
    if odd is not None:
        what = f"the column {odd!r} has {len(rest[odd]):,} rows, the texts have {len(cells):,}"
        raise InputError(what, why="a row has a cell in each column", fix="make them as long")
    return _of_column(frame, cells, what, rest, ids, chosen[0])


def _likely(names: Sequence[Any]) -> Any:
    """The name that texts most often have, else the first."""
    from nearsense.files.names import TEXT_NAMES, called

    folded = {str(name).casefold(): name for name in reversed(names)}
    known = [folded[each] for each in TEXT_NAMES if each in folded]
    return next(iter([*known, *(name for name in names if called(str(name), "text")), *names]), "")


def _columns_of_records(items: Any, text: TextColumn, what: str) -> Mapping[str, list[Any]]:
    """Records in a list as columns."""
    from nearsense.files.table import columns_of

    records = listed(items, what)
    if not all(isinstance(record, Mapping) for record in records):
        raise InputError(
            f"text={text!r} names a column, and {what}s are a {type(items).__name__}",
            why="a list or a Series has no columns",
            fix="leave text out",
        )
    return columns_of(records)


def _joined(columns: Sequence[list[Any]]) -> list[Any]:
    """The cells of several columns in one text each, without those that are empty; None where all are."""
    found: list[Any] = []
    for row in zip(*columns, strict=False):
        present = [cell for cell in row if not is_absent(cell) and cell != ""]
        odd = next((cell for cell in present if not isinstance(cell, str)), None)
        found.append(odd if odd is not None else JOINT.join(cell.strip() for cell in present) or None)
    return found


def _of_column(
    source: Any,
    cells: list[Any],
    what: str,
    rest: Mapping[Any, list[Any]],
    ids: list[Any] | None,
    name: Hashable = None,
) -> Corpus:
    """Documents of cells that have to be texts, called by an index, by a column of ids, or by their place."""
    from nearsense.files.table import json_value

    index = index_of(source)
    require_texts(cells, what, source, name)
    if ids is not None:
        called = [str(each) for each in ids]
    elif index is None:
        called = list(map(str, range(len(cells))))
    else:
        called = [str(label) for label in cells_of(index) or ()]
        if len({*called, ""}) != len(cells) + 1:  # labels that repeat, or are empty, name no row
            called = list(map(str, range(len(cells))))
    if not rest:
        found = list(map(Document, called, cells))
    else:
        kept = [str(name) for name in rest]
        values = [[None if is_absent(cell) else json_value(cell) for cell in column] for column in rest.values()]
        found = [
            Document(id_, text, dict(zip(kept, row, strict=True)))
            for id_, text, row in zip(called, cells, zip(*values, strict=True), strict=True)
        ]
    if ids is not None:
        _require_ids(found)
    return Corpus(found, library_of(source), index)


def _require_ids(documents: Sequence[Document]) -> None:
    seen: dict[str, int] = {}
    for position, document in enumerate(documents):
        if not isinstance(document.id, str) or not document.id:
            raise InputError(f"document {position} has the id {document.id!r}", fix="give a non-empty string")
        if document.id in seen:
            what = f"documents {seen[document.id]} and {position} share the id {document.id!r}"
            fix = "give each document an id of its own"
            raise InputError(what, why="a hit could not say which of them it means", fix=fix)
        seen[document.id] = position
