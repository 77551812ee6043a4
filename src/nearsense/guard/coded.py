"""Which words are codes: letters and digits that name a thing and do not count. Looks at no neighbour.

A code is the same however it is grouped: MG3650 is MG-3650. Not how codes are compared: see codes.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

__all__ = ["normal", "spans"]

_TOKEN = re.compile(r"#?\w+(?:[-\u2010\u2011./+@]\w+)*(?:\+{1,2}|#|[-\u2212](?!\w))?")
"""What may be a code within what stands between two spaces."""

_LONGEST = 40
_CAPITALS = 6
"""Letters that may stand before the figures of a code with a hyphen between: COVID-19, but not CHAPTER-19."""

_SPLIT = re.compile(r"[-\u2010\u2011./_+@]")
_ATOM = re.compile(r"\d+(?:\.\d+)*|[^\W\d_]+|[+#]")
_FIGURE = re.compile(r"\d+(?:[.,:/\-]\d+)*(\D*)")
_VERSION = re.compile(r"\d+(?:\.\d+){2,}")
_HEX = re.compile(r"#(?:[0-9a-f]{3}|[0-9a-f]{6}|[0-9a-f]{8})")
_GRADE = re.compile(r"[A-Za-z](?:\+\+|#)|(?:[A-FO]|AB)[-\u2212+]")
_MAIL = re.compile(r"[\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+")
_WORDS_AROUND = re.compile(r"^(?:[^\W\d_A-Z]{3,}-)+|(?:-[^\W\d_A-Z]{3,})+$")
_ROMAN = re.compile(r"(?=[IVX]{2})X{0,3}(?:IX|IV|V?I{0,3})")
_FILE = re.compile(
    r"[\w.\-]+\.(?:txt|pdf|docx?|xlsx?|pptx?|csv|tsv|json|xml|ya?ml|toml|ini|conf|cfg|env|log|sql|db|html?|css|jsx?|tsx?"
    r"|py|ipynb|java|rb|go|rs|cpp|sh|bat|exe|dll|jar|zip|gz|tar|rar|7z|iso|png|jpe?g|gif|svg|webp|mp[34]|wav|avi|mov|md)"
)


@lru_cache(4_096)
def normal(written: str) -> str:
    """A code without what only groups it: letters close up, a hyphen stands between two figures.

    Example:
        >>> normal("WH-1000XM4"), normal("i5 9400"), normal("Bluetooth 5.0"), normal("VII")
        ('wh1000xm4', 'i5-9400', 'bluetooth5', '7')
    """
    if _ROMAN.fullmatch(written):
        return str(_value(written))
    if _GRADE.fullmatch(written):
        return written.lower()
    found, last = "", ""
    for atom in _ATOM.findall(written.lower().lstrip("#")):
        figure = atom[0].isdigit()
        if figure and "." in atom and not _VERSION.fullmatch(atom):
            atom = re.sub(r"\.0$", "", atom)
        found += f"-{atom}" if figure and last[-1:].isdigit() else atom
        last = atom
    return found


def spans(chunk: str, measures: Callable[[str], bool]) -> list[tuple[int, int]]:
    """Where codes stand in what is written without a space, by their shape alone.

    Args:
        chunk: Text without spaces.
        measures: Whether letters behind a figure make an amount of it, or a place in a row: kg, pm, th.

    Example:
        >>> known = {"kg", "th"}.__contains__
        >>> [len(spans(each, known)) for each in ("(MG-3650)", "5kg", "19th", "3.11.4", "two-way", "W32/L34")]
        [1, 0, 0, 1, 0, 2]
    """
    found = []
    for match in _TOKEN.finditer(chunk):
        start, token = match.start(), match.group()
        parts = token.split("/")
        if len(parts) > 1 and all(_shaped(part, measures) for part in parts):
            for part in parts:
                found.append((start, start + len(part)))
                start += len(part) + 1
        elif _shaped(token, measures):
            kept = token if _FILE.fullmatch(token.lower()) else _WORDS_AROUND.sub("", token)
            start += token.index(kept)
            found.append((start, start + len(kept)))
    return found


def _shaped(token: str, measures: Callable[[str], bool]) -> bool:
    """Whether a token names something by its shape alone."""
    lower = token.lower()
    if len(token) > _LONGEST:
        return False
    if token.isalpha():
        return bool(_ROMAN.fullmatch(token))
    if _FILE.fullmatch(lower) or _GRADE.fullmatch(token) or _HEX.fullmatch(lower) or _MAIL.fullmatch(lower):
        return True
    if not any(map(str.isdigit, token)):
        return False
    if token[0] == "#":
        return True
    figure = _FIGURE.fullmatch(token)
    if figure and (not figure[1] or measures(figure[1])):
        return bool(_VERSION.fullmatch(token)) and not _dated(token)
    parts = _SPLIT.split(token)
    if any(_mixed(part, measures) for part in parts):
        return True
    return any(
        (_letters(one) and other[:1].isdigit()) or (one.isdigit() and _letters(other) and not measures(other))
        for one, other in pairwise(parts)
    )


def _letters(part: str) -> bool:
    """Whether a part is of capitals only, and few."""
    return part.isalpha() and part.isupper() and len(part) <= _CAPITALS


def _mixed(part: str, measures: Callable[[str], bool]) -> bool:
    """Whether letters and figures are glued, and make no amount: D5300, 1000XM4, but not 16GB."""
    if part.isdigit() or not any(map(str.isdigit, part)):
        return False
    figure = _FIGURE.fullmatch(part)
    return not (figure and measures(figure[1]))


def _dated(token: str) -> bool:
    """Whether three figures may be a day: 5.1.2021."""
    parts = token.split(".")
    return len(parts) == 3 and len(parts[0]) <= 2 and len(parts[1]) <= 2 and len(parts[2]) in (2, 4)


def _value(roman: str) -> int:
    figures = [{"I": 1, "V": 5, "X": 10}[letter] for letter in roman]
    return sum(-x if x < y else x for x, y in zip(figures, [*figures[1:], 0], strict=True))
