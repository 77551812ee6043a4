"""PDF, by PDFium through pypdfium2: the one file that knows it. No script is run, no attachment opened.

PDFium is built without a JavaScript engine there, and is asked for text only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nearsense._optional import require
from nearsense.documents.blocks import Assembler, Content, Kind
from nearsense.documents.plain import ITEM
from nearsense.errors import FileError

PAGES = 20_000
"""The most pages that are read."""

_HYPHEN = re.compile("(?<=\\w)(?:\x02|\ufffe|\xad)\n?(?=\\w)")
_ODD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_FINAL = re.compile(r"[.!?:;\u2026\u3002\uff01\uff1f][\"')\]\u201d\u2019\u00bb]*$")
_NAMELESS = re.compile(
    r"(?i)untitled|microsoft (?:word|powerpoint) - |.*\.(?:docx?|pptx?|tex|dvi|indd|qxd|rtf|pages)$"
)


def read_pdf(path: Path) -> Content:
    """The text of each page, in paragraphs; headings as far as the outline names them."""
    pdfium = require("pypdfium2", extra="documents", purpose="reading PDFs")
    pdf = _opened(pdfium, path)
    pages = len(pdf)
    if pages > PAGES:
        raise FileError(
            f"{path} is too large", why=f"it has {pages:,} pages; at most {PAGES:,} are read", fix="split it"
        )
    known = pdf.get_metadata_dict()
    outline = _outline(pdf)
    made = Assembler()
    over: list[str] = []
    for number in range(pages):
        page = pdf[number]
        text = page.get_textpage()
        over = _add_page(made, number + 1, over, _clean(text.get_text_range()), outline.get(number, []))
        text.close()
        page.close()
    _close(made, over)
    attached = [pdf.get_attachment(number).get_name() for number in range(min(pdf.count_attachments(), 100))]
    pdf.close()
    if not made.blocks:
        why = f"its {pages:,} page{'s are' if pages != 1 else ' is'} without text: scanned, perhaps"
        raise FileError(f"{path} holds no text", why=why, fix="give it a text layer by an OCR program first")
    title = str(known.get("Title") or "").strip()
    title = "" if _NAMELESS.match(title) else title
    author = str(known.get("Author") or "").strip()
    return made.content(title=title, author=author, pages=pages, attachments=attached)


def _opened(pdfium: Any, path: Path) -> Any:
    try:
        return pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        said = str(error).lower()
        if "password" in said or "security" in said:
            fix = "remove the password: qpdf --decrypt --password=... IN.pdf OUT.pdf"
            raise FileError(f"{path} is encrypted", why="it opens with a password only", fix=fix) from None
        why, fix = "it is damaged, or no PDF", "open it with a PDF reader, and save it anew"
        raise FileError(f"{path} cannot be read", why=why, fix=fix) from None


def _clean(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _ODD.sub(" ", _HYPHEN.sub("", text))


def _outline(pdf: Any) -> dict[int, list[tuple[int, str]]]:
    """The entries of the outline by their pages: levels from 1, and titles."""
    found: dict[int, list[tuple[int, str]]] = {}
    for count, item in enumerate(pdf.get_toc(max_depth=8)):
        if count >= PAGES:
            break
        goal = item.get_dest()
        page = None if goal is None else goal.get_index()
        title = " ".join(_ODD.sub(" ", item.get_title()).split())
        if page is not None and title:
            found.setdefault(page, []).append((item.level + 1, title))
    return found


def _add_page(
    made: Assembler, number: int, over: list[str], text: str, outline: Sequence[tuple[int, str]]
) -> list[str]:
    """A page's paragraphs; entries of the outline where their words stand as a line, else above the page.

    `over` is the paragraph that the page before did not end; it goes on here where a small letter comes first, and
    belongs to the page on which it begins. That of this page comes back.
    """
    lines = [line.strip() for line in text.split("\n")]
    at = next((at for at, line in enumerate(lines) if line), 0)
    if over and lines[at : at + 1] and lines[at][:1].islower():
        while at < len(lines) and lines[at]:
            over.append(lines[at])
            at += 1
            if _FINAL.search(over[-1]):
                break
        if at == len(lines) and not _FINAL.search(over[-1]):
            return over
    _close(made, over)
    made.page = number
    del lines[:at]
    places: dict[int, tuple[int, str, int]] = {}
    start = 0
    for level, title in outline:
        stands = _line_that_says(lines, title, start)
        if stands is None:
            made.mark(title, level)
        else:
            places[stands[0]] = level, title, stands[1]
            start = stands[1]
    paragraph: list[str] = []
    at = 0
    long = _usual(lines)
    while at < len(lines):
        if at in places:
            level, title, following = places[at]
            _close(made, paragraph)
            made.add(" ".join(lines[at:following]), Kind.HEADING, level=level, title=title)
            at = following
            continue
        line = lines[at]
        if not line or (paragraph and ITEM.match(line)):
            _close(made, paragraph)
        if line:
            paragraph.append(line)
            if _FINAL.search(line) and len(line) < 0.8 * long:
                _close(made, paragraph)
        at += 1
    if paragraph and not _FINAL.search(paragraph[-1]):
        return paragraph
    _close(made, paragraph)
    return []


def _usual(lines: Sequence[str]) -> int:
    """How long a full line of a page is: nine of ten are no longer."""
    lengths = sorted(len(line) for line in lines if line)
    return lengths[int(0.9 * (len(lengths) - 1))] if lengths else 0


def _close(made: Assembler, paragraph: list[str]) -> None:
    if paragraph:
        item = ITEM.match(paragraph[0])
        made.add("\n".join(paragraph), Kind.ITEM if item else Kind.PARAGRAPH)
        paragraph.clear()


def _line_that_says(lines: Sequence[str], title: str, start: int) -> tuple[int, int] | None:
    """The lines that say a title, perhaps behind a number; at most three."""
    wanted = _letters(title)
    if not wanted:
        return None
    for at in range(start, len(lines)):
        said = ""
        for following in range(at + 1, min(at + 4, len(lines) + 1)):
            said += _letters(lines[following - 1])
            if said == wanted or (
                said.lstrip("0123456789ivx") == wanted.lstrip("0123456789ivx") and len(wanted) > 3
            ):
                return at, following
            if len(said) > len(wanted) + 8:
                break
    return None


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).lower()
