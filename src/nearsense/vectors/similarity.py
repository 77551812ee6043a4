"""Cosine, dot, Euclidean and Manhattan as matrices and row by row. Not the k best rows: see topk.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nearsense._forks import computing
from nearsense.errors import InputError
from nearsense.records import Metric, parse
from nearsense.vectors.rows import as_float32, as_float64, as_sides, blocks, empty, rows_per_block, scale_to_unit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from nearsense.vectors.rows import Array, Float32, Float64

_TILE = 1024
"""Rows of either side in one tile of a matrix."""


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
    return as_similarities(_cross(a, b, chosen), chosen)


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
    return as_similarities(_paired(a, b, chosen), chosen)


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


def _dot_cross(a: Float64, b: Float64) -> Float64:
    return a @ b.T


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


class Formula(NamedTuple):
    """One metric, float64 in and out; cosine is given unit rows."""

    cross: Callable[[Float64, Float64], Float64]
    paired: Callable[[Float64, Float64], Float64]
    is_distance: bool


FORMULAS = {
    Metric.COSINE: Formula(_cosine_cross, _cosine_paired, is_distance=False),
    Metric.DOT: Formula(_dot_cross, _dot_paired, is_distance=False),
    Metric.EUCLIDEAN: Formula(_euclidean_cross, _euclidean_paired, is_distance=True),
    Metric.MANHATTAN: Formula(_manhattan_cross, _manhattan_paired, is_distance=True),
}


def prepare(x: Array, part: slice, name: str, metric: Metric) -> Float64:
    """These rows as the formula of `metric` takes them."""
    rows = as_float64(x, part, name)
    return scale_to_unit(rows, part.start, name) if metric is Metric.COSINE else rows


def as_similarities(scores: Float32, metric: Metric) -> Float32:
    """Distances negated, in place; subtracted from 0, so that none becomes -0.0."""
    return np.subtract(np.float32(0), scores, out=scores) if FORMULAS[metric].is_distance else scores


def _cross(a: ArrayLike, b: ArrayLike, metric: Metric) -> Float32:
    left, right = as_sides(a, b, "a", "b")
    scores = empty((len(left), len(right)), np.float32)
    step = min(_TILE, rows_per_block(left))
    for here in blocks(len(left), step):
        rows = prepare(left, here, "a", metric)
        for there in blocks(len(right), step):
            columns = prepare(right, there, "b", metric)
            with computing():
                scores[here, there] = as_float32(FORMULAS[metric].cross(rows, columns))
    return scores


def _paired(a: ArrayLike, b: ArrayLike, metric: Metric) -> Float32:
    left, right = as_sides(a, b, "a", "b")
    if len(left) != len(right):
        raise InputError(
            f"a of shape {left.shape} and b of shape {right.shape} differ in their number of rows",
            why="paired forms compare row i with row i",
            fix="use the matrix form to compare every row with every other",
        )
    scores = empty((len(left),), np.float32)
    for part in blocks(len(left), rows_per_block(left)):
        rows = prepare(left, part, "a", metric), prepare(right, part, "b", metric)
        scores[part] = as_float32(FORMULAS[metric].paired(*rows))
    return scores
