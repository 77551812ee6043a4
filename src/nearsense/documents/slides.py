"""PowerPoint presentations, by python-pptx: the one file that knows it. A slide is a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from nearsense._optional import require
from nearsense.documents.archives import opened
from nearsense.documents.blocks import Assembler, Content, Kind, title_of


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
        title=title or next((block.title for block in made.blocks if block.title), title_of(made.blocks)),
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
