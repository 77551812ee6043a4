"""Markdown as blocks of its own source, by markdown-it: the one file that knows it; notebooks of it.

No link is followed, and nothing is run.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from nearsense._optional import require
from nearsense.documents.blocks import Assembler, Block, Content, Kind, title_of
from nearsense.documents.plain import lines_of
from nearsense.errors import FileError

_FRONT = re.compile(r"---[ \t]*\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|$)", re.S)
_FRONT_TITLE = re.compile(r"^title:[ \t]*(.+?)[ \t]*$", re.M | re.I)
_MARKUP = re.compile(r"!?\[([^\[\]]*+)\]\((?:[^()]++|\([^()]*+\))*+\)|[*_`~]{1,3}")
_LEAVES = {
    "paragraph_open": Kind.PARAGRAPH,
    "fence": Kind.CODE,
    "code_block": Kind.CODE,
    "html_block": Kind.PARAGRAPH,
    "table_open": Kind.TABLE,
    "heading_open": Kind.HEADING,
    "hr": Kind.PARAGRAPH,
}


@cache
def _parser() -> Any:
    made = require("markdown_it", extra="documents", purpose="reading Markdown").MarkdownIt("commonmark")
    return made.enable("table").disable("inline")


def read_markdown(text: str) -> Content:
    """Headings, paragraphs, list items, tables and code of a Markdown text, as stretches of it."""
    front = _FRONT.match(text)
    skipped = text[: front.end()].count("\n") if front else 0
    body = "\n" * skipped + text[front.end() :] if front else text
    spans = [(begin, end) for begin, end, _ in lines_of(text)]
    blocks: list[Block] = []
    if front:
        blocks.append(Block(0, len(front[0].rstrip()), line=1))
    items = done = 0
    for token in _parser().parse(body):
        items += (token.type == "list_item_open") - (token.type == "list_item_close")
        kind = _LEAVES.get(token.type)
        if kind is not None and token.map:
            first, last = max(token.map[0], done), min(token.map[1], len(spans))
            if kind is Kind.PARAGRAPH and items:
                kind = Kind.ITEM
            _append(blocks, text, spans, done, first)
            if first < last:
                begin, end = spans[first][0], spans[last - 1][1]
                level, title = (int(token.tag[1]), _words(text[begin:end])) if kind is Kind.HEADING else (0, "")
                blocks.append(Block(begin, end, kind, level, title, line=first + 1))
            done = max(done, last)
    _append(blocks, text, spans, max(done, skipped), len(spans))
    found = _FRONT_TITLE.search(front[1] or "") if front else None
    title = found[1].strip("\"'") if found else title_of(blocks[1:] if front else blocks)
    return Content(text, blocks, {"title": title} if title else {}, lines=True)


def read_ipynb(path: Path) -> Content:
    """The Markdown and the code of a Jupyter notebook's cells; what the code printed is left out."""
    told: Any = json.loads(path.read_bytes())
    sheets = told.get("worksheets") if isinstance(told, dict) else None
    cells = sheets[0].get("cells") if isinstance(sheets, list) and sheets else None
    cells = told.get("cells", cells) if isinstance(told, dict) else None
    if not isinstance(cells, list):
        raise FileError(f"{path} is no notebook", why="it has no cells", fix="save it with Jupyter again")
    made = Assembler()
    for cell in cells:
        if not isinstance(cell, dict):
            continue
        source = cell.get("source", cell.get("input", ""))
        text = "".join(map(str, source)) if isinstance(source, list) else "" if source is None else str(source)
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        if cell.get("cell_type") == "markdown":
            made.append(read_markdown(text))
        elif cell.get("cell_type") == "heading":
            made.add(text, Kind.HEADING, level=int(cell.get("level", 1)))
        else:
            made.add(text, Kind.CODE if cell.get("cell_type") == "code" else Kind.PARAGRAPH)
    return made.content(title=title_of(made.blocks))


def _append(blocks: list[Block], text: str, spans: list[tuple[int, int]], first: int, last: int) -> None:
    """What stands between two tokens and is none itself: link definitions."""
    if first < last and text[spans[first][0] : spans[last - 1][1]].strip():
        begin, end = spans[first][0], spans[last - 1][1]
        if blocks and begin < blocks[-1].end:
            return
        blocks.append(Block(begin, end, line=first + 1))


def _words(heading: str) -> str:
    lines = heading.strip().splitlines()
    if len(lines) > 1 and set(lines[-1].strip()) <= {"=", "-"}:
        lines = lines[:-1]
    bare = " ".join(lines)
    for _ in range(2):  # a picture may stand in a link
        bare = _MARKUP.sub(lambda match: match[1] or "", bare)
    return bare.strip().strip("#").strip()
