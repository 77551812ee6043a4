"""Adapters: what a small map of frozen vectors gains on texts never seen, and how fast a collection goes over.

    python benchmarks/bench_adapter.py [--kinds linear] [--documents 100000] [--json FILE]

Classes: ten texts of each are learnt from, the nearest centroid of these is right or wrong on all others. Pairs
and triplets: part of a set is learnt from, the rest is measured, or the set's other part. The interval is of the
difference, on texts never seen, resampled.

A collection of documents is moved to an adapter; the index, which is made after that, is timed apart.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import SETS, machine, require_data

import nearsense as ns
from nearsense.adapters import Adapter, learn
from nearsense.cached import cached
from nearsense.files import read_table
from nearsense.metrics import paired_bootstrap, weighted_average_precision, weighted_mean, weighted_spearman
from nearsense.training.examples import Examples, Kind

GAIN, LEARNT, MOVED = 2.5, 60, 30
"""Points on banking77 with an interval without 0; seconds of learning; seconds for 100,000 documents."""
CLASSES = {
    "banking77/train": 10,
    "clinc150/train": 10,
    "clustering/trec-questions-train": 10,
    "clustering/tweet2472": 5,
}
PAIRS = {
    "stsb/en-train": ("stsb/en-dev", "score", 1000),
    "sick/train": ("sick/trial", "score", 1000),
    "quora/dev": ("quora/dev", "label", 1000),
}


def rows_of(name: str) -> dict[str, list[Any]]:
    return read_table(str(SETS / f"{name}.jsonl.gz")).columns


def vectors_of(encoder: ns.Encoder, texts: list[str]) -> np.ndarray:
    return cached(encoder).encode(texts, long="head").data


def classes(name: str, each: int, kind: str) -> dict[str, Any]:
    """Each class's first texts of a shuffled set are learnt from; its others are measured."""
    columns = rows_of(name)
    texts, labels = columns["text"], np.array([str(label) for label in columns["label"]])
    chance, known = np.random.default_rng(0), []
    for label in np.unique(labels):
        own = chance.permutation(np.flatnonzero(labels == label))
        known += own[:each].tolist() if len(own) >= each + 2 else []
    learnt_labels = labels[known]
    fresh = np.setdiff1d(np.flatnonzero(np.isin(labels, learnt_labels)), known)
    examples = Examples(
        kind=Kind.CLASSES, texts=([texts[row] for row in known],), truth=learnt_labels.tolist(), name=name
    )
    found, seconds = learnt(examples, kind)

    def right(encoder: ns.Encoder) -> np.ndarray:
        own, others = (vectors_of(encoder, [texts[row] for row in part]) for part in (known, fresh))
        names = np.unique(learnt_labels)
        centroids = np.stack([own[learnt_labels == each].mean(axis=0) for each in names])
        return (names[(others @ ns.metrics.normalize(centroids).T).argmax(axis=1)] == labels[fresh]).astype(float)

    before, after = right(ns.load()), right(found.encoder)
    return told(name, kind, found, seconds, weighted_mean(before), weighted_mean(after), len(before))


def pairs(name: str, kind: str) -> dict[str, Any]:
    """So many pairs are learnt from; the set's other part is measured, or its rest."""
    other, truth, count = PAIRS[name]
    columns = rows_of(name)
    order = np.random.default_rng(0).permutation(len(columns["a"]))
    known, fresh = order[:count].tolist(), order[-4000:].tolist()
    values = [float(each) for each in columns[truth]]
    labelled = truth == "label"
    examples = Examples(
        kind=Kind.LABELLED if labelled else Kind.GRADED,
        texts=tuple([columns[side][row] for row in known] for side in "ab"),
        truth=[bool(values[row]) if labelled else values[row] / 5 for row in known],
        name=name,
    )
    found, seconds = learnt(examples, kind)
    measured = columns if other == name else rows_of(other)
    if other == name:
        measured = {column: [cells[row] for row in fresh] for column, cells in columns.items()}
    gold = [float(each) for each in measured[truth]]
    figure = weighted_average_precision if labelled else weighted_spearman

    def statistic(encoder: ns.Encoder) -> Any:
        a, b = (vectors_of(encoder, measured[side]) for side in "ab")
        return figure(gold, np.einsum("ij,ij->i", a, b, dtype=np.float64))

    return told(name, kind, found, seconds, statistic(ns.load()), statistic(found.encoder), len(gold))


def triplets(name: str, kind: str) -> dict[str, Any]:
    """The first thousand are learnt from."""
    columns = rows_of(name)
    sides = ("anchor", "positive", "negative")
    examples = Examples(kind=Kind.TRIPLETS, texts=tuple(columns[side][:1000] for side in sides), name=name)
    found, seconds = learnt(examples, kind)

    def statistic(encoder: ns.Encoder) -> Any:
        a, b, c = (vectors_of(encoder, columns[side][1000:]) for side in sides)
        return weighted_mean(((a * b).sum(axis=1) > (a * c).sum(axis=1)).astype(float))

    before, after = statistic(ns.load()), statistic(found.encoder)
    return told(name, kind, found, seconds, before, after, len(columns["anchor"]) - 1000)


def learnt(examples: Examples, kind: str) -> tuple[Adapter, float]:
    ns.load().encode("warm")
    start = time.perf_counter()
    found = learn(examples, kind=kind)
    return found, time.perf_counter() - start


def told(name: str, kind: str, found: Adapter, seconds: float, before: Any, after: Any, n: int) -> dict[str, Any]:
    change = paired_bootstrap(after, before, n)
    line = f"{name:34} {kind:9} {found.examples:6,} examples  {100 * float(before(np.ones((1, n)))[0]):6.2f}"
    line += f" -> {100 * float(after(np.ones((1, n)))[0]):6.2f}  {100 * change.value:+6.2f}"
    line += f" [{100 * change.low:+.2f}, {100 * change.high:+.2f}]  strength {found.strength:<4g} {seconds:5.1f} s"
    print(f"{line}  (cross-validated {100 * found.difference.value:+.2f})", flush=True)
    if name == "banking77/train":
        print(f"    bars: {GAIN:+} points with an interval without 0; learnt within {LEARNT} s, encoding included")
    facts = {"set": name, "kind": kind, "seconds": seconds, "strength": found.strength, "texts": n}
    return facts | {"gain": change.value, "low": change.low, "high": change.high, "said": found.difference.value}


def moved(documents: int) -> dict[str, Any]:
    """A collection on the disk goes over to an adapter; whose vectors they are plays no part in the time."""
    from nearsense.encoders.adapted import AdaptedEncoder, VectorMap
    from nearsense.kinds import MapKind

    parent, chance = ns.load(), np.random.default_rng(0)
    weight = (np.eye(384) + chance.normal(0, 0.02, (384, 384))).astype(np.float32)
    adapted = AdaptedEncoder(parent, VectorMap(MapKind.LINEAR, {"weight": weight}), name="mapped")
    texts = [*rows_of("headlines/abc-2003")["text"], *rows_of("quora/dev")["a"], *rows_of("nli/snli-dev")["b"]]
    vectors = chance.standard_normal((documents, 384), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with tempfile.TemporaryDirectory() as folder, ns.open(f"{folder}/c", parent) as collection:
        made = [ns.Document(str(n), texts[n % len(texts)], {"part": n % 7}) for n in range(documents)]
        collection.add(made, vectors=vectors)
        collection.build()
        start = time.perf_counter()
        collection.reembed(adapted)
        seconds = time.perf_counter() - start
        start = time.perf_counter()
        collection.build()
        index = time.perf_counter() - start
    print(f"{documents:,} documents moved in {seconds:.1f} s (bar {MOVED} s of 100,000), then index {index:.1f} s")
    return {"documents": documents, "seconds": seconds, "index": index}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--kinds", default="linear", help="linear,low-rank,diagonal")
    options.add_argument("--documents", type=int, default=100_000)
    options.add_argument("--sets", default="", help="Only sets whose name holds this.")
    options.add_argument("--json", type=Path)
    given = options.parse_args()
    require_data()
    print(machine())
    results = []
    for kind in given.kinds.split(","):
        results += [classes(name, each, kind) for name, each in CLASSES.items() if given.sets in name]
        results += [pairs(name, kind) for name in PAIRS if given.sets in name]
        results += [triplets(name, kind) for name in ("nli/snli-dev-triplets",) if given.sets in name]
    if given.documents:
        results.append(moved(given.documents))
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
