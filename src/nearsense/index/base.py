"""What every index can do: vectors to neighbours. Not which one is taken: see `choose` in __init__.py."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.types import Neighbours

__all__ = ["ArrayRows", "Rows", "VectorIndex"]


class Rows(Protocol):
    """Where an index reads the n vectors from; whoever keeps them on a disk checks them as they are read."""

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d)."""
        ...  # pragma: no cover

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some vectors, shape (len(rows), d)."""
        ...  # pragma: no cover

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        """The vectors of rows start to stop, shape (stop - start, d); not copied where that can be avoided."""
        ...  # pragma: no cover


class ArrayRows:
    """Vectors in memory.

    Args:
        data: float32, shape (n, d), rows of unit length.
    """

    def __init__(self, data: NDArray[np.float32]) -> None:
        self._data = data

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d)."""
        return self._data.shape[0], self._data.shape[1]

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some vectors."""
        return self._data[rows]

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        """The vectors of rows start to stop."""
        return self._data[start:stop]


class VectorIndex(Protocol):
    """n vectors of unit length, ready to be asked for the nearest. Scores are cosine similarities."""

    kind: str

    def search(
        self, queries: NDArray[np.float32], k: int, *, allowed: NDArray[np.bool_] | None = None
    ) -> Neighbours:
        """The k nearest rows of each query, best first; ties in the order of the rows.

        Args:
            queries: float32, shape (q, d), rows of unit length.
            k: At least 1.
            allowed: bool, shape (n,): the only rows that may be found; None for all. Where k of them exist, k
                are found.
        """
        ...  # pragma: no cover

    def save(self, path: Path) -> None:
        """Write what cannot be made from the vectors at once; nothing for an index without such a thing."""
        ...  # pragma: no cover
