"""Letters and figures that stand for things, read as names: A beats B, team 1 beats team 2. Not what a code is."""

from __future__ import annotations

from collections import Counter

from nearsense.guard.reader import Text, text_of
from nearsense.guard.words import DETERMINER, NUMBER, PERSON, Word

__all__ = ["named"]

_ARTICLE = "a"
_SHORT = 3
"""Signs of a letter with its 's."""


def named(a: Text, b: Text) -> tuple[Text, Text]:
    """Two texts whose letters and figures that stand for things carry content; the same where they have none.

    Args:
        a: One text.
        b: The other.

    Example:
        >>> from nearsense.guard.lexicon import lexicon_of
        >>> from nearsense.guard.reader import read
        >>> pair = [read(text, lexicon_of("en")) for text in ("A beats B", "Then B beats A")]
        >>> [[word.content for word in text.words] for text in named(*pair)]
        [['a', 'beat', 'b'], ['', 'b', 'beat', 'a']]
    """
    letters = _ARTICLE in a.keys and _ARTICLE in b.keys and _lettered(a) and _lettered(b)
    letters = letters and (_stands_alone(a) or _stands_alone(b))
    left = _places(a, letters)
    right = _places(b, letters) if left else left
    return (_read(a, left), _read(b, right)) if right else (a, b)


def _is_letter(word: Word) -> bool:
    """Whether a word is a single letter, or one with its 's."""
    return word.shown[:1].isalpha() and (len(word.shown) == 1 or word.shown[1:] in ("'s", "\u2019s"))


def _lettered(text: Text) -> bool:
    """Whether a letter other than the article and a person (I) stands in a text."""
    short = [word for word in text.contents if len(word.shown) <= _SHORT]
    return any(_is_letter(word) and word.key != _ARTICLE and not word.flags & PERSON for word in short)


def _stands_alone(text: Text) -> bool:
    """Whether an A is no article: nothing that one may belong to stands behind it."""
    words = text.words
    return any(
        word.key == _ARTICLE
        and _is_letter(word)
        and (len(word.shown) > 1 or at + 1 == len(words) or not words[at + 1].content)
        for at, word in enumerate(words)
    )


def _places(text: Text, letters: bool) -> set[int]:
    """Where they stand: every A, and figures behind a word that stands before several of them."""
    words = text.words
    found = (
        {at for at, word in enumerate(words) if word.key == _ARTICLE and _is_letter(word)} if letters else set()
    )
    figures = [at for at, word in enumerate(words) if word.flags & NUMBER]
    if len(figures) > 1:
        figures = [at for at in figures if at and words[at - 1].content]
        labels = Counter(words[at - 1] for at in figures)
        found.update(at for at in figures if labels[words[at - 1]] > 1)
    return found


def _read(text: Text, places: set[int]) -> Text:
    return text_of([_as_name(word) if at in places else word for at, word in enumerate(text.words)])


def _as_name(word: Word) -> Word:
    """A word with content, that is no article."""
    more = word.opposite, word.number, word.units, word.when, word.levels, word.code, word.small, word.starts
    return Word(word.key, word.shown, word.key, word.flags & ~DETERMINER, *more)
