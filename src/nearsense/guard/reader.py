"""A text to its words, phrases read as one. Not a parser: the shape of a sentence is guessed in roles.py."""

from __future__ import annotations

from itertools import chain, islice
from operator import attrgetter

from nearsense.guard.lexicon import Lexicon
from nearsense.guard.words import BREAK, CAPITAL, NAME, SENTENCE, Word

__all__ = ["READ", "Text", "alike", "beside", "read"]

READ = 8_192
"""Characters that are looked at, from the start. A text of any length costs no more than one of these."""

_CONTENT = attrgetter("content")
_KEY = attrgetter("key")
_NOTHING: set[str] = set()

_SHARED = 0.5
"""Share of content words that two texts have in common (Dice), from which on they look alike."""


class Text:
    """One text, read: its words in order, what each carries of content ("": none), and that as a set."""

    __slots__ = ("_keys", "content", "contents", "joined", "words")

    def __init__(self, words: list[Word]) -> None:
        self.words = words
        self.contents = contents = list(map(_CONTENT, words))
        self.content = content = set(contents)
        content.discard("")
        self.joined = False
        self._keys = _NOTHING

    def join(self, lexicon: Lexicon) -> Text:
        """The same with its phrases read as one word each."""
        if self.joined:
            return self
        self.joined = True
        for word, after in zip(self.words, islice(self.words, 1, None), strict=False):
            if word.starts and after.lower in word.starts:
                text = Text(_joined(self.words, lexicon))
                text.joined = True
                return text
        return self

    @property
    def keys(self) -> set[str]:
        """The keys of all words."""
        if not self._keys:
            self._keys = set(map(_KEY, self.words))
        return self._keys


def read(text: str, lexicon: Lexicon) -> Text:
    """The words of a text, in order.

    Example:
        >>> from nearsense.guard.lexicon import lexicon_of
        >>> [word.key for word in read("Prices increased.", lexicon_of("en")).words]
        ['pric', 'increas', '.']
    """
    return Text(list(chain.from_iterable(map(lexicon.__getitem__, text[:READ].split()))))


def alike(left: Text, right: Text) -> bool:
    """Whether two texts share so many words that what differs says something."""
    a, b = left.content, right.content
    return 2 * len(a & b) + 1 >= _SHARED * (len(a) + len(b))


def slot(text: Text, at: int, shared: set[str]) -> tuple[str, str]:
    """The nearest words on both sides that the other text has too: where in a text something stands."""
    words = text.words
    before = next((word.key for word in reversed(words[:at]) if word.key in shared), "")
    return before, next((word.key for word in words[at + 1 :] if word.key in shared), "")


def beside(a: Text, i: int, b: Text, j: int, shared: set[str]) -> bool:
    """Whether two words stand in the same place: beside the same word, on the same side."""
    one, other = slot(a, i, shared), slot(b, j, shared)
    return one[0] == other[0] or one[1] == other[1]


def _joined(words: list[Word], lexicon: Lexicon) -> list[Word]:
    """Phrases of the language replaced by the words they are read as; the longest wins."""
    found: list[Word] = []
    position, count = 0, len(words)
    while position < count:
        word = words[position]
        options = word.starts.get(words[position + 1].lower, ()) if word.starts and position + 1 < count else ()
        for rest, instead in options:
            end = position + 2 + len(rest)
            if end <= count and all(words[position + 2 + i].lower == part for i, part in enumerate(rest)):
                shown = " ".join(part.shown for part in words[position:end])
                found += [_as(lexicon.word(new), shown, len(instead), word) for new in instead]
                position = end
                break
        else:
            found.append(word)
            position += 1
    return found


def _as(word: Word, shown: str, parts: int, first: Word) -> Word:
    """A phrase's word, shown as it was written; a name stays one."""
    flags = word.flags | first.flags & CAPITAL if not word.flags & (BREAK | SENTENCE) else word.flags
    if "_" in word.key:
        flags |= NAME if first.flags & CAPITAL else 0
    return Word(
        word.key,
        shown if parts == 1 else word.shown,
        word.content,
        flags,
        word.opposite,
        word.number,
        word.units,
        word.when,
        word.levels,
        word.code,
        word.lower,
    )
