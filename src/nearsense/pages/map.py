"""A map as one HTML page that asks nobody for anything: data, style and script lie in it. Not the layout.

The script is put together from the files of the folder `map`; they are plain JavaScript, read in this order. The
page's policy allows this script and this style by their hashes, and no request at all. Texts travel as JSON in
which no `<` is left, and the script shows them by `textContent` alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.mapping import DARK, GREY, LIGHT, Scene, anchors, shared_colours
from nearsense.pages.parts import plain, policy

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["map_html", "map_policy"]

SCRIPTS = (
    "data.js", "words.js", "plane.js", "painter.js", "labels.js", "shown.js", "hand.js", "panels.js", "review.js",
    "main.js",
)  # fmt: skip

LENGTHS = (2_000, 1_000, 500, 240, 120)
"""Characters that are kept of each text: the first number with which all of them stay below `ROOM`."""

ROOM = 40_000_000  # characters of a page, about: what a browser opens without complaint


def map_html(scene: Scene, title: str = "Map") -> str:
    """A scene of at least one text as one page that needs nothing else: no network, no font, no library.

    Example:
        >>> from nearsense.records import Document, Neighbours
        >>> nobody = Neighbours(np.zeros((1, 0), np.int64), np.zeros((1, 0), np.float32), np.zeros(1, np.int64))
        >>> alone = Scene([Document("1", "hi")], np.zeros((1, 2), np.float32), np.array([-1]), [], nobody)
        >>> html = map_html(alone)
        >>> html.startswith("<!doctype html>"), "http:" in html
        (True, False)
    """
    style, script = _style_and_script()
    texts, cut = _texts(scene)
    parts = {
        "policy": map_policy(),
        "title": plain(title),
        "style": style,
        "facts": _json(_facts(scene, title, cut)),
        "points": _blob(scene.points, "<f4"),
        "labels": _blob(scene.labels, "<i4"),
        "near": _blob(scene.neighbours.ids, "<i4"),
        "nearness": _blob(np.where(np.isfinite(scene.neighbours.scores), scene.neighbours.scores, 0), "<f4"),
        "texts": texts,
        "ids": _json([_whole(document.id) for document in scene.documents]),
        "script": script,
    }
    page = _asset("map.html")
    pieces = page.split("%%")  # every second piece is the name of a part: nothing in a part is looked at again
    return "".join(parts[piece] if number % 2 else piece for number, piece in enumerate(pieces))


def map_policy() -> str:
    """What a map's page is allowed, for whoever serves it: it stands in every such page, too."""
    return policy(*_style_and_script())


def _style_and_script() -> tuple[str, str]:
    return _asset("map.css"), "\n".join(["'use strict';", *map(_asset, SCRIPTS)])


def _asset(name: str) -> str:
    return (files("nearsense.pages") / "map" / name).read_text("utf-8")


def _facts(scene: Scene, title: str, cut: int | None) -> dict[str, Any]:
    places, pairs = anchors(scene), scene.pairs
    colours = shared_colours(places, scene.sizes())
    return {
        "title": _whole(title),
        "texts": len(scene),
        "layout": scene.layout.value,
        "model": _whole(scene.origin.model),
        "version": scene.origin.version,
        "names": [_whole(name) for name in scene.names],
        "anchors": np.round(places.astype(np.float64), 5).tolist(),
        "colours": colours.tolist(),
        "light": [*LIGHT, GREY[0]],
        "dark": [*DARK, GREY[1]],
        "k": int(scene.neighbours.ids.shape[1]),
        "cut": cut,
        "curve": None if scene.curve is None else np.round(scene.curve, 5).tolist(),
        "calibration": scene.origin.calibration,
        "pairs": {
            "left": pairs.left.tolist(),
            "right": pairs.right.tolist(),
            "scores": np.round(pairs.scores.astype(np.float64), 6).tolist(),
            "probabilities": (None if pairs.probabilities is None else np.round(pairs.probabilities, 5).tolist()),
            "differs": [[_whole(each) for each in found] for found in pairs.differs],
        },
        "key": _key(scene),
    }


def _key(scene: Scene) -> str:
    """What tells this map's pairs from another's: under it the browser keeps verdicts."""
    told = hashlib.sha256()
    for left, right in zip(scene.pairs.left.tolist(), scene.pairs.right.tolist(), strict=True):
        for row in (left, right):
            told.update(scene.documents[row].text.encode("utf-8", "replace") + b"\0")
    return told.hexdigest()[:16]


def _texts(scene: Scene) -> tuple[str, int | None]:
    """All texts as JSON, and after how many characters they were cut where any was."""
    lengths = np.array([len(document.text) for document in scene.documents])
    cut = next((each for each in LENGTHS if np.minimum(lengths, each).sum() <= ROOM), LENGTHS[-1])
    kept = [_whole(document.text[:cut]) for document in scene.documents]
    long = {str(row): int(lengths[row]) for row in np.flatnonzero(lengths > cut)}
    return _json({"texts": kept, "long": long}), cut if long else None


def _whole(text: str) -> str:
    """A text as UTF-8 can hold it: half characters become question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _json(value: Any) -> str:
    """JSON that ends no script: `<` is written in digits."""
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return written.replace("<", "\\u003c")


def _blob(values: NDArray[Any], kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()
