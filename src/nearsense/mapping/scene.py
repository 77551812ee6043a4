"""What a map shows, in columns: points, clusters, neighbours, pairs to judge. Not how it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nearsense.errors import InputError
from nearsense.mapping.layout import Layout
from nearsense.types import Document, Neighbours, Origin

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NOISE", "Pairs", "Scene", "anchors"]

NOISE = -1
"""The label of texts in no cluster."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """m pairs of texts that may be the same, in columns.

    Args:
        left: int64, shape (m,): a row.
        right: int64, shape (m,): another.
        scores: float32, shape (m,): their cosine similarity.
        probabilities: float64, shape (m,): how probable it is that both mean the same; None where nothing tells.
        differs: For each pair what differs, in words; empty where nobody looked.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    scores: NDArray[np.float32]
    probabilities: NDArray[np.float64] | None = None
    differs: Sequence[Sequence[str]] = ()

    def __len__(self) -> int:
        return len(self.left)

    @classmethod
    def none(cls) -> Pairs:
        """No pair at all."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Texts in the plane.

    Args:
        documents: n texts with their ids.
        points: float32, shape (n, 2), within [-1, 1].
        labels: int64, shape (n,): the cluster of each text, -1 for none.
        names: The name of each cluster.
        neighbours: The nearest texts of each text, itself left out; k may be 0.
        pairs: What to judge: duplicates that were found.
        curve: float64, shape (p, 2): cosine similarities, ascending, and the probability of each that two texts
            mean the same; None where nothing tells.
        layout: How the points were found.
        origin: What gave the vectors.
    """

    documents: Sequence[Document]
    points: NDArray[np.float32]
    labels: NDArray[np.int64]
    names: Sequence[str]
    neighbours: Neighbours
    pairs: Pairs = field(default_factory=Pairs.none)
    curve: NDArray[np.float64] | None = None
    layout: Layout = Layout.PCA
    origin: Origin = field(default_factory=lambda: Origin("", ""))

    def __post_init__(self) -> None:
        n = len(self.documents)
        if self.points.shape != (n, 2) or self.labels.shape != (n,) or len(self.neighbours.ids) != n:
            raise InputError(
                f"{n:,} texts, points of shape {self.points.shape}, labels of shape {self.labels.shape}",
                why="a map has one point, one label and one row of neighbours for each text",
                fix="give clusters and vectors of these very texts",
            )
        if n and not -1 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.names):
            raise InputError(
                f"labels from {self.labels.min()} to {self.labels.max()} for {len(self.names)} names",
                why="a label is the number of a name, from 0, or -1 for no cluster",
            )

    def __len__(self) -> int:
        return len(self.documents)

    def sizes(self) -> NDArray[np.int64]:
        """How many texts each cluster has: int64, one a name."""
        return np.bincount(self.labels[self.labels >= 0], minlength=len(self.names))


def anchors(scene: Scene) -> NDArray[np.float32]:
    """Where the name of each cluster belongs: on its text nearest to the middle of its densest part.

    Returns:
        float32, shape (clusters, 2); zeros for a cluster without texts.
    """
    found = np.zeros((len(scene.names), 2), np.float32)
    order = np.argsort(scene.labels, kind="stable")
    ends = np.searchsorted(scene.labels[order], np.arange(len(scene.names) + 1))
    for cluster in range(len(scene.names)):
        rows = order[ends[cluster] : ends[cluster + 1]]
        if len(rows):
            found[cluster] = _middle(scene.points[rows])
    return found


def _middle(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """The point with the least sum of distances, after a few steps of Weiszfeld towards it."""
    place = np.median(points, axis=0)
    for _ in range(8):
        distance = np.linalg.norm(points - place, axis=1)
        weight = 1.0 / np.maximum(distance, 1e-3)
        place = (points * weight[:, None]).sum(axis=0) / weight.sum()
    nearest = points[np.linalg.norm(points - place, axis=1).argmin()]
    return np.asarray(nearest, np.float32)
