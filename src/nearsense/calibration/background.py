"""What scores texts of a corpus get that have nothing to do with each other. No labels, and so no probabilities.

How surprising a score is among random pairs is a false-positive rate. It says how rarely chance gives such a
score, not how probable it is that two texts mean the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.calibration.curve import finite
from nearsense.errors import InputError
from nearsense.records import as_json
from nearsense.vectors.rows import evenly_spaced

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from nearsense.records import Vectors

FEWEST = 50  # texts below which nothing is said about a corpus
SAMPLE = 2_000  # texts that are compared with each other: two million pairs

_SIZES = (50, 100, 250, 500, 1_000)
"""Numbers of texts among which the nearest of each is looked for; two corpora compare at the same one."""

_RANDOM = 20_000  # random pairs that are looked at
_QUANTILES = (0.1, 0.5, 0.9)
_RATES = tuple(float(rate) for rate in 10.0 ** -np.arange(0.25, 7.01, 0.25))


@dataclass(frozen=True, slots=True)
class Background:
    """The scores of random pairs of a corpus, and of each text with its nearest.

    Args:
        model: The model's name.
        fingerprint: The model's fingerprint.
        texts: How many texts were compared.
        rates: Shares of random pairs, falling.
        scores: The score that this share of random pairs reaches, rising.
        errors: How uncertain each share is: the standard error of its logarithm.
        random: The 10th, 50th and 90th percentile of the scores of random pairs.
        nearest: The same of each text with its nearest, by the number of texts it was looked for among.
    """

    model: str
    fingerprint: str
    texts: int
    rates: tuple[float, ...]
    scores: tuple[float, ...]
    errors: tuple[float, ...]
    random: tuple[float, float, float]
    nearest: Mapping[int, tuple[float, float, float]]

    @property
    def rarest(self) -> float:
        """The rarest rate that this many texts can tell, a little above the last of `rates`."""
        return float(f"{self.rates[-1] * 1.05:.2g}")

    def false_positives(self, score: float) -> float:
        """The share of random pairs that score at least this; where none did, the least share that can be told."""
        if score <= self.scores[0]:
            return float(self.rates[0])
        return float(np.exp(np.interp(score, self.scores, np.log(self.rates))))

    def score_at(self, rate: float) -> tuple[float, float, float]:
        """The score that a share of random pairs reaches, and the least and greatest it may be (95 %).

        Raises:
            InputError: The rate is not in (0, 0.5], or rarer than this many texts can tell.
        """
        if not 0 < rate <= 0.5:
            raise InputError(f"false_positives={rate!r} is no share between 0 and 0.5", fix="1e-4, say")
        if rate < self.rates[-1] * 0.999:
            rare = f"one false positive in {1 / rate:,.0f} cannot be told from {self.texts:,} texts"
            least = f"{self.rarest:g}"
            raise InputError(
                rare, why=f"their pairs tell rates down to {least}", fix=f"give more texts, or ask for {least}"
            )
        known, wanted = -np.log(self.rates), -np.log(rate)
        error = float(np.interp(wanted, known, self.errors))
        places = (wanted + shift * 1.96 * error for shift in (0, -1, 1))
        score, low, high = (float(np.interp(place, known, self.scores)) for place in places)
        return score, low, high

    def distance(self, home: Background) -> float:
        """How far this corpus is from another: 0 alike, 1 and more far.

        The greater of two: by how much the median of random pairs differs, and that of nearest pairs, each in
        units of the other's spread (half of the way from its 10th to its 90th percentile).
        """
        size = max((n for n in self.nearest if n in home.nearest), default=None)
        both = [(self.random, home.random)]
        if size is not None:
            both.append((self.nearest[size], home.nearest[size]))
        return max(abs(own[1] - other[1]) / max((other[2] - other[0]) / 2, 1e-6) for own, other in both)

    def __str__(self) -> str:
        lines = [
            f"one random pair in {1 / rate:>12,.0f} scores {score:.4f} or more"
            for rate, score in zip(self.rates, self.scores, strict=True)
            if abs(np.log10(rate) - round(np.log10(rate))) < 0.01
        ]
        return "\n".join([f"{self.texts:,} texts, {self.model}", *lines])

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self)

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Background:
        """What `to_dict` gave, again a background."""
        rates, scores, errors = (_numbers(known[name]) for name in ("rates", "scores", "errors"))
        if not len(rates) == len(scores) == len(errors) > 0:
            raise ValueError("a background has a score and an error for each rate")
        model, fingerprint = str(known["model"]), str(known["fingerprint"])
        nearest = {int(size): _three(three) for size, three in known["nearest"].items()}
        random = _three(known["random"])
        return cls(model, fingerprint, int(known["texts"]), rates, scores, errors, random, nearest)


def background_of(vectors: Vectors, *, sample: int = SAMPLE) -> Background | None:
    """The background of n unit vectors, of which `sample` at most are compared, evenly chosen.

    None where fewer than 50 of them differ.
    """
    data = np.unique(vectors.data[evenly_spaced(len(vectors), sample)], axis=0)
    n = len(data)
    if n < FEWEST:
        return None
    data = data[np.random.default_rng(0).permutation(n)]
    scores = data @ data.T
    np.fill_diagonal(scores, -np.inf)
    upper = scores[np.triu_indices(n, 1)]
    rates = tuple(rate for rate in _RATES if rate * len(upper) >= 4)
    levels = np.quantile(upper, [1 - rate for rate in rates]).tolist()
    errors = tuple(_error(scores, level) for level in levels)
    nearest = {size: _percentiles(scores[:size, :size].max(axis=1)) for size in _SIZES if size <= n}
    model, fingerprint, random = vectors.model, vectors.fingerprint, _percentiles(upper)
    return Background(model, fingerprint, n, rates, tuple(levels), errors, random, nearest)


def random_scores(left: NDArray[np.floating], right: NDArray[np.floating]) -> tuple[float, float] | None:
    """Mean and standard deviation of the cosines of left texts with right ones that they were not paired with.

    Both of shape (n, d), of any length; None where there are fewer than 50 pairs.
    """
    n = len(left)
    if n < FEWEST:
        return None
    rng, times = np.random.default_rng(0), max(1, min(20, _RANDOM // n))
    left, right = (each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-12) for each in (left, right))
    found = []
    for shift in rng.choice(np.arange(1, n), min(times, n - 1), replace=False).tolist():
        other = np.roll(right, shift, axis=0)
        apart = ~(other == right).all(axis=1) & ~(other == left).all(axis=1)
        found.append((left[apart].astype(np.float64) * other[apart]).sum(axis=1))
    scores = np.concatenate(found)
    return (float(scores.mean()), float(scores.std())) if len(scores) >= FEWEST else None


def _error(scores: NDArray[np.float32], level: float) -> float:
    """How uncertain the log of the share of pairs at or above a level is; pairs share texts (Hoeffding 1948)."""
    n = len(scores)
    shares = (scores >= level).sum(axis=1) / (n - 1)
    return float(2 * shares.std(ddof=1) / np.sqrt(n) / max(shares.mean(), 1e-12))


def _percentiles(scores: NDArray[np.float32]) -> tuple[float, float, float]:
    low, middle, high = np.quantile(scores, _QUANTILES).tolist()
    return low, middle, high


def _numbers(values: ArrayLike) -> tuple[float, ...]:
    return tuple(finite(value) for value in np.asarray(values, np.float64))


def _three(values: ArrayLike) -> tuple[float, float, float]:
    low, middle, high = _numbers(values)
    return low, middle, high
