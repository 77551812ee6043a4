"""Two texts, or every text against every other: how near in sense? Not the search for the nearest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nearsense._machine import free_memory
from nearsense._progress import Progress
from nearsense.encoders import Encoder, resolve, symmetric_role
from nearsense.errors import InputError, TooLargeError
from nearsense.records import Comparison, Matrix, Metric, Origin, Reading, Results, Vectors
from nearsense.text import as_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.calibrator import Calibrated, Calibrator

__all__ = ["compare", "compare_pairs", "matrix", "matrix_of", "require_room"]


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
    pairs: Iterable[tuple[str, str]],
    *,
    encoder: Encoder | str | None = None,
    calibration: Calibrated = None,
    prior: float | None = None,
    min_probability: float | None = None,
    progress: Progress = False,
) -> Results[Comparison]:
    """How near the two texts of each pair are in sense, and how probable it is that they mean the same.

    Args:
        pairs: Pairs of texts.
        encoder: An Encoder or a model's name; the default model without it.
        calibration: As for `compare`.
        prior: As for `compare`; without it 50 pairs and more tell it themselves, as far as they can.
        min_probability: Leave out pairs that are less probable, in [0, 1].
        progress: True for a bar on stderr, or a function called with (done, total).

    Returns:
        One Comparison a pair, in the order of the pairs.

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
    pairs = [_pair(position, pair) for position, pair in enumerate(pairs)]
    encoder = resolve(encoder)
    lefts = as_texts((a for a, _ in pairs), "left text", content=True)
    rights = as_texts((b for _, b in pairs), "right text", content=True)
    vectors = encoder.encode([*lefts, *rights], role=symmetric_role(encoder), progress=progress)
    scores = paired_cosine(vectors.data[: len(pairs)], vectors.data[len(pairs) :])
    origin = Origin(encoder.name, vectors.fingerprint)
    random = random_scores(vectors.data[: len(pairs)], vectors.data[len(pairs) :])
    return _compared(list(zip(lefts, rights, strict=True)), scores, origin, calibrator, encoder, random)


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
            if calibrator.passes(row["probability"])
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
    texts: Iterable[str],
    *,
    encoder: Encoder | str | None = None,
    calibration: Calibrated = None,
    prior: float | None = None,
    progress: Progress = False,
) -> Matrix:
    """Every text against every other.

    Args:
        texts: n texts.
        encoder: An Encoder or a model's name; the default model without it.
        calibration: As for `compare`.
        prior: As for `compare`.
        progress: True for a bar on stderr, or a function called with (done, total).

    Returns:
        Matrix with float32 scores of shape (n, n), symmetric, in [-1, 1]; their `probabilities` and what `differs`
        are computed when they are asked for.

    Raises:
        InputError: A text is empty or cannot be encoded.
        TooLargeError: n * n scores do not fit into memory; the message says how much they would take.

    Example:
        >>> import nearsense as ns
        >>> scores = ns.matrix(["cat", "kitten", "tax law"]).scores
        >>> bool(scores[0, 1] > scores[0, 2])
        True
    """
    texts = as_texts(texts, content=True)
    require_room(len(texts))
    encoder = resolve(encoder)
    vectors = encoder.encode(texts, role=symmetric_role(encoder), progress=progress)
    return matrix_of(vectors, texts, calibration=calibration, prior=prior, texts=texts, encoder=encoder)


def matrix_of(
    vectors: Vectors,
    labels: Sequence[str],
    *,
    calibration: Calibrated = None,
    prior: float | None = None,
    texts: Sequence[str] | None = None,
    encoder: Encoder | None = None,
) -> Matrix:
    """Every vector against every other, by n labels; without texts or model nobody tells what differs."""
    from nearsense.calibration import Task
    from nearsense.calibrator import Calibrator
    from nearsense.vectors.similarity import cosine

    require_room(len(vectors))
    origin = Origin(vectors.model, vectors.fingerprint, Metric.COSINE)
    calibrator = Calibrator(Task.PARAPHRASE, calibration, prior)
    found = calibrator.of(origin, encoder)
    scores = cosine(vectors.data, vectors.data)
    if found is not None:
        origin = replace(origin, calibration=found.task, prior=calibrator.prior_of(found.here(share=prior)))
    return Matrix(scores, tuple(labels), origin, _Cells(scores, tuple(labels), origin, calibrator, texts, encoder))


MOST = 100_000
"""Pairs of a matrix that are looked at for what differs."""

LIKELY = 0.01
"""How probable they have to be by their scores."""


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """See `nearsense.records.Cells`."""

    scores: NDArray[np.float32]
    labels: tuple[str, ...]
    origin: Origin
    calibrator: Calibrator
    texts: Sequence[str] | None
    encoder: Encoder | None

    def comparison(self, row: int, column: int) -> Comparison:
        pair, scores = (self.labels[row], self.labels[column]), self.scores[row : row + 1, column]
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
        rows, columns = _likely(self.scores if found is None else found)
        texts, known = self.texts, np.clip(self.scores[rows, columns].astype(np.float64), -1.0, 1.0)
        lefts, rights = ([texts[at] for at in side.tolist()] for side in (rows, columns))
        seen = pair_differences(lefts, rights, encoder=self.encoder, scores=known)
        if calibration is not None and found is not None:
            shifts = calibration.guarded(known, [[one.kind for one in each] for each in seen])
            found[rows, columns] = calibration.probability(known, prior=prior, shift=shifts)
            found[columns, rows] = found[rows, columns]
            self._silenced(found)
        named = zip(rows.tolist(), columns.tolist(), seen, strict=True)
        return found, {(row, column): tuple(map(str, each)) for row, column, each in named if each}

    def _silenced(self, found: NDArray[np.float32]) -> None:
        """NaN where the model cannot judge two texts."""
        from nearsense.pair_differences import unfamiliar

        if self.texts is None or self.encoder is None:
            return
        for row in [row for row, why in enumerate(unfamiliar(self.texts, self.encoder)) if why]:
            others = np.array([text != self.texts[row] for text in self.texts], bool)
            found[row, others] = found[others, row] = np.nan


def _likely(values: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The cells above the diagonal of the highest values, at most `MOST` and none below `LIKELY`, row by row."""
    parts, count, last = [np.empty((3, 0))], 0, len(values) - 1
    for row, scores in enumerate(values):
        columns = row + 1 + np.flatnonzero(scores[row + 1 :] >= LIKELY)
        parts.append(np.stack([np.full(len(columns), row), columns, scores[columns]]))
        count += len(columns)
        if count > 2 * MOST or row == last:
            found = np.hstack(parts)
            kept = np.sort(np.argsort(-found[2], kind="stable")[:MOST])
            parts, count = [found[:, kept]], len(kept)
    found = np.hstack(parts)
    return found[0].astype(np.int64), found[1].astype(np.int64)


def require_room(n: int) -> None:
    """Refuse a matrix of n * n scores that would take more than half of the free memory."""
    needed, free = 4 * n * n, free_memory()
    if needed > free // 2:
        raise TooLargeError(
            f"a matrix of {n:,} x {n:,} scores takes {needed / 2**30:,.1f} GiB",
            why=f"{free / 2**30:,.1f} GiB of memory are free, and half of that is the limit",
            fix="take fewer texts, or ask for the nearest of each only: ns.search_many(texts, texts, k=10)",
        )


def _pair(position: int, pair: Sequence[str]) -> tuple[str, str]:
    if isinstance(pair, (tuple, list)) and len(pair) == 2:
        return pair[0], pair[1]
    raise InputError(f"item {position} is no pair of texts", fix='give pairs: [("a", "b"), ...]')
