"""Tables and texts as Markdown: what would be markup in a text is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nearsense.render import Page
from nearsense.tables import printable


def markdown_table(page: Page) -> Iterator[str]:
    """The lines of a page's table."""
    yield _row([name.removesuffix(">") for name in page.columns])
    yield _row(["---:" if name.endswith(">") else "---" for name in page.columns])
    for cells in page.cells:
        yield _row([escaped(cell) for cell in cells])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def escaped(text: str) -> str:
    """As plain text in Markdown: what would be markup, a column or a tag is not."""
    shown = printable(text).replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{c}" if c in "|*_`[]#" else c for c in shown)
