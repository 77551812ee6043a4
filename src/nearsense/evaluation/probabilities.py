"""How true the probabilities are that nearsense itself gives to labelled pairs. Not how scores become them.

They are those of `compare_pairs`, all pairs together, made without looking at the labels.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from nearsense.calibration import NONE, Task, load_calibration
from nearsense.calibration.population import ENOUGH
from nearsense.datasets import Dataset, GradedPairs, LabelledPairs
from nearsense.errors import InputError, ModelMismatch
from nearsense.evaluation.systems import Model
from nearsense.records import Origin

if TYPE_CHECKING:
    from nearsense.calibrator import Calibrated

__all__ = ["Band", "Stated", "judged_probabilities", "labels_of"]


SHOWN = ("probability>", "pairs>", "the same>", "stated interval>", "holds it")
"""What a table shows of a band."""


@dataclass(frozen=True, slots=True)
class Band:
    """The pairs of which much the same was said.

    Args:
        above: The least probability of the band; only the first band holds it.
        up_to: The greatest, held.
        pairs: How many pairs have one of these.
        stated: The mean probability of these pairs.
        share: The share of them that is the same.
        low: The mean lower end of their intervals.
        high: The mean upper end.
        held: Whether the share lies in between; None of fewer than ten pairs, which tell little.
    """

    above: float
    up_to: float
    pairs: int
    stated: float
    share: float
    low: float
    high: float
    held: bool | None


@dataclass(frozen=True, slots=True)
class Stated:
    """How true the probabilities are that `compare_pairs` gives, all pairs together, without the labels.

    Args:
        task: What "the same" was taken to mean: "paraphrase", or what was asked for.
        prior: The share of same pairs that was assumed, or found from how the pairs score.
        pairs: How many have a probability.
        left_out: How many have none: a text is in a language that the model was not made for.
        ece: Expected calibration error, 15 bands of equal width: by how much probabilities are off on average.
        coverage: The share of bands of ten pairs and more whose stated interval holds the share of same pairs; NaN
            where there is no such band.
        width: How wide the stated intervals are on average.
        bands: The bands that hold pairs, from 0 up.
    """

    task: str
    prior: float | None
    pairs: int
    left_out: int
    ece: float
    coverage: float
    width: float
    bands: tuple[Band, ...]

    @property
    def told(self) -> tuple[int, int]:
        """In how many bands the interval holds the share, and of how many that can be said."""
        known = [each.held for each in self.bands if each.held is not None]
        return sum(known), len(known)

    def __str__(self) -> str:
        held, bands = self.told
        without = f" ({self.left_out:,} more pairs have none)" if self.left_out else ""
        return (
            f"Probabilities of {self.pairs:,} pairs{without} are off by {100 * self.ece:.1f} points on average "
            f"(ECE), and the stated interval, {100 * self.width:.0f} points wide, holds the truth in {held} of "
            f"{bands} bands"
        )

    def rows(self) -> list[tuple[str, ...]]:
        """The bands as cells of a table, see `SHOWN`."""
        words = {True: "yes", False: "no", None: "too few"}
        return [
            (
                f"{100 * each.above:.0f} to {100 * each.up_to:.0f} %",
                f"{each.pairs:,}",
                f"{100 * each.share:.0f} %",
                f"{_end(each.low)} to {_end(each.high)} %",
                words[each.held],
            )
            for each in self.bands
        ]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "bands": [asdict(each) for each in self.bands]}


def _end(value: float) -> str:
    """An end of an interval, times 100: finer near 0 and 1, as the share of a few pairs may be just that."""
    digits = 0 if 0.01 <= value <= 0.99 or value in (0.0, 1.0) else 2
    return f"{100 * value:.{digits}f}"


def labels_of(
    data: Dataset, calibration: Calibrated, same_from: float | None
) -> tuple[list[bool], Calibrated, list[str]]:
    """Which pairs are the same, and the calibration, read; no labels and why, where nothing can be judged.

    Args:
        data: Pairs; of other data sets nothing is said.
        calibration: As for `compare_pairs`.
        same_from: Of graded pairs the score from which on they are the same.

    Raises:
        InputError: Something was said that is not for these data, or no pair scores so, or all do.
        FileError: A calibration cannot be read.
    """
    if isinstance(data, LabelledPairs) and same_from is not None:
        raise InputError(
            f"same_from={same_from!r} is for graded pairs", why=f"{data.name} has labels", fix="leave it away"
        )
    if not isinstance(data, (GradedPairs, LabelledPairs)):
        if calibration is not None or same_from is not None:
            raise InputError(
                f"{data.name} is {data.task.value}: probabilities are judged on pairs of texts",
                fix="leave calibration and same_from away, or give pairs with labels",
            )
        return [], None, []
    if calibration == NONE:
        return [], None, []
    if isinstance(calibration, (str, os.PathLike)) and calibration not in set(Task):
        calibration = load_calibration(calibration)
    if isinstance(data, LabelledPairs):
        labels = list(map(bool, data.labels))
    elif same_from is None:
        low, high = data.scale or (0.0, 1.0)
        four = f"{low + 0.8 * (high - low):g}"
        return [], None, [
            f"Probabilities were not judged: nothing says from which score on pairs are the same. "
            f"Say it: --same-from {four} (same_from={four})."
        ]  # fmt: skip
    else:
        labels = [score >= same_from for score in data.scores]
        if len(set(labels)) < 2:
            raise InputError(
                f"same_from={same_from!r}: {'all' if labels[0] else 'no'} pairs score so",
                why=f"the scores go from {min(data.scores):g} to {max(data.scores):g}",
                fix="give a score in between",
            )
    if len(labels) < ENOUGH:
        few = f"Probabilities were not judged: {len(labels):,} pairs are too few, it takes {ENOUGH}."
        return [], None, [few]
    return labels, calibration, []


def judged_probabilities(
    pairs: Sequence[tuple[str, str]], labels: Sequence[bool], models: Sequence[Model], calibration: Calibrated
) -> tuple[dict[str, Stated], list[str]]:
    """What is said of pairs by each model, by its name, against what is true; and why there is nothing of others.

    Args:
        pairs: Those that the models have scored.
        labels: One a pair.
        models: Which.
        calibration: As for `compare_pairs`.

    Raises:
        ModelMismatch: The calibration is of another model than the only one.
        InputError: The model has none for the task.
    """
    found, notes = {}, []
    for model in models:
        try:
            stated, why = _judged(pairs, np.array(labels, np.int64), model, calibration)
        except ModelMismatch as error:
            if len(models) == 1:
                raise
            stated, why = None, error.what
        if stated is None:
            notes.append(f"No probabilities of {model.name} were judged: {why}.")
        else:
            found[model.name] = stated
    return found, notes


def _judged(
    pairs: Sequence[tuple[str, str]], labels: np.ndarray, model: Model, calibration: Calibrated
) -> tuple[Stated | None, str]:
    from nearsense.calibrator import Calibrator, remedy
    from nearsense.metrics import expected_calibration_error, reliability

    assert model.compared is not None
    cosines, random = model.compared
    judged = Calibrator(Task.PARAPHRASE, calibration).judged(
        Origin(model.encoder.name, model.fingerprint),
        pairs,
        cosines,
        encoder=model.encoder,
        random=random,
        together=True,
    )
    rows = [row for row, each in enumerate(judged.probability) if each is not None]
    if judged.origin.calibration is None:
        return None, f"no calibration of it is known; {remedy(judged.origin)}"
    if len(rows) < ENOUGH:
        why = next(filter(None, judged.unsure), "there are too few")
        return None, f"{len(rows):,} of {len(pairs):,} pairs have one; {why}"
    truth = labels[rows]
    said = np.array([judged.probability[row] for row in rows], np.float64)
    low, high = np.array([judged.interval[row] for row in rows], np.float64).T
    bins = reliability(truth, said, intervals=(low, high))
    columns = (bins.lower, bins.upper, bins.counts, bins.mean_probability, bins.share, bins.low, bins.high)
    bands = zip(*(cast("np.ndarray", each).tolist() for each in columns), bins.held(), strict=True)
    return Stated(
        judged.origin.calibration,
        judged.origin.prior,
        len(rows),
        len(pairs) - len(rows),
        expected_calibration_error(truth, said),
        bins.coverage(),
        float((high - low).mean()),
        tuple(Band(*each) for each in bands),
    ), ""
