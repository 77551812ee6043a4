"""The stem of an English word: Porter, An algorithm for suffix stripping, Program 14(3), 1980. Not a dictionary.

A consonant y (the first letter, or after a vowel) is written Y inside, so that every y is a vowel and every other
letter outside aeiouy a consonant. The measure m of the paper is then the number of steps from vowel to consonant.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["stem"]

_CONSONANT_Y = re.compile(r"(?:^|(?<=[aeiou]))y")
_VOWEL = re.compile(r"[aeiouy]")
_STEP_TO_CONSONANT = re.compile(r"[aeiouy][^aeiouy]")
_DOUBLE = re.compile(r"([^aeiouylsz])\1$")
_SHORT = re.compile(r"[^aeiouy][aeiouy][^aeiouywxY]$")


def _measure(part: str) -> int:
    return len(_STEP_TO_CONSONANT.findall(part))


def _short(part: str) -> bool:
    """The paper's *o: consonant, vowel, consonant other than w, x, y."""
    return _SHORT.search(part) is not None


def _longest_first(suffixes: str) -> re.Pattern[str]:
    return re.compile(f"(.*?)({'|'.join(suffixes.split())})$")


_PLURALS = _longest_first("sses ies ss s")
_PLURAL_BECOMES = {"sses": "ss", "ies": "i", "ss": "ss", "s": ""}
_PAST = _longest_first("eed ed ing")
_STEP_2 = {
    "ational": "ate",
    "tional": "tion",
    "enci": "ence",
    "anci": "ance",
    "izer": "ize",
    "abli": "able",
    "alli": "al",
    "entli": "ent",
    "eli": "e",
    "ousli": "ous",
    "ization": "ize",
    "ation": "ate",
    "ator": "ate",
    "alism": "al",
    "iveness": "ive",
    "fulness": "ful",
    "ousness": "ous",
    "aliti": "al",
    "iviti": "ive",
    "biliti": "ble",
}
_STEP_3 = {"icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ful": "", "ness": ""}
_STEP_4 = "al ance ence er ic able ible ant ement ment ent ion ou ism ate iti ous ive ize"


def stem(word: str) -> str:
    """The stem of a word of the letters a to z; words of one or two letters stay.

    Args:
        word: In lower case.

    Example:
        >>> [stem(word) for word in ("connected", "connections", "ponies", "relational", "sky")]
        ['connect', 'connect', 'poni', 'relat', 'sky']
    """
    if len(word) < 3:
        return word
    word = _CONSONANT_Y.sub("Y", word)
    for step in _STEPS:
        word = step(word)
    return word.lower()


def _without_plural(word: str) -> str:
    found = _PLURALS.match(word)
    return found[1] + _PLURAL_BECOMES[found[2]] if found else word


def _without_past(word: str) -> str:
    found = _PAST.match(word)
    if not found:
        return word
    part, suffix = found.groups()
    if suffix == "eed":
        return part + "ee" if _measure(part) > 0 else word
    return _mended(part) if _VOWEL.search(part) else word


def _mended(part: str) -> str:
    """What is left of -ed and -ing, made a word again: hop(p), fil(e), conflat(e)."""
    if part.endswith(("at", "bl", "iz")):
        return part + "e"
    if _DOUBLE.search(part):
        return part[:-1]
    return part + "e" if _measure(part) == 1 and _short(part) else part


def _with_i(word: str) -> str:
    return word[:-1] + "i" if word[-1:] in ("y", "Y") and _VOWEL.search(word[:-1]) else word


def _by_table(table: dict[str, str], least: int) -> Callable[[str], str]:
    """A step that replaces the longest suffix of `table`, where the measure before it reaches `least`."""
    pattern = _longest_first(" ".join(table))

    def step(word: str) -> str:
        found = pattern.match(word)
        if not found or _measure(found[1]) < least:
            return word
        if found[2] == "ion" and found[1][-1] not in "st":
            return word
        return found[1] + table[found[2]]

    return step


def _without_e(word: str) -> str:
    if word.endswith("e"):
        measure = _measure(word[:-1])
        if measure > 1 or (measure == 1 and not _short(word[:-1])):
            word = word[:-1]
    return word[:-1] if word.endswith("ll") and _measure(word[:-1]) > 1 else word


_STEPS = (
    _without_plural,
    _without_past,
    _with_i,
    _by_table(_STEP_2, 1),
    _by_table(_STEP_3, 1),
    _by_table(dict.fromkeys(_STEP_4.split(" "), ""), 2),
    _without_e,
)
