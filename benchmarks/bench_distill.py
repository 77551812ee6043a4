"""Distillation: what a static model made of another one keeps on sets that had no part in it, and its speed.

    python benchmarks/bench_distill.py [--model NAME] [--texts 6000] [--without SET] [--speed] [--json FILE]

Texts without labels are taken from sets of many kinds, none of STS-B; then again with each kind left out in turn,
so that a figure on STS-B is not owed to one that is like it. Rank correlation of STS-B dev, for the parent and
what was made of it: the share that is left has a bar. Both are timed in one run on the same texts, short ones and
long ones, none of which either has seen: a part by one, then by the other, the median of the parts. The first part
brings most of the words that are new to the table's memory of them.
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
from nearsense.files import read_table
from nearsense.metrics import bootstrap, spearman, weighted_spearman

KEPT, FASTER = 0.90, 50
"""The share of the parent's rank correlation on STS-B dev; how many times as fast."""
SOURCES = {
    "headlines": [("headlines/abc-2003", "text")],
    "questions": [("quora/dev", "a"), ("quora/dev", "b"), ("clustering/trec-questions-train", "text")],
    "captions": [("nli/snli-dev", "a"), ("nli/snli-dev", "b"), ("sick/train", "a"), ("sick/train", "b")],
    "sentences": [("tatoeba/others", "eng"), ("tatoeba/main10", "eng")],
    "requests": [("clinc150/train", "text"), ("banking77/train", "text")],
}


def texts_of(kinds: list[str], most: int) -> list[str]:
    """Different texts of each kind, so many at most, none of STS-B."""
    own = {text for part in ("train", "dev") for side in "ab" for text in columns_of(f"stsb/en-{part}")[side]}
    found: list[str] = []
    for kind in kinds:
        all_ = dict.fromkeys(text for name, column in SOURCES[kind] for text in columns_of(name)[column] if text)
        free = [text for text in all_ if text not in own]
        order = np.random.default_rng(0).permutation(len(free))[:most]
        found += [free[row] for row in order]
    return found


def columns_of(name: str) -> dict[str, list[Any]]:
    return read_table(str(SETS / f"{name}.jsonl.gz")).columns


def scores(model: ns.Encoder, name: str) -> tuple[list[float], np.ndarray]:
    columns = columns_of(name)
    a, b = (model.encode(columns[side]).data for side in "ab")
    return [float(each) for each in columns["score"]], np.einsum("ij,ij->i", a, b, dtype=np.float64)


def rates(models: list[ns.Encoder], texts: list[str], size: int) -> np.ndarray:
    """Texts a second of each model, shape (parts, models): each part in turn by all of them, none seen before."""
    found = []
    for begin in range(0, len(texts) - size + 1, size):
        part, own = texts[begin : begin + size], []
        for model in models:
            start = time.perf_counter()
            model.encode(part, long="head")
            own.append(size / (time.perf_counter() - start))
        found.append(own)
    return np.array(found)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--model", default="all-MiniLM-L6-v2")
    options.add_argument("--texts", type=int, default=6_000, help="Of each kind, at most.")
    options.add_argument("--without", help="Only this kind left out; else each in turn.")
    options.add_argument("--speed", action="store_true", help="Only the speeds, of a table that is not tuned.")
    options.add_argument("--json", type=Path)
    given = options.parse_args()
    require_data()
    print(machine())
    parent, results = ns.load(given.model), []
    gold, theirs = scores(parent, "stsb/en-dev")
    base = spearman(gold, theirs)
    print(f"{given.model}: STS-B dev {base:.4f}; bars: {KEPT:.0%} of that, {FASTER} times as fast")
    left_out = [given.without] if given.without else ["nothing", *SOURCES]
    for without in ["nothing"] if given.speed else left_out:
        texts = texts_of([kind for kind in SOURCES if kind != without], given.texts)
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            made = ns.distill(parent, texts, output=f"{folder}/fast", epochs=0 if given.speed else 3)
            took = time.perf_counter() - start
            fast = ns.load(str(made.path))
        own = scores(fast, "stsb/en-dev")[1]
        kept = spearman(gold, own) / base
        ends = bootstrap(weighted_spearman(gold, own), len(gold))
        print(
            f"without {without:10} {len(texts):7,} texts: "
            f"STS-B dev {kept * base:.4f} [{ends.low:.4f}, {ends.high:.4f}], "
            f"{kept:.1%} of the parent's; probe {made.kept:.1%}, cosine {made.likeness:.3f}, "
            f"ten nearest {made.neighbours:.0%}; made in {took:.0f} s",
            flush=True,
        )
        results.append({"without": without, "texts": len(texts), "kept": kept, "sts": kept * base, "took": took})
    short = texts_of(["questions"], 24_000)
    long = [str(text) for text in columns_of("scifact/corpus")["text"][:5000]]
    for kind, texts, size in (("questions", short, 8000), ("abstracts", long, 1000)):
        found = rates([parent, fast], texts, size)
        (slow, quick), times = np.median(found, axis=0), found[:, 1] / found[:, 0]
        print(
            f"{kind}: {slow:,.0f} texts/s, then {quick:,.0f}: {np.median(times):.0f} times as fast "
            f"(first part {times[0]:.0f}, of {len(times)} parts of {size:,} texts {times.min():.0f} to "
            f"{times.max():.0f})",
            flush=True,
        )
        results.append({"timed": kind, "parent": slow, "fast": quick, "times": times.tolist()})
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
