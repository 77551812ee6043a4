"""A text to its words, phrases read as one. Not a parser: the shape of a sentence is guessed in roles.py."""

from __future__ import annotations

from collections.abc import Set
from itertools import chain
from operator import attrgetter

from nearsense.guard.lexicon import Lexicon
from nearsense.guard.words import Word

__all__ = ["READ", "Text", "alike", "beside", "read", "slot"]

READ = 8_192
"""Characters that are looked at, from the start. A text of any length costs no more than one of these."""

_CONTENT = attrgetter("content")
_STARTS = attrgetter("starts")

_SHARED = 0.5
"""Share of content words that two texts have in common (Dice), from which on they look alike."""


class Text:
    """One text, read: its words in order, those that carry content, and both as sets."""

    __slots__ = ("content", "contents", "joined", "keys", "words")

    def __init__(self, words: list[Word]) -> None:
        self.words = words
        self.contents = contents = list(filter(_CONTENT, words))
        self.content = set(contents)
        self.keys = set(words)
        self.joined = False

    def join(self, lexicon: Lexicon) -> Text:
        """The same with its phrases read as one word each."""
        if self.joined:
            return self
        self.joined = True
        words, starts = self.words, []
        for at, first in enumerate(map(_STARTS, words[:-1]), 1):
            if first and words[at].small in first:
                starts.append(at - 1)
        if not starts:
            return self
        words = _joined(words, starts, lexicon)
        if words is self.words:
            return self
        text = Text(words)
        text.joined = True
        return text


def read(text: str, lexicon: Lexicon) -> Text:
    """The words of a text, in order.

    Example:
        >>> from nearsense.guard.lexicon import lexicon_of
        >>> [word.key for word in read("Prices increased.", lexicon_of("en")).words]
        ['pric', 'increas', '.']
    """
    return Text(list(chain.from_iterable(map(lexicon.__getitem__, text[:READ].split()))))


def alike(left: Text, right: Text) -> set[Word] | None:
    """The content that two texts share, where it is so much that what differs says something."""
    a, b = left.content, right.content
    shared = a & b
    return shared if 2 * len(shared) + 1 >= _SHARED * (len(a) + len(b)) else None


def slot(text: Text, at: int, shared: Set[str]) -> tuple[str, str]:
    """The nearest words on both sides that the other text has too: where in a text something stands."""
    words, before = text.words, ""
    for word in words[at - 1 :: -1] if at else ():
        if word in shared:
            before = word.key
            break
    for word in words[at + 1 :]:
        if word in shared:
            return before, word.key
    return before, ""


def beside(a: Text, i: int, b: Text, j: int, shared: Set[str]) -> bool:
    """Whether two words stand in the same place: beside the same word, on the same side."""
    one, other = slot(a, i, shared), slot(b, j, shared)
    return one[0] == other[0] or one[1] == other[1]


def _joined(words: list[Word], starts: list[int], lexicon: Lexicon) -> list[Word]:
    """Phrases of the language replaced by the words they are read as; the longest wins."""
    found: list[Word] = []
    done = 0
    for at in starts:
        if at < done:
            continue
        for rest, instead in words[at].starts[words[at + 1].small]:
            end = at + 2 + len(rest)
            if end <= len(words) and all(words[at + 2 + i].small == part for i, part in enumerate(rest)):
                found += words[done:at]
                found += lexicon.instead(tuple(words[at:end]), instead)
                done = end
                break
    return [*found, *words[done:]] if done else words
