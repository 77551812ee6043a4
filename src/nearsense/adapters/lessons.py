"""Examples as rows of vectors: what is learnt, which stay together in a fold, how good a map of them is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nearsense.adapters.fitting import TOGETHER, Contrast, Lesson, Order
from nearsense.errors import InputError
from nearsense.metrics import normalize, weighted_average_precision, weighted_mean, weighted_spearman
from nearsense.vectors.rows import connected_components, distinct
from nearsense.wording import normal_form

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.metrics.resampling import Statistic

    Floats = NDArray[np.float32]
    Places = NDArray[np.int64]

FIGURES = {
    "classes": "accuracy of the nearest centroid",
    "positives": "reciprocal rank of the text that belongs to it",
    "triplets": "share of triplets in order",
    "labelled": "average precision",
    "graded": "rank correlation",
    "entailment": "rank correlation",
}
"""What is measured on examples that a map was not learnt on, by their kind."""
LARGEST = 0.5
"""The share of all examples that may hang together before texts are dealt out instead."""
NEARNESS = {"contradiction": 0.0, "neutral": 1.0, "entailment": 2.0}


class Examples(Protocol):
    """What a map is learnt from: columns of n texts, and what is true of each; see `training.examples`."""

    @property
    def kind(self) -> str: ...  # pragma: no cover  # noqa: D102
    @property
    def texts(self) -> tuple[Sequence[str], ...]: ...  # pragma: no cover  # noqa: D102
    @property
    def truth(self) -> Sequence[Any]: ...  # pragma: no cover  # noqa: D102
    @property
    def searching(self) -> bool: ...  # pragma: no cover  # noqa: D102
    @property
    def name(self) -> str: ...  # pragma: no cover  # noqa: D102


@dataclass(frozen=True, slots=True)
class Subject:
    """n examples as columns of rows of the vectors of their m distinct texts.

    `rows`: int64, shape (n,), which of the examples each is. `truth`: float32, shape (n,), how near the two of a
    pair are, or which class a text is of; None where the columns say it all. `parts`: int64, shape (n,),
    examples of one number share a text, or nearly: no fold parts them.
    """

    kind: str
    texts: list[str]
    columns: tuple[Places, ...]
    rows: Places
    truth: NDArray[np.float32] | None
    parts: Places
    searching: bool

    def __len__(self) -> int:
        return len(self.columns[0])

    @property
    def figure(self) -> str:
        """What is measured."""
        return FIGURES[self.kind]

    def folds(self, count: int, seed: int) -> list[tuple[Places, Places]]:
        """So many times: the examples to learn from, and those held out; no text is in both, nor one worded alike.

        Classes are in each fold alike. Where most examples hang together by their texts, texts are dealt out
        instead, and examples that lie between two folds are left out.
        """
        chance = np.random.default_rng(seed)
        numbers, places, sizes = np.unique(self.parts, return_index=True, return_counts=True)
        if sizes.max() > len(self) * LARGEST:
            return self._folds_of_texts(chance)
        order = chance.permutation(len(numbers))
        if self.kind == "classes":
            order = order[np.argsort(self._truth[places][order], kind="stable")]
        else:
            order = order[np.argsort(-sizes[order], kind="stable")]
        fold, filled = np.empty(len(numbers), np.int64), np.zeros(count, np.int64)
        for turn, place in enumerate(order):
            chosen = turn % count if self.kind == "classes" else int(filled.argmin())
            fold[place] = chosen
            filled[chosen] += sizes[place]
        each = fold[np.searchsorted(numbers, self.parts)]
        return [(np.flatnonzero(each != number), np.flatnonzero(each == number)) for number in range(count)]

    def _folds_of_texts(self, chance: np.random.Generator) -> list[tuple[Places, Places]]:
        """Three folds of texts; what stands between two of them is in none."""
        forms = np.array(distinct(normal_form(text) for text in self.texts)[1])
        fold = chance.integers(0, 3, forms.max() + 1)[forms]
        sides = np.stack([fold[column] for column in self.columns])
        folds = [((sides != number).all(axis=0), (sides == number).all(axis=0)) for number in range(3)]
        return [(np.flatnonzero(learnt), np.flatnonzero(held)) for learnt, held in folds]

    def lesson(self, rows: Places, seed: int) -> Lesson:
        """What can be learnt of some of the examples."""
        columns = [column[rows] for column in self.columns]
        if self.kind in ("graded", "entailment", "labelled"):
            return Order(columns[0], columns[1], self._truth[rows])
        groups = np.arange(len(self.texts))
        if self.kind == "classes":
            groups[columns[0]] = self._truth[rows].astype(np.int64)
            return Contrast(_by_class(columns[0], groups[columns[0]], np.random.default_rng(seed)), groups)
        groups = connected_components(len(groups), zip(columns[0], columns[1], strict=True))
        return Contrast(list(np.stack(columns, axis=1)), groups)

    def measured(self, vectors: Floats, rows: Places, held: Places) -> NDArray[np.float64]:
        """A number for each held-out example, where the map that made the vectors was learnt on `rows` alone.

        Of pairs with a truth their cosine, of others how right they are, in [0, 1].
        """
        first, *others = (column[held] for column in self.columns)
        if self.kind == "classes":
            return self._nearest_centroid(vectors, rows, first)
        near = _cosines(vectors, first, others[0])
        if self.kind == "triplets":
            far = _cosines(vectors, first, others[1])
            ordered: NDArray[np.float64] = (near > far) + (near == far) / 2
            return ordered
        if self.kind != "positives":
            return near
        found = np.unique(self.columns[1])
        ranks = np.empty(len(first))
        right = {(a, b) for a, b in zip(*self.columns, strict=True)}
        for start in range(0, len(first), 512):
            part = slice(start, start + 512)
            scores = vectors[first[part]] @ vectors[found].T
            for row, (query, own) in enumerate(zip(first[part].tolist(), near[part].tolist(), strict=True)):
                better = found[scores[row] > own + 1e-6].tolist()
                ranks[start + row] = 1 / (1 + sum((query, each) not in right and each != query for each in better))
        return ranks

    def statistic(self, numbers: NDArray[np.float64], rows: Places) -> Statistic:
        """The figure of what was measured of some examples, for the bootstrap."""
        if self.kind == "labelled":
            return weighted_average_precision(self._truth[rows], numbers)
        if self.kind in ("graded", "entailment"):
            return weighted_spearman(self._truth[rows], numbers)
        return weighted_mean(numbers)

    @property
    def _truth(self) -> NDArray[np.float32]:
        assert self.truth is not None
        return self.truth

    def _nearest_centroid(self, vectors: Floats, rows: Places, held: Places) -> NDArray[np.float64]:
        own = self._truth[rows]
        classes = np.unique(own)
        centroids = np.stack([vectors[self.columns[0][rows[own == each]]].mean(axis=0) for each in classes])
        nearest = classes[(vectors[held] @ normalize(centroids, zero="keep").T).argmax(axis=1)]
        truth = dict(zip(self.columns[0].tolist(), self._truth.tolist(), strict=True))
        right: NDArray[np.float64] = np.equal(nearest, [truth[each] for each in held.tolist()]).astype(np.float64)
        return right


def subject_of(examples: Examples) -> Subject:
    """Examples as rows of their distinct texts.

    Raises:
        InputError: Their labels say no order of nearness, or a text has two classes.
    """
    kind = str(examples.kind)
    texts, rows = distinct(text for column in examples.texts for text in column)
    columns = tuple(np.split(rows, len(examples.texts)))
    truth, order = None, np.arange(len(columns[0]))
    if kind == "entailment":
        if unknown := {*examples.truth} - {*NEARNESS}:
            why = f"{', '.join(sorted(unknown))} says no order of nearness"
            fix = f"labels are {', '.join(NEARNESS)}; or train the model itself, without --adapter"
            raise InputError(f"{examples.name}: an adapter cannot learn its labels", why=why, fix=fix)
        truth = np.array([NEARNESS[each] for each in examples.truth], np.float32)
    elif kind == "classes":
        truth = distinct(examples.truth)[1].astype(np.float32)
        columns, truth, order = _one_class(examples, columns, truth)
    elif examples.truth:
        truth = np.array(examples.truth, np.float32)
    _, forms = distinct(normal_form(text) for text in texts)
    forms = np.array(forms)
    linked = [forms[column] for column in columns]
    parts = connected_components(
        int(forms.max()) + 1, ((a, b) for other in linked[1:] for a, b in zip(linked[0], other, strict=True))
    )
    return Subject(kind, texts, columns, order, truth, parts[linked[0]], examples.searching)


def _one_class(
    examples: Examples, columns: tuple[Places, ...], truth: NDArray[np.float32]
) -> tuple[tuple[Places, ...], NDArray[np.float32], Places]:
    """Each text once, and where it stood; one that has two classes is refused."""
    kept, where = np.unique(columns[0], return_index=True)
    twice = np.flatnonzero(truth[where[np.searchsorted(kept, columns[0])]] != truth)
    if len(twice):
        text = examples.texts[0][int(twice[0])]
        fix = "keep one of its labels"
        raise InputError(f"{examples.name}: the text {text[:60]!r} has two classes", why="it is in one", fix=fix)
    return (columns[0][where],), truth[where], where


def _by_class(rows: Places, groups: Places, chance: np.random.Generator) -> list[Places]:
    """The rows of each class, some at a time."""
    units = []
    for group in np.unique(groups):
        own = chance.permutation(rows[groups == group])
        units += [own[start : start + TOGETHER] for start in range(0, len(own), TOGETHER)]
    return units


def _cosines(vectors: Floats, first: Places, second: Places) -> NDArray[np.float64]:
    """Of pairs of rows of unit length."""
    found: NDArray[np.float64] = np.einsum("ij,ij->i", vectors[first], vectors[second], dtype=np.float64)
    return found


def texts_by_role(subject: Subject) -> Sequence[tuple[str, Places]]:
    """Which texts are queries and which are passages, where the first column is searched with."""
    queries = np.unique(subject.columns[0])
    others = np.setdiff1d(np.arange(len(subject.texts)), queries)
    return ("query", queries), ("passage", others)
