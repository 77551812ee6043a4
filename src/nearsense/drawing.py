"""What all pictures share: inks, fonts, how wide a text is, and the saving. Not what is drawn."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nearsense._optional import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "FORMATS",
    "INK",
    "PALE",
    "STYLE",
    "Ruler",
    "fonts",
    "matplotlib",
    "plain",
    "save",
    "without_glyph_warnings",
]

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


def matplotlib(part: str = "", *, purpose: str = "drawing a picture") -> ModuleType:
    """A part of matplotlib, imported so that it makes no folder of settings in a home that has none.

    Args:
        part: The name of one of its modules.
        purpose: What it is needed for, as the start of a sentence.

    Raises:
        MissingExtra: It is not installed.
    """
    name = f"matplotlib.{part}" if part else "matplotlib"
    settings, cache = (_base("XDG_CONFIG_HOME", ".config"), _base("XDG_CACHE_HOME", ".cache"))
    known = name in sys.modules or "MPLCONFIGDIR" in os.environ or (settings / "matplotlib").is_dir()
    if known or not sys.platform.startswith("linux"):
        return require(name, extra="plots", purpose=purpose)
    os.environ["MPLCONFIGDIR"] = str(
        cache / "matplotlib"
    )  # it asks once where its two folders are: this one is where it would be
    try:
        return require(name, extra="plots", purpose=purpose)
    finally:
        del os.environ["MPLCONFIGDIR"]


def _base(variable: str, folder: str) -> Path:
    return Path(os.environ.get(variable) or os.path.expanduser(f"~/{folder}"))  # noqa: PTH111  (no home is no error)


def fonts() -> list[str]:
    """Families, in the order in which they are tried."""
    manager = matplotlib("font_manager")
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
        agg = matplotlib("backends.backend_agg")
        manager = matplotlib("font_manager")
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
