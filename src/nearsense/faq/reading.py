"""Where a FAQ comes from: items, strings, documents, a file, a collection. Not what becomes of the rows."""

from __future__ import annotations

import contextlib
import json
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from nearsense.errors import FileError, InputError
from nearsense.faq.items import FAQItem, Row, entries
from nearsense.files import Table, read_table
from nearsense.files.columns import find_column, names_of, require_column
from nearsense.files.table import columns_of, is_missing, json_value
from nearsense.types import Document

__all__ = ["COLUMNS", "Exports", "Source", "columns_found", "id_of", "read_items"]

COLUMNS: dict[str, tuple[str, ...]] = {
    "question": ("question", "query", "text", "utterance", "phrasing", "title", "sentence"),
    "answer": ("answer", "answers", "response", "reply"),
    "phrasings": ("phrasings", "variants", "alternatives", "similar_questions"),
    "category": ("category", "topic", "section", "domain"),
    "id": ("id", "_id", "uuid", "entry", "faq_id"),
}
"""What a column may be called; the first name that is there, in any case, is taken."""


@runtime_checkable
class Exports(Protocol):
    """What of a Collection is needed here."""

    def export(self, path: str | Path, *, vectors: bool = True) -> int:
        """Write all documents into a file."""
        ...  # pragma: no cover

    def info(self) -> Any:
        """Which model it was made with, among others."""
        ...  # pragma: no cover


Source = Iterable[str | FAQItem | Document | Mapping[str, Any]] | str | Path | Exports
"""What a FAQ can be made of."""


def read_items(
    source: Source,
    columns: Mapping[str, str] | None = None,
    format: str | None = None,  # noqa: A002 - the flag's name
    encoding: str = "utf-8",
) -> list[FAQItem]:
    """The entries of whatever a FAQ can be made of.

    Args:
        source: Items, or the path of a file, or a Collection.
        columns: What a file's or record's columns are called, where not as in `COLUMNS`.
        format: Of a file whose name does not tell.
        encoding: Of a file.

    Raises:
        InputError: An item cannot be an entry; its place is named.
        FileError: The same of a file, or it cannot be read.

    Warns:
        UserWarning: Rows were joined because they have one answer, or no entry has one though there are columns
            that nothing is known of.
    """
    found = _entries_of(source, columns, format, encoding)
    unused = list(dict.fromkeys(name for item in found for name in item.metadata))
    ready = isinstance(source, (list, tuple)) and all(isinstance(each, FAQItem) for each in source)
    if unused and not ready and not any(item.answer for item in found):
        warnings.warn(
            f"no entry has an answer; columns that were taken for metadata: {', '.join(map(str, unused))}; name "
            'the one with the answers: --answer COLUMN, or columns={"answer": ...}',
            stacklevel=3,
        )
    return found


def _entries_of(
    source: Source,
    columns: Mapping[str, str] | None,
    format: str | None,  # noqa: A002 - the flag's name
    encoding: str,
) -> list[FAQItem]:
    wanted = _wanted(columns or {})
    if isinstance(source, Exports):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "collection.jsonl"
            source.export(path, vectors=False)
            table = replace(read_table(path), source="collection", unit="document")
        return entries(_rows_of_table(table, {**wanted, "question": wanted["question"] or "text"}))
    if isinstance(source, (str, Path)):
        table = read_table(str(source), format=format, encoding=encoding)
        return entries(_rows_of_table(table, wanted), FileError)
    return entries(_rows(source, wanted))


def _wanted(columns: Mapping[str, str]) -> dict[str, str | None]:
    if unknown := set(columns) - set(COLUMNS):
        raise InputError(f"columns={sorted(unknown)[0]!r} is not known", fix=f"use one of: {', '.join(COLUMNS)}")
    return {name: columns.get(name) for name in COLUMNS}


def _rows(source: Iterable[Any], wanted: Mapping[str, str | None]) -> Iterator[Row]:
    """Items of a list, each by its kind."""
    if isinstance(source, Mapping) or hasattr(source, "columns") or not isinstance(source, Iterable):
        raise InputError(
            f"a FAQ cannot be made of {type(source).__name__}",
            fix='give [{"question": ..., "answer": ...}], of a DataFrame table.to_dict("records"), or a path',
        )
    for position, each in enumerate(source):
        place, number = f"item {position}", str(position)
        if isinstance(each, str):
            yield Row(FAQItem(each), place, number)
        elif isinstance(each, FAQItem):
            yield Row(each, place, number)
        elif isinstance(each, Document):
            row = {
                "question": each.text,
                **{k: v for k, v in each.metadata.items() if k not in ("question", "id")},
            }
            named = FAQItem("", id=each.id)
            yield replace(
                next(_rows_of_records([row], wanted, place, number, named)), place=f"{place} ({each.id})"
            )
        elif isinstance(each, Mapping):
            yield next(_rows_of_records([each], wanted, place, number))
        else:
            raise InputError(
                f"{place} is of type {type(each).__name__}",
                why="an entry is a string, a record, a Document or a FAQItem",
                fix='give {"question": ..., "answer": ...}',
            )


def _rows_of_records(
    records: Sequence[Mapping[str, Any]],
    wanted: Mapping[str, str | None],
    place: str,
    number: str,
    named: FAQItem | None = None,
) -> Iterator[Row]:
    table = Table(columns_of(records), [int(number)], place, unit="item")
    for row in _rows_of_table(table, wanted):
        item = row.item if named is None else replace(row.item, id=named.id)
        yield Row(item, place if item.id is None else f"{place} ({item.id})", number)


def _rows_of_table(table: Table, wanted: Mapping[str, str | None]) -> Iterator[Row]:
    names = columns_found(table, wanted)
    taken = {name for name in names.values() if name}
    for row in range(len(table)):
        cells = {what: table.columns[name][row] if name else None for what, name in names.items()}
        metadata = {name: json_value(column[row]) for name, column in table.columns.items() if name not in taken}
        try:
            item = FAQItem(
                question=_question(cells["question"]),
                answer=_said(cells["answer"]),
                phrasings=_phrasings(cells["phrasings"]),
                category=_said(cells["category"]),
                id=None if is_missing(cells["id"]) else id_of(cells["id"]),
                metadata=metadata,
            )
        except InputError as error:
            raise FileError(f"{table.place(row)}: {error.what}", why=error.why, fix=error.fix) from None
        place = table.place(row) if item.id is None else f"{table.place(row)} ({item.id})"
        yield Row(item, place, str(table.lines[row]))


def columns_found(table: Table, wanted: Mapping[str, str | None]) -> dict[str, str | None]:
    """Which column is what."""
    found: dict[str, str | None] = {}
    for what, names in COLUMNS.items():
        asked = wanted.get(what)
        if asked is not None:
            require_column(table, asked, f"name one of them for the {what}")
        found[what] = asked or find_column(table, names)
    if found["question"] is None and len(table.columns) == 1:
        found["question"] = next(iter(table.columns))
    if found["question"] is None:
        fix = 'name it: --text COLUMN, or columns={"question": ...}'
        raise FileError(f"{table.source}: which column is the question?", why=names_of(table), fix=fix)
    for what in ("id", "category", "phrasings", "answer"):
        if found[what] == found["question"] and wanted.get(what) is None:
            found[what] = None
    return found


def _question(cell: Any) -> str:
    """The cell; what is empty is refused later, with the place of the row."""
    return "" if is_missing(cell) else cast("str", cell)


def _said(cell: Any) -> str | None:
    if is_missing(cell):
        return None
    value = json_value(cell)
    if isinstance(value, list):
        return "\n".join(str(each) for each in value) or None
    return value if isinstance(value, str) else str(value)


def id_of(cell: Any) -> str:
    """An id as a string: 7 and 7.0 are '7'."""
    value = json_value(cell)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _phrasings(cell: Any) -> tuple[str, ...]:
    """A list; or in a text, as csv has it, a JSON list, or parts between | or line ends."""
    if cell is None or is_missing(cell):
        return ()
    if isinstance(cell, str):
        if cell.lstrip().startswith("["):
            with contextlib.suppress(ValueError, RecursionError):
                cell = json.loads(cell)
        if isinstance(cell, str):
            parts = cell.replace("\r", "\n").replace("|", "\n").split("\n")
            return tuple(part.strip() for part in parts if part.strip())
    return cast("tuple[str, ...]", json_value(cell))
