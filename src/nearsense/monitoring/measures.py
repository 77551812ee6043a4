"""What is compared: each test with the units it rests on, and its figures. Not whether it speaks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.encoders.languages import language_of
from nearsense.metrics import expected_calibration_error
from nearsense.monitoring.results import Group, Spread
from nearsense.monitoring.topics import shares_of, topic_groups
from nearsense.monitoring.twosample import (
    MMD,
    Classifier,
    Groups,
    KolmogorovSmirnov,
    MeanGap,
    Statistic,
    area_under_curve,
    column_of,
    population_stability_index,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.monitoring.samples import Pool

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]
    Doubles = NDArray[np.float64]

FORMS: Mapping[str, Callable[[str], object]] = {
    "capital letter": lambda text: text != text.lower(),
    "digit": re.compile(r"\d").search,
    "question mark": re.compile(r"[?\uff1f\u061f]").search,
    "full stop": re.compile(r"[.\u3002\u0964]\s*$").search,
    "link or address": re.compile(r"https?://|www\.|@\w").search,
    "several lines": re.compile(r"\n").search,
}
"""What texts may hold, whatever they are about: another client, form or channel writes otherwise."""

FEW_LABELS = 10  # labels of each side from which on calibration is compared


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A test before it is judged."""

    name: str
    statistic: Statistic
    measure: str
    value: float
    n: int
    current: float | None = None
    reference: float | None = None
    more: Mapping[str, float] = field(default_factory=dict)
    groups: Sequence[Ints] = ()  # units of each group, where it is of groups
    names: Sequence[str] = ()  # what the groups are called
    rows: Ints = field(default_factory=lambda: np.empty(0, np.int64))  # the units that groups are of


def measure(pool: Pool, seed: int) -> list[Measured]:
    """All tests that what is known of both sides allows."""
    labels = pool.labels
    found: list[Measured] = []
    if pool.vectors is not None:
        found += _of_vectors(pool, labels, seed)
    found += [*_of_scores(pool, labels), *_of_texts(pool, labels), *_of_labels(pool, labels)]
    return [each for each in found if each.n]


def _both(labels: Bools, rows: Ints) -> bool:
    return bool(labels[rows].any() and not labels[rows].all())


def _of_vectors(pool: Pool, labels: Bools, seed: int) -> list[Measured]:
    rows = np.flatnonzero(pool.known[pool.units])
    if not _both(labels, rows) or pool.vectors is None:
        return []
    vectors = np.zeros((len(labels), pool.vectors.shape[1]), np.float32)
    vectors[rows] = pool.vectors[pool.units[rows]]
    random = np.random.default_rng([seed, 1])
    discrepancy = MMD(vectors, rows, random)
    classifier = Classifier(vectors, rows, random)
    area, error = area_under_curve(classifier.scores(labels), labels[rows])
    groups = [rows[each] for each in topic_groups(vectors[rows], random)]
    more = {"low": max(area - 1.96 * error, 0.0), "high": min(area + 1.96 * error, 1.0)}
    return [
        Measured("vectors", discrepancy, "MMD²", discrepancy.value(labels), len(rows)),
        Measured("classifier", classifier, "AUC", area, len(rows), more=more),
        *_shares("topics", groups, rows, labels),
    ]


def _shares(
    name: str, groups: Sequence[Ints], rows: Ints, labels: Bools, names: Sequence[str] = ()
) -> list[Measured]:
    """A test of the shares of groups, where there are some."""
    if not groups:
        return []
    statistic = Groups(groups, rows)
    value = float(statistic.parts(column_of(labels)).max())
    which: dict[str, Any] = {"groups": groups, "names": names, "rows": rows}
    return [Measured(name, statistic, "likelihood ratio", value, len(rows), **which)]


def _numbers(name: str, values: Doubles, labels: Bools) -> list[Measured]:
    """A test of how numbers are spread."""
    rows = np.flatnonzero(~np.isnan(values))
    if not _both(labels, rows):
        return []
    statistic = KolmogorovSmirnov(values)
    now, before = values[rows][labels[rows]], values[rows][~labels[rows]]
    more = {"psi": population_stability_index(now, before)}
    medians = float(np.median(now)), float(np.median(before))
    return [Measured(name, statistic, "KS", statistic.value(labels), len(rows), *medians, more)]


def _of_scores(pool: Pool, labels: Bools) -> list[Measured]:
    scores, answered = usual_scores(pool), pool.column("answered")
    found = _numbers("scores", scores, labels)
    rows = np.flatnonzero(~np.isnan(answered))
    if _both(labels, rows):
        missed = 1.0 - answered
        own, sides = missed[rows], labels[rows]
        sizes = int(sides.sum()), int((~sides).sum())
        *_, now, before, low, high = shares_of((int(own[sides].sum()), int(own[~sides].sum())), sizes)
        more = {"low": low, "high": high}
        found.append(Measured("unanswered", MeanGap(missed), "share", now - before, len(rows), now, before, more))
    return found


def usual_scores(pool: Pool) -> Doubles:
    """The top scores of units that were searched as most were: scores of two modes do not compare."""
    scores = pool.column("scores").copy()
    modes = np.array([pool.side.modes[row] for row in pool.units.tolist()], object)
    known = ~np.isnan(scores)
    if known.any():
        counts = {mode: int((modes[known] == mode).sum()) for mode in sorted(set(modes[known].tolist()))}
        scores[modes != max(counts, key=lambda mode: counts[mode])] = np.nan
    return scores


def _of_texts(pool: Pool, labels: Bools) -> list[Measured]:
    texts = pool.texts
    rows = np.array([row for row, text in enumerate(texts) if text is not None], np.int64)
    if not _both(labels, rows):
        return []
    languages: dict[str, list[int]] = {}
    forms: dict[str, list[int]] = {}
    for row in rows.tolist():
        text = texts[row] or ""
        languages.setdefault(language_of(text), []).append(row)
        for name, holds in FORMS.items():
            if holds(text):
                forms.setdefault(name, []).append(row)
    found = _numbers("length", pool.lengths, labels)
    for name, groups in (("language", languages), ("form", forms)):
        told = {key: np.array(units, np.int64) for key, units in sorted(groups.items()) if len(units) < len(rows)}
        found += _shares(name, list(told.values()), rows, labels, list(told))
    return found


def _of_labels(pool: Pool, labels: Bools) -> list[Measured]:
    stated, accepted = pool.column("probabilities"), pool.column("accepted")
    residuals = accepted - stated
    rows = np.flatnonzero(~np.isnan(residuals))
    own = labels[rows]
    if min(int(own.sum()), int((~own).sum())) < FEW_LABELS:
        return []
    now, before = float(residuals[rows][own].mean()), float(residuals[rows][~own].mean())
    return [Measured("calibration", MeanGap(residuals), "mean gap", now - before, len(rows), now, before)]


def calibration_of(pool: Pool) -> dict[str, dict[str, float]]:
    """Of each side that has labels how true its probabilities were."""
    stated, accepted = pool.column("probabilities"), pool.column("accepted")
    known = ~np.isnan(stated) & ~np.isnan(accepted)
    found = {}
    for name, side in (("current", pool.labels & known), ("reference", ~pool.labels & known)):
        if side.any():
            found[name] = {
                "labels": float(side.sum()),
                "stated": float(stated[side].mean()),
                "accepted": float(accepted[side].mean()),
                "ece": float(expected_calibration_error(accepted[side], stated[side])),
            }
    return found


def groups_of(test: Measured, pool: Pool, p: Doubles, level: float) -> list[Group]:
    """The groups of a test that moved, the farthest first; counts are of each side's different texts."""
    held = pool.held
    whole = int(held[0, test.rows].sum()), int(held[1, test.rows].sum())
    told = []
    for name, units, chance in zip(test.names, test.groups, p.tolist(), strict=True):
        shares = shares_of((int(held[0, units].sum()), int(held[1, units].sum())), whole)
        told.append(Group(test.name, name, *shares, chance))
    return sorted((each for each in told if each.p <= level), key=lambda each: (each.p, each.name))


def spreads_of(pool: Pool) -> list[Spread]:
    """The numbers of both sides that a plot shows."""
    stated, found = pool.column("probabilities"), []
    for name, values in (("scores", usual_scores(pool)), ("length", pool.lengths), ("probabilities", stated)):
        known = ~np.isnan(values)
        now, before = values[known & pool.labels], values[known & ~pool.labels]
        if len(now) and len(before):
            found.append(Spread(name, now, before))
    return found
