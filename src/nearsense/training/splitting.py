"""Which examples are held out: no text, and no near-duplicate of one, on both sides. Not what is learnt from them.

Texts hang together where they stand in one example, are the same but for case and punctuation, or are so near that
they say the same with a probability of 0.8; what hangs together goes to one side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense._progress import Progress
from nearsense.calibration import Task
from nearsense.calibrator import Calibrator
from nearsense.deduplication.edges import pair_probability
from nearsense.encoders import symmetric_role
from nearsense.errors import InputError
from nearsense.mining import mine
from nearsense.records import Origin
from nearsense.training.examples import Examples, Kind
from nearsense.vectors.rows import connected_components
from nearsense.wording import normal_form

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.encoders import Encoder

    Ints = NDArray[np.int64]

SAME = 0.8
"""Texts that say the same with this probability are near-duplicates."""

NEAR = 0.95
"""The score that counts instead where a model has no calibration."""

SHARE, MOST = 0.1, 1000
"""How much of the examples is held out, and how many at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Rows of examples on several sides."""

    train: Ints  # rows that are learnt from
    held: tuple[Ints, ...]  # the rows of each part that is held out
    groups: Ints  # for each example of all sides, which it hangs together with, numbered from 0
    notes: tuple[str, ...] = ()  # what a reader has to know


def split(
    examples: Examples,
    encoder: Encoder,
    shares: Sequence[float] = (SHARE,),
    *,
    level: float | None = None,
    seed: int = 0,
    progress: Progress = False,
) -> Split:
    """Hold out parts of the examples, each a share of them, of each class its own; together less than all.

    From the level on two texts are near-duplicates: see `near_level`. Where nearly everything hangs together by
    them, only nearer ones count, and a note says so.

    Raises:
        InputError: All examples hang together, so that none can be held out.
    """
    level = near_level(encoder) if level is None else level
    vectors = _vectors(examples, encoder, progress)
    wanted = [min(MOST, max(1, round(share * len(examples)))) for share in shares]
    for each in _levels(level):
        groups, rng = groups_of(examples, vectors, each), np.random.default_rng(seed)
        held: list[Ints] = []
        for count in wanted:
            held.append(_chosen(examples, groups, count, held, rng))
        if all(2 * len(rows) >= count for rows, count in zip(held, wanted, strict=True)):
            break
    taken = np.concatenate([np.empty(0, np.int64), *held])
    if not all(map(len, held)) or len(taken) == len(examples):
        what = f"{examples.name}: the {len(examples):,} examples hang together"
        why = "nearly each has a text in common with another one, so that too few can be held out unseen"
        fix = "give examples of your own to measure on (dev=, test=), or False for none"
        raise InputError(what, why=why, fix=fix)
    return Split(np.setdiff1d(np.arange(len(examples)), taken), tuple(held), groups, _said(each, level))


def apart_from(
    examples: Examples, held: Examples, encoder: Encoder, *, level: float, progress: Progress = False
) -> tuple[Ints, tuple[str, ...]]:
    """The rows without a text, or a near-duplicate of one, of other examples; and what a reader has to know."""
    own, others = examples.distinct_texts(), held.distinct_texts()
    known = {normal_form(text) for text in others}
    equal = {text for text in own if normal_form(text) in known}
    role = symmetric_role(encoder)
    left, right = (encoder.encode(texts, role=role, normalize=True, progress=progress) for texts in (own, others))
    equally = _without(examples, equal)
    for each in _levels(level):
        near = mine(left.data, each, against=right.data).left.tolist() if each <= 1 else []
        rows = _without(examples, equal.union(own[row] for row in near))
        if 2 * len(rows) >= len(equally):
            break
    count = len(examples) - len(rows)
    said = f"{count:,} examples were left out: their texts, or near-duplicates, are in {held.name}."
    return rows, (*((said,) if count else ()), *_said(each, level))


def _without(examples: Examples, seen: set[str]) -> Ints:
    rows = [row for row, texts in enumerate(examples.rows()) if not seen.intersection(texts)]
    return np.array(rows, np.int64)


def _levels(level: float) -> tuple[float, ...]:
    """From which scores texts are near-duplicates; where all is near, the next one counts. 2: by words alone."""
    return (level, (1 + level) / 2, (3 + level) / 4, 2.0) if level <= 1 else (2.0,)


def _said(used: float, level: float) -> tuple[str, ...]:
    if used <= level:
        return ()
    less = f"a score of {used:.3f}" if used <= 1 else "the same words"
    return (f"Nearly all texts are near each other for this model: near-duplicates are those from {less} on.",)


def near_level(encoder: Encoder) -> float:
    """From which score two texts are near-duplicates; 2 where no score says so much."""
    origin = Origin(encoder.name, encoder.fingerprint)
    calibrator = Calibrator(Task.PARAPHRASE)
    found = pair_probability(calibrator, origin, lambda: None, guarded=False, encoder=encoder)
    return NEAR if found is None else found.lowest(SAME)


def groups_at(examples: Examples, encoder: Encoder, level: float, progress: Progress = False) -> Ints:
    """The group of each example, by the vectors of an encoder."""
    return groups_of(examples, _vectors(examples, encoder, progress), level)


def groups_of(examples: Examples, vectors: NDArray[np.float32], level: float) -> Ints:
    """The group of each example, numbered from 0; `vectors` are those of `examples.distinct_texts()`."""
    texts = examples.distinct_texts()
    place = {text: number for number, text in enumerate(texts)}
    forms: dict[str, int] = {}
    links = [(number, forms.setdefault(normal_form(text), number)) for number, text in enumerate(texts)]
    links += [(place[row[0]], place[other]) for row in examples.rows() for other in row[1:]]
    if level <= 1:
        near = mine(vectors, level)
        links += list(zip(near.left.tolist(), near.right.tolist(), strict=True))
    component = connected_components(len(texts), links)
    _, groups = np.unique([component[place[text]] for text in examples.texts[0]], return_inverse=True)
    return groups.astype(np.int64)


def _chosen(
    examples: Examples, groups: Ints, wanted: int, before: Sequence[Ints], rng: np.random.Generator
) -> Ints:
    """Whole groups that are in no part before, drawn by chance: as many rows as wanted, of each class its share.

    A class keeps two texts to learn from at least, and a label of pairs one.
    """
    strata = np.zeros(len(groups), np.int64)
    if examples.kind in (Kind.CLASSES, Kind.ENTAILMENT, Kind.LABELLED):
        strata = np.unique(list(map(str, examples.truth)), return_inverse=True)[1].astype(np.int64)
    free = np.ones(len(groups), bool)
    free[np.concatenate([np.empty(0, np.int64), *before])] = False
    sizes, left_of = np.bincount(strata), np.bincount(strata[free], minlength=strata.max() + 1)
    quota = np.maximum(1, np.ceil(wanted * sizes / len(groups))).astype(np.int64)
    room = np.minimum(quota, left_of - (2 if examples.kind is Kind.CLASSES else 1))
    members: dict[int, list[int]] = {}
    for row in np.flatnonzero(free).tolist():
        members.setdefault(int(groups[row]), []).append(row)
    found, taken, left = list(members.values()), list[int](), wanted
    for at in rng.permutation(len(found)).tolist():
        rows = found[at]
        counts = np.bincount(strata[rows], minlength=len(sizes))
        if len(rows) <= left and (counts <= room).all():
            taken += rows
            room, left = room - counts, left - len(rows)
    return np.array(sorted(taken), np.int64)


def _vectors(examples: Examples, encoder: Encoder, progress: Progress) -> NDArray[np.float32]:
    texts = examples.distinct_texts()
    return encoder.encode(texts, role=symmetric_role(encoder), normalize=True, progress=progress).data
