"""Pictures of results: a `Matrix` as a heatmap, PNG or SVG. Not the numbers themselves: see render.py.

Drawn on matplotlib's Figure alone, never through pyplot: it works without a display, keeps no figure alive, and
looks the same whatever style the caller has set. Every length below is in inches unless it says points.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from nearsense.types import Matrix, Metric, Ranking

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["heatmap"]

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
    """Every text against every other as a coloured square, with the value in each cell for up to 30 texts.

    A cosine is coloured on the range from 0 (or the lowest value, where that is negative) to 1, so that pictures
    compare; another metric on the range of its values and 0. The bar on the right says which. Labels that do not
    fit are cut with an ellipsis. Columns carry the numbers of the rows, or their labels where these are short.
    From about 210 texts on, only every fifth, tenth, fiftieth... row is labelled.

    Args:
        matrix: What `nearsense.matrix` returned; at least one text.
        path: Where to write it, `.png` or `.svg`; None to only return it. A file appears whole or not at all, and
            an SVG has the same bytes each time.
        title: A line above it.

    Returns:
        The matplotlib Figure. A font that lacks a label's characters draws boxes; saving the figure again by
        yourself then warns of them, which this function does not.

    Raises:
        InputError: The matrix is empty, not square, or not finite, or `path` has another ending.
        FileError: `path` cannot be written.
        MissingExtra: matplotlib is not installed.

    Example:
        >>> from nearsense.types import Origin
        >>> scores = np.array([[1.0, 0.3], [0.3, 1.0]], dtype=np.float32)
        >>> figure = heatmap(Matrix(scores, ("a cat", "a dog"), Origin("demo", "0")), title="Two animals")
        >>> [text.get_text() for text in figure.axes[0].texts if "." in text.get_text()]
        ['1.00', '0.30', '0.30', '1.00']
    """
    options = {} if path is None else _options(Path(path))
    _require_drawable(matrix)
    style = matplotlib("style", purpose="drawing a heatmap")
    with style.context(["default", {**STYLE, "font.family": fonts()}]), without_glyph_warnings():
        figure = _draw(matrix, title)
        if path is not None:
            save(figure, path, options)
    return figure


def _options(path: Path) -> dict[str, Any]:
    if path.suffix.lower() not in FORMATS:
        raise InputError(
            f"{path}: the picture's format is not known",
            why="a heatmap is written as .png or .svg",
            fix="end its name in .png or .svg",
        )
    return FORMATS[path.suffix.lower()]


def _require_drawable(matrix: Matrix) -> None:
    n = len(matrix.labels)
    if n == 0:
        raise InputError("the matrix is empty", why="there is nothing to draw", fix="give at least one text")
    if matrix.scores.shape != (n, n):
        raise InputError(
            f"scores of shape {matrix.scores.shape} do not fit {n} labels", fix="scores of shape (n, n)"
        )
    if not np.isfinite(matrix.scores).all():
        row, column = np.argwhere(~np.isfinite(matrix.scores))[0]
        raise InputError(
            f"row {row}, column {column} of the matrix is {matrix.scores[row, column]}",
            why="only a finite score has a colour",
            fix="leave that text out",
        )


class _Plan(NamedTuple):
    """What goes where, before anything is drawn."""

    pitch: float
    """From one row to the next."""
    size: float
    """Points of the labels."""
    rows: dict[int, str]
    """Row -> its label."""
    columns: dict[int, str]
    """Column -> its number, or its label where all are short."""
    numbered: bool
    """Whether rows carry numbers too."""


def _plan(labels: Sequence[str], ruler: Ruler) -> _Plan:
    n = len(labels)
    pitch = max(_pitch(n), 1.8 / n)
    size = min(9.0, max(_SMALLEST, 0.75 * 72 * pitch))
    shown = _every(n, 1.2 * size / 72 / pitch)
    rows = {i: ruler.cut(plain(labels[i]), size, _LABEL_WIDTH) for i in shown}
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


def _draw(matrix: Matrix, title: str | None) -> Figure:
    figures = matplotlib("figure", purpose="drawing a heatmap")
    ruler = Ruler()
    plan = _plan(matrix.labels, ruler)
    side = plan.pitch * len(matrix.labels)
    numbers = 2 * _GAP + ruler.width(str(len(matrix.labels)), plan.size) if plan.numbered else _GAP
    left = _MARGIN + max(ruler.width(label, plan.size) for label in plan.rows.values()) + numbers
    heading = plain(title or "")
    wide = max(left + side + 1.2, min(ruler.width(heading, 12), 6.0) + 2 * _MARGIN)
    top = _MARGIN + 0.25 + (0.4 if heading else 0.0)
    high = top + side + 0.5

    figure: Figure = figures.Figure(figsize=(wide, high), dpi=150)
    square = figure.add_axes((left / wide, 0.5 / high, side / wide, side / high))
    bar_high = min(side, 3.0)
    bar = figure.add_axes(
        ((left + side + 0.22) / wide, (0.5 + side - bar_high) / high, 0.12 / wide, bar_high / high)
    )
    _draw_cells(square, bar, matrix, plan, ruler)
    _draw_labels(square, plan, numbers)
    if heading:
        heading = ruler.cut(heading, 12, wide - 2 * _MARGIN)
        figure.text(_MARGIN / wide, 1 - (_MARGIN + 0.15) / high, heading, size=12, color=INK)
    model = ruler.cut(plain(matrix.origin.model), 7, wide - 2 * _MARGIN)
    figure.text(_MARGIN / wide, 0.2 / high, model, size=7, color=PALE)
    return figure


def _draw_cells(square: Any, bar: Any, matrix: Matrix, plan: _Plan, ruler: Ruler) -> None:
    colors = matplotlib("colors", purpose="drawing a heatmap")
    n, metric = len(matrix.labels), matrix.origin.metric
    lowest, highest = min(0.0, float(matrix.scores.min())), max(0.0, float(matrix.scores.max()))
    highest = 1.0 if metric is Metric.COSINE or lowest == highest else highest
    values = n <= _VALUES_UP_TO
    cells = square.pcolormesh(
        matrix.scores,
        cmap=colors.LinearSegmentedColormap.from_list("nearsense", _COLOURS),
        vmin=lowest,
        vmax=highest,
        edgecolors="white" if values else "none",
        linewidth=0.8 if values else 0.0,
        antialiased=values,
        rasterized=n > 60,  # an SVG of 40,000 squares opens slowly
    )
    square.set(xlim=(0, n), ylim=(n, 0))
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
) -> None:
    """One line, its middle at a point of the square; set by the baseline, so that neighbours stand in line."""
    offset = (72 * right, 72 * up - 0.36 * size)
    square.annotate(
        text, at, offset, textcoords="offset points", size=size, color=colour, ha=align, va="baseline",
        annotation_clip=False,
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
