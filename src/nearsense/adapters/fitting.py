"""A linear map that draws together what belongs together: losses, their gradients, Adam. Not how good it is.

All in numpy, float32, on vectors of unit length that stay as they are; only the map moves, from the identity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from nearsense.kinds import MapKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Places = NDArray[np.int64]

TEMPERATURE = 0.07
"""Of the contrast of texts: cosines are divided by it."""
SHARPNESS = 20.0
"""Of the order of pairs: what differences of cosines are multiplied by."""
RATE, DECAY = 0.06, 0.01
"""Adam's rate, over the root of the numbers in a row, so that maps of any size move as far; it falls to 0 with a
cosine. How strongly the map is drawn back to the identity."""
ROUNDS, LEAST, MOST = 30, 60, 300
"""How often each example is seen, and the fewest and most steps."""
BATCH = 512
"""Texts, or pairs, in one step."""
TOGETHER = 4
"""Texts of a class that stand in one batch at least, where it has so many."""


class Lesson(Protocol):
    """What can be learnt: batches of rows of vectors, and how far they are from what they should be."""

    def batches(self, chance: np.random.Generator) -> Iterator[Batch]:
        """Everything once, in an order of chance."""
        ...  # pragma: no cover


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of vectors that one step reads, and its loss: of mapped unit vectors to the gradient, as long."""

    rows: Places
    gradient: Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class Contrast:
    """Texts of one group are nearer to each other than to those of others (supervised contrast, Khosla 2020).

    `units` are rows that stay together in a batch; `groups` says of each row which group it belongs to.
    """

    units: list[Places]
    groups: Places

    def batches(self, chance: np.random.Generator) -> Iterator[Batch]:
        """Units in an order of chance, as many as fit."""
        order = [self.units[place] for place in chance.permutation(len(self.units))]
        first, size = 0, 0
        for place, unit in enumerate(order):
            size += len(unit)
            if size >= BATCH or place == len(order) - 1:
                rows = np.unique(np.concatenate(order[first : place + 1]))
                yield Batch(rows, lambda vectors, rows=rows: contrast(vectors, self.groups[rows]))  # type: ignore[misc]
                first, size = place + 1, 0


def contrast(vectors: Floats, groups: Places) -> Floats:
    """The gradient, shape (n, d), of: for each vector, those of its group among all others, by softmax.

    Example:
        >>> apart = contrast(np.eye(3, dtype=np.float32), np.array([0, 0, 1]))
        >>> bool((apart[0] @ np.array([0, 1, 0])) < 0)     # the second pulls the first
        True
    """
    logits = vectors @ vectors.T / np.float32(TEMPERATURE)
    np.fill_diagonal(logits, -np.inf)
    wanted = (groups[:, None] == groups).astype(np.float32)
    np.fill_diagonal(wanted, 0)
    counts = wanted.sum(axis=1, keepdims=True)
    some = counts > 0
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    pull = np.where(some, shares - wanted / np.maximum(counts, 1), 0) / (max(int(some.sum()), 1) * TEMPERATURE)
    gradient: Floats = ((pull + pull.T) @ vectors).astype(np.float32)
    return gradient


@dataclass(frozen=True, slots=True)
class Order:
    """Of two pairs, the one of which more is true has the higher cosine (RankNet, Burges et al. 2005)."""

    left: Places
    right: Places
    truth: NDArray[np.float32]

    def batches(self, chance: np.random.Generator) -> Iterator[Batch]:
        """Pairs in an order of chance."""
        order = chance.permutation(len(self.left))
        for part in np.array_split(order, max(1, -(-len(order) // BATCH))):
            sides = np.concatenate([self.left[part], self.right[part]])
            yield Batch(sides, lambda vectors, part=part: in_order(vectors, self.truth[part]))  # type: ignore[misc]


def in_order(vectors: Floats, truth: Floats) -> Floats:
    """The gradient, shape (2n, d), of the mean log(1 + exp(s (cos_j - cos_i))) where truth_i > truth_j."""
    left, right = np.split(vectors, 2)
    scores = np.float32(SHARPNESS) * np.vecdot(left, right)
    above = truth[:, None] > truth
    wrong = above / (1 + np.exp(np.clip(scores[:, None] - scores, -80, 80))) / max(int(above.sum()), 1)
    pull = (np.float32(SHARPNESS) * (wrong.sum(axis=0) - wrong.sum(axis=1)))[:, None]
    gradient: Floats = np.concatenate([pull * right, pull * left]).astype(np.float32)
    return gradient


def fit(
    vectors: Floats, lesson: Lesson, kind: MapKind, *, rank: int, seed: int, update: Callable[[], None]
) -> Floats:
    """What is added to the identity, shape (d, d): x' = x + (what is added) x; of a diagonal map shape (d,).

    Adam (Kingma and Ba 2015) from the identity and drawn back to it; `update` is called after each step.
    """
    d, chance = vectors.shape[1], np.random.default_rng(seed)
    added = np.zeros(d if kind is MapKind.DIAGONAL else (d, d), np.float32)
    mean, square = np.zeros_like(added), np.zeros_like(added)
    batches = sum(1 for _ in lesson.batches(np.random.default_rng(seed)))
    steps, step = (steps_of(batches) if batches else 0), 0
    while step < steps:
        for batch in lesson.batches(chance):
            step += 1
            gradient = _gradient(vectors[batch.rows], added, batch) + np.float32(DECAY) * added
            mean += np.float32(0.1) * (gradient - mean)
            square += np.float32(0.01) * (gradient**2 - square)
            rate = RATE / np.sqrt(added[0].size) * (1 + np.cos(np.pi * (step - 1) / steps)) / 2
            move = (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
            added -= (rate * move).astype(np.float32)
            update()
            if step == steps:
                break
    return low_rank(added, rank) if kind is MapKind.LOW_RANK else added


def steps_of(batches: int) -> int:
    """How many steps are made where each example is seen once in so many batches."""
    return min(max(ROUNDS * batches, LEAST), MOST)


def _gradient(rows: Floats, added: Floats, batch: Batch) -> Floats:
    """Of the loss by what is added to the identity."""
    mapped = rows + (rows * added if added.ndim == 1 else rows @ added.T)
    lengths = np.maximum(np.linalg.norm(mapped, axis=1, keepdims=True), np.float32(1e-12))
    unit = mapped / lengths
    outer = batch.gradient(unit)
    inner = (outer - np.vecdot(outer, unit)[:, None] * unit) / lengths
    found: Floats = np.vecdot(inner.T, rows.T) if added.ndim == 1 else inner.T @ rows
    return found


def low_rank(added: Floats, rank: int) -> Floats:
    """The nearest matrix of so many directions (Eckart and Young 1936)."""
    left, sizes, right = np.linalg.svd(added)
    nearest: Floats = (left[:, :rank] * sizes[:rank]) @ right[:rank]
    return nearest
