"""How true are the probabilities: at home, at another prior, abroad, moved without labels, and with 30 or 50.

    NEARSENSE_DATA=/path/to/sets python benchmarks/bench_calibration.py

Prints the tables of docs/calibration.md and writes benchmarks/results/calibration.json. ECE: expected calibration
error, 15 bins of equal width. Seeds are fixed; only the seconds differ from run to run.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from machine import SETS, require_data

import nearsense as ns
from nearsense.calibration import Background, Calibration, background_of, estimated_share, learnt, shipped
from nearsense.calibration.shipped import Task
from nearsense.errors import InputError
from nearsense.metrics import expected_calibration_error as ece
from nearsense.metrics import log_loss
from nearsense.types import Origin

RESULTS = Path(__file__).parent / "results" / "calibration.json"
RESAMPLES, THRESHOLD_RESAMPLES, SPLITS = 100, 200, 10


@dataclass(frozen=True, slots=True)
class Pairs:
    left: np.ndarray
    right: np.ndarray
    labels: np.ndarray
    background: Background

    @property
    def scores(self) -> np.ndarray:
        return cosine(self.left, self.right)


def cosine(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return ((left * right).sum(axis=1) / norms).astype(np.float64)


def rows(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(SETS / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def labelled(encoder: ns.Encoder, name: str, same: Callable[[dict[str, Any]], bool]) -> Pairs:
    known = list(rows(name))
    return joined(encoder, [r["a"] for r in known], [r["b"] for r in known], [same(r) for r in known])


def answers(encoder: ns.Encoder, name: str) -> Pairs:
    known = [
        (r["query"], text, label > 0)
        for r in rows(name)
        for text, label in zip(r["candidates"], r["labels"], strict=True)
    ]
    return joined(encoder, *map(list, zip(*known, strict=True)), corpus="right")


def intents(encoder: ns.Encoder, name: str) -> Pairs:
    """10,000 pairs: half of one intent, half of two, drawn by chance."""
    known = [row for row in rows(name) if row["label"] != "oos"]
    rng = np.random.default_rng(0)
    names = np.array([row["label"] for row in known])
    members = {label: np.flatnonzero(names == label) for label in np.unique(names)}
    left = rng.integers(0, len(known), 10_000)
    right = rng.integers(0, len(known), 10_000)
    for place in range(0, 10_000, 2):
        own = members[names[left[place]]]
        right[place] = rng.choice(own[own != left[place]])
    kept = left != right
    texts = [row["text"] for row in known]
    return joined(
        encoder,
        [texts[row] for row in left[kept]],
        [texts[row] for row in right[kept]],
        (names[left] == names[right])[kept].tolist(),
    )


def joined(
    encoder: ns.Encoder, left: list[str], right: list[str], labels: list[bool], corpus: str = "left"
) -> Pairs:
    a, b = (encoder.encode(texts, long="head").data for texts in (left, right))
    data = a if corpus == "left" else b
    vectors = ns.Vectors(data, encoder.fingerprint, np.zeros(len(data), bool), encoder.name)
    found = background_of(vectors)
    assert found is not None
    return Pairs(a, b, np.array(labels, np.int64), found)


ABROAD: dict[str, Callable[[ns.Encoder], Pairs]] = {
    "STS-B train, 4 or more": lambda e: labelled(e, "stsb/en-train", lambda row: row["score"] >= 4),
    "SICK train, 4 or more": lambda e: labelled(e, "sick/train", lambda row: row["score"] >= 4),
    "SNLI dev, entailment": lambda e: labelled(e, "nli/snli-dev", lambda row: row["label"] == "entailment"),
    "TREC-QA dev, answers": lambda e: answers(e, "answer-selection/trecqa-dev"),
    "WikiQA dev, answers": lambda e: answers(e, "answer-selection/wikiqa-dev"),
    "BANKING77, same intent": lambda e: intents(e, "banking77/train"),
    "CLINC150, same intent": lambda e: intents(e, "clinc150/train"),
}


def halves(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.random.default_rng(seed).permutation(count)
    return order[: count // 2], order[count // 2 :]


def at_home(quora: Pairs, origin: Origin) -> dict[str, Any]:
    """Half of the pairs against the other half, beside what scikit-learn fits."""
    from sklearn.isotonic import IsotonicRegression
    from sklearn.linear_model import LogisticRegression

    scores, labels = quora.scores, quora.labels
    table: dict[str, list[tuple[float, float]]] = {"nearsense": [], "sklearn logistic": [], "sklearn isotonic": []}
    for seed in range(SPLITS):
        seen, unseen = halves(len(labels), seed)
        calibration = learnt(scores[seen], labels[seen], origin)
        straight = LogisticRegression(C=1e6).fit(scores[seen][:, None], labels[seen])
        steps = IsotonicRegression(out_of_bounds="clip").fit(scores[seen], labels[seen])
        found = {
            "nearsense": calibration.probability(scores[unseen]),
            "sklearn logistic": straight.predict_proba(scores[unseen][:, None])[:, 1],
            "sklearn isotonic": steps.predict(scores[unseen]),
        }
        for name, probabilities in found.items():
            clipped = np.clip(probabilities, 1e-3, 1 - 1e-3)
            table[name].append((ece(labels[unseen], probabilities), log_loss(labels[unseen], clipped)))
    return {
        name: {
            "ece": float(np.mean([each for each, _ in both])),
            "ece_max": float(np.max([each for each, _ in both])),
            "log_loss": float(np.mean([each for _, each in both])),
        }
        for name, both in table.items()
    }


def shifted(quora: Pairs, origin: Origin) -> dict[str, Any]:
    """Another share of same pairs in the test half: the new prior stated, and found by EM."""
    seen, unseen = halves(len(quora.labels), 0)
    scores, labels = quora.scores, quora.labels
    calibration = learnt(scores[seen], labels[seen], origin)
    sides = [unseen[labels[unseen] == side] for side in (0, 1)]
    found = {}
    for share in (0.05, 0.2, 0.5, 0.8):
        rng = np.random.default_rng(1)
        size = int(min(len(sides[1]) / share, len(sides[0]) / (1 - share)))
        chosen = np.concatenate(
            [
                rng.choice(sides[0], round(size * (1 - share)), False),
                rng.choice(sides[1], round(size * share), False),
            ]
        )
        found[f"{share:.2f}"] = {
            "pairs": len(chosen),
            "ece, prior stated": ece(labels[chosen], calibration.probability(scores[chosen], prior=share)),
            "ece, prior of home": ece(labels[chosen], calibration.probability(scores[chosen])),
            "share by EM": estimated_share(calibration.log_ratio(scores[chosen]), weight=0),
        }
    return found


def abroad(pairs: Pairs, home: Calibration, origin: Origin) -> dict[str, Any]:
    scores, labels = pairs.scores, pairs.labels
    share = float(labels.mean())
    moved = home.adapted(scores, share=share)
    found: dict[str, Any] = {
        "pairs": len(labels),
        "share": share,
        "distance": pairs.background.distance(home.background) if home.background else None,
        "ece, prior 0.5": ece(labels, home.probability(scores, prior=0.5)),
        "ece, true prior": ece(labels, home.probability(scores, prior=share)),
        "ece, moved": ece(labels, moved.probability(scores)),
    }
    for few in (30, 50):
        found[f"ece, {few} labels"] = float(np.mean(list(with_few(scores, labels, few, origin))))
        found[f"ece, {few} unlabelled"] = float(np.mean(list(without(scores, labels, few, home))))
    found["threshold"] = coverage(scores, labels, origin)
    return found


def samples(labels: np.ndarray, few: int, times: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(7)
    made = 0
    while made < times:
        chosen = rng.choice(len(labels), few, replace=False)
        if 0 < labels[chosen].sum() < few:
            made += 1
            yield chosen


def with_few(scores: np.ndarray, labels: np.ndarray, few: int, origin: Origin) -> Iterator[float]:
    for chosen in samples(labels, few, RESAMPLES):
        rest = np.setdiff1d(np.arange(len(labels)), chosen)
        yield ece(labels[rest], learnt(scores[chosen], labels[chosen], origin).probability(scores[rest]))


def without(scores: np.ndarray, labels: np.ndarray, few: int, home: Calibration) -> Iterator[float]:
    """Moved to as few unlabelled pairs, of which the true share is stated."""
    for chosen in samples(labels, few, RESAMPLES):
        yield ece(labels, home.adapted(scores[chosen], share=float(labels.mean())).probability(scores))


def coverage(scores: np.ndarray, labels: np.ndarray, origin: Origin) -> dict[str, float]:
    """Of thresholds for a precision of 0.9 from 30 labels: how often the true one lies in the stated interval."""
    inside = made = 0
    for chosen in samples(labels, 30, THRESHOLD_RESAMPLES):
        try:
            found = learnt(scores[chosen], labels[chosen], origin).threshold(precision=0.9)
        except InputError:
            continue
        taken = scores >= found.score
        if not taken.any() or found.reached_low is None or found.reached_high is None:
            continue
        made += 1
        inside += found.reached_low <= labels[taken].mean() <= found.reached_high
    return {"made": made, "inside": inside / made if made else float("nan")}


def two_models(quora: Pairs, origin: Origin) -> dict[str, float]:
    """Precision at `min_probability=0.9` of the model and of its first 128 dimensions, half against half."""
    seen, unseen = halves(len(quora.labels), 0)
    models = {"384 dimensions": quora.scores, "128 dimensions": cosine(quora.left[:, :128], quora.right[:, :128])}
    found = {}
    for name, scores in models.items():
        sure = learnt(scores[seen], quora.labels[seen], origin).probability(scores[unseen]) >= 0.9
        found[name] = float(quora.labels[unseen][sure].mean())
    return found


def main() -> None:
    require_data()
    encoder = ns.load()
    origin = Origin(encoder.name, encoder.fingerprint)
    quora = labelled(encoder, "quora/dev", lambda row: int(row["label"]) == 1)
    began = time.perf_counter()
    learnt(quora.scores, quora.labels, origin)
    seconds = time.perf_counter() - began
    home = shipped(origin, Task.QUESTION)
    assert home is not None
    known = {
        "at home": at_home(quora, origin),
        "another share": shifted(quora, origin),
        "two models at 0.9": two_models(quora, origin),
        "threshold at home": coverage(quora.scores, quora.labels, origin),
        "seconds for 10,000 pairs": seconds,
        "abroad": {name: abroad(read(encoder), home, origin) for name, read in ABROAD.items()},
    }
    print(json.dumps(known, indent=1))
    RESULTS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
