"""Scores without a model: how many words two texts share. The yardstick that meaning has to beat."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["jaccard", "words"]


def words(text: str) -> frozenset[str]:
    """The distinct words of a text, in lower case.

    Example:
        >>> sorted(words("To be, or not to be"))
        ['be', 'not', 'or', 'to']
    """
    return frozenset(re.findall(r"\w+", text.lower()))


def jaccard(query: str, corpus: Sequence[str]) -> NDArray[np.float32]:
    """The words that two texts share, as a part of all words of both (Jaccard 1912).

    Args:
        query: A text.
        corpus: n texts.

    Returns:
        float32, shape (n,), in [0, 1]; 0 where neither has a word.

    Example:
        >>> jaccard("red car", ["a fast red car", "blue bike"]).tolist()
        [0.5, 0.0]
    """
    asked = words(query)
    scores = np.zeros(len(corpus), np.float32)
    for row, text in enumerate(corpus):
        found = words(text)
        scores[row] = len(asked & found) / max(len(asked | found), 1)
    return scores
