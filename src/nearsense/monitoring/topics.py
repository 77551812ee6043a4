"""What the texts are about, found in both sides together: which groups grew, shrank, came or went. No p-values.

Groups are made without looking at sides (k-means of the units, coarse and fine), so that relabelling is fair to
them. Which of them moved is told by twosample.py; here they get shares with intervals, names and examples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nearsense.clustering.geometry import nearest_two
from nearsense.clustering.kmeans import far_apart, run_lloyd
from nearsense.clustering.naming import cluster_names, phrases_of
from nearsense.records import Record
from nearsense.wording import normal_form

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.monitoring.samples import Pool

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float32]
    Doubles = NDArray[np.float64]

STEPS = 6  # times that centroids move
LEARNT_FROM = 4_000  # units that centroids are learnt from, at most
FEWEST = 8  # units that are worth grouping
SMALLEST = 3  # units of the smallest group that is looked at
STARTED_FROM = 1_000  # of these the ones that centroids begin at
GRAINS = (0.25, 0.7, 2.0, 4.0)  # groups, in roots of the number of units, from coarse to fine
MOST_FINE = 250
EXAMPLES = 5
NEW = 0.1
"""A topic is new where its share in the reference is at most so much of what it is now; gone likewise."""

OVERLAP = 0.5  # of two groups that share so many of their units only the one that moved more is told
_Z = 1.959963984540054


class Change(StrEnum):
    """What became of a topic."""

    NEW = "new"
    GREW = "grew"
    SHRANK = "shrank"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Topic(Record):
    """Texts about one thing whose share is another now. Copies count once: counts are of a side's different texts.

    Args:
        label: Its name; the first words of an example where no phrase sets it apart, "" where only vectors are
            known.
        change: "new", "grew", "shrank" or "gone".
        current: How many texts of the current side it has.
        reference: How many of the reference.
        share: Of the current side, in [0, 1].
        share_before: Of the reference.
        low: The lower end of the 95 % interval of `share - share_before` (Newcombe 1998).
        high: Its upper end.
        p: How probable it is that any topic moves so far where both sides are alike: corrected for all of them.
        sure: Whether p is within the level that was asked for; else it is only what moved most.
        keywords: The phrases that set it apart, the best first.
        examples: Texts near its middle that differ, those of the side on which it is larger.
        ids: The ids of its texts on the current side, copies included.
        unanswered: The share of its current texts that were not answered; None where no log tells.
    """

    label: str
    change: Change
    current: int
    reference: int
    share: float
    share_before: float
    low: float
    high: float
    p: float
    sure: bool
    keywords: tuple[str, ...]
    examples: tuple[str, ...]
    ids: tuple[str, ...]
    unanswered: float | None = None

    def __str__(self) -> str:
        moved = f"{100 * self.share_before:.1f} % -> {100 * self.share:.1f} %"
        return f"{self.change.value:<7} {moved:>18}  {self.label}{'' if self.sure else ' (not certain)'}"


def topic_groups(vectors: Floats, random: np.random.Generator) -> list[Ints]:
    """Groups of units, (m, d) and of unit length, by direction: from coarse to fine; each as rows."""
    m = len(vectors)
    if m < FEWEST:
        return []
    groups: list[Ints] = []
    counts = {max(2, round(each * math.sqrt(m))) for each in GRAINS}
    for k in sorted(counts):
        labels = _grouped(vectors, max(1, min(k, MOST_FINE, m // SMALLEST)), random)
        order = np.argsort(labels, kind="stable")
        ends = np.cumsum(np.bincount(labels))
        groups += [rows for rows in np.split(order, ends[:-1]) if SMALLEST <= len(rows) < m]
    return groups


def _grouped(vectors: Floats, k: int, random: np.random.Generator) -> Ints:
    """K-means by direction: quick, as what matters is that groups are made without looking at sides."""
    drawn = np.sort(random.permutation(len(vectors))[:LEARNT_FROM])
    some = np.ascontiguousarray(vectors[drawn])
    weights = np.ones(len(some), np.float32)
    few = some[np.sort(random.permutation(len(some))[: max(STARTED_FROM, k)])]
    start = far_apart(few, np.ones(len(few), np.float32), k, random)
    learnt = run_lloyd(some, weights, start, steps=STEPS)
    labels, _, _ = nearest_two(vectors, learnt.centroids)
    return labels


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """A group that moved."""

    units: Ints  # which units it has
    p: float


def moved_most(groups: Sequence[Ints], p: Doubles, values: Doubles, most: int) -> list[Moved]:
    """The groups that moved most, the farthest first, none of which is mostly within another."""
    chosen: list[Moved] = []
    taken: list[set[int]] = []
    for place in np.lexsort((-values, p)).tolist():
        units = set(groups[place].tolist())
        if any(len(units & other) >= OVERLAP * min(len(units), len(other)) for other in taken):
            continue
        chosen.append(Moved(groups[place], float(p[place])))
        taken.append(units)
        if len(chosen) == most:
            break
    return chosen


def described(pool: Pool, vectors: Floats, rows: Ints, moved: Sequence[Moved], level: float) -> list[Topic]:
    """Groups as topics. `vectors` are of the units with a vector, which are `rows` of the pool's units."""
    known = pool.texts
    texts = [known[row] or "" for row in rows.tolist()]
    names = _names(texts, [each.units for each in moved])
    return [_described(pool, vectors, rows, each, name, level) for each, name in zip(moved, names, strict=True)]


def _names(texts: Sequence[str], groups: Sequence[Ints]) -> list[tuple[str, tuple[str, ...]]]:
    """What each group is called, set apart from all other texts; groups hardly overlap."""
    if not any(texts) or not groups:
        return [("", ())] * len(groups)
    labels = np.full(len(texts), len(groups), np.int64)
    for number, units in reversed([*enumerate(groups)]):  # where two overlap, units are of the one that moved more
        labels[units] = number
    count = int(labels.max()) + 1
    found = cluster_names(phrases_of(texts), labels, count)
    return [(name.label if name.keywords else "", name.keywords) for name in found[: len(groups)]]


def _described(
    pool: Pool, vectors: Floats, rows: Ints, moved: Moved, name: tuple[str, tuple[str, ...]], level: float
) -> Topic:
    held = pool.held[:, rows]
    sides = (int(held[0].sum()), int(held[1].sum()))
    shares = shares_of((int(held[0, moved.units].sum()), int(held[1, moved.units].sum())), sides)
    larger = moved.units[held[0 if shares.share >= shares.before else 1, moved.units]]
    examples = _examples(pool, vectors, rows, larger)
    inside = np.isin(pool.unit_of, pool.unit_of[pool.units[rows[moved.units]]]) & pool.current
    answered = pool.side.answered[inside]
    known = answered[~np.isnan(answered)]
    label = name[0] or (f"{examples[0][:40]}…" if examples and len(examples[0]) > 40 else "".join(examples[:1]))
    return Topic(
        label,
        _change(shares.share, shares.before),
        *shares,
        moved.p,
        moved.p <= level,
        name[1],
        examples,
        tuple(pool.side.ids[row] for row in np.flatnonzero(inside).tolist()),
        float(1 - known.mean()) if len(known) else None,
    )


def _change(share: float, before: float) -> Change:
    if share >= before:
        return Change.NEW if before <= NEW * share else Change.GREW
    return Change.GONE if share <= NEW * before else Change.SHRANK


def _examples(pool: Pool, vectors: Floats, rows: Ints, units: Ints) -> tuple[str, ...]:
    """Texts near the middle that are not one but for case and punctuation."""
    own = vectors[units]
    scores = np.round(own @ own.sum(axis=0), 4)
    chosen: list[str] = []
    forms: set[str] = set()
    for at in np.argsort(-scores, kind="stable").tolist():
        text = pool.side.texts[int(pool.units[rows[units[at]]])]
        if text and (form := normal_form(text)) not in forms:
            chosen.append(text)
            forms.add(form)
        if len(chosen) == EXAMPLES:
            break
    return tuple(chosen)


class Shares(NamedTuple):
    """Counts of both sides, their shares, and the 95 % interval of the difference of these."""

    current: int
    reference: int
    share: float
    before: float
    low: float
    high: float


def shares_of(counts: tuple[int, int], sizes: tuple[int, int]) -> Shares:
    """Of so many of each side, which has so many in all."""
    now, before = (count / max(size, 1) for count, size in zip(counts, sizes, strict=True))
    return Shares(*counts, now, before, *difference_interval(counts[0], sizes[0], counts[1], sizes[1]))


def difference_interval(one: int, of_one: int, other: int, of_other: int) -> tuple[float, float]:
    """The 95 % interval of a difference of two shares (Newcombe 1998, method 10: of Wilson's intervals).

    Example:
        >>> low, high = difference_interval(56, 70, 48, 80)
        >>> round(low, 4), round(high, 4)
        (0.0524, 0.3339)
    """
    if not of_one or not of_other:
        return -1.0, 1.0
    p, q = one / of_one, other / of_other
    (low_p, high_p), (low_q, high_q) = wilson(one, of_one), wilson(other, of_other)
    low = p - q - math.hypot(p - low_p, high_q - q)
    return low, p - q + math.hypot(high_p - p, q - low_q)


def wilson(count: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    p, z = count / n, _Z
    middle, room = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, (middle - room) / (1 + z * z / n)), min(1.0, (middle + room) / (1 + z * z / n))
