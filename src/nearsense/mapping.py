"""A map before it is drawn: points of the plane, colours, where names stand. Drawn it is by plots.py and pages/.

Points are principal components always; where the extra `map` is installed, a neighbour layout (t-SNE by openTSNE)
that starts from them and keeps near what is near.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._forks import forked
from nearsense._optional import require
from nearsense._progress import Progress, tracked
from nearsense.errors import InputError
from nearsense.records import Document, Neighbours, Origin

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float32]


class Layout(StrEnum):
    """How texts are laid out."""

    PCA = "pca"
    """By the two directions in which they differ most: distances in the plane are shadows of the true ones."""
    NEIGHBOURS = "neighbours"  # so that near texts lie near each other: far distances mean little


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """m pairs of texts that may be the same, in columns."""

    left: Ints  # (m,): a row
    right: Ints  # (m,): another
    scores: Floats  # (m,): their cosine similarity
    # (m,): how probable it is that both mean the same; None where nothing tells
    probabilities: NDArray[np.float64] | None = None
    differs: Sequence[Sequence[str]] = ()  # for each pair what differs, in words; empty where nobody looked

    def __len__(self) -> int:
        return len(self.left)

    @classmethod
    def none(cls) -> Pairs:
        """No pair at all."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Texts in the plane."""

    documents: Sequence[Document]  # n texts with their ids
    points: Floats  # (n, 2): within [-1, 1]
    labels: Ints  # (n,): the cluster of each text, -1 for none
    names: Sequence[str]  # the name of each cluster
    neighbours: Neighbours  # the nearest texts of each text, itself left out; k may be 0
    pairs: Pairs = field(default_factory=Pairs.none)  # what to judge: duplicates that were found
    # (p, 2): cosine similarities, ascending, and the probability of each that two texts mean the same; None where
    # nothing tells
    curve: NDArray[np.float64] | None = None
    layout: Layout = Layout.PCA  # how the points were found
    origin: Origin = field(default_factory=lambda: Origin("", ""))  # what gave the vectors

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

    def sizes(self) -> Ints:
        """How many texts each cluster has: int64, one a name."""
        return np.bincount(self.labels[self.labels >= 0], minlength=len(self.names))


NEIGHBOURS = 30  # nearest texts that the neighbour layout looks at, of each text
FEWEST = 20  # different texts that a neighbour layout is worth; fewer are laid out by their principal components

_PERPLEXITY = 10.0
_EARLY, _LATE = 250, 400  # steps of gradient descent: first with clusters drawn together, then apart

_FEW = 4_000
"""Texts up to which forces are added up one by one, on one core: others would only wait for each other."""

_MANY = 20_000
"""Texts from which on fewer late steps are done, 250: each takes longer, and the picture changes little."""

_ISLANDS = 1.5
"""How much more than in plain t-SNE neighbours attract each other: clusters stand apart, with room for names."""


def best_layout() -> Layout:
    """The best layout that can be computed here."""
    return Layout.NEIGHBOURS if find_spec("openTSNE") else Layout.PCA


def principal_components(vectors: Floats) -> Floats:
    """The first two principal components, (n, 2), scaled into [-1, 1] by one factor; zeros where none differ.

    The sign of each is chosen so that its largest weight is positive: it does not depend on the order of rows.

    Example:
        >>> square = np.array([[0, 0, 1], [2, 0, 1], [0, 1, 1], [2, 1, 1]], np.float32)
        >>> principal_components(square).tolist()
        [[-1.0, -0.5], [1.0, -0.5], [-1.0, 0.5], [1.0, 0.5]]
    """
    rows, width = vectors.shape
    if rows < 2:
        return np.zeros((rows, 2), np.float32)
    mean = vectors.mean(axis=0, dtype=np.float64)
    centred = (vectors - mean).astype(np.float32)
    spread = (centred.T @ centred).astype(np.float64)
    values, directions = np.linalg.eigh(spread)
    chosen = directions[:, ::-1][:, : min(2, width)]
    chosen = chosen * np.where(values[::-1][: chosen.shape[1]] > 1e-9 * max(float(values[-1]), 1e-12), 1.0, 0.0)
    largest = np.abs(chosen).argmax(axis=0)
    chosen = chosen * np.sign(chosen[largest, range(chosen.shape[1])])
    plane = np.zeros((rows, 2), np.float64)
    plane[:, : chosen.shape[1]] = centred @ chosen
    return _scale(plane)


def neighbour_layout(
    start: Floats, neighbours: Neighbours, *, seed: int = 0, threads: int | None = None, progress: Progress = False
) -> Floats:
    """A layout in which the nearest texts lie near each other: t-SNE on a graph that is known already.

    Points begin at `start`, the principal components, shape (n, 2), with a tiny noise that tells points of one
    place apart. Neighbours are the 2 or more nearest rows of each row, itself left out, with cosine similarities.
    The same input gives the same points, whatever `threads` is (None for all cores); they are scaled as by
    `principal_components`.

    Raises:
        MissingExtra: openTSNE is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries about each other: nothing that a caller could mend
        tsne = require("openTSNE", extra="map", purpose="a neighbour layout")
        affinities = require("openTSNE.affinity", extra="map", purpose="a neighbour layout")
        searches = require("openTSNE.nearest_neighbors", extra="map", purpose="a neighbour layout")
        few = len(start) <= _FEW
        jobs = 1 if few or forked() else threads or -1
        known = searches.PrecomputedNeighbors(
            neighbours.ids.astype(np.int64), np.sqrt(np.maximum(2.0 - 2.0 * neighbours.scores, 0.0))
        )
        perplexity = min(_PERPLEXITY, neighbours.ids.shape[1] / 3)
        graph = affinities.PerplexityBasedNN(perplexity=perplexity, knn_index=known, n_jobs=jobs)
        noise = np.random.default_rng(seed).normal(0.0, 1e-3, start.shape)
        begun = (start / max(float(start.std()), 1e-9) + noise) * 1e-4
        points = tsne.TSNEEmbedding(
            begun, graph, negative_gradient_method="bh" if few else "fft", n_jobs=jobs, random_state=seed
        )
        late = _LATE if len(start) <= _MANY else _EARLY
        with tracked(_EARLY + late, "steps of the layout", progress) as update:
            phases = ((0, _EARLY, 12.0, 0.5), (_EARLY, late, _ISLANDS, 0.8))
            for done, steps, exaggeration, momentum in phases:
                points = points.optimize(
                    steps,
                    exaggeration=exaggeration,
                    momentum=momentum,
                    callbacks=[_step_callback(update, done)],
                    callbacks_every_iters=10,
                )
            update(_EARLY + late)
    return _scale(np.asarray(points, np.float64))


def _step_callback(update: Callable[[int], None], done: int) -> Callable[[int, float, Any], None]:
    """What openTSNE calls with its step, error and points."""
    return lambda step, _error, _points: update(done + step)


def _scale(plane: NDArray[np.float64]) -> Floats:
    """Centred, and by one factor into [-1, 1]."""
    if not len(plane):
        return np.zeros((0, 2), np.float32)
    low, high = plane.min(axis=0), plane.max(axis=0)
    half = float((high - low).max()) / 2
    return np.asarray((plane - (low + high) / 2) / (half or 1.0), np.float32)


def first_rows(texts: Sequence[str]) -> tuple[Ints, Ints]:
    """The first row of each different text in the order of the texts, and for each text its place among them.

    Example:
        >>> rows, places = first_rows(["b", "a", "b"])
        >>> rows.tolist(), places.tolist()
        ([1, 0], [1, 0, 1])
    """
    _, rows, places = np.unique(np.array(texts, object), return_index=True, return_inverse=True)
    return rows.astype(np.int64), places.astype(np.int64)


def anchors(scene: Scene) -> Floats:
    """Where each cluster's name belongs, (clusters, 2): on its text nearest to the middle of its densest part.

    A cluster without texts has zeros.
    """
    found = np.zeros((len(scene.names), 2), np.float32)
    order = np.argsort(scene.labels, kind="stable")
    ends = np.searchsorted(scene.labels[order], np.arange(len(scene.names) + 1))
    for cluster in range(len(scene.names)):
        rows = order[ends[cluster] : ends[cluster + 1]]
        if len(rows):
            found[cluster] = _middle(scene.points[rows])
    return found


def _middle(points: Floats) -> Floats:
    """The point with the least sum of distances, after a few steps of Weiszfeld towards it."""
    place = np.median(points, axis=0)
    for _ in range(8):
        distance = np.linalg.norm(points - place, axis=1)
        weight = 1.0 / np.maximum(distance, 1e-3)
        place = (points * weight[:, None]).sum(axis=0) / weight.sum()
    nearest = points[np.linalg.norm(points - place, axis=1).argmin()]
    return np.asarray(nearest, np.float32)


LIGHT = (
    "#426ed3", "#d13500", "#108c6a", "#a32591", "#e48c00", "#00abee", "#673456", "#a1a35a", "#a12736", "#4224ad",
)  # fmt: skip
DARK = (
    "#70b4ff", "#e16f00", "#53f0b7", "#d05cc2", "#ffce0f", "#59e9ff", "#d698bc", "#c9e26f", "#ef9577", "#7079fa",
)  # fmt: skip
GREY = ("#9aa5b0", "#5d6874")
"""Of texts in no cluster, on light paper and on dark.

Ten colours and a grey, once for light paper and once for dark, that are told apart by everybody: any two differ by
20 or more (CIE76), for people without red or green cones too.
"""


def shared_colours(places: Floats, sizes: Ints) -> Ints:
    """Each cluster's colour, a number in `LIGHT` and `DARK`: those of one colour lie far apart.

    Places, shape (c, 2), are where clusters lie, sizes, shape (c,), how many texts they have; the largest choose
    first.

    Example:
        >>> shared_colours(np.zeros((3, 2), np.float32), np.array([5, 9, 7])).tolist()
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
