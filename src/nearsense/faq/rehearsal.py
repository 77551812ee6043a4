"""A FAQ asks itself: its phrasings with themselves left out, with their entries left out, and outside questions.

The first say what right answers score, the second what strangers of the same field score, the third what all
others do. From these the nearness is chosen, the curves are corrected, and the threshold is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nearsense._progress import Progress, tracked
from nearsense.faq.certainty import Curves, Scale, features, fit_curve, general, general_curves
from nearsense.faq.scores import GONE, MIXTURES, Near, Nearness, Phrasebook, Questions, Scored, top_two

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    Float64 = NDArray[np.float64]
    Int64 = NDArray[np.int64]

__all__ = ["Asked", "Rehearsal", "asked_of", "rehearse"]

MOST = 3000
"""Phrasings that are asked, evenly chosen; more tell nothing new."""

BLOCK = 256
"""Questions that are scored at once."""

STRANGEST = 0.25
"""How far above the others a question from outside may score before it counts as one that the FAQ may know."""

AKIN, OUTSIDE = 0.5, 0.5
"""Which part of the strangers is of the FAQ's own field, and which is not."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Questions whose right answer is known, and what they scored.

    Args:
        first: The best entry's score, shape (q,).
        second: The second best's.
        right: Whether the best entry was the right one; all False for strangers.
        least: How near the most foreign word is to its nearest in the best entry; None where words are not
            compared.
    """

    first: Float32
    second: Float32
    right: NDArray[np.bool_]
    least: Float32 | None = None

    def __len__(self) -> int:
        return len(self.first)

    def features(self, scale: Scale) -> Float64:
        """As `features` makes them."""
        return features(self.first, self.second, scale, self.least)

    def take(self, rows: NDArray[np.bool_]) -> Asked:
        """Some of them."""
        least = None if self.least is None else self.least[rows]
        return Asked(self.first[rows], self.second[rows], self.right[rows], least)


@dataclass(frozen=True, slots=True, eq=False)
class Rehearsal:
    """What a FAQ knows of itself.

    Args:
        near: How it compares.
        scale: What its scores mean.
        curves: Its curves.
        known: Questions that it can answer: its phrasings, or labelled questions.
        akin: Strangers of its own field: questions whose entry was left out, or labelled strangers.
        outside: Questions that have nothing to do with it.
        labelled: Which of `known` and `akin` were given with labels.
        accuracy: By each nearness, of the phrasings left out, the share that found their entry; empty where no
            entry has two.
    """

    near: Near
    scale: Scale
    curves: Curves
    known: Asked
    akin: Asked
    outside: Asked
    labelled: tuple[str, ...] = ()
    accuracy: dict[Nearness, float] = field(default_factory=dict)


def rehearse(
    book: Phrasebook,
    strangers: Questions,
    spread: float,
    labelled: tuple[Questions, Int64] | None = None,
    progress: Progress = False,
) -> Rehearsal:
    """Let a FAQ ask itself.

    Args:
        book: Its phrasings.
        strangers: Questions from outside.
        spread: As in `Scale`.
        labelled: Questions with their right entry, -1 for none; they take the place of the FAQ's own
            phrasings, and of the strangers of its field.
        progress: What to show.
    """
    counts = book.counts
    phrasings = float(np.exp(np.log(counts).mean()))
    rows = np.unique(np.linspace(0, len(book.owner) - 1, min(MOST, len(book.owner))).astype(np.int64))
    mixtures = MIXTURES if book.answers is not None and len(book.owner) > len(counts) else (book.mixture,)
    tried: list[tuple[Near, Asked, Asked, Asked]] = []
    with tracked(len(rows) * (len(book.kinds) + len(mixtures) - 1), "questions", progress) as update:

        def ask(near: Near) -> None:
            known, left = _asked_itself(near, rows, update, len(tried) * len(rows))
            tried.append((near, known, left, _all_asked(near, strangers, np.full(len(strangers), -1))))

        for kind in book.kinds:
            ask(book.near(kind))
        accuracy = {near.nearness: float(known.right.mean()) for near, known, _, _ in tried if len(known)}
        best = max(tried, key=lambda each: _merit(*each[1:]))[0].nearness
        tried = [each for each in tried if each[0].nearness == best]
        for mixture in mixtures[1:]:
            ask(book.near(best, mixture))
    near, known, left, outside = max(tried, key=lambda each: _merit(*each[1:]))
    outside, scale = strangers_of(outside, spread, phrasings, near.answered)
    given: tuple[str, ...] = ()
    if labelled is not None:
        questions, entries = labelled
        inside, foreign = np.flatnonzero(entries >= 0), np.flatnonzero(entries < 0)
        if len(inside):
            known, given = _all_asked(near, questions.take(inside), entries[inside]), ("known",)
        if len(foreign):
            left, given = _all_asked(near, questions.take(foreign), entries[foreign]), (*given, "akin")
    curves = _corrected(general_curves(phrasings), known, left, outside, scale)
    return Rehearsal(near, scale, curves, known, left, outside, given, accuracy)


def strangers_of(outside: Asked, spread: float, phrasings: float, answered: float = 0.0) -> tuple[Asked, Scale]:
    """Questions from outside less those that this FAQ may well answer after all, and what scores mean beside them.

    Args:
        outside: What they scored.
        spread: As in `Scale`.
        phrasings: As in `Scale`.
        answered: As in `Scale`.
    """

    def scaled(kept: Asked, middle: float) -> Scale:
        foreign = None if kept.least is None else float(kept.least.mean())
        return Scale(middle, spread, phrasings, answered, foreign)

    scale, kept = scaled(outside, float(np.median(outside.first))), outside
    for _ in range(3):
        x = outside.features(scale)
        kept = outside.take((x[:, 1] < STRANGEST) | (x[:, 1] <= np.median(x[:, 1])))
        scale = scaled(kept, float(kept.first.mean()))
    return kept, scale


def asked_of(found: Scored, entries: Int64) -> Asked:
    """What questions scored, and whether their best entry is the right one, -1 for none."""
    best, first, second = top_two(found.scores)
    least = None if found.least is None else found.least[np.arange(len(best)), best]
    return Asked(first, second, (best == entries) & (entries >= 0), least)


def _all_asked(near: Near, questions: Questions, entries: Int64) -> Asked:
    """As `asked_of`, a block at a time."""
    blocks = [slice(start, start + BLOCK) for start in range(0, len(questions), BLOCK)]
    return _all([asked_of(near.scored(questions.take(block)), entries[block]) for block in blocks])


def _asked_itself(near: Near, rows: Int64, update: Callable[[int], None], before: int) -> tuple[Asked, Asked]:
    """Its phrasings with themselves left out, where their entry has others; and all with their entry left out."""
    known: list[Asked] = []
    left: list[Asked] = []
    answered = np.zeros(len(near.counts), bool)
    if near.book.answers is not None:
        answered[near.book.answers.entries] = True
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        found, owner = near.without(block), near.book.owner[block]
        # The question of an entry stands in its whole as well: where that has an answer, only the others can ask.
        several = (near.counts[owner] > 1) & ~(answered[owner] & (near.starts[owner] == block))
        known.append(asked_of(found, owner).take(several))
        if len(near.counts) > 1:
            found.scores[np.arange(len(block)), owner] = GONE
            left.append(asked_of(found, np.full(len(block), -1)))
        update(before + start + len(block))
    return _all(known), _all(left)


def _all(parts: list[Asked]) -> Asked:
    if not parts:
        return Asked(np.zeros(0, np.float32), np.zeros(0, np.float32), np.zeros(0, bool))
    first, second, right = (np.concatenate([getattr(p, n) for p in parts]) for n in ("first", "second", "right"))
    least = [part.least for part in parts if part.least is not None]
    return Asked(first, second, right, np.concatenate(least) if least else None)


def _merit(known: Asked, left: Asked, outside: Asked) -> tuple[float, float]:
    """Accuracy to the percent, then how often a right question scores more than one whose entry was left out."""
    if not len(known):
        return 0.0, 0.0
    against = np.sort(left.first if len(left) else outside.first)
    return round(float(known.right.mean()), 2), float(np.searchsorted(against, known.first).mean() / len(against))


def _corrected(curves: Curves, known: Asked, left: Asked, outside: Asked, scale: Scale) -> Curves:
    """The general curves, moved as far as this FAQ's own questions ask for it; where it has none, as they are."""
    if not len(known):
        return curves
    parts = [known, left, outside]
    shares = stranger_shares(len(left), len(outside))
    x = [part.features(scale) for part in parts]
    target = np.concatenate([np.full(len(part), float(part is known)) for part in parts])
    weights = [
        np.full(len(part), len(known) * share / max(len(part), 1))
        for part, share in zip(parts, (0.5, *(share / 2 for share in shares)), strict=True)
    ]
    knows, knows_covariance = fit_curve(np.concatenate(x), target, np.concatenate(weights), curves.known)
    right, right_covariance = fit_curve(x[0], known.right.astype(np.float64), weights[0], curves.right)
    return Curves(knows, right, knows_covariance, right_covariance)


def stranger_shares(akin: int, outside: int) -> tuple[float, float]:
    """How strangers of the field and from outside are weighed; all of it goes to the one kind that there is."""
    akin_share = AKIN * bool(akin) / (AKIN * bool(akin) + OUTSIDE * bool(outside) or 1)
    return akin_share, 1 - akin_share


SIZES = {"20": 20, "100": 100, "more": 1 << 62}
"""Classes of FAQs by the most entries of each."""


def size_of(entries: int) -> str:
    """The class of a FAQ of so many entries.

    Example:
        >>> size_of(7)
        '20'
    """
    return next(name for name, most in SIZES.items() if entries <= most)


def borrowed(kind: str, scale: Scale, entries: int) -> Float64:
    """Features of questions of other FAQs with one phrasing an entry, and whether the best entry was right.

    Args:
        kind: "known", "akin" or "outside".
        scale: Of the FAQ that borrows.
        entries: How many it has: those of FAQs of about that size are lent.

    Returns:
        Shape (q, 9): eight features and 0 or 1.
    """
    lent = general()["borrowed"]["one" if scale.phrasings == 1 else "several"]
    above, margin, said, worded, nearer, right = np.array(lent[size_of(entries)][kind], np.float64).T
    zeros, ones = np.zeros(len(above)), np.ones(len(above))
    return np.column_stack([ones, above, margin, above * margin, zeros, said, worded, nearer, right])
