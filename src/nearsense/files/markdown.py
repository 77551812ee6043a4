"""A table in Markdown: what would be markup in a text is not, and nothing is cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from nearsense.files.table import json_text, json_value
from nearsense.tables import one_line


def markdown_lines(columns: Sequence[str], cells: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table; a column whose name ends in `>` is set flush right."""
    yield _row([escaped(name.removesuffix(">")) for name in columns])
    yield _row(["---:" if name.endswith(">") else "---" for name in columns])
    for row in cells:
        yield _row([escaped(each) for each in row])


def write_markdown(stream: BinaryIO, names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as the lines of a table; nothing where there is no column."""
    cells = ([cell(json_value(row.get(name))) for name in names] for row in rows)
    for line in markdown_lines(names, cells) if names else ():
        stream.write(f"{line}\n".encode())


def cell(value: Any) -> str:
    """A JSON value as the text of a cell."""
    return "" if value is None else value if isinstance(value, str) else json_text(value)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def escaped(text: str) -> str:
    """As plain text in Markdown, on one line: what would be markup, a column or a tag is not."""
    shown = one_line(text).replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{c}" if c in "|*_`[]#" else c for c in shown)
