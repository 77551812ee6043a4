"""A page's table in Markdown; how a table and a text are written there: files/markdown.py."""

from __future__ import annotations

from collections.abc import Iterator

from nearsense.files.markdown import escaped, markdown_lines
from nearsense.render import Page
from nearsense.tables import printable

__all__ = ["escaped", "markdown_table"]


def markdown_table(page: Page) -> Iterator[str]:
    """The lines of a page's table, its texts as short as on a terminal."""
    return markdown_lines(page.columns, ([printable(cell) for cell in row] for row in page.cells))
