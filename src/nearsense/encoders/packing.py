"""Texts side by side into rows of equal width, so that the model computes hardly any padding. No model here.

A row of `width` tokens holds several texts; a token attends to those of its own `segment` only. Every request then
has one of a few shapes, whatever the lengths of the texts: new shapes cost OpenVINO milliseconds each.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense.encoders.pooling import Pooling, token_weights
from nearsense.encoders.tokenizer import Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Request", "pack", "place"]

NARROWEST = 16
"""The narrowest row, in tokens."""

ATTENTION = 600
"""A row of this width costs twice as much a token as a very narrow one: attention grows with the width.

Measured on 2 cores with AMX: 60,000 tokens/s in rows of 32, 57,000 at 64, 41,000 at 256.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What a transformer gets in one call: r rows of w tokens, with at most s texts a row.

    Args:
        ids: int32, shape (r, w).
        positions: int32, shape (r, w): the place of each token in its text.
        segments: int32, shape (r, w): which text of the row a token belongs to; -1 is padding.
        pool: float32, shape (r, s, w): the weight of each token in the vector of each text.
        items: int64, shape (m,): which of the caller's texts each vector belongs to.
        shares: float32, shape (m,): how much it counts there; 1 but for windows of a long text.
        rows: int64, shape (m,): the row that holds each.
        slots: int64, shape (m,): its number within the row.
    """

    ids: NDArray[np.int32]
    positions: NDArray[np.int32]
    segments: NDArray[np.int32]
    pool: NDArray[np.float32]
    items: NDArray[np.int64]
    shares: NDArray[np.float32]
    rows: NDArray[np.int64]
    slots: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Where each of n texts goes; all arrays int64, shape (n,)."""

    widths: NDArray[np.int64]
    rows: NDArray[np.int64]
    slots: NDArray[np.int64]
    starts: NDArray[np.int64]


def pack(
    tokens: Tokens,
    items: NDArray[np.int64],
    shares: NDArray[np.float32],
    pooling: Pooling,
    batch_tokens: int,
) -> Iterator[Request]:
    """Turn spans of tokens into requests of at most `batch_tokens` tokens (one row at least).

    Args:
        tokens: n spans with their special tokens.
        items: int64, shape (n,): the text that each belongs to.
        shares: float32, shape (n,): how much each counts for it.
        pooling: Which tokens make a span's vector.
        batch_tokens: The size of a request.

    Yields:
        Requests, the widest rows first; each span is in exactly one of them.
    """
    placed = place(tokens.lengths)
    order = np.lexsort((placed.slots, placed.rows, -placed.widths))
    for width in np.unique(placed.widths)[::-1]:
        texts = order[placed.widths[order] == width]
        rows = placed.rows[texts]
        step = max(1, batch_tokens // int(width))
        for first in range(0, int(rows[-1]) + 1, step):
            chosen = texts[np.searchsorted(rows, first) : np.searchsorted(rows, first + step)]
            arrays = _rows(tokens, placed, chosen, first, int(width), pooling)
            yield Request(
                *arrays, items[chosen], shares[chosen], placed.rows[chosen] - first, placed.slots[chosen]
            )


def place(lengths: NDArray[np.int64]) -> Placement:
    """Fill rows with texts, longest first, each row as wide as is cheapest for what it holds.

    First-fit decreasing over the histogram of lengths: the same combination of lengths is placed as often as it
    occurs, so that the work grows with the number of different lengths, not of texts.

    Args:
        lengths: int64, shape (n,), each at least 1.

    Example:
        >>> placed = place(np.array([30, 20, 12]))
        >>> placed.widths.tolist(), placed.rows.tolist(), placed.starts.tolist()
        ([64, 64, 64], [0, 0, 0], [0, 30, 50])
    """
    n = len(lengths)
    result = Placement(*(np.empty(n, np.int64) for _ in range(4)))
    if n == 0:
        return result
    order = np.argsort(lengths, kind="stable")
    available, firsts, counts = np.unique(lengths[order], return_index=True, return_counts=True)
    lefts = dict(zip(available.tolist(), counts.tolist(), strict=True))
    nexts = dict(zip(available.tolist(), firsts.tolist(), strict=True))
    shelf = available.tolist()
    filled: dict[int, int] = {}
    while shelf:
        width, row = min((_fill(shelf, lefts, width) for width in _widths(shelf[-1])), key=_cost)
        times = min(lefts[length] // row.count(length) for length in set(row))
        first = filled.get(width, 0)
        filled[width] = first + times
        start = 0
        for slot, length in enumerate(row):
            texts = order[nexts[length] : nexts[length] + times]
            result.widths[texts], result.slots[texts], result.starts[texts] = width, slot, start
            result.rows[texts] = first + np.arange(times)
            nexts[length] += times
            lefts[length] -= times
            start += length
        shelf = [length for length in shelf if lefts[length]]
    return result


def _widths(longest: int) -> list[int]:
    """The widths worth trying for a row that must hold a text of `longest` tokens."""
    width = NARROWEST
    while width < longest:
        width *= 2
    return [width, 2 * width, 4 * width]


def _fill(shelf: list[int], lefts: dict[int, int], width: int) -> tuple[int, list[int]]:
    """The longest text left, then again and again the longest that still fits."""
    row = [shelf[-1]]
    free = width - row[0]
    left = lefts[row[0]] - 1
    place = len(shelf) - 1
    while True:
        if not left:
            place -= 1
        place = min(place, bisect_right(shelf, free) - 1)
        if place < 0:
            return width, row
        length = shelf[place]
        if length != row[-1]:
            left = lefts[length]
        times = min(left, free // length)
        row += [length] * times
        free -= times * length
        left -= times


def _cost(filled: tuple[int, list[int]]) -> float:
    """What a row costs for each token that is not padding."""
    width, row = filled
    return width * (1 + width / ATTENTION) / sum(row)


def _rows(
    tokens: Tokens, placed: Placement, spans: NDArray[np.int64], first: int, width: int, pooling: Pooling
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    """The ids, positions, segments and pooling weights of the rows that hold `spans`, `first` the first of them."""
    lengths, rows, slots = tokens.lengths[spans], placed.rows[spans] - first, placed.slots[spans]
    height, most = int(rows[-1]) + 1, int(slots.max()) + 1
    length = np.repeat(lengths, lengths)
    offset = np.arange(len(length)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    source = np.repeat(tokens.starts[spans], lengths) + offset
    column = np.repeat(placed.starts[spans], lengths) + offset
    row, slot = np.repeat(rows, lengths), np.repeat(slots, lengths)

    ids, positions = np.zeros((height, width), np.int32), np.zeros((height, width), np.int32)
    segments = np.full((height, width), -1, np.int32)
    pool = np.zeros((height, most, width), np.float32)
    ids[row, column] = tokens.ids[source]
    positions[row, column] = offset
    segments[row, column] = slot
    pool[row, slot, column] = token_weights(pooling, offset, length)
    return ids, positions, segments, pool
