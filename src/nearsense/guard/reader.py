"""A text to its words, phrases read as one. Not a parser: the shape of a sentence is guessed in roles.py."""

from __future__ import annotations

from collections.abc import Set
from itertools import chain

from nearsense.guard.lexicon import Lexicon
from nearsense.guard.words import Starts, Word

__all__ = ["READ", "Text", "alike", "beside", "read", "slot", "text_of"]

READ = 8_192
"""Characters that are looked at, from the start. A text of any length costs no more than one of these."""

_SHARED = 0.5
"""Share of content words that two texts have in common (Dice), from which on they look alike."""


class Text:
    """One text, read: its words in order, those that carry content, and both as sets. Made by `text_of`."""

    __slots__ = ("content", "contents", "joined", "keys", "words")

    words: list[Word]
    contents: list[Word]
    content: set[Word]
    keys: set[Word]
    joined: bool

    def join(self, lexicon: Lexicon) -> Text:
        """The same with its phrases read as one word each."""
        if self.joined:
            return self
        self.joined = True
        starts: list[int] = []
        seconds: Starts = {}
        for at, word in enumerate(self.words, -1):
            if seconds and word.small in seconds:
                starts.append(at)
            seconds = word.starts
        words = _joined(self.words, starts, lexicon) if starts else self.words
        return self if words is self.words else text_of(words, joined=True)


def text_of(words: list[Word], *, joined: bool = False) -> Text:
    """A text of words; no `Text.__init__`, which takes twice the time."""
    text = Text()
    text.words, text.joined = words, joined
    text.contents = contents = [word for word in words if word.content]
    text.content, text.keys = set(contents), set(words)
    return text


def read(text: str, lexicon: Lexicon) -> Text:
    """The words of a text, in order.

    Example:
        >>> from nearsense.guard.lexicon import lexicon_of
        >>> [word.key for word in read("Prices increased.", lexicon_of("en")).words]
        ['pric', 'increas', '.']
    """
    return text_of(list(chain.from_iterable(map(lexicon.__getitem__, text[:READ].split()))))


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
