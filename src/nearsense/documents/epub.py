"""EPUB books: a zip archive whose chapters are HTML, read in the order of the book."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from nearsense.documents.archives import opened
from nearsense.documents.blocks import Assembler, Content
from nearsense.documents.markup import of_html, parser_library
from nearsense.errors import FileError


def read_epub(path: Path) -> Content:
    """The chapters of a book, one after another."""
    etree = parser_library()
    made = Assembler()
    with opened(path) as archive:
        names = set(archive.namelist())

        def xml(name: str) -> Any:
            parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
            return etree.fromstring(archive.read(name), parser)

        if "META-INF/container.xml" not in names:
            fix = "open it with a reader of books, and save it anew"
            raise FileError(f"{path} cannot be read", why="it is no EPUB: it names no book", fix=fix)
        package = xml("META-INF/container.xml").find(".//{*}rootfile").get("full-path")
        book = xml(package)
        hrefs = {item.get("id"): item.get("href") for item in book.iterfind(".//{*}manifest/{*}item")}
        folder = posixpath.dirname(package)
        for each in book.iterfind(".//{*}spine/{*}itemref"):
            href = unquote(hrefs.get(each.get("idref")) or "").partition("#")[0]
            name = posixpath.normpath(posixpath.join(folder, href))
            if name in names:
                made.append(of_html(archive.read(name), f"{path}, {name},"))
        title, author = (
            " ".join((book.findtext(f".//{{*}}{name}") or "").split()) for name in ("title", "creator")
        )
    return made.content(title=title, author=author)
