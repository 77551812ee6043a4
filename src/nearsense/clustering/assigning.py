"""New texts into known clusters, and new clusters where many are left over. Not how the first ones were found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nearsense._progress import Progress
from nearsense.clustering.clusters import Cluster, Clusters, Held, Model
from nearsense.clustering.lloyd import nearest_two
from nearsense.clustering.making import Found, Middle, middles, ordered, told
from nearsense.types import Vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.clustering.phrases import Phrases
    from nearsense.encoders import Encoder
    from nearsense.types import Document

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float32]

__all__ = ["assign", "reach"]

OUTSIDE = 0.05
"""Share of a cluster's own texts that would not be let in again: with it 93 % of new requests that belong
somewhere come in, and 16 % of those that belong nowhere (150 intents of clinc150)."""

SLACK = 1e-4
"""What rounding may take from a similarity."""

SMALL = 5_000
"""Up to so many texts left over are grouped by their mean similarity; of more the dense regions are found."""


def reach(middle: Middle) -> float:
    """From which cosine similarity to a cluster's centre on a text belongs there.

    What all but a twentieth of its own texts score with the middle of the others: a text is not measured against
    itself, which would make small clusters hard to enter.
    """
    if not len(middle.apart):
        return 1.0
    return float(np.quantile(middle.apart.astype(np.float64), OUTSIDE)) - SLACK


def assign(
    old: Clusters,
    texts: Iterable[str | Document],
    vectors: Vectors | None,
    encoder: Encoder | str | None,
    open_new: bool,
    progress: Progress,
) -> Clusters:
    """New texts in old clusters; see `Clusters.assign`."""
    from nearsense.clustering.phrases import count
    from nearsense.clustering.reading import held_of

    known = old._held
    if encoder is None and vectors is None:
        encoder = known.encoder if known is not None and known.encoder is not None else old.origin.model
    held = held_of(texts, vectors, encoder, None if known is None else known.language, progress)
    if len(held.documents):
        held.vectors.require_made_by(old.origin.model, old.origin.fingerprint)
    data, model = held.vectors.data, old.model
    labels, strengths = np.full(len(data), -1, np.int64), np.zeros(len(data), np.float32)
    if len(model.ids) and len(data):
        owner, scores, _ = nearest_two(data, model.centres)
        near = scores >= model.thresholds[owner]
        labels[near] = model.ids[owner[near]]
        strengths[near] = np.clip(scores[near], 0, 1)
    first = int(model.ids.max(initial=-1)) + 1
    opened = _opened(old, data, np.flatnonzero(labels < 0)) if open_new else []
    places = ordered(held.documents)
    opened.sort(key=lambda rows: (-len(rows), int(places[rows].min())))
    for number, rows in enumerate(opened, first):
        labels[rows] = number
    added = _longer(model, middles(data, labels, first + len(opened), places)[first:], first)
    if opened:
        _let_in(data, labels, added, first)
    found = Found(labels, strengths, old.method, old.exact, model.min_size)
    geometry = middles(data, labels, first + len(opened), places)
    for middle in geometry[first:]:
        strengths[middle.rows] = np.clip(middle.scores, 0, 1)
    items = [_again(cluster, held.documents, geometry[cluster.id]) for cluster in old]
    if opened:
        phrases = count([document.text for document in held.documents], held.language)
        items += _new(held.documents, geometry, phrases, labels, items, first)
    themes = None if old.themes is None else _themes(old, old.themes, held, found, items)
    return told(held, old.origin, found, items, added, themes)


def _opened(old: Clusters, data: Floats, left: Ints) -> list[Ints]:
    """The groups among texts that belong nowhere, each of them large enough for a cluster."""
    from nearsense.clustering.finding import Method, find

    least = old.model.min_size
    if len(left) < least:
        return []
    tight = [cluster.cohesion for cluster in old if cluster.size > 1]
    if len(left) <= SMALL and tight:
        from nearsense.clustering.agglomerative import agglomerative

        labels = agglomerative(data[left], min_score=float(np.median(tight))).labels
    else:
        settings = {"k": None, "min_size": least, "min_score": None, "seed": old.model.seed}
        labels = find(data[left], method=Method.DENSITY, **settings).labels  # type: ignore[arg-type]
    groups = [left[labels == number] for number in range(int(labels.max(initial=-1)) + 1)]
    return [rows for rows in groups if len(rows) >= least]


def _let_in(data: Floats, labels: Ints, model: Model, first: int) -> None:
    """What is left over and near enough to a new cluster joins it."""
    left = np.flatnonzero(labels < 0)
    owner, scores, _ = nearest_two(data[left], model.centres[first:])
    near = scores >= model.thresholds[first:][owner]
    labels[left[near]] = owner[near] + first


def _again(cluster: Cluster, documents: Sequence[Document], middle: Middle) -> Cluster:
    """An old cluster with new texts: its name, exemplar and theme stay."""
    members = tuple(documents[row].id for row in middle.rows.tolist())
    cohesion = middle.cohesion if len(members) > 1 else cluster.cohesion
    return replace(cluster, members=members, size=len(members), cohesion=cohesion, stability=None, new=False)


def _new(
    documents: Sequence[Document],
    geometry: Sequence[Middle],
    phrases: Phrases,
    labels: Ints,
    items: Sequence[Cluster],
    first: int,
) -> list[Cluster]:
    """Clusters that were opened, with names that no old one has."""
    from nearsense.clustering.naming import names

    called = names(phrases, labels, len(geometry), taken=[cluster.label for cluster in items], first=first)
    return [
        Cluster(
            number,
            called[number].label,
            called[number].keywords,
            len(geometry[number].rows),
            geometry[number].cohesion,
            documents[int(geometry[number].rows[0])],
            tuple(documents[row].id for row in geometry[number].rows.tolist()),
            new=True,
        )
        for number in range(first, len(geometry))
    ]


def _themes(old: Clusters, above: Clusters, held: Held, found: Found, items: Sequence[Cluster]) -> Clusters:
    """The level above for new texts: those in new clusters are under no theme."""
    parents = np.full(max(cluster.id for cluster in items) + 2, -1, np.int64)
    for cluster in items:
        if cluster.parent is not None:
            parents[cluster.id] = cluster.parent
    labels = parents[found.labels]  # -1 is the last place, which is no theme
    geometry = middles(held.vectors.data, labels, int(above.model.ids.max()) + 1, ordered(held.documents))
    told_again = [_again(theme, held.documents, geometry[theme.id]) for theme in above]
    return told(held, old.origin, replace(found, labels=labels), told_again, above.model, None)


def _longer(model: Model, geometry: Sequence[Middle], first: int) -> Model:
    """What further texts are judged by: the old centres as they are, and those of new clusters."""
    if not geometry:
        return model
    return replace(
        model,
        ids=np.concatenate([model.ids, np.arange(first, first + len(geometry))]),
        centres=np.concatenate([model.centres, np.stack([each.centre for each in geometry])]),
        thresholds=np.concatenate([model.thresholds, np.array([reach(each) for each in geometry], np.float32)]),
    )
