"""Makes the calibration that is shipped for a model: src/nearsense/calibration/shipped/NAME.json.

    NEARSENSE_DATA=/path/to/sets python scripts/ship_calibration.py

Four tasks, each from public sets that docs/calibration.md names (benchmarks/calibration_sets.py reads them). Only
coefficients, sizes and figures leave this script, no text. Figures are of sets whose family was left out.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import nearsense as ns
from nearsense.calibration import Background, Calibration, Figures, Scale, Task, background_of, learn_calibration
from nearsense.calibration.curve import sigmoid
from nearsense.guard import differences_many
from nearsense.metrics import brier_score, expected_calibration_error, log_loss
from nearsense.records import Metric, Origin

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from calibration_sets import Labelled, population, read, vectors

SHIPPED = Path(__file__).parents[1] / "src/nearsense/calibration/shipped"
MOST = 1_500
UNRELATED = Scale(0.045, 0.955)
"""Where unrelated English texts score by all-MiniLM-L6-v2, over the probe (src/nearsense/calibration/probe)."""


def balanced(labels: np.ndarray, most: int) -> np.ndarray:
    """Rows: as many same pairs as others."""
    rng = np.random.default_rng(0)
    sides = [np.flatnonzero(labels == side) for side in (0, 1)]
    size = min(most, *map(len, sides))
    return np.sort(np.concatenate([rng.choice(side, size, replace=False) for side in sides]))


def average(backgrounds: list[Background]) -> Background:
    """Sets of a task count alike in what is near and what is random, too; rates are of the first."""
    sizes = sorted({size for each in backgrounds for size in each.nearest})

    def mean(threes: list[tuple[float, float, float]]) -> tuple[float, float, float]:
        low, middle, high = np.mean(threes, axis=0).tolist()
        return low, middle, high

    nearest = {size: mean([each.nearest[size] for each in backgrounds if size in each.nearest]) for size in sizes}
    return replace(backgrounds[0], random=mean([each.random for each in backgrounds]), nearest=nearest)


def background(encoder: ns.Encoder, texts: list[str]) -> Background:
    data = vectors(encoder, list(dict.fromkeys(texts)))
    found = background_of(ns.Vectors(data, encoder.fingerprint, np.zeros(len(data), bool), encoder.name))
    assert found is not None, "a set is too small"
    return found


def left_out(sets: list[Labelled], task: str) -> Figures:
    """How the calibration does on each set of the task, its family left out, pairs as they come."""
    labels, probabilities, errors = [], [], []
    for each in (one for one in sets if one.task == task):
        likely = population(sets, task, each.family).likely(
            each.scale, scores=each.scores, random_spread=each.random[1]
        )
        found = sigmoid(likely.curve.log_odds(each.scores))
        errors.append(expected_calibration_error(each.labels.astype(int), found))
        print(f"{task}: {each.name}: {len(each.labels):,}, {each.labels.mean():.3f} same, ECE {errors[-1]:.3f}")
        labels.append(each.labels.astype(int))
        probabilities.append(np.clip(found, 1e-6, 1 - 1e-6))
    truth, said = np.concatenate(labels), np.concatenate(probabilities)
    loss = log_loss(truth, said)
    return Figures(
        len(truth), int(truth.sum()), loss, brier_score(truth, said), float(np.mean(errors)), {"logistic": loss}
    )


def guard(encoder: ns.Encoder, sets: list[Labelled], task: str) -> dict[str, float]:
    """What differences say of pairs, learnt of balanced samples of those that somebody or nearness chose."""
    own = [each for each in sets if each.task == task and not each.drawn]
    if task == "passage":
        return {}
    kept = [balanced(each.labels, MOST if len(own) > 1 else 5_000) for each in own]
    kinds = [
        [[one.kind.value for one in found] for found in differences_many(
            [each.left[row] for row in rows], [each.right[row] for row in rows])]
        for each, rows in zip(own, kept, strict=True)
    ]  # fmt: skip
    fitted = learn_calibration(
        np.concatenate([each.scores[rows] for each, rows in zip(own, kept, strict=True)]),
        np.concatenate([each.labels[rows] for each, rows in zip(own, kept, strict=True)]),
        Origin(encoder.name, encoder.fingerprint),
        kinds=[one for some in kinds for one in some],
    )
    return dict(fitted.guard)


def made(encoder: ns.Encoder, sets: list[Labelled], task: str) -> Calibration:
    own = [each for each in sets if each.task == task]
    found, scores = population(sets, task), np.concatenate([each.scores for each in own])
    likely = found.likely(UNRELATED)
    calibration = Calibration(
        encoder.name,
        encoder.fingerprint,
        task,
        Metric.COSINE,
        likely.curve,
        likely.share,
        None,
        np.quantile(scores, np.linspace(0, 1, 512)),
        len(scores),
        left_out(sets, task),
        average([background(encoder, each.right if task == "passage" else each.left) for each in own]),
        made_from="; ".join(f"{each.name}: {len(each.labels):,} pairs" for each in own),
        guard=guard(encoder, sets, task),
        population=found,
    )
    print(calibration, dict(calibration.guard))
    return calibration


def rounded(value: Any) -> Any:
    """Seven digits are enough."""
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list) else value


def main() -> None:
    encoder = ns.load()
    sets = read(encoder)
    known = {
        "fingerprint": encoder.fingerprint,
        "how": "scripts/ship_calibration.py: sets of a task as one population, figures with each family left out",
        "tasks": {task.value: rounded(made(encoder, sets, task.value).to_dict()) for task in Task},
    }
    SHIPPED.mkdir(exist_ok=True)
    (SHIPPED / f"{encoder.name}.json").write_text(json.dumps(known) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
