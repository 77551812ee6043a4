"""A FAQ that is a document: headings, bold lines, `Q:` or a summary ask; what stands under them answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nearsense._notes import tell
from nearsense.errors import FileError
from nearsense.markup import Markup, words_alone

if TYPE_CHECKING:
    from nearsense.documents.blocks import Block, SourceDocument

_BULLET = re.compile(r"\s*(?:[-*+\u2022]|\d{1,3}[.)])\s+")
_BOLD = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1[ \t]*:?(\s*)", re.S)
_ASKS = re.compile(r"(?:\*\*|__)?(?:Q|Question|F|Frage|P|Pregunta|D|Domanda)\s*\d*\s*[:.)](?:\*\*|__)?\s+(?=\S)")
_ANSWERS = re.compile(
    r"(?:^|\n)\s*(?:\*\*|__)?(?:A|Answer|Antwort|R|Respuesta|R\u00e9ponse|Risposta)\s*\d*\s*[:.)](?:\*\*|__)?\s+"
)
_SUMMARY = re.compile(r"<summary[^>]*>(.*?)</summary>", re.S | re.I)
_RULE = re.compile(r"[-*_=\s]*$")


@dataclass(slots=True)
class Asked:
    """A question as it stands in a document, and what stands under it.

    `level` is a heading's; below all headings for what is asked in the text.
    """

    question: str
    place: str
    number: str
    category: str | None
    level: int = 7
    parts: list[str] = field(default_factory=list)

    @property
    def answer(self) -> str:
        """What stands under it."""
        return "\n\n".join(self.parts)

    @property
    def asks(self) -> bool:
        """Whether it is a heading that asks; bold lines under it that do not ask are parts of the answer."""
        return self.level < 7 and _is_question(self.question)


def asked_in(source: str | Path) -> list[Asked]:
    """The questions of a document, or of all documents of a folder, that have an answer.

    Raises:
        FileError: There is none, or nothing can be read.
        MissingExtra: A library that reads it is not installed.
    """
    from nearsense.documents.reading import read_documents

    documents = read_documents(source)
    found = [each for document in documents for each in _asked(document, len(documents) > 1) if each.parts]
    if not found:
        what = f"{source}: no question with an answer under it was found"
        why = 'headings, bold lines, or lines that begin with "Q:" are taken for questions'
        name = f"{Path(source).stem}.nearsense"
        raise FileError(what, why=why, fix=f"search its passages: nearsense index create {name} {source}")
    tell(f"{source}: {len(found):,} question{'s' * (len(found) != 1)}, by its headings, bold lines and the like")
    return found


def _asked(document: SourceDocument, several: bool) -> Iterator[Asked]:
    """All that may be a question: headings with text under them, and what is asked within the text."""
    blocks = [block for block in document.blocks if not _RULE.fullmatch(document.text[block.begin : block.end])]
    title = str(document.metadata.get("title", ""))
    above: list[Block] = []
    now: Asked | None = None
    for place, block in enumerate(blocks):
        text = document.text[block.begin : block.end].strip()
        where = f"{document.id}, line {block.line}" if block.line else document.id
        number = f"{document.id}:{block.line or place}" if several else str(block.line or place)
        if block.level and block.title:
            if now is not None:
                if now.asks and now.level < block.level and not _is_question(block.title):
                    now.parts.append(block.title)  # a part of the answer has a heading of its own
                    continue
                yield now
            above = [each for each in above if each.level < block.level]
            deeper = next((each.level for each in blocks[place + 1 :] if each.level and each.title), 0)
            now = None
            if deeper <= block.level or _is_question(block.title):
                now = Asked(block.title, where, number, _category(above, title), block.level)
            above.append(block)
            continue
        question, rest = _question_in(text, surely=now is not None and now.asks)
        if question:
            if now is not None:
                yield now
            now = Asked(question, where, number, _category(above, title))
        if now is not None and rest:
            now.parts.append(rest)
    if now is not None:
        yield now


def _category(above: list[Block], title: str) -> str | None:
    """The nearest heading over a question that is not the document's title."""
    names = [block.title for block in above if block.title != title]
    return names[-1] if names else None


def _is_question(text: str) -> bool:
    return text.rstrip(" \t*_").endswith(("?", "\uff1f", "\u061f"))


def _question_in(text: str, *, surely: bool) -> tuple[str, str]:
    """What a stretch of text asks, and the rest of it; nothing where it asks nothing, or does not `surely`."""
    bare = _BULLET.sub("", text, count=1) if _BULLET.match(text) else text
    if found := _SUMMARY.search(bare):
        question, answer = words_alone((found[1], bare[: found.start()] + bare[found.end() :]), (Markup.HTML,))
        return " ".join(question.split()), answer.strip()
    if asks := _ASKS.match(bare):
        question, _, answer = bare[asks.end() :].partition("\n")
        if split := _ANSWERS.search(bare, asks.end()):
            question, answer = bare[asks.end() : split.start()], bare[split.end() :]
        return _plain(question), answer.strip()
    if bold := _BOLD.match(bare):
        alone = "\n" in bold[3] or bold.end() == len(bare)
        if _is_question(bold[2]) or (alone and not surely):
            return _plain(bold[2]), bare[bold.end() :].strip()
    if answers := _ANSWERS.match(bare):
        return "", bare[answers.end() :].strip()
    if "</details>" in bare.lower():
        return "", words_alone((bare,), (Markup.HTML,))[0].strip()
    return "", text


def _plain(question: str) -> str:
    return " ".join(question.replace("**", "").replace("__", "").split())
