"""Clusters: nearsense beside scikit-learn in one run, then alone as the number of texts grows.

    NEARSENSE_DATA=... python benchmarks/bench_cluster.py [--rounds 3] [--sizes 8000,16000,58000,200000]
                                                         [--texts 58000] [--json benchmarks/results/cluster.json]

At 8,000 vectors of 384 numbers HDBSCAN by cosine and k-means with 77 groups, each in turn with scikit-learn's
(HDBSCAN by cosine, and once as it comes, by Euclidean distance in a tree; `KMeans` with ten starts); labels are
compared by the adjusted Rand index, and, where banking77 is, with its intents. scikit-learn's HDBSCAN decides
between equal distances by the numbers of the rows, so "again" says how far it agrees with itself in another order.
Then each size is grouped by nearsense alone: growth is the exponent from one size to the next. Last, texts are
clustered and named, encoding included. The vectors are bench_mining.py's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from bench_mining import vectors_of
from fit_faq import rows
from machine import SETS, machine, version
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.metrics import adjusted_rand_score, v_measure_score

import nearsense as ns
from nearsense.clustering.density import density
from nearsense.clustering.kmeans import spherical

SMALL, GROUPS, SIZE = 8000, 77, 15


def intents() -> tuple[np.ndarray, list[str] | None]:
    """Questions of banking77 and their intents where they are, else made vectors without."""
    if not (SETS / "banking77" / "train.jsonl.gz").exists():
        return vectors_of(10_000), None
    read = rows("banking77/train")
    return ns.load().encode([row["text"] for row in read]).data, [row["label"] for row in read]


def timed(rounds: int, runs: dict[str, Callable[[], object]]) -> tuple[dict[str, float], dict[str, object]]:
    """Median seconds of each, all in turn, and what each gave last."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    given: dict[str, object] = {}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            given[name] = run()
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(each) for name, each in taken.items()}, given


def by_density(vectors: np.ndarray, rounds: int) -> dict:
    def theirs(given: np.ndarray) -> np.ndarray:
        engine = HDBSCAN(min_cluster_size=SIZE, metric="cosine", algorithm="brute", copy=True)
        return engine.fit(given).labels_

    density(vectors[:1000], min_size=SIZE)
    theirs(vectors[:1000])
    seconds, labels = timed(
        rounds,
        {"nearsense": lambda: density(vectors, min_size=SIZE).labels, "scikit-learn": lambda: theirs(vectors)},
    )
    start = time.perf_counter()
    default = HDBSCAN(min_cluster_size=SIZE, copy=True).fit(vectors).labels_
    seconds["scikit-learn as it comes"] = time.perf_counter() - start
    order = np.random.default_rng(0).permutation(len(vectors))
    again = theirs(vectors[order])
    base = labels["scikit-learn"]
    if max(base) < 1:
        raise SystemExit("nothing was measured: these vectors lie in no clusters that could be compared")
    return {
        "vectors": len(vectors),
        "seconds": seconds,
        "times as fast": {name: seconds[name] / seconds["nearsense"] for name in seconds if name != "nearsense"},
        "clusters": int(max(base) + 1),
        "agreement, as it comes": adjusted_rand_score(default, labels["nearsense"]),
        "agreement, ties by row": adjusted_rand_score(base, density(vectors, min_size=SIZE, by_row=True).labels),
        "agreement": adjusted_rand_score(base, labels["nearsense"]),
        "scikit-learn again": adjusted_rand_score(base[order], again),
        "graph and all distances": adjusted_rand_score(
            labels["nearsense"], density(vectors, min_size=SIZE, exact=False).labels
        ),
    }


def by_centre(vectors: np.ndarray, truth: list[str] | None, rounds: int) -> dict:
    seconds, labels = timed(
        rounds,
        {
            "nearsense": lambda: spherical(vectors, GROUPS).labels,
            "scikit-learn": lambda: KMeans(GROUPS, n_init=10, random_state=0).fit(vectors).labels_,
        },
    )
    losses = {name: inertia(vectors, each) for name, each in labels.items()}
    found = {
        "vectors": len(vectors),
        "seconds": seconds,
        "times as fast": seconds["scikit-learn"] / seconds["nearsense"],
        "inertia": losses,
        "inertia relative": losses["nearsense"] / losses["scikit-learn"],
    }
    if truth is not None:
        found["V-measure"] = {name: 100 * v_measure_score(truth, each) for name, each in labels.items()}
    return found


def inertia(vectors: np.ndarray, labels: np.ndarray) -> float:
    groups = (vectors[labels == label] for label in np.unique(labels))
    return sum(float(((group - group.mean(axis=0)) ** 2).sum()) for group in groups)


def growth(sizes: list[int]) -> dict:
    vectors = vectors_of(max(sizes))
    kinds: dict[str, Callable[[np.ndarray], object]] = {
        "density": lambda given: density(given, min_size=SIZE, progress=True),
        "k = 200": lambda given: spherical(given, 200),
    }
    found: dict[str, dict] = {}
    for name, run in kinds.items():
        seconds = []
        for size in sizes:
            start = time.perf_counter()
            run(vectors[:size])
            seconds.append(time.perf_counter() - start)
        exponents = np.diff(np.log(seconds)) / np.diff(np.log(sizes))
        found[name] = {
            "seconds": dict(zip(map(str, sizes), seconds, strict=True)),
            "exponents": exponents.tolist(),
        }
    return found


def named(count: int) -> dict:
    """Real texts to named clusters, encoding included."""
    if not (SETS / "headlines").exists():
        return {"not measured": f"the evaluation data is not at {SETS}"}
    read = [row["text"] for row in rows("headlines/abc-2003")] + [row["eng"] for row in rows("tatoeba/others")]
    texts = list(dict.fromkeys(read))[:count]
    encoder = ns.load()
    encoder.encode(texts[:100])
    start = time.perf_counter()
    vectors = encoder.encode(texts)
    encoded = time.perf_counter() - start
    clusters = ns.cluster(texts, vectors=vectors, encoder=encoder, language="en")
    return {
        "texts": len(texts),
        "seconds": {"encoding": encoded, "clustering and naming": time.perf_counter() - start - encoded},
        "clusters": len(clusters),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", default="8000,16000,58000,200000", help="none where empty")
    parser.add_argument("--texts", type=int, default=58_000, help="0 for none")
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results" / "cluster.json")
    given = parser.parse_args()
    report: dict = machine() | {
        "versions": {name: version(name) for name in ("nearsense", "numpy", "scikit-learn")},
    }
    vectors, truth = intents()
    report["HDBSCAN"] = by_density(vectors[:SMALL], given.rounds)
    report["k-means"] = by_centre(vectors, truth, given.rounds)
    if given.sizes:
        report["growth"] = growth([int(word) for word in given.sizes.split(",")])
    if given.texts:
        report["named"] = named(given.texts)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
