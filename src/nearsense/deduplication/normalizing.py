"""Texts without what does not change their sense: case, white space, plain punctuation. Not stems, not words.

Punctuation goes only where it is a reader's, at the end of a word or around it. Signs that mean something stay: -5
is not 5, C++ not C, .NET not NET, 1.5 not 15, (5) not 5, :) not :(.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["normal_form"]

# After NFKC: what is written full width or in compatibility forms is plain by then.
_QUOTES = '"“”„‟«»\u2039\u203a「」『』〝〞'
_OPEN = "([{¿¡【《〈" + _QUOTES
_CLOSE = ")]}】》〉" + _QUOTES
_LOUD = "!"
_ENDS = ".,;:?。、،؛؟।॥" + _LOUD
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_APOSTROPHES = "`\u2018\u2019\u02bc"
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200e\u200f\u2060\ufeff"))
_UNIFIED = str.maketrans({**dict.fromkeys(_APOSTROPHES, "'"), **dict.fromkeys(_DASHES, "-")})

_HEAD = re.compile(rf"^['{re.escape(_OPEN)}]+(?=[^\W\d])")
_SHUT = re.compile(rf"(?<=[^\W\d])[{re.escape(_ENDS)}]*['{re.escape(_CLOSE)}][{re.escape(_CLOSE + _ENDS)}']*$")
_STOPS = re.compile(rf"(?<=[^\W\d])[{re.escape(_ENDS)}]+$")
_STOPS_OF_FIGURES = re.compile(rf"(?<=[\d%°+#$€£*)\]])[{re.escape(_ENDS.replace(_LOUD, ''))}]+$")
_ALONE = re.compile(rf"[{re.escape(_ENDS)}\-{re.escape(_QUOTES)}']+")
_FACE = re.compile(r"[:;][\-']")
_RAISED = frozenset(("<super>", "<sub>", "<fraction>"))


def normal_form(text: str) -> str:
    r"""A text as it is compared for the tier "normalized"; two texts of one form say the same.

    Unicode NFKC and full case folding; white space and invisible characters count as one space or nothing;
    brackets, quotation marks and stops around words go. Raised and lowered digits and fractions keep apart from
    plain ones.

    Args:
        text: Any text.

    Returns:
        The form; the text itself where nothing else would be left.

    Example:
        >>> normal_form("  Hello,\n“World”!  "), normal_form("C++ at -5°, 1.5 (really)...")
        ('hello world', 'c++ at -5° 1.5 really')
    """
    words = _folded(text).split()
    kept = [word if word.isalnum() else _bare(word, at + 1 < len(words)) for at, word in enumerate(words)]
    for at in range(len(kept) - 1, -1, -1):  # a dash between words is a pause, before a figure it is a sign
        if not kept[at] and words[at] == "-" and at + 1 < len(words) and not words[at + 1][0].isalpha():
            kept[at] = "-"
    return " ".join(word for word in kept if word) or text


def _folded(text: str) -> str:
    if text.isascii():
        return text.translate(_UNIFIED).casefold() if "`" in text else text.casefold()
    text = text.translate(_INVISIBLE)
    plain = "".join(
        each
        if unicodedata.decomposition(each).split(" ", 1)[0] in _RAISED
        else unicodedata.normalize("NFKC", each)
        for each in unicodedata.normalize("NFC", text)
    )
    return unicodedata.normalize("NFC", plain.translate(_UNIFIED).casefold())


def _bare(word: str, more: bool) -> str:
    """A word without the punctuation around it; empty where it is nothing else."""
    if word[-1] in ".,?" and word[:-1].isalnum():  # most of them
        return word[:-1]
    if _ALONE.fullmatch(word):
        return "" if not _FACE.match(word) and (word != "-" or more) else word
    return _STOPS_OF_FIGURES.sub("", _STOPS.sub("", _SHUT.sub("", _HEAD.sub("", word))))
