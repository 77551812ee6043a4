"""How well a grouping recovers the true one: V-measure and adjusted Rand index. Not how the groups were made.

A group's name does not count, only who is in it with whom; noise, say -1, is a group like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nearsense.checks import same_length
from nearsense.errors import InputError
from nearsense.metrics.samples import flat

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from nearsense.vectors.rows import Array


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
    table = _contingency(true, predicted)
    n = table.true.sum()
    shared = table.both / n
    mixed = -shared @ np.log(table.both / table.predicted[table.column])
    split = -shared @ np.log(table.both / table.true[table.row])
    homogeneity = _explained(mixed, table.true / n)
    completeness = _explained(split, table.predicted / n)
    both = homogeneity + completeness
    return VMeasure(2.0 * homogeneity * completeness / both if both else 0.0, homogeneity, completeness)


def adjusted_rand(true: ArrayLike, predicted: ArrayLike) -> float:
    """The adjusted Rand index (Hubert and Arabie 1985): agreement on pairs of items; 1 is perfect, chance is 0.

    Arguments and errors are those of `v_measure`.

    Example:
        >>> round(adjusted_rand(["a", "a", "b", "b"], [0, 0, 1, 2]), 4)
        0.5714
    """
    table = _contingency(true, predicted)
    together, left, right = (_pairs(sizes) for sizes in (table.both, table.true, table.predicted))
    if together == left == right:
        return 1.0
    total = _pairs(table.true.sum(keepdims=True))  # whole numbers throughout: Python's do not overflow
    return 2 * (together * total - left * right) / (total * (left + right) - 2 * left * right)


class _Contingency(NamedTuple):
    """How many items each pair of groups shares, the pairs that occur only, and each group's size."""

    row: Array
    column: Array
    both: Array
    true: Array
    predicted: Array


def _contingency(true: ArrayLike, predicted: ArrayLike) -> _Contingency:
    (left, sizes), (right, others) = _groups(true, "true"), _groups(predicted, "predicted")
    same_length(left, right, "true", "predicted")
    cells, both = np.unique(left * len(others) + right, return_counts=True)
    return _Contingency(cells // len(others), cells % len(others), both, sizes, others)


def _groups(x: ArrayLike, name: str) -> tuple[Array, Array]:
    """Each item's group as a number from 0, and the groups' sizes."""
    names = flat(x, name)
    if names.dtype.kind == "f" and np.isnan(names).any():
        raise InputError(
            f"{name}[{np.flatnonzero(np.isnan(names))[0]}] is nan",
            why="it names no group",
            fix="give noise a number of its own, or leave it out",
        )
    try:
        _, group, sizes = np.unique(names, return_inverse=True, return_counts=True)
    except TypeError:
        raise InputError(
            f"{name} mixes kinds of names", why="they cannot be told apart", fix="use numbers, or strings"
        ) from None
    return group, sizes


def _explained(left: float, shares: Array) -> float:
    """What part of the entropy of these shares is not left over; all of it where there is none."""
    entropy = float(-shares @ np.log(shares))
    return min(1.0, max(0.0, 1.0 - float(left) / entropy)) if entropy > 0.0 else 1.0


def _pairs(sizes: Array) -> int:
    """How many pairs of items share a group."""
    return sum(size * (size - 1) // 2 for size in sizes.tolist())
