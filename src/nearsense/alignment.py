"""The arithmetic of `explain`: a cosine as a sum over words, and words side by side. Not how it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearsense.vectors.rows import ZeroRow, scale_to_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.encoders.token_vectors import TokenVectors

    Floats = NDArray[np.float64]

__all__ = ["nearest", "parts", "similarities", "terms"]


def terms(text: TokenVectors, other: TokenVectors) -> Floats:
    """The cosine of two texts as a sum over the words of the first.

    Its vector is v = sum of c t over its tokens t with their counts c, so cos(v, u) = sum of c (t . u) / |v| |u|.

    Args:
        text: w words, with counts.
        other: The other text, with counts.

    Returns:
        float64, shape (w + 1,): one term a word, then that of the tokens of no word.
    """
    mine, theirs = _counted(text), _counted(other)
    direction = theirs.sum(axis=0)
    each = mine @ direction / (np.linalg.norm(mine.sum(axis=0)) * np.linalg.norm(direction))
    total = np.zeros(len(text.spans) + 1)
    np.add.at(total, text.words, each)  # -1, no word, is the last place
    return total


def parts(score: float, similarity: Floats) -> Floats:
    """A score divided among words in proportion to how similar each is to its nearest in the other text.

    Args:
        score: The score.
        similarity: float64, shape (w,): below 0 counts as 0.

    Returns:
        float64, shape (w + 1,): a part a word, then what is left over: the whole, where there are no words.

    Example:
        >>> parts(0.6, np.array([0.9, 0.3, -0.1])).round(2).tolist()
        [0.45, 0.15, 0.0, 0.0]
    """
    if not len(similarity):
        return np.array([score])
    likeness = np.maximum(similarity, 0)
    if not likeness.any():
        likeness = np.ones_like(similarity)
    return np.append(score * likeness / likeness.sum(), 0.0)


def similarities(text: TokenVectors, other: TokenVectors) -> Floats:
    """The cosine of each of w words with each of x others; a word's vector is the mean of its tokens'.

    Returns:
        float64, shape (w, x), in [-1, 1]; 0 where a word has no direction.
    """
    product: Floats = _directions(text) @ _directions(other).T
    return np.clip(product, -1, 1)


def nearest(similarity: Floats) -> tuple[list[int | None], Floats]:
    """For each row the column of its largest value, and that value; None and 0 where there are no columns.

    Example:
        >>> nearest(np.array([[0.1, 0.7], [0.4, 0.2]]))
        ([1, 0], array([0.7, 0.4]))
    """
    rows, columns = similarity.shape
    if not columns:
        return [None] * rows, np.zeros(rows)
    return [*similarity.argmax(axis=1).tolist()], similarity.max(axis=1)


def _counted(text: TokenVectors) -> Floats:
    """The terms of a text's vector, one a token."""
    counted: Floats = text.vectors * np.asarray(text.counts, np.float64)[:, None]
    return counted


def _directions(text: TokenVectors) -> Floats:
    """The vectors of a text's words, of unit length; a vector of length zero stays."""
    sums = np.zeros((len(text.spans), text.vectors.shape[1]))
    known = text.words >= 0
    np.add.at(sums, text.words[known], text.vectors[known])
    return scale_to_unit(sums, 0, "words", ZeroRow.KEEP)
