"""What every page has: its head, its colours, tables, and texts as plain text. Not what stands on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from nearsense.render import printable

__all__ = ["page", "plain", "section", "table"]


def plain(text: str) -> str:
    """A text as HTML that shows it as it is: nothing in it is markup, no character steers the reader's eye.

    Example:
        >>> plain("<b>1 & 2</b>")
        '&lt;b&gt;1 &amp; 2&lt;/b&gt;'
    """
    return escape(printable(text))


def page(title: str, body: Iterable[str]) -> str:
    """A whole page.

    Args:
        title: In plain text.
        body: Parts, as HTML.
    """
    return _PAGE.format(title=plain(title), style=_STYLE, body="\n".join(body))


def section(title: str, *parts: str, lead: str = "") -> str:
    """A part of a page under a heading; nothing where it would hold nothing.

    Args:
        title: In plain text.
        parts: As HTML.
        lead: A sentence below the heading, in plain text.
    """
    body = "\n".join(part for part in parts if part)
    if not body:
        return ""
    said = f'\n<p class="lead">{plain(lead)}</p>' if lead else ""
    return f"<section>\n<h2>{plain(title)}</h2>{said}\n{body}\n</section>"


def table(
    caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, marked: Iterable[int] = ()
) -> str:
    """A table; cells are plain text, the first of each row is its heading.

    Args:
        caption: What it shows.
        columns: Their names; `>` behind one sets its cells to the right.
        rows: A cell for each column.
        marked: Rows that are set in bold.
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

_STYLE = """
:root { --paper: #fcfcfa; --ink: #1c2530; --soft: #56626f; --line: #dce1e6; --wash: #f2f4f5;
  --a: #1f5fa8; --b: #b4530f; --c: #0a6f61; --d: #7d449b; --words: #77828e; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181d; --ink: #e5e9ed; --soft: #a3afbb;
  --line: #303a45; --wash: #1b2128; --a: #82b6f2; --b: #f0a265; --c: #62c8b6; --d: #cda4e6; --words: #8b97a3; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 3rem 1.5rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; font-weight: 650; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 3rem 0 .3rem; font-weight: 650; }
h3 { font-size: 1rem; margin: 1.6rem 0 .3rem; font-weight: 600; }
p { margin: .3rem 0 .8rem; max-width: 46rem; }
.lead, footer, figcaption, caption { color: var(--soft); }
.facts { display: flex; flex-wrap: wrap; gap: 1rem 2.6rem; margin: 1.6rem 0 0; padding: 0; }
.facts div { margin: 0; } .facts dt { color: var(--soft); font-size: .85rem; }
.facts dd { margin: 0; font-size: 1.5rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.facts small { font-size: .85rem; font-weight: 400; color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0 1rem; font-size: .92rem; }
caption { text-align: left; font-size: .88rem; padding-bottom: .4rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0; font-weight: 400;
  border-bottom: 1px solid var(--line); overflow-wrap: break-word; }
tbody th { min-width: 7rem; }
thead th { color: var(--soft); font-size: .85rem; border-bottom-color: var(--soft); vertical-align: bottom; }
.n + :not(.n) { padding-left: 1.2rem; }
tr > .n:last-child { padding-right: 0; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; overflow-wrap: normal; }
tbody tr.strong th, tbody tr.strong td { font-weight: 600; }
.errors th, .errors td { min-width: 4rem; }
.errors td:nth-child(n+4) { min-width: 15rem; overflow-wrap: anywhere; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 1.2rem 2rem; }
figure { margin: .8rem 0; } figcaption { font-size: .88rem; max-width: 46rem; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { fill: var(--soft); font: 11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
svg .name { fill: var(--ink); font-size: 12px; } svg .end { text-anchor: end; } svg .mid { text-anchor: middle; }
svg .rule { stroke: var(--line); stroke-width: 1; } svg .base { stroke: var(--soft); stroke-width: 1; }
svg .guide { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 3 4; }
svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg .thin { stroke-width: 1.3; } svg .dots { fill: none; stroke-width: 3; stroke-linecap: round; opacity: .38; }
svg .area { stroke-width: 1.3; fill-opacity: .2; stroke-linejoin: round; }
svg .whisker { stroke-width: 2; }
svg .dash { stroke-dasharray: 7 3; } svg .dotted { stroke-dasharray: 2 3; }
svg .mixed { stroke-dasharray: 8 3 2 3; }
svg .point { stroke: var(--paper); }
.a { stroke: var(--a); fill: var(--a); } .b { stroke: var(--b); fill: var(--b); }
.c { stroke: var(--c); fill: var(--c); } .d { stroke: var(--d); fill: var(--d); }
.words { stroke: var(--words); fill: var(--words); }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0; margin: .3rem 0; list-style: none;
  font-size: .88rem; color: var(--soft); }
.key svg { display: inline-block; width: 1.4rem; height: .6rem; margin-right: .4rem; }
footer { margin-top: 3.5rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: .88rem; }
@media (max-width: 40rem) { main { padding: 1.5rem 1rem 3rem; } }
@media print { :root { --paper: #fff; --ink: #000; --soft: #444; --line: #ccc; --a: #1f5fa8; --b: #b4530f;
  --c: #0a6f61; --d: #7d449b; --words: #77828e; } main { max-width: none; padding: 0; } body { font-size: 11pt; }
  figure, tr { break-inside: avoid; } h2, h3, caption { break-after: avoid; } .wide { overflow: visible; } }
"""
