"""Word documents and PowerPoint presentations, by python-docx and python-pptx: the one file that knows them.

Macros are not run, links not followed. A slide is a page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
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
        cells = [" ".join("".join(_texts(cell)).split()) for cell in row.tc_lst]
        if any(cells):
            made.add(" | ".join(cells), Kind.TABLE)


def _texts(cell: Any) -> Iterator[str]:
    """All text of a cell, tables within it included."""
    for element in cell.iter("{*}t", "{*}p", "{*}tab", "{*}br"):
        name = element.tag.rpartition("}")[2]
        yield (element.text or "") if name == "t" else " "


def read_pptx(path: Path) -> Content:
    """Each slide: its title as a heading, its texts in the order of its shapes, its tables, then its notes."""
    pptx = require("pptx", extra="documents", purpose="reading presentations")
    with opened(path):
        presentation = pptx.Presentation(str(path))
    made = Assembler()
    for number, slide in enumerate(presentation.slides, 1):
        made.page = number
        title = slide.shapes.title
        if title is not None and title.text_frame.text.strip():
            made.add(" ".join(title.text_frame.text.split()), Kind.HEADING, level=1)
        else:
            made.mark("", 1)
        for shape in _all(slide.shapes):
            if title is not None and shape.shape_id == title.shape_id:
                continue
            if getattr(shape, "has_table", False):
                for row in shape.table.rows:
                    made.add(" | ".join(" ".join(cell.text.split()) for cell in row.cells), Kind.TABLE)
            elif getattr(shape, "has_text_frame", False):
                for paragraph in shape.text_frame.paragraphs:
                    made.add(paragraph.text.replace("\v", "\n"), Kind.ITEM if paragraph.level else Kind.PARAGRAPH)
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            made.add(slide.notes_slide.notes_text_frame.text)
    properties = presentation.core_properties
    said = (properties.title or "").strip()
    title = "" if said == "PowerPoint Presentation" else said
    return made.content(
        title=title or next((block.title for block in made.blocks if block.title), ""),
        author=(properties.author or "").strip(),
        pages=made.page,
    )


def _all(shapes: Iterable[Any]) -> Iterator[Any]:
    """Shapes, those in groups too."""
    waiting = list(shapes)[::-1]
    while waiting:
        shape = waiting.pop()
        inner = getattr(shape, "shapes", None)
        if inner is not None:
            waiting += list(inner)[::-1]
        else:
            yield shape
