"""The pairs that were mined, in columns. Not what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Mined"]


@dataclass(frozen=True, slots=True, eq=False)
class Mined:
    """m pairs of rows, best first; equal scores in the order of their rows.

    Args:
        left: int64, shape (m,): the row of one side.
        right: int64, shape (m,): the row of the other: of the same vectors, then always greater than `left`, or of
            those that were compared against.
        scores: float32, shape (m,): their cosine similarity.
        min_score: All pairs of at least this score are here.
        recall: The share of those pairs that are here, as measured; None where it is all of them, exactly.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    scores: NDArray[np.float32]
    min_score: float
    recall: float | None = None

    def __len__(self) -> int:
        return len(self.scores)
