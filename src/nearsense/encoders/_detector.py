"""Which language a text is in, by the library. Not what follows from it for a batch: see languages.py."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

__all__ = ["WORDS", "guess"]

WORDS = 3
"""Words in small letters that a text must have: without them it is a name, a product or a title."""

_WORD = re.compile(
    r"(?<![\w@/.\\#$:=<>\[\](){}-])[^\W\d_]+(?:['\u2019-][^\W\d_]+)*(?=[\s,;:!?\u2026\"'\u00bb\u201d)]|\.\s|\.?\Z)"
)
_INNER_CAPITAL = re.compile(r"[^\W\d_A-Z][A-Z]")

_OTHER_CODES = {"iw": "he", "jw": "jv", "zh-Hant": "zh", "sr-ME": "sr", "nn": "no", "co": "it"}
"""Codes of the library under which models are not listed: old ones, variants, and Corsican, for which it takes
3 % of short Italian sentences."""


def guess(text: str) -> tuple[str, int]:
    """The language that the library is sure of, and on how many letters that rests.

    Only running words count: what holds a digit, a slash, an at sign or a capital inside is an address, code or
    a product.

    Args:
        text: A text; it may hold anything that a string can hold.

    Returns:
        A code, ISO 639-1 where there is one, and the number of letters read; `("", letters)` where the library
        is not sure, there is too little to read, or the library is not installed.

    Example:
        >>> guess("Wo ist bitte der nächste Bahnhof?")
        ('de', 27)
        >>> guess("Samsung Galaxy S24 Ultra")[0], guess("https://www.example.it/notizie")[0]
        ('', '')
    """
    words = [word for word in _WORD.findall(text) if not _INNER_CAPITAL.search(word)]
    letters = sum(map(len, words))
    if sum(not word[0].isupper() for word in words) < WORDS:
        return "", letters
    detect = _library()
    return (detect(" ".join(words)) if detect else ""), letters


@cache
def _library() -> Callable[[str], str] | None:
    """The library's verdict as a function; None where it is not installed. Loading takes 2 ms and 2 MB."""
    try:
        import pycld2
    except ImportError:
        return None

    def detect(words: str) -> str:
        sure, _, ((_, code, _, _), *_) = pycld2.detect(words, isPlainText=True)
        return _OTHER_CODES.get(code, code) if sure and code != "un" else ""

    return detect
