"""Jupyter notebooks: the Markdown and the code of their cells. Nothing is run; what code printed is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nearsense.documents.blocks import Assembler, Content, Kind, title_of
from nearsense.documents.markdown import read_markdown
from nearsense.errors import FileError


def read_ipynb(path: Path) -> Content:
    """The cells of a notebook, in their order."""
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
