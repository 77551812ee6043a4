"""Vectors to points of the plane. Not what is drawn there.

Principal components always; where the extra `map` is installed, a neighbour layout (t-SNE by openTSNE) that starts
from them and keeps near what is near.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from enum import StrEnum
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._forks import forked
from nearsense._optional import require
from nearsense._progress import Progress, tracked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.types import Neighbours

    Floats = NDArray[np.float32]

__all__ = ["FEWEST", "NEIGHBOURS", "Layout", "available", "firsts", "neighbourly", "principal"]


class Layout(StrEnum):
    """How texts are laid out."""

    PCA = "pca"
    """By the two directions in which they differ most: distances in the plane are shadows of the true ones."""
    NEIGHBOURS = "neighbours"
    """So that near texts lie near each other: far distances mean little."""


NEIGHBOURS = 30
"""Nearest texts that the neighbour layout looks at, of each text."""

FEWEST = 20
"""Different texts that a neighbour layout is worth; fewer are laid out by their principal components."""

_PERPLEXITY = 10.0
_EARLY, _LATE = 250, 400
"""Steps of gradient descent: first with clusters drawn together, then apart."""

_FEW = 4_000
"""Texts up to which forces are added up one by one, on one core: others would only wait for each other."""

_MANY = 20_000
"""Texts from which on fewer late steps are done, 250: each takes longer, and the picture changes little."""

_ISLANDS = 1.5
"""How much more than in plain t-SNE neighbours attract each other: clusters stand apart, with room for names."""


def available() -> Layout:
    """The best layout that can be computed here."""
    return Layout.NEIGHBOURS if find_spec("openTSNE") else Layout.PCA


def principal(vectors: Floats) -> Floats:
    """The first two principal components, scaled into [-1, 1] by one factor.

    The sign of each is chosen so that its largest weight is positive: it does not depend on the order of rows.

    Args:
        vectors: float32, shape (n, d).

    Returns:
        float32, shape (n, 2); zeros where the vectors do not differ.

    Example:
        >>> square = np.array([[0, 0, 1], [2, 0, 1], [0, 1, 1], [2, 1, 1]], np.float32)
        >>> principal(square).tolist()
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
    return _scaled(plane)


def neighbourly(
    start: Floats,
    neighbours: Neighbours,
    *,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = False,
) -> Floats:
    """A layout in which the nearest texts lie near each other: t-SNE on a graph that is known already.

    The same input gives the same points, whatever `threads` is.

    Args:
        start: float32, shape (n, 2): where points begin, the principal components.
        neighbours: The k nearest rows of each row, itself left out, with cosine similarities; k is 2 or more.
        seed: Of the tiny noise that tells points of one place apart.
        threads: Cores to use; None for all.
        progress: True for a bar on stderr, or a function called with (done, total).

    Returns:
        float32, shape (n, 2), scaled into [-1, 1] by one factor.

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
                    callbacks=[_telling(update, done)],
                    callbacks_every_iters=10,
                )
            update(_EARLY + late)
    return _scaled(np.asarray(points, np.float64))


def _telling(update: Callable[[int], None], done: int) -> Callable[[int, float, Any], None]:
    def tell(step: int, error: float, points: Any) -> None:
        update(done + step)

    return tell


def _scaled(plane: NDArray[np.float64]) -> Floats:
    """Centred, and by one factor into [-1, 1]."""
    if not len(plane):
        return np.zeros((0, 2), np.float32)
    low, high = plane.min(axis=0), plane.max(axis=0)
    half = float((high - low).max()) / 2
    return np.asarray((plane - (low + high) / 2) / (half or 1.0), np.float32)


def firsts(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows of different texts in the order of the texts, and for each text its place among them.

    Example:
        >>> rows, places = firsts(["b", "a", "b"])
        >>> rows.tolist(), places.tolist()
        ([1, 0], [1, 0, 1])
    """
    row_of: dict[str, int] = {}
    for row, text in enumerate(texts):
        row_of.setdefault(text, row)
    ordered = sorted(row_of)
    place_of = {text: place for place, text in enumerate(ordered)}
    return (
        np.array([row_of[text] for text in ordered], np.int64),
        np.array([place_of[text] for text in texts], np.int64),
    )
