"""A document as its readers see it: one text and the blocks that it is made of. Not how any format is read.

Blocks stand in the order of the text, do not overlap, and hold all of it but white space.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from nearsense.records import Document


class Kind(StrEnum):
    """What a block is."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    ITEM = "item"
    """Of a list."""
    TABLE = "table"
    """A row of it, or all."""
    CODE = "code"


BY_LINE = frozenset({Kind.CODE, Kind.TABLE})
"""What is cut between lines, not between sentences."""


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of a document's text.

    Args:
        begin: The first character.
        end: The character after the last one; `begin` for a heading that stands nowhere in the text, as those of a
            PDF's outline may.
        kind: What it is.
        level: Of a heading, from 1.
        title: Of a heading, its words without markup.
        page: From 1, where there are pages.
        line: In the file, from 1, where there are lines.
    """

    begin: int
    end: int
    kind: Kind = Kind.PARAGRAPH
    level: int = 0
    title: str = ""
    page: int | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class SourceDocument(Document):
    """A document that was read from a file: its text, and the blocks that this is made of.

    Args:
        id: The file's path within its folder, with `/`.
        text: All of its text; of a file of plain text, Markdown or code its very content.
        metadata: `format`, `title` where there is one, and what else the file says of itself.
        blocks: Headings, paragraphs, list items, in their order.
        lines: Whether `text` is the content of the file, so that its lines are the file's.
    """

    blocks: tuple[Block, ...] = ()
    lines: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, without the blocks."""
        return {"id": self.id, "text": self.text, "metadata": dict(self.metadata)}


@dataclass(slots=True)
class Content:
    """What a reader makes of a file's bytes."""

    text: str
    blocks: Sequence[Block]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    lines: bool = False

    def to_json(self) -> dict[str, Any]:
        """As JSON values, for the way from another process."""
        blocks = [[*(getattr(block, name) for name in Block.__slots__)] for block in self.blocks]
        return {"text": self.text, "blocks": blocks, "metadata": dict(self.metadata), "lines": self.lines}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Content:
        """What `to_json` told."""
        blocks = [Block(begin, end, Kind(kind), *rest) for begin, end, kind, *rest in told["blocks"]]
        return cls(str(told["text"]), blocks, dict(told["metadata"]), bool(told["lines"]))


class Assembler:
    """Puts a document's text together, block by block, an empty line between two."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self.blocks: list[Block] = []
        self.page: int | None = None

    def add(
        self, text: str, kind: Kind = Kind.PARAGRAPH, *, level: int = 0, title: str = "", line: int | None = None
    ) -> None:
        """Add a block; one without a visible character is left out. Rows of a table stand under each other."""
        if "\0" in text or not text.isascii():
            text = text.replace("\0", " ").encode("utf-8", "replace").decode()  # half characters, too
        text = text.strip("\r\n") if kind is Kind.CODE else text.strip()
        if not text or text.isspace():
            return
        if self.blocks:
            rows = kind is Kind.TABLE and self.blocks[-1].kind is Kind.TABLE
            items = kind is Kind.ITEM and self.blocks[-1].kind is Kind.ITEM
            self._put("\n" if rows or items else "\n\n")
        begin = self._length
        self._put(text)
        words = " ".join((title or text).split()) if kind is Kind.HEADING else ""
        self.blocks.append(Block(begin, self._length, kind, level, words, self.page, line))

    def mark(self, title: str, level: int) -> None:
        """Add a heading that stands nowhere in the text."""
        self.blocks.append(Block(self._length, self._length, Kind.HEADING, level, title, self.page))

    def append(self, other: Content, *, deeper: int = 0) -> None:
        """Add all that another reader found, its headings `deeper`."""
        for block in other.blocks:
            level = block.level + deeper if block.kind is Kind.HEADING else 0
            text = other.text[block.begin : block.end]
            if text:
                self.add(text, block.kind, level=level, title=block.title)
            else:
                self.mark(block.title, level)

    def _put(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    def content(self, **metadata: Any) -> Content:
        """The whole; what is empty among the metadata is left out."""
        known = {name: value for name, value in metadata.items() if value not in (None, "", [])}
        return Content("".join(self._parts), self.blocks, known)


def title_of(blocks: Iterable[Block]) -> str:
    """The first heading, where it comes before all text and nothing else is as high."""
    first: Block | None = None
    for block in blocks:
        if first is None:
            if block.kind is not Kind.HEADING:
                return ""
            first = block
        elif block.kind is Kind.HEADING and block.level <= first.level:
            return ""
    return first.title if first is not None else ""
