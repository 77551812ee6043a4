"""Another person, place or product in the same place. A name that one text leaves out is no difference."""

from __future__ import annotations

from unicodedata import combining, normalize

from nearsense.guard.kinds import Difference, Kind
from nearsense.guard.reader import Text, slot
from nearsense.guard.tables import Tables
from nearsense.guard.words import CAPITAL, CAPITALS, CODE, DATE, DETERMINER, NAME, NUMBER, SENTENCE, UNIT, Word

__all__ = ["replaced"]

_TITLE = 0.6
"""Share of capitals from which on a text is a headline, whose capitals say nothing."""


_MOST = 24
"""Names that are looked at in each text."""

_BARE = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "\u0131": "i", "ß": "ss", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"}
)
_DIGRAPHS = str.maketrans({**dict(zip("äöüøåđ", ("ae", "oe", "ue", "oe", "aa", "dj"), strict=True)), "ß": "ss"})

_NAMED = CAPITAL | NAME
_AMOUNT = DATE | NUMBER | UNIT


def replaced(
    a: Text, b: Text, only_a: list[tuple[int, Word]], only_b: list[tuple[int, Word]], tables: Tables
) -> list[Difference]:
    """The names that each text has to itself, if both have any."""
    left = _names(a, only_a, tables)
    right = _names(b, only_b, tables) if left else []
    if not right or all(word.flags & CODE for _, word in left + right):
        return []  # codes are compared by codes.py
    shared = a.content & b.content
    here = [(word, slot(a, at, shared)) for at, word in left]
    there = [(word, slot(b, at, shared)) for at, word in right]
    pairs = [(x, y) for x, one in here for y, other in there if one[0] == other[0] or one[1] == other[1]]
    words = [word for _, word in left], [word for _, word in right]
    if (
        not pairs
        or any(_one_thing(x, y) for x, y in pairs)
        or _stands_for(words[0], b)
        or _stands_for(words[1], a)
    ):
        return []
    kind = Kind.PLACE if _place(a, *left[0], tables) and _place(b, *right[0], tables) else Kind.NAME
    return [Difference(kind, _shown(words[0]), _shown(words[1]))]


def _names(text: Text, only: list[tuple[int, Word]], tables: Tables) -> list[tuple[int, Word]]:
    headline = None
    found = []
    for at, word in only:
        if not word.content or not word.flags & _NAMED or word.flags & _AMOUNT or word.small in tables.titles:
            continue
        if word.flags & NAME:
            found.append((at, word))
        elif word.flags & CAPITALS or not _begins(text, at, tables.titles):
            if headline is None:
                headline = _headline(text)
            if not headline:
                found.append((at, word))
        if len(found) == _MOST:
            break
    return found


def _begins(text: Text, at: int, titles: frozenset[str]) -> bool:
    """Whether the capital is the sentence's: nothing before it, and no other capital behind it."""
    if at and (not text.words[at - 1].flags & SENTENCE or (at > 1 and text.words[at - 2].small in titles)):
        return False
    after = text.words[at + 1] if at + 1 < len(text.words) else None
    return after is None or not after.flags & CAPITAL or not after.content or bool(after.flags & DETERMINER)


def _headline(text: Text) -> bool:
    capitals = [word.flags & CAPITALS for word in text.contents if word.flags & CAPITAL]
    if len(text.contents) >= 4 and len(capitals) >= _TITLE * len(text.contents):
        return True
    return 2 * sum(map(bool, capitals)) > len(text.contents)


def _stands_for(names: list[Word], other: Text) -> bool:
    """Whether an abbreviation among the names is made of the other text's initials."""
    short = [name.shown.replace(".", "") for name in names if sum(map(str.isupper, name.shown)) > 1]
    if not short:
        return False
    initials = "".join([part[0] for word in other.words for part in word.shown.split()]).upper()
    return any(name.upper() in initials for name in short)


def _one_thing(x: Word, y: Word) -> bool:
    """Whether two names are spellings of one: Philippine and Philippines, Qaida and Qaeda. Known ones are two."""
    a, b = sorted((x.key, y.key), key=len)
    if x.flags & y.flags & NAME:
        return False
    if not (x.shown.isascii() and y.shown.isascii()) and _spelled(x.small) & _spelled(y.small):
        return True
    return len(a) >= 3 and (b.startswith(a) or (len(a) >= 5 and _one_off(a, b)))


def _spelled(name: str) -> set[str]:
    """A name without its accents, and as who has no such letters on the keyboard writes it: Müller, Mueller."""
    plain = (name.translate(each) for each in (_BARE, _DIGRAPHS))
    return {"".join(c for c in normalize("NFD", each) if not combining(c)) for each in plain}


def _one_off(a: str, b: str) -> bool:
    """Whether one letter is changed, added, or two have changed places."""
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    rest, other = a[start:], b[start:]
    swapped = rest[:2] == other[:2][::-1] and rest[2:] == other[2:]
    return rest[1:] == other[1:] or rest == other[1:] or swapped


def _place(text: Text, at: int, name: Word, tables: Tables) -> bool:
    """Whether a name is said to be where something is, and no known person or thing."""
    before = next((word for word in text.words[at - 1 :: -1] if not word.flags & DETERMINER), None) if at else None
    if before is None or before.small not in tables.places_before:
        return False
    return not name.flags & NAME or name.key in tables.places


def _shown(names: list[Word]) -> str:
    return " ".join(word.shown for word in names[:3])
