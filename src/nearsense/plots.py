"""Pictures of results, PNG or SVG: a `Matrix` as a heatmap, a map with names on it. Not the numbers: see render/.

Drawn on matplotlib's Figure alone, never through pyplot: it works without a display, keeps no figure alive, and
looks the same whatever style the caller has set. Every length below is in inches unless it says points.
"""

from __future__ import annotations

import os
import sys
import warnings
from bisect import bisect_left
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple
from unicodedata import category

import numpy as np

from nearsense._optional import require
from nearsense._paths import is_folder
from nearsense.errors import InputError
from nearsense.mapping import GREY, LIGHT, Scene, anchors, shared_colours
from nearsense.records import Matrix, Metric, Ranking

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = ["heatmap", "map_picture"]

FORMATS: dict[str, dict[str, Any]] = {
    ".png": {"format": "png"},
    ".svg": {"format": "svg", "metadata": {"Date": None}},
}
INK, PALE, PAPER = "#1b2430", "#7b8794", "#fcfcfa"
_FALLBACK_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans Devanagari", "Noto Sans Thai", "Microsoft YaHei",
    "PingFang SC", "Hiragino Sans", "Malgun Gothic", "Arial Unicode MS",
)  # fmt: skip
"""For scripts that DejaVu Sans lacks; those that are installed are used."""
STYLE = {
    "text.parse_math": False,  # a $ in a label is a $
    "text.hinting": "none",  # widths grow with the size alone, so that what was measured fits
    "svg.fonttype": "none",  # text stays text: searchable, small, and the viewer's fonts fill in what ours lack
    "svg.hashsalt": "nearsense",  # the same matrix gives the same bytes
}


def matplotlib(part: str = "", *, purpose: str = "drawing a picture") -> ModuleType:
    """A module of matplotlib, imported so that it makes no folder of settings in a home that has none.

    Raises:
        MissingExtra: It is not installed; `purpose` says what it is needed for.
    """
    name = f"matplotlib.{part}" if part else "matplotlib"
    settings, cache = _base("XDG_CONFIG_HOME", ".config"), _base("XDG_CACHE_HOME", ".cache")
    known = name in sys.modules or "MPLCONFIGDIR" in os.environ or is_folder(settings / "matplotlib")
    if known or not sys.platform.startswith("linux"):
        return require(name, extra="plots", purpose=purpose)
    # It asks once where its two folders are: this one is where it would be.
    os.environ["MPLCONFIGDIR"] = str(cache / "matplotlib")
    try:
        return require(name, extra="plots", purpose=purpose)
    finally:
        del os.environ["MPLCONFIGDIR"]


def _base(variable: str, folder: str) -> Path:
    return Path(os.environ.get(variable) or os.path.expanduser(f"~/{folder}"))  # noqa: PTH111  (no home is no error)


def _draw_figure(draw: Callable[[], Figure], path: str | Path | None, what: str) -> Figure:
    """A figure drawn in one style, whatever the caller has set; written whole or not at all where a path is given.

    A label may hold any character; that no font here has it is seen in the picture, and nobody's mistake.

    Raises:
        InputError: The path ends in something else than .png or .svg.
    """
    ending = "" if path is None else Path(path).suffix.lower()
    if path is not None and ending not in FORMATS:
        why, fix = f"a {what} is written as .png or .svg", "end its name in .png or .svg"
        raise InputError(f"{path}: the picture's format is not known", why=why, fix=fix)
    style = matplotlib("style", purpose=f"drawing a {what}")
    installed = {*matplotlib("font_manager").get_font_names()}
    fonts = ["DejaVu Sans", *(font for font in _FALLBACK_FONTS if font in installed), "sans-serif"]
    with style.context(["default", {**STYLE, "font.family": fonts}]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure = draw()
        if path is not None:
            from nearsense.files import atomic_write

            picture = BytesIO()
            figure.savefig(picture, **FORMATS[ending])
            with atomic_write(path) as stream:
                stream.write(picture.getvalue())
    return figure


def plain(label: str) -> str:
    """One line without what no font and no XML can hold: control characters, half characters, unassigned ones."""
    return "".join("\ufffd" if category(c) in {"Cc", "Cs", "Cn"} else c for c in " ".join(label.split()))


class Ruler:
    """How wide a text is, and what of it fits."""

    def __init__(self) -> None:
        renderer = matplotlib("backends.backend_agg").RendererAgg(1, 1, 720)
        self._measure = renderer.get_text_width_height_descent
        self._font = matplotlib("font_manager").FontProperties

    def width(self, text: str, size: float) -> float:
        """In inches, at so many points."""
        return float(self._measure(text, self._font(size=size), False)[0]) / 720 if text else 0.0

    def cut(self, text: str, size: float, width: float) -> str:
        """The text, or as much of it as fits with an ellipsis."""
        if self.width(text[:500], size) <= width and len(text) <= 500:
            return text
        fits = bisect_left(range(500), True, key=lambda end: self.width(text[:end] + "…", size) > width)
        return text[: max(fits - 1, 0)].rstrip() + "…"


_SCALE: dict[Metric | Ranking, str] = {
    Metric.COSINE: "cosine similarity",
    Metric.DOT: "dot product",
    Metric.EUCLIDEAN: "Euclidean distance, negated",
    Metric.MANHATTAN: "Manhattan distance, negated",
}
_COLOURS = ["#f6f9fa", "#c6e2ef", "#9bc9e2", "#78afd1", "#5d94bc", "#4a7aa3", "#3c6085", "#304765", "#243145"]
"""Light to dark in equal steps of lightness (CIE L* 97 to 20), so that it reads the same in greyscale."""
_VALUES_UP_TO = 30
_LABEL_WIDTH = 3.0
_MARGIN, _GAP = 0.25, 0.08
_SMALLEST = 4.5
"""Points of the smallest label; where rows stand closer, only every fifth, tenth, fiftieth... has one."""


def heatmap(matrix: Matrix, path: str | Path | None = None, *, title: str | None = None) -> Figure:
    """Every text against every other, or against another side's, as coloured squares; up to 30 texts with values.

    A cosine is coloured on the range from 0 (or the lowest value, where that is negative) to 1, so that pictures
    compare; another metric on the range of its values and 0. The bar on the right says which. Labels that do not
    fit are cut with an ellipsis. Columns carry the numbers of the rows, or their labels where these are short;
    those of another side their own labels, upright.
    From about 210 texts on, only every fifth, tenth, fiftieth... row is labelled.

    Args:
        matrix: What `ns.matrix` or `ns.similarity` returned; at least one text a side.
        path: Where to write it, `.png` or `.svg`; None to only return it. A file appears whole or not at all, and
            an SVG has the same bytes each time.
        title: A line above it.

    Returns:
        The matplotlib Figure. A font that lacks a label's characters draws boxes; saving the figure again by
        yourself then warns of them, which this function does not.

    Raises:
        InputError: The matrix is empty, not as large as its labels, or not finite, or `path` has another ending.
        FileError: `path` cannot be written.
        MissingExtra: matplotlib is not installed.

    Example:
        >>> from nearsense.records import Origin
        >>> scores = np.array([[1.0, 0.3], [0.3, 1.0]], dtype=np.float32)
        >>> figure = heatmap(Matrix(scores, ("a cat", "a dog"), Origin("demo", "0")), title="Two animals")
        >>> [text.get_text() for text in figure.axes[0].texts if "." in text.get_text()]
        ['1.00', '0.30', '0.30', '1.00']
    """
    _require_drawable(matrix)
    return _draw_figure(lambda: _heatmap(matrix, title or ""), path, "heatmap")


def _require_drawable(matrix: Matrix) -> None:
    n, m = len(matrix.labels), len(matrix.labels if matrix.columns is None else matrix.columns)
    if not n or not m:
        raise InputError("the matrix is empty", why="there is nothing to draw", fix="give at least one text")
    if matrix.scores.shape != (n, m):
        misfit = f"scores of shape {matrix.scores.shape} do not fit {n if n == m else f'{n} and {m}'} labels"
        raise InputError(misfit, fix="scores of shape (n, n)")
    if not np.isfinite(matrix.scores).all():
        row, column = np.argwhere(~np.isfinite(matrix.scores))[0]
        raise InputError(
            f"row {row}, column {column} of the matrix is {matrix.scores[row, column]}",
            why="only a finite score has a colour",
            fix="leave that text out",
        )


class _Plan(NamedTuple):
    """What goes where, before anything is drawn."""

    pitch: float  # from one row to the next
    size: float  # points of the labels
    rows: dict[int, str]  # row -> its label
    columns: dict[int, str]  # column -> its number, or its label where all are short
    numbered: bool  # whether rows carry numbers too
    upright: float = 0.0  # how high the labels of columns are, where they stand upright


def _plan(labels: Sequence[str], others: Sequence[str] | None, ruler: Ruler) -> _Plan:
    n = len(labels) if others is None else max(len(labels), len(others))
    pitch = max(_pitch(n), 1.8 / n)
    size = min(9.0, max(_SMALLEST, 0.75 * 72 * pitch))
    room = 1.2 * size / 72 / pitch
    rows = {i: ruler.cut(plain(labels[i]), size, _LABEL_WIDTH) for i in _every(len(labels), room)}
    if others is not None:
        columns = {j: ruler.cut(plain(others[j]), size, _LABEL_WIDTH) for j in _every(len(others), room)}
        widest = max(ruler.width(label, size) for label in columns.values())
        lying = len(columns) == len(others) and widest < 0.9 * pitch
        return _Plan(pitch, size, rows, columns, numbered=False, upright=0.0 if lying else widest)
    if len(rows) == n and max(ruler.width(label, size) for label in rows.values()) < 0.9 * pitch:
        return _Plan(pitch, size, rows, rows, numbered=False)
    columns = {i: str(i + 1) for i in _every(n, 1.3 * ruler.width(str(n), size) / pitch)}
    return _Plan(pitch, size, rows, columns, numbered=True)


def _pitch(n: int) -> float:
    """Cells with values are at least as wide as a value; the square is at most 16 wide."""
    return float(np.clip(7 / n, 0.36, 0.75) if n <= _VALUES_UP_TO else max(10 / n, min(0.11, 16 / n)))


def _every(n: int, room: float) -> list[int]:
    """The rows to label where one label takes the room of so many rows: all, or those with a round number."""
    steps = (base * 10**power for power in range(10) for base in (1, 5))
    step = next(step for step in steps if step >= room)
    return list(range(step - 1, n, step)) or [0]


def _heatmap(matrix: Matrix, title: str) -> Figure:
    ruler = Ruler()
    plan = _plan(matrix.labels, matrix.columns, ruler)
    side, across = (plan.pitch * count for count in matrix.scores.shape)
    numbers = 2 * _GAP + ruler.width(str(len(matrix.labels)), plan.size) if plan.numbered else _GAP
    left = _MARGIN + max(ruler.width(label, plan.size) for label in plan.rows.values()) + numbers
    heading = plain(title)
    wide = max(left + across + 1.2, min(ruler.width(heading, 12), 6.0) + 2 * _MARGIN)
    top = _MARGIN + max(0.25, plan.upright + _GAP) + (0.4 if heading else 0.0)
    high = top + side + 0.5

    figure: Figure = matplotlib("figure").Figure(figsize=(wide, high), dpi=150)
    square = figure.add_axes((left / wide, 0.5 / high, across / wide, side / high))
    tall = min(side, 3.0)
    bar = figure.add_axes(((left + across + 0.22) / wide, (0.5 + side - tall) / high, 0.12 / wide, tall / high))
    _draw_cells(square, bar, matrix, plan, ruler)
    _draw_labels(square, plan, numbers)
    if heading:
        heading = ruler.cut(heading, 12, wide - 2 * _MARGIN)
        figure.text(_MARGIN / wide, 1 - (_MARGIN + 0.15) / high, heading, size=12, color=INK)
    model = ruler.cut(plain(matrix.origin.model), 7, wide - 2 * _MARGIN)
    figure.text(_MARGIN / wide, 0.2 / high, model, size=7, color=PALE)
    return figure


def _draw_cells(square: Any, bar: Any, matrix: Matrix, plan: _Plan, ruler: Ruler) -> None:
    (rows, columns), metric = matrix.scores.shape, matrix.origin.metric
    n = max(rows, columns)
    lowest, highest = min(0.0, float(matrix.scores.min())), max(0.0, float(matrix.scores.max()))
    highest = 1.0 if metric is Metric.COSINE or lowest == highest else highest
    values = n <= _VALUES_UP_TO
    cells = square.pcolormesh(
        matrix.scores,
        cmap=matplotlib("colors").LinearSegmentedColormap.from_list("nearsense", _COLOURS),
        vmin=lowest,
        vmax=highest,
        edgecolors="white" if values else "none",
        linewidth=0.8 if values else 0.0,
        antialiased=values,
        rasterized=n > 60,  # an SVG of 40,000 squares opens slowly
    )
    square.set(xlim=(0, columns), ylim=(rows, 0))
    square.set_axis_off()
    scale = square.figure.colorbar(cells, cax=bar)
    scale.outline.set_visible(False)
    scale.set_label(_SCALE[metric], size=8, color=PALE, labelpad=6)
    bar.tick_params(labelsize=8, labelcolor=PALE, length=0, pad=4)
    if values:
        texts = _values(matrix.scores)
        size = min(9.0, 9.0 * 0.84 * plan.pitch / max(ruler.width(text, 9.0) for text in texts.flat))
        for (i, j), text in np.ndenumerate(texts):
            colour = _readable_on(cells.cmap(cells.norm(matrix.scores[i, j])))
            _write(square, text, (j + 0.5, i + 0.5), size=size, colour=colour)


def _draw_labels(square: Any, plan: _Plan, numbers: float) -> None:
    for i, label in plan.rows.items():
        _write(square, label, (0, i + 0.5), size=plan.size, align="right", right=-numbers)
        if plan.numbered:
            number = str(i + 1)
            _write(square, number, (0, i + 0.5), size=plan.size, align="right", right=-_GAP, colour=PALE)
    colour = PALE if plan.numbered else INK
    for j, label in plan.columns.items():
        if plan.upright:
            _write(square, label, (j + 0.5, 0), size=plan.size, up=_GAP, colour=colour, upright=True)
            continue
        up = _GAP + 0.5 * plan.size / 72
        _write(square, label, (j + 0.5, 0), size=plan.size, up=up, colour=colour)


def _write(
    square: Any,
    text: str,
    at: tuple[float, float],
    *,
    size: float,
    colour: str = INK,
    align: str = "center",
    right: float = 0.0,
    up: float = 0.0,
    upright: bool = False,
) -> None:
    """One line, its middle at a point of the square; set by the baseline, so that neighbours stand in line.

    Upright it begins at the point, and is read from below.
    """
    offset = (72 * right, 72 * up if upright else 72 * up - 0.36 * size)
    square.annotate(
        text, at, offset, textcoords="offset points", size=size, color=colour, annotation_clip=False,
        ha=align, va="bottom" if upright else "baseline", rotation=90 if upright else 0,
    )  # fmt: skip


def _values(scores: Any) -> Any:
    """The scores as texts, all with the same number of decimals: two below 10, fewer above."""
    largest = float(np.abs(scores).max())
    decimals = 2 if largest < 10 else 1 if largest < 100 else 0
    form = f"z.{decimals}f" if largest < 1e4 else "z.0e"  # z: no "-0.00"
    return np.array([[format(value, form).replace("-", "\u2212", 1) for value in row] for row in scores.tolist()])


def _readable_on(colour: Sequence[float]) -> str:
    """Black or white, whichever contrasts more with an sRGB colour (WCAG 2.1, relative luminance)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "black" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "white"


_SIDE, _BORDER = 9.0, 0.55
_POINTS_OF_NAME = 8.5
_LONGEST = 2.4
_POINTS_AS_PIXELS = 3_000
"""Texts from which on an SVG holds the points as one picture: 100,000 circles open slowly."""


def map_picture(scene: Scene, path: str | Path | None = None, *, title: str = "") -> Figure:
    """Every text as a point in the colour of its cluster, with the names of clusters where they cover no other.

    It is written to the path, `.png` or `.svg`, where one is given. The scene has at least one text.

    Example:
        >>> from nearsense.records import Document, Neighbours
        >>> nobody = Neighbours(np.zeros((2, 0), np.int64), np.zeros((2, 0), np.float32), np.zeros(2, np.int64))
        >>> two = Scene(
        ...     [Document("1", "a cat"), Document("2", "a dog")],
        ...     np.array([[-1, 0], [1, 0]], np.float32), np.array([0, 0]), ["animals"], nobody,
        ... )  # fmt: skip
        >>> [text.get_text() for text in map_picture(two).texts]
        ['animals']
    """
    return _draw_figure(lambda: _map(scene, title), path, "picture of a map")


class _Name(NamedTuple):
    """The name of a cluster, and the middle of its line."""

    cluster: int
    text: str
    x: float
    y: float


def _map(scene: Scene, title: str) -> Figure:
    ruler, places = Ruler(), anchors(scene)
    colours = shared_colours(places, scene.sizes())
    low, high = scene.points.min(axis=0), scene.points.max(axis=0)
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-3)
    reach = _SIDE / 2 - _BORDER
    unit = reach / float(half.max())  # inches of one unit of the plane
    tall = max(2 * unit * float(half[1]) + 2 * _BORDER, 3.0) + (0.4 if title else 0.0)
    centre = np.array([_SIDE / 2, (tall - (0.4 if title else 0.0)) / 2])

    def on_paper(points: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray((points - middle) * unit + centre, np.float64)

    figure: Figure = matplotlib("figure").Figure(figsize=(_SIDE, tall), dpi=150, facecolor=PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, _SIDE), ylim=(0, tall))
    axes.set_axis_off()
    _dots(axes, scene, on_paper(scene.points), colours)
    halo = [matplotlib("patheffects").withStroke(linewidth=2.6, foreground=PAPER, alpha=0.88)]
    for name in _names(scene, on_paper(places), ruler, (_SIDE, tall)):
        written: dict[str, Any] = {"size": _POINTS_OF_NAME, "weight": "bold", "ha": "center", "va": "center"}
        axes.text(name.x, name.y, name.text, color=PAPER, path_effects=halo, **written)  # outlines are no text
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


_FEW = 5_000  # texts up to which a name stands beside its points instead of on them

_BESIDE = ((0, 0.95), (0, -0.95), (0.6, 0), (-0.6, 0), (0, 1.9), (0, -1.9), (0, 0))
_UPON = ((0, 0), (0, 1), (0, -1), (0.62, 0), (-0.62, 0), (0, 2), (0, -2))
"""Where a name may stand, in widths and lines from its cluster's middle."""


def _meet(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]


def _towards_ink(colour: str) -> str:
    """A colour dark enough to read, that still tells which cluster it names."""
    mixed = (round(0.62 * int(INK[at : at + 2], 16) + 0.38 * int(colour[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{part:02x}" for part in mixed)
