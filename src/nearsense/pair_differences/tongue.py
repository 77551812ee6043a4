"""In which language the two texts of a pair are, as far as the guard's tables go. Not a language detector.

The lists of stop words decide, "nicht" more than "die", which several share; where they decide nothing (a
product's name, two words), the detector does where it is sure, and else the other pairs of the call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from nearsense.encoders.detection import guess
from nearsense.encoders.languages import language_of as told_alone
from nearsense.guard import languages
from nearsense.stopwords import Weights, known_languages, weights

__all__ = ["ENGLISH", "languages_of_pairs"]

ENGLISH = "en"
"""What is assumed where no word decides."""

LEAD = 12
"""What one word of a single list says: less is no lead ("man" is a word of the German list)."""

WEAK = 2 * LEAD
"""What one word in each of two texts says. So much may be chance: "van" is a word of the Dutch list."""

_ENGLISH_TOO = frozenset(("car", "door", "fast", "hat", "man", "men", "van"))
"""Words of other languages' lists that English texts of two words have too often to say anything."""

CHARACTERS = 400
"""What is read of a text: its beginning."""


def languages_of_pairs(lefts: Sequence[str], rights: Sequence[str]) -> list[str]:
    """The language of each pair, ISO 639-1.

    Args:
        lefts: One text of each pair.
        rights: The other of each pair, in the same order.

    Example:
        >>> languages_of_pairs(["Non riesco ad accedere", "Conto 15"], ["Riesco ad accedere al conto", "Conto 51"])
        ['it', 'it']
    """
    told: dict[str, int] = {}
    decided: dict[int, tuple[str, int]] = {0: ("", 0)}
    tables = languages()
    found = []
    for a, b in zip(lefts, rights, strict=True):
        if a not in told:
            told[a] = _said(a)
        total = told[a] + _said(b)
        if total not in decided:
            decided[total] = _most(total)
        code, lead = decided[total]
        if not code:
            code = guess(f"{a[:CHARACTERS]} {b[:CHARACTERS]}")[0]
        elif lead <= WEAK and code not in tables and told_alone(f"{a} {b}") == ENGLISH:
            code = ENGLISH
        found.append(code)
    most = Counter(filter(None, found)).most_common(1)
    usual = most[0][0] if most else ENGLISH
    return [code or usual for code in found]


def _said(text: str) -> int:
    words = text[:CHARACTERS].lower().replace("'", " ").replace("\u2019", " ").split()
    return sum(weights()[word] for word in words if word not in _ENGLISH_TOO)


def _most(total: int) -> tuple[str, int]:
    """The language that most is said for, and by how much; nothing where another has nearly as much."""
    one = 2**Weights.BITS - 1
    said = ((total >> Weights.BITS * place & one, code) for place, code in enumerate(known_languages()))
    (most, code), (next_, _), *_ = sorted(said, reverse=True)
    return code if most - next_ >= LEAD else "", most - next_
