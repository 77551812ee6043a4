"""What a data set can be: seven kinds, a frozen type each, and what it has to hold. Not how it is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from operator import index
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from nearsense.errors import InputError
from nearsense.records import shown

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Task(StrEnum):
    """What is asked of a model on a data set."""

    GRADED = "graded"
    """Pairs of texts with a score: how well do similarities follow it?"""
    LABELLED = "labelled"
    """Pairs of texts with yes or no: how well do similarities part the two?"""
    TRIPLETS = "triplets"
    """Is the anchor nearer to the positive than to the negative?"""
    RETRIEVAL = "retrieval"
    """Queries, a corpus, and which of its documents answer which query."""
    RERANK = "rerank"
    """Queries, each with its own candidates, right and wrong."""
    INTENTS = "intents"
    """Texts with labels: has the nearest known text the right one, and are strangers told apart?"""
    CLUSTERING = "clustering"
    """Texts with labels: do clusters, made without them, agree with them?"""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Dataset:
    """Texts and what is true of them: something to measure models on. Made by `read_dataset`, or by its class.

    Args:
        name: What it is called in reports.
        notes: What a reader of its figures has to know: rows left out, a sample taken.
        truth: The column of its file that says what is true; "" where it is not of a file.
    """

    task: ClassVar[Task]
    rows: ClassVar[tuple[str, ...]] = ()
    """The fields that have one entry an item."""

    name: str = "data"
    notes: tuple[str, ...] = ()
    truth: str = ""

    def __len__(self) -> int:
        """How many items are judged: pairs, triplets, queries or texts."""
        return len(getattr(self, self.rows[0]))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name}, {len(self):,} items)"

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> Self:
        """Some of the items, in the order given."""
        chosen = [int(row) for row in rows]
        parts: dict[str, Any] = {name: tuple(getattr(self, name)[row] for row in chosen) for name in self.rows}
        return replace(self, **parts)

    def sample(self, limit: int, seed: int = 0) -> Self:
        """At most `limit` items, drawn by chance and kept in their order.

        Args:
            limit: How many; the whole set where it has no more.
            seed: The same seed draws the same items.

        Raises:
            InputError: A number is not whole or too small, or nothing can be measured on what was drawn.

        Example:
            >>> pairs = GradedPairs(pairs=[("a", "b")] * 5, scores=(1, 2, 3, 4, 5))
            >>> pairs.sample(3, seed=1).scores
            (2, 3, 4)
        """
        limit, seed = whole(limit, "limit", LEAST), whole(seed, "seed", 0)
        if limit >= len(self):
            return self
        rows = np.sort(np.random.default_rng(seed).choice(len(self), limit, replace=False))
        note = f"A sample of {limit:,} of {len(self):,} items, seed {seed}."
        return replace(self.take(rows), notes=(*self.notes, note))

    def __post_init__(self) -> None:
        for name in self.rows:
            object.__setattr__(self, name, as_tuple(self.name, name, getattr(self, name)))
        lengths = {name: len(getattr(self, name)) for name in self.rows}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{count:,} {name}" for name, count in lengths.items())
            raise InputError(f"{self.name}: {listed}", why="they belong together one by one", fix="give as many")
        if len(self) < LEAST:
            what = f"{self.name} has {len(self)} item{'s'[: len(self) != 1]}"
            raise InputError(what, why="nothing can be measured on so few", fix=f"give {LEAST} or more")
        self._check()

    def _check(self) -> None:
        """Refuse what this kind cannot be."""


LEAST = 3
"""Items that a data set has at least."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class GradedPairs(Dataset):
    """Pairs of texts and how near they are in sense, in numbers.

    Args:
        pairs: The texts.
        scores: One a pair; higher means nearer.
        scale: The least and the greatest score there can be; those that occur where it is not stated.
    """

    task: ClassVar[Task] = Task.GRADED
    rows: ClassVar[tuple[str, ...]] = ("pairs", "scores")

    pairs: Sequence[tuple[str, str]]
    scores: Sequence[float]
    scale: tuple[float, float] | None = None

    def _check(self) -> None:
        require_tuples(self.name, "pair", self.pairs, 2)
        for place, value in enumerate(self.scores, 1):
            if not _is_number(value) or not np.isfinite(value):
                what = f"{self.name}, pair {place}: the score is {value if _is_number(value) else shown(value)}"
                why = "it has no place in an order" if _is_number(value) else "a score is a number"
                raise InputError(what, why=why, fix="correct it, or leave the pair out")
        if len(set(self.scores)) == 1:
            what = f"{self.name}: all {len(self):,} scores are {self.scores[0]:g}"
            raise InputError(what, why="nothing correlates with a constant", fix="give pairs of different scores")
        least, greatest = float(min(self.scores)), float(max(self.scores))
        if self.scale is None:
            object.__setattr__(self, "scale", (least, greatest))
        elif least < self.scale[0] or greatest > self.scale[1]:
            low, high = self.scale
            why = f"the scale is stated as {low:g} to {high:g}"
            fix = "correct the scores, or state the scale that holds"
            raise InputError(f"{self.name}: the scores go from {least:g} to {greatest:g}", why=why, fix=fix)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class LabelledPairs(Dataset):
    """Pairs of texts that mean the same, or do not.

    Args:
        pairs: The texts.
        labels: True where a pair means the same.
        words: What the file calls the two: first "different", then "same".
    """

    task: ClassVar[Task] = Task.LABELLED
    rows: ClassVar[tuple[str, ...]] = ("pairs", "labels")

    pairs: Sequence[tuple[str, str]]
    labels: Sequence[bool]
    words: tuple[str, str] = ("0", "1")

    def _check(self) -> None:
        require_tuples(self.name, "pair", self.pairs, 2)
        require_flags(self.name, self.labels)
        if len({bool(label) for label in self.labels}) == 1:
            what = f"{self.name}: all {len(self):,} labels are of one class, {self.words[bool(self.labels[0])]!r}"
            why = "whether a score parts two classes shows on pairs of both"
            raise InputError(what, why=why, fix="add pairs of the other class")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Triplets(Dataset):
    """A text, one that is near to it and one that is not.

    Args:
        triplets: Anchor, positive, negative.
    """

    task: ClassVar[Task] = Task.TRIPLETS
    rows: ClassVar[tuple[str, ...]] = ("triplets",)

    triplets: Sequence[tuple[str, str, str]]

    def _check(self) -> None:
        require_tuples(self.name, "triplet", self.triplets, 3)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Retrieval(Dataset):
    """Queries, a corpus, and which documents answer which query.

    Args:
        queries: The texts of the queries.
        judgements: For each query the grade of each judged document by its id; 0 means it is no answer.
        corpus: The documents' texts by their ids.
    """

    task: ClassVar[Task] = Task.RETRIEVAL
    rows: ClassVar[tuple[str, ...]] = ("queries", "judgements")

    queries: Sequence[str]
    judgements: Sequence[Mapping[str, float]]
    corpus: Mapping[str, str]

    def _check(self) -> None:
        require_texts(self.name, "query", self.queries)
        require_judgements(self.name, self.judgements, self.corpus)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Rerank(Dataset):
    """Queries, each with candidates of its own.

    Args:
        queries: The texts of the queries.
        candidates: For each query its candidates.
        labels: For each query whether each candidate is right.
    """

    task: ClassVar[Task] = Task.RERANK
    rows: ClassVar[tuple[str, ...]] = ("queries", "candidates", "labels")

    queries: Sequence[str]
    candidates: Sequence[Sequence[str]]
    labels: Sequence[Sequence[bool]]

    def _check(self) -> None:
        require_texts(self.name, "query", self.queries)
        require_lists(self.name, "candidates", self.candidates)
        require_lists(self.name, "labels", self.labels)
        for row, (texts, labels) in enumerate(zip(self.candidates, self.labels, strict=True), 1):
            if len(texts) != len(labels) or not any(labels):
                raise InputError(
                    f"{self.name}, query {row}: {len(texts):,} candidates, {len(labels):,} labels, "
                    f"{sum(map(bool, labels)):,} right",
                    why="each candidate has a label, and one or more are right",
                    fix="correct the query, or leave it out",
                )
            require_texts(f"{self.name}, query {row}", "candidate", texts)
            require_flags(f"{self.name}, query {row}", labels)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Intents(Dataset):
    """Texts with labels, and texts whose labels are known, among which each has to find its nearest.

    Args:
        texts: What is asked.
        labels: What is right for each; `None` for what belongs to no label: out of scope.
        known: The texts that answers come from; `None`: the other ones of `texts`, each left out for itself.
        known_labels: Their labels.
    """

    task: ClassVar[Task] = Task.INTENTS
    rows: ClassVar[tuple[str, ...]] = ("texts", "labels")

    texts: Sequence[str]
    labels: Sequence[str | None]
    known: Sequence[str] | None = None
    known_labels: Sequence[str] = field(default_factory=tuple)

    def _check(self) -> None:
        require_texts(self.name, "text", self.texts)
        require_texts(self.name, "label", self.labels, none=True)
        if self.known is not None:
            require_texts(self.name, "known text", as_tuple(self.name, "known", self.known))
            require_texts(self.name, "known label", as_tuple(self.name, "known_labels", self.known_labels))
        if self.known is not None and len(self.known) != len(self.known_labels):
            what = f"{self.name}: {len(self.known):,} known texts, {len(self.known_labels):,} labels of them"
            raise InputError(what, why="they belong together one by one", fix="give as many")
        classes = set(self.known_labels if self.known is not None else self.labels) - {None}
        if len(classes) < 2:
            what = f"{self.name}: there is one class only" if classes else f"{self.name}: there is no class"
            raise InputError(what, why="every answer would be right", fix="give texts of two labels or more")
        if all(label is None for label in self.labels):
            why = "whether an answer is right shows on texts that have one"
            fix = "add texts with labels"
            raise InputError(f"{self.name}: all {len(self):,} texts are out of scope", why=why, fix=fix)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Clustering(Dataset):
    """Texts with the labels that clusters should agree with.

    Args:
        texts: The texts.
        labels: One each.
    """

    task: ClassVar[Task] = Task.CLUSTERING
    rows: ClassVar[tuple[str, ...]] = ("texts", "labels")

    texts: Sequence[str]
    labels: Sequence[str]

    def _check(self) -> None:
        require_texts(self.name, "text", self.texts)
        require_texts(self.name, "label", self.labels)
        if len(set(self.labels)) < 2:
            why = "one cluster with everything in it would be right"
            fix = "give texts of two labels or more"
            raise InputError(f"{self.name}: there is one class only, {self.labels[0]!r}", why=why, fix=fix)


def whole(value: Any, name: str, least: int) -> int:
    """A whole number that is not too small."""
    try:
        number = index(value)
    except TypeError:
        raise InputError(f"{name}={value!r} is not a whole number", fix=f"{name}={least}") from None
    if number < least:
        raise InputError(f"{name}={number} is too small", why=f"{name} is {least} or more", fix=f"{name}={least}")
    return number


def as_tuple(owner: str, name: str, values: Any) -> tuple[Any, ...]:
    """A field that has an entry an item, as a tuple."""
    if isinstance(values, Mapping) or not isinstance(values, Iterable):
        what = f"{owner}: {name} is {shown(values)}"
        raise InputError(what, why="it has one entry an item", fix="give a list, or a tuple")
    return tuple(values)


def require_texts(owner: str, name: str, values: Iterable[Any], *, none: bool = False) -> None:
    """Refuse what is no text, or an empty one; `None` too, unless it may be."""
    for place, value in enumerate(values, 1):
        if not _is_text(value) and not (none and value is None):
            why = _NO_TEXT if value is None or isinstance(value, str) else "a string is needed"
            what = f"{owner}, {name} {place}: {shown(value)} is no text"
            raise InputError(what, why=why, fix="complete it, or leave the item out")


def require_tuples(owner: str, name: str, values: Iterable[Any], size: int) -> None:
    """Refuse what is not so many texts."""
    for place, value in enumerate(values, 1):
        if not _is_list(value) or len(value) != size:
            what = f"{owner}, {name} {place}: {shown(value)}"
            raise InputError(what, why=f"a {name} is {size} texts", fix="give a tuple of as many")
        require_texts(f"{owner}, {name} {place}", "text", value)


def require_lists(owner: str, name: str, values: Iterable[Any]) -> None:
    """Refuse what is no list."""
    for place, value in enumerate(values, 1):
        if not _is_list(value):
            what = f"{owner}, query {place}: {name} is {shown(value)}, no list"
            raise InputError(what, why=f"each query has a list of {name}", fix="give a list for each")


def require_flags(owner: str, values: Iterable[Any]) -> None:
    """Refuse what is neither yes nor no."""
    for place, value in enumerate(values, 1):
        if not _is_number(value) or value not in (0, 1):
            what = f"{owner}, label {place}: {shown(value)} is neither True nor False"
            raise InputError(what, why="a label says yes or no", fix="give True or False, or 1 or 0")


def require_judgements(owner: str, judgements: Sequence[Any], corpus: Any) -> None:
    """Refuse a corpus without texts, and judgements of what is not in it or that no document answers."""
    if not isinstance(corpus, Mapping) or not corpus:
        what = f"{owner}: the corpus is {shown(corpus)}"
        fix = 'give a dict such as {"d1": "a text"}'
        raise InputError(what, why="it holds the documents' texts by their ids", fix=fix)
    for id_, text in corpus.items():
        if not isinstance(id_, str):
            what = f"{owner}: the document id {shown(id_)} is no string"
            raise InputError(what, why="ids are texts", fix=f'write "{id_}"')
        if not _is_text(text):
            fix = "complete it, or leave it out of corpus and judgements"
            raise InputError(f"{owner}: document {id_!r} has no text", why=_NO_TEXT, fix=fix)
    for place, own in enumerate(judgements, 1):
        query = f"{owner}, query {place}"
        if not isinstance(own, Mapping):
            what, fix = f"{query}: its judgements are {shown(own)}", 'give a dict such as {"d1": 1}'
            raise InputError(what, why="they say which documents answer the query", fix=fix)
        strangers = [str(id_) for id_ in own if id_ not in corpus]
        if strangers:
            what = f"{query}: judged documents are not in the corpus: {', '.join(strangers[:5])}"
            why = "what is not there cannot be found, and every figure would be too low"
            raise InputError(what, why=why, fix="complete the corpus, or remove these judgements")
        for id_, grade in own.items():
            if not _is_number(grade) or not np.isfinite(grade) or grade < 0:
                what = f"{query}: the grade of document {id_!r} is {shown(grade)}"
                raise InputError(what, why="a grade is a number from 0", fix="correct it")
        if not any(own.values()):
            what = f"{query}: no document answers it"
            raise InputError(what, why="nothing can be right then", fix="leave the query out")


_NO_TEXT = "without a text there is no meaning to compare"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and not value.isspace()


def _is_number(value: Any) -> bool:
    return isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating))


def _is_list(value: Any) -> bool:
    return isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, (str, bytes))
