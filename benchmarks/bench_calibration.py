"""How true are the probabilities on sets that were never seen: alone, 200 together, and with 30 or 50 labels.

    NEARSENSE_DATA=/path/to/sets python benchmarks/bench_calibration.py

Each set is judged by what was learnt of the others, its family left out, as the verbs judge pairs: with what
differs between the texts. Prints the tables of docs/calibration.md and writes benchmarks/results/calibration.json.
ECE: expected calibration error, 15 bins of equal width. Coverage: the share of bins of 10 pairs and more in whose
stated interval the true share of same pairs lies. Seeds are fixed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from calibration_sets import Labelled, population, read
from machine import require_data

import nearsense as ns
from nearsense.calibration import Calibration, Scale, Task, learn_calibration, pool_sets, shipped_calibration
from nearsense.calibrator import Calibrator
from nearsense.errors import InputError
from nearsense.metrics import expected_calibration_error as ece
from nearsense.metrics import reliability
from nearsense.records import Origin

RESULTS = Path(__file__).parent / "results" / "calibration.json"
MOST, MANY, TIMES, DRAWS = 2_000, 200, 5, 20
TASKS = tuple(Task)

Told = tuple[np.ndarray, np.ndarray, np.ndarray]


def sample(one: Labelled, rng: np.random.Generator, most: int) -> Labelled:
    rows = np.sort(rng.permutation(len(one.labels))[:most])
    left, right = ([side[row] for row in rows] for side in (one.left, one.right))
    return replace(one, left=left, right=right, labels=one.labels[rows], scores=one.scores[rows])


def told(one: Labelled, calibration: Calibration, origin: Origin, encoder: ns.Encoder, *, together: bool) -> Told:
    """Probability and interval of each pair, as the verbs give them."""
    judged = Calibrator(Task(one.task), calibration).judged(
        origin,
        list(zip(one.left, one.right, strict=True)),
        one.scores,
        encoder=encoder,
        random=one.random if together else None,
        together=together,
        passages=one.task == Task.PASSAGE,
    )
    known = [(p, *(ends or (0.0, 1.0))) for p, ends in zip(judged.probability, judged.interval, strict=True)]
    middle, low, high = np.array([(0.5, 0.0, 1.0) if row[0] is None else row for row in known], np.float64).T
    return middle, low, high


def figures(labels: np.ndarray, said: Told) -> dict[str, float]:
    middle, low, high = said
    sure, truth = middle >= 0.9, labels.astype(int)
    return {
        "ece": ece(truth, middle),
        "coverage": reliability(truth, middle, intervals=(low, high)).coverage(),
        "width": float((high - low).mean()),
        "precision at 0.9": float(labels[sure].mean()) if sure.sum() >= 50 else float("nan"),
    }


def few_labels(one: Labelled, sets: list[Labelled], origin: Origin, scale: Scale, few: int) -> Iterator[float]:
    rng = np.random.default_rng(7)
    start = pool_sets([population(sets, task.value, one.family) for task in TASKS]), scale
    for _ in range(DRAWS):
        chosen = rng.permutation(len(one.labels))[:few]
        if 0 < one.labels[chosen].sum() < few:
            rest = np.setdiff1d(np.arange(len(one.labels)), chosen)
            found = learn_calibration(one.scores[chosen], one.labels[chosen], origin, prior_sets=start)
            yield ece(one.labels[rest].astype(int), found.probability(one.scores[rest]))


def proven(one: Labelled, origin: Origin, few: int) -> tuple[int, int]:
    """Of draws of labels: thresholds given for a precision of 0.95 at least, and those that reach it."""
    rng, given, right = np.random.default_rng(5), 0, 0
    for _ in range(DRAWS):
        chosen = rng.permutation(len(one.labels))[:few]
        try:
            found = learn_calibration(one.scores[chosen], one.labels[chosen], origin).threshold(
                precision=0.95, at_least=True
            )
        except InputError:
            continue
        given += 1
        right += int(one.labels[one.scores >= found.score].mean() >= 0.95)
    return given, right


def mean(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.nanmean([row[name] for row in rows])) for name in rows[0]}


def judged(one: Labelled, sets: list[Labelled], origin: Origin, encoder: ns.Encoder) -> dict[str, Any]:
    home = shipped_calibration(origin, Task(one.task))
    assert home is not None
    scale, rng = Scale(home.curve.centre, home.curve.scale), np.random.default_rng(3)
    others = population(sets, one.task, one.family)
    likely = others.likely(scale)
    out = replace(home, population=others, curve=likely.curve, share=likely.share, background=None)
    some = sample(one, rng, MOST)
    return {
        "task": one.task,
        "pairs": len(one.labels),
        "share": float(one.labels.mean()),
        "alone": figures(some.labels, told(some, out, origin, encoder, together=False)),
        "200 together": mean(
            [figures(part.labels, told(part, out, origin, encoder, together=True))
             for part in (sample(one, rng, MANY) for _ in range(TIMES))]
        ),
        "all together": figures(some.labels, told(some, out, origin, encoder, together=True)),
        "at home": figures(some.labels, told(some, home, origin, encoder, together=True)),
        "30 labels": float(np.mean(list(few_labels(one, sets, origin, scale, 30)))),
        "50 labels": float(np.mean(list(few_labels(one, sets, origin, scale, 50)))),
        "0.95 at least, 100 labels": proven(one, origin, 100),
    }  # fmt: skip


def main() -> None:
    require_data()
    encoder = ns.load()
    origin = Origin(encoder.name, encoder.fingerprint)
    sets = read(encoder)
    known = {one.name: judged(one, sets, origin, encoder) for one in sets}
    ways = ("alone", "200 together", "all together", "at home")
    for name, row in known.items():
        cells = [f"{row[way]['ece']:.3f}" for way in ways]
        held = [f"{row[way]['coverage']:.0%}, {row[way]['width']:.2f}" for way in ("alone", "200 together")]
        labels = [f"{row[f'{few} labels']:.3f}" for few in (30, 50)]
        print("|", " | ".join([name, f"{row['share']:.0%}", *cells, *held, *labels]), "|")
    for task in TASKS:
        rows = [row for row in known.values() if row["task"] == task]
        for way in ways:
            print(
                task.value, way, {key: round(value, 3) for key, value in mean([row[way] for row in rows]).items()}
            )
        print(
            task.value,
            {few: round(float(np.mean([row[few] for row in rows])), 3) for few in ("30 labels", "50 labels")},
        )
    RESULTS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
