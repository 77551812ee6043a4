"""Two texts as one row of tokens: what is cut where both do not fit, and what stands between. No model here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearsense.encoders.tokenizer import PairFrame, Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Places = NDArray[np.int64]

__all__ = ["join", "longest_first"]


def longest_first(first: Places, second: Places, room: int) -> tuple[Places, Places]:
    """What is left of two texts that share some room: the longer one is cut until both are equal, then both.

    Args:
        first: int64, shape (n,): tokens of the first texts.
        second: int64, shape (n,): of the second ones.
        room: Tokens that there is room for.

    Example:
        >>> kept = longest_first(np.array([10, 90, 80]), np.array([20, 30, 90]), 101)
        >>> [each.tolist() for each in kept]
        [[10, 71, 50], [20, 30, 51]]
    """
    short, long = np.minimum(first, second), np.maximum(first, second)
    half = room // 2
    fits = first + second <= room
    beside = short <= half  # the shorter one stays whole
    kept_long = np.where(fits, long, np.where(beside, room - short, room - half))
    kept_short = np.where(fits | beside, short, half)
    swapped = first > second
    return np.where(swapped, kept_long, kept_short), np.where(swapped, kept_short, kept_long)


def join(
    frame: PairFrame,
    first: Tokens,
    second: Tokens,
    rows: tuple[Places, Places],
    lengths: tuple[Places, Places],
    *,
    left: bool = False,
) -> Tokens:
    """Pairs of texts, each with the special tokens around and between them: what a cross-encoder reads.

    Args:
        frame: The special tokens.
        first: The texts that come first.
        second: The texts that come second.
        rows: Which text of `first` and of `second` each of n pairs has; int64, shape (n,) each.
        lengths: How many of their tokens are kept; int64, shape (n,) each.
        left: The last ones are kept, instead of the first.

    Returns:
        n spans, with types.
    """
    kinds, fixed = frame.types, frame.ids
    whole = lengths[0] + lengths[1] + frame.specials
    begins = np.cumsum(whole) - whole
    joined = Tokens(np.empty(int(whole.sum()), np.int32), whole, np.empty(int(whole.sum()), np.int32))
    at = _put(joined, begins, fixed[0], kinds[0])
    at = _copy(joined, at, first, rows[0], lengths[0], kinds[1], left)
    at = _put(joined, at, fixed[1], kinds[2])
    at = _copy(joined, at, second, rows[1], lengths[1], kinds[3], left)
    _put(joined, at, fixed[2], kinds[4])
    return joined


def _put(joined: Tokens, at: Places, ids: NDArray[np.int32], types: NDArray[np.int32]) -> Places:
    """The same tokens into every pair; where it goes on."""
    assert joined.types is not None
    for place, (token, kind) in enumerate(zip(ids, types, strict=True)):
        joined.ids[at + place], joined.types[at + place] = token, kind
    return at + len(ids)


def _copy(joined: Tokens, at: Places, texts: Tokens, rows: Places, kept: Places, kind: int, left: bool) -> Places:
    """Each pair's own text; where it goes on."""
    assert joined.types is not None
    within = np.arange(int(kept.sum())) - np.repeat(np.cumsum(kept) - kept, kept)
    target = np.repeat(at, kept) + within
    starts = texts.starts[rows] + (texts.lengths[rows] - kept if left else 0)
    joined.ids[target] = texts.ids[np.repeat(starts, kept) + within]
    joined.types[target] = kind
    return at + kept
