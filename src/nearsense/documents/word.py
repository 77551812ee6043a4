"""Word documents, by python-docx: the one file that knows it. Macros are not run, links not followed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nearsense._optional import require
from nearsense.documents.archives import opened
from nearsense.documents.blocks import Assembler, Content, Kind, title_of

_HEADING = re.compile(r"(?i)heading (\d)$")


def read_docx(path: Path) -> Content:
    """Paragraphs, headings by their styles, list items and the rows of tables; pages as Word drew them last."""
    docx = require("docx", extra="documents", purpose="reading Word documents")
    with opened(path):
        document = docx.Document(str(path))
    made = Assembler()
    styles: dict[str | None, tuple[Kind, int]] = {}
    breaks = any(True for _ in document.element.body.iter("{*}lastRenderedPageBreak"))
    made.page = 1 if breaks else None
    for item in document.iter_inner_content():
        if hasattr(item, "rows"):
            _add_table(made, item)
            continue
        kind, level = _style(item, styles)
        broken = len(item.rendered_page_breaks) if breaks else 0
        if broken and made.page is not None and item.rendered_page_breaks[0].preceding_paragraph_fragment is None:
            made.page, broken = made.page + 1, broken - 1
        made.add(item.text, kind, level=level)
        if made.page is not None:
            made.page += broken
    properties = document.core_properties
    title = next((block.title for block in made.blocks if block.level == 1), "")
    said = (properties.title or "").strip()
    return made.content(title=said or title_of(made.blocks) or title, author=(properties.author or "").strip())


def _style(paragraph: Any, known: dict[str | None, tuple[Kind, int]]) -> tuple[Kind, int]:
    """What a paragraph is by its style, and the level of a heading."""
    properties = paragraph._p.pPr
    numbered = properties is not None and properties.numPr is not None
    style = None if properties is None or properties.pStyle is None else properties.pStyle.val
    if style not in known:
        name = paragraph.style.name or "" if paragraph.style is not None else ""
        found = _HEADING.match(name)
        if found or name == "Title":
            known[style] = Kind.HEADING, int(found[1]) if found else 1
        else:
            known[style] = (Kind.ITEM if name.startswith("List") else Kind.PARAGRAPH), 0
    kind, level = known[style]
    return (Kind.ITEM if numbered and kind is Kind.PARAGRAPH else kind), level


def _add_table(made: Assembler, table: Any) -> None:
    for row in table._tbl.tr_lst:
        cells = [" ".join(_words(cell).split()) for cell in row.tc_lst]
        if any(cells):
            made.add(" | ".join(cells), Kind.TABLE)


def _words(cell: Any) -> str:
    """All text of a cell, tables within it included."""
    return "".join(_texts(cell))


def _texts(cell: Any) -> Iterator[str]:
    for element in cell.iter("{*}t", "{*}p", "{*}tab", "{*}br"):
        name = element.tag.rpartition("}")[2]
        yield (element.text or "") if name == "t" else " "
