"""Texts as rows of tokens for a graph, with hardly any padding, and the tokens' vectors as one a text.

No model here: `Engine` is whatever computes between the two.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.errors import UnsupportedModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Part = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int]
    Feed = Callable[[Sequence[str], "Request"], tuple[list[NDArray[Any]], NDArray[np.int64]]]
    Floats = NDArray[np.float32]
    Places = NDArray[np.int64]
    Reduce = Callable[[Floats, Places, Places], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """Texts as token ids, end to end."""

    ids: NDArray[np.int32]  # shape (t,): the tokens of all texts
    lengths: NDArray[np.int64]  # shape (n,): how many of them each text has
    types: NDArray[np.int32] | None = None  # shape (t,): which text of a pair; None where there are no pairs

    @property
    def starts(self) -> NDArray[np.int64]:
        """int64, shape (n,): where each text begins in `ids`."""
        return np.cumsum(self.lengths) - self.lengths


NARROWEST = 16  # the narrowest row, in tokens
STEP = 8  # rows of one text are a multiple of so many tokens wide: less is more shapes, more is more padding

FEW_TOKENS = 1024  # up to so many all rows are of one width (docs/speed.md)

ATTENTION = 500
"""A row of this width costs twice as much a token as a very narrow one: attention grows with the width.

Measured in bf16 on 2 cores with AMX: 52,100 tokens/s in rows of 32, 47,700 at 64, 43,800 at 128, 35,100 at 256
(`benchmarks/bench_engine.py`).
"""


def places_within(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The place of each token in its text, where n texts stand end to end: int64, shape (sum of lengths,).

    >>> places_within(np.array([2, 3])).tolist()
    [0, 1, 0, 1, 2]
    """
    return np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What a transformer gets in one call: r rows of w tokens that hold m texts, and where each of them is."""

    ids: NDArray[np.int32]  # shape (r, w)
    positions: NDArray[np.int32]  # shape (r, w): the place of each token in its text
    segments: NDArray[np.int32]  # shape (r, w): which text a token belongs to; -1 is padding
    begins: NDArray[np.int64]  # shape (m,): where each text begins among the r * w tokens
    lengths: NDArray[np.int64]  # shape (m,): how many tokens it has
    items: NDArray[np.int64]  # shape (m,): which of the caller's texts it is
    shares: NDArray[np.float32]  # shape (m,): how much it counts there; 1 but for windows
    types: NDArray[np.int32] | None = None  # shape (r, w): which text of a pair; None where there are no pairs


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Where each of n texts goes: how wide its row is, which one of that width, where in it; int64, shape (n,)."""

    widths: NDArray[np.int64]
    rows: NDArray[np.int64]
    starts: NDArray[np.int64]


def pack(
    tokens: Tokens,
    items: NDArray[np.int64],
    shares: NDArray[np.float32],
    batch_tokens: int,
    *,
    alone: bool = False,
    flat: bool = False,
) -> Iterator[Request]:
    """Turn n spans into requests of at most `batch_tokens` tokens (one row at least), the widest rows first.

    `items` and `shares`, shape (n,), say which text each belongs to and how much it counts there; `alone` is for
    engines that know rows of one text only, `flat` for those that know no rows.
    """
    if flat:
        yield from _end_to_end(tokens, items, shares, batch_tokens)
        return
    parts = _one_a_row if alone else _many_a_row
    for spans, rows, starts, width in parts(tokens.lengths, batch_tokens):
        ids, positions, segments, types = _request(tokens, spans, rows, starts, width)
        begins, lengths = rows * width + starts, tokens.lengths[spans]
        yield Request(ids, positions, segments, begins, lengths, items[spans], shares[spans], types)


def _end_to_end(
    tokens: Tokens, items: NDArray[np.int64], shares: NDArray[np.float32], batch_tokens: int
) -> Iterator[Request]:
    """One row of whole texts as they come, without padding; where tokens stand in them plays no part."""
    starts = tokens.starts
    ends = starts + tokens.lengths
    first, nothing = 0, np.empty((1, 0), np.int32)
    while first < len(ends):
        start = int(starts[first])
        last = max(first + 1, int(np.searchsorted(ends, start + batch_tokens, side="right")))
        part = slice(first, last)
        ids = tokens.ids[None, start : int(ends[last - 1])]
        begins = starts[part] - start
        yield Request(ids, nothing, nothing, begins, tokens.lengths[part], items[part], shares[part])
        first = last


def _many_a_row(lengths: NDArray[np.int64], batch_tokens: int) -> Iterator[_Part]:
    """Rows that hold several texts, the widest first."""
    placed = place(lengths)
    order = np.lexsort((placed.starts, placed.rows, -placed.widths))
    for width in np.unique(placed.widths)[::-1].tolist():
        spans = order[placed.widths[order] == width]
        rows = placed.rows[spans]
        step = max(1, batch_tokens // width)
        for first in range(0, int(rows[-1]) + 1, step):
            part = slice(*np.searchsorted(rows, (first, first + step)).tolist())
            yield spans[part], rows[part] - first, placed.starts[spans[part]], width


def _one_a_row(lengths: NDArray[np.int64], batch_tokens: int) -> Iterator[_Part]:
    """Texts of similar lengths, the longest first, a row each."""
    order = np.argsort(-lengths, kind="stable")
    first = 0
    while first < len(order):
        width = -(-int(lengths[order[first]]) // STEP) * STEP
        spans = order[first : first + max(1, batch_tokens // width)]
        yield spans, np.arange(len(spans)), np.zeros(len(spans), np.int64), width
        first += len(spans)


def place(lengths: NDArray[np.int64]) -> Placement:
    """Fill rows with texts, longest first, each row as wide as is cheapest for what it holds.

    Few texts get rows of one width, for one request instead of several: each call costs more than its padding.
    """
    n = len(lengths)
    if n == 1:  # a query, say: the narrowest row is the cheapest
        return Placement(np.array(_widths(int(lengths[0]))[:1]), np.zeros(1, np.int64), np.zeros(1, np.int64))
    if not n or int(lengths.sum()) > FEW_TOKENS:
        return _filled(lengths)
    return min((_filled(lengths, [width]) for width in _widths(int(lengths.max()))), key=_work)


def _work(placed: Placement) -> float:
    """What rows of one width cost, with their padding."""
    width = int(placed.widths[0])
    return (int(placed.rows.max()) + 1) * width * (1 + width / ATTENTION)


def _filled(lengths: NDArray[np.int64], widths: Sequence[int] = ()) -> Placement:
    """Rows of these widths, or of those that suit each row.

    First-fit decreasing over the histogram of lengths: the same combination of lengths is placed as often as it
    occurs, so that the work grows with the number of different lengths, not of texts.
    """
    n = len(lengths)
    result = Placement(np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64))
    if n == 0:
        return result
    order = np.argsort(lengths, kind="stable")
    available, firsts, counts = np.unique(lengths[order], return_index=True, return_counts=True)
    lefts = dict(zip(available.tolist(), counts.tolist(), strict=True))
    nexts = dict(zip(available.tolist(), firsts.tolist(), strict=True))
    shelf = available.tolist()
    filled: dict[int, int] = {}
    while shelf:
        width, row = min([_fill(shelf, lefts, width) for width in widths or _widths(shelf[-1])], key=_cost)
        times = min([lefts[length] // row.count(length) for length in set(row)])
        first = filled.get(width, 0)
        filled[width] = first + times
        start = 0
        for length in row:
            texts = order[nexts[length] : nexts[length] + times]
            result.widths[texts], result.starts[texts] = width, start
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
    row: list[int] = []
    free, place = width, len(shelf)
    while (place := min(place, bisect_right(shelf, free)) - 1) >= 0:
        length = shelf[place]
        times = min(lefts[length], free // length)
        row += [length] * times
        free -= times * length
    return width, row


def _cost(filled: tuple[int, list[int]]) -> float:
    """What a row costs for each token that is not padding."""
    width, row = filled
    return width * (1 + width / ATTENTION) / sum(row)


def _request(
    tokens: Tokens, spans: NDArray[np.int64], rows: NDArray[np.int64], starts: NDArray[np.int64], width: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32] | None]:
    """The ids, positions, segments and types of rows that hold `spans`."""
    lengths, height = tokens.lengths[spans], int(rows[-1]) + 1
    offset = places_within(lengths)
    source = np.repeat(tokens.starts[spans], lengths) + offset
    target = np.repeat(rows * width + starts, lengths) + offset
    ids, positions = np.zeros(height * width, np.int32), np.zeros(height * width, np.int32)
    segments = np.full(height * width, -1, np.int32)
    ids[target], positions[target] = tokens.ids[source], offset
    segments[target] = np.repeat(np.arange(len(spans)), lengths)
    shape = (height, width)
    rows_of = ids.reshape(shape), positions.reshape(shape), segments.reshape(shape)
    if tokens.types is None:
        return *rows_of, None
    types = np.zeros(height * width, np.int32)
    types[target] = tokens.types[source]
    return *rows_of, types.reshape(shape)


OVERLAP = 1 / 5  # the least share of a window that it has in common with the next


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """The m stretches of token ids that a model reads, in order of their texts."""

    starts: NDArray[np.int64]  # shape (m,): where each begins in the ids of its batch
    lengths: NDArray[np.int64]  # shape (m,): how many tokens it has
    owners: NDArray[np.int64]  # shape (m,): which text it belongs to

    @property
    def shares(self) -> NDArray[np.float32]:
        """float32, shape (m,): how much each counts for its text, by tokens; a text's shares add up to 1."""
        weights = np.maximum(self.lengths, 1)
        totals = np.bincount(self.owners, weights)
        return (weights / totals[self.owners]).astype(np.float32)


def heads(starts: NDArray[np.int64], lengths: NDArray[np.int64], limit: int) -> Spans:
    """Each text's first `limit` tokens."""
    return Spans(starts, np.minimum(lengths, limit), np.arange(len(lengths)))


def tails(starts: NDArray[np.int64], lengths: NDArray[np.int64], limit: int) -> Spans:
    """Each text's last `limit` tokens: what a few models read of a long text."""
    kept = np.minimum(lengths, limit)
    return Spans(starts + lengths - kept, kept, np.arange(len(lengths)))


def windows(starts: NDArray[np.int64], lengths: NDArray[np.int64], limit: int) -> Spans:
    """Windows of `limit` tokens, evenly spread, that cover each text and overlap by at least `OVERLAP`."""
    step = max(1, int(limit * (1 - OVERLAP)))
    counts = np.where(lengths > limit, -(-(lengths - limit) // step) + 1, 1)
    owners = np.repeat(np.arange(len(lengths)), counts)
    place = places_within(counts)
    spare = np.maximum(lengths - limit, 0)[owners]
    offsets = spare * place // np.maximum(counts[owners] - 1, 1)
    return Spans(starts[owners] + offsets, np.minimum(lengths, limit)[owners], owners)


def graph_inputs(names: Sequence[str], request: Request) -> tuple[list[NDArray[Any]], NDArray[np.int64]]:
    """The arrays of a request by their names, and where each text begins, int64, shape (m,)."""
    return [getattr(request, name) for name in names], request.begins


class PaddedInputs:
    """One text a row, filled up at the right with `padding`: what graphs know that say `attention_mask`.

    `first` is the position of a text's first token; where not `typed`, all tokens are of the first text of a pair.
    """

    def __init__(self, padding: int, first: int = 0, *, typed: bool = True) -> None:
        self._padding, self._first, self._typed = padding, first, typed

    def __call__(self, names: Sequence[str], request: Request) -> tuple[list[NDArray[Any]], NDArray[np.int64]]:
        """As `graph_inputs`; only inputs of `INPUTS` can be fed."""
        ids, mask, types = one_text_a_row(request, self._padding)
        arrays = {
            "input_ids": ids,
            "attention_mask": mask,
            "token_type_ids": types if self._typed else np.zeros_like(types),
            "position_ids": np.broadcast_to(np.arange(ids.shape[1], dtype=np.int64) + self._first, ids.shape),
        }
        return [arrays[name] for name in names], np.arange(len(ids)) * ids.shape[1]


INPUTS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")  # what a graph of others may ask for


def one_text_a_row(
    request: Request, padding: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The m texts of a request, one a row: ids, mask (0 is padding), types; int64, shape (m, longest)."""
    lengths = request.lengths
    count, longest = len(lengths), int(lengths.max(initial=1))
    mask = (np.arange(longest) < lengths[:, None]).astype(np.int64)
    within = places_within(lengths)
    source = np.repeat(request.begins, lengths) + within
    target = np.repeat(np.arange(count) * longest, lengths) + within
    ids = np.full(count * longest, padding, np.int64)
    types = np.zeros(count * longest, np.int64)
    ids[target] = request.ids.ravel()[source]
    if request.types is not None:
        types[target] = request.types.ravel()[source]
    return ids.reshape(mask.shape), mask, types.reshape(mask.shape)


class Pooling(StrEnum):
    """What becomes of the vectors of a text's tokens."""

    MEAN = "mean"
    CLS = "cls"
    """The vector of the first token."""
    MAX = "max"
    """The largest value of each dimension."""
    LAST = "last"
    """The vector of the last token."""
    MEAN_SQRT = "mean_sqrt_len_tokens"
    """The sum, divided by the root of the number of tokens."""
    WEIGHTED_MEAN = "weightedmean"
    """The mean in which the n-th token counts n times (Muennighoff 2022, SGPT)."""


def pool(poolings: Sequence[Pooling], tokens: Floats, begins: Places, lengths: Places) -> Floats:
    """One vector a text, float32, shape (m, p * h), by p ways that are put end to end.

    `tokens` is float32, shape (t, h), padding included; `begins` (ascending) and `lengths` (at least 1) are int64,
    shape (m,).
    """
    parts = [_POOLS[pooling](tokens, begins, lengths) for pooling in poolings]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def every_token(tokens: Floats, begins: Places, lengths: Places) -> Floats:
    """No pooling: the vectors of all tokens of all texts, end to end; shape (sum of lengths, h)."""
    within = places_within(lengths)
    found: Floats = tokens[np.repeat(begins, lengths) + within]
    return found


def _sum(tokens: Floats, begins: Places, lengths: Places, parts: NDArray[Any]) -> Floats:
    """The sum of each text's tokens, divided by its number of parts."""
    totals = _reduce(np.add, tokens, begins, lengths)
    totals /= parts[:, None]
    return totals


def _weighted_mean(tokens: Floats, begins: Places, lengths: Places) -> Floats:
    counts = np.zeros((len(tokens), 1), np.float32)
    within = places_within(lengths)
    counts[np.repeat(begins, lengths) + within, 0] = within + 1
    return _sum(tokens * counts, begins, lengths, lengths * (lengths + 1) / 2)


def _reduce(operation: np.ufunc, tokens: Floats, begins: Places, lengths: Places) -> Floats:
    """Reduce each text's tokens; reduceat takes the gaps between texts for segments too, and they are left out."""
    edges = np.stack([begins, begins + lengths], axis=1).ravel()
    if edges[-1] == len(tokens):
        edges = edges[:-1]
    reduced: Floats = operation.reduceat(tokens, edges, axis=0)[::2]
    return reduced


_POOLS: dict[Pooling, Callable[[Floats, Places, Places], Floats]] = {
    Pooling.MEAN: lambda tokens, begins, lengths: _sum(tokens, begins, lengths, lengths),
    Pooling.CLS: lambda tokens, begins, lengths: tokens[begins],
    Pooling.MAX: partial(_reduce, np.maximum),
    Pooling.LAST: lambda tokens, begins, lengths: tokens[begins + lengths - 1],
    Pooling.MEAN_SQRT: lambda tokens, begins, lengths: _sum(tokens, begins, lengths, np.sqrt(lengths)),
    Pooling.WEIGHTED_MEAN: _weighted_mean,
}


class Engine:
    """Whatever computes vectors from packed token ids."""

    precision: str = "f32"
    scale: int = 1  # how many times larger requests it wants than others
    alone: bool = False  # it knows rows of one text only
    flat: bool = False  # it knows no rows: tokens end to end, and nothing of where they stand
    pooling: tuple[Pooling, ...] | None = None  # what it does of its own; None where it does as it is told

    def run(self, requests: Iterable[Request]) -> Generator[tuple[Request, NDArray[np.float32]], None, None]:
        """Each request with the pooled vectors of its items, float32, shape (m, h)."""
        raise NotImplementedError

    calls_at_once: int = 1  # how many runs, each in a thread of its own, it gains by

    def side_by_side(self) -> Engine:
        """The same engine, for small runs from several threads at a time."""
        return self

    def unpooled(self) -> Engine:
        """The same engine; a request's answer is the vectors of all its tokens, end to end."""
        raise whole_texts_only()


def whole_texts_only() -> UnsupportedModel:
    """The error of an engine that pools by itself."""
    why = "what runs it makes one vector of a whole text"
    fix = "use a model of the catalogue: nearsense models"
    return UnsupportedModel("this model gives no vectors of tokens", why=why, fix=fix)
