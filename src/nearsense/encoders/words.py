"""Which words of a text its tokens are pieces of. Not how a text becomes tokens: tokenizer.py."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NO_WORD", "Pieces", "words_of"]

NO_WORD = -1
"""The word of tokens that are no part of the text: special ones, those of a prompt, those without a character."""

UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
"""Scripts that put no spaces between words, as the names of their characters begin."""


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """Where each of a text's t tokens stands in the text.

    Args:
        starts: int64, shape (t,): its first character.
        ends: int64, shape (t,): the one after its last.
        words: int64, shape (t,): which of the tokenizer's words it is a piece of.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    words: NDArray[np.int64]


def words_of(text: str, pieces: Pieces, prompt: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Join the pieces of words.

    The tokenizer's words are divided further before and after punctuation, symbols, and characters of scripts that
    put no spaces between words. Marks that a tokenizer throws away belong to the character before them.

    Args:
        text: What was tokenized.
        pieces: Its tokens.
        prompt: Characters at its beginning that are no part of any word.

    Returns:
        The word of each token, int64, shape (t,), -1 for none; and the words, int64, shape (w, 2): first
        character, one after the last, both counted from the prompt's end.

    Example:
        >>> pieces = Pieces(np.array([0, 3, 5]), np.array([3, 5, 6]), np.array([0, 0, 0]))
        >>> owners, spans = words_of("lower!", pieces)
        >>> owners.tolist(), spans.tolist()
        ([0, 0, 1], [[0, 5], [5, 6]])
    """
    owners = np.full(len(pieces.starts), NO_WORD, np.int64)
    spans: list[list[int]] = []
    last = -1
    for place, (start, end, word) in enumerate(
        zip(pieces.starts.tolist(), pieces.ends.tolist(), pieces.words.tolist(), strict=True)
    ):
        start, end = _trimmed(text, max(start, prompt), end)
        if start >= end:
            continue
        if spans and word == last and _joins(text, spans[-1][1], start):
            spans[-1][1] = max(end, spans[-1][1])
        else:
            spans.append([start, end])
        owners[place], last = len(spans) - 1, word
    for place, span in enumerate(spans):
        limit = spans[place + 1][0] if place + 1 < len(spans) else len(text)
        while span[1] < limit and _is_mark(text[span[1]]):
            span[1] += 1
    return owners, np.array(spans, np.int64).reshape(-1, 2) - prompt


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Without white space at either end."""
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def _joins(text: str, end: int, start: int) -> bool:
    """Whether what ends and what starts here are parts of one word."""
    if start < end:  # several tokens of one character
        return True
    before, after = text[end - 1], text[start]
    if _is_mark(after) or ZERO_WIDTH_JOINER in (before, after):
        return True
    return all((_is_mark(each) or each.isalnum()) and not _is_unspaced(each) for each in (before, after))


def _is_mark(character: str) -> bool:
    """Whether it changes the one before: accents, vowel signs, variants and skin tones of emoji."""
    return not character.isascii() and unicodedata.category(character) in ("Mn", "Mc", "Me", "Sk")


def _is_unspaced(character: str) -> bool:
    return not character.isascii() and unicodedata.name(character, "").startswith(UNSPACED)


ZERO_WIDTH_JOINER = "\u200d"
