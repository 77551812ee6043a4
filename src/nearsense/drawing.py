"""What all pictures share: inks, fonts, how wide a text is, and the saving. Not what is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearsense._optional import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "INK", "PALE", "STYLE", "Ruler", "fonts", "plain", "save", "without_glyph_warnings"]

_PURPOSE = "drawing a picture"

FORMATS: dict[str, dict[str, Any]] = {
    ".png": {"format": "png"},
    ".svg": {"format": "svg", "metadata": {"Date": None}},
}
INK, PALE = "#1b2430", "#7b8794"
_FALLBACK_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans",
    "Malgun Gothic",
    "Arial Unicode MS",
)
"""For scripts that DejaVu Sans lacks; those that are installed are used."""
STYLE = {
    "text.parse_math": False,  # a $ in a label is a $
    "text.hinting": "none",  # widths grow with the size alone, so that what was measured fits
    "svg.fonttype": "none",  # text stays text: searchable, small, and the viewer's fonts fill in what ours lack
    "svg.hashsalt": "nearsense",  # the same matrix gives the same bytes
}


def fonts() -> list[str]:
    """Families, in the order in which they are tried."""
    manager = require("matplotlib.font_manager", extra="plots", purpose=_PURPOSE)
    installed = set(manager.get_font_names())
    return ["DejaVu Sans", *(font for font in _FALLBACK_FONTS if font in installed), "sans-serif"]


@contextmanager
def without_glyph_warnings() -> Iterator[None]:
    """A label may hold any character; that no font here has it is seen in the picture, and nobody's mistake."""
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        yield


def save(figure: Figure, path: str | Path, options: dict[str, Any]) -> None:
    """Write a picture, whole or not at all."""
    from io import BytesIO

    from nearsense.files import atomic_write

    picture = BytesIO()
    figure.savefig(picture, **options)
    with atomic_write(path) as stream:
        stream.write(picture.getvalue())


def plain(label: str) -> str:
    """One line without what no font and no XML can hold: control characters, half characters, unassigned ones."""
    from unicodedata import category

    return "".join("\ufffd" if category(c) in {"Cc", "Cs", "Cn"} else c for c in " ".join(label.split()))


class Ruler:
    """How wide a text is, and what of it fits."""

    def __init__(self) -> None:
        agg = require("matplotlib.backends.backend_agg", extra="plots", purpose=_PURPOSE)
        manager = require("matplotlib.font_manager", extra="plots", purpose=_PURPOSE)
        self._measure = agg.RendererAgg(1, 1, 720).get_text_width_height_descent
        self._font = manager.FontProperties

    def width(self, text: str, size: float) -> float:
        """In inches, at so many points."""
        return float(self._measure(text, self._font(size=size), False)[0]) / 720 if text else 0.0

    def cut(self, text: str, size: float, width: float) -> str:
        """The text, or as much of it as fits with an ellipsis."""
        from bisect import bisect_left

        if self.width(text[:500], size) <= width and len(text) <= 500:
            return text
        fits = bisect_left(range(500), True, key=lambda end: self.width(text[:end] + "…", size) > width)
        return text[: max(fits - 1, 0)].rstrip() + "…"
