"""Blocks of files whose text is their content: plain text, reStructuredText, AsciiDoc, source code. Not Markdown.

Nothing is parsed but lines: what an include or a directive names is not followed, and no code is run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from nearsense.documents.blocks import Block, Content, Kind, title_of

Line = tuple[int, int, str]
"""Where it begins and ends, without its line feed, and what is in it."""

ITEM = re.compile(r"\s*(?:[-*+\u2022\u2013]|\(?\d{1,3}[.)]|\(?[a-z]\))\s+\S")
_RULE = re.compile(r"([!-/:-@\[-`{-~])\1{2,}\s*$")
_EQUALS = re.compile(r"(={1,6}|\*{1,6})\s++(\S.*)$")
_TEX = re.compile(r"\s*\\(part|chapter|(?:sub){0,2}section)\*?\{(.+?)\}")
_TEX_LEVELS = {"part": 1, "chapter": 2, "section": 3, "subsection": 4, "subsubsection": 5}
_DEFINITION = re.compile(
    r"\s*(?:@\w+\s+|(?:export|default|public|private|protected|internal|static|final|abstract|async|unsafe|pub(?:\(\w+\))?"
    r"|override|open|sealed|virtual|inline|const|extern|data)\s+)*"
    r"(?:def|class|function\*?|func|fn|fun|sub|struct|impl|interface|trait|enum|module|namespace|protocol|object|record"
    r"|CREATE(?:\s+OR\s+REPLACE)?\s+(?:FUNCTION|PROCEDURE|VIEW|TABLE))\s+(?:\([^)]*\)\s*)?([\w$]+(?:[.:]+[\w$]+)*)",
    re.I,
)
_OPENER = re.compile(r"[)\]}>]|end\b|else|elif|except|finally|catch|#\s*(?:endif|else)", re.I)


def lines_of(text: str) -> Iterator[Line]:
    """The lines of a text."""
    begin = 0
    while begin < len(text):
        end = text.find("\n", begin)
        end = len(text) if end < 0 else end
        yield begin, end, text[begin:end]
        begin = end + 1


def read_text(text: str) -> Content:
    """Paragraphs between empty lines, and list items."""
    return _read(text, lambda lines, at: None)


def read_rst(text: str) -> Content:
    """As plain text, with titles: a line over a rule of signs, or between two; levels in the order they come."""
    styles: list[str] = []

    def heading(lines: list[Line], at: int) -> tuple[int, int, str] | None:
        over = _RULE.match(lines[at][2])
        first = at + 1 if over else at
        if first + 1 >= len(lines) or not lines[first][2].strip():
            return None
        under, title = _RULE.match(lines[first + 1][2]), lines[first][2]
        if not under or len(under[0].rstrip()) < len(title.rstrip()) or (over and over[1] != under[1]):
            return None
        if (title[:1].isspace() and not over) or _RULE.match(title):
            return None
        style = under[1] * (2 if over else 1)
        if style not in styles:
            styles.append(style)
        return first + 2, styles.index(style) + 1, title.strip()

    return _read(text, heading)


def read_signs(text: str) -> Content:
    """As plain text, with headings as AsciiDoc (`== so`) and Org (`** so`) write them."""

    def heading(lines: list[Line], at: int) -> tuple[int, int, str] | None:
        found = _EQUALS.match(lines[at][2])
        alone = found and (found[1][0] == "=" or at == 0 or lines[at][2][0] == "*")
        return (at + 1, len(found[1]), _without_closing(found[2])) if found and alone else None

    return _read(text, heading)


def _without_closing(title: str) -> str:
    """A heading without the signs that may stand behind it, too."""
    words = title.rstrip()
    bare = words.rstrip("=")
    return bare.rstrip() if bare[-1:].isspace() else words


def read_tex(text: str) -> Content:
    """As plain text, with the headings of LaTeX."""

    def heading(lines: list[Line], at: int) -> tuple[int, int, str] | None:
        found = _TEX.match(lines[at][2])
        return (at + 1, _TEX_LEVELS[found[1]], found[2]) if found else None

    return _read(text, heading)


def read_code(text: str) -> Content:
    """Source code of any language: what begins at the margin after an empty line, or is defined there, is a block.

    Definitions are headings without a text of their own: they name the blocks that follow, those that stand deeper
    included.
    """
    lines = list(lines_of(text))
    blocks: list[Block] = []
    begin: int | None = None
    first, last, empty = 0, 0, True
    for number, (start, end, line) in enumerate(lines):
        bare = line.strip()
        if not bare:
            empty = True
            continue
        depth = len(line) - len(line.lstrip())
        named = _DEFINITION.match(line)
        starts = (depth == 0 and empty and not _OPENER.match(bare)) or (named and empty)
        if begin is not None and starts:
            blocks.append(Block(begin, last, Kind.CODE, line=first))
            begin = None
        if begin is None:
            begin, first = start, number + 1
            name = named or _next_definition(lines, number)
            if name or depth == 0:
                level, title = 1 + min(depth // 2, 5), name[1] if name else ""
                blocks.append(Block(start, start, Kind.HEADING, level, title, line=first))
        last, empty = end, False
    if begin is not None:
        blocks.append(Block(begin, last, Kind.CODE, line=first))
    return Content(text, blocks, {}, lines=True)


def _next_definition(lines: list[Line], at: int) -> re.Match[str] | None:
    """What is defined right below comments and decorators that begin here."""
    for _, _, line in lines[at : at + 12]:
        bare = line.strip()
        if not bare:
            return None
        if found := _DEFINITION.match(line):
            return found
        if not bare.startswith(("#", "//", "/*", "*", "@", "--", '"""', "'''", "[")):
            return None
    return None


Heading = Callable[[list[Line], int], tuple[int, int, str] | None]
"""What begins at a line: the first line after the heading, its level and its words; None where none does."""


def _read(text: str, heading: Heading) -> Content:
    lines, blocks = list(lines_of(text)), list[Block]()
    at, begin, first, kind = 0, -1, 0, Kind.PARAGRAPH

    def close(before: int) -> None:
        nonlocal begin
        if begin >= 0:
            blocks.append(Block(begin, lines[before - 1][1], kind, line=first + 1))
        begin = -1

    while at < len(lines):
        start, _, line = lines[at]
        if not line.strip():
            close(at)
        elif found := heading(lines, at):
            close(at)
            following, level, title = found
            blocks.append(Block(start, lines[following - 1][1], Kind.HEADING, level, title, line=at + 1))
            at = following
            continue
        elif (item := bool(ITEM.match(line))) or begin < 0:
            close(at)
            begin, first, kind = start, at, Kind.ITEM if item else Kind.PARAGRAPH
        at += 1
    close(at)
    title = title_of(blocks)
    return Content(text, blocks, {"title": title} if title else {}, lines=True)
