"""What every page has: its head, its colours, tables, and texts as plain text. Not what stands on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

from nearsense.tables import printable

STYLE = "\n" + (files("nearsense.pages") / "report.css").read_text("utf-8")


def plain(text: str) -> str:
    """A text as HTML that shows it as it is: nothing in it is markup, no character steers the reader's eye.

    Example:
        >>> plain("<b>1 & 2</b>")
        '&lt;b&gt;1 &amp; 2&lt;/b&gt;'
    """
    return escape(printable(text))


def page(title: str, body: Iterable[str]) -> str:
    """A whole page, of a title in plain text and parts as HTML."""
    return _PAGE.format(title=plain(title), style=STYLE, body="\n".join(body))


def section(title: str, *parts: str, lead: str = "") -> str:
    """Parts as HTML under a heading and a leading sentence in plain text; nothing where it would hold nothing."""
    body = "\n".join(part for part in parts if part)
    if not body:
        return ""
    said = f'\n<p class="lead">{plain(lead)}</p>' if lead else ""
    return f"<section>\n<h2>{plain(title)}</h2>{said}\n{body}\n</section>"


def table(
    caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, marked: Iterable[int] = ()
) -> str:
    """A table of plain text; the first cell of each row is its heading, marked rows are bold.

    `>` behind the name of a column sets its cells to the right.
    """
    strong = set(marked)
    kinds = [' class="n"' if name.endswith(">") else "" for name in columns]
    heads = "".join(
        f'<th scope="col"{kind}>{plain(name.removesuffix(">"))}</th>'
        for name, kind in zip(columns, kinds, strict=True)
    )
    classes = {True: ' class="strong"', False: ""}
    body = "\n".join(
        f"<tr{classes[place in strong]}>{_cells(cells, kinds)}</tr>" for place, cells in enumerate(rows)
    )
    return (
        f'<div class="wide"><table>\n<caption>{plain(caption)}</caption>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _cells(cells: Sequence[str], kinds: Sequence[str]) -> str:
    first = f'<th scope="row"{kinds[0]}>{plain(cells[0])}</th>'
    rest = (f"<td{kind}>{plain(cell)}</td>" for cell, kind in zip(cells[1:], kinds[1:], strict=True))
    return first + "".join(rest)


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""
