"""Which colour each cluster has. Not what is coloured.

Ten colours and a grey, once for light paper and once for dark, that are told apart by everybody: any two differ by
20 or more (CIE76), for people without red or green cones too. Of more clusters several share a colour: those that
lie far from each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DARK", "GREY", "LIGHT", "shared_out"]

LIGHT = (
    "#426ed3", "#d13500", "#108c6a", "#a32591", "#e48c00", "#00abee", "#673456", "#a1a35a", "#a12736", "#4224ad",
)  # fmt: skip
DARK = (
    "#70b4ff", "#e16f00", "#53f0b7", "#d05cc2", "#ffce0f", "#59e9ff", "#d698bc", "#c9e26f", "#ef9577", "#7079fa",
)  # fmt: skip
GREY = ("#9aa5b0", "#5d6874")
"""Of texts in no cluster, on light paper and on dark."""


def shared_out(places: NDArray[np.float32], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """A colour for each cluster, so that those of one colour lie far apart: the largest choose first.

    Args:
        places: float32, shape (c, 2): where each cluster lies.
        sizes: int64, shape (c,): how many texts it has.

    Returns:
        int64, shape (c,): numbers of colours in `LIGHT` and `DARK`.

    Example:
        >>> shared_out(np.zeros((3, 2), np.float32), np.array([5, 9, 7])).tolist()
        [2, 0, 1]
    """
    colours = np.zeros(len(places), np.int64)
    nearest = np.full((len(places), len(LIGHT)), np.inf)  # of each cluster to the nearest one of each colour
    used = np.zeros(len(LIGHT), np.int64)
    for cluster in np.argsort(-sizes, kind="stable"):
        best = min(range(len(LIGHT)), key=lambda each: (-nearest[cluster, each], used[each], each))
        colours[cluster] = best
        used[best] += 1
        distance = np.linalg.norm(places - places[cluster], axis=1)
        nearest[:, best] = np.minimum(nearest[:, best], distance)
    return colours
