"""Which of many texts stay, so that each that goes is near one that does: stars, no chains. Knows numbers only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Stars", "stars"]


@dataclass(frozen=True, slots=True, eq=False)
class Stars:
    """Texts in groups around a centre.

    Args:
        centre: int64, shape (n,): the centre of the group that each text belongs to; a centre's own.
        free: bool, shape (n,): the texts that may stay in the place of their centre: they are near all others of
            their group and near nothing else. The centre itself is one.
    """

    centre: NDArray[np.int64]
    free: NDArray[np.bool_]


def stars(
    n: int,
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    strength: NDArray[np.float32],
    content: NDArray[np.uint64],
    fixed: NDArray[np.bool_] | None = None,
) -> Stars:
    """Group texts around centres, no two of which are near each other.

    Texts are taken in the order of how many others they are near, the fewest first; each that is taken is a
    centre, and those near it go. Both ends of a chain stay, and few texts go. Each that goes belongs to the
    strongest of the centres it is near. The order of texts and pairs has no say in any of it.

    Args:
        n: How many texts.
        left: One text of each pair that is near, shape (m,).
        right: The other; each pair stands here once.
        strength: How near.
        content: Shape (n,): what decides between texts that are near as many others.
        fixed: Texts that are centres in any case and have no pairs among themselves; what is near one belongs to
            such a one.

    Example:
        >>> pairs = np.array([[0, 1], [1, 2], [2, 3]])
        >>> stars(4, pairs[:, 0], pairs[:, 1], np.ones(3, np.float32), np.arange(4, dtype=np.uint64)).centre
        array([0, 0, 3, 3])
    """
    goes = np.zeros(n, bool)
    if fixed is not None and fixed.any():
        goes[left[fixed[right]]] = goes[right[fixed[left]]] = True
        alive = ~(goes | fixed)
        live = alive[left] & alive[right]
        owned = (goes[left] & ~fixed[right]) | (goes[right] & ~fixed[left])
    else:
        live = np.ones(len(left), bool)
        owned = ~live
    goes |= _taken(n, left[live], right[live], content)
    centre = _nearest_centre(n, left[~owned], right[~owned], strength[~owned], content, goes)
    return Stars(centre, _free(centre, left, right, fixed))


def _taken(
    n: int, left: NDArray[np.int64], right: NDArray[np.int64], content: NDArray[np.uint64]
) -> NDArray[np.bool_]:
    """The texts that go, where each in turn is taken and drops its neighbours: all local firsts at once."""
    degree = np.bincount(left, minlength=n) + np.bincount(right, minlength=n)
    rank = np.empty(n, np.int64)
    rank[np.lexsort((content, degree))] = np.arange(n)
    turned = rank[left] > rank[right]
    before, after = np.where(turned, right, left), np.where(turned, left, right)
    goes, stays = np.zeros(n, bool), np.zeros(n, bool)
    while len(before):
        behind = np.zeros(n, bool)
        behind[after] = True
        first = ~behind[before]
        stays[before[first]] = True
        goes[after[first]] = True
        open_ = ~(goes[before] | goes[after] | stays[before])
        before, after = before[open_], after[open_]
    return goes


def _nearest_centre(
    n: int,
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    strength: NDArray[np.float32],
    content: NDArray[np.uint64],
    goes: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """For each text that goes the strongest centre; at equal strength the content decides."""
    forward, backward = goes[left] & ~goes[right], goes[right] & ~goes[left]
    who = np.concatenate([left[forward], right[backward]])
    at = np.concatenate([right[forward], left[backward]])
    near = np.concatenate([strength[forward], strength[backward]])
    best = np.full(n, -np.inf, np.float32)
    np.maximum.at(best, who, near)
    top = near == best[who]
    who, at = who[top], at[top]
    order = np.lexsort((at, content[at]))[::-1]
    centre = np.arange(n)
    centre[who[order]] = at[order]  # the last that is written is the first of the order
    return centre


def _free(
    centre: NDArray[np.int64],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    fixed: NDArray[np.bool_] | None,
) -> NDArray[np.bool_]:
    n = len(centre)
    inside = centre[left] == centre[right]
    others = np.bincount(centre, minlength=n)[centre] - 1
    free = np.bincount(left[inside], minlength=n) + np.bincount(right[inside], minlength=n) == others
    free[left[~inside]] = free[right[~inside]] = False
    if fixed is not None:
        free &= ~fixed[centre]
    free[centre] = True
    return np.asarray(free, bool)
