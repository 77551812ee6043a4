"""The general check set: did a model lose what it was not trained for? Pairs of the probe, part by part.

Of each part it is measured how well scores tell pairs that say the same from those that share a topic, or nothing.
Near misses are worded as alike as can be, so they are a part of their own. That it changed is tested by exchanging
what both models say, pair by pair: were they equally good, each exchange would be as likely as what was seen. All
parts are exchanged together, and the largest change counts: so looking at many of them names none by chance
(Westfall and Young 1993, max-T).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nearsense.calibration.probe import ProbePair, languages, probe_pairs
from nearsense.evaluation.systems import system_of
from nearsense.metrics import ranks
from nearsense.training_results import Slice

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.encoders import CrossEncoder, Encoder

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

EXCHANGES = 2000
"""Assignments of both models' scores that are tried."""

FEWEST = 5
"""Pairs that say the same, and others, that a part needs."""

BLOCK = 200
"""Exchanges worked on at once."""


def check_generally(
    before: Encoder | CrossEncoder, after: Encoder | CrossEncoder, *, seed: int = 0, exchanges: int = EXCHANGES
) -> tuple[Slice, ...]:
    """A model before and after, on the pairs of the probe, in the languages that it was made for before.

    Returns a Slice for each language, form and domain; none where the model was made for no language of the probe.
    No p-value is below 1 / (1 + exchanges).
    """
    pairs = pairs_for(before)
    if not pairs:
        return ()
    scores = [_scores(model, pairs) for model in (before, after)]
    same = np.array([each.relation == "same" for _, each in pairs], bool)
    parts = {
        key: rows for key, rows in _parts(pairs).items() if min(same[rows].sum(), (~same[rows]).sum()) >= FEWEST
    }
    found = compared(scores[0], scores[1], same, list(parts.values()), seed=seed, exchanges=exchanges)
    return tuple(
        Slice(what, name, len(rows), *figures)
        for ((what, name), rows), figures in zip(parts.items(), found, strict=True)
    )


def pairs_for(model: Encoder | CrossEncoder) -> list[tuple[str, ProbePair]]:
    """The pairs in languages that a model was made for, English where nobody says; the language of each."""
    made_for = set(model.languages or ("en",))
    chosen = [each for each in languages() if set(each.split("-")) <= made_for]
    return [(language, pair) for language in chosen for pair in probe_pairs(language)]


def _parts(pairs: Sequence[tuple[str, ProbePair]]) -> dict[tuple[str, str], Ints]:
    """The rows of each part: pairs of a language, between languages, of a form, of a domain; and near misses."""
    found: dict[tuple[str, str], list[int]] = {}
    for row, (language, pair) in enumerate(pairs):
        tongue = ("language", language) if "-" not in language else ("languages", "between two")
        usual = (tongue, ("form", pair.form), ("domain", pair.domain)) if pair.relation != "near" else ()
        misses = (("same against", "near misses"),) if pair.relation in ("same", "near") else ()
        for key in (*usual, *misses):
            found.setdefault(key, []).append(row)
    order = ("language", "languages", "same against", "form", "domain")
    keys = sorted(found, key=lambda key: (order.index(key[0]), key[1]))
    return {key: np.array(found[key], np.int64) for key in keys}


def _scores(model: Encoder | CrossEncoder, pairs: Sequence[tuple[str, ProbePair]]) -> Floats:
    """The score of each pair; a passage is read as one."""
    scores = np.zeros(len(pairs))
    passages = np.array([pair.form == "passage" for _, pair in pairs], bool)
    for searching in (False, True):
        rows = np.flatnonzero(passages == searching)
        left, right = ([getattr(pairs[row][1], side) for row in rows.tolist()] for side in ("left", "right"))
        if len(rows):
            scores[rows] = system_of(model).pairs(left, right, searching=searching)
    return scores


def compared(
    before: Floats, after: Floats, same: NDArray[np.bool_], parts: Sequence[Ints], *, seed: int, exchanges: int
) -> list[tuple[float, float, float]]:
    """The ROC AUC of each part before and after, and the p-value of a change, corrected for all parts.

    `before` and `after` are the scores of n pairs, `same` says which mean the same, `parts` are rows of them.
    Scores of two models are of two scales: what is exchanged are their ranks in the part.
    """
    shares = [(ranks(before[rows]), ranks(after[rows]), same[rows]) for rows in parts]
    values = np.array([(_aucs(one[None], own)[0], _aucs(other[None], own)[0]) for one, other, own in shares])
    values = values.reshape(len(parts), 2)
    differences = np.zeros((exchanges, len(parts)))
    random = np.random.default_rng(seed)
    for begin in range(0, exchanges, BLOCK):
        flips = random.random((min(BLOCK, exchanges - begin), len(before))) < 0.5
        for column, (rows, (one, other, own)) in enumerate(zip(parts, shares, strict=True)):
            flip = flips[:, rows]
            gained = _aucs(np.where(flip, one, other), own) - _aucs(np.where(flip, other, one), own)
            differences[begin : begin + len(flips), column] = gained
    spread = np.sqrt((differences**2).mean(axis=0, keepdims=True))
    with np.errstate(all="ignore"):
        largest = np.nan_to_num(np.abs(differences) / spread).max(axis=1, initial=0.0)
        seen = np.nan_to_num(np.abs(values[:, 1] - values[:, 0]) / spread[0])
    exceeding = (largest[:, None] >= seen[None] * (1 - 1e-9)).sum(axis=0)
    p = np.where(seen > 0, (1 + exceeding) / (1 + exchanges), 1.0)
    return [(float(low), float(high), float(each)) for (low, high), each in zip(values, p, strict=True)]


def _aucs(scores: Floats, same: NDArray[np.bool_]) -> Floats:
    """How often a pair that means the same has a higher rank than another, ties half: ranks (r, n) to (r,)."""
    others = np.sort(scores[:, ~same], axis=1)
    step = scores.shape[1] + 1.0  # so that rows follow each other in one rising list
    lift = step * np.arange(len(scores))[:, None]
    line, asked = (others + lift).ravel(), (scores[:, same] + lift).ravel()
    below = np.searchsorted(line, asked, "left") + np.searchsorted(line, asked, "right")
    before = 2 * others.shape[1] * np.repeat(np.arange(len(scores)), int(same.sum()))
    wins = (below - before).reshape(len(scores), -1).sum(axis=1)
    found: Floats = wins / (2.0 * others.shape[1] * int(same.sum()))
    return found
