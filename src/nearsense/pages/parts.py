"""What pages are made of: their shell, tables, texts as plain text, and charts as inline SVG. Not what they say.

Every chart has a title and a description for those who cannot see it; colours are classes of the page's style.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from nearsense.tables import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

STYLE = "\n" + (files("nearsense.pages") / "report.css").read_text("utf-8")


def plain(text: str) -> str:
    """A text as HTML that shows it as it is: nothing in it is markup, no character steers the reader's eye.

    Example:
        >>> plain("<b>1 & 2</b>")
        '&lt;b&gt;1 &amp; 2&lt;/b&gt;'
    """
    return escape(printable(text))


def page(title: str, body: Iterable[str]) -> str:
    """A whole page, of a title in plain text and parts as HTML; its policy allows nothing but its own style."""
    return _PAGE.format(title=plain(title), style=STYLE, policy=policy(STYLE), body="\n".join(body))


def policy(style: str, script: str = "") -> str:
    """Nothing is allowed but this very style and this very script, and pictures that the page holds itself."""
    allowed = {"style": style, "script": script}
    hashes = (
        f"{kind}-src 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for kind, text in allowed.items()
        if text
    )
    return "; ".join(["default-src 'none'", *hashes, "img-src data:", "base-uri 'none'", "form-action 'none'"])


def section(title: str, *parts: str, lead: str = "") -> str:
    """Parts as HTML under a heading and a leading sentence in plain text; nothing where it would hold nothing."""
    body = "\n".join(part for part in parts if part)
    if not body:
        return ""
    said = f'\n<p class="lead">{plain(lead)}</p>' if lead else ""
    return f"<section>\n<h2>{plain(title)}</h2>{said}\n{body}\n</section>"


def table(
    caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, marked: Iterable[int] = ()
) -> str:
    """A table of plain text; the first cell of each row is its heading, marked rows are bold.

    `>` behind the name of a column sets its cells to the right.
    """
    strong = set(marked)
    kinds = [' class="n"' if name.endswith(">") else "" for name in columns]
    heads = "".join(
        f'<th scope="col"{kind}>{plain(name.removesuffix(">"))}</th>'
        for name, kind in zip(columns, kinds, strict=True)
    )
    classes = {True: ' class="strong"', False: ""}
    body = "\n".join(
        f"<tr{classes[place in strong]}>{_cells(cells, kinds)}</tr>" for place, cells in enumerate(rows)
    )
    return (
        f'<div class="wide"><table>\n<caption>{plain(caption)}</caption>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _cells(cells: Sequence[str], kinds: Sequence[str]) -> str:
    first = f'<th scope="row"{kinds[0]}>{plain(cells[0])}</th>'
    rest = (f"<td{kind}>{plain(cell)}</td>" for cell, kind in zip(cells[1:], kinds[1:], strict=True))
    return first + "".join(rest)


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its interval."""

    name: str  # what it belongs to
    value: float  # the value
    low: float  # its lower end
    high: float  # its upper end
    colour: str  # a class of the page's style


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A line."""

    name: str  # what it shows
    x: Floats  # where its points stand
    y: Floats  # how high
    colour: str  # classes of the page's style
    dotted: bool = False  # whether each point is marked


@dataclass(frozen=True, slots=True)
class _Area:
    """Where a chart is drawn: numbers to places."""

    width: float
    height: float
    x_range: Range
    y_range: Range
    left: float = 54.0
    right: float = 12.0
    top: float = 12.0
    bottom: float = 38.0

    def x(self, value: float) -> float:
        low, high = self.x_range
        return self.left + (value - low) / (high - low) * (self.width - self.left - self.right)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return self.height - self.bottom - (value - low) / (high - low) * (self.height - self.top - self.bottom)


def intervals(rows: Sequence[Interval], *, title: str, axis: str) -> str:
    """A row for each value: a dot and its interval; of those whose value is NaN the name only."""
    known = [each for each in rows if not math.isnan(each.value)]
    low = min((each.low for each in known), default=0.0)
    high = max((each.high for each in known), default=1.0)
    room = max(high - low, 1e-9) * 0.06
    longest = max(len(each.name) for each in rows)
    left = min(max(90.0, 6.6 * longest + 18), 330.0)
    area = _Area(720, 30 * len(rows) + 52, (low - room, high + room), (0, len(rows)), left=left, right=60)
    parts = _vertical_rules(area)
    for place, each in enumerate(rows):
        y = area.y(len(rows) - place - 0.5)
        parts.append(
            f'<text class="name end" x="{left - 12:.0f}" y="{y + 4:.1f}">{plain(_cut(each.name, 46))}</text>'
        )
        if math.isnan(each.value):
            parts.append(f'<text class="name" x="{left + 8:.1f}" y="{y + 4:.1f}">-</text>')
            continue
        parts += [
            f'<path class="whisker {each.colour}" d="M{area.x(each.low):.1f} {y:.1f}H{area.x(each.high):.1f}"/>',
            f'<circle class="point {each.colour}" cx="{area.x(each.value):.1f}" cy="{y:.1f}" r="5"/>',
            f'<text class="name" x="{area.x(each.high) + 8:.1f}" y="{y + 4:.1f}">{each.value:.1f}</text>',
        ]
    parts.append(_below(area, axis))
    said = "; ".join(f"{each.name} {each.value:.1f} [{each.low:.1f}, {each.high:.1f}]" for each in known)
    return _svg(area, parts, title, said or "no values")


def distributions(
    groups: Sequence[tuple[str, Floats, str]],
    x_range: Range,
    *,
    title: str,
    axis: str,
    marks: Sequence[tuple[str, float]] = (),
    bins: int = 40,
) -> str:
    """How values are spread: an outline of the same area for each group of a name, values and a colour.

    Values beyond `x_range` count into the outermost bins; `marks` are names and places of upright lines.
    """
    edges = np.linspace(*x_range, bins + 1)
    shares = [np.histogram(np.clip(values, *x_range), edges)[0] / max(len(values), 1) for _, values, _ in groups]
    highest = max(float(each.max()) for each in shares) or 1.0
    area = _Area(360, 190, x_range, (0, highest * 1.08), left=8, right=10)
    parts = _vertical_rules(area)
    for (_, _, colour), share in zip(groups, shares, strict=True):
        places = [f"{area.x(edge):.1f} {area.y(value):.1f}" for edge, value in _steps(edges, share)]
        parts.append(f'<path class="area {colour}" d="M{"L".join(places)}"/>')
    for name, place in marks:
        x = area.x(float(np.clip(place, *x_range)))
        side, x_name = ("end", x - 4) if x > area.width / 2 else ("", x + 4)
        parts += [
            f'<path class="guide" d="M{x:.1f} {area.top}V{area.height - area.bottom:.1f}"/>',
            f'<text class="{side}" x="{x_name:.1f}" y="{area.top + 2:.0f}">{plain(name)}</text>',
        ]
    parts += [_base(area), _below(area, axis)]
    said = "; ".join(f"{name}: {_summary(values)}" for name, values, _ in groups if len(values))
    return _svg(area, parts, title, said)


def curves(
    lines: Sequence[Curve],
    *,
    title: str,
    axes: tuple[str, str],
    x_range: Range = (0.0, 1.0),
    y_range: Range = (0.0, 1.0),
    diagonal: bool = False,
    level: float | None = None,
) -> str:
    """Lines over the same axes, those drawn last on top; a diagonal where both are equal, and a level line."""
    area = _Area(460, 340, x_range, y_range)
    parts = [*_vertical_rules(area), *_level_rules(area)]
    if diagonal:
        ends = [f"{area.x(value):.1f} {area.y(value):.1f}" for value in (max(x_range[0], y_range[0]), 1.0)]
        parts.append(f'<path class="guide" d="M{"L".join(ends)}"/>')
    if level is not None:
        parts.append(f'<path class="guide" d="M{area.left} {area.y(level):.1f}H{area.width - area.right}"/>')
    for line in lines:
        places = [
            f"{area.x(x):.1f} {area.y(y):.1f}" for x, y in zip(line.x.tolist(), line.y.tolist(), strict=True)
        ]
        parts.append(f'<path class="line {line.colour}" d="M{"L".join(places)}"/>')
        if line.dotted:
            parts += [
                f'<circle class="point {line.colour}" cx="{place.split()[0]}" cy="{place.split()[1]}" r="4.5"/>'
                for place in places
            ]
    said = f"{axes[1]} over {axes[0]}: {', '.join(line.name for line in lines)}"
    return _svg(area, [*parts, *_named_axes(area, axes)], title, said)


def points(
    x: Floats, y: Floats, *, title: str, axes: tuple[str, str], x_range: Range, y_range: Range, colour: str = "a"
) -> str:
    """A dot for each pair of values."""
    area = _Area(460, 340, x_range, y_range)
    dots = "".join(f"M{area.x(a):.1f} {area.y(b):.1f}h0" for a, b in zip(x.tolist(), y.tolist(), strict=True))
    parts = [*_vertical_rules(area), *_level_rules(area), f'<path class="dots {colour}" d="{dots}"/>']
    said = f"{len(x):,} dots: {axes[1]} over {axes[0]}"
    return _svg(area, [*parts, *_named_axes(area, axes)], title, said)


def key(entries: Iterable[tuple[str, str]]) -> str:
    """What the colours, classes of the page's style, mean."""
    rows = "".join(
        f'<li><svg viewBox="0 0 22 10" aria-hidden="true"><path class="line {colour}" d="M1 5H21"/></svg>'
        f"{plain(name)}</li>"
        for name, colour in entries
    )
    return f'<ul class="key">{rows}</ul>'


def ticks(low: float, high: float, count: int = 7) -> list[float]:
    """Round numbers within a range; none where it is none.

    Example:
        >>> ticks(0.0, 1.0)
        [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        return []
    raw = (high - low) / max(count - 1, 1)
    power = 10.0 ** np.floor(np.log10(raw))
    step = float(next(size * power for size in (1, 2, 2.5, 5, 10) if size * power >= raw * 0.999))
    first = int(np.ceil(low / step - 1e-9))
    last = int(np.floor(high / step + 1e-9))
    return [round(place * step, 10) + 0.0 for place in range(first, last + 1)]


def _svg(area: _Area, parts: Sequence[str], title: str, said: str) -> str:
    return (
        f'<svg viewBox="0 0 {area.width:.0f} {area.height:.0f}" role="img" class="w{area.width:.0f}">'
        f"<title>{plain(title)}</title><desc>{plain(said)}</desc>{''.join(parts)}</svg>"
    )


def _vertical_rules(area: _Area) -> list[str]:
    bottom = area.height - area.bottom
    return [
        f'<path class="rule" d="M{area.x(value):.1f} {area.top}V{bottom:.1f}"/>'
        f'<text class="mid" x="{area.x(value):.1f}" y="{bottom + 15:.1f}">{value:g}</text>'
        for value in ticks(*area.x_range)
    ]


def _level_rules(area: _Area) -> list[str]:
    return [
        f'<path class="rule" d="M{area.left} {area.y(value):.1f}H{area.width - area.right}"/>'
        f'<text class="end" x="{area.left - 7}" y="{area.y(value) + 4:.1f}">{value:g}</text>'
        for value in ticks(*area.y_range)
    ]


def _base(area: _Area) -> str:
    return f'<path class="base" d="M{area.left} {area.height - area.bottom:.1f}H{area.width - area.right}"/>'


def _below(area: _Area, words: str) -> str:
    middle = (area.left + area.width - area.right) / 2
    return f'<text class="mid" x="{middle:.1f}" y="{area.height - 5:.1f}">{plain(words)}</text>'


def _named_axes(area: _Area, axes: tuple[str, str]) -> list[str]:
    """The base line, and what is measured across and upwards."""
    middle = (area.top + area.height - area.bottom) / 2
    beside = f'<text class="mid" transform="translate(11 {middle:.1f}) rotate(-90)">{plain(axes[1])}</text>'
    return [_base(area), _below(area, axes[0]), beside]


def _steps(edges: Floats, heights: Floats) -> list[tuple[float, float]]:
    """An outline along the bins, from the ground to the ground."""
    places = [(float(edges[0]), 0.0)]
    for left, right, height in zip(edges[:-1].tolist(), edges[1:].tolist(), heights.tolist(), strict=True):
        places += [(left, height), (right, height)]
    return [*places, (float(edges[-1]), 0.0)]


def _summary(values: Floats) -> str:
    low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
    return f"{len(values):,} values, median {middle:.2f}, 8 of 10 from {low:.2f} to {high:.2f}"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
