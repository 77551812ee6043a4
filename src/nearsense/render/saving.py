"""A page into a file, in the format that its name says. Not what a page says, nor how it looks on a terminal.

jsonl and json get the records as a pipe gets them. In the flat formats each field of the metadata is a column. In
Markdown stands what a terminal shows, uncut, with the metadata beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nearsense.files import atomic_write, require_table_target, write_table
from nearsense.files.formats import Format, compressed, compression_of
from nearsense.files.markdown import cell, escaped, markdown_lines
from nearsense.render import Page

__all__ = ["flattened", "save"]

METADATA = "metadata"


def save(page: Page, path: str) -> int:
    """Write a page whole or not at all; returns how many records it has."""
    form = require_table_target(path)
    if form is Format.MD:
        with atomic_write(path) as stream, compressed(stream, compression_of(path)) as file:
            file.writelines(f"{line}\n".encode("utf-8", "replace") for line in _markdown(page))
        return len(page.records)
    if form in (Format.JSON, Format.JSONL):
        return write_table(path, page.records)
    names, rows = flattened(page.rows or page.records)
    return write_table(path, rows, columns=names)


def flattened(records: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[dict[str, Any]]]:
    """The columns of records and their rows: each field of the metadata is a column, where the metadata stood.

    A field whose name is taken is called "metadata.NAME".

    Example:
        >>> flattened([{"id": "7", "metadata": {"id": 1, "lang": "en"}, "model": "small"}])
        (['id', 'metadata.id', 'lang', 'model'], [{'id': '7', 'metadata.id': 1, 'lang': 'en', 'model': 'small'}])
    """
    own = dict.fromkeys(name for record in records for name in record)
    fields = dict.fromkeys(name for record in records for name in record.get(METADATA) or ())
    called = {name: f"{METADATA}.{name}" if name in own else name for name in fields}
    names = [each for name in own for each in (called.values() if name == METADATA else (name,))]
    rows = [
        {name: value for name, value in record.items() if name != METADATA}
        | {called[name]: value for name, value in (record.get(METADATA) or {}).items()}
        for record in records
    ]
    return names, [{name: row[name] for name in names if name in row} for row in rows]


def _markdown(page: Page) -> Iterator[str]:
    for each in page.groups or (page,):
        if each.title:
            yield f"## {escaped(each.title)}"
            yield ""
        if each.columns:
            yield from markdown_lines(*_with_metadata(each))
            yield ""
    if page.note:
        yield escaped(page.note)


def _with_metadata(page: Page) -> tuple[list[str], Iterator[list[str]]]:
    """The head and the cells of a table, with those of the metadata where the rows are records that have any."""
    known: list[Mapping[str, Any]] = [{} for _ in page.cells]
    if len(page.records) == len(page.cells):
        known = [record.get(METADATA) or {} for record in page.records]
    fields = [*dict.fromkeys(name for each in known for name in each)]
    cells = (
        [*row, *(cell(each.get(name)) for name in fields)] for row, each in zip(page.cells, known, strict=True)
    )
    return [*page.columns, *fields], cells
