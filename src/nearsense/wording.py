"""Whether two texts are one but for how they are written: case, white space, punctuation. Not stems, not words.

Punctuation goes only where it is a reader's, at the end of a word or around it. Signs that mean something stay: -5
is not 5, C++ not C, .NET not NET, 1.5 not 15, (5) not 5, :) not :(.
"""

from __future__ import annotations

import re
import unicodedata

# After NFKC: what is written full width or in compatibility forms is plain by then.
_QUOTES = '"“”„‟«»\u2039\u203a「」『』〝〞'
_OPEN = "([{¿¡【《〈" + _QUOTES
_CLOSE = ")]}】》〉" + _QUOTES
_LOUD = "!"
_ENDS = ".,;:?。、،؛؟\u06d4।॥။၊។៕።፣፧\u0589" + _LOUD
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_APOSTROPHES = "`\u2018\u2019\u02bc"
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200e\u200f\u2060\ufe0e\ufe0f\ufeff"))
_UNIFIED = str.maketrans({**dict.fromkeys(_APOSTROPHES, "'"), **dict.fromkeys(_DASHES, "-")})

_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u06d6-\u06ed\u0900-\u0963\u0980-\u09e3\u0a00-\u0a5e\u0a70-\u0ae3\u0b00-\u0b63\u0b80-\u0be5\u0c00-\u0c63"
    "\u0c80-\u0ce3\u0d00-\u0d63\u0d80-\u0df3\u0e31-\u0e3a\u0e47-\u0e4e\u0eb1-\u0ebc\u0ec8-\u0ecd\u0f71-\u0f84"
    "\u102b-\u103e\u1056-\u1059\u17b4-\u17d3\u3099\u309a"
)
"""Vowels, tones and points that end words of Hindi, Thai, pointed Arabic: `\\w` leaves them out."""

_AFTER_LETTER = rf"(?<=[^\W\d]|[{_MARKS}])"
_HEAD = re.compile(rf"^['{re.escape(_OPEN)}]+(?=[^\W\d])")
_SHUT = re.compile(rf"{_AFTER_LETTER}[{re.escape(_ENDS)}]*['{re.escape(_CLOSE)}][{re.escape(_CLOSE + _ENDS)}']*$")
_STOPS = re.compile(rf"{_AFTER_LETTER}[{re.escape(_ENDS)}]+$")
_STOPS_OF_FIGURES = re.compile(rf"(?<=[\d%°+#$€£*)\]])[{re.escape(_ENDS.replace(_LOUD, ''))}]+$")
_ALONE = re.compile(rf"[{re.escape(_ENDS)}\-{re.escape(_QUOTES)}']+")
_FACE = re.compile(r"[:;][\-']")
_ASKED = re.compile(r"[?!]*\?[?!]*$")
_RAISED = frozenset(("<super>", "<sub>", "<fraction>"))
_MEANT = frozenset("#%&*@\\\u2030")
_WITHIN = re.compile(r"(?<=[^\W_])(?:[^\w\s]|_)+(?=[^\W_])")


def normal_form(text: str) -> str:
    r"""A text as it is compared for the tier "normalized"; two texts of one form say the same.

    Unicode NFKC and full case folding; white space and invisible characters count as one space or nothing;
    brackets, quotation marks and stops around words go. Raised and lowered digits and fractions keep apart from
    plain ones. The text itself where nothing else would be left.

    Example:
        >>> normal_form("  Hello,\n“World”!  "), normal_form("C++ at -5°, 1.5 (really)...")
        ('hello world', 'c++ at -5° 1.5 really')
    """
    return _plain(_folded(text)) or " ".join(text.split()) or text


def bare_form(text: str) -> str:
    r"""The normal form without the punctuation inside of words and the spaces between them.

    Signs that mean something stay, and so does what stands between two figures: 1.5 is not 15.

    Example:
        >>> bare_form("Don't panic: COVID-19."), bare_form("dont panic covid 19")
        ('dontpaniccovid19', 'dontpaniccovid19')
        >>> bare_form("at 1.5 m"), bare_form("in C++ or C#"), bare_form("3 4")
        ('at1.5m', 'inc++orc#', '3 4')
    """
    within = _ASKED.sub("", _WITHIN.sub(_kept, normal_form(text)))
    return re.sub(r"(?<!\d) +| +(?!\d)", "", within) or normal_form(text)


_JUDGING = frozenset(
    "\u274c\u2716\u2717\u2718\u2705\u2714\u2713\u2611\u2612\u26d4\u26a0\u2753\u2754\u2b50"
    "\U0001f44d\U0001f44e\U0001f44c\U0001f4a9\U0001f4a2\U0001f494\U0001f595\U0001f6ab\U0001f6d1\U0001f6c7\U0001f645\U0001f646"
    "\U0001f620\U0001f621\U0001f612\U0001f624\U0001f644\U0001f92c\U0001f92e\U0001f922\U0001f47f\U0001f608\U0001f51e\U0001f4c8\U0001f4c9"
    "\U0001f534\U0001f535\U0001f7e0\U0001f7e1\U0001f7e2\U0001f7e3\U0001f7e4\U0001f53c\U0001f53d\U0001f514\U0001f515\U0001f507\U0001f50a"
    "\U0001f512\U0001f513"
)
"""Pictures that say yes or no, good or bad, on or off, or are a colour: at an end they may be a text's point."""

_BESIDE = frozenset("\u200d\ufe0e\ufe0f") | {chr(skin) for skin in range(0x1F3FB, 0x1F400)}


def is_ornament(word: str) -> bool:
    """Whether a word is nothing but pictures that adorn a text: a party, praying hands, a rocket. No judging ones.

    Example:
        >>> [is_ornament(word) for word in ("\U0001f389", "\U0001f64f\U0001f3fd", "\u274c")]
        [True, True, False]
    """
    drawn = [each for each in word if each not in _BESIDE]
    return bool(drawn) and all(
        (0x1F300 <= ord(each) <= 0x1FAFF or each in "\u2728\u2764\u263a\u2600") and each not in _JUDGING
        for each in drawn
    )


def unadorned(text: str) -> str:
    """A text without the ornaments at its ends; the text itself where nothing else is left.

    Example:
        >>> unadorned("\U0001f680 Where is my order? \U0001f64f\U0001f64f"), unadorned("Great \u274c")
        ('Where is my order?', 'Great \u274c')
    """
    if text.isascii():
        return text
    words = text.split()
    begin, end = 0, len(words)
    while begin < end and is_ornament(words[begin]):
        begin += 1
    while end > begin and is_ornament(words[end - 1]):
        end -= 1
    return " ".join(words[begin:end]) if 0 < end - begin < len(words) else text


def likeness(a: str, b: str) -> int:
    """How nearly two texts are written alike, from 0, the same text, to `UNLIKE`.

    1: but for white space and how accents are composed; 2: also for punctuation and forms of compatibility;
    3: also for case; 4: also for punctuation within words and the spaces between.

    Example:
        >>> [likeness("Is it on?", each) for each in ("Is it on?", " Is it on?", "is it on")]
        [0, 1, 3]
        >>> likeness("Is it on?", "Is it off?") == UNLIKE
        True
    """
    if a == b:
        return 0
    if bare_form(a) != bare_form(b):  # nearly always: the other forms need not be made
        return UNLIKE
    return next((level for level, form in enumerate(_FORMS, 1) if form(a) == form(b)), len(_FORMS) + 1)


UNLIKE = 5  # the likeness of two texts whose letters, figures or signs differ


def _composed(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _cased(text: str) -> str:
    return _plain(_unified(text)) or text


_FORMS = (_composed, _cased, normal_form)


def _kept(found: re.Match[str]) -> str:
    """Of what stands within a word: nothing where it is punctuation, and not between two figures."""
    within, text, (start, end) = found.group(), found.string, found.span()
    plain = all(unicodedata.category(each)[0] == "P" and each not in _MEANT for each in within)
    return "" if plain and not (text[start - 1].isdigit() and text[end].isdigit()) else within


def _plain(text: str) -> str:
    """Words without the punctuation around them, one space between two."""
    words = text.split()
    kept = [word if word.isalnum() else _bare(word, at + 1 < len(words)) for at, word in enumerate(words)]
    for at in range(len(kept) - 1, -1, -1):  # a dash between words is a pause, before a figure it is a sign
        if not kept[at] and words[at] == "-" and at + 1 < len(words) and not words[at + 1][0].isalpha():
            kept[at] = "-"
    return " ".join([word for word in kept if word])


def _folded(text: str) -> str:
    """The same without case."""
    folded = _unified(text).casefold()
    return folded if folded.isascii() else unicodedata.normalize("NFC", folded)


def _unified(text: str) -> str:
    """One way to write apostrophes, dashes and compatible characters; case stays."""
    if text.isascii():
        return text.replace("`", "'")
    text = text.translate(_INVISIBLE)
    plain = "".join(
        each
        if unicodedata.decomposition(each).split(" ", 1)[0] in _RAISED
        else unicodedata.normalize("NFKC", each)
        for each in unicodedata.normalize("NFC", text)
    )
    return unicodedata.normalize("NFC", plain.translate(_UNIFIED))


def _bare(word: str, more: bool) -> str:
    """A word without the punctuation around it; empty where it is nothing else."""
    if word[-1] in ".,?" and word[:-1].isalnum():  # most of them
        return word[:-1]
    if _ALONE.fullmatch(word):
        return "" if not _FACE.match(word) and (word != "-" or more) else word
    return _STOPS_OF_FIGURES.sub("", _STOPS.sub("", _SHUT.sub("", _HEAD.sub("", word))))
