"""Signs that differ: another arrow, other stars, less for greater. Not money, which the guard counts among units.

A model has tokens for many of them, and hardly minds which it reads.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from nearsense.encoders.words import essence, one_sign
from nearsense.guard import Difference, Kind

__all__ = ["signs_many"]

_ANY = re.compile(r"[<>=+]|[:;][-']?[()]|[^\x00-\x7f]").search
"""A text that does not match has no sign."""

_FACES = re.compile(r"(?<!\w)([:;])['-]?([()])+(?!\w)")

_EACH = re.compile(r"!=|.", re.DOTALL).findall
"""The characters of a word, a sign of two as one."""

_ALIKE = 0.5
"""Share of the words that two texts must have in common for another sign to say something."""


def signs_many(lefts: Sequence[str], rights: Sequence[str]) -> dict[int, Difference]:
    """Where texts that look alike have other signs, by the number of the pair; what only one has does not count.

    Example:
        >>> lefts, rights = ["Heat until T ≤ 80", "Home → Shop"], ["Heat until T ≥ 80", "Home > Shop"]
        >>> print(*signs_many(lefts, rights).values())
        sign: ≤ → ≥
    """
    has = {text: bool(_ANY(text)) for text in {*lefts, *rights}}
    found = {}
    for at, (a, b) in enumerate(zip(lefts, rights, strict=True)):
        if not (has[a] and has[b]) or a == b:
            continue
        left, right = _signs(a), _signs(b)
        here, there = left - right, right - left
        if here and there and _alike(a, b):
            found[at] = Difference(Kind.SIGN, _written(here, a), _written(there, b))
    return found


def _signs(text: str) -> Counter[str]:
    """The signs of each word that has some, faces of punctuation among them."""
    found = Counter(f"{eyes}{mouth}" for eyes, mouth in _FACES.findall(text))
    for word in text.split():
        signs = "".join(filter(_is_sign, one_sign(word)))
        if signs:
            found[signs] += 1
        elif len(letter := word.strip("().,;:!?\"'")) == 1 and "\u03b1" <= letter.lower() <= "\u03c9":
            found[letter.lower()] += 1
    return found


def _written(signs: Counter[str], text: str) -> str:
    """Signs as the text has them."""
    forms: dict[str, str] = {}
    for word in text.split():
        sign = "".join(filter(_is_sign, one_sign(word)))
        forms.setdefault(sign, "".join(each for each in _EACH(word) if any(map(_is_sign, one_sign(each)))))
    return " ".join(forms.get(each, each) for each in signs.elements())


def _is_sign(character: str) -> bool:
    if character.isascii():
        return character in "<>=+"
    return unicodedata.category(character) in ("Sm", "So", "No")


def _alike(a: str, b: str) -> bool:
    if not any(map(str.isalnum, a + b)):
        return True  # nothing but signs: five stars, one star
    here, there = ({essence(word) for word in text.split()} for text in (a, b))
    return 2 * len(here & there) >= _ALIKE * (len(here) + len(there))
