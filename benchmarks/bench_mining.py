"""Mining: all pairs of vectors above a score, nearsense beside sentence-transformers, in one run.

    python benchmarks/bench_mining.py [--rounds 3] [--large 200000,1000000] [--json benchmarks/results/mining.json]

At 50,000 vectors of 384 numbers sentence-transformers' `paraphrase_mining_embeddings` and each of our engines
find all pairs of at least 0.8, in turn, and the pairs are compared. Beyond, nearsense runs alone, each size in a
process of its own, whose memory is watched. The vectors are those of real texts where NEARSENSE_DATA names a
folder of sets, and mixtures of two of them beyond their number; else they lie in heaps, some of them narrow enough
for pairs of that score. A run that finds no pairs has measured nothing, and says so.

The share is that of the machine's own rate of matrix products which the scores of all pairs take, each counted
once: beside bf16 for whole numbers and bf16, beside f32 for the others.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import machine, told, version

import nearsense as ns
from nearsense.files import read_table
from nearsense.mining import NearPairs, mine

SMALL, FLOOR = 50_000, 0.8
BASE = "sentence-transformers"
F32 = ("nearsense f32", "sentence-transformers")
ENGINES = {"nearsense": None, "nearsense bf16": "bf16", "nearsense f32": "f32"}


def vectors_of(n: int) -> np.ndarray:
    """n unit vectors in an order by chance."""
    random = np.random.default_rng(0)
    known = _encoded() if os.environ.get("NEARSENSE_DATA") else _heaps(min(n, 100_000), random)
    known = known[random.permutation(len(known))]
    made = np.empty((n, known.shape[1]), np.float32)
    made[: len(known)] = known[:n]
    for start in range(len(known), n, SMALL):
        end = min(start + SMALL, n)
        i, j = random.integers(0, len(known), (2, end - start))
        share = random.uniform(0.1, 0.9, (end - start, 1)).astype(np.float32)
        made[start:end] = _unit(share * known[i] + (1 - share) * known[j])
    return made


def _encoded() -> np.ndarray:
    texts: dict[str, None] = {}
    for file in sorted(Path(os.environ["NEARSENSE_DATA"]).rglob("*.jsonl*")):
        for column in read_table(str(file)).columns.values():
            texts.update((value, None) for value in column if isinstance(value, str) and len(value) > 20)
    return np.unique(ns.load().encode(list(texts)[:150_000], long="head").data, axis=0)


def _heaps(n: int, random: np.random.Generator) -> np.ndarray:
    """Some 20 in a heap, of widths by chance: two score 0.9 in the narrowest, 0.5 in the widest."""
    centres = random.standard_normal((n // 20, 384), dtype=np.float32)
    widths = random.uniform(0.3, 1.0, (n // 20, 1)).astype(np.float32)
    heap = random.integers(0, len(centres), n)
    return _unit(centres[heap] + widths[heap] * random.standard_normal((n, 384), np.float32))


def _unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def by_sentence_transformers(vectors: np.ndarray) -> set[tuple[int, int]]:
    import torch
    from sentence_transformers.util import paraphrase_mining_embeddings

    found = paraphrase_mining_embeddings(torch.from_numpy(vectors), top_k=100, max_pairs=10**7)
    return {(min(i, j), max(i, j)) for score, i, j in found if score >= FLOOR}


def beside(rounds: int, rates: dict[str, float]) -> dict:
    vectors = vectors_of(SMALL)
    times: dict[str, list[float]] = {name: [] for name in (*ENGINES, BASE)}
    runs: dict[str, Callable[[], NearPairs | set[tuple[int, int]]]] = {
        name: lambda precision=precision: mine(vectors, FLOOR, precision=precision)
        for name, precision in ENGINES.items()
    } | {BASE: lambda: by_sentence_transformers(vectors)}
    by_sentence_transformers(vectors[:500])  # what is imported and made once
    mine(vectors[:5000], FLOOR)
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            found = run()
            times[name].append(time.perf_counter() - start)
            if isinstance(found, NearPairs):
                ours = found
            else:
                theirs = found
    if not len(ours) or not theirs:
        sys.exit(f"nothing was measured: no pairs of {FLOOR} or more among these vectors")
    pairs = set(zip(ours.left.tolist(), ours.right.tolist(), strict=True))
    odd = np.array(sorted(pairs ^ theirs), np.int64).reshape(-1, 2)

    def rate_of(name: str) -> float:
        return rates["f32"] if name in F32 else rates.get("bf16", rates["f32"])

    seconds = {name: statistics.median(taken) for name, taken in times.items()}
    apart = np.abs(np.vecdot(vectors[odd[:, 0]], vectors[odd[:, 1]]) - FLOOR)
    return {
        "vectors": SMALL,
        "pairs": len(pairs),
        "pairs that differ, not by rounding": int((apart > 1e-6).sum()),
        "seconds": seconds,
        "share of product rate": {
            name: SMALL * (SMALL - 1) * vectors.shape[1] / taken / rate_of(name) for name, taken in seconds.items()
        },
        "times as fast": {
            name: statistics.median(b / a for a, b in zip(times[name], times[BASE], strict=True))
            for name in ENGINES
        },
    }


def alone(n: int) -> dict:
    """One size in a process of its own, which reads the vectors from a file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "vectors.npy"
        np.save(file, vectors_of(n))
        run = subprocess.run(
            [sys.executable, __file__, "--only", file], capture_output=True, text=True, check=True
        )
    return json.loads(run.stdout)


def only(file: Path) -> None:
    vectors = np.load(file)
    start = time.perf_counter()
    found = mine(vectors, FLOOR, progress=True)
    taken = time.perf_counter() - start
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
    print(
        json.dumps(
            {
                "vectors": len(vectors),
                "pairs": len(found),
                "seconds": taken,
                "million pairs a second": len(vectors) ** 2 / 2 / taken / 1e6,
                "GB of memory in all": peak / 1e9,
                "GB of vectors": vectors.nbytes / 1e9,
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="0 keeps what --json holds")
    parser.add_argument("--large", default="200000", help="sizes that nearsense mines alone")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        only(given.only)
        return
    result: dict = json.loads(given.json.read_text()) if given.json and given.json.exists() else {}
    result |= machine()
    print(told(result))
    for name in ("nearsense", "numkong", "numpy", "openvino", "sentence-transformers", "torch"):
        print(f"  {name} {version(name)}")
    if given.rounds:
        result["beside"] = beside(given.rounds, result["product_flops"])
    for name, seconds in result["beside"]["seconds"].items():
        ratio = result["beside"]["times as fast"].get(name)
        share = result["beside"].get("share of product rate", {}).get(name, float("nan"))
        print(f"{name:<24} {seconds:8.2f} s" + (f"  {ratio:6.1f} x" if ratio else " " * 10) + f"  {share:6.0%}")
    print(f"{result['beside']['pairs']:,} pairs, {result['beside']['pairs that differ, not by rounding']} differ")
    result["alone"] = [alone(int(size)) for size in given.large.split(",") if size]
    for each in result["alone"]:
        print(
            f"{each['vectors']:,} vectors: {each['seconds']:.1f} s, {each['pairs']:,} pairs, "
            f"{each['GB of memory in all']:.2f} GB, of which the vectors are {each['GB of vectors']:.2f}"
        )
    if given.json:
        given.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
