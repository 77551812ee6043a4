"""Cosine, dot, Euclidean and Manhattan as matrices and row by row, and the k best rows of many, exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nearsense._forks import computing
from nearsense.checks import positive_int
from nearsense.errors import InputError
from nearsense.records import Metric, Neighbours, parse
from nearsense.vectors.rows import (
    BLOCK,
    LARGEST,
    as_float32,
    as_float64,
    as_rows,
    as_sides,
    blocks,
    empty,
    rows_per_block,
    scale_to_unit,
    within_float32,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from nearsense.vectors.rows import Array, Float32, Float64

_TILE = 1024
"""Rows of either side in one tile of a matrix."""

_EPS = float(np.finfo(np.float32).eps)


def similarity(a: ArrayLike, b: ArrayLike, metric: str = Metric.COSINE) -> Float32:
    """Every row of `a` with every row of `b`; higher always means closer, so distances come negated.

    Args:
        a: Shape (n, d).
        b: Shape (m, d).
        metric: `"cosine"`, `"dot"`, `"euclidean"` or `"manhattan"`.

    Returns:
        float32, shape (n, m). Where only the best of many rows count, `top_k` needs no such matrix.

    Raises:
        InputError: The shapes do not fit, a value is not finite, or a score exceeds the range of float32.
        ZeroVectorError: A row has length zero, and the metric is cosine.
        TooLargeError: (n, m) does not fit into memory.

    Example:
        >>> similarity([[0.0, 0.0]], [[3.0, 4.0], [0.0, 1.0]], "euclidean")
        array([[-5., -1.]], dtype=float32)
    """
    chosen = parse(Metric, metric, name="metric")
    return _as_similarities(_cross(a, b, chosen), chosen)


def cosine(a: ArrayLike, b: ArrayLike) -> Float32:
    """Cosine of the angle between every row of `a` and every row of `b`: a·b / (|a| |b|), in [-1, 1].

    Arguments and errors are those of `similarity`. Returns float32, shape (n, m).

    Example:
        >>> cosine([[1.0, 0.0]], [[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])
        array([[ 1.,  0., -1.]], dtype=float32)
    """
    return _cross(a, b, Metric.COSINE)


def dot(a: ArrayLike, b: ArrayLike) -> Float32:
    """Dot product of every row of `a` with every row of `b`: the sum of a_i b_i. Of unit rows it is the cosine.

    Arguments and errors are those of `similarity`. Returns float32, shape (n, m).

    Example:
        >>> dot([[1.0, 2.0]], [[3.0, 4.0], [0.0, -1.0]])
        array([[11., -2.]], dtype=float32)
    """
    return _cross(a, b, Metric.DOT)


def euclidean(a: ArrayLike, b: ArrayLike) -> Float32:
    """Euclidean distance (L2) of every row of `a` to every row of `b`: the root of the sum of (a_i - b_i)^2, >= 0.

    Rows that nearly coincide are subtracted before anything is squared, so that their distance keeps its digits.

    Arguments and errors are those of `similarity`. Returns float32, shape (n, m).

    Example:
        >>> euclidean([[1.0, 1.0]], [[4.0, 5.0], [1.0, 1.0]])
        array([[5., 0.]], dtype=float32)
    """
    return _cross(a, b, Metric.EUCLIDEAN)


def manhattan(a: ArrayLike, b: ArrayLike) -> Float32:
    """Manhattan distance (L1, city block) of every row of `a` to every row of `b`: the sum of |a_i - b_i|, >= 0.

    Arguments and errors are those of `similarity`. Returns float32, shape (n, m).

    Example:
        >>> manhattan([[1.0, 1.0]], [[4.0, 5.0], [1.0, 1.0]])
        array([[7., 0.]], dtype=float32)
    """
    return _cross(a, b, Metric.MANHATTAN)


def paired_similarity(a: ArrayLike, b: ArrayLike, metric: str = Metric.COSINE) -> Float32:
    """Row i of `a` with row i of `b`; higher always means closer, so distances come negated.

    Args:
        a: Shape (n, d).
        b: Shape (n, d).
        metric: `"cosine"`, `"dot"`, `"euclidean"` or `"manhattan"`.

    Returns:
        float32, shape (n,).

    Raises:
        InputError: The shapes do not fit, a value is not finite, or a score exceeds the range of float32.
        ZeroVectorError: A row has length zero, and the metric is cosine.

    Example:
        >>> paired_similarity([[0.0, 0.0], [1.0, 1.0]], [[3.0, 4.0], [1.0, 1.0]], "manhattan")
        array([-7.,  0.], dtype=float32)
    """
    chosen = parse(Metric, metric, name="metric")
    return _as_similarities(_paired(a, b, chosen), chosen)


def paired_cosine(a: ArrayLike, b: ArrayLike) -> Float32:
    """`cosine` of row i with row i. Arguments and errors are those of `paired_similarity`. Returns float32, (n,).

    Example:
        >>> paired_cosine([[1.0, 0.0], [1.0, 1.0]], [[0.0, 3.0], [2.0, 2.0]])
        array([0., 1.], dtype=float32)
    """
    return _paired(a, b, Metric.COSINE)


def paired_dot(a: ArrayLike, b: ArrayLike) -> Float32:
    """`dot` of row i with row i. Arguments and errors are those of `paired_similarity`. Returns float32, (n,).

    Example:
        >>> paired_dot([[1.0, 2.0]], [[3.0, 4.0]])
        array([11.], dtype=float32)
    """
    return _paired(a, b, Metric.DOT)


def paired_euclidean(a: ArrayLike, b: ArrayLike) -> Float32:
    """`euclidean` of row i to row i. Arguments and errors are those of `paired_similarity`. Returns float32, (n,).

    Example:
        >>> paired_euclidean([[1.0, 1.0]], [[4.0, 5.0]])
        array([5.], dtype=float32)
    """
    return _paired(a, b, Metric.EUCLIDEAN)


def paired_manhattan(a: ArrayLike, b: ArrayLike) -> Float32:
    """`manhattan` of row i to row i. Arguments and errors are those of `paired_similarity`. Returns float32, (n,).

    Example:
        >>> paired_manhattan([[1.0, 1.0]], [[4.0, 5.0]])
        array([7.], dtype=float32)
    """
    return _paired(a, b, Metric.MANHATTAN)


def _cosine_cross(a: Float64, b: Float64) -> Float64:
    return np.clip(a @ b.T, -1.0, 1.0)


def _euclidean_cross(a: Float64, b: Float64) -> Float64:
    """|a|^2 + |b|^2 - 2 a·b, and the difference itself where that would cancel more than half of the digits."""
    scale = np.vecdot(a, a)[:, None] + np.vecdot(b, b)
    squared = scale - 2.0 * (a @ b.T)
    near = squared <= scale * (a.shape[1] * 2.0**-26)
    distances: Float64 = np.sqrt(squared, where=~near, out=squared)
    i, j = np.nonzero(near)
    for part in blocks(len(i), rows_per_block(a)):
        distances[i[part], j[part]] = _euclidean_paired(a[i[part]], b[j[part]])
    return distances


def _manhattan_cross(a: Float64, b: Float64) -> Float64:
    distances = np.empty((len(a), len(b)))
    difference = np.empty_like(b)
    for vector, row in zip(a, distances, strict=True):
        np.subtract(b, vector, out=difference)
        np.abs(difference, out=difference).sum(axis=1, out=row)
    return distances


def _dot_paired(a: Float64, b: Float64) -> Float64:
    products: Float64 = np.vecdot(a, b)
    return products


def _cosine_paired(a: Float64, b: Float64) -> Float64:
    return np.clip(_dot_paired(a, b), -1.0, 1.0)


def _euclidean_paired(a: Float64, b: Float64) -> Float64:
    difference = a - b
    return np.sqrt(_dot_paired(difference, difference))


def _manhattan_paired(a: Float64, b: Float64) -> Float64:
    distances: Float64 = np.abs(a - b).sum(axis=1)
    return distances


class _Formula(NamedTuple):
    """One metric, float64 in and out; cosine is given unit rows."""

    cross: Callable[[Float64, Float64], Float64]
    paired: Callable[[Float64, Float64], Float64]
    is_distance: bool


_FORMULAS = {
    Metric.COSINE: _Formula(_cosine_cross, _cosine_paired, is_distance=False),
    Metric.DOT: _Formula(lambda a, b: a @ b.T, _dot_paired, is_distance=False),
    Metric.EUCLIDEAN: _Formula(_euclidean_cross, _euclidean_paired, is_distance=True),
    Metric.MANHATTAN: _Formula(_manhattan_cross, _manhattan_paired, is_distance=True),
}


def _prepare(x: Array, part: slice, name: str, metric: Metric) -> Float64:
    """These rows as the formula of `metric` takes them."""
    rows = as_float64(x, part, name)
    return scale_to_unit(rows, part.start, name) if metric is Metric.COSINE else rows


def _as_similarities(scores: Float32, metric: Metric) -> Float32:
    """Distances negated, in place; subtracted from 0, so that none becomes -0.0."""
    return np.subtract(np.float32(0), scores, out=scores) if _FORMULAS[metric].is_distance else scores


def _cross(a: ArrayLike, b: ArrayLike, metric: Metric) -> Float32:
    left, right = as_sides(a, b, "a", "b")
    scores = empty((len(left), len(right)), np.float32)
    step = min(_TILE, rows_per_block(left))
    for here in blocks(len(left), step):
        rows = _prepare(left, here, "a", metric)
        for there in blocks(len(right), step):
            columns = _prepare(right, there, "b", metric)
            with computing():
                scores[here, there] = as_float32(_FORMULAS[metric].cross(rows, columns))
    return scores


def _paired(a: ArrayLike, b: ArrayLike, metric: Metric) -> Float32:
    left, right = as_sides(a, b, "a", "b")
    if len(left) != len(right):
        what = f"a of shape {left.shape} and b of shape {right.shape} differ in their number of rows"
        fix = "use the matrix form to compare every row with every other"
        raise InputError(what, why="paired forms compare row i with row i", fix=fix)
    scores = empty((len(left),), np.float32)
    for part in blocks(len(left), rows_per_block(left)):
        rows = _prepare(left, part, "a", metric), _prepare(right, part, "b", metric)
        scores[part] = as_float32(_FORMULAS[metric].paired(*rows))
    return scores


def top_k(
    queries: ArrayLike, corpus: ArrayLike, k: int, metric: str = Metric.COSINE, *, block_rows: int | None = None
) -> Neighbours:
    """The k rows of `corpus` that score best for each query: exact, and in memory that `corpus` does not enlarge.

    A fast product in float32 screens each block; whatever its rounding could have hidden among the best is scored
    again in float64, pair by pair. So ids, scores and the order of ties (the lower row number first) do not depend
    on blocks, threads or the other queries. Many rows within rounding of the k-th best cost extra time.

    Args:
        queries: Shape (q, d).
        corpus: Shape (n, d). A float32 corpus is never copied whole; a memory map is read once, front to back.
        k: How many, from 1.
        metric: As in `similarity`. Cosine takes rows of any length; of rows that are unit vectors already, `"dot"`
            gives the cosine sooner.
        block_rows: Rows of `corpus` at a time: changes speed and memory, never the result.

    Returns:
        Neighbours of shape (q, k), best first; ids -1 and scores -inf where `corpus` has fewer than k rows.

    Raises:
        InputError: k < 1, the shapes do not fit, a value is not finite, or a score exceeds the range of float32.
        ZeroVectorError: A row has length zero, and the metric is cosine.
        TooLargeError: (q, k) does not fit into memory.

    Example:
        >>> found = top_k([[1.0, 0.0]], [[0.0, 1.0], [2.0, 0.0], [3.0, 4.0]], k=2)
        >>> found.ids, found.scores
        (array([[1, 2]]), array([[1. , 0.6]], dtype=float32))
    """
    chosen = parse(Metric, metric, name="metric")
    left, right = as_sides(queries, corpus, "queries", "corpus")
    k = positive_int(k, "k")
    step = max(k, rows_per_block(right)) if block_rows is None else positive_int(block_rows, "block_rows")
    step = min(step, max(len(right), 1))
    board = TopK(len(left), k)
    for there in blocks(len(right), step):
        candidates = _rough(right, there, "corpus", chosen)
        for here in blocks(len(left), max(1, 4 * BLOCK // step)):
            rough, slack = _screen(_rough(left, here, "queries", chosen), candidates, chosen)
            i, j = board.promising(here, rough, slack, squared=chosen is Metric.EUCLIDEAN)
            i, j = i + here.start, j + there.start
            board.offer(i, j, _exact(left, right, i, j, chosen))
    return board.neighbours()


def top_k_of(scores: ArrayLike, k: int) -> Neighbours:
    """The k best columns of each row of a score matrix, the lower column first among equals.

    Args:
        scores: Shape (q, n), higher is closer; compared as float32. -inf marks what must not be found.
        k: How many, from 1.

    Returns:
        Neighbours of shape (q, k), best first; ids -1 and scores -inf where a row has fewer than k.

    Raises:
        InputError: k < 1, the shape is not (q, n), or a score is NaN, +inf or beyond the range of float32.

    Example:
        >>> top_k_of([[0.2, 0.9, 0.9, -float("inf")]], k=4).ids
        array([[ 1,  2,  0, -1]])
    """
    matrix = as_rows(scores, "scores")
    k = positive_int(k, "k")
    q, n = matrix.shape
    step = min(max(k, BLOCK), max(n, 1))
    board = TopK(q, k)
    for there in blocks(n, step):
        for here in blocks(q, max(1, BLOCK // step)):
            exact = _block_of(matrix, here, there)
            i, j = board.promising(here, exact, np.zeros(len(exact)))
            board.offer(i + here.start, j + there.start, exact[i, j])
    return board.neighbours()


def _rough(x: Array, part: slice, name: str, metric: Metric) -> tuple[Array, Array]:
    """Rows as the screen takes them (for cosine of unit length), and their lengths.

    In float32 where no square overflows or vanishes; else in float64, which also finds and names a bad row.
    """
    if metric is not Metric.MANHATTAN:
        with np.errstate(all="ignore"):
            rows = x[part].astype(np.float32, copy=False)
            norms = np.sqrt(np.vecdot(rows, rows))
        if norms.min(initial=1.0) > 1e-15 and norms.max(initial=1.0) < 1e15:
            return (rows / norms[:, None], np.ones_like(norms)) if metric is Metric.COSINE else (rows, norms)
    exact = _prepare(x, part, name, metric)
    return exact, np.sqrt(np.vecdot(exact, exact))


def _screen(a: tuple[Array, Array], b: tuple[Array, Array], metric: Metric) -> tuple[Array, Float64]:
    """Similarities of every row of `a` with every row of `b`, and how far those of each row of `a` may be off.

    A sum of d rounded products is off by at most about d u |a| |b| (Higham, Accuracy and Stability of Numerical
    Algorithms, section 3.1), with u half of `_EPS`; the bound here is 4 times that, for rows and lengths that were
    rounded before. Euclidean distances stay squared.
    """
    (rows, norms), (columns, others) = a, b
    bound = 2.0 * (rows.shape[1] + 8) * _EPS
    lengths, longest = norms.astype(np.float64), float(others.max(initial=0.0))
    if metric is Metric.MANHATTAN:
        rough = -_manhattan_cross(rows, columns)
        return rough, -4.0 * _EPS * rough.min(axis=1, initial=0.0)
    with computing():
        rough = rows @ columns.T
    if metric is Metric.EUCLIDEAN:
        rough *= 2
        rough -= (norms**2)[:, None]
        rough -= others**2
        return rough, bound * (lengths + longest) ** 2
    return within_float32(rough), bound * lengths * longest


def _exact(left: Array, right: Array, i: Array, j: Array, metric: Metric) -> Float32:
    """The similarities of the pairs (left[i], right[j]), each on its own, so that equal pairs score alike."""
    scores, whole = np.empty(len(i), dtype=np.float32), slice(0, None)
    for part in blocks(len(i), max(1, rows_per_block(left) // 4)):
        a = _prepare(left[i[part]], whole, "queries", metric)
        b = _prepare(right[j[part]], whole, "corpus", metric)
        scores[part] = as_float32(_FORMULAS[metric].paired(a, b))
    return _as_similarities(scores, metric)


def _block_of(scores: Array, here: slice, there: slice) -> Float32:
    """Scores as float32, each a number within its range or -inf."""
    block = scores[here, there].astype(np.float64)
    bad = ~(block <= LARGEST) | ((block < -LARGEST) & (block != -np.inf))
    if bad.any():
        row, column = np.argwhere(bad)[0]
        what = f"row {here.start + row} of scores holds {block[row, column]} in column {there.start + column}"
        why = "a score is a number within the range of float32, or -inf for what must not be found"
        raise InputError(what, why=why, fix="put -inf there, or leave that column out")
    return block.astype(np.float32)


class TopK:
    """The k best of each query so far, in order: by score, then by row number."""

    def __init__(self, queries: int, k: int) -> None:
        self._k = k
        self._ids = empty((queries, k), np.int64)
        self._scores = empty((queries, k), np.float32)
        self._ids.fill(-1)
        self._scores.fill(-np.inf)

    @property
    def worst(self) -> Float64:
        """The k-th best score of each query so far: float64, shape (queries,); -inf where there are fewer."""
        return self._scores[:, -1].astype(np.float64)

    def promising(
        self, queries: slice, rough: Array, slack: Float64, *, squared: bool = False
    ) -> tuple[Array, Array]:
        """Rows and columns of `rough`, each value of which may be off by `slack`, that may belong to the best."""
        worst = self._scores[queries, -1].astype(np.float64)
        floor = (-(worst**2) if squared else worst) - slack
        found = rough >= floor.astype(rough.dtype)[:, None]
        crowded = np.flatnonzero(np.count_nonzero(found, axis=1) > self._k)
        if len(crowded):
            rivals = rough[crowded]
            kth = np.partition(rivals, -self._k, axis=1)[:, -self._k].astype(np.float64)
            floor = np.maximum(floor[crowded], kth - 2.0 * slack[crowded])
            found[crowded] = rivals >= floor.astype(rough.dtype)[:, None]
        i, j = np.divmod(np.flatnonzero(found), found.shape[1])  # ten times as fast as np.nonzero on two axes
        return i, j

    def offer(self, queries: Array, ids: Array, scores: Float32) -> None:
        """Let row `ids[p]` with `scores[p]` compete for the places of `queries[p]`."""
        touched = np.unique(queries)
        who = np.concatenate([np.repeat(touched, self._k), queries])
        ids = np.concatenate([self._ids[touched].ravel(), ids])
        scores = np.concatenate([self._scores[touched].ravel(), scores])
        order = np.lexsort((ids, -scores, who))
        first = np.searchsorted(who[order], touched)
        best = order[first[:, None] + np.arange(self._k)]
        self._ids[touched], self._scores[touched] = ids[best], scores[best]

    def neighbours(self) -> Neighbours:
        """What is on the board now."""
        counts = np.count_nonzero(self._ids >= 0, axis=1).astype(np.int64)
        return Neighbours(self._ids, self._scores, counts)
