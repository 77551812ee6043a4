"""What sets of one kind of "the same" have in common, and how they differ: a curve for pairs without labels.

Sets of pairs differ, in where pairs that mean the same score and in how many of them there are. Over public sets
of one task both are known (scripts/ship_calibration.py); a new set is one more draw from them. So a pair alone has
a wide interval, and whatever is known of the pairs at hand makes it narrower: how they look, what random pairs of
the same texts score, labels. A few thousand logistic curves are tried; each counts as much as what it implies is
plausible: its slope, where evidence is even, which share it calls the same, and where that share scores.

Scores are told as *nearness*: 0 is where unrelated texts of a model score, 1 is where equal ones do.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.calibration.curve import Curve, Form, finite, logit, sigmoid
from nearsense.calibration.fitting import plain_logistic
from nearsense.records import as_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float64 = NDArray[np.float64]

ENOUGH = 50  # pairs from which on it is looked at how they score
_DRAWN = 0.3  # how probable it is, before any score is seen, that pairs which are not the same are random ones

_SLOPES = np.exp(np.linspace(np.log(1.5), np.log(45.0), 36))
_CROSSINGS = np.linspace(-1.0, 2.0, 91)
_SLOPE, _CROSSING = (each.ravel() for each in np.meshgrid(_SLOPES, _CROSSINGS, indexing="ij"))
_EDGES = np.linspace(-0.6, 1.0, 161)
_NEARNESS = (_EDGES[1:] + _EDGES[:-1]) / 2
_QUADRATURE = np.linspace(-2.5, 2.5, 21)

_ANY_SHARE = (0.0, 1.5)
"""The log-odds of the share of same pairs where nobody knows what they call the same: mean, standard deviation."""

_STATED = 0.05  # how well the log-odds of a share are known that somebody states

_RANDOM_MEAN, _RANDOM_SPREAD = 0.03, 0.1
"""How well the mean nearness and the spread (its logarithm) of random pairs are known from a corpus."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Where unrelated texts score by a model, and how far it is from there to equal ones."""

    random: float
    unit: float

    def nearness(self, scores: Float64) -> Float64:
        """0 where unrelated texts score, 1 where equal ones do."""
        return (scores - self.random) / self.unit


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """The sets of a task whose pairs were come by in one way."""

    mean: Float64  # (4,): the traits that are expected of a new set, see `traits_of`
    covariance: Float64  # (4, 4): how sets differ in them
    drawn: bool  # whether those pairs that are not the same are random ones of the corpus, not chosen to be near
    weight: float  # how probable it is, before any score is seen, that pairs were come by so


@dataclass(frozen=True, slots=True, eq=False)
class Likely:
    """The curve that pairs at hand are expected to have, and what is known with it."""

    curve: Curve  # a logistic one; its covariance holds all that is not known of the set
    share: float  # of same pairs, as expected
    drawn: float  # how probable it is that pairs that are not the same are random ones


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """Sets of pairs of one task, and how a new one may differ from them."""

    share: tuple[float, float]  # mean and standard deviation of the log-odds of the share of same pairs
    designs: tuple[Design, ...]  # how pairs may have been come by
    sets: int  # from how many this was learnt
    # whether both texts of a pair are of one kind, so that random pairs of a corpus score as its unrelated pairs
    # do; a query and a passage are not
    symmetric: bool = True

    def likely(
        self,
        scale: Scale,
        *,
        scores: Float64 | None = None,
        random_spread: float | None = None,
        share: float | None = None,
        expected: float | None = None,
        labelled: tuple[Float64, Float64] | None = None,
    ) -> Likely:
        """The curve of pairs on a scale, from what is known of them, at the share of same pairs known or expected.

        That is: the scores of all pairs at hand, looked at from `ENOUGH` on; the standard deviation of those of
        random pairs of the corpus; the share of same pairs, or what is expected of it (without it that of the sets
        of the task); scores and labels (0, 1) of some of the pairs.
        """
        middle, spread = self.share
        stated = expected if share is None else share
        if stated is not None:
            middle = float(logit(stated))
        prior = (middle, spread if share is None else _STATED)
        if scores is None or len(scores) < ENOUGH:
            parts, shares = [_unseen(self, prior, labelled is not None)], None
        else:
            near = np.clip(scale.nearness(scores), _EDGES[0] + 1e-6, _EDGES[-1] - 1e-6)
            counts, _ = np.histogram(near, _EDGES)
            random = None if random_spread is None else float(np.log(max(random_spread / scale.unit, 1e-3)))
            shares, parts = _seen(self.designs, np.asarray(counts / counts.sum()), random, prior)
        both = np.logaddexp.reduce(parts, axis=0)
        if labelled is not None:
            likelihood = np.zeros(len(_SLOPE))
            for each, label in zip(scale.nearness(labelled[0]).tolist(), labelled[1].tolist(), strict=True):
                odds = _SLOPE * (each - _CROSSING)
                likelihood += label * odds - np.logaddexp(0.0, odds)
            both = both + likelihood
        weights = np.exp(both - both.max())
        weights /= weights.sum()
        drawn = 0.0
        if len(parts) > 1:
            drawn = float(np.exp(np.logaddexp.reduce(parts[-1]) - np.logaddexp.reduce(parts, None)))
        known = float(sigmoid(middle)) if shares is None else float(weights @ shares)
        return Likely(_curve(weights, scale), known, drawn)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self, "share sets symmetric") | {"designs": [as_json(each) for each in self.designs]}

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Population:
        """What `to_dict` gave, again a population."""
        mean, spread = (finite(each) for each in known["share"])
        designs = []
        for each in known["designs"]:
            traits, covariance = (np.asarray(each[name], np.float64) for name in ("mean", "covariance"))
            designs.append(Design(traits, covariance, bool(each["drawn"]), finite(each["weight"])))
        return cls((mean, spread), tuple(designs), int(known["sets"]), bool(known["symmetric"]))


def pool_sets(populations: Sequence[Population]) -> Population:
    """Sets of which nobody knows what they call the same: of any of these kinds."""
    if len(populations) == 1:
        return populations[0]
    every = [each for known in populations for each in known.designs]
    designs = tuple(replace(each, weight=each.weight / len(populations)) for each in every)
    return Population(_ANY_SHARE, designs, sum(known.sets for known in populations))


def traits_of(nearness: Float64, labels: Float64) -> Float64:
    """What is known of a labelled set, shape (4,).

    The mean nearness of its same pairs, the logarithm of its standard deviation, that of the slope of its curve,
    and the nearness at which a score says nothing either way.
    """
    share, same = float(labels.mean()), nearness[labels > 0]
    start, slope = plain_logistic(nearness, labels)
    even = (float(logit(share)) - start) / slope
    return np.array([same.mean(), np.log(same.std()), np.log(slope), even])


def population_of(
    traits: Float64,
    families: Sequence[str],
    *,
    share: tuple[float, float],
    floor: Sequence[float],
    spread: float,
    drawn: Sequence[bool] | None = None,
    drawn_floor: Sequence[float] | None = None,
    symmetric: bool = True,
) -> Population:
    """What labelled sets of a task say of a new one: the mean of their traits, (sets, 4), and how they vary.

    Sets of one family (of one source) count as one. A few families tell little of how much families vary: the
    covariance that is seen is multiplied by `spread`, and no trait is taken to be known better than by a standard
    deviation of `floor`, (4,). `drawn` says of each set whether its other pairs are random ones; None where none
    has such, but where the same pairs lie is known all the same. `drawn_floor` is the floor of those, None where
    no such set is to be expected. `share` and `symmetric` are as in `Population`.
    """

    def design(rows: Sequence[int], least: Sequence[float], random: bool, weight: float) -> Design:
        own = [families[row] for row in rows]
        counts = np.array([1 / own.count(family) for family in own])
        mean = counts @ traits[rows] / counts.sum()
        off = traits[rows] - mean
        covariance = (off * (counts / counts.sum())[:, None]).T @ off
        return Design(mean, covariance * spread + np.diag(np.square(least)), random, weight)

    every = range(len(families))
    near = [row for row in every if drawn is None or not drawn[row]]
    if drawn_floor is None:
        return Population(share, (design(near, floor, False, 1.0),), len(families), symmetric)
    apart = [row for row in every if drawn is None or drawn[row]]
    designs = design(near, floor, False, 1 - _DRAWN), design(apart, drawn_floor, True, _DRAWN)
    return Population(share, designs, len(families), symmetric)


def _curve(weights: Float64, scale: Scale) -> Curve:
    """Curves, each as probable as its weight, as one: the mean of their log-odds, and how these vary."""
    features = np.stack([-_SLOPE * _CROSSING, _SLOPE], axis=1)
    mean = weights @ features
    off = features - mean
    return Curve(Form.LOGISTIC, scale.random, scale.unit, (), mean, (off * weights[:, None]).T @ off)


@functools.lru_cache(maxsize=64)
def _unseen(population: Population, share: tuple[float, float], labelled: bool) -> Float64:
    """The log density of each curve where nobody saw how pairs score: over all shares that they may have.

    That pairs are random ones is thought of only where labels can tell it.
    """
    part = np.ix_([2, 3], [2, 3])
    found = np.full(len(_SLOPE), -np.inf)
    for step in _QUADRATURE:
        even = _CROSSING + (share[0] + share[1] * step) / _SLOPE
        known = np.stack([np.log(_SLOPE), even], axis=1)
        for design in population.designs:
            if labelled or not design.drawn:
                density = _normal(known, design.mean[2:], design.covariance[part])
                found = np.logaddexp(found, density + np.log(design.weight) - step**2 / 2)
    return found


def _seen(
    designs: Sequence[Design], seen: Float64, spread: float | None, expected: tuple[float, float]
) -> tuple[Float64, list[Float64]]:
    """What each curve implies of pairs that score so: the share of same ones, and how plausible all of it is."""
    same = sigmoid(_SLOPE[:, None] * (_NEARNESS - _CROSSING[:, None]))
    share = np.clip(same @ seen, 1e-6, 1 - 1e-6)
    same_mean, same_spread = _moments(same, share, seen)
    others = np.stack(_moments(1 - same, 1 - share, seen), axis=1)
    odds = logit(share)
    traits = np.stack([same_mean, same_spread, np.log(_SLOPE), _CROSSING + odds / _SLOPE], axis=1)
    parts: list[list[Float64]] = [[], []]
    for design in designs:
        if not design.drawn:
            found = _normal(traits, design.mean, design.covariance)
        elif spread is None:
            continue
        else:
            random = np.diag([_RANDOM_MEAN**2, _RANDOM_SPREAD**2])
            found = _normal(traits[:, :2], design.mean[:2], design.covariance[:2, :2])
            found = found + _normal(others, np.array([0.0, spread]), random)
        expectation = ((odds - expected[0]) / expected[1]) ** 2 / 2
        parts[design.drawn].append(found + np.log(design.weight) - expectation)
    return share, [np.logaddexp.reduce(each, axis=0) for each in parts if each]


def _moments(part: Float64, share: Float64, seen: Float64) -> tuple[Float64, Float64]:
    """The mean nearness of that part of the pairs, and the logarithm of its standard deviation, for each curve."""
    mean = part @ (seen * _NEARNESS) / share
    variance = part @ (seen * _NEARNESS**2) / share - mean**2
    return mean, np.log(np.maximum(variance, 1e-6)) / 2


def _normal(values: Float64, mean: Float64, covariance: Float64) -> Float64:
    """The log density of a normal distribution at each row."""
    off = values - mean
    bend = (off @ np.linalg.inv(covariance) * off).sum(axis=1)
    _, volume = np.linalg.slogdet(2 * np.pi * covariance)
    return np.asarray(-(bend + volume) / 2)
