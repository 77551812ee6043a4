"""Texts in the plane: laid out, in clusters, with their nearest and with pairs to judge. Not how that is drawn."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._progress import Progress
from nearsense.columns import frame_of
from nearsense.corpus import Texts, as_documents, given_of
from nearsense.encoders import Encoder, resolve, symmetric_role
from nearsense.errors import InputError
from nearsense.mapping import (
    FEWEST,
    NEIGHBOURS,
    Layout,
    Pairs,
    Scene,
    best_layout,
    first_rows,
    neighbour_layout,
    principal_components,
)
from nearsense.own_vectors import checked_vectors
from nearsense.records import Document, Neighbours, Origin, Vectors, parse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.calibrator import Calibrated
    from nearsense.clustering import Clusters
    from nearsense.corpus import TextColumn
    from nearsense.deduplication import Duplicates

__all__ = ["MOST_PAIRS", "TextMap", "map_texts"]

MOST_PAIRS = 5_000  # duplicates that a map takes up, the surest first: more than anybody judges
SHOWN = 10  # nearest texts that are told of each

_STEPS = np.linspace(-1.0, 1.0, 801)
"""Scores of which a map knows the probability; between them it is read off a straight line."""


@dataclass(frozen=True, slots=True, eq=False)
class TextMap(Scene):
    """n texts in the plane. Made by `ns.map`; `save` writes a page or a picture.

    Args:
        documents: The texts with their ids.
        points: float32, shape (n, 2), within [-1, 1].
        labels: int64, shape (n,): the cluster of each text, -1 for none.
        names: The name of each cluster.
        neighbours: The ten nearest texts of each, itself left out, with cosine similarities.
        pairs: What to judge: duplicates that were found.
        curve: float64, shape (p, 2): scores and their probabilities; None where no calibration is known.
        layout: How the points were found.
        origin: What gave the vectors.
    """

    def save(self, path: str | os.PathLike[str], *, title: str | None = None) -> None:
        """Write it: a page that one looks around in (.html), or a picture (.png, .svg).

        Args:
            path: The file; its ending says what is written. A file appears whole or not at all.
            title: A line above it; the file's name without it.

        Raises:
            InputError: The ending is another.
            FileError: The file cannot be written.
            MissingExtra: A picture needs the extra `plots`.
        """
        WRITERS[ending_of(path)](self, Path(path), Path(path).stem if title is None else title)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values: where each text lies, and in which cluster."""
        rows = zip(self.documents, self.points.tolist(), self.labels.tolist(), strict=True)
        return {
            "layout": self.layout.value,
            "clusters": list(self.names),
            "texts": [
                {"id": document.id, "text": document.text, "x": x, "y": y, "cluster": None if own < 0 else own}
                for document, (x, y), own in rows
            ],
            **self.origin.to_dict(),
        }

    def to_frame(self, library: str | None = None) -> Any:
        """One row a text, in their order: `x`, `y`, its `cluster` (-1: none) and that one's `label`.

        Where a Series or a frame of pandas came in it has that index.

        Args:
            library: "pandas", "polars" or "arrow"; without it that of the texts that came, else pandas.

        Raises:
            MissingExtra: The library is not installed.
        """
        given, labels = given_of(self.documents), self.labels.tolist()
        columns = {
            "x": self.points[:, 0],
            "y": self.points[:, 1],
            "cluster": self.labels,
            "label": [None if label < 0 else self.names[label] for label in labels],
        }
        return frame_of(columns, library, given, given.whole_index)

    def __repr__(self) -> str:
        texts = f"{len(self):,} text{'s' * (len(self) != 1)}"
        clusters = f"{len(self.names):,} cluster{'s' * (len(self.names) != 1)}"
        return f"<TextMap: {texts}, {clusters}, {self.layout.value}>"


def _page(scene: TextMap, path: Path, title: str) -> None:
    from nearsense.files import atomic_write
    from nearsense.pages.map import map_html

    with atomic_write(path) as stream:
        stream.write(map_html(scene, title).encode("utf-8", "replace"))


def _picture(scene: TextMap, path: Path, title: str) -> None:
    from nearsense.plots import map_picture

    map_picture(scene, path, title=title)


WRITERS: dict[str, Callable[[TextMap, Path, str], None]] = {".html": _page, ".png": _picture, ".svg": _picture}
"""What is written under which ending."""


def map_texts(
    texts: Texts,
    *,
    text: TextColumn = None,
    clusters: Clusters | None = None,
    duplicates: Duplicates | None = None,
    vectors: Vectors | None = None,
    encoder: Encoder | str | None = None,
    layout: str | None = None,
    calibration: Calibrated = None,
    prior: float | None = None,
    seed: int = 0,
    progress: Progress = False,
) -> TextMap:
    """Texts in the plane: near texts near each other, in clusters with names.

    The order of the texts decides nothing. Equal texts lie on one point.

    Args:
        texts: n strings or Documents, a Series, a path; or a frame, with `text`. At least one.
        text: The column of a frame or file that holds the texts; of several they are joined.
        clusters: What `ns.cluster` made of these texts; made here without it.
        duplicates: What `ns.duplicates` found among them: pairs to judge, the surest 5,000 of texts that differ.
        vectors: Their n vectors, where they are encoded already.
        encoder: An Encoder or a model's name; the default model without it.
        layout: "neighbours" (near texts lie near each other; needs the extra `map`) or "pca" (the two directions
            in which the texts differ most). Without it "neighbours" where it can be had. Fewer than 20 different
            texts are laid out by "pca"; the result's `layout` says which it was.
        calibration: What turns scores into probabilities: a Calibration, its file, "paraphrase", "question" or
            "none". Without it "paraphrase", where it comes with the model.
        prior: The share of near texts that mean the same, within (0, 1). Without it the calibration's own, or 0.5,
            as for `ns.duplicates`. It is that of `curve`; `pairs` keep the probabilities that `duplicates` has.
        seed: Of what is drawn by chance; the same seed gives the same map.
        progress: True for a bar on stderr, or a function called with (done, total).

    Returns:
        A TextMap: `points`, `labels`, `names`, `neighbours`; `save("map.html")` writes it.

    Raises:
        InputError: There is no text, one is empty or no string, ids repeat, there are not as many vectors as
            texts, or clusters or duplicates are of other texts.
        MissingExtra: `layout="neighbours"` was asked for, and openTSNE is not installed.
        ModelMismatch: The calibration is of another model.

    Example:
        >>> import nearsense as ns
        >>> texts = ["I lost my card.", "My card was lost.", "Where is my parcel?", "The parcel is late."]
        >>> found = ns.map(texts, clusters=ns.cluster(texts, k=2))
        >>> found
        <TextMap: 4 texts, 2 clusters, pca>
        >>> found.points.shape, found.neighbours.ids[:, 0].tolist()
        ((4, 2), [1, 0, 3, 2])
    """
    chosen = None if layout is None else parse(Layout, layout, name="layout")
    documents = as_documents(texts, text)
    if not documents:
        raise InputError("there is no text", why="a map of nothing shows nothing", fix="give at least one text")
    known = _vectors(documents, vectors, encoder, progress)
    origin = Origin(known.model, known.fingerprint)
    curve = _curve(origin, calibration, prior, encoder)
    points, kind, near = _layout(documents, known.data, chosen, seed, progress)
    if clusters is None:
        from nearsense.clustering import cluster

        clusters = cluster(documents, vectors=known, seed=seed, progress=progress)
    labels, names = _clusters(clusters, documents)
    pairs = Pairs.none() if duplicates is None else _pairs(duplicates, documents)
    return TextMap(documents, points, labels, names, near, pairs, curve, kind, origin)


def _vectors(
    documents: Sequence[Document], vectors: Vectors | None, encoder: Encoder | str | None, progress: Progress
) -> Vectors:
    if vectors is None:
        model = resolve(encoder)
        return model.encode((each.text for each in documents), role=symmetric_role(model), progress=progress)
    checked_vectors(vectors, len(documents))
    if encoder is not None:
        own = resolve(encoder)
        vectors.require_made_by(own.name, own.fingerprint)
    return vectors


def _curve(
    origin: Origin, calibration: Calibrated, prior: float | None, encoder: Encoder | str | None
) -> NDArray[np.float64] | None:
    """What a map says of each score; None where no calibration is known."""
    from nearsense.calibration import Task
    from nearsense.calibrator import Calibrator

    calibrator = Calibrator(Task.PARAPHRASE, calibration, prior)
    found = calibrator.of(origin, None if encoder is None else resolve(encoder))
    if found is None:
        return None
    here = found.here(share=calibrator.prior)
    return np.column_stack([_STEPS, here.probability(_STEPS, prior=calibrator.prior_of(here))])


def _layout(
    documents: Sequence[Document],
    vectors: NDArray[np.float32],
    chosen: Layout | None,
    seed: int,
    progress: Progress,
) -> tuple[NDArray[np.float32], Layout, Neighbours]:
    """Points, how they were found, and the nearest of each text; different texts are laid out in order."""
    from nearsense.mining import nearest

    rows, places = first_rows([document.text for document in documents])
    kind = (chosen or best_layout()) if len(rows) >= FEWEST else Layout.PCA
    start = principal_components(vectors[rows])
    if kind is Layout.PCA:
        return start[places], kind, nearest(vectors, SHOWN, progress=progress)
    wide = nearest(vectors[rows], NEIGHBOURS, progress=progress)
    points = neighbour_layout(start, wide, seed=seed, progress=progress)[places]
    if len(rows) < len(documents):
        return points, kind, nearest(vectors, SHOWN, progress=progress)
    back = rows[wide.ids[places, :SHOWN]]  # of the order of the texts to that of the rows
    return points, kind, Neighbours(back, wide.scores[places, :SHOWN], np.minimum(wide.counts[places], SHOWN))


def _clusters(clusters: Clusters, documents: Sequence[Document]) -> tuple[NDArray[np.int64], list[str]]:
    """The number of each text's cluster in their list, and their names."""
    if list(clusters.ids) != [document.id for document in documents]:
        raise InputError(
            f"the clusters are of {len(clusters.ids):,} other texts",
            why="a map needs the cluster of each of its texts, in their order",
            fix="give ns.cluster of these very texts, or none",
        )
    number = {cluster.id: place for place, cluster in enumerate(clusters)}
    labels = np.array([number.get(label, -1) for label in clusters.labels.tolist()], np.int64)
    return labels, [cluster.label for cluster in clusters]


def _pairs(found: Duplicates, documents: Sequence[Document]) -> Pairs:
    """Pairs of texts that differ, the surest first, each of the first rows that hold them."""
    theirs = found.rows.documents
    if theirs is not documents and [each.id for each in theirs] != [each.id for each in documents]:
        raise InputError(
            f"the duplicates are of {len(theirs):,} other texts",
            why="a map shows pairs of its own texts",
            fix="give ns.duplicates of these very texts, or none",
        )
    edges = found.edges
    least = found.min_probability if found.min_probability is not None else found.min_score
    values = edges.score if found.min_probability is None else edges.strength
    asked = (values >= (least or 0.0)) & (np.maximum(edges.left, edges.right) < len(found.rows))
    chosen = np.flatnonzero(asked)[:MOST_PAIRS]
    ends = np.stack([found.rows.first[edges.left[chosen]], found.rows.first[edges.right[chosen]]])
    turned = ends[0] > ends[1]
    ends = np.sort(ends, axis=0)
    return Pairs(
        ends[0],
        ends[1],
        edges.score[chosen],
        None if edges.probability is None else edges.probability[chosen],
        [edges.words(edge, turned=at) or () for edge, at in zip(chosen.tolist(), turned.tolist(), strict=True)],
    )


def ending_of(path: str | os.PathLike[str]) -> str:
    """The ending of a name, one of WRITERS; any other is refused."""
    ending = Path(path).suffix.lower()
    if ending not in WRITERS:
        raise InputError(
            f"{os.fspath(path)}: a map is not written in that format",
            why=f"it is written as {', '.join(WRITERS)}",
            fix="name a file that ends so: map.html",
        )
    return ending
