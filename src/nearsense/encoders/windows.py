"""What of a long text the model reads: its head, or overlapping windows. Not how their vectors are joined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["OVERLAP", "Spans", "heads", "tails", "windows"]

OVERLAP = 1 / 5
"""The least share of a window that it has in common with the next."""


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """The stretches of token ids that a model reads, in order of their texts.

    Args:
        starts: int64, shape (m,): where each begins in the ids of its batch.
        lengths: int64, shape (m,): how many tokens it has.
        owners: int64, shape (m,): which text it belongs to.
    """

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    owners: NDArray[np.int64]

    @property
    def shares(self) -> NDArray[np.float32]:
        """float32, shape (m,): how much each counts for its text, by tokens; a text's shares add up to 1."""
        weights = np.maximum(self.lengths, 1)
        totals = np.bincount(self.owners, weights)
        return (weights / totals[self.owners]).astype(np.float32)


def heads(starts: NDArray[np.int64], lengths: NDArray[np.int64], limit: int) -> Spans:
    """Each text's first `limit` tokens."""
    return Spans(starts, np.minimum(lengths, limit), np.arange(len(lengths)))


def tails(starts: NDArray[np.int64], lengths: NDArray[np.int64], limit: int) -> Spans:
    """Each text's last `limit` tokens: what a few models read of a long text."""
    kept = np.minimum(lengths, limit)
    return Spans(starts + lengths - kept, kept, np.arange(len(lengths)))


def windows(starts: NDArray[np.int64], lengths: NDArray[np.int64], limit: int) -> Spans:
    """Windows of `limit` tokens, evenly spread, that cover each text and overlap by at least `OVERLAP`.

    Example:
        >>> spans = windows(np.array([0]), np.array([250]), limit=100)
        >>> spans.starts.tolist(), spans.lengths.tolist()
        ([0, 75, 150], [100, 100, 100])
    """
    step = max(1, int(limit * (1 - OVERLAP)))
    counts = np.where(lengths > limit, -(-(lengths - limit) // step) + 1, 1)
    owners = np.repeat(np.arange(len(lengths)), counts)
    place = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    spare = np.maximum(lengths - limit, 0)[owners]
    offsets = spare * place // np.maximum(counts[owners] - 1, 1)
    return Spans(starts[owners] + offsets, np.minimum(lengths, limit)[owners], owners)
