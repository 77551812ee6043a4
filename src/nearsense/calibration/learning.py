"""Labels: which pairs are worth one, and from scores and labels to a calibration. Not where scores come from."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense import checks
from nearsense.calibration.background import Background
from nearsense.calibration.calibration import Calibration, Figures
from nearsense.calibration.curve import guard_shifts, logit, sigmoid
from nearsense.calibration.fitting import FOLDS, LEAST, Fitted, fit, log_loss, parts_of
from nearsense.calibration.population import Population, Scale
from nearsense.calibration.threshold import Labelled
from nearsense.errors import InputError
from nearsense.records import Metric, Origin

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Float64 = NDArray[np.float64]

STRANGENESS = 1.5
"""By how much the log-odds of one score differ from one kind of "the same" to another (standard deviation): see
the table in docs/calibration.md."""

FEW = 200  # labels below which a curve starts from other sets, where some are known
STRATA = 10  # parts of equal width between the lowest and the highest score
_REFERENCE = 512


def learn_calibration(
    scores: ArrayLike,
    labels: ArrayLike,
    origin: Origin,
    *,
    task: str = "own",
    prior: float | None = None,
    background: Background | None = None,
    made_from: str = "",
    kinds: Sequence[Sequence[str]] | None = None,
    prior_sets: tuple[Population, Scale] | None = None,
) -> Calibration:
    """A calibration from the scores of n >= 20 pairs and their labels, 1 (same) or 0, both of which occur.

    `prior` is the share of same pairs where it will be used, by default that among the labels; `kinds` are the
    kinds of difference that the guard saw in each pair, None where it has not looked. Few labels start from
    `prior_sets`, of which these pairs are one more, and from where the model scores (empirical Bayes).
    """
    from nearsense.metrics import brier_score, expected_calibration_error

    truth = checked_labels(labels)
    known, n = _checked_scores(scores, truth), len(truth)
    prior = None if prior is None else checks.share(prior)
    if prior_sets is not None and n < FEW:
        found = _started(known, truth, *prior_sets)
    else:
        found = fit(known, truth, bounded=origin.metric is Metric.COSINE)
    share, whole = float(truth.mean()), truth.astype(np.int64)
    reference = np.sort(known) if n <= _REFERENCE else np.quantile(known, np.linspace(0, 1, _REFERENCE))
    forms = {form.value: loss for form, loss in found.losses.items()}
    brier, ece = (each(whole, found.predictions) for each in (brier_score, expected_calibration_error))
    figures = Figures(n, int(truth.sum()), min(forms.values()), brier, ece, forms)
    log_odds = found.curve.log_odds(known)
    return Calibration(
        origin.model,
        origin.fingerprint,
        task,
        origin.metric,
        found.curve,
        share,
        share if prior is None else prior,
        reference,
        n,
        figures,
        background,
        STRANGENESS,
        made_from=made_from or f"{n:,} labelled pairs",
        guard={} if kinds is None else guard_shifts(log_odds, log_odds - logit(share), truth, kinds),
        labelled=Labelled(known, truth.astype(bool)),
    )


def _started(scores: Float64, labels: Float64, population: Population, scale: Scale) -> Fitted:
    """The curve that a set of such labels is expected to have, beside other sets."""
    parts, unseen = parts_of(labels), np.empty(len(scores))
    for part in range(FOLDS):
        own = parts == part
        likely = population.likely(scale, labelled=(scores[~own], labels[~own]))
        unseen[own] = sigmoid(likely.curve.log_odds(scores[own]))
    curve = population.likely(scale, labelled=(scores, labels)).curve
    return Fitted(curve, {curve.form: log_loss(labels, unseen)}, unseen)


def checked_labels(labels: ArrayLike) -> Float64:
    """Labels that a curve can be fitted to: 20 at least, of both kinds."""
    truth = np.asarray(labels, np.float64).ravel()
    if len(truth) < LEAST:
        raise InputError(
            f"{len(truth)} labels are too few to calibrate",
            why=f"with fewer than {LEAST} the interval of every probability is nearly all from 0 to 1",
            fix=f"label {LEAST - len(truth)} more pairs",
        )
    wrong = np.flatnonzero(~np.isin(truth, (0.0, 1.0)))
    if len(wrong):
        row = int(wrong[0])
        raise InputError(f"label {row} is {float(truth[row])!r}", why="a label is 1 (same) or 0 (not)")
    if truth.min() == truth.max():
        why = "what tells same pairs from others is learnt from both"
        what = f"all {len(truth):,} labels are {int(truth[0])}"
        raise InputError(what, why=why, fix="label pairs of the other kind too")
    return truth


def _checked_scores(scores: ArrayLike, labels: Float64) -> Float64:
    known = np.asarray(scores, np.float64).ravel()
    if len(known) != len(labels):
        raise InputError(f"{len(known):,} scores, {len(labels):,} labels", fix="give one label for each pair")
    wrong = np.flatnonzero(~np.isfinite(known))
    if len(wrong):
        row = int(wrong[0])
        raise InputError(f"score {row} is {float(known[row])!r}", why="scores are finite numbers")
    if known.min() == known.max():
        why = "what is the same everywhere tells nothing apart"
        what = f"all {len(known):,} scores are {float(known[0]):.4g}"
        raise InputError(what, why=why, fix="label pairs of different scores")
    return known


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """n pairs by how they score."""

    strata: NDArray[np.int64]  # (n,): the part that each pair lies in
    names: tuple[str, ...]  # of each part, from what score to what
    turn: NDArray[np.int64]  # (n,): the place of each pair among those of its part, by chance

    def next(self, labels: Collection[int], skipped: Collection[int] = ()) -> int | None:
        """The pair to ask for, of the part that has the fewest labels; None where none is left.

        `labels` are the pairs that have one, `skipped` those that nobody could judge.
        """
        done = np.zeros(len(self.strata), bool)
        done[[*labels, *skipped]] = True
        left = np.flatnonzero(~done)
        if not len(left):
            return None
        had = np.bincount(self.strata[np.array([*labels], np.int64)], minlength=len(self.names))
        order = np.random.default_rng(len(labels)).permutation(len(self.names))  # so that nobody learns what comes
        by = np.lexsort((self.turn[left], order[self.strata[left]], had[self.strata[left]]))
        return int(left[by[0]])

    def size(self, pair: int) -> int:
        """How many pairs lie in the same part."""
        return int((self.strata == self.strata[pair]).sum())


def spread_over(scores: Float64, parts: int = STRATA) -> Spread:
    """Pairs in parts of equal width of score; with one part they are drawn evenly, whatever they score."""
    edges = np.linspace(float(scores.min()), float(scores.max()), parts + 1)
    strata = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, parts - 1)
    names = tuple(f"{low:.3f} to {high:.3f}" for low, high in itertools.pairwise(edges))
    return Spread(strata, names, np.random.default_rng(0).permutation(len(scores)))
