"""Vectors as mining takes them: of unit length, their true lengths beside them, and the exact cosine of pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense.vectors.rows import blocks, unit_rows_and_lengths

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Units", "cosines"]

CHECKED = 512
"""Pairs scored at once: their vectors stay in a core's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """n unit vectors.

    Args:
        data: float32, shape (n, d).
        lengths: float64, shape (n,): the length that each has in truth, rounded as it is.
    """

    data: NDArray[np.float32]
    lengths: NDArray[np.float64]

    @classmethod
    def of(cls, vectors: ArrayLike, name: str = "vectors") -> Units:
        """The vectors themselves where they are of unit length, else scaled copies.

        Raises:
            InputError: The shape is not (n, d), or a value is not finite.
            ZeroVectorError: One has length zero.
        """
        return cls(*unit_rows_and_lengths(vectors, name))


def cosines(left: Units, i: NDArray[np.int64], right: Units, j: NDArray[np.int64]) -> NDArray[np.float32]:
    """The cosine similarity of row i[p] of one with row j[p] of the other, summed in float64: float32, (m,)."""
    found = np.empty(len(i), np.float32)
    for part in blocks(len(i), CHECKED):
        a, b = left.data.take(i[part], axis=0), right.data.take(j[part], axis=0)
        dots = np.einsum("ij,ij->i", a, b, dtype=np.float64)
        found[part] = np.clip(dots / (left.lengths[i[part]] * right.lengths[j[part]]), -1.0, 1.0)
    return found
