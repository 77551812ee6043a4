"""HTML, and EPUB books of it, by lxml: the one file that knows it.

No script is run, nothing is fetched, no entity is made of others.

The tree is walked without recursion: however deep it is, it takes no stack.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from nearsense._optional import require
from nearsense.documents.blocks import Assembler, Content, Kind, title_of
from nearsense.errors import FileError

_SKIP = "script style template noscript svg math iframe object embed head nav button select"
_FLOW = (
    "a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark q ruby rt rp s samp"
    " small span strike strong sub sup time tt u var wbr input"
)
_SKIPPED, _INLINE = frozenset(_SKIP.split()), frozenset(_FLOW.split())
_BREAK = "\v"
"""Stands for <br> until a block ends."""
_HEADINGS = {f"h{level}": level for level in range(1, 7)}


def read_html(path: Path) -> Content:
    """The text that a page shows, without what leads around in it (nav) and what is pressed (button, select)."""
    return of_html(path.read_bytes(), str(path))


def of_html(page: bytes | str, name: str) -> Content:
    """As `read_html`, of a page's content; `name` is for messages."""
    etree = _library()
    encoding = "utf-8" if isinstance(page, str) else _encoding(page)
    page = page.encode("utf-8", "replace") if isinstance(page, str) else page
    parser = etree.HTMLParser(
        encoding=encoding, huge_tree=True, no_network=True, remove_comments=True, remove_pis=True
    )
    made = Assembler()
    if not page.strip():
        return made.content()
    root = etree.fromstring(page, parser)
    if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log):
        why = "its elements stand in each other more than 2,000 deep: it may be hostile"
        raise FileError(f"{name} cannot be read", why=why, fix="leave it out with --ignore")
    if root is None:
        return made.content()
    title = " ".join((root.findtext(".//head/title") or "").split())
    flow = _Flow(made)
    for event, element in _walk(etree, root):
        flow.start(element) if event == "start" else flow.end(element)
    flow.flush()
    return made.content(title=title or title_of(made.blocks))


def read_epub(path: Path) -> Content:
    """The chapters of a book, a zip archive of HTML, in the order of the book."""
    from nearsense.documents.archives import opened

    etree = _library()
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


def _library() -> Any:
    return require("lxml.etree", extra="documents", purpose="reading HTML")


def _encoding(page: bytes) -> str | None:
    """UTF-8 where the page is that and does not say so; None: what it says, or a guess of the parser."""
    head = page[:2048].lower()
    if b"charset" in head or page.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        return None
    try:
        page.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _walk(etree: Any, root: Any) -> Iterator[tuple[str, Any]]:
    """Each element as it begins and as it ends, those that are skipped without what is in them."""
    walker = etree.iterwalk(root, events=("start", "end"))
    for event, element in walker:
        if event == "start" and _name(element) in _SKIPPED:
            walker.skip_subtree()
        yield event, element


def _name(element: Any) -> str:
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


class _Flow:
    """Collects words until a block ends."""

    def __init__(self, made: Assembler) -> None:
        self._made, self._words, self._line = made, list[str](), None
        self._pre = self._items = 0
        self._cells: list[str] | None = None
        self._heading: int = 0

    def start(self, element: Any) -> None:
        name = _name(element)
        if name in _SKIPPED:
            return
        if name == "br":
            self._words.append(_BREAK)
        elif name not in _INLINE and not (self._cells is not None and name not in ("tr", "table", "td", "th")):
            self.flush()
        if name == "pre":
            self._pre += 1
        elif name == "li":
            self._items += 1
        elif name == "tr":
            self._cells = []
        elif name in _HEADINGS:
            self._heading = _HEADINGS[name]
        self._take(element.text, element)

    def end(self, element: Any) -> None:
        name = _name(element)
        if name not in _SKIPPED:
            if name in ("td", "th") and self._cells is not None:
                self._cells.append(" ".join("".join(self._words).split()))
                self._words.clear()
            elif name == "tr" and self._cells is not None:
                cells, self._cells = self._cells, None
                self._words.clear()
                if any(cells):
                    self._made.add(" | ".join(cells), Kind.TABLE, line=element.sourceline)
            elif name not in _INLINE and name != "br" and self._cells is None:
                self.flush()
            self._pre -= name == "pre"
            self._items -= name == "li"
            if name in _HEADINGS:
                self._heading = 0
        self._take(element.tail, element)

    def _take(self, text: str | None, element: Any) -> None:
        if text:
            if self._line is None and not text.isspace():
                self._line = element.sourceline
            self._words.append(text)

    def flush(self) -> None:
        """End the block that is open."""
        if self._cells is not None:
            self._words.append(" ")
            return
        text, line = "".join(self._words), self._line
        self._words.clear()
        self._line = None
        if self._pre > 0:
            self._made.add(text.replace(_BREAK, "\n"), Kind.CODE, line=line)
            return
        text = "\n".join(" ".join(each.split()) for each in text.split(_BREAK))
        kind = Kind.HEADING if self._heading else Kind.ITEM if self._items > 0 else Kind.PARAGRAPH
        self._made.add(text, kind, level=self._heading, line=line)
