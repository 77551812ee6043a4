"""Two texts, every text against every other, or two sides: how near in sense? Not the search for the nearest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._machine import free_memory
from nearsense._progress import Progress
from nearsense.corpus import Texts, as_documents, as_pairs, column_in, given_of
from nearsense.encoders import Encoder, resolve, symmetric_role
from nearsense.errors import InputError, TooLargeError
from nearsense.own_vectors import is_numbers, plain_vectors
from nearsense.records import Comparison, Document, Matrix, Metric, Origin, Reading, Results, Vectors
from nearsense.text import as_texts

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from nearsense.calibrator import Calibrated, Calibrator
    from nearsense.corpus import Frame, TextColumn

__all__ = ["compare", "compare_pairs", "matrix", "matrix_of", "require_room", "similarity"]


def compare(
    a: str,
    b: str,
    *,
    encoder: Encoder | str | None = None,
    calibration: Calibrated = None,
    prior: float | None = None,
) -> Comparison:
    """How near two texts are in sense, and how probable it is that they mean the same.

    Args:
        a: A text.
        b: Another.
        encoder: An Encoder or a model's name; the default model without it.
        calibration: What turns the score into a probability: a Calibration, its file, "paraphrase", "question",
            "passage" or "none". Without it "paraphrase", where it comes with the model.
        prior: How probable it was before the score was seen, within (0, 1). Without it the calibration's own, or
            0.5: somebody chose these two.

    Returns:
        Comparison with the cosine similarity of the two in [-1, 1], its probability, and what differs; no
        probability, and the reason, where a text is in a language that the model was not made for.

    Raises:
        InputError: A text is empty or cannot be encoded.
        ModelMismatch: The calibration is of another model.

    Example:
        >>> import nearsense as ns
        >>> print(ns.compare("A dog is playing in the park.", "A puppy is running outside."))
        0.41...  means something else (...% likely to mean the same)
    """
    return compare_pairs([(a, b)], encoder=encoder, calibration=calibration, prior=prior)[0]


def compare_pairs(
    pairs: Iterable[tuple[str, str]] | Frame,
    *,
    columns: Sequence[str] | None = None,
    encoder: Encoder | str | None = None,
    calibration: Calibrated = None,
    prior: float | None = None,
    min_probability: float | None = None,
    progress: Progress = False,
) -> Results[Comparison]:
    """How near the two texts of each pair are in sense, and how probable it is that they mean the same.

    Args:
        pairs: Pairs of texts; or a frame or the path of a file, with `columns`.
        columns: The two columns of a frame or file that are the pair.
        encoder: An Encoder or a model's name; the default model without it.
        calibration: As for `compare`.
        prior: As for `compare`; without it 50 pairs and more tell it themselves, as far as they can.
        min_probability: Leave out pairs that are less probable, in [0, 1].
        progress: True for a bar on stderr, or a function called with (done, total).

    Returns:
        One Comparison a pair, in the order of the pairs; `to_frame()` gives them the index of the frame.

    Raises:
        InputError: An item is no pair, a text is empty or cannot be encoded, or a probability is asked for where
            no calibration of the model is known.
        ModelMismatch: The calibration is of another model.

    Example:
        >>> import nearsense as ns
        >>> pairs = [("It is raining.", "Rain is falling."), ("It is raining.", "I like cheese.")]
        >>> [comparison.reading.value for comparison in ns.compare_pairs(pairs)]
        ['probably means the same', 'means something else']
    """
    from nearsense.calibration import Task, random_scores
    from nearsense.calibrator import Calibrator
    from nearsense.vectors.similarity import paired_cosine

    calibrator = Calibrator(Task.PARAPHRASE, calibration, prior, min_probability)
    rows, given = as_pairs(pairs, columns)
    pairs = [_pair(position, pair) for position, pair in enumerate(rows)]
    encoder = resolve(encoder)
    lefts = as_texts((a for a, _ in pairs), "left text", content=True)
    rights = as_texts((b for _, b in pairs), "right text", content=True)
    vectors = encoder.encode([*lefts, *rights], role=symmetric_role(encoder), progress=progress)
    scores = paired_cosine(vectors.data[: len(pairs)], vectors.data[len(pairs) :])
    origin = Origin(encoder.name, vectors.fingerprint)
    random = random_scores(vectors.data[: len(pairs)], vectors.data[len(pairs) :])
    found = _compared(list(zip(lefts, rights, strict=True)), scores, origin, calibrator, encoder, random)
    passing = [row for row, each in enumerate(found) if calibrator.passes(each.probability)]
    kept = found if len(passing) == len(found) else Results([found[row] for row in passing], found.origin)
    kept.given = given.take(passing)
    return kept


def _compared(
    pairs: Sequence[tuple[str, str]],
    scores: NDArray[np.float32],
    origin: Origin,
    calibrator: Calibrator,
    encoder: Encoder | None,
    random: tuple[float, float] | None = None,
) -> Results[Comparison]:
    """From scores to comparisons: what differs, and how sure that leaves one."""
    judged = calibrator.judged(origin, pairs, scores, encoder=encoder, random=random, together=True)
    return Results(
        (
            Comparison(
                score=score,
                reading=_read(score, row["probability"], row["unsure"], row["differs"]),
                a=a,
                b=b,
                origin=judged.origin,
                **row,
            )
            for (a, b), score, row in zip(pairs, scores.tolist(), judged.rows(), strict=True)
        ),
        judged.origin,
    )


def _read(score: float, probability: float | None, unsure: str | None, differs: Sequence[str] | None) -> Reading:
    """The probability in words; the score where there is none; neither where the model cannot judge."""
    if unsure is not None:
        return Reading.UNKNOWN
    if probability is not None:
        return Reading.of_probability(probability)
    return Reading.UNKNOWN if any(each.startswith("unread: ") for each in differs or ()) else Reading.of(score)


def matrix(
    texts: Texts,
    *,
    text: TextColumn = None,
    encoder: Encoder | str | None = None,
    calibration: Calibrated = None,
    prior: float | None = None,
    progress: Progress = False,
) -> Matrix:
    """Every text against every other.

    Args:
        texts: n strings or Documents, a Series, a path; or a frame, with `text`.
        text: The column of a frame or file that holds the texts; of several they are joined.
        encoder: An Encoder or a model's name; the default model without it.
        calibration: As for `compare`.
        prior: As for `compare`.
        progress: True for a bar on stderr, or a function called with (done, total).

    Returns:
        Matrix with float32 scores of shape (n, n), symmetric, in [-1, 1]; their `probabilities` and what `differs`
        are computed when they are asked for. It is an array itself: `np.asarray(found)`, `found[0, 1]`.

    Raises:
        InputError: A text is empty or cannot be encoded.
        TooLargeError: n * n scores do not fit into memory; the message says how much they would take.

    Example:
        >>> import nearsense as ns
        >>> scores = ns.matrix(["cat", "kitten", "tax law"]).scores
        >>> bool(scores[0, 1] > scores[0, 2])
        True
    """
    documents = as_documents(texts, text)
    require_room(len(documents))
    encoder = resolve(encoder)
    written = [document.text for document in documents]
    vectors = encoder.encode(written, role=symmetric_role(encoder), progress=progress)
    found = matrix_of(vectors, written, calibration=calibration, prior=prior, texts=written, encoder=encoder)
    return replace(found, given=(documents.given, documents.given))


def similarity(
    a: Texts | Vectors | ArrayLike,
    b: Texts | Vectors | ArrayLike,
    *,
    text: TextColumn = None,
    encoder: Encoder | str | None = None,
    calibration: Calibrated = None,
    prior: float | None = None,
    progress: Progress = False,
) -> Matrix:
    """Every text of one side against every text of the other.

    Args:
        a: n texts of any kind that `matrix` takes, or Vectors, or an array of shape (n, d).
        b: m of these.
        text: The column of frames or files that holds the texts.
        encoder: An Encoder or a model's name; the default model without it. Two sides of vectors need none.
        calibration: As for `compare`.
        prior: As for `compare`.
        progress: True for a bar on stderr, or a function called with (done, total).

    Returns:
        Matrix with float32 cosine similarities of shape (n, m) in [-1, 1], and of texts `probabilities` and what
        `differs`. Arrays are taken at their word: nobody says which model made them, or that it was the same.

    Raises:
        InputError: A text is empty or cannot be encoded, or two arrays differ in dimension.
        ModelMismatch: The sides' vectors are of two models.
        TooLargeError: n * m scores do not fit into memory.

    Example:
        >>> import nearsense as ns
        >>> found = ns.similarity(["a cat", "a tax"], ["a kitten", "a levy", "a fine"])
        >>> found.shape, bool(found[0, 0] > found[0, 1])
        ((2, 3), True)
    """
    sides = [_side(each, text, name) for each, name in ((a, "a"), (b, "b"))]
    require_room(*(len(rows) for rows, _ in sides))
    model = None if all(documents is None for _, documents in sides) else resolve(encoder)
    vectors = [rows if isinstance(rows, Vectors) else _encoded(rows, model, progress) for rows, _ in sides]
    if vectors[0].fingerprint or vectors[1].fingerprint:
        vectors[0].require_same_model(vectors[1])
    written = [[each.text for each in documents] if documents is not None else None for _, documents in sides]
    labels = [each or list(map(str, range(len(rows)))) for each, rows in zip(written, vectors, strict=True)]
    found = matrix_of(
        vectors[0],
        labels[0],
        calibration=calibration,
        prior=prior,
        texts=written[0],
        encoder=model,
        others=(vectors[1], labels[1], written[1]),
    )
    first, second = (given_of(documents or ()) for _, documents in sides)
    return replace(found, given=(first, second))


def matrix_of(
    vectors: Vectors,
    labels: Sequence[str],
    *,
    calibration: Calibrated = None,
    prior: float | None = None,
    texts: Sequence[str] | None = None,
    encoder: Encoder | None = None,
    others: tuple[Vectors, Sequence[str], Sequence[str] | None] | None = None,
) -> Matrix:
    """Every vector against every other, or against those of another side; each has a label, and perhaps a text.

    Without texts or model nobody tells what differs.
    """
    from nearsense.calibration import Task
    from nearsense.calibrator import Calibrator
    from nearsense.vectors.similarity import cosine

    second, names, written = (vectors, None, texts) if others is None else others
    require_room(len(vectors), len(second))
    origin = Origin(vectors.model, vectors.fingerprint, Metric.COSINE)
    calibrator = Calibrator(Task.PARAPHRASE, calibration, prior)
    found = calibrator.of(origin, encoder)
    scores = cosine(vectors.data, second.data)
    if found is not None:
        origin = replace(origin, calibration=found.task, prior=calibrator.prior_of(found.here(share=prior)))
    rows, columns = tuple(labels), None if names is None else tuple(names)
    both = None if texts is None or written is None else (texts, written)
    cells = _Cells(scores, rows, rows if columns is None else columns, origin, calibrator, both, encoder)
    return Matrix(scores, rows, origin, cells, columns)


def _side(given: Any, text: TextColumn, name: str) -> tuple[Any, Sequence[Document] | None]:
    """One side of a matrix: its vectors, or the documents that are still to be encoded."""
    if isinstance(given, Vectors):
        return given, None
    if is_numbers(given):
        return plain_vectors(given, name), None
    documents = as_documents(given, column_in(given, text))
    return documents, documents


def _encoded(documents: Sequence[Document], model: Encoder | None, progress: Progress) -> Vectors:
    assert model is not None
    texts = [document.text for document in documents]
    return model.encode(texts, role=symmetric_role(model), progress=progress)


MOST = 100_000
"""Pairs of a matrix that are looked at for what differs."""

LIKELY = 0.01
"""How probable they have to be by their scores."""


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """See `nearsense.records.Cells`."""

    scores: NDArray[np.float32]
    labels: tuple[str, ...]
    columns: tuple[str, ...]
    origin: Origin
    calibrator: Calibrator
    texts: tuple[Sequence[str], Sequence[str]] | None
    encoder: Encoder | None

    @property
    def square(self) -> bool:
        """Whether both sides are the same texts."""
        return self.columns is self.labels

    def comparison(self, row: int, column: int) -> Comparison:
        pair, scores = (self.labels[row], self.columns[column]), self.scores[row : row + 1, column]
        written = pair if self.texts is not None else ("", "")
        found = _compared([written], scores, self.origin, self.calibrator, self.encoder)[0]
        return replace(found, a=pair[0], b=pair[1])

    def judged(self) -> tuple[NDArray[np.float32] | None, dict[tuple[int, int], tuple[str, ...]]]:
        from nearsense.pair_differences import pair_differences

        calibration, prior = self.calibrator.of(self.origin, self.encoder), self.origin.prior
        found = None
        if calibration is not None:
            found = np.empty_like(self.scores)
            same = calibration.guarded(np.zeros(1), [()]) if self.texts is not None else 0.0
            for row, scores in enumerate(self.scores):
                found[row] = calibration.probability(np.clip(scores, -1.0, 1.0), prior=prior, shift=same)
        if self.texts is None:
            return found, {}
        rows, columns = _likely(self.scores if found is None else found, square=self.square)
        known = np.clip(self.scores[rows, columns].astype(np.float64), -1.0, 1.0)
        sides = zip(self.texts, (rows, columns), strict=True)
        lefts, rights = ([texts[at] for at in side.tolist()] for texts, side in sides)
        seen = pair_differences(lefts, rights, encoder=self.encoder, scores=known)
        if calibration is not None and found is not None:
            shifts = calibration.guarded(known, [[one.kind for one in each] for each in seen])
            found[rows, columns] = calibration.probability(known, prior=prior, shift=shifts)
            if self.square:
                found[columns, rows] = found[rows, columns]
            self._silenced(found)
        named = zip(rows.tolist(), columns.tolist(), seen, strict=True)
        return found, {(row, column): tuple(map(str, each)) for row, column, each in named if each}

    def _silenced(self, found: NDArray[np.float32]) -> None:
        """NaN where the model cannot judge two texts."""
        from nearsense.pair_differences import unfamiliar

        if self.texts is None or self.encoder is None:
            return
        for own, others, cells in ((*self.texts, found), (*self.texts[::-1], found.T)):
            for row in [row for row, why in enumerate(unfamiliar(own, self.encoder)) if why]:
                cells[row, np.array([text != own[row] for text in others], bool)] = np.nan


def _likely(values: NDArray[np.float32], *, square: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The cells of the highest values, at most `MOST` and none below `LIKELY`, row by row.

    Where both sides are the same, of those above the diagonal.
    """
    parts, count, last = [np.empty((3, 0))], 0, len(values) - 1
    for row, scores in enumerate(values):
        first = row + 1 if square else 0
        columns = first + np.flatnonzero(scores[first:] >= LIKELY)
        parts.append(np.stack([np.full(len(columns), row), columns, scores[columns]]))
        count += len(columns)
        if count > 2 * MOST or row == last:
            found = np.hstack(parts)
            kept = np.sort(np.argsort(-found[2], kind="stable")[:MOST])
            parts, count = [found[:, kept]], len(kept)
    found = np.hstack(parts)
    return found[0].astype(np.int64), found[1].astype(np.int64)


def require_room(n: int, m: int | None = None) -> None:
    """Refuse a matrix of n * m scores, or n * n, that would take more than half of the free memory."""
    m = n if m is None else m
    needed, free = 4 * n * m, free_memory()
    if needed > free // 2:
        raise TooLargeError(
            f"a matrix of {n:,} x {m:,} scores takes {needed / 2**30:,.1f} GiB",
            why=f"{free / 2**30:,.1f} GiB of memory are free, and half of that is the limit",
            fix="take fewer texts, or ask for the nearest of each only: ns.search_many(texts, texts, k=10)",
        )


def _pair(position: int, pair: Sequence[str]) -> tuple[str, str]:
    if isinstance(pair, (tuple, list)) and len(pair) == 2:
        return pair[0], pair[1]
    raise InputError(f"item {position} is no pair of texts", fix='give pairs: [("a", "b"), ...]')
