"""drift: is what comes in still like what came before? The verb; how tests are made: the files beside."""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nearsense import checks
from nearsense._progress import Progress
from nearsense.errors import InputError
from nearsense.monitoring.measures import Measured, calibration_of, groups_of, measure, spreads_of
from nearsense.monitoring.results import Drift, DriftTest, Repeated
from nearsense.monitoring.samples import Copies, Given, Pool, checks_seed, digest_of, pool, read_side
from nearsense.monitoring.topics import Topic, described, moved_most
from nearsense.monitoring.twosample import Relabelled, column_of, relabelled
from nearsense.monitoring.watching import PERIOD, open_watch
from nearsense.records import Origin, Vectors, parse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.corpus import TextColumn
    from nearsense.encoders import Encoder

__all__ = ["drift"]

LEVEL = 0.02
SAMPLE = 10_000
LEAST = 999  # relabellings
FINE = 5  # relabellings for one that may lie beyond what was seen, at the level
MOST = 100_000
TOPICS = 10  # topics that are told
UNSURE = 5  # topics that are told where there is drift and none is certain
SAME = ("name", "value", "measure", "current", "reference", "n", "more")  # of a test before and after it is judged
OFTEN = 5  # copies from which on a text is told to be repeated, and
OFTEN_SHARE = 0.01  # their least share of a side


def drift(
    current: Given,
    reference: Given,
    *,
    text: TextColumn = None,
    encoder: Encoder | str | None = None,
    vectors: Vectors | None = None,
    reference_vectors: Vectors | None = None,
    level: float = LEVEL,
    copies: str = Copies.ONCE,
    sample: int = SAMPLE,
    relabellings: int | None = None,
    watch: str | os.PathLike[str] | None = None,
    period: float = PERIOD,
    at: float | None = None,
    seed: int = 0,
    progress: Progress = False,
) -> Drift:
    """Whether two samples of texts are alike, and if not, which topics grew, shrank, came or went.

    Compared are the vectors (MMD, and a classifier as a second opinion), the shares of topics, languages and
    written forms, the lengths, and of logged queries the top scores, the share that was not answered, and how true
    stated probabilities are. All tests are judged together: where both sides are alike, the chance that any of
    them speaks is at most `level` (Westfall and Young's step-down maxT over random relabellings). The order of the
    rows decides nothing, and the same call gives the same result.

    Args:
        current: What comes in: texts, Documents, a Series, a path, a frame with `text`; or Vectors, entries of a
            query log, or a Collection, whose documents are meant.
        reference: What it is compared with, likewise.
        text: The column of frames or files that holds the texts; of several they are joined.
        encoder: An Encoder or a name, for texts without vectors; None is the default model.
        vectors: Those of the current texts, where there are any.
        reference_vectors: Those of the reference's texts.
        level: The chance of a false alarm: of this comparison, or of a watch in `period` days; in (0, 1).
        copies: "once": texts that are equal but for case, punctuation and digits, or score 0.98 and more with each
            other, count once, so that nobody who asks one thing 500 times makes a drift. "each": every row counts.
        sample: How many rows of each side are looked at, at most; of more so many are drawn.
        relabellings: How many at most; None for as many as the level wants, 999 at least.
        watch: A file that remembers the checks made so far; made if missing. Then `level` holds for all checks in
            the `period` days after any of them: alpha spending (Lan and DeMets 1983).
        period: Days over which the level of a watch holds.
        at: When this check is made, in seconds since 1970; None for now.
        seed: Of what is drawn by chance.
        progress: True for a bar, or a function of done and total.

    Raises:
        InputError: A side is empty, or an argument is out of its range.
        ModelMismatch: The sides' vectors or scores are of two models.
        FileError: `watch` is no watch.

    Example:
        >>> import nearsense as ns
        >>> cards = [f"{verb} my {kind} card" for verb in ("block", "I lost", "where is", "replace", "I broke")
        ...          for kind in ("bank", "credit", "debit", "gold", "old")]
        >>> trips = [f"{verb} to {city}" for verb in ("a flight", "the train", "a bus", "drive", "a hotel close")
        ...          for city in ("Rome", "Oslo", "Lima", "Cairo", "Delhi")]
        >>> found = ns.drift(cards[:13] + trips, cards)
        >>> found.drifted, "new" in [topic.change for topic in found.topics]
        (True, True)
        >>> ns.drift(cards, cards[::-1]).drifted
        False
    """
    level, seed = checks.share(level, "level"), checks_seed(seed)
    counted = parse(Copies, copies, name="copies")
    most = checks.positive_int(sample, "sample")
    if not (checks.is_number(period) and 0 < period < math.inf):
        raise InputError(f"period={period!r} is no number of days", fix="period=30")
    watched = None if watch is None else open_watch(watch, level, float(period))
    sides = (
        read_side(current, vectors, "current", text),
        read_side(reference, reference_vectors, "reference", text),
    )
    data = [digest_of(side) for side in sides]
    allowed, before = level, None
    when = time.time() if at is None else float(at)
    if watched is not None:
        before = watched.same(" ".join(data))
        allowed = before.level if before is not None else watched.allowed(when)
    pooled = pool(sides, encoder, copies=counted, sample=most, seed=seed, progress=progress)
    if relabellings is None:
        limit = min(max(LEAST, math.ceil(FINE / allowed)), MOST)
    else:
        limit = checks.positive_int(relabellings, "relabellings")
    tests = measure(pooled, seed)
    if data[0] == data[1]:  # nothing could be more alike
        ones = np.ones(len(tests))
        judged = Relabelled(ones, ones, [np.ones(len(test.groups)) for test in tests], 0)
    else:
        judged = relabelled([test.statistic for test in tests], pooled.labels, limit, seed, progress)
    found = _drift(pooled, tests, judged, allowed, seed, equal=data[0] == data[1])
    if watched is None:
        return found
    if before is None:
        spoke = [test.name for test in found.tests if test.drifted]
        before = watched.add(when, allowed, found.p, len(sides[0]), " ".join(data), spoke)
    return replace(found, check=before)


def _drift(
    pooled: Pool, tests: list[Measured], judged: Relabelled, level: float, seed: int, *, equal: bool
) -> Drift:
    labels = pooled.labels
    rows = (int(pooled.current.sum()), int((~pooled.current).sum()))
    units = (int(labels.sum()), int((~labels).sum()))
    held = pooled.held.sum(axis=1).tolist()
    told = [
        DriftTest(p=p, adjusted=joint, drifted=joint <= level, **{each: getattr(test, each) for each in SAME})
        for test, p, joint in zip(tests, judged.p.tolist(), judged.adjusted.tolist(), strict=True)
    ]
    drifted = any(test.drifted for test in told)
    topics: list[Topic] = []
    groups = []
    if drifted:
        for test, result, parts in zip(tests, told, judged.parts, strict=True):
            p = np.maximum(parts, result.adjusted)
            if test.name == "topics":
                topics = _topics(pooled, test, p, level)
            elif test.groups and result.drifted:
                groups += groups_of(test, pooled, p, level)
    return Drift(
        drifted,
        level,
        tuple(sorted(told, key=lambda test: (test.adjusted, test.p))),
        tuple(topics),
        tuple(groups),
        tuple(_repeated(pooled, rows)),
        pooled.given,
        rows,
        (held[0], held[1]),
        tuple(_notes(pooled, told, rows, units, level, judged.drawn, equal=equal)),
        None,
        calibration_of(pooled),
        spreads_of(pooled),
        Origin(pooled.model, pooled.fingerprint),
        seed,
    )


def _topics(pooled: Pool, test: Measured, p: NDArray[np.float64], level: float) -> list[Topic]:
    """The topics that moved, the certain ones; where none is, those that moved most."""
    assert pooled.vectors is not None
    rows = np.flatnonzero(pooled.known[pooled.units])
    places = np.full(len(pooled.units), -1)
    places[rows] = np.arange(len(rows))
    values = test.statistic.parts(column_of(pooled.labels))[:, 0]  # type: ignore[attr-defined]
    moved = moved_most([places[units] for units in test.groups], p, values, TOPICS)
    sure = [each for each in moved if each.p <= level]
    found = described(pooled, pooled.vectors[pooled.units[rows]], rows, sure or moved[:UNSURE], level)
    return sorted(found, key=lambda topic: (topic.p, topic.share < topic.share_before))


def _repeated(pooled: Pool, rows: tuple[int, int]) -> list[Repeated]:
    """Texts of many copies, whose share of one side is another than of the other."""
    counts = Counter(pooled.unit_of.tolist())
    often = [unit for unit, count in counts.items() if count >= OFTEN]
    found = []
    for unit in often:
        inside = pooled.unit_of == unit
        now, before = int((inside & pooled.current).sum()), int((inside & ~pooled.current).sum())
        shares = now / max(rows[0], 1), before / max(rows[1], 1)
        if max(shares) >= OFTEN_SHARE and max(now, before) >= OFTEN and max(shares) >= 2 * min(shares):
            text = pooled.side.texts[int(np.flatnonzero(inside)[0])] or ""
            found.append(Repeated(text, now, before, *shares))
    return sorted(found, key=lambda each: (-max(each.share, each.share_before), each.text))[:TOPICS]


def _notes(
    pooled: Pool,
    tests: list[DriftTest],
    rows: tuple[int, int],
    units: tuple[int, int],
    level: float,
    drawn: int,
    *,
    equal: bool,
) -> list[str]:
    notes = []
    if equal:
        notes.append("Both sides are the same texts.")
    for name, given, used in zip(("current", "reference"), pooled.given, rows, strict=True):
        if used < given:
            notes.append(f"{used:,} of {given:,} rows of the {name} side were drawn (sample).")
    copies = sum(rows) - int(pooled.held.sum())
    if copies > max(sum(rows) // 20, 1):
        notes.append(f"{copies:,} of {sum(rows):,} rows are copies of others and count once (copies).")
    ways = math.comb(sum(units), units[0]) if sum(units) < 60 else math.inf
    if not all(units):
        notes.append("Nothing could be tested: both sides are copies of each other.")
    elif 2 / ways > level and not equal:
        few = f"{units[0]} and {units[1]} different texts are too few"
        notes.append(f"{few}: no difference could be told from chance.")
    elif drawn and 1 / (drawn + 1) > level:
        notes.append(f"{drawn:,} relabellings are too few for a level of {level:.2g}: nothing could speak.")
    if pooled.vectors is None:
        notes.append("What the texts are about was not compared: no text is known (a hashed log, say).")
    elif not pooled.known.all():
        notes.append(f"{int((~pooled.known).sum()):,} rows without a text were left out of what texts are about.")
    if pooled.side.model is not None and len({mode for mode in pooled.side.modes if mode}) > 1:
        notes.append("Several ways of searching are logged; scores are compared of the most frequent one.")
    return notes
