"""Documents into passages: by structure first, then by tokens, between sentences wherever that can be.

A document becomes atoms: sentences; of code and tables lines; what alone is longer than a passage in pieces
between words. Which atoms go together is decided for the whole document at once, as TeX breaks a paragraph into
lines: each passage costs the square of the share that it leaves empty, cuts within a paragraph and headings within
a passage cost a fixed price, and the cheapest way is found by dynamic programming.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from nearsense.checks import is_whole
from nearsense.documents.blocks import BY_LINE, Block, Kind, SourceDocument
from nearsense.documents.sentences import sentence_ends
from nearsense.errors import InputError, UnsupportedModel

if TYPE_CHECKING:
    from nearsense.encoders import Encoder

TOKENS = 256
"""How many tokens a passage has at most, where nothing is said and the model reads as many."""
LEAST = 16
"""Fewer tokens hold no sentence."""

WITHIN_BLOCK, AFTER_HEADING, WITHIN_PAGE, HEADING_INSIDE, PIECE = 0.25, 0.5, 2.0, 0.8, 0.02
"""What it costs to cut within a paragraph or right behind a heading, to hold two pages in one passage (more than
anything: its place would be wrong) or a heading behind other text, to make one more passage. A passage that is all
but empty costs 1."""

SEPARATOR = " > "
"""Between the headings that stand before a passage."""

Count = Callable[[Sequence[str]], Sequence[int]]
"""How many tokens each text has, without those that a model puts around it."""


@dataclass(frozen=True, slots=True)
class Splitting:
    """How documents are split.

    Args:
        tokens: The most that a passage has, the headings before it included.
        overlap: How many tokens of the passage before it a passage may begin with; whole sentences.
        headings: Whether the path of headings is put before each passage.
    """

    tokens: int = TOKENS
    overlap: int = 0
    headings: bool = True

    def __post_init__(self) -> None:
        if not is_whole(self.tokens, LEAST):
            what = f"tokens={self.tokens!r} is no size of a passage"
            raise InputError(what, why=f"fewer than {LEAST} hold no sentence", fix=f"tokens={TOKENS}, say")
        if not is_whole(self.overlap, 0, self.tokens // 2):
            what = f"overlap={self.overlap!r} does not go with tokens={self.tokens}"
            raise InputError(what, why="at most half of a passage repeats", fix=f"overlap={self.tokens // 8}, say")


@dataclass(frozen=True, slots=True)
class Span:
    """One passage: `text[begin:end]` of its document.

    Args:
        begin: The first character.
        end: The character after the last one.
        headings: The path of headings under which it stands, its own first.
        lead: What is put before it: its document's title and the headings that it does not hold itself.
        page: On which it begins.
        line: On which it begins.
    """

    begin: int
    end: int
    headings: tuple[str, ...]
    lead: str
    page: int | None
    line: int | None


@dataclass(slots=True)
class _Atom:
    """What is never cut: a sentence, a line, a piece of either."""

    begin: int
    end: int
    block: int
    path: tuple[str, ...]  # of headings above it; of a heading those above that
    tokens: int = 0


def counter(encoder: Encoder) -> Count:
    """How a model counts; of one that cannot, about as many as there are: a token for four bytes of each word."""
    try:
        around = int(encoder.count_tokens([""])[0])
    except UnsupportedModel:
        return lambda texts: [sum(-(-len(word.encode()) // 4) for word in text.split()) for text in texts]

    def count(texts: Sequence[str]) -> Sequence[int]:
        found: list[int] = (np.asarray(encoder.count_tokens(list(texts))) - around).tolist()
        return found

    return count


def room(encoder: Encoder, role: str = "passage") -> int:
    """How many tokens a model reads of a text itself; a large number where it does not say."""
    prompt = (encoder.prompts or {}).get(role, "")
    try:
        return int(encoder.max_tokens) - int(encoder.count_tokens([prompt])[0])
    except UnsupportedModel:
        return int(encoder.max_tokens or 2**31) // 2


def split(documents: Sequence[SourceDocument], how: Splitting, count: Count) -> list[list[Span]]:
    """The passages of each document, in order: all of it but white space is in one of them."""
    every = [list(_atoms(document)) for document in documents]
    _measure(documents, every, count)
    splitter, outlines = _Splitter(how, count), [_Outline(document) for document in documents]
    pairs = list(zip(outlines, every, strict=True))
    splitter.learn({outline.under(atom) for outline, atoms in pairs for atom in atoms})
    return [splitter.spans(outline, atoms) if atoms else [] for outline, atoms in pairs]


def _atoms(document: SourceDocument) -> Iterator[_Atom]:
    text, blocks = document.text, document.blocks or (Block(0, len(document.text)),)
    path: list[tuple[int, str]] = []
    for number, block in enumerate(blocks):
        if block.kind is Kind.HEADING:
            path = [each for each in path if each[0] < block.level]
        above = tuple(title for _, title in path if title)
        if block.kind is Kind.HEADING:
            path.append((block.level, block.title))
        stretch = text[block.begin : block.end]
        for begin, end in _pieces(stretch, block.kind):
            yield _Atom(block.begin + begin, block.begin + end, number, above)


def _pieces(text: str, kind: Kind) -> Iterator[tuple[int, int]]:
    """Sentences, or lines with what they are indented by, without the white space around them."""
    last, around = 0, "\r\n" if kind in BY_LINE else None
    feeds = (found.start() for found in re.finditer("\n", text) if kind in BY_LINE)
    for end in sentence_ends(text) if kind not in (*BY_LINE, Kind.HEADING) else (*feeds, len(text)):
        piece = text[last:end]
        if piece.strip():
            begin = end - len(piece.lstrip(around))
            yield begin, begin + len(piece.strip(around).rstrip())
        last = end


def _measure(documents: Sequence[SourceDocument], every: Sequence[Sequence[_Atom]], count: Count) -> None:
    """Count the tokens of all atoms, equal ones once."""
    said = [
        (atom, document.text[atom.begin : atom.end])
        for document, atoms in zip(documents, every, strict=True)
        for atom in atoms
    ]
    distinct = list(dict.fromkeys(text for _, text in said))
    known = dict(zip(distinct, count(distinct), strict=True)) if distinct else {}
    for atom, text in said:
        atom.tokens = max(1, known[text])


def _middle(text: str, begin: int, end: int) -> int:
    """Where to cut a stretch in two: behind a comma or the like, behind white space, or in the very middle."""
    middle, reach = (begin + end) // 2, max(1, (end - begin) // 4)
    best, worth = middle, 0.0
    for at in range(max(begin + 1, middle - reach), min(end, middle + reach)):
        if text[at - 1].isspace():
            value = (2.0 if at > begin + 1 and text[at - 2] in ",;:\u2014)\u3001\uff0c\n" else 1.0) - abs(
                at - middle
            ) / (2 * reach)
            if value > worth:
                best, worth = at, value
    return best


class _Outline:
    """A document, which of its blocks are headings, and what is said above its passages."""

    def __init__(self, document: SourceDocument) -> None:
        self.document, self.blocks = document, document.blocks or (Block(0, len(document.text)),)
        self.headings = {at for at, block in enumerate(self.blocks) if block.kind is Kind.HEADING}
        said = document.metadata.get("title")
        self._title = said if isinstance(said, str) else ""
        titled = (at for at in sorted(self.headings) if self.blocks[at].title == self._title)
        self._own = next((at for at in titled if self.blocks[at].end > self.blocks[at].begin), -1)

    def under(self, atom: _Atom) -> tuple[str, ...]:
        """The document's title, unless the text says it itself from here on, and the headings above an atom."""
        if atom.block <= self._own or not self._title or atom.path[:1] == (self._title,):
            return atom.path
        return (self._title, *atom.path)


class _Splitter:
    """Splits documents in one way, and remembers what it puts before passages."""

    def __init__(self, how: Splitting, count: Count) -> None:
        self._how, self._count = how, count
        self._known: dict[tuple[str, ...], tuple[str, int]] = {}

    def learn(self, paths: Collection[tuple[str, ...]]) -> None:
        """Count the tokens of what may stand before passages, all at once."""
        fresh = [path for path in paths if path and path not in self._known] if self._how.headings else []
        leads = [SEPARATOR.join(path) for path in fresh]
        for path, lead, tokens in zip(fresh, leads, self._count(leads) if leads else (), strict=True):
            self._known[path] = (lead, tokens) if tokens <= self._how.tokens // 4 else self._lead(path[1:])

    def spans(self, outline: _Outline, atoms: list[_Atom]) -> list[Span]:
        """The passages of a document of some atoms."""
        document, blocks, headings = outline.document, outline.blocks, outline.headings

        def lead(atom: _Atom) -> tuple[str, int]:
            return self._lead(outline.under(atom))

        atoms = list(self._shortened(document.text, atoms, lead))
        cuts = _cheapest(atoms, _prices(atoms, blocks, headings), [lead(atom)[1] for atom in atoms], self._how)
        found, line, counted = [], 1, 0
        for first, last in zip([0, *cuts[:-1]], cuts, strict=True):
            start = self._overlapping(atoms, first, last, lead(atoms[first])[1], headings)
            atom, block = atoms[start], blocks[atoms[start].block]
            if document.lines:
                near, far = sorted((counted, atom.begin))
                line += document.text.count("\n", near, far) * (1 if atom.begin >= counted else -1)
                counted = atom.begin
            path = (*atom.path, block.title) if atom.block in headings and block.title else atom.path
            words = lead(_Atom(0, 0, atom.block, _common(atoms[start:last], headings)))[0]
            number = line if document.lines else block.line
            found.append(Span(atom.begin, atoms[last - 1].end, path, words, block.page, number))
        return found

    def _overlapping(
        self, atoms: Sequence[_Atom], first: int, last: int, lead: int, headings: Collection[int]
    ) -> int:
        """Where a passage begins that repeats the end of the one before it, within one section."""
        spare = self._how.tokens - lead - sum(atom.tokens for atom in atoms[first:last])
        left, start = min(self._how.overlap, spare), first
        while start > 0 and atoms[start].block not in headings and atoms[start - 1].block not in headings:
            before = atoms[start - 1]
            if before.path != atoms[first].path or before.tokens > left:
                break
            start -= 1
            left -= before.tokens
        return start

    def _lead(self, path: tuple[str, ...]) -> tuple[str, int]:
        """What is put before a passage under a path of headings, and its tokens: a quarter of it at most."""
        if not self._how.headings or not path:
            return "", 0
        if path not in self._known:
            self.learn([path])
        return self._known[path]

    def _shortened(
        self, text: str, atoms: Sequence[_Atom], lead: Callable[[_Atom], tuple[str, int]]
    ) -> Iterator[_Atom]:
        """What alone is longer than a passage in halves, between words where there are any, until all fit."""
        waiting = list(reversed(atoms))
        while waiting:
            atom = waiting.pop()
            if atom.tokens <= self._how.tokens - self._how.overlap - lead(atom)[1] or atom.end - atom.begin < 2:
                yield atom
                continue
            middle = _middle(text, atom.begin, atom.end)
            end = atom.begin + len(text[atom.begin : middle].rstrip())
            begin = atom.end - len(text[middle : atom.end].lstrip())
            halves = [replace(atom, end=end), replace(atom, begin=begin)]
            for half, tokens in zip(
                halves, self._count([text[each.begin : each.end] for each in halves]), strict=True
            ):
                half.tokens = max(1, tokens)
            waiting += reversed(halves)


def _common(atoms: Sequence[_Atom], headings: Collection[int]) -> tuple[str, ...]:
    """The path of the first atom, as far as all stand under it before a heading in the text says another."""
    path = atoms[0].path
    for before, atom in pairwise(atoms):
        if atom.block in headings:
            break
        if atom.path != before.path and before.block not in headings:
            same = [ours == theirs for ours, theirs in zip(path, atom.path, strict=False)]
            path = path[: same.index(False) if False in same else len(same)]
    return path


def _prices(
    atoms: Sequence[_Atom], blocks: Sequence[Block], headings: Collection[int]
) -> tuple[list[float], list[float]]:
    """What it costs to cut before each atom, and not to cut there."""
    cut, keep = [0.0] * len(atoms), [0.0] * len(atoms)
    for at, (before, atom) in enumerate(pairwise(atoms), 1):
        if before.block == atom.block:
            cut[at] = WITHIN_BLOCK
        elif before.block in headings:
            cut[at] = AFTER_HEADING
        elif atom.block in headings or before.path != atom.path:
            keep[at] = HEADING_INSIDE
        elif blocks[before.block].page != blocks[atom.block].page:
            keep[at] = WITHIN_PAGE
    return cut, keep


def _cheapest(
    atoms: Sequence[_Atom], prices: tuple[list[float], list[float]], leads: Sequence[int], how: Splitting
) -> list[int]:
    """The ends of the passages, in atoms."""
    n, size, (cut, keep) = len(atoms), how.tokens - how.overlap, prices
    best, came = [0.0] + [math.inf] * n, [0] * (n + 1)
    for end in range(1, n + 1):
        tokens, price = 0, PIECE
        for begin in range(end - 1, -1, -1):
            tokens += atoms[begin].tokens
            filled = tokens + leads[begin]
            if filled > size and begin < end - 1:
                break
            empty = 1 - min(1.0, filled / size)
            cost = best[begin] + empty * empty + price + cut[begin]
            if cost < best[end]:
                best[end], came[end] = cost, begin
            price += keep[begin]
    cuts = []
    while n:
        cuts.append(n)
        n = came[n]
    return cuts[::-1]
