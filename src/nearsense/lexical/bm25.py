"""BM25: how well texts answer a query by the words they share; and several rankings into one, by places alone.

BM25 is exact, over segments, among the living only. Fusion is no mixture of scores, which share no scale.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import log
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nearsense.checks import positive_int
from nearsense.errors import InputError
from nearsense.lexical.analysis import terms
from nearsense.records import Neighbours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.lexical.postings import Found, Searchable

K1 = 1.2  # how soon further occurrences of a term stop to count; the default of Lucene, as is `B`
B = 0.75  # how much long texts are held back: 0 not at all, 1 in proportion to their length
_SLACK = 1e-5  # far more than the float32 sum of a query's terms can be off, as a part of the sum
RRF_CONSTANT = 60  # as in the paper: a first place counts for little more than a tenth
_DIGITS = 12  # sums that differ by less are equal but for rounding: 1/3 + 1/4 and 1/2 + 1/12


class Segment:
    """n texts to search, and which of them are alive (bool, shape (n,); None for all). It remembers their sums."""

    __slots__ = ("_norms", "alive", "living", "postings", "terms")

    def __init__(self, postings: Searchable, alive: NDArray[np.bool_] | None = None) -> None:
        n = len(postings.lengths)
        _check_mask(alive, n, "alive")
        self.postings = postings
        self.alive = None if alive is None or alive.all() else alive
        self.living = n if self.alive is None else int(np.count_nonzero(self.alive))
        there = True if self.alive is None else self.alive
        self.terms = int(np.sum(postings.lengths, dtype=np.int64, where=there))
        self._norms: tuple[tuple[float, float, float], NDArray[np.float32]] | None = None

    def __len__(self) -> int:
        return len(self.postings.lengths)

    def frequency(self, found: Found) -> int:
        """How many living texts hold a term."""
        return len(found.rows) if self.alive is None else int(np.count_nonzero(self.alive[found.rows]))

    def norms(self, mean: float, k1: float, b: float) -> NDArray[np.float32]:
        """k1 (1 - b + b length / mean) of each text, float32, shape (n,)."""
        kept, key = self._norms, (mean, k1, b)
        if kept is None or kept[0] != key:
            norms = self.postings.lengths.astype(np.float32)
            norms *= np.float32(k1 * b / mean)
            norms += np.float32(k1 * (1.0 - b))
            self._norms = kept = (key, norms)
        return kept[1]


def bm25(
    query: str,
    segments: Sequence[Segment],
    k: int,
    *,
    allowed: NDArray[np.bool_] | None = None,
    k1: float = K1,
    b: float = B,
) -> Neighbours:
    """The k texts that answer a query best by BM25, over all segments as if they were one, and built anew.

    The score of a text is the sum over the query's terms, repetitions included, of idf c / (c + norm), where c is
    how often the text holds the term, norm = k1 (1 - b + b length / mean length), and
    idf = ln(1 + (N - df + 0.5) / (df + 0.5)) is never negative (Robertson and Zaragoza, The Probabilistic
    Relevance Framework: BM25 and Beyond, 2009, in the form of Lucene 8 and later). N, df and the mean count living
    texts, allowed or not.

    Rare terms come first; once texts that hold none of them cannot be among the k best any more, common ones are
    looked up for the others only (Turtle and Flood, Query evaluation: strategies and optimizations, 1995). That
    changes no bit of the result, nor does it matter which segment a text is in.

    `allowed`, a bool for each row of all segments, names the only ones that may be found. k counts from 1, k1 from
    0, b lies in [0, 1]. The result has shape (1, k), best first, the lower row first among equals: only texts that
    are alive and allowed, and share a term with the query.

    Example:
        >>> from nearsense.lexical import Postings
        >>> segment = Segment(Postings.build(["a red car", "a blue bike", "red red wine"]))
        >>> found = bm25("Is wine red?", [segment], k=3)
        >>> found.ids, found.scores.round(3)
        (array([[ 2,  0, -1]]), array([[0.74 , 0.214, -inf]], dtype=float32))
    """
    k = positive_int(k, "k")
    if not (k1 >= 0.0 and 0.0 <= b <= 1.0):
        raise InputError(f"k1={k1}, b={b}", why="k1 is at least 0, b within 0 and 1", fix=f"try {K1} and {B}")
    total = sum(map(len, segments))
    _check_mask(allowed, total, "allowed")
    living, length = sum(part.living for part in segments), sum(part.terms for part in segments)
    if not length:
        return _neighbours(np.zeros(0, np.int64), np.zeros(0, np.float32), k)
    norms = [part.norms(length / living, k1, b) for part in segments]
    lookups = _lookups(query, segments, norms, living)
    board = _Board(segments, norms, allowed, k)
    for number, lookup in enumerate(lookups):
        reach = sum(later.most for later in lookups[number:])
        if board.closed_to(reach):
            return _neighbours(*board.finished(lookups[number:], reach), k)
        board.add(lookup, last=number + 1 == len(lookups))
    return _neighbours(*board.finished([], 0.0), k)


def reciprocal_rank_fusion(
    rankings: Sequence[NDArray[np.int64]], k: int, *, constant: int = RRF_CONSTANT
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The k best by the sum over all rankings of 1 / (constant + place), places from 1: their ids and scores.

    Cormack, Clarke and Büttcher: Reciprocal rank fusion outperforms Condorcet and individual rank learning
    methods, SIGIR 2009. Each ranking holds an id once at most; ids below 0 mark places that are not taken. What a
    ranking does not hold gets nothing from it. Neither the order of rankings matters; the lower id comes first
    among equals.

    Example:
        >>> ids, scores = reciprocal_rank_fusion([np.array([7, 3, 5]), np.array([3, 9])], k=2)
        >>> ids, scores.round(4)
        (array([3, 7]), array([0.0325, 0.0164]))
    """
    k, constant = positive_int(k, "k"), positive_int(constant, "constant")
    ids = [np.asarray(ranking, np.int64) for ranking in rankings]
    for number, ranking in enumerate(ids):
        if len(np.unique(ranking[ranking >= 0])) < np.count_nonzero(ranking >= 0):
            raise InputError(f"ranking {number} holds an id twice", fix="keep the better place of each")
    everything = np.concatenate([*ids, np.zeros(0, np.int64)])
    places = np.concatenate([*(np.arange(1, len(ranking) + 1) for ranking in ids), np.zeros(0, np.int64)])
    order = np.lexsort((places, everything))  # the same places add up to the same number, in whatever rankings
    order = order[everything[order] >= 0]
    known, who = np.unique(everything[order], return_inverse=True)
    scores = np.bincount(who, 1.0 / (constant + places[order]), len(known)).astype(np.float64)
    best = np.lexsort((known, -scores.round(_DIGITS)))[:k]
    return known[best], scores[best]


class _Lookup(NamedTuple):
    """One term of a query: its weight, the texts of each segment that hold it, and the most it can add to one."""

    weight: np.float32
    found: list[Found]
    most: float


def _lookups(
    query: str, segments: Sequence[Segment], norms: Sequence[NDArray[np.float32]], living: int
) -> list[_Lookup]:
    """The terms of a query that occur in living texts, rarest first: an order that segments do not change."""
    least = [float(part.min(initial=np.inf)) for part in norms]
    by_frequency = []
    for term, repeats in Counter(terms(query)).items():
        found = [part.postings.find(term) for part in segments]
        df = sum(part.frequency(there) for part, there in zip(segments, found, strict=True))
        if df:
            weight = np.float32(repeats * log(1.0 + (living - df + 0.5) / (df + 0.5)))
            peaks = [int(there.counts.max(initial=0)) for there in found]
            most = max(peak / (peak + norm) for peak, norm in zip(peaks, least, strict=True) if peak)
            by_frequency.append((df, term, _Lookup(weight, found, float(weight) * most)))
    return [lookup for _, _, lookup in sorted(by_frequency, key=lambda entry: entry[:2])]


class _Board:
    """The scores of all rows so far; -inf for those that are not to be found."""

    def __init__(
        self,
        segments: Sequence[Segment],
        norms: Sequence[NDArray[np.float32]],
        allowed: NDArray[np.bool_] | None,
        k: int,
    ) -> None:
        self._k, self._norms = k, norms
        self._scores = np.zeros(sum(map(len, segments)), np.float32)
        if allowed is not None:
            self._scores[~allowed] = -np.inf
        ends = np.cumsum([len(part) for part in segments]).tolist()
        self._parts = [slice(end - len(part), end) for part, end in zip(segments, ends, strict=True)]
        for part, here in zip(segments, self._parts, strict=True):
            if part.alive is not None:
                self._scores[here][~part.alive] = -np.inf
        self._kth = 0.0  # k rows have at least this score

    def add(self, lookup: _Lookup, *, last: bool) -> None:
        """Score one more term."""
        touched = []
        for there, norms, here in zip(lookup.found, self._norms, self._parts, strict=True):
            rows = there.rows.astype(np.intp)
            scores = self._scores[here]
            raised = scores[rows]
            raised += _worth(lookup.weight, there.counts, norms[rows])
            scores[rows] = raised
            touched.append(raised)
        if not last:
            rivals = np.concatenate(touched)
            rivals = rivals[rivals > self._kth]
            if len(rivals) >= self._k:
                self._kth = float(np.partition(rivals, -self._k)[-self._k])

    def closed_to(self, reach: float) -> bool:
        """Whether no row without a score yet can be among the best by adding at most `reach`."""
        return reach < self._kth * (1.0 - _SLACK)

    def finished(self, later: Sequence[_Lookup], reach: float) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows and scores that may be among the best, with the terms that are left; for these rows only."""
        floor = self._kth * (1.0 - _SLACK) - reach
        rows = np.flatnonzero(self._scores >= np.float32(floor) if floor > 0.0 else self._scores > 0.0)
        scores = self._scores[rows]
        for lookup in later:
            for there, norms, here in zip(lookup.found, self._norms, self._parts, strict=True):
                inside = slice(*np.searchsorted(rows, (here.start, here.stop)).tolist())
                wanted = rows[inside] - here.start
                places = np.searchsorted(there.rows, wanted.astype(there.rows.dtype))
                places[places == len(there.rows)] = 0
                hit = np.flatnonzero(there.rows[places] == wanted) if len(there.rows) else places[:0]
                scores[inside][hit] += _worth(lookup.weight, there.counts[places[hit]], norms[wanted[hit]])
        return rows, scores


def _worth(weight: np.float32, counts: NDArray[Any], norms: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a term adds to each row, weight c / (c + norm); no other row matters. `norms` is used up."""
    times = counts.astype(np.float32)
    norms += times
    times /= norms
    times *= weight
    return times


def _neighbours(rows: NDArray[np.int64], scores: NDArray[np.float32], k: int) -> Neighbours:
    if len(rows) > k:
        kth = np.partition(scores, -k)[-k]
        rows, scores = rows[scores >= kth], scores[scores >= kth]
    best = np.lexsort((rows, -scores))[:k]
    ids, values = np.full((1, k), -1, np.int64), np.full((1, k), -np.inf, np.float32)
    ids[0, : len(best)], values[0, : len(best)] = rows[best], scores[best]
    return Neighbours(ids, values, np.array([len(best)], np.int64))


def _check_mask(mask: NDArray[np.bool_] | None, n: int, name: str) -> None:
    if mask is not None and (mask.shape != (n,) or mask.dtype != np.bool_):
        what = f"{name} is {mask.dtype} of shape {mask.shape}, for {n} rows"
        raise InputError(what, fix="give one True or False for each row")
