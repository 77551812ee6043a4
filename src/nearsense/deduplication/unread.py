"""What a model did not see: texts that differ while their vectors do not. Not what the difference means.

A model has no token for many signs (emoji, scripts it was not made for, words of hundreds of letters) and reads no
further than its limit. Two texts that differ in nothing else have one vector, and a score of 1 says nothing.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["UNMOVED", "unread"]

UNMOVED = 1 - 1e-6
"""A score from which on two vectors are one; texts of different tokens were never seen above 0.9997."""

_LONGEST = 40

_ACCENTS = re.compile("[\u0300-\u036f\ufe00-\ufe0f]")
"""What models leave out on purpose, and what only chooses how a sign is drawn."""


def unread(a: str, b: str) -> tuple[str, str] | None:
    """What differs between two texts of one vector, beyond case, accents, space, punctuation and word order.

    Args:
        a: One text.
        b: The other.

    Returns:
        The words of each from the first that differs to the last, shortened; None where nothing does.

    Example:
        >>> unread("Great service 😀", "great service 😡")
        ('😀', '😡')
        >>> unread("a well-known café", "A well - known cafe")
    """
    if _seen(a) == _seen(b):
        return None
    here, there = a.split(), b.split()
    if sorted(map(_seen, here)) == sorted(
        map(_seen, there)
    ):  # models of single words see no order; the guard does
        return None
    begin, end = 0, 0
    while begin < min(len(here), len(there)) and _seen(here[begin]) == _seen(there[begin]):
        begin += 1
    while end < min(len(here), len(there)) - begin and _seen(here[-1 - end]) == _seen(there[-1 - end]):
        end += 1
    return _short(here[begin : len(here) - end]), _short(there[begin : len(there) - end])


def _seen(text: str) -> str:
    if text.isascii():
        return "".join(each for each in text.casefold() if each.isalnum() or each in "$+<=>^`|~")
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text)).casefold()
    return "".join(each for each in plain if unicodedata.category(each)[0] not in "PZC")


def _short(words: list[str]) -> str:
    line = " ".join(words)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
