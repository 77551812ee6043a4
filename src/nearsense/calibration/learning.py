"""Scores and labels to a calibration: what is checked, fitted and remembered. Not where the scores come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nearsense import checks
from nearsense.calibration.background import Background
from nearsense.calibration.calibration import Calibration, Figures
from nearsense.calibration.curve import logit, sigmoid
from nearsense.calibration.fitting import FOLDS, LEAST, Fitted, fit, log_loss, parts_of
from nearsense.calibration.guarding import guard_shifts
from nearsense.calibration.population import Population, Scale
from nearsense.calibration.threshold import Labelled
from nearsense.errors import InputError
from nearsense.records import Metric, Origin

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["STRANGENESS", "learnt"]

STRANGENESS = 1.5
"""By how much the log-odds of one score differ from one kind of "the same" to another (standard deviation): see
the table in docs/calibration.md."""

FEW = 200
"""Labels below which a curve starts from other sets, where some are known."""

_REFERENCE = 512


def learnt(
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
    """A calibration from scores and labels.

    Args:
        scores: Shape (n,): what the model gave n pairs; n >= 20.
        labels: Shape (n,): 1 where they mean the same, 0 where not; both occur.
        origin: Which model gave the scores, and by which metric.
        task: What the labels call "the same".
        prior: The share of same pairs where it will be used; None for that among the labels.
        background: The scores of random pairs where the pairs come from.
        made_from: What the labels are, in words.
        kinds: For each pair the kinds of difference that the guard saw; None where it has not looked.
        prior_sets: Labelled sets of which these pairs are one more, and where the model scores: few labels start
            from them (empirical Bayes). None where nothing is known of the model.

    Raises:
        InputError: There are fewer than 20 labels, they are all of one class, or a score is no number.

    Example:
        >>> import numpy as np
        >>> scores = np.linspace(-0.2, 0.98, 60)
        >>> labels = np.random.default_rng(0).random(60) < scores
        >>> calibration = learnt(scores, labels, Origin("mine", "0123"))
        >>> bool(calibration.probability(0.9) > 0.7)
        True
    """
    from nearsense.metrics import brier_score, expected_calibration_error

    truth = checked_labels(labels)
    known = _checked_scores(scores, truth)
    prior = None if prior is None else checks.share(prior)
    if prior_sets is not None and len(truth) < FEW:
        found = _started(known, truth, prior_sets)
    else:
        found = fit(known, truth, bounded=origin.metric is Metric.COSINE)
    share = float(truth.mean())
    order = np.sort(known)
    reference = order if len(order) <= _REFERENCE else np.quantile(order, np.linspace(0, 1, _REFERENCE))
    figures = Figures(
        len(truth),
        int(truth.sum()),
        min(found.losses.values()),
        brier_score(truth.astype(np.int64), found.predictions),
        expected_calibration_error(truth.astype(np.int64), found.predictions),
        {form.value: loss for form, loss in found.losses.items()},
    )
    return Calibration(
        origin.model,
        origin.fingerprint,
        task,
        origin.metric,
        found.curve,
        share,
        share if prior is None else prior,
        reference,
        len(truth),
        figures,
        background,
        STRANGENESS,
        0.0,
        made_from or f"{len(truth):,} labelled pairs",
        {} if kinds is None else _guarded(found.curve.log_odds(known), share, truth, kinds),
        labelled=Labelled(known, truth.astype(bool)),
    )


def _guarded(
    log_odds: NDArray[np.float64], share: float, labels: NDArray[np.float64], kinds: Sequence[Sequence[str]]
) -> dict[str, float]:
    return guard_shifts(log_odds, log_odds - logit(share), labels, kinds)


def _started(
    scores: NDArray[np.float64],
    labels: NDArray[np.float64],
    start: tuple[Population, Scale],
) -> Fitted:
    """The curve that a set of such labels is expected to have, beside other sets."""
    (population, scale), parts = start, parts_of(labels)
    unseen = np.empty(len(scores))
    for part in range(FOLDS):
        own = parts == part
        likely = population.likely(scale, labelled=(scores[~own], labels[~own]))
        unseen[own] = sigmoid(likely.curve.log_odds(scores[own]))
    curve = population.likely(scale, labelled=(scores, labels)).curve
    return Fitted(curve, {curve.form: log_loss(labels, unseen)}, unseen)


def checked_labels(labels: ArrayLike) -> NDArray[np.float64]:
    """Labels that a curve can be fitted to, as float64.

    Raises:
        InputError: They cannot; one line says why.
    """
    truth = np.asarray(labels, np.float64).ravel()
    if len(truth) < LEAST:
        raise InputError(
            f"{len(truth)} labels are too few to calibrate",
            why=f"with fewer than {LEAST} the interval of every probability is nearly all from 0 to 1",
            fix=f"label {LEAST - len(truth)} more pairs",
        )
    if not np.isin(truth, (0.0, 1.0)).all():
        row = int(np.flatnonzero(~np.isin(truth, (0.0, 1.0)))[0])
        raise InputError(f"label {row} is {float(truth[row])!r}", why="a label is 1 (same) or 0 (not)")
    if truth.min() == truth.max():
        raise InputError(
            f"all {len(truth):,} labels are {int(truth[0])}",
            why="what tells same pairs from others is learnt from both",
            fix="label pairs of the other kind too",
        )
    return truth


def _checked_scores(scores: ArrayLike, labels: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.asarray(scores, np.float64).ravel()
    if len(known) != len(labels):
        raise InputError(f"{len(known):,} scores, {len(labels):,} labels", fix="give one label for each pair")
    if not np.isfinite(known).all():
        row = int(np.flatnonzero(~np.isfinite(known))[0])
        raise InputError(f"score {row} is {float(known[row])!r}", why="scores are finite numbers")
    if known.min() == known.max():
        raise InputError(
            f"all {len(known):,} scores are {float(known[0]):.4g}",
            why="what is the same everywhere tells nothing apart",
            fix="label pairs of different scores",
        )
    return known
