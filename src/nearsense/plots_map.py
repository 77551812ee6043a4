"""A map as a picture, PNG or SVG, with the names of its clusters on it. Not the layout, and not the page.

Lengths are in inches unless it says points.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nearsense.drawing import (
    FORMATS,
    INK,
    PALE,
    STYLE,
    Ruler,
    fonts,
    matplotlib,
    plain,
    save,
    without_glyph_warnings,
)
from nearsense.errors import InputError
from nearsense.mapping.colours import GREY, LIGHT, shared_out
from nearsense.mapping.scene import Scene, anchors

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = ["map_picture"]

_PAPER = "#fcfcfa"
_SIDE, _MARGIN = 9.0, 0.55
_POINTS_OF_NAME = 8.5
_LONGEST = 2.4
_POINTS_AS_PIXELS = 3_000
"""Texts from which on an SVG holds the points as one picture: 100,000 circles open slowly."""


def map_picture(scene: Scene, path: str | Path | None = None, *, title: str = "") -> Figure:
    """Every text as a point in the colour of its cluster, with the names of clusters where they cover no other.

    Args:
        scene: What it shows; at least one text.
        path: Where to write it, `.png` or `.svg`; None to only return it. A file appears whole or not at all.
        title: A line above it.

    Returns:
        The matplotlib Figure.

    Raises:
        InputError: `path` has another ending.
        FileError: `path` cannot be written.
        MissingExtra: matplotlib is not installed.

    Example:
        >>> from nearsense.types import Document, Neighbours
        >>> nobody = Neighbours(np.zeros((2, 0), np.int64), np.zeros((2, 0), np.float32), np.zeros(2, np.int64))
        >>> two = Scene(
        ...     [Document("1", "a cat"), Document("2", "a dog")],
        ...     np.array([[-1, 0], [1, 0]], np.float32), np.array([0, 0]), ["animals"], nobody,
        ... )  # fmt: skip
        >>> [text.get_text() for text in map_picture(two).texts]
        ['animals']
    """
    if path is not None and Path(path).suffix.lower() not in FORMATS:
        raise InputError(
            f"{path}: the picture's format is not known",
            why="a picture of a map is written as .png or .svg",
            fix="end its name in .png or .svg",
        )
    style = matplotlib("style", purpose="drawing a map")
    with style.context(["default", {**STYLE, "font.family": fonts()}]), without_glyph_warnings():
        figure = _drawn(scene, title)
        if path is not None:
            save(figure, path, FORMATS[Path(path).suffix.lower()])
    return figure


class _Name(NamedTuple):
    """The name of a cluster, and the middle of its line."""

    cluster: int
    text: str
    x: float
    y: float


def _drawn(scene: Scene, title: str) -> Figure:
    figures = matplotlib("figure", purpose="drawing a map")
    effects = matplotlib("patheffects", purpose="drawing a map")
    ruler, places = Ruler(), anchors(scene)
    colours = shared_out(places, scene.sizes())
    low, high = scene.points.min(axis=0), scene.points.max(axis=0)
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-3)
    reach = _SIDE / 2 - _MARGIN
    unit = reach / float(half.max())  # inches of one unit of the plane
    tall = max(2 * unit * float(half[1]) + 2 * _MARGIN, 3.0) + (0.4 if title else 0.0)
    centre = np.array([_SIDE / 2, (tall - (0.4 if title else 0.0)) / 2])

    def on_paper(points: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray((points - middle) * unit + centre, np.float64)

    figure: Figure = figures.Figure(figsize=(_SIDE, tall), dpi=150, facecolor=_PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, _SIDE), ylim=(0, tall))
    axes.set_axis_off()
    _dots(axes, scene, on_paper(scene.points), colours)
    halo = [effects.withStroke(linewidth=2.6, foreground=_PAPER, alpha=0.88)]
    for name in _names(scene, on_paper(places), ruler, (_SIDE, tall)):
        written: dict[str, Any] = {"size": _POINTS_OF_NAME, "weight": "bold", "ha": "center", "va": "center"}
        axes.text(name.x, name.y, name.text, color=_PAPER, path_effects=halo, **written)  # outlines are no text
        shade = _towards_ink(LIGHT[colours[name.cluster]])
        figure.text(name.x / _SIDE, name.y / tall, name.text, color=shade, **written)
    if title:
        heading = ruler.cut(plain(title), 13, _SIDE - 0.6)
        figure.text(0.3 / _SIDE, 1 - 0.35 / tall, heading, size=13, color=INK)
    if scene.origin.model:
        figure.text(0.3 / _SIDE, 0.15 / tall, plain(scene.origin.model), size=6.5, color=PALE)
    return figure


def _dots(axes: Any, scene: Scene, places: NDArray[np.float64], colours: NDArray[np.int64]) -> None:
    """Texts in no cluster below the others."""
    palette = np.array([*(LIGHT[colour] for colour in colours), GREY[0]])
    order = np.argsort(scene.labels >= 0, kind="stable")
    width = float(np.clip(26 / len(scene) ** 0.25, 1.1, 7.0))
    axes.scatter(
        places[order, 0], places[order, 1], s=width**2, c=palette[scene.labels[order]], alpha=0.85,
        linewidths=0, rasterized=len(scene) > _POINTS_AS_PIXELS,
    )  # fmt: skip


def _names(scene: Scene, places: NDArray[np.float64], ruler: Ruler, paper: tuple[float, float]) -> list[_Name]:
    """Names that meet no other and lie on the paper; the largest clusters choose first."""
    sizes = scene.sizes()
    line = 1.45 * _POINTS_OF_NAME / 72
    boxes: list[tuple[float, float, float, float]] = []
    placed = []
    for cluster in np.argsort(-sizes, kind="stable").tolist():
        text = ruler.cut(plain(scene.names[cluster]), _POINTS_OF_NAME, _LONGEST)
        if not sizes[cluster] or not text:
            continue
        half = 0.5 * (1.12 * ruler.width(text, _POINTS_OF_NAME) + 0.12)  # bold is wider than what was measured
        for sideways, lines in _BESIDE if len(scene) <= _FEW else _UPON:
            x = float(np.clip(places[cluster, 0] + 2 * half * sideways, half, paper[0] - half))
            y = float(np.clip(places[cluster, 1] + line * lines, line, paper[1] - line))
            box = (x - half, x + half, y - line / 2, y + line / 2)
            if not any(_meet(box, other) for other in boxes):
                boxes.append(box)
                placed.append(_Name(cluster, text, x, y))
                break
    return placed


_FEW = 5_000
"""Texts up to which a name stands beside its points instead of on them."""

_BESIDE = ((0, 0.95), (0, -0.95), (0.6, 0), (-0.6, 0), (0, 1.9), (0, -1.9), (0, 0))
_UPON = ((0, 0), (0, 1), (0, -1), (0.62, 0), (-0.62, 0), (0, 2), (0, -2))
"""Where a name may stand, in widths and lines from its cluster's middle."""


def _meet(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]


def _towards_ink(colour: str) -> str:
    """A colour dark enough to read, that still tells which cluster it names."""
    mixed = (round(0.62 * int(INK[at : at + 2], 16) + 0.38 * int(colour[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{part:02x}" for part in mixed)
