"""Which script a text is written in, from ranges of code points. Not which language: see _detector.py."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter

__all__ = ["LANGUAGES_OF", "main_script"]

_RANGES = (
    (0x0041, 0x024F, "Latin"),
    (0x0250, 0x02AF, "Latin"),
    (0x0370, 0x03FF, "Greek"),
    (0x0400, 0x052F, "Cyrillic"),
    (0x0531, 0x058F, "Armenian"),
    (0x0590, 0x05FF, "Hebrew"),
    (0x0600, 0x077F, "Arabic"),
    (0x08A0, 0x08FF, "Arabic"),
    (0x0900, 0x097F, "Devanagari"),
    (0x0980, 0x09FF, "Bengali"),
    (0x0A00, 0x0A7F, "Gurmukhi"),
    (0x0A80, 0x0AFF, "Gujarati"),
    (0x0B00, 0x0B7F, "Oriya"),
    (0x0B80, 0x0BFF, "Tamil"),
    (0x0C00, 0x0C7F, "Telugu"),
    (0x0C80, 0x0CFF, "Kannada"),
    (0x0D00, 0x0D7F, "Malayalam"),
    (0x0D80, 0x0DFF, "Sinhala"),
    (0x0E00, 0x0E7F, "Thai"),
    (0x0E80, 0x0EFF, "Lao"),
    (0x0F00, 0x0FFF, "Tibetan"),
    (0x1000, 0x109F, "Myanmar"),
    (0x10A0, 0x10FF, "Georgian"),
    (0x1100, 0x11FF, "Hangul"),
    (0x1200, 0x139F, "Ethiopic"),
    (0x1780, 0x17FF, "Khmer"),
    (0x1C90, 0x1CBF, "Georgian"),
    (0x1E00, 0x1EFF, "Latin"),
    (0x1F00, 0x1FFF, "Greek"),
    (0x3040, 0x30FF, "Kana"),
    (0x3130, 0x318F, "Hangul"),
    (0x3400, 0x4DBF, "Han"),
    (0x4E00, 0x9FFF, "Han"),
    (0xAC00, 0xD7AF, "Hangul"),
    (0xF900, 0xFAFF, "Han"),
    (0xFB1D, 0xFB4F, "Hebrew"),
    (0xFB50, 0xFDFF, "Arabic"),
    (0xFE70, 0xFEFF, "Arabic"),
    (0xFF66, 0xFF9F, "Kana"),
    (0x20000, 0x323AF, "Han"),
)
"""First and last code point of what is used in running text; letters elsewhere count for no script."""

_STARTS = tuple(first for first, _, _ in _RANGES)

LANGUAGES_OF = {
    "Greek": ("el",),
    "Cyrillic": ("ru", "uk", "bg", "sr", "be", "mk", "mn", "kk", "ky", "tg", "tt", "ba", "uz", "az", "bs"),
    "Armenian": ("hy",),
    "Hebrew": ("he", "yi"),
    "Arabic": ("ar", "fa", "ur", "ps", "sd", "ug", "ku", "ks"),
    "Devanagari": ("hi", "mr", "ne", "sa"),
    "Bengali": ("bn", "as"),
    "Gurmukhi": ("pa",),
    "Gujarati": ("gu",),
    "Oriya": ("or",),
    "Tamil": ("ta",),
    "Telugu": ("te",),
    "Kannada": ("kn",),
    "Malayalam": ("ml",),
    "Sinhala": ("si",),
    "Thai": ("th",),
    "Lao": ("lo",),
    "Tibetan": ("bo", "dz"),
    "Myanmar": ("my",),
    "Georgian": ("ka",),
    "Hangul": ("ko",),
    "Ethiopic": ("am", "ti"),
    "Khmer": ("km",),
    "Kana": ("ja",),
    "Han": ("zh", "ja"),
}
"""The languages, ISO 639-1, that are written in a script, the most likely first; Latin is written by too many."""


def main_script(text: str) -> str:
    """The script of more than half of the letters, or `""`: no letters, or no script has that many.

    A text with kana is Japanese whatever its share of Han characters. One letter of another script than Latin is
    a symbol (π, Ω), not a text.

    Args:
        text: Any string; the work is linear in its length.

    Example:
        >>> [main_script(text) for text in ("Ошибка 404 в API", "price: 12 €", "駅はどこですか", "42")]
        ['Cyrillic', 'Latin', 'Kana', '']
    """
    if text.isascii():
        return "Latin" if any(map(str.isalpha, text)) else ""
    counts: Counter[str] = Counter()
    for character, times in Counter(text).items():
        if character.isalpha():
            counts[_script(ord(character))] += times
    if counts["Kana"]:
        counts["Kana"] += counts.pop("Han", 0)
    script, most = max(counts.items(), key=lambda item: item[1], default=("", 0))
    enough = 2 * most > counts.total() and (most > 1 or script in ("Latin", "Han"))
    return script if enough else ""


def _script(point: int) -> str:
    place = bisect_right(_STARTS, point) - 1
    if place < 0:
        return ""
    _, last, script = _RANGES[place]
    return script if point <= last else ""
