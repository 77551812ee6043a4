"""What is in a column, by its cells: texts, labels, codes, numbers, dates; numbers as people write them.

Not what it is called: see names.py; nor which column is taken for what: see columns.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, time, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

MOST = 1000
"""Cells of a column that are looked at, spread over all of it."""
NEARLY_ALL = 0.9


class Content(StrEnum):
    """What most cells of a column are."""

    NOTHING = "nothing"
    NUMBERS = "numbers"
    DATES = "dates"
    LINKS = "links"
    CODES = "codes"
    """Each its own, without a space: T-1001, a UUID."""
    LABELS = "labels"
    """Few words, and the same again and again."""
    TEXTS = "texts"
    OTHER = "other"
    """Lists, objects, bytes."""


class Portrait(NamedTuple):
    """A column, judged by what it holds.

    `words` is how many a cell has on average, `weight` how much it is like a column of texts: words (of which more
    than sixty count as sixty) times the share of cells that occur once. `asking` is the share that ends in "?".
    """

    content: Content
    words: float = 0.0
    weight: float = 0.0
    asking: float = 0.0


def sampled(cells: Sequence[Any], most: int = MOST) -> list[Any]:
    """At most so many cells that hold something, spread over the column."""
    step = max(1, len(cells) // (4 * most))
    found = [cell for cell in cells[::step] if not is_missing(cell)]
    return found[:: max(1, -(-len(found) // most))]


def is_missing(cell: Any) -> bool:
    """Whether a cell holds nothing: None, NaN, or a text without a visible character."""
    if isinstance(cell, str):
        return not cell or cell.isspace()
    return cell is None or (isinstance(cell, (float, np.floating)) and bool(np.isnan(cell)))


_DATE = (
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{1,2}\.? ?[^\W\d_]{3,10}\.?,? ?\d{4}"
    r"|[^\W\d_]{3,10}\.? \d{1,2},? \d{4}|\d{1,2}:\d{2}(:\d{2})?)([T ,]*\d{1,2}[:.]\d{2}.{0,20})?(Z| ?[AaPp][Mm])?"
)
_LINK = r"(?i:([a-z][a-z0-9+.-]*://|www\.)\S+|\S+@\S+\.\S+|(\.{0,2}|~|[A-Za-z]:)[/\\]\S+)"
_WIDE = "[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]"


def words_in(text: str) -> float:
    """How many words a text has; where letters stand without spaces between words, two count as one."""
    return len(text.split()) + (len(re.findall(_WIDE, text)) / 2 if not text.isascii() else 0)


def portrait(cells: Sequence[Any]) -> Portrait:
    """What a column holds.

    Example:
        >>> portrait(["3,5", "1.200,75"]).content, portrait(["03.05.2024"]).content
        (<Content.NUMBERS: 'numbers'>, <Content.DATES: 'dates'>)
        >>> portrait(["The parcel came late.", "Where is my refund?"]).words
        4.0
    """
    found = sampled(cells)
    if not found:
        return Portrait(Content.NOTHING)
    texts = [cell.strip() for cell in found if isinstance(cell, str)]
    if len(texts) < NEARLY_ALL * len(found):
        return Portrait(_untexted(found))
    numbers = numbers_of(texts)
    if sum(text in numbers for text in texts) >= NEARLY_ALL * len(texts):
        return Portrait(Content.NUMBERS)
    for pattern, content in ((_DATE, Content.DATES), (_LINK, Content.LINKS)):
        if sum(re.fullmatch(pattern, text) is not None for text in texts) >= NEARLY_ALL * len(texts):
            return Portrait(content)
    words = sum(map(words_in, texts)) / len(texts)
    folded = [text.casefold() for text in texts]
    varied = len(set(folded)) / len(texts)
    asking = sum(text.endswith(("?", "\uff1f", "\u061f")) for text in texts) / len(texts)
    single = words <= 1.05
    if single and varied > NEARLY_ALL and sum(map(_coded, texts)) >= NEARLY_ALL * len(texts):
        return Portrait(Content.CODES, words)
    labels = words <= 5 and len(texts) >= 4 and varied <= 0.5
    weight = min(words, 60.0) * varied
    return Portrait(Content.LABELS if labels else Content.TEXTS, words, weight, asking)


def _untexted(cells: list[Any]) -> Content:
    """What cells are of which many are no texts."""
    for kinds, content in (
        ((bool, np.bool_), Content.LABELS),
        ((int, float, np.number, str), Content.NUMBERS),
        ((date, time, timedelta, np.datetime64), Content.DATES),
    ):
        if all(isinstance(cell, kinds) for cell in cells):
            return content
    return Content.OTHER


def _coded(text: str) -> bool:
    return any(letter.isdigit() for letter in text)


_SPACES = "\u00a0\u202f' "
_MONEY = r"^(?:[€$£¥]|EUR|USD|CHF)\s*|\s*(?:[€$£¥%]|EUR|USD|CHF|zł)$"
_POINT = rf"[+-]?(\d{{1,3}}(,\d{{3}})+|\d{{1,3}}([{_SPACES}]\d{{3}})+|\d+)?(\.\d+)?([eE][+-]?\d{{1,3}})?"
_COMMA = rf"[+-]?(\d{{1,3}}(\.\d{{3}})+|\d{{1,3}}([{_SPACES}]\d{{3}})+|\d+)?(,\d+)?"


def numbers_of(cells: Iterable[str]) -> dict[str, float]:
    """Those cells that are written as numbers, and which: 1,234.5 or, where the column is written so, 1.234,5.

    Example:
        >>> numbers_of(["0,5", "1.234,75", "12 %"])
        {'0,5': 0.5, '1.234,75': 1234.75, '12 %': 12.0}
        >>> numbers_of(["1,234", "12,500.5", "x"])
        {'1,234': 1234.0, '12,500.5': 12500.5}
    """
    bare = {cell: re.sub(_MONEY, "", cell.strip()).strip() for cell in dict.fromkeys(cells)}
    comma = _decimal_comma(bare.values())
    pattern = _COMMA if comma else _POINT
    found = {}
    for cell, text in bare.items():
        if not any(letter.isdigit() for letter in text) or not re.fullmatch(pattern, text):
            continue
        digits = re.sub(f"[{_SPACES}]", "", text)
        digits = digits.replace(".", "").replace(",", ".") if comma else digits.replace(",", "")
        found[cell] = float(digits)
    return found


def _decimal_comma(texts: Iterable[str]) -> bool:
    """Whether a comma stands before the fractions of a column's numbers: one that has no other sense says so."""
    commas = 0
    for text in texts:
        if re.fullmatch(_POINT, text):
            if "." in text and not re.fullmatch(r"[+-]?[1-9]\d{0,2}(\.\d{3})+", text):
                return False
            if "," in text and re.fullmatch(r"[+-]?0,\d{3}", text):
                commas += 1
        elif re.fullmatch(_COMMA, text):
            commas += 1
    return commas > 0
