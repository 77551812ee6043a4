"""Clusters without a number: how many texts are in none, and what that costs, strict beside default.

    NEARSENSE_DATA=... python benchmarks/bench_noise.py [--sets banking77,clinc150,trec,tweets] [--rounds 3]
                                                        [--extra FILE,...] [--json benchmarks/results/noise.json]

Of each set the share of texts in no cluster, V-measure over all texts with noise as one group, purity (the share
of the texts in clusters that have their most frequent label), how many clusters, and the seconds of grouping
and naming without encoding, the median of some rounds in turn. An extra file is csv or JSON lines with the columns
text and label; without labels only what needs none is measured.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
from fit_faq import rows
from machine import SETS, machine, version

import nearsense as ns
from nearsense.files import read_table
from nearsense.metrics import v_measure

NAMED = {
    "banking77": ("banking77/train", "label"),
    "clinc150": ("clinc150/train", "label"),
    "trec": ("clustering/trec-questions-train", "fine"),
    "tweets": ("clustering/tweet2472", "label"),
    "headlines": ("headlines/abc-2003", None),
}


def read(name: str) -> tuple[list[str], np.ndarray | None]:
    """The texts of a set, and their labels where people gave any."""
    if name not in NAMED:
        columns = read_table(name).columns
        found = columns.get("label")
        return list(map(str, columns["text"])), None if found is None else np.array(list(map(str, found)))
    file, column = NAMED[name]
    read_ = [row for row in rows(file) if row.get("label") != "oos"]
    return [row["text"] for row in read_], np.array([str(row[column]) for row in read_]) if column else None


def purity(truth: np.ndarray, labels: np.ndarray) -> float:
    inside = labels >= 0
    known = np.unique(truth, return_inverse=True)[1]
    table = np.zeros((labels.max(initial=-1) + 1, known.max(initial=-1) + 1), np.int64)
    np.add.at(table, (labels[inside], known[inside]), 1)
    return float(table.max(axis=1, initial=0).sum() / max(inside.sum(), 1))


def figures(truth: np.ndarray | None, clusters: ns.Clusters) -> dict:
    known = {} if truth is None else {
        "V-measure": round(100 * v_measure(truth, clusters.labels).v, 1),
        "purity": round(100 * purity(truth, clusters.labels), 1),
    }  # fmt: skip
    return {"in none": round(100 * (1 - clusters.coverage), 1), **known, "clusters": len(clusters)}


def measured(name: str, rounds: int) -> dict:
    texts, truth = read(name)
    vectors = ns.load().encode(texts)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    given = {}
    for _ in range(rounds):
        for strict, taken in seconds.items():
            start = time.perf_counter()
            given[strict] = ns.cluster(texts, vectors=vectors, strict=strict)
            taken.append(time.perf_counter() - start)
    return {"texts": len(texts), "labels": 0 if truth is None else len(set(truth.tolist()))} | {
        said: figures(truth, given[strict]) | {"seconds": round(statistics.median(seconds[strict]), 2)}
        for said, strict in (("strict", True), ("default", False))
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default=",".join(NAMED))
    parser.add_argument("--extra", default="", help="files of other texts")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results" / "noise.json")
    given = parser.parse_args()
    if not SETS.exists():
        raise SystemExit(f"nothing is measured: the evaluation data is not at {SETS}")
    report: dict = machine() | {"versions": {name: version(name) for name in ("nearsense", "numpy")}}
    for name in filter(None, [*given.sets.split(","), *given.extra.split(",")]):
        report[Path(name).stem] = measured(name, given.rounds)
        print(name, json.dumps(report[Path(name).stem]), flush=True)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
