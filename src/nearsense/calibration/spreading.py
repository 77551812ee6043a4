"""Which pairs are worth a label: those spread over strata of score. Not the asking: see cli/labelling.py."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Spread", "spread_over"]

STRATA = 10
"""Parts of equal width between the lowest and the highest score."""


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """Pairs by how they score.

    Args:
        strata: int64, shape (n,): the part that each pair lies in.
        names: Of each part, from what score to what.
        turn: int64, shape (n,): the place of each pair among those of its part, by chance.
    """

    strata: NDArray[np.int64]
    names: tuple[str, ...]
    turn: NDArray[np.int64]

    def next(self, labels: Collection[int], skipped: Collection[int] = ()) -> int | None:
        """The pair to ask for: one of the part that has the fewest labels; None where there is none left.

        Args:
            labels: Pairs that have one.
            skipped: Pairs that nobody could judge.
        """
        done = np.zeros(len(self.strata), bool)
        done[[*labels, *skipped]] = True
        left = np.flatnonzero(~done)
        if not len(left):
            return None
        had = (
            np.bincount(self.strata[[*labels]], minlength=len(self.names))
            if labels
            else np.zeros(len(self.names), int)
        )
        order = np.random.default_rng(len(labels)).permutation(len(self.names))  # so that nobody learns what comes
        by = np.lexsort((self.turn[left], order[self.strata[left]], had[self.strata[left]]))
        return int(left[by[0]])

    def size(self, pair: int) -> int:
        """How many pairs lie in the same part."""
        return int((self.strata == self.strata[pair]).sum())


def spread_over(scores: NDArray[np.float64], parts: int = STRATA) -> Spread:
    """Pairs in parts of equal width of score.

    Args:
        scores: Shape (n,), finite; n >= 1.
        parts: How many; 1: pairs are drawn evenly, whatever they score.

    Example:
        >>> spread = spread_over(np.array([0.1, 0.11, 0.12, 0.9]))
        >>> spread.names[9], spread.next([0]), spread.next([0, 3]) in (1, 2)
        ('0.820 to 0.900', 3, True)
    """
    low, high = float(scores.min()), float(scores.max())
    edges = np.linspace(low, high, parts + 1)
    strata = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, parts - 1)
    turn = np.random.default_rng(0).permutation(len(scores))
    return Spread(strata, _names(edges), turn)


def _names(edges: Sequence[float] | NDArray[np.float64]) -> tuple[str, ...]:
    return tuple(f"{low:.3f} to {high:.3f}" for low, high in itertools.pairwise(edges))
