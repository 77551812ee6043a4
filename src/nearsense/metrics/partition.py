"""How well a grouping recovers the true one: V-measure and adjusted Rand index. Not how the groups were made.

A group's name does not count, only who is in it with whom; noise, say -1, is a group like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense.checks import same_length
from nearsense.errors import InputError
from nearsense.metrics.samples import figure_of_items, flat

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from nearsense.metrics.samples import Statistic
    from nearsense.vectors.rows import Float64


@dataclass(frozen=True, slots=True)
class VMeasure:
    """Homogeneity, completeness, and their harmonic mean; each in [0, 1].

    Args:
        v: 2 homogeneity completeness / (homogeneity + completeness).
        homogeneity: 1 where no predicted group mixes true ones.
        completeness: 1 where no true group is split.
    """

    v: float
    homogeneity: float
    completeness: float


def v_measure(true: ArrayLike, predicted: ArrayLike) -> VMeasure:
    """The V-measure (Rosenberg and Hirschberg 2007): how much of one grouping's entropy the other explains.

    Args:
        true: The right group of each item, shape (n,): numbers or strings.
        predicted: The group it was put in, shape (n,).

    Raises:
        InputError: The lengths differ, there are no items, or the groups of one side cannot be told apart (NaN,
            mixed kinds).

    Example:
        >>> v_measure([0, 0, 1, 1], [0, 0, 1, 2])
        VMeasure(v=0.8, homogeneity=1.0, completeness=0.6666666666666666)
    """
    groups = _Groups(true, predicted)
    return VMeasure(*(float(each[0]) for each in groups.v_measure(np.ones((1, groups.n)))))


def adjusted_rand(true: ArrayLike, predicted: ArrayLike) -> float:
    """The adjusted Rand index (Hubert and Arabie 1985): agreement on pairs of items; 1 is perfect, chance is 0.

    Arguments and errors are those of `v_measure`.

    Example:
        >>> round(adjusted_rand(["a", "a", "b", "b"], [0, 0, 1, 2]), 4)
        0.5714
    """
    return figure_of_items(weighted_adjusted_rand(true, predicted), true)


def weighted_v_measure(true: ArrayLike, predicted: ArrayLike) -> Statistic:
    """The V-measure of two partitions, of resamples."""
    groups = _Groups(true, predicted)
    return lambda counts: groups.v_measure(counts)[0]


def weighted_adjusted_rand(true: ArrayLike, predicted: ArrayLike) -> Statistic:
    """The adjusted Rand index of two partitions, of resamples."""
    groups = _Groups(true, predicted)

    def statistic(counts: Float64) -> Float64:
        n = counts.sum(axis=1)
        together, left, right = ((sizes * (sizes - 1.0)).sum(axis=1) / 2.0 for sizes in groups.sizes(counts))
        with np.errstate(all="ignore"):
            chance, most = left * right / (n * (n - 1.0) / 2.0), (left + right) / 2.0
            rand: Float64 = (together - chance) / (most - chance)
        return np.where((together == left) & (together == right), 1.0, rand)

    return statistic


class _Groups:
    """Two partitions of n items: the cells of their contingency table that occur, its rows and its columns."""

    def __init__(self, true: ArrayLike, predicted: ArrayLike) -> None:
        rows, columns = _groups(true, "true"), _groups(predicted, "predicted")
        same_length(rows, columns, "true", "predicted")
        self.n, width = len(rows), int(columns.max()) + 1
        self._sums = [_Sums(keys) for keys in (rows * width + columns, rows, columns)]
        self._row, self._column = np.divmod(self._sums[0].keys, width)

    def sizes(self, counts: Float64) -> list[Float64]:
        """How many of each resample are in each cell, row and column."""
        return [sums(counts) for sums in self._sums]

    def v_measure(self, counts: Float64) -> tuple[Float64, Float64, Float64]:
        """V-measure, homogeneity and completeness of each resample, shape (r,) each."""
        n, (both, left, right) = counts.sum(axis=1)[:, None], self.sizes(counts)
        mixed = _entropy(both / n, both, right.take(self._column, axis=1))
        split = _entropy(both / n, both, left.take(self._row, axis=1))
        homogeneity = _explained_share(mixed, _entropy(left / n, left, n))
        completeness = _explained_share(split, _entropy(right / n, right, n))
        total = homogeneity + completeness
        v: Float64 = 2.0 * homogeneity * completeness / np.where(total > 0, total, 1.0)
        return v, homogeneity, completeness


class _Sums:
    """Sums of counts over the items of each group."""

    def __init__(self, groups: NDArray[np.int64]) -> None:
        self.keys, which = np.unique(groups, return_inverse=True)
        self._order = np.argsort(which, kind="stable")
        self._starts = np.searchsorted(which[self._order], np.arange(len(self.keys)))

    def __call__(self, counts: Float64) -> Float64:
        return np.add.reduceat(counts.take(self._order, axis=1), self._starts, axis=1)


def _entropy(shares: Float64, part: Float64, whole: Float64) -> Float64:
    """Minus the sum of each share's times the logarithm of part / whole, in nats; what is empty adds nothing."""
    entropy: Float64 = -np.vecdot(shares, np.log(np.where(part > 0, part, 1.0) / np.where(part > 0, whole, 1.0)))
    return entropy


def _groups(x: ArrayLike, name: str) -> NDArray[np.int64]:
    """Each item's group as a number from 0."""
    names = flat(x, name)
    if names.dtype.kind == "f" and np.isnan(names).any():
        raise InputError(
            f"{name}[{np.flatnonzero(np.isnan(names))[0]}] is nan",
            why="it names no group",
            fix="give noise a number of its own, or leave it out",
        )
    try:
        return np.unique(names, return_inverse=True)[1]
    except TypeError:
        raise InputError(
            f"{name} mixes kinds of names", why="they cannot be told apart", fix="use numbers, or strings"
        ) from None


def _explained_share(left: Float64, entropy: Float64) -> Float64:
    """What part of an entropy is not left over; all of it where there is none."""
    return np.where(entropy > 0, np.clip(1.0 - left / np.where(entropy > 0, entropy, 1.0), 0.0, 1.0), 1.0)
