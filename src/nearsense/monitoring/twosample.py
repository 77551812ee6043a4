"""Two-sample tests by relabelling: whether units of two sides could as well have the other's labels. No texts.

Every test is a statistic of labels. All are computed on the same random relabellings, so that they can be judged
together: adjusted p-values are Westfall and Young's (1993, step-down maxT), under which the chance that any test
speaks falsely is at most the level, whatever depends on what, and which costs nothing where tests agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from nearsense._forks import computing
from nearsense._progress import Progress, tracked
from nearsense.vectors.rows import blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Ints = NDArray[np.int64]
    Floats = NDArray[np.float32]
    Doubles = NDArray[np.float64]

BLOCK = 250  # relabellings that are computed between two looks at what came out
CELLS = 5_000_000  # labels that are held at a time
ENOUGH = 50
"""Relabellings as far off as what was seen, after which a p-value is known well (Besag and Clifford 1991)."""

LANDMARKS = 256
"""Rows that the kernel is seen through (Nyström). Of 5 % foreign texts among 2,000 it sees as much as the whole
kernel does, in a twentieth of the time: benchmarks/bench_drift.py."""

NORM = 4.0
"""The order of the norm: how much many small movements of groups count beside a large one. Of 5 % questions about
many things among 2,000 requests the largest alone finds two thirds, the norm nearly all."""

ROUNDED = 1e-4  # what rounding may take from a statistic that is as far off as another

WIDTH = 0.5
"""The kernel's width, as a share of the median distance of two rows."""

RIDGE = 1.0  # what is added to each direction's spread before it is made even, in mean spreads
FOLDS = 5


class Statistic(Protocol):
    """How far two sides are apart, for many labellings at once."""

    def __call__(self, labels: Floats) -> Doubles:
        """A number for each column of labels, shape (m, r), 1 for the current side, else 0: greater is farther."""
        ...  # pragma: no cover


@dataclass(frozen=True, slots=True, eq=False)
class Relabelled:
    """What relabelling told of t tests, and within each of its parts."""

    p: Doubles  # (t,): alone
    adjusted: Doubles  # (t,): together
    parts: Sequence[Doubles]  # of each test the adjusted p-value of each of its parts
    drawn: int  # how many relabellings


def relabelled(
    tests: Sequence[Statistic], labels: Bools, most: int, seed: int, progress: Progress = False
) -> Relabelled:
    """Judge tests together by up to `most` random relabellings; by fewer where it is clear that none speaks.

    The first block only says how each statistic is spread, so that they can be compared; the rest is counted. It
    ends where 50 are as far off as the farthest test: that is no drift at any level that is asked for.
    """
    random, true = np.random.default_rng([seed, 2]), column_of(labels)
    observed = np.array([test(true)[0] for test in tests])
    first = _statistics(tests, labels, BLOCK, random)
    mean, spread = first.mean(axis=1), first.std(axis=1)
    dead = spread <= 1e-9 * np.maximum(np.abs(mean), 1.0)
    spread[dead] = np.inf

    def standard(found: Doubles) -> Doubles:
        z: Doubles = np.where(dead[:, None], -np.inf, (found - mean[:, None]) / spread[:, None])
        return z

    seen = standard(observed[:, None])[:, 0]
    order = np.argsort(-seen, kind="stable")
    alone, together, drawn = np.zeros(len(tests), np.int64), np.zeros(len(tests), np.int64), 0
    parts = [test.parts(true)[:, 0] if hasattr(test, "parts") else np.empty(0) for test in tests]
    beyond = [np.zeros(len(part), np.int64) for part in parts]
    with tracked(most, "relabellings", progress) as update:
        while drawn < most:
            count = min(BLOCK, most - drawn)
            found = _statistics(tests, labels, count, random)
            for test, values in enumerate(found):
                beyond[test] += np.count_nonzero(values[None, :] >= parts[test][:, None] - ROUNDED, axis=1)
            z = standard(found)
            alone += np.count_nonzero(z >= seen[:, None] - ROUNDED, axis=1)
            later = np.maximum.accumulate(z[order[::-1]], axis=0)[::-1]  # of each test and those that follow it
            together[order] += np.count_nonzero(later >= seen[order, None] - ROUNDED, axis=1)
            drawn += count
            update(drawn)
            if len(tests) and together[order[0]] >= ENOUGH:
                break
    p, adjusted = (1 + alone) / (1 + drawn), (1 + together) / (1 + drawn)
    adjusted[order] = np.maximum.accumulate(adjusted[order])
    p[dead] = adjusted[dead] = 1.0
    return Relabelled(p, adjusted, [(1 + each) / (1 + drawn) for each in beyond], drawn)


def column_of(labels: Bools) -> Floats:
    """Labels as statistics want them: one column of 1 and 0."""
    return labels.astype(np.float32)[:, None]


def _of(labels: Floats, rows: Ints) -> Floats:
    """The labels of some units; of all of them no copy is made."""
    return labels if len(rows) == len(labels) else labels[rows]


def _statistics(tests: Sequence[Statistic], labels: Bools, count: int, random: np.random.Generator) -> Doubles:
    found = [np.empty((len(tests), 0))]
    for part in blocks(count, max(1, CELLS // max(len(labels), 1))):
        size = part.stop - part.start
        drawn = random.permuted(np.broadcast_to(labels, (size, len(labels))), axis=1)
        columns = drawn.T.astype(np.float32, order="C")
        with computing():
            found.append(np.stack([test(columns) for test in tests]) if tests else np.empty((0, size)))
    return np.concatenate(found, axis=1)


def _gap(rows: Floats, total: Floats, labels: Floats) -> Floats:
    """How far the means of rows, (m, d), of both sides are apart, for each column of labels: (d, r)."""
    ones = np.maximum(labels.sum(axis=0), 1)
    zeros = np.maximum(len(labels) - labels.sum(axis=0), 1)
    sums = rows.T @ labels
    gap: Floats = sums * (1 / ones + 1 / zeros).astype(np.float32) - total[:, None] / zeros.astype(np.float32)
    return gap


class MMD:
    """The maximum mean discrepancy of a Gaussian kernel (Gretton et al. 2012), seen through landmarks.

    The rows' features are those of Nyström's method: their products are the kernel's values, exact between
    landmarks. Whatever the features, relabelling makes the p-value exact.
    """

    def __init__(self, vectors: Floats, rows: Ints, random: np.random.Generator) -> None:
        self._rows = rows
        own = vectors[rows]
        drawn = np.sort(random.permutation(len(own))[:LANDMARKS])
        marks = own[drawn].astype(np.float64)
        among = marks @ marks.T
        apart = 2.0 - 2.0 * among[np.triu_indices(len(marks), 1)]
        self.width = WIDTH * float(np.sqrt(max(np.median(apart), 1e-6))) if len(apart) else 1.0
        values, directions = np.linalg.eigh(np.exp((among - 1.0) / self.width**2))
        kept = values > 1e-6 * values[-1]
        across = (directions[:, kept] / np.sqrt(values[kept])).astype(np.float32)
        with computing():
            kernel = np.exp((own @ marks.T.astype(np.float32) - 1.0) / np.float32(self.width**2))
            self._features = kernel @ across
        self._total = self._features.sum(axis=0)

    def __call__(self, labels: Floats) -> Doubles:
        gap = _gap(self._features, self._total, _of(labels, self._rows))
        found: Doubles = np.cbrt(np.vecdot(gap.T, gap.T).astype(np.float64))
        return found

    def value(self, labels: Bools) -> float:
        """The squared discrepancy, without what chance alone would make of it (unbiased)."""
        own = labels[self._rows]
        squares = np.vecdot(self._features, self._features).astype(np.float64)
        total = 0.0
        for side in (own, ~own):
            n = int(side.sum())
            if n < 2:
                return float("nan")
            mean = self._features[side].sum(axis=0, dtype=np.float64)
            total += (float(mean @ mean) - float(squares[side].sum())) / (n * (n - 1))
        one, other = (self._features[side].mean(axis=0, dtype=np.float64) for side in (own, ~own))
        return total - 2.0 * float(one @ other)


class Classifier:
    """How well a linear classifier tells the sides apart on texts that it has not seen (C2ST).

    Fisher's discriminant with a ridge, learnt on four fifths and tried on the fifth, five times over; the
    statistic is the gap between the mean scores of both sides (Kim, Ramdas, Singh and Wasserman 2021; Lopez-Paz
    and Oquab 2017). Which spread the directions have is learnt without labels, so each relabelling trains anew at
    no cost.
    """

    def __init__(self, vectors: Floats, rows: Ints, random: np.random.Generator) -> None:
        self._rows = rows
        own = vectors[rows].astype(np.float32)
        own = own - own.mean(axis=0)
        with computing():
            spread, directions = np.linalg.eigh((own.T @ own).astype(np.float64) / max(len(own), 1))
            scale = np.sqrt(np.maximum(spread, 0.0) + max(RIDGE * float(spread.mean()), 1e-9))
            self._even = own @ (directions / scale).astype(np.float32)
        folds = random.permutation(len(own)) % FOLDS
        self._folds = [np.flatnonzero(folds == fold) for fold in range(FOLDS)]

    def __call__(self, labels: Floats) -> Doubles:
        own = _of(labels, self._rows)
        count = own.sum(axis=0)
        sums, counts = [], []
        for fold in self._folds:
            sums.append(self._even[fold].T @ own[fold])
            counts.append(own[fold].sum(axis=0))
        both = [self._even[fold].sum(axis=0)[:, None] for fold in self._folds]
        whole, all_ = np.sum(sums, axis=0), np.sum(both, axis=0)
        value = np.zeros(own.shape[1])
        for fold, part, ones, total in zip(self._folds, sums, counts, both, strict=True):
            there = len(own) - len(fold)
            learnt = _apart(whole - part, all_ - total, count - ones, there)
            tried = _apart(part, total, ones, len(fold))
            value += np.vecdot(learnt.T, tried.T) * len(fold)
        return value / max(len(own), 1)

    def scores(self, labels: Bools) -> Doubles:
        """What each row scores with the classifier that has not seen it, its fold's mean taken away."""
        own = labels[self._rows].astype(np.float32)
        found = np.zeros(len(own))
        for fold in self._folds:
            rest = np.setdiff1d(np.arange(len(own)), fold)
            learnt = _gap(self._even[rest], self._even[rest].sum(axis=0), own[rest, None])[:, 0]
            scores = self._even[fold] @ learnt
            found[fold] = scores - scores.mean() if len(fold) else scores
        return found


def _apart(sums: Floats, total: Floats, ones: Floats, rows: int) -> Floats:
    """The gap of two means from sums; 0 where a side is empty."""
    zeros = rows - ones
    fine = (ones > 0) & (zeros > 0)
    gap: Floats = np.where(fine, sums / np.maximum(ones, 1) - (total - sums) / np.maximum(zeros, 1), 0)
    return gap


class KolmogorovSmirnov:
    """The greatest gap between two distribution functions, ties counted at once, times the root of the size."""

    def __init__(self, values: Doubles) -> None:
        rows = np.flatnonzero(~np.isnan(values))
        self._order = rows[np.argsort(values[rows], kind="stable")]
        ordered = values[self._order]
        self._ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if len(rows) else rows

    def __call__(self, labels: Floats) -> Doubles:
        gap, ones, zeros = self._gaps(labels)
        return gap * np.sqrt(ones * zeros / np.maximum(ones + zeros, 1)) * 2.0

    def value(self, labels: Bools) -> float:
        """The greatest gap itself, in [0, 1]."""
        return float(self._gaps(column_of(labels))[0][0])

    def _gaps(self, labels: Floats) -> tuple[Doubles, Doubles, Doubles]:
        below = np.cumsum(labels[self._order], axis=0)[self._ends]
        ones = below[-1].astype(np.float64) if len(below) else np.zeros(labels.shape[1])
        zeros = len(self._order) - ones
        ahead = (self._ends + 1)[:, None]
        gap = np.abs(below / np.maximum(ones, 1) - (ahead - below) / np.maximum(zeros, 1))
        fine = (ones > 0) & (zeros > 0)
        return np.where(fine, gap.max(axis=0, initial=0.0), 0.0), ones, zeros


class MeanGap:
    """The gap between the means of both sides, in standard errors: of shares, of residuals."""

    def __init__(self, values: Doubles) -> None:
        self._rows = np.flatnonzero(~np.isnan(values))
        own = values[self._rows]
        self._values = (own - own.mean() if len(own) else own).astype(np.float32)
        self._spread = float(self._values.std()) if len(own) else 0.0

    def __call__(self, labels: Floats) -> Doubles:
        own = _of(labels, self._rows)
        ones = own.sum(axis=0).astype(np.float64)
        zeros = len(own) - ones
        sums = (self._values @ own).astype(np.float64)
        fine = (ones > 0) & (zeros > 0) & (self._spread > 0)
        error = (self._spread or 1.0) / np.sqrt(1 / np.maximum(ones, 1) + 1 / np.maximum(zeros, 1))
        return np.where(fine, np.abs(sums) / error, 0.0)


class Groups:
    """How far the shares of groups moved: of those that grew, or of those that shrank, whichever went farther.

    A group's part is the root of its likelihood ratio statistic; many parts are taken together by their norm of
    order 4, which is the greatest where one stands out and still hears many small ones. Groups may overlap.
    """

    def __init__(self, groups: Sequence[Ints], rows: Ints) -> None:
        self._rows = rows
        self._sizes = np.array([len(group) for group in groups], np.float64)[:, None]
        self._flat = np.concatenate([*groups, np.empty(0, np.int64)]).astype(np.int64)
        self._starts = np.cumsum([0, *map(len, groups)])[:-1].astype(np.int64)

    def __call__(self, labels: Floats) -> Doubles:
        parts, grew = self._moved(labels)
        powers = parts**NORM
        found: Doubles = np.maximum((powers * grew).sum(axis=0), (powers * ~grew).sum(axis=0)) ** (1 / NORM)
        return found

    def parts(self, labels: Floats) -> Doubles:
        """Of each group: (groups, r)."""
        return self._moved(labels)[0]

    def _moved(self, labels: Floats) -> tuple[Doubles, Bools]:
        """How far each group moved, and whether it grew."""
        if not len(self._starts):
            return np.zeros((0, labels.shape[1])), np.zeros((0, labels.shape[1]), np.bool_)
        inside = np.add.reduceat(labels[self._flat], self._starts, axis=0).astype(np.float64)
        ones = _of(labels, self._rows).sum(axis=0).astype(np.float64)[None, :]
        rows = float(len(self._rows))
        found = np.zeros_like(inside)
        for count, side in ((inside, ones), (self._sizes - inside, rows - ones)):
            expected = self._sizes * side / rows
            found += _term(count, expected) + _term(side - count, (rows - self._sizes) * side / rows)
        return np.sqrt(np.maximum(2.0 * found, 0.0)), inside * rows > self._sizes * ones


def _term(count: Doubles, expected: Doubles) -> Doubles:
    with np.errstate(divide="ignore", invalid="ignore"):
        term: Doubles = np.where(count > 0, count * np.log(count / np.maximum(expected, 1e-12)), 0.0)
    return term


def area_under_curve(scores: Doubles, labels: Bools) -> tuple[float, float]:
    """How often a row of the current side scores higher than one of the reference, and its standard error.

    The error is Hanley and McNeil's (1982). NaN where a side is empty.
    """
    ones, zeros = int(labels.sum()), int((~labels).sum())
    if not ones or not zeros:
        return float("nan"), float("nan")
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[places]
    area = float((ranks[labels].sum() - ones * (ones + 1) / 2.0) / (ones * zeros))
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    squares = area * (1 - area) + (ones - 1) * (q1 - area**2) + (zeros - 1) * (q2 - area**2)
    return area, float(np.sqrt(max(squares, 0.0) / (ones * zeros)))


PSI_BINS = 10


def population_stability_index(current: Doubles, reference: Doubles) -> float:
    """How far the shares of ten equally full bins of the reference have moved (PSI); half a text added to each.

    0.1 is usually called a small change, 0.25 a large one: without regard to how few the texts are.

    Example:
        >>> same = np.arange(100.0)
        >>> population_stability_index(same, same), population_stability_index(same + 50, same) > 0.25
        (0.0, True)
    """
    if not len(current) or not len(reference):
        return float("nan")
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, PSI_BINS + 1)[1:-1]))
    counts = [
        np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1) for values in (current, reference)
    ]
    now, before = ((each + 0.5) / (each.sum() + 0.5 * len(each)) for each in counts)
    return float(((now - before) * np.log(now / before)).sum())
