"""How true the probabilities are that nearsense itself gives to labelled pairs. Not how scores become them.

They are those of `compare_pairs`, all pairs together, made without looking at the labels.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from nearsense.calibration import NONE, Task, load_calibration
from nearsense.calibration.population import ENOUGH
from nearsense.calibrator import Calibrator, remedy
from nearsense.datasets import Dataset, GradedPairs, LabelledPairs
from nearsense.errors import InputError, ModelMismatch
from nearsense.evaluation.results import Band, Stated
from nearsense.evaluation.systems import Model
from nearsense.metrics import expected_calibration_error, reliability
from nearsense.records import Origin

if TYPE_CHECKING:
    from nearsense.calibrator import Calibrated, Judged


def labels_of(
    data: Dataset, calibration: Calibrated, same_from: float | None
) -> tuple[list[bool], Calibrated, list[str]]:
    """Which pairs are the same, and the calibration, read; no labels and why, where nothing can be judged."""
    if isinstance(data, LabelledPairs) and same_from is not None:
        why = f"{data.name} has labels"
        raise InputError(f"same_from={same_from!r} is for graded pairs", why=why, fix="leave it away")
    if not isinstance(data, (GradedPairs, LabelledPairs)):
        if calibration is not None or same_from is not None:
            what = f"{data.name} is {data.task.value}: probabilities are judged on pairs of texts"
            raise InputError(what, fix="leave calibration and same_from away, or give pairs with labels")
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
            what = f"same_from={same_from!r}: {'all' if labels[0] else 'no'} pairs score so"
            why = f"the scores go from {min(data.scores):g} to {max(data.scores):g}"
            raise InputError(what, why=why, fix="give a score in between")
    if len(labels) < ENOUGH:
        few = f"Probabilities were not judged: {len(labels):,} pairs are too few, it takes {ENOUGH}."
        return [], None, [few]
    return labels, calibration, []


def judged_probabilities(
    pairs: Sequence[tuple[str, str]], labels: Sequence[bool], models: Sequence[Model], calibration: Calibrated
) -> tuple[dict[str, Stated], list[str]]:
    """What is said of pairs by each model that scored them, by its name; and why there is nothing of others."""
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
    return stated_of(judged, labels)


def stated_of(judged: Judged, labels: np.ndarray) -> tuple[Stated | None, str]:
    """How true probabilities are, by the labels of the pairs, 1 or 0; None and why where too few have one."""
    rows = [row for row, each in enumerate(judged.probability) if each is not None]
    if judged.origin.calibration is None:
        return None, f"no calibration of it is known; {remedy(judged.origin)}"
    if len(rows) < ENOUGH:
        why = next(filter(None, judged.unsure), "there are too few")
        return None, f"{len(rows):,} of {len(labels):,} pairs have one; {why}"
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
        len(labels) - len(rows),
        expected_calibration_error(truth, said),
        bins.coverage(),
        float((high - low).mean()),
        tuple(Band(*each) for each in bands),
    ), ""
